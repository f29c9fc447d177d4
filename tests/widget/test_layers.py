"""New layers lie exactly where their source lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari
import numpy as np
import pytest
from napari.layers import Image

from napari_gaintune.widget.layers import Box, denoisable_layers, placement, sensible_limits, show_frame, shown_frame

if TYPE_CHECKING:
    from .conftest import Bench

AFFINE_2D = np.array([[0.9, 0.2, 3.0], [-0.1, 1.1, -2.0], [0, 0, 1]])


def oblique(data: np.ndarray) -> Image:
    """A layer with every property of place set to something."""
    extra = data.ndim - 2
    affine = np.eye(data.ndim + 1)
    affine[extra:, extra:] = AFFINE_2D
    rotate = np.eye(data.ndim)
    rotate[extra:, extra:] = [[0.8, -0.6], [0.6, 0.8]]
    shear = np.eye(data.ndim)
    shear[extra, extra + 1] = 0.3
    return Image(
        data,
        name="au",
        scale=(*(0.5, 2.0)[:extra], 0.02, 0.03),
        translate=(*(4.0, 7.0)[:extra], 1.5, -2.5),
        rotate=rotate,
        shear=shear,
        affine=affine,
        units=(*("s", "pixel")[:extra], "nm", "nm"),
        axis_labels=(*("t", "z")[:extra], "y", "x"),
    )


@pytest.mark.parametrize("leading", [(), (5,), (3, 4)])
def test_a_cut_out_keeps_its_place_in_the_world(leading: tuple[int, ...]) -> None:
    """A pixel of the result and the pixel of the source it comes from have the same world coordinates."""
    source = oblique(np.zeros((*leading, 8, 9), dtype=np.float32))
    frames = [0] if not leading else [int(np.prod(leading)) - 2, int(np.prod(leading)) - 1]
    box = Box(frames, source.data.shape)
    result = Image(np.zeros(box.shape, dtype=np.float32), **placement(source, box.start))
    for frame in frames:
        there = (*np.unravel_index(frame, leading), 5, 2) if leading else (5, 2)
        here = (*box.place(frame), 5, 2)
        np.testing.assert_allclose(result.data_to_world(here), source.data_to_world(there), atol=1e-12)
    np.testing.assert_allclose(result.scale, source.scale)
    np.testing.assert_allclose(result.rotate, source.rotate, atol=1e-12)
    np.testing.assert_allclose(result.shear, source.shear, atol=1e-12)
    np.testing.assert_allclose(result.affine.affine_matrix, source.affine.affine_matrix)
    assert result.units == source.units
    assert result.axis_labels == source.axis_labels


@pytest.mark.parametrize("leading", [(), (4,), (2, 2)])
def test_both_new_layers_of_a_run_lie_on_their_source(
    leading: tuple[int, ...], bench: Bench, counts: np.ndarray
) -> None:
    viewer = bench.viewer
    source = oblique(counts.reshape(*leading, 48, 56) if leading else counts[0])
    viewer.add_layer(source)
    bench.run(bench.open())
    names = ["au denoised", "au reference"] if leading else ["au denoised"]
    for name in names:
        layer = viewer.layers[name]
        assert layer.data.shape == source.data.shape
        for corner in ((0,) * layer.ndim, tuple(n - 1 for n in layer.data.shape)):
            np.testing.assert_allclose(layer.data_to_world(corner), source.data_to_world(corner), atol=1e-9)
        assert layer.units == source.units
        assert layer.axis_labels == source.axis_labels
        assert layer.colormap.name == "gray"


def test_box_of_scattered_frames() -> None:
    box = Box([5, 9], (3, 4, 8, 9))
    assert (box.start, box.shape) == ([1, 1], (2, 1, 8, 9))
    assert [box.place(5), box.place(9)] == [(0, 0), (1, 0)]


def test_frame_under_the_slider_whatever_the_viewer_counts_in(viewer: napari.Viewer) -> None:
    """Two layers in different units lie on each other; the viewer's sliders take the unit of one of them."""
    coarse = viewer.add_image(np.zeros((6, 8, 9)), scale=(0.5, 0.1, 0.1), units=("s", "nm", "nm"))
    fine = viewer.add_image(np.zeros((6, 8, 9)), scale=(500, 1, 1), units=("ms", "angstrom", "angstrom"))
    for layer in (coarse, fine):
        for index in range(6):
            show_frame(viewer, layer, index)
            assert shown_frame(viewer, coarse) == shown_frame(viewer, fine) == index


def test_frame_of_a_stack_of_stacks(viewer: napari.Viewer) -> None:
    layer = viewer.add_image(np.zeros((2, 3, 8, 9)), translate=(5, 0, 0, 0))
    for index in range(6):
        show_frame(viewer, layer, index)
        assert shown_frame(viewer, layer) == index
    viewer.add_image(np.zeros((20, 8, 9)), scale=(1, 1, 1))
    viewer.dims.set_point(1, 15)
    assert shown_frame(viewer, layer) in range(6)


def test_layers_that_can_be_denoised(viewer: napari.Viewer) -> None:
    image = viewer.add_image(np.zeros((8, 9)))
    labels = viewer.add_labels(np.zeros((8, 9), dtype=np.uint8))
    viewer.add_image(np.zeros((8, 9, 3), dtype=np.uint8), rgb=True)
    viewer.add_points(np.zeros((1, 2)))
    assert denoisable_layers(viewer) == [image, labels]


def test_grey_limits_never_coincide() -> None:
    assert sensible_limits(np.full((4, 4), 3.0, dtype=np.float32)) == (3.0, 4.0)
    low, high = sensible_limits(np.arange(10_000, dtype=np.float32))
    assert 0 < low < 100
    assert 9_900 < high < 9_999
