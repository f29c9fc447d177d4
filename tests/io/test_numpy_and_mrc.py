"""NumPy and MRC files."""

from __future__ import annotations

import os
import zipfile

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries
from napari_gaintune.io import open_series
from napari_gaintune.io import series as series_module

from .helpers import sum_of_first_pixels, whole, write_mrc


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.sampled_from(["u1", "i2", ">u2", "f4", ">f8", "f2"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=2))
    ),
    fortran=st.booleans(),
)
def test_npy(tmp_path, data, fortran):
    np.save(tmp_path / "a.npy", np.asfortranarray(data) if fortran else data)
    series = open_series(tmp_path / "a.npy")
    np.testing.assert_array_equal(whole(series), data)
    assert series.frame(0).dtype.isnative
    assert series.fingerprint() == ArraySeries(data).fingerprint()


def test_npy_is_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "bomb.npy", np.array([[Bomb()]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="bomb.npy"):
        open_series(tmp_path / "bomb.npy").frame(0)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "f4", "f2"])
def test_mrc_pixels(tmp_path, dtype):
    data = np.random.default_rng(3).integers(0, 256, (3, 6, 8, 1), "u1").view("i1")[..., 0].astype(dtype)
    write_mrc(tmp_path / "a.mrcs", data, stack=True)
    series = open_series(tmp_path / "a.mrcs")
    np.testing.assert_array_equal(whole(series), data)
    assert (series.dtype, series.calibration.axes) == (np.dtype(dtype), "TYX")


def test_mrc_big_endian(tmp_path, counts):
    path = tmp_path / "a.mrc"
    write_mrc(path, counts, voxel_size=2.0, stack=True)
    stored = bytearray(path.read_bytes())
    header = np.frombuffer(stored[:1024], mrcfile.dtypes.HEADER_DTYPE)
    swapped = header.astype(mrcfile.dtypes.HEADER_DTYPE.newbyteorder(">"))
    swapped["machst"] = [[0x11, 0x11, 0, 0]]
    path.write_bytes(swapped.tobytes() + counts.astype(">u2").tobytes())
    series = open_series(path)
    np.testing.assert_array_equal(whole(series), counts)
    assert series.calibration.scale[1:] == (2.0, 2.0)


def test_mrc_calibration_in_angstrom(tmp_path):
    data = np.zeros((3, 6, 8), "f4")
    write_mrc(tmp_path / "v.mrc", data, voxel_size=(1.06, 0.53, 2.5), origin=(10.0, -5.0, 0.0))
    calibration = open_series(tmp_path / "v.mrc").calibration
    assert (calibration.axes, calibration.scale, calibration.units) == ("ZYX", (2.5, 0.53, 1.06), ("Å",) * 3)
    assert calibration.origin == (0.0, -5.0, 10.0)
    assert calibration.pixel_size_nm == pytest.approx((0.053, 0.106))
    write_mrc(tmp_path / "s.mrc", data, voxel_size=1.06, stack=True)
    assert open_series(tmp_path / "s.mrc").calibration.scale == (1.0, 1.06, 1.06)
    write_mrc(tmp_path / "u.mrc", data[0])
    unset = open_series(tmp_path / "u.mrc")
    assert (unset.shape, unset.calibration.units) == ((6, 8), ("", ""))


def test_mrc_stack_of_volumes_and_extended_header(tmp_path):
    data = np.arange(2 * 3 * 4 * 5, dtype="i2").reshape(2, 3, 4, 5)
    write_mrc(tmp_path / "a.mrc", data, voxel_size=1.5)
    with mrcfile.open(tmp_path / "a.mrc", mode="r+") as mrc:
        mrc.set_extended_header(np.zeros(96, "V1"))
    series = open_series(tmp_path / "a.mrc")
    np.testing.assert_array_equal(whole(series), data)
    assert series.calibration.axes == "TZYX"


def test_mrc_unsigned_bytes_of_imod(tmp_path):
    data = np.arange(48, dtype="u1").reshape(6, 8) + 180
    write_mrc(tmp_path / "a.mrc", data.view("i1"))
    np.testing.assert_array_equal(open_series(tmp_path / "a.mrc").frame(0), data.view("i1"))
    stored = bytearray((tmp_path / "a.mrc").read_bytes())
    stored[152:160] = np.array([1146047817, 0], "<i4").tobytes()  # IMOD's stamp, flag 1 (signed) not set
    (tmp_path / "a.mrc").write_bytes(stored)
    np.testing.assert_array_equal(open_series(tmp_path / "a.mrc").frame(0), data)


def test_mrc_complex_is_refused(tmp_path):
    write_mrc(tmp_path / "a.mrc", np.zeros((6, 8), "c8"))
    with pytest.raises(ImageError, match="complex"):
        open_series(tmp_path / "a.mrc")


@pytest.mark.parametrize("suffix", ["npy", "mrc"])
def test_a_long_file_is_read_one_frame_at_a_time(tmp_path, suffix):
    frames, side = 200, 256
    for name, count in (("warm", 2), ("long", frames)):
        data = np.tile(np.arange(count, dtype="u2")[:, None, None], (1, side, side))
        store(tmp_path / f"{name}.{suffix}", data)
    total, peak_bytes = sum_of_first_pixels(tmp_path / f"long.{suffix}", tmp_path / f"warm.{suffix}")
    assert total == sum(range(frames))
    assert peak_bytes < 3 * side * side * 2


def store(path, data):
    if path.suffix == ".npy":
        np.save(path, data)
    else:
        write_mrc(path, data, stack=True)


@pytest.mark.parametrize("suffix", ["npy", "mrc"])
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_refused_at_opening(tmp_path, counts, suffix, kept):
    path = tmp_path / f"cut.{suffix}"
    store(path, counts)
    stored = path.read_bytes()
    path.write_bytes(stored[: int(kept * len(stored))])
    with pytest.raises(ImageError, match=rf"cut\.{suffix}"):
        open_series(path)


def test_a_zip_of_arrays_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w"):
        pass
    with pytest.raises(ImageError, match=r"'.npz' are not read; give .tif"):
        open_series(tmp_path / "a.npz")


def test_the_fingerprint_of_a_big_file_says_that_it_is_partial(tmp_path, monkeypatch):
    monkeypatch.setattr(series_module, "WHOLE_HASH_LIMIT_BYTES", 2**21)
    data = np.random.default_rng(0).integers(0, 256, (3, 1024, 1024), "u1")
    np.save(tmp_path / "a.npy", data)
    first = open_series(tmp_path / "a.npy").fingerprint()
    assert first.startswith("sha256-partial:")
    data[-1, -1, -1] ^= 1
    np.save(tmp_path / "a.npy", data)
    assert open_series(tmp_path / "a.npy").fingerprint() != first
    np.save(tmp_path / "small.npy", data[:2])
    assert open_series(tmp_path / "small.npy").fingerprint() == ArraySeries(data[:2]).fingerprint()
