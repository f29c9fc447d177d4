"""Results: what is written comes back exactly, and nothing that went wrong destroys anything."""

from __future__ import annotations

import json
import stat
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_gaintune.image import Calibration
from napari_gaintune.io import SeriesWriter, open_series, read_recipe

from .helpers import NM, RECIPE, listed, whole, write

steps = st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6)
units = st.sampled_from(["nm", "Å", "pm", "µm", "mm", "m", "in", "s", "ms", "", "1/nm", "mrad"])


@settings(max_examples=60)
@given(data=st.data(), compress=st.booleans(), bits=st.integers(0, 2**32 - 1))
def test_pixels_calibration_and_recipe_come_back_exactly(data, compress, bits):
    letters = data.draw(st.sampled_from(["YX", "TYX", "ZYX", "CYX", "ZTYX", "TZYX", "CTYX", "TCYX", "CZYX"]))
    shape = tuple(data.draw(st.integers(1, 4)) for _ in letters)
    calibration = Calibration(
        letters,
        tuple(data.draw(steps) for _ in letters),
        tuple(data.draw(units) for _ in letters),
        tuple(data.draw(st.floats(-1e9, 1e9)) for _ in letters),
    )
    frames = np.random.default_rng(bits).integers(0, 2**32, shape, "u4").view("f4")  # any bits: NaN and infinity too
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "out.ome.tif"), frames, calibration, compress=compress).path
        series = open_series(path)
        assert series.calibration == calibration
        assert (series.shape, series.dtype) == (shape, np.float32)
        assert whole(series).tobytes() == frames.tobytes()
        assert read_recipe(path) == RECIPE
        assert listed(Path(folder)) == ["out.ome.tif"]


@pytest.mark.parametrize(
    ("shape", "letters", "seen"),
    [((6, 8), "YX", "YX"), ((3, 6, 8), "TYX", "TYX"), ((2, 3, 6, 8), "ZTYX", "ZTYX"), ((2, 3, 6, 8), "QIYX", "ZTYX")],
)
def test_tifffile_reads_ome(tmp_path, shape, letters, seen):
    frames = np.random.default_rng(0).random(shape, "f4")
    calibration = Calibration(letters, (1.0,) * len(shape), ("",) * (len(shape) - 2) + ("Å", "Å"))
    write(tmp_path / "a.tif", frames, calibration)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_ome
        assert len(tif.pages) == np.prod(shape[:-2], dtype=int)
        assert (tif.series[0].axes, tif.series[0].shape) == (seen, shape)
        np.testing.assert_array_equal(tif.series[0].asarray(), frames)
        pixels = next(e for e in ElementTree.fromstring(tif.ome_metadata).iter() if e.tag.endswith("}Pixels"))
        assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("1.0", "Å")


@pytest.mark.parametrize("unit", ["nm", "Å", "pm", "µm"])
def test_rosettasciio_reads_the_pixel_size(tmp_path, hs, unit):
    calibration = Calibration("TYX", (0.5, 0.25, 0.0092023983), ("s", unit, unit), (0.0, -3.0, 7.5))
    write(tmp_path / "a.ome.tif", np.zeros((3, 6, 8), "f4"), calibration)
    signal = hs.load(tmp_path / "a.ome.tif")
    assert signal.data.shape == (3, 6, 8)
    y, x = signal.axes_manager["height"], signal.axes_manager["width"]
    assert (y.scale, x.scale, y.units, x.units) == (0.25, 0.0092023983, unit, unit)
    assert (y.offset, x.offset) == (-3.0, 7.5)
    assert signal.axes_manager.navigation_axes[0].scale == 0.5


def test_programs_that_know_neither_read_the_resolution(tmp_path):
    write(tmp_path / "a.tif", np.zeros((6, 8), "f4"), NM.last(2))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        x, y = (tif.pages.first.tags[code].value for code in (282, 283))
        assert tif.pages.first.tags[296].value == tifffile.RESUNIT.CENTIMETER
    assert (1e7 * x[1] / x[0], 1e7 * y[1] / y[0]) == pytest.approx((0.125, 0.25), rel=1e-9)


