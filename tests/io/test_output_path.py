"""Where results may go."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile

from napari_gaintune.errors import OutputError
from napari_gaintune.io import check_output, open_series


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.ome.tif", "a.ome.tiff", "A.OME.TIF", "a.b.tif"])
def test_tiff_names_are_taken(tmp_path, name):
    assert check_output(str(tmp_path / name)) == tmp_path / name


@pytest.mark.parametrize("name", ["a", "a.mrc", "a.png", "a.npy", "a.tif.gz", "tif", "a.hspy"])
def test_other_names_list_what_is_possible(tmp_path, name):
    with pytest.raises(OutputError, match=r"OME-TIFF.*\.ome\.tif .*\.tif"):
        check_output(tmp_path / name)


def test_folders(tmp_path):
    with pytest.raises(OutputError, match="does not exist; make it first"):
        check_output(tmp_path / "missing" / "a.tif")
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path / "folder.tif", overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="does not exist"):
        check_output(tmp_path / "file" / "a.tif")


def test_what_exists_is_replaced_only_when_allowed(tmp_path):
    (tmp_path / "a.tif").touch()
    (tmp_path / "dangling.tif").symlink_to(tmp_path / "nowhere")
    for name in ("a.tif", "dangling.tif"):
        with pytest.raises(OutputError, match=r"exists already; .*overwrite"):
            check_output(tmp_path / name)
        assert check_output(tmp_path / name, overwrite=True) == tmp_path / name


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.zeros((6, 8), "u2"))
    return path


def same_file(recording, way):
    folder = recording.parent
    match way:
        case "itself":
            return recording
        case "dots":
            (folder / "sub").mkdir()
            return folder / "sub" / ".." / "in.tif"
        case "symbolic link":
            (folder / "link.tif").symlink_to(recording)
            return folder / "link.tif"
        case "hard link":
            os.link(recording, folder / "hard.tif")
            return folder / "hard.tif"
        case "linked folder":
            (folder / "other").symlink_to(folder, target_is_directory=True)
            return folder / "other" / "in.tif"


@pytest.mark.parametrize("way", ["itself", "dots", "symbolic link", "hard link", "linked folder"])
@pytest.mark.parametrize("kind", ["series", "path", "text"])
def test_the_input_is_refused_however_it_is_written(recording, way, kind):
    out = same_file(recording, way)
    source = {"series": open_series, "path": lambda p: p, "text": str}[kind](recording)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is the input; .*never overwritten"):
            check_output(out, source, overwrite=overwrite)


def test_a_relative_path(recording, monkeypatch):
    monkeypatch.chdir(recording.parent)
    with pytest.raises(OutputError, match="is the input"):
        check_output("in.tif", recording, overwrite=True)
    assert check_output("out.tif", "in.tif").name == "out.tif"


@pytest.mark.parametrize("kind", ["series", "path"])
def test_no_result_among_the_frames_of_an_input_folder(tmp_path, recording, kind):
    source = open_series(tmp_path) if kind == "series" else tmp_path
    with pytest.raises(OutputError, match="among the frames"):
        check_output(tmp_path / "out.tif", source)
    (tmp_path / "results").mkdir()
    assert check_output(tmp_path / "results" / "out.tif", source)
    assert check_output(tmp_path / "out.tif", open_series(recording))
