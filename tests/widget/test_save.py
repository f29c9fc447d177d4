"""The saved file is the layer: pixels, calibration, recipe; and no file is ever lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tifffile import imread

from napari_gaintune.io import open_series, read_recipe
from napari_gaintune.widget.layers import RECIPE_KEY

if TYPE_CHECKING:
    from .conftest import Bench


def test_saved_layer_comes_back(bench: Bench, counts: np.ndarray, tmp_path: Path) -> None:
    viewer = bench.viewer
    viewer.add_image(
        counts, name="au", scale=(0.5, 0.02, 0.02), units=("s", "nm", "nm"), axis_labels=("t", "y", "x")
    )  # fmt: skip
    dock = bench.open(frames="1:3")
    assert not dock.panel.save_button.isEnabled()
    bench.run(dock)
    assert dock.panel.save_button.isEnabled()
    path = tmp_path / "au.ome.tif"
    dock.save(path)
    assert bench.end(dock) == "Saved au.ome.tif."
    np.testing.assert_array_equal(imread(path), viewer.layers["au denoised"].data)
    series = open_series(path)
    assert series.calibration.axes == "TYX"
    assert series.calibration.pixel_size_nm == (0.02, 0.02)
    assert series.calibration.scale[0] == 0.5
    recipe = read_recipe(path)
    assert recipe is not None
    assert recipe["settings"] == viewer.layers["au denoised"].metadata[RECIPE_KEY]["settings"]


def test_an_existing_file_stays_unless_its_user_agreed(bench: Bench, counts: np.ndarray, tmp_path: Path) -> None:
    bench.viewer.add_image(counts[0], name="au")
    dock = bench.open()
    bench.run(dock)
    path = tmp_path / "au.ome.tif"
    path.write_bytes(b"something dear")
    dock.save(path)
    assert "exists already" in bench.end(dock)
    assert path.read_bytes() == b"something dear"
    dock.save(path, overwrite=True)
    assert "Saved" in bench.end(dock)
    np.testing.assert_array_equal(imread(path), bench.viewer.layers["au denoised"].data)


def test_a_folder_that_is_not_there(bench: Bench, counts: np.ndarray, tmp_path: Path) -> None:
    bench.viewer.add_image(counts[0], name="au")
    dock = bench.open()
    bench.run(dock)
    dock.save(tmp_path / "nowhere" / "au.ome.tif")
    assert "does not exist" in bench.end(dock)


def test_nothing_to_save_after_the_result_was_removed(bench: Bench, counts: np.ndarray, tmp_path: Path) -> None:
    bench.viewer.add_image(counts[0], name="au")
    dock = bench.open()
    bench.run(dock)
    bench.viewer.layers.remove("au denoised")
    assert not dock.panel.save_button.isEnabled()
    dock.save(tmp_path / "au.ome.tif")
    assert not list(tmp_path.iterdir())


def test_frames_that_were_left_out_are_not_saved(bench: Bench, counts: np.ndarray, tmp_path: Path) -> None:
    """The layer keeps a place for them, so that the frame slider stays in step; the file has the others alone."""
    bench.viewer.add_image(counts, name="au", scale=(0.5, 0.02, 0.02), units=("s", "nm", "nm"))
    dock = bench.open(frames="1::2", steps=0)
    bench.run(dock)
    path = tmp_path / "au.ome.tif"
    dock.save(path)
    assert bench.end(dock) == "Saved au.ome.tif."
    layer = bench.viewer.layers["au denoised"].data
    assert layer.shape == (3, 48, 56)
    np.testing.assert_array_equal(imread(path), layer[::2])
    series = open_series(path)
    assert (series.calibration.scale[0], series.calibration.pixel_size_nm) == (1.0, (0.02, 0.02))
