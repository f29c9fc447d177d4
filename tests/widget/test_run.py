"""From a layer to its denoised layer, in a real viewer."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import napari
import numpy as np
import pytest

import napari_gaintune
from napari_gaintune.pipeline.reports import StepReport
from napari_gaintune.widget.layers import RECIPE_KEY, shown_frame
from napari_gaintune.widget.panel import State
from napari_gaintune.widget.worker import Worker

if TYPE_CHECKING:
    from .conftest import Bench

SAME = {"steps": 3, "crop_size_px": 32, "device": "cpu"}


@pytest.mark.parametrize("kind", ["2-D image", "series", "stack of stacks", "Labels"])
def test_result_is_that_of_the_python_call(kind: str, bench: Bench, counts: np.ndarray) -> None:
    """One path for dock and Python: the same settings and seed give the same bits."""
    data = {"2-D image": counts[0], "stack of stacks": counts.reshape(2, 2, 48, 56)}.get(kind, counts)
    viewer = bench.viewer
    source = viewer.add_labels(data, name="au") if kind == "Labels" else viewer.add_image(data, name="au")
    dock = bench.open()
    said = bench.run(dock)
    expected = napari_gaintune.denoise(data, model=str(bench.model), **SAME)
    denoised = viewer.layers["au denoised"]
    np.testing.assert_array_equal(denoised.data, expected.image)
    assert denoised.data.dtype == np.float32
    assert denoised.metadata[RECIPE_KEY]["settings"] == expected.provenance["settings"]
    assert denoised.metadata[RECIPE_KEY]["frames"] == expected.provenance["frames"]
    assert "Denoised" in said
    np.testing.assert_array_equal(source.data, data)


def test_all_pictures_of_a_run_go_into_one_layer(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    dock = bench.open()
    inserted: list[str] = []
    viewer.layers.events.inserted.connect(lambda event: inserted.append(event.value.name))
    limits = set()
    dock.panel.run_button.click()
    bench.wait_until(lambda: dock.denoised() is not None)
    dock.denoised().events.contrast_limits.connect(lambda event: limits.add(event.source.name))
    bench.end(dock)
    assert sorted(inserted) == ["au denoised", "au reference"]
    assert not limits  # the grey scale does not flicker
    bench.run(dock)
    assert sorted(inserted) == ["au denoised", "au denoised [1]", "au reference", "au reference [1]"]
    assert dock.denoised() is viewer.layers["au denoised [1]"]


def test_previews_are_shown_before_the_end(bench: Bench, counts: np.ndarray) -> None:
    bench.viewer.show()
    bench.viewer.add_image(counts[0], name="au")
    dock = bench.open(steps=100_000)
    bench.start(dock)
    first = dock.denoised().data.copy()
    bench.wait_until(lambda: not np.array_equal(dock.denoised().data, first))
    assert dock.panel.state is State.RUNNING
    assert "tep " in dock.panel.status.text()
    dock.panel.run_button.click()
    bench.end(dock)


@pytest.mark.parametrize(("selection", "frames"), [("this", [2]), ("1:3", [1, 2]), ("::2", [0, 2]), ("-1", [3])])
def test_chosen_frames_lie_where_they_come_from(
    selection: str, frames: list[int], bench: Bench, counts: np.ndarray
) -> None:
    """The result covers the chosen frames alone, and each appears when the slider stands on its source frame."""
    viewer = bench.viewer
    source = viewer.add_image(counts, name="au", scale=(0.5, 0.02, 0.02), translate=(3, 0, 0))
    dock = bench.open(frames=selection)
    viewer.dims.set_point(0, 3 + 2 * 0.5)
    bench.run(dock)
    denoised = viewer.layers["au denoised"]
    expected = napari_gaintune.denoise(counts, model=str(bench.model), frames=str(frames[0]), **SAME)
    np.testing.assert_array_equal(denoised.data[0], expected.image[0])
    assert len(denoised.data) == frames[-1] - frames[0] + 1
    for index in range(4):
        viewer.dims.set_point(0, source.data_to_world((index, 0, 0))[0])
        place = denoised.world_to_data(viewer.dims.point)[0]
        assert place == pytest.approx(index - frames[0])
    chosen = {frame - frames[0] for frame in frames}
    assert {index for index, frame in enumerate(denoised.data) if frame.any()} == chosen


def test_slider_follows_the_run_until_the_user_moves_it(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    source = viewer.add_image(counts, name="au", scale=(0.5, 1, 1))
    dock = bench.open()
    bench.run(dock)
    assert shown_frame(viewer, source) == 3
    dock.form.set_value("steps", 100_000)
    bench.start(dock)
    assert shown_frame(viewer, source) == 0
    viewer.dims.set_point(0, 1.0)
    dock.panel.run_button.click()
    bench.end(dock)
    assert shown_frame(viewer, source) == 2


def test_cancel_keeps_the_best_so_far(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    dock = bench.open(steps=100_000)
    bench.start(dock)
    dock.panel.run_button.click()
    assert dock.panel.state is State.CANCELLING  # at once, whatever the thread is doing
    assert dock.panel.run_button.text() == "Cancelling …"
    said = bench.end(dock)
    assert said.startswith("Stopped after 1 of 4 frames")
    denoised = viewer.layers["au denoised"]
    assert denoised.data.shape == (1, 48, 56)
    assert denoised.data.any()
    (record,) = denoised.metadata[RECIPE_KEY]["frames"]
    assert record["steps_run"] < 100_000
    assert dock.panel.run_button.text() == "Run"


def test_reference_is_the_average_of_the_other_frames(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    still = np.repeat(counts[:1], 3, axis=0)
    still[1] += 3
    source = viewer.add_image(still, name="au", scale=(2, 0.1, 0.1), units=("s", "nm", "nm"))
    dock = bench.open()
    bench.run(dock)
    reference = viewer.layers["au reference"]
    np.testing.assert_array_equal(np.asarray(reference.data)[1], counts[0])
    np.testing.assert_array_equal(np.asarray(reference.data)[0], counts[0] + np.float32(1.5))
    np.testing.assert_array_equal(reference.scale, source.scale)
    assert reference.metadata[RECIPE_KEY]["drifts_px"] == [[0, 0]] * 3
    assert tuple(reference.contrast_limits) == tuple(viewer.layers["au denoised"].contrast_limits)


def test_reference_can_be_left_out_and_needs_a_series(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    dock = bench.open()
    dock.form.reference.setChecked(False)
    bench.run(dock)
    dock.form.reference.setChecked(True)
    viewer.add_image(counts[0], name="flat")
    dock.form.layer.setCurrentText("flat")
    bench.run(dock)
    assert [layer.name for layer in viewer.layers] == ["au", "au denoised", "flat", "flat denoised"]


def test_compare_shows_three_side_by_side_and_goes_back(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts, name="other")
    viewer.add_image(counts, name="au")
    dock = bench.open()
    assert not dock.panel.compare_button.isEnabled()
    bench.run(dock)
    dock.panel.compare_button.click()
    assert viewer.canvas.grid.enabled
    assert {layer.name for layer in viewer.layers if layer.visible} == {"au", "au denoised", "au reference"}
    dock.panel.compare_button.click()
    assert not viewer.canvas.grid.enabled
    assert {layer.name for layer in viewer.layers if layer.visible} == {"other", "au", "au denoised"}
    dock.panel.compare_button.click()
    viewer.canvas.grid.enabled = False  # by the viewer's own button
    assert not dock.panel.compare_button.isChecked()
    viewer.canvas.grid.enabled = True
    viewer.window.remove_dock_widget(dock)
    assert viewer.canvas.grid.enabled  # the user's grid, not the dock's


def test_nothing_the_user_does_to_the_viewer_breaks_a_run(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    source = viewer.add_image(counts, name="au")
    dock = bench.open(steps=400)
    bench.start(dock)
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    viewer.dims.set_point(0, 2)
    viewer.add_points(np.zeros((1, 3)))
    viewer.layers.move(0, 2)
    dock.denoised().name = "renamed"
    source.name = "other"
    viewer.layers.remove(source)
    assert "Denoised 4 frames" in bench.end(dock)
    assert viewer.layers["renamed"].data.shape == (4, 48, 56)


@pytest.mark.parametrize("settings", [{"steps": 0}, {"series": "shared"}], ids=str)
def test_frames_without_steps_of_their_own(settings: dict[str, object], bench: Bench, counts: np.ndarray) -> None:
    """The pre-trained network alone, and one adaptation for all frames."""
    bench.viewer.add_image(counts, name="au")
    dock = bench.open(**settings)
    assert "Denoised 4 frames" in bench.run(dock)
    expected = napari_gaintune.denoise(counts, model=str(bench.model), **{**SAME, **settings})
    np.testing.assert_array_equal(bench.viewer.layers["au denoised"].data, expected.image)
    assert dock.panel.bar.value() == dock.panel.bar.maximum()


def test_dask_series_is_read_frame_by_frame(bench: Bench, counts: np.ndarray) -> None:
    import dask.array

    bench.viewer.add_image(dask.array.from_array(counts, chunks=(1, 48, 56)), name="lazy")
    dock = bench.open(frames="0:2")
    bench.run(dock)
    expected = napari_gaintune.denoise(counts, model=str(bench.model), frames="0:2", **SAME)
    np.testing.assert_array_equal(bench.viewer.layers["lazy denoised"].data, expected.image)


def test_example_opens_as_a_calibrated_sample(viewer: napari.Viewer) -> None:
    (layer,) = viewer.open_sample("napari-gaintune", "co-zno")
    assert layer.data.shape == (40, 320, 384)
    assert [str(unit) for unit in layer.units] == ["second", "nanometer", "nanometer"]
    assert 0.001 < layer.scale[-1] < 0.1
    assert tuple(layer.axis_labels) == ("t", "y", "x")


def test_only_a_newer_picture_replaces_one_that_waits() -> None:
    picture, newer = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    step = partial(StepReport, 0, 0, 1, steps=3, loss=None, validation=None)
    reports = [step(step=0, preview=picture), step(step=1, preview=newer), step(step=2, preview=None)]
    worker = Worker(lambda stop: iter(reports), threading.Event())
    while worker.is_running:
        time.sleep(0.01)
    assert [message.preview for message in worker.take()] == [None, newer, None]
