"""A folder of single images as one series."""

from __future__ import annotations

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries
from napari_gaintune.io import open_series
from napari_gaintune.io.folder import natural_order


def fill(folder, frames, name="frame{}.tif", **options):
    for i, frame in enumerate(frames):
        tifffile.imwrite(folder / name.format(i), frame, **options)


def test_frames_come_in_natural_order(tmp_path):
    frames = np.arange(12 * 5 * 6, dtype="u2").reshape(12, 5, 6)
    fill(tmp_path, frames, compression="lzw", resolution=(1e7 / 0.5, 1e7 / 0.25), resolutionunit="CENTIMETER")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._frame0.tif").write_bytes(b"what macOS leaves behind")
    (tmp_path / "subfolder.tif").mkdir()
    series = open_series(tmp_path)
    assert (series.shape, series.dtype, series.calibration.axes) == (frames.shape, frames.dtype, "TYX")
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(series.frame(i), frame)
    assert series.calibration.pixel_size_nm == pytest.approx((0.25, 0.5))
    assert series.fingerprint() == ArraySeries(frames).fingerprint()
    assert series.name == tmp_path.name


@given(numbers=st.lists(st.integers(0, 10**12), unique=True), width=st.integers(0, 4))
def test_numbers_sort_by_value_padded_or_not(tmp_path_factory, numbers, width):
    root = tmp_path_factory.getbasetemp()
    paths = [root / f"Frame {n:0{width}d} (a).tif" for n in numbers]
    assert natural_order(paths) == [root / f"Frame {n:0{width}d} (a).tif" for n in sorted(numbers)]


@given(names=st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1), unique=True))
def test_any_names_can_be_sorted(tmp_path_factory, names):
    paths = [tmp_path_factory.getbasetemp() / f"_{name}" for name in names]
    assert natural_order(paths) == natural_order(reversed(natural_order(paths)))


@pytest.mark.parametrize(
    "odd", [np.zeros((5, 7), "u2"), np.zeros((6, 5), "u2"), np.zeros((5, 6), "u1"), np.zeros((5, 6), "f4")]
)
def test_the_odd_file_is_named(tmp_path, odd):
    fill(tmp_path, np.zeros((3, 5, 6), "u2"))
    tifffile.imwrite(tmp_path / "frame1.tif", odd)
    with pytest.raises(ImageError, match=r"frame1.tif: .*, but frame0.tif is 5 x 6 px uint16.*alike"):
        open_series(tmp_path)


def test_byte_order_alone_is_no_difference(tmp_path):
    fill(tmp_path, np.full((2, 5, 6), 300, "u2"))
    tifffile.imwrite(tmp_path / "frame1.tif", np.full((5, 6), 300, "u2"), byteorder=">")
    np.testing.assert_array_equal(open_series(tmp_path).frame(1), 300)


def test_a_stack_among_the_frames_is_named(tmp_path, counts):
    fill(tmp_path, counts)
    tifffile.imwrite(tmp_path / "frame2.tif", counts, photometric="minisblack")
    with pytest.raises(ImageError, match=r"frame2.tif: 4 frames"):
        open_series(tmp_path)


def test_a_damaged_frame_is_named(tmp_path, counts):
    fill(tmp_path, counts)
    (tmp_path / "frame2.tif").write_bytes(b"II*\0")
    with pytest.raises(ImageError, match=r"frame2.tif: cannot be read"):
        open_series(tmp_path)


def test_no_images_and_two_kinds(tmp_path, counts):
    with pytest.raises(ImageError, match="no image files"):
        open_series(tmp_path)
    fill(tmp_path, counts, name="a{}.tif")
    fill(tmp_path, counts, name="b{}.tiff")
    assert len(open_series(tmp_path)) == 8
    np.save(tmp_path / "reference.npy", counts[0])
    with pytest.raises(ImageError, match=r"several kinds \(npy, tif\)"):
        open_series(tmp_path)


def test_folders_of_other_formats(tmp_path, counts):
    for i, frame in enumerate(counts):
        with mrcfile.new(tmp_path / f"{i}.mrc") as mrc:
            mrc.set_data(frame)
            mrc.voxel_size = 1.5
    series = open_series(tmp_path)
    np.testing.assert_array_equal([series.frame(i) for i in range(4)], counts)
    assert series.calibration.units == ("", "Å", "Å")
