"""The button Check: what it says of the frame that is shown, and the circles it draws."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points

from napari_gaintune.io import open_series, series_from
from napari_gaintune.pipeline.check import check_by_recipe
from napari_gaintune.pipeline.check_picture import INVENTED
from napari_gaintune.widget.layers import RECIPE_KEY
from napari_gaintune.widget.worker import check_frame

if TYPE_CHECKING:
    from .conftest import Bench

SERIES = files("napari_gaintune.examples") / "co_zno_40frames.ome.tif"


def open_example(bench: Bench, frames: int = 12) -> None:
    series = open_series(SERIES)
    bench.viewer.add_image(
        np.stack([series.frame(index) for index in range(frames)]), name="co", scale=series.calibration.scale,
        units=series.calibration.units, axis_labels=("t", "y", "x"),
    )  # fmt: skip


def test_the_frame_that_is_shown_is_checked_and_its_columns_circled(bench: Bench) -> None:
    open_example(bench)
    viewer = bench.viewer
    dock = bench.open(model="dncnn-hrtem", frames="4:6", steps=0)
    assert not dock.panel.check_button.isEnabled()
    bench.run(dock)
    assert dock.panel.check_button.isEnabled()
    viewer.dims.set_current_step(0, 5)
    dock.panel.check_button.click()
    assert not dock.panel.check_button.isEnabled()
    said = bench.end(dock)
    denoised, circles = viewer.layers["co denoised"], viewer.layers["co columns"]
    found = check_by_recipe(series_from(viewer.layers["co"]), denoised.data[1], 5, denoised.metadata[RECIPE_KEY])
    assert said == found.in_words().replace("\u200b", "")
    assert "uPSNR" in said
    assert isinstance(circles, Points)
    np.testing.assert_array_equal(circles.data[:, 1:], found.columns.places_px)
    assert (circles.data[:, 0] == 1).all()  # the second of the denoised frames
    # where the denoised frame is, in nm and in time
    np.testing.assert_allclose(circles.data_to_world(circles.data[0]), denoised.data_to_world(circles.data[0]))
    np.testing.assert_array_equal(circles.features["is invented"], found.columns.is_invented)
    orange = np.isclose(circles.border_width, INVENTED[1] / 2)
    np.testing.assert_array_equal(orange, found.columns.is_invented)
    dock.panel.check_button.click()
    bench.end(dock)
    assert [layer.name for layer in viewer.layers].count("co columns") == 1  # in place of the first


def test_a_dock_that_is_closed_ends_the_check(bench: Bench) -> None:
    open_example(bench, 40)
    dock = bench.open(model="dncnn-hrtem", frames="5", steps=0)
    bench.run(dock)
    bench.viewer.dims.set_current_step(0, 5)
    denoised = bench.viewer.layers["co denoised"]
    work = check_frame(series_from(bench.viewer.layers["co"]), denoised.data[0], 5, denoised.metadata[RECIPE_KEY])
    assert list(work(lambda: True)) == []  # it looks whether it is still wanted, and says nothing if not
    dock.panel.check_button.click()
    dock.shut_down()
    bench.wait_until(lambda: not bench.threads())
    assert "co columns" not in bench.viewer.layers


def test_a_frame_that_was_not_denoised_is_not_checked(bench: Bench) -> None:
    open_example(bench, 4)
    dock = bench.open(model="dncnn-hrtem", frames="1", steps=0)
    bench.run(dock)
    bench.viewer.dims.set_current_step(0, 3)
    dock.panel.check_button.click()
    assert "Frame 3 was not denoised" in bench.end(dock)
    assert "co columns" not in bench.viewer.layers
    bench.viewer.layers.remove("co")  # the counts are gone
    assert not dock.panel.check_button.isEnabled()
    assert dock.panel.save_button.isEnabled()


def test_what_cannot_be_checked_says_why(bench: Bench, counts: np.ndarray) -> None:
    """A small frame without a pixel size: its residual is told, no columns are drawn."""
    bench.viewer.add_image(counts[0], name="au")
    dock = bench.open(steps=0)
    bench.run(dock)
    dock.panel.check_button.click()
    said = bench.end(dock)
    assert "chi square" in said
    assert "needs two other frames" in said
    assert "pixel size" in said
    assert [layer.name for layer in bench.viewer.layers] == ["au", "au denoised"]
