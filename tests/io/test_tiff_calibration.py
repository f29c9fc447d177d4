"""Pixel sizes as microscopes and programs leave them in TIFF files."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_gaintune.io import open_series

IMAGE = np.arange(6 * 8, dtype="u2").reshape(6, 8)


@pytest.mark.parametrize("unit", ["pm", "Å", "nm", "µm", "mm", "m"])
def test_ome(tmp_path, unit):
    metadata = {
        "axes": "ZYX", "PhysicalSizeX": 0.125, "PhysicalSizeXUnit": unit, "PhysicalSizeY": 0.3,
        "PhysicalSizeYUnit": unit, "PhysicalSizeZ": 2.0, "PhysicalSizeZUnit": unit,
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([IMAGE] * 3), metadata=metadata, photometric="minisblack")
    calibration = open_series(tmp_path / "a.ome.tif").calibration
    assert (calibration.axes, calibration.scale, calibration.units) == ("ZYX", (2.0, 0.3, 0.125), (unit,) * 3)


def test_ome_defaults_are_micrometres_and_seconds(tmp_path):
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "TimeIncrement": 0.1}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([IMAGE] * 3), metadata=metadata, photometric="minisblack")
    calibration = open_series(tmp_path / "a.ome.tif").calibration
    assert (calibration.scale, calibration.units) == ((0.1, 0.5, 0.5), ("s", "µm", "µm"))


@pytest.mark.parametrize(("written", "unit"), [("nm", "nm"), ("micron", "µm"), (r"\u00B5m", "µm"), ("Angstrom", "Å")])
def test_imagej(tmp_path, written, unit):
    metadata = {"axes": "TYX", "unit": written, "finterval": 0.25}
    tifffile.imwrite(tmp_path / "a.tif", np.stack([IMAGE] * 3), imagej=True, resolution=(8.0, 4.0), metadata=metadata)
    calibration = open_series(tmp_path / "a.tif").calibration
    assert (calibration.scale, calibration.units) == ((0.25, 0.25, 0.125), ("s", unit, unit))


def test_imagej_slices_and_pixels(tmp_path):
    stack = np.stack([IMAGE] * 3)
    tifffile.imwrite(tmp_path / "z.tif", stack, imagej=True, resolution=(2.0, 2.0),
                     metadata={"axes": "ZYX", "unit": "nm", "spacing": 1.5})  # fmt: skip
    assert open_series(tmp_path / "z.tif").calibration.scale == (1.5, 0.5, 0.5)
    tifffile.imwrite(tmp_path / "p.tif", stack, imagej=True, resolution=(2.0, 2.0),
                     metadata={"axes": "ZYX", "unit": "pixel", "spacing": 1.5})  # fmt: skip
    assert open_series(tmp_path / "p.tif").calibration.units == ("", "", "")
    assert open_series(tmp_path / "p.tif").calibration.scale == (1.0, 1.0, 1.0)


def test_resolution_tags_of_a_micrograph_but_not_of_a_printer(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(1e7 / 0.5, 1e7 / 0.25), resolutionunit="CENTIMETER")
    assert open_series(tmp_path / "a.tif").calibration.pixel_size_nm == pytest.approx((0.25, 0.5), rel=1e-6)
    for dpi in (72, 96, 300, 1200):
        tifffile.imwrite(tmp_path / "b.tif", IMAGE, resolution=(dpi, dpi), resolutionunit="INCH")
        assert open_series(tmp_path / "b.tif").calibration.pixel_size_nm is None
    tifffile.imwrite(tmp_path / "c.tif", IMAGE, resolution=(1e8, 1e8), resolutionunit="NONE")
    assert open_series(tmp_path / "c.tif").calibration.pixel_size_nm is None


def test_digital_micrograph(tmp_path):
    tags = [
        (65003, "s", 0, "nm", True), (65004, "s", 0, "nm", True), (65006, "d", 1, -1.5, True), (65007, "d", 1, 2.0, True),
        (65009, "d", 1, 0.0213, True), (65010, "d", 1, 0.0214, True),
    ]  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=tags, metadata=None)
    calibration = open_series(tmp_path / "a.tif").calibration
    assert (calibration.scale, calibration.units, calibration.origin) == ((0.0214, 0.0213), ("nm", "nm"), (2.0, -1.5))


def test_the_long_unit_name_wins_where_the_short_one_is_in_another_code_page(tmp_path):
    """A JEOL microscope writes a Japanese micro sign in Shift-JIS."""
    short = "μm".encode("shift-jis")
    tags = [(65003, "s", 0, short, True), (65004, "s", 0, short, True), (65012, "s", 0, "micrometer", True),
            (65013, "s", 0, "micrometer", True), (65009, "d", 1, 0.003, True), (65010, "d", 1, 0.003, True)]  # fmt: skip
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=tags, metadata=None)
    assert open_series(tmp_path / "a.tif").calibration.pixel_size_nm == pytest.approx((3.0, 3.0))


def test_thermo_fisher(tmp_path):
    text = b"[User]\r\nDate=1\r\n[Scan]\r\nPixelWidth=2.5e-10\r\nPixelHeight=5e-10\r\n\r\n"
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, extratags=[(34682, "s", 0, text, True)], metadata=None)
    assert open_series(tmp_path / "a.tif").calibration.pixel_size_nm == pytest.approx((0.5, 0.25))


def test_a_vendor_block_without_a_pixel_size_leaves_pixels(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", IMAGE, extratags=[(34682, "s", 0, b"[User]\r\nDate=1\r\n", True)], metadata=None
    )
    assert open_series(tmp_path / "a.tif").calibration.units == ("", "")


@pytest.mark.parametrize("unit", ["nm", "Å", "µm"])
def test_a_stack_from_hyperspy(tmp_path, hs, unit):
    signal = hs.signals.Signal2D(np.stack([IMAGE] * 3))
    for axis, (step, name) in zip(signal.axes_manager.signal_axes, ((0.25, "x"), (0.5, "y")), strict=True):
        axis.scale, axis.units, axis.name, axis.offset = step, unit, name, -2.0
    signal.save(tmp_path / "a.tif")
    calibration = open_series(tmp_path / "a.tif").calibration
    assert (calibration.scale[1:], calibration.units[1:], calibration.origin[1:]) == (
        (0.5, 0.25),
        (unit,) * 2,
        (-2.0,) * 2,
    )
