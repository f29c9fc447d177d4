"""Arrays, napari layers, hyperspy signals and paths as series of frames."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.io import open_series, series_from

from .helpers import whole


@pytest.fixture
def layers():
    """The real layer classes of napari; no viewer is needed."""
    import napari.layers

    return napari.layers


def test_arrays(counts):
    for array in (counts, da.from_array(counts, chunks=(1, 12, 10)), counts[0], counts.astype(">i4")):
        series = series_from(array, name="mine")
        np.testing.assert_array_equal(whole(series), array)
        assert series.name == "mine"
        assert series.calibration == Calibration.uncalibrated(array.ndim)


def test_a_dask_array_is_computed_frame_by_frame():
    computed = []

    def chunk(block_info=None):
        computed.append(block_info[None]["chunk-location"][0])
        return np.full((1, 4, 5), computed[-1], "u2")

    lazy = da.map_blocks(chunk, chunks=((1,) * 6, (4,), (5,)), dtype="u2", meta=np.empty((0, 0, 0), "u2"))
    series = series_from(lazy)
    assert computed == []
    np.testing.assert_array_equal(series.frame(3), 3)
    assert computed == [3]


def test_a_series_is_itself_and_a_path_is_opened(tmp_path, counts):
    series = ArraySeries(counts)
    assert series_from(series) is series
    np.save(tmp_path / "a.npy", counts)
    for path in (tmp_path / "a.npy", str(tmp_path / "a.npy")):
        np.testing.assert_array_equal(whole(series_from(path)), counts)
    opened = open_series(tmp_path / "a.npy")
    assert series_from(opened) is opened


@pytest.mark.parametrize("thing", [None, 3, [[1, 2], [3, 4]], {"data": 1}, object()])
def test_other_types_are_named(thing):
    with pytest.raises(ImageError, match=f"a {type(thing).__name__} is not an image; give"):
        series_from(thing)


def test_a_tensor_is_told_how_to_become_an_array():
    torch = pytest.importorskip("torch")
    with pytest.raises(ImageError, match=r"a Tensor is not an image; .*numpy.asarray"):
        series_from(torch.zeros(4, 4))


def test_masked_pixels_are_not_read_as_values(counts):
    with pytest.raises(ImageError, match=r"3 masked pixels.*nonfinite"):
        series_from(np.ma.masked_less(counts, 3))
    np.testing.assert_array_equal(whole(series_from(np.ma.masked_less(counts, 0))), counts)


@pytest.mark.parametrize(
    ("unit", "symbol"), [("nm", "nm"), ("angstrom", "Å"), ("um", "µm"), ("picometer", "pm"), ("pixel", ""), (None, "")]
)
def test_an_image_layer(layers, counts, unit, symbol):
    units = None if unit is None else ("s", unit, unit)
    layer = layers.Image(
        counts, name="movie", scale=(0.1, 0.5, 0.25), translate=(1, 2, 3), units=units, axis_labels=("time", "y", "x")
    )
    series = series_from(layer)
    np.testing.assert_array_equal(whole(series), counts)
    assert series.name == "movie"
    assert series.calibration == Calibration(
        "TYX", (0.1, 0.5, 0.25), ("s" if unit else "", symbol, symbol), (1.0, 2.0, 3.0)
    )


def test_a_layer_without_calibration(layers, counts):
    assert series_from(layers.Image(counts)).calibration == Calibration.uncalibrated(3)


def test_a_layer_of_a_lazy_array_stays_lazy(layers, counts):
    """Napari computes what it draws; the series then computes the frame it is asked for."""
    computed = []

    def chunk(block_info=None):
        computed.append(block_info[None]["chunk-location"][0])
        return counts[computed[-1]][None]

    lazy = da.map_blocks(chunk, chunks=((1,) * 4, (12,), (10,)), dtype="u2", meta=np.empty((0, 0, 0), "u2"))
    series = series_from(layers.Image(lazy, contrast_limits=(0, 500), cache=False))
    computed.clear()
    np.testing.assert_array_equal(series.frame(3), counts[3])
    assert computed == [3]


def test_low_counts_that_arrived_as_labels(layers):
    data = np.random.default_rng(0).poisson(0.4, (12, 10)).astype("u2")
    np.testing.assert_array_equal(series_from(layers.Labels(data)).frame(0), data)


def test_the_finest_level_of_a_multiscale_layer(layers, counts):
    layer = layers.Image([counts, counts[:, ::2, ::2]], multiscale=True, scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    series = series_from(layer)
    np.testing.assert_array_equal(whole(series), counts)
    assert series.calibration.pixel_size_nm == (0.5, 0.5)


def test_colour_layers_and_layers_without_pixels(layers):
    with pytest.raises(ImageError, match=r"'photo': a colour picture; .*Split RGB"):
        series_from(layers.Image(np.zeros((9, 9, 3), "u1"), rgb=True, name="photo"))
    for layer in (layers.Points(np.zeros((5, 2))), layers.Vectors(np.zeros((4, 2, 2)))):
        with pytest.raises(ImageError, match="a (points|vectors) layer holds no image"):
            series_from(layer)


def test_a_layer_of_too_many_axes(layers):
    with pytest.raises(ImageError, match="at most 4"):
        series_from(layers.Image(np.zeros((2, 2, 2, 6, 6))))


def test_the_file_of_a_layer_is_known(layers, counts, tmp_path):
    from napari.layers._source import layer_source

    with layer_source(path=str(tmp_path / "a.tif")):
        layer = layers.Image(counts)
    assert series_from(layer).paths == (tmp_path / "a.tif",)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_hyperspy_image(hs, counts, lazy):
    signal = hs.signals.Signal2D(counts)
    signal.metadata.General.title = "Pt"
    for axis, (name, unit, step, origin) in zip(
        signal.axes_manager._axes, [("time", "s", 0.1, 0), ("y", "nm", 0.5, 2), ("x", "nm", 0.25, -1)], strict=True
    ):
        axis.name, axis.units, axis.scale, axis.offset = name, unit, step, origin
    series = series_from(signal.as_lazy() if lazy else signal)
    np.testing.assert_array_equal(whole(series), counts)
    assert series.name == "Pt"
    assert series.calibration == Calibration("TYX", (0.1, 0.5, 0.25), ("s", "nm", "nm"), (0.0, 2.0, -1.0))


def test_hyperspy_without_units_or_even_steps(hs, counts):
    signal = hs.signals.Signal2D(counts)
    assert series_from(signal).calibration == Calibration.uncalibrated(3)
    signal.axes_manager[0].convert_to_non_uniform_axis()
    assert series_from(signal).calibration.scale == (1.0, 1.0, 1.0)


def test_hyperspy_signals_that_are_no_images(hs, counts):
    with pytest.raises(ImageError, match="two signal axes"):
        series_from(hs.signals.Signal1D(counts))
    with pytest.raises(ImageError, match="two signal axes"):
        series_from(hs.signals.Signal2D(counts).transpose(signal_axes=1))
    with pytest.raises(ImageError, match="complex"):
        series_from(hs.signals.ComplexSignal2D(counts.astype("c8")))
    with pytest.raises(ImageError, match="at most 4"):
        series_from(hs.signals.Signal2D(np.zeros((2, 2, 2, 5, 6))))
    single = series_from(hs.signals.Signal2D(counts).inav[1])
    np.testing.assert_array_equal(single.frame(0), counts[1])
