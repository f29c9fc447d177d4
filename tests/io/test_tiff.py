"""TIFF files of every kind, page by page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import dask
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries
from napari_gaintune.io import open_series

from .helpers import sum_of_first_pixels, whole

GREY = {"photometric": "minisblack"}


@settings(max_examples=60)
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]),
    byteorder=st.sampled_from("<>"),
    compression=st.sampled_from([None, "lzw", "zlib", "zstd", "packbits"]),
    shape=st.sampled_from([(5, 7), (1, 7), (3, 5, 7), (1, 5, 7), (2, 3, 5, 7)]),
    bigtiff=st.booleans(),
    tiled=st.booleans(),
    metadata=st.sampled_from([None, {}]),
)
def test_pixels_come_back_whatever_the_storage(dtype, byteorder, compression, shape, bigtiff, tiled, metadata):
    data = np.random.default_rng(1).integers(0, 256, (*shape, np.dtype(dtype).itemsize), "u1").view(dtype)[..., 0]
    tile = (16, 16) if tiled else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.tif")
        tifffile.imwrite(
            path,
            data,
            byteorder=byteorder,
            compression=compression,
            bigtiff=bigtiff,
            tile=tile,
            metadata=metadata,
            **GREY,
        )
        series = open_series(path)
        if metadata is None:  # nothing in the file tells two leading axes from one
            data = (
                data.reshape(-1, *data.shape[-2:]) if data.size > data.shape[-2] * data.shape[-1] else data[..., :, :]
            )
            data = data.reshape(series.shape)
        assert series.shape == data.shape
        assert series.dtype == data.dtype
        np.testing.assert_array_equal(whole(series), data)
        assert all(series.frame(i).dtype.isnative and series.frame(i).flags.writeable for i in range(len(series)))
        assert series.fingerprint() == ArraySeries(data).fingerprint()


def test_negative_counts_stay_negative(tmp_path):
    data = np.array([[-32768, -1], [0, 32767]], "i2")
    tifffile.imwrite(tmp_path / "a.tif", data, byteorder=">", compression="lzw", **GREY)
    np.testing.assert_array_equal(open_series(tmp_path / "a.tif").frame(0), data)


@pytest.mark.parametrize("order", ["TYX", "ZYX", "CYX", "TZYX", "ZTYX"])
@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_axes_of_ome_and_imagej(tmp_path, order, kind):
    data = np.arange(2 * 3 * 5 * 7, dtype="u2").reshape(2, 3, 5, 7)
    if len(order) == 3:
        data = data[0]
    if kind == "imagej" and order == "ZTYX":
        return  # ImageJ keeps time outermost
    tifffile.imwrite(tmp_path / "a.tif", data, **{kind: True}, metadata={"axes": order}, **GREY)
    series = open_series(tmp_path / "a.tif")
    assert series.calibration.axes == order
    np.testing.assert_array_equal(whole(series), data)


def test_an_imagej_stack_with_one_directory_for_all_planes(tmp_path, counts):
    """ImageJ writes stacks above 4 GB so; the file here is small but laid out alike."""
    tifffile.imwrite(tmp_path / "a.tif", counts, imagej=True, truncate=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert len(tif.pages) == 1
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), counts)


def test_a_series_of_ome_files_that_refer_to_each_other(tmp_path, counts):
    document = tifffile.OmeXml(UUID="11111111-1111-1111-1111-111111111111")
    document.addimage("uint16", (2, 12, 10), (2, 1, 1, 12, 10, 1), axes="TYX")
    parts = [
        ("a.ome.tif", "11111111-1111-1111-1111-111111111111"),
        ("b.ome.tif", "22222222-2222-2222-2222-222222222222"),
    ]
    planes = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{uid}</UUID></TiffData>'
        for t, (name, uid) in enumerate(parts)
    )
    xml = document.tostring().replace('<TiffData IFD="0" PlaneCount="2"/>', planes)
    for (name, _), frame in zip(parts, counts, strict=False):
        tifffile.imwrite(tmp_path / name, frame, description=xml, metadata=None, compression="zlib")
    series = open_series(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(whole(series), counts[:2])
    assert {path.name for path in series.paths} == {"a.ome.tif", "b.ome.tif"}
    (tmp_path / "b.ome.tif").unlink()
    with pytest.raises(ImageError, match="page 1 is missing"):
        open_series(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    "storage",
    [{"contiguous": True}, {"contiguous": False, "metadata": None}, {"compression": "zlib", "metadata": None}],
    ids=["one block", "pages", "compressed pages"],
)
def test_a_long_file_is_read_one_frame_at_a_time(tmp_path, storage):
    frames, side = 200, 320
    with tifffile.TiffWriter(tmp_path / "long.tif") as tif:
        for i in range(frames):
            tif.write(np.full((side, side), i, "f4"), **storage)
    with tifffile.TiffWriter(tmp_path / "warm.tif") as tif:
        for _ in range(2):
            tif.write(np.zeros((side, side), "f4"), **storage)
    total, peak_bytes = sum_of_first_pixels(tmp_path / "long.tif", tmp_path / "warm.tif")
    assert total == sum(range(frames))
    assert peak_bytes < 3 * side * side * 4


def test_frames_are_read_in_other_processes(tmp_path, counts):
    tifffile.imwrite(tmp_path / "a.tif", counts, compression="lzw", metadata=None, **GREY)
    series = open_series(tmp_path / "a.tif")
    tasks = [dask.delayed(series.frame)(i) for i in range(len(series))]
    frames = dask.compute(*tasks, scheduler="processes", num_workers=1)
    np.testing.assert_array_equal(frames, counts)


def test_three_frames_that_were_written_as_colours_are_told_apart(tmp_path, rng):
    """What tifffile makes of (3, height, width) when nobody says what it is."""
    tifffile.imwrite(tmp_path / "three.tif", rng.integers(0, 9, (3, 40, 48), np.uint8), photometric="rgb")
    with pytest.raises(ImageError, match=r"if these are 3 frames, save them with .*photometric='minisblack'"):
        open_series(tmp_path / "three.tif")


@pytest.mark.parametrize(
    "picture",
    [
        {"data": np.zeros((9, 9, 3), "u1"), "photometric": "rgb"},
        {"data": np.zeros((9, 9, 4), "u1"), "photometric": "rgb", "extrasamples": ["unassalpha"]},
        {"data": np.zeros((3, 9, 9), "u1"), "photometric": "rgb", "planarconfig": "separate"},
        {"data": np.zeros((9, 9, 2), "u2"), "photometric": "minisblack", "planarconfig": "contig"},
        {"data": np.zeros((9, 9), "u1"), "photometric": "palette",
         "colormap": np.random.default_rng(0).integers(0, 65536, (3, 256)).astype("u2")},
    ],
)  # fmt: skip
def test_colour_is_refused(tmp_path, picture):
    tifffile.imwrite(tmp_path / "rgb.tif", **picture)
    with pytest.raises(ImageError, match=r"rgb.tif: a colour picture .* only one intensity"):
        open_series(tmp_path / "rgb.tif")


def test_a_palette_from_black_to_white_is_grey(tmp_path):
    ramp = np.tile(np.arange(256, dtype="u2") * 257, (3, 1))
    data = np.arange(81, dtype="u1").reshape(9, 9)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="palette", colormap=ramp)
    np.testing.assert_array_equal(open_series(tmp_path / "a.tif").frame(0), data)


def test_several_images_in_one_file_are_not_chosen_among(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for side in (8, 9):
            tif.write(np.zeros((side, side), "u1"), metadata=None)
    with pytest.raises(ImageError, match=r"2 image series, of shapes \(8, 8\), \(9, 9\)"):
        open_series(tmp_path / "a.tif")


def test_a_preview_is_passed_over(tmp_path, counts):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(counts[0], metadata=None)
        tif.write(counts[0, ::4, ::4], subfiletype=1, metadata=None)
    series = open_series(tmp_path / "a.tif")
    assert series.shape == (12, 10)


@pytest.mark.parametrize(
    ("data", "options", "rule"),
    [
        (np.zeros((9, 9), "c8"), {}, "complex"),
        (np.zeros((9, 9), bool), {}, "not an intensity"),
        (np.zeros((2, 16, 16, 16), "u1"), {"volumetric": True, "tile": (16, 16, 16)}, "one plane per page"),
        (np.zeros((2, 2, 2, 9, 9), "u1"), {}, "at most 4"),
    ],
)
def test_what_is_no_series_of_intensities(tmp_path, data, options, rule):
    tifffile.imwrite(tmp_path / "a.tif", data, **GREY, **options)
    with pytest.raises(ImageError, match=rule):
        open_series(tmp_path / "a.tif")


def layouts(counts):
    return {
        "plain": {},
        "lzw": {"compression": "lzw", "metadata": None},
        "ome": {"ome": True, "metadata": {"axes": "TYX"}},
        "ome-zlib": {"ome": True, "metadata": {"axes": "TYX"}, "compression": "zlib"},
        "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
        "imagej-one-directory": {"imagej": True, "metadata": {"axes": "TYX"}, "truncate": True},
        "bigtiff": {"bigtiff": True, "byteorder": ">", "metadata": None},
    }


@pytest.mark.parametrize("layout", list(layouts(None)))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.floats(0, 1, exclude_max=True))
@pytest.mark.filterwarnings("error")
def test_a_file_cut_short_is_refused_at_opening_and_never_read_as_fewer_frames(tmp_path, counts, layout, kept):
    path = tmp_path / "cut.tif"
    options = layouts(counts)[layout]
    tifffile.imwrite(path, counts, **options, **({} if options.get("imagej") else GREY))
    stored = path.read_bytes()
    path.write_bytes(stored[: int(kept * len(stored))])
    try:
        series = open_series(path)
    except ImageError as error:
        assert "cut.tif" in str(error)  # noqa: PT017 - at once, before any work; or all pixels are there
    else:
        np.testing.assert_array_equal(whole(series), counts)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 600), value=st.integers(0, 255), layout=st.sampled_from(list(layouts(None))))
def test_damaged_headers_give_no_other_error(tmp_path, counts, place, value, layout):
    path = tmp_path / "damaged.tif"
    options = layouts(counts)[layout]
    tifffile.imwrite(path, counts, **options, **({} if options.get("imagej") else GREY))
    stored = bytearray(path.read_bytes())
    stored[place % len(stored)] = value
    path.write_bytes(stored)
    try:
        series = open_series(path)
        series.frame(len(series) - 1)
    except ImageError as error:
        assert "damaged.tif" in str(error)  # noqa: PT017 - a changed byte may also be harmless


def test_a_file_replaced_behind_our_back(tmp_path, counts):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, counts, metadata=None, compression="zlib", **GREY)
    series = open_series(path)
    path.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        series.frame(1)