def test_the_ome_xml_has_the_elements_of_its_schema(tmp_path):
    """Its elements, which is all we choose, in the schema's order."""
    calibration = Calibration("ZTYX", (-2.0, 0.5, 1.0, 1.0), ("nm", "s", "Å", "1/nm"))
    write(tmp_path / "a.tif", np.zeros((2, 3, 6, 8), "f4"), calibration)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        xml = tif.ome_metadata
    elements = [element.tag.rpartition("}")[2] for element in ElementTree.fromstring(xml).iter()]
    assert elements == ["OME", "Image", "Pixels", "Channel", "LightPath", "TiffData", "AnnotationRef",
                        "StructuredAnnotations", "MapAnnotation", "Value", "M", "M"]  # fmt: skip


def test_a_pixel_size_corrected_by_another_program_counts(tmp_path):
    write(tmp_path / "a.tif", np.zeros((3, 6, 8), "f4"), NM)
    xml = tifffile.tiffcomment(tmp_path / "a.tif")
    tifffile.tiffcomment(tmp_path / "a.tif", xml.replace('PhysicalSizeX="0.125"', 'PhysicalSizeX="0.126"').encode())
    calibration = open_series(tmp_path / "a.tif").calibration
    assert calibration.scale == (0.5, 0.25, 0.126)
    assert calibration.origin[1] == -3.0


def test_other_tiffs_carry_no_recipe(tmp_path, counts):
    tifffile.imwrite(tmp_path / "plain.tif", counts, photometric="minisblack")
    tifffile.imwrite(tmp_path / "other.ome.tif", counts, photometric="minisblack", metadata={"axes": "TYX"})
    write(tmp_path / "ours.tif", counts, NM)
    assert [read_recipe(tmp_path / f"{name}.tif") for name in ("plain", "other.ome")] == [None, None]
    assert read_recipe(str(tmp_path / "ours.tif")) == RECIPE


def test_a_recipe_larger_than_the_room_kept_for_it(tmp_path, counts):
    recipe = {"history": list(np.linspace(0, 1, 5000))}
    with SeriesWriter(tmp_path / "a.tif", counts.shape, NM) as writer:
        for frame in counts:
            writer.write(frame)
        assert writer.finish(recipe) == tmp_path / "a.tif"
    assert read_recipe(tmp_path / "a.tif") == json.loads(json.dumps(recipe))
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), counts)


def test_the_file_has_the_rights_of_any_new_file(tmp_path, counts):
    (tmp_path / "usual").touch()
    write(tmp_path / "a.tif", counts, NM)
    assert stat.S_IMODE((tmp_path / "a.tif").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_nothing_is_there_before_the_end(tmp_path, counts):
    with SeriesWriter(tmp_path / "a.tif", counts.shape, NM) as writer:
        for frame in counts:
            writer.write(frame)
            assert [name[0] for name in listed(tmp_path)] == ["."]
        assert writer.path is None
    assert listed(tmp_path) == ["a.tif"]


def test_bigtiff_is_used_where_it_is_needed(tmp_path):
    """Announced are more than 4 GB; only what was written takes space."""
    for frames, is_big in ((100, False), (1100, True)):
        out = tmp_path / f"{frames}.tif"
        write(out, np.ones((1, 1024, 1024)), NM, (frames, 1024, 1024), compress=True)
        with tifffile.TiffFile(out) as tif:
            assert tif.is_bigtiff == is_big
        np.testing.assert_array_equal(open_series(out).frame(0), 1)


def test_names_of_any_letters(tmp_path):
    name = "Ünïcode <&> " + "長" * 60 + ".tif"
    write(tmp_path / name, np.zeros((6, 8), "f4"), NM.last(2), name='image "1"\x01\n')
    assert read_recipe(tmp_path / name) == RECIPE
    assert open_series(tmp_path / name).calibration == NM.last(2)
