"""Results in trouble: errors, Ctrl-C, full disks and names that are taken destroy nothing."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile

from napari_gaintune.errors import OutputError
from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.io import SeriesWriter, open_series, read_recipe

from .helpers import NM, RECIPE, listed, whole, write


class BrokenError(Exception):
    """Stands for any error of the caller."""


def break_off():
    raise BrokenError


@pytest.mark.parametrize("finished", [1, 2, 3])
@pytest.mark.parametrize("shape", [(4, 12, 10), (2, 2, 12, 10)])
def test_an_error_keeps_the_finished_frames(tmp_path, counts, finished, shape):
    calibration = NM if len(shape) == 3 else Calibration("ZTYX", (9.0, *NM.scale), ("nm", *NM.units))
    with pytest.raises(BrokenError):
        write(tmp_path / "a.tif", counts[:finished], calibration, shape, then=break_off)
    series = open_series(tmp_path / "a.tif")
    np.testing.assert_array_equal(whole(series), counts[:finished])
    assert series.calibration.axes == "TYX"
    assert series.calibration.scale == NM.scale
    assert read_recipe(tmp_path / "a.tif") == RECIPE
    assert listed(tmp_path) == ["a.tif"]


def test_ctrl_c_keeps_the_finished_frames(tmp_path, counts):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores Ctrl-C
    try:
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "a.tif", counts[:2], NM, counts.shape, then=lambda: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), counts[:2])


def test_without_a_finished_frame_nothing_is_left(tmp_path, counts):
    with pytest.raises(BrokenError), SeriesWriter(tmp_path / "a.tif", counts.shape, NM) as writer:
        break_off()
    assert (writer.path, listed(tmp_path)) == (None, [])


def test_frames_can_be_thrown_away(tmp_path, counts):
    with SeriesWriter(tmp_path / "a.tif", counts.shape, NM) as writer:
        writer.write(counts[0])
        assert writer.finish(keep=False) is None
        with pytest.raises(OutputError, match="already finished"):
            writer.write(counts[1])
    assert listed(tmp_path) == []


def test_frames_must_fit_what_was_announced(tmp_path, counts):
    with SeriesWriter(tmp_path / "a.tif", (1, 12, 10), NM) as writer:
        for wrong in (counts, counts[0].T, counts[0, 0]):
            with pytest.raises(OutputError, match="announced were 1 frames"):
                writer.write(wrong)
        writer.write(counts[0])
        with pytest.raises(OutputError, match="announced were 1 frames"):
            writer.write(counts[1])
    assert len(open_series(tmp_path / "a.tif")) == 1
    for shape, calibration in (((12,), NM), ((1, 1, 1, 12, 10), NM), ((12, 10), NM)):
        with pytest.raises(OutputError, match="2 to 4 axes"):
            SeriesWriter(tmp_path / "b.tif", shape, calibration)
    assert listed(tmp_path) == ["a.tif"]


def test_a_recipe_that_is_no_json_costs_no_frames(tmp_path, counts):
    with pytest.raises(OutputError, match="recipe is not made of JSON"):
        write(tmp_path / "a.tif", counts[:1], NM, counts.shape, recipe={"device": object()})
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), counts[:1])
    assert (read_recipe(tmp_path / "a.tif"), listed(tmp_path)) == (None, ["a.tif"])


@contextmanager
def file_size_limit(bytes_):
    """The system refuses every byte beyond, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.95])
def test_a_full_disk_keeps_the_finished_frames(tmp_path, compress, fraction):
    frames = np.random.default_rng(0).random((4, 128, 128), "f4")
    write(tmp_path / "two.tif", frames[:2], NM, compress=compress)
    write(tmp_path / "three.tif", frames[:3], NM, compress=compress)
    two, three = ((tmp_path / name).stat().st_size for name in ("two.tif", "three.tif"))
    limit = file_size_limit(int(two + fraction * (three - two)))
    with limit, pytest.raises(OutputError, match=r"cannot take another frame \(.*free space"):
        write(tmp_path / "a.tif", frames, NM, compress=compress)
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), frames[:2])
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert len(tif.pages) == 2
    assert read_recipe(tmp_path / "a.tif") == RECIPE
    assert listed(tmp_path) == ["a.tif", "three.tif", "two.tif"]


@pytest.mark.parametrize("limit", [4, 3000, 40_000])
def test_a_disk_full_from_the_start_leaves_nothing(tmp_path, limit):
    frames = np.random.default_rng(0).random((4, 128, 128), "f4")
    with file_size_limit(limit), pytest.raises(OutputError, match="free space"):
        write(tmp_path / "a.tif", frames, NM)
    assert listed(tmp_path) == []


