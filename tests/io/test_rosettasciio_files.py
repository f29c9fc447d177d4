"""What rosettasciio reads."""

from __future__ import annotations

import contextlib
import importlib

import dask
import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries
from napari_gaintune.io import open_series, series_from

from .helpers import signal_of, sum_of_first_pixels, whole


@pytest.mark.parametrize("suffix", ["hspy", "emd", "rpl", "nxs"])
@pytest.mark.parametrize("unit", ["nm", "Å", "pm", "µm"])
def test_rosettasciio_formats(tmp_path, hs, counts, suffix, unit):
    path = tmp_path / f"a.{suffix}"
    signal_of(hs, counts, unit).save(path)
    with open_series(path) as series:
        np.testing.assert_array_equal(whole(series), counts)
        calibration = series.calibration
        assert calibration.axes == "TYX"
        assert calibration.scale == pytest.approx((0.04, 0.5, 0.25))
        assert calibration.units == ("s", unit, unit)
        assert calibration.origin == pytest.approx((0.0, -2.0, -2.0))
        assert series.fingerprint() == ArraySeries(counts).fingerprint()


def test_zspy_as_older_hyperspy_wrote_it(tmp_path, counts):
    """Hyperspy cannot write .zspy with zarr 3 at present; the layout is that of its .hspy files in zarr format 2."""
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(tmp_path / "a.zspy", mode="w", zarr_format=2)
    root.attrs.update({"file_format": "ZSpy", "file_format_version": "3.1"})
    experiment = root.create_group("Experiments").create_group("__unnamed__")
    experiment.create_array("data", data=counts, chunks=(1, 12, 10))
    for i, (size, name) in enumerate(zip(counts.shape, ("time", "y", "x"), strict=True)):
        experiment.create_group(f"axis-{i}").attrs.update(
            {"_type": "UniformDataAxis", "name": name, "units": "nm", "scale": 0.5, "offset": 0.0, "size": size,
             "navigate": i == 0, "is_binned": False}
        )  # fmt: skip
    for name in ("metadata", "original_metadata", "attributes", "learning_results"):
        experiment.create_group(name)
    with open_series(tmp_path / "a.zspy") as series:
        np.testing.assert_array_equal(whole(series), counts)
        assert series.calibration.scale == (0.5, 0.5, 0.5)


def test_an_hdf5_file_is_closed_and_reopened(tmp_path, hs, counts):
    path = tmp_path / "a.hspy"
    signal_of(hs, counts).save(path)
    series = open_series(path)
    series.frame(0)
    series.close()
    with h5py.File(path, "r+"):  # refused while somebody reads
        pass
    np.testing.assert_array_equal(series.frame(2), counts[2])
    del series
    with h5py.File(path, "r+"):
        pass


@pytest.mark.parametrize(("mode", "expected"), [("STEM", True), ("TEM", False), (None, False)])
def test_whether_the_image_was_scanned_is_read_from_file_and_signal(tmp_path, hs, counts, mode, expected):
    signal = signal_of(hs, counts)
    if mode:
        signal.metadata.set_item("Acquisition_instrument.TEM.acquisition_mode", mode)
    signal.save(tmp_path / "a.hspy")
    with open_series(tmp_path / "a.hspy") as series:
        assert series.is_scanned is expected
    assert series_from(signal).is_scanned is expected


def test_hspy_frames_are_read_in_other_processes(tmp_path, hs, counts):
    signal_of(hs, counts).save(tmp_path / "a.hspy")
    with open_series(tmp_path / "a.hspy") as series:
        frames = dask.compute(
            *[dask.delayed(series.frame)(i) for i in range(len(series))], scheduler="processes", num_workers=1
        )
    np.testing.assert_array_equal(frames, counts)


