"""Frames, series and calibration: what is refused, and what is kept exactly."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_gaintune import image as image_module
from napari_gaintune.errors import ImageError
from napari_gaintune.image import (
    ArraySeries,
    Calibration,
    check_array,
    check_frame,
    hash_frames,
    with_pixel_size,
)

PIXEL_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", ">u2", ">f4", ">i4")


@given(
    data=st.sampled_from(PIXEL_TYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5))
    )
)
def test_frames_are_the_leading_indices_in_c_order(data):
    if data.ndim == 3 and data.shape[-1] in (3, 4) and min(data.shape[:2]) > 4:
        return  # refused as colour
    series = ArraySeries(data)
    frames = data.reshape(-1, *data.shape[-2:])
    assert len(series) == len(frames)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(series.frame(index), frame)


@pytest.mark.parametrize("index", [-1, 6, 100])
@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4, 5)])
def test_a_frame_that_is_not_there(shape, index):
    with pytest.raises(IndexError, match="numbered from 0"):
        ArraySeries(np.zeros(shape)).frame(index)


@pytest.mark.parametrize(
    ("array", "rule"),
    [
        (np.zeros((4, 4), complex), "complex"),
        (np.zeros((4, 4), bool), "not an intensity"),
        (np.zeros((4, 4), "U3"), "not an intensity"),
        (np.zeros((4, 4), object), "not an intensity"),
        (np.zeros(4), "rows and columns"),
        (np.zeros(()), "rows and columns"),
        (np.zeros((1, 1, 1, 4, 4)), "at most 4"),
        (np.zeros((0, 4, 4)), "empty"),
        (np.zeros((4, 0)), "empty"),
        (np.zeros((9, 9, 3), "u1"), "colour"),
        (np.zeros((9, 9, 4), "u1"), "colour"),
    ],
)
def test_what_can_never_be_a_series_is_refused_by_name(array, rule):
    with pytest.raises(ImageError, match=rule) as caught:
        check_array(array, "my image")
    assert str(caught.value).startswith("my image:")


def test_a_few_narrow_frames_are_no_colour_picture():
    check_array(np.zeros((4, 9, 3)), "image")


def test_one_calibration_entry_per_axis():
    with pytest.raises(ImageError, match="one of each per axis"):
        Calibration("TYX", (1.0, 1.0), ("", ""))
    with pytest.raises(ImageError, match="one axis letter"):
        ArraySeries(np.zeros((3, 4)), calibration=Calibration.uncalibrated(3))


def test_uncalibrated_axes_have_distinct_letters():
    assert [Calibration.uncalibrated(n).axes for n in (2, 3, 4)] == ["YX", "TYX", "ZTYX"]
    assert Calibration.uncalibrated(3).pixel_size_nm is None


@pytest.mark.parametrize(
    ("unit", "nm"),
    [("nm", 1), ("Å", 0.1), ("\u212b", 0.1), ("A", 0.1), ("pm", 1e-3), ("µm", 1e3), ("\u03bcm", 1e3), ("um", 1e3),
     ("m", 1e9), ("cm", 1e7), ("in", 25.4e6)],
)  # fmt: skip
def test_pixel_size_in_nm_from_any_length_unit(unit, nm):
    calibration = Calibration("TYX", (1.0, 2.0, -3.0), ("s", unit, unit))
    assert calibration.pixel_size_nm == pytest.approx((2 * nm, 3 * nm), rel=1e-12)
    assert calibration.last(2) == Calibration("YX", (2.0, -3.0), (unit, unit))


@pytest.mark.parametrize("unit", ["", "1/nm", "s"])
def test_no_pixel_size_without_a_length_unit(unit):
    assert Calibration("YX", (2.0, 3.0), (unit, "nm")).pixel_size_nm is None


@given(data=hnp.arrays(st.sampled_from(PIXEL_TYPES), (2, 3, 4)))
def test_the_fingerprint_depends_on_values_not_on_storage(data):
    fingerprint = ArraySeries(data).fingerprint()
    assert fingerprint == f"sha256:{hash_frames(ArraySeries(data))}"
    assert fingerprint == ArraySeries(data.astype(data.dtype.newbyteorder())).fingerprint()
    assert fingerprint == ArraySeries(np.asfortranarray(data)).fingerprint()
    assert fingerprint == ArraySeries(da.from_array(data, chunks=(1, 3, 4))).fingerprint()
    changed = data.copy()
    changed.view("u1").reshape(-1)[-1] ^= 1
    assert fingerprint != ArraySeries(changed).fingerprint()
    assert fingerprint != ArraySeries(data.reshape(2, 4, 3)).fingerprint()


def test_a_large_lazy_array_is_not_read_for_its_fingerprint(monkeypatch):
    monkeypatch.setattr(image_module, "WHOLE_HASH_LIMIT_BYTES", 100)
    read = []

    def chunk(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return np.full((1, 4, 4), read[-1], "u1")

    lazy = da.map_blocks(chunk, chunks=((1,) * 9, (4,), (4,)), dtype="u1", meta=np.empty((0, 0, 0), "u1"))
    fingerprint = ArraySeries(lazy).fingerprint()
    assert fingerprint.startswith("sha256-partial:")
    assert sorted(read) == [0, 8]
    assert ArraySeries(np.zeros((9, 4, 4), "u1")).fingerprint().startswith("sha256:")


@given(frame=hnp.arrays(st.sampled_from([t for t in PIXEL_TYPES if "f" not in t]), (3, 4)))
def test_a_checked_frame_is_a_float32_copy(frame):
    before = frame.copy()
    checked = check_frame(frame, "frame")
    assert checked.dtype == np.float32
    assert checked.dtype.isnative
    assert checked.flags.c_contiguous
    assert not np.shares_memory(checked, frame)
    np.testing.assert_array_equal(checked, before.astype("f4"))
    checked += 1
    np.testing.assert_array_equal(frame, before)


def test_one_frame_has_two_axes_and_a_least_size():
    with pytest.raises(ImageError, match="two axes"):
        check_frame(np.zeros((2, 3, 4)), "frame")
    with pytest.raises(ImageError, match=r"8 x 9 px is smaller than the 9 px"):
        check_frame(np.zeros((8, 9)), "frame", smallest_px=9)
    check_frame(np.zeros((9, 9)), "frame", smallest_px=9)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_float32_cannot_hold_is_refused_with_its_place(value):
    frame = np.zeros((5, 6))
    frame[2, 3] = frame[4, 4] = value
    with pytest.raises(ImageError, match=r"2 of 30 pixels .* row 2, column 3.*nonfinite"):
        check_frame(frame, "frame")


def test_filling_takes_the_median_of_the_finite_neighbours_only():
    frame = np.arange(100.0).reshape(10, 10)
    frame[5, 5] = np.nan
    filled = check_frame(frame, "frame", nonfinite="fill")
    window = frame[3:8, 3:8]
    assert filled[5, 5] == np.median(window[np.isfinite(window)])
    assert np.isnan(frame[5, 5])
    good = np.isfinite(frame)
    np.testing.assert_array_equal(filled[good], frame[good])


def test_filling_far_from_any_value_takes_the_median_of_the_frame():
    frame = np.full((9, 9), np.nan)
    frame[0, 0], frame[0, 1], frame[0, 2] = 1, 2, 30
    assert check_frame(frame, "frame", nonfinite="fill")[8, 8] == 2
    with pytest.raises(ImageError, match="every pixel"):
        check_frame(np.full((3, 3), np.inf), "frame", nonfinite="fill")


@pytest.mark.parametrize("ndim", [2, 3])
def test_another_pixel_size_leaves_the_frames_their_hash_and_the_axis_of_time(ndim):
    kept = Calibration("TYX"[-ndim:], (2.0, 1.0, 1.0)[-ndim:], ("s", "", "")[-ndim:], (7.0, 0.0, 0.0)[-ndim:])
    series = ArraySeries(np.arange(2 * 12.0).reshape((2, 3, 4) if ndim == 3 else (4, 6)), "s", kept)
    changed = with_pixel_size(series, 0.02)
    assert changed.calibration.pixel_size_nm == (0.02, 0.02)
    assert changed.calibration.scale[:-2] == kept.scale[:-2]
    assert (changed.calibration.origin, changed.calibration.axes) == (kept.origin, kept.axes)
    assert changed.fingerprint() == series.fingerprint()
    assert series.calibration is kept
    assert with_pixel_size(series, 0) is series