def test_more_than_the_disk_can_hold_is_refused_at_once(tmp_path):
    with pytest.raises(OutputError, match=r"needs \d+ MB, \d+ MB are free"):
        SeriesWriter(tmp_path / "a.tif", (10**6, 10**5, 10**5), NM)
    assert listed(tmp_path) == []


def test_a_folder_that_may_not_be_written(read_only_folder):
    with pytest.raises(OutputError, match=r"cannot be made \(Permission denied\)"):
        SeriesWriter(read_only_folder / "a.tif", (1, 12, 10), NM)


def test_an_output_that_appears_meanwhile_is_left_alone(tmp_path, counts):
    (tmp_path / "a-1.ome.tif").write_text("also mine")
    with pytest.raises(OutputError, match=r"appeared during .*the result is in a-2.ome.tif"):
        write(tmp_path / "a.ome.tif", counts, NM, then=lambda: (tmp_path / "a.ome.tif").write_text("mine"))
    assert (tmp_path / "a.ome.tif").read_text() == "mine"
    assert (tmp_path / "a-1.ome.tif").read_text() == "also mine"
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a-2.ome.tif")), counts)
    assert listed(tmp_path) == ["a-1.ome.tif", "a-2.ome.tif", "a.ome.tif"]


def test_where_files_cannot_be_linked_nothing_is_replaced_either(tmp_path, counts, monkeypatch):
    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")  # what FAT says

    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path / "a.tif", counts, NM)
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), counts)
    with pytest.raises(OutputError, match="b-1.tif"):
        write(tmp_path / "b.tif", counts, NM, then=lambda: (tmp_path / "b.tif").write_text("mine"))
    assert (tmp_path / "b.tif").read_text() == "mine"
    assert listed(tmp_path) == ["a.tif", "b-1.tif", "b.tif"]


def test_an_existing_output_is_replaced_only_when_allowed_and_only_at_the_end(tmp_path, counts):
    (tmp_path / "a.tif").write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        SeriesWriter(tmp_path / "a.tif", counts.shape, NM)
    with SeriesWriter(tmp_path / "a.tif", counts.shape, NM, overwrite=True) as writer:
        writer.write(counts[0])
        assert (tmp_path / "a.tif").read_text() == "old"
        for frame in counts[1:]:
            writer.write(frame)
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a.tif")), counts)


def test_a_whole_result_is_not_replaced_by_the_beginning_of_another(tmp_path, counts):
    """Ctrl-C during a run with overwrite: what is finished lies beside what was there."""
    (tmp_path / "a.tif").write_text("old")
    with (
        pytest.raises(OutputError, match=r"left as it is.*1 of 4 frames: a-1.tif"),
        SeriesWriter(tmp_path / "a.tif", counts.shape, NM, overwrite=True) as writer,
    ):
        writer.write(counts[0])
    assert (tmp_path / "a.tif").read_text() == "old"
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a-1.tif")), counts[:1])


def test_an_output_that_cannot_be_replaced_costs_no_frames(tmp_path, counts):
    with pytest.raises(OutputError, match=r"cannot be replaced .*the result is in a-1.tif"):
        write(tmp_path / "a.tif", counts, NM, overwrite=True, then=(tmp_path / "a.tif").mkdir)
    np.testing.assert_array_equal(whole(open_series(tmp_path / "a-1.tif")), counts)
    assert listed(tmp_path) == ["a-1.tif", "a.tif"]


def test_an_unfinished_job_does_not_replace_an_old_result_by_nothing(tmp_path, counts):
    (tmp_path / "a.tif").write_text("old")
    with pytest.raises(BrokenError), SeriesWriter(tmp_path / "a.tif", counts.shape, NM, overwrite=True):
        break_off()
    assert ((tmp_path / "a.tif").read_text(), listed(tmp_path)) == ("old", ["a.tif"])


def test_the_folder_vanishes(tmp_path, counts):
    folder = tmp_path / "gone"
    folder.mkdir()
    with pytest.raises(OutputError, match="cannot be completed"):
        write(folder / "a.tif", counts, NM, then=lambda: shutil.rmtree(folder))


def test_the_input_is_never_the_output(tmp_path, counts):
    tifffile.imwrite(tmp_path / "in.tif", counts, photometric="minisblack")
    before = (tmp_path / "in.tif").read_bytes()
    with open_series(tmp_path / "in.tif") as source, pytest.raises(OutputError, match="is the input"):
        SeriesWriter(tmp_path / "in.tif", counts.shape, NM, source=source, overwrite=True)
    assert (tmp_path / "in.tif").read_bytes() == before
    with SeriesWriter(tmp_path / "out.tif", counts.shape, NM, source=ArraySeries(counts)) as writer:
        writer.write(counts[0])