def test_a_long_file_is_read_one_frame_at_a_time(tmp_path, hs):
    frames, side = 200, 384
    for name, count in (("warm", 2), ("long", frames)):
        data = np.broadcast_to(np.arange(count, dtype="u2")[:, None, None], (count, side, side))
        signal_of(hs, data).save(tmp_path / f"{name}.hspy", chunks=(1, side, side), compression=None)
    total, peak_bytes = sum_of_first_pixels(tmp_path / "long.hspy", tmp_path / "warm.hspy")
    assert total == sum(range(frames))
    assert peak_bytes < 5 * side * side * 2  # dask copies what it computes and leaves graphs to the collector


def test_a_spectrum_is_no_image(tmp_path, hs):
    hs.signals.Signal1D(np.zeros((3, 8))).save(tmp_path / "a.hspy")
    with pytest.raises(ImageError, match=r"signal axes.*transpose"):
        open_series(tmp_path / "a.hspy")


def test_one_of_several_images_is_named(tmp_path, hs, counts):
    path = tmp_path / "two.hspy"
    with h5py.File(path, "w"):
        pass
    for title, data in (("HAADF", counts), ("BF", counts[0])):
        signal = signal_of(hs, data)
        signal.metadata.General.title = title
        signal.save(tmp_path / f"{title}.hspy")
        with h5py.File(path, "a") as target, h5py.File(tmp_path / f"{title}.hspy") as part:
            target.attrs.update(part.attrs)
            part.copy(part[f"Experiments/{title}"], target.require_group("Experiments"))
    with pytest.raises(ImageError, match=r"2 images .*BF.*HAADF.*dataset="):
        open_series(path)
    with open_series(path, dataset=0) as first, open_series(path, dataset=1) as second:
        np.testing.assert_array_equal(first.frame(0), counts[0])
        np.testing.assert_array_equal(whole(second), counts)
        assert second.name == "two.hspy[1]"
    with pytest.raises(ImageError, match="dataset 2 of 2"):
        open_series(path, dataset=2)


def test_a_spectrum_beside_an_image_is_passed_over(tmp_path, hs, counts):
    path = tmp_path / "a.hspy"
    signal_of(hs, counts).save(path)
    hs.signals.Signal1D(np.zeros((3, 8))).save(tmp_path / "b.hspy")
    with h5py.File(path, "a") as target, h5py.File(tmp_path / "b.hspy") as part:
        part.copy(part["Experiments/__unnamed__"], target["Experiments"], name="spectrum")
    with open_series(path) as series:
        np.testing.assert_array_equal(whole(series), counts)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_refused(tmp_path, hs, counts, kept):
    whole_path, path = tmp_path / "whole.hspy", tmp_path / "cut.hspy"
    if not whole_path.exists():
        signal_of(hs, counts).save(whole_path)
    stored = whole_path.read_bytes()
    path.write_bytes(stored[: int(kept * len(stored))])
    with pytest.raises(ImageError, match=r"cut\.hspy"):
        whole(open_series(path))


@contextlib.contextmanager
def without(monkeypatch, library):
    """The import of a library fails, as where it is not installed."""
    with monkeypatch.context() as patch:
        for name in [library, *(m for m in importlib.sys.modules if m.startswith(f"{library}."))]:
            patch.setitem(importlib.sys.modules, name, None)
        yield


@pytest.mark.parametrize("suffix", ["dm3", "dm4", "hspy", "emd", "ser"])
def test_without_rosettasciio_the_extra_is_named(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"anything")
    with (
        without(monkeypatch, "rsciio"),
        pytest.raises(ImageError, match=r'rosettasciio.*pip install "napari-gaintune\[em\]"'),
    ):
        open_series(path)


def test_without_a_library_of_rosettasciio_the_extra_is_named(tmp_path, monkeypatch, hs, counts):
    signal_of(hs, counts).save(tmp_path / "a.hspy")
    with monkeypatch.context() as patch:
        patch.setitem(importlib.sys.modules, "rsciio.hspy", None)
        with pytest.raises(ImageError, match=r"not installed.*\[em\]"):
            open_series(tmp_path / "a.hspy")


def test_a_suffix_of_many_meanings_is_not_guessed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.zeros((3, 4))
    with pytest.raises(ImageError, match=r"\.h5 may be any of .*hyperspy"):
        open_series(tmp_path / "a.h5")
