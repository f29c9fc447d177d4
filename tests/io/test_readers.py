"""Opening by path: what every format shares."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries
from napari_gaintune.io import open_series


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".mrc", ".hspy", ".dm4", ".emd", ".ser", ".txt", ""])
def test_a_path_that_is_not_there(tmp_path, suffix):
    with pytest.raises(ImageError, match="no such file or folder"):
        open_series(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", ["tif", "tiff", "ome.tif", "npy", "mrc", "mrcs", "hspy", "dm3", "dm4", "emd", "ser"])
def test_an_empty_file(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").touch()
    with pytest.raises(ImageError, match="empty"):
        open_series(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["tif", "npy", "mrc", "hspy", "dm3", "dm4", "emd", "ser", "rpl", "zspy"])
@pytest.mark.parametrize("content", [b"x", b"this is no image\n" * 100, bytes(4000)], ids=["byte", "text", "zeros"])
def test_a_file_of_another_kind(tmp_path, suffix, content):
    (tmp_path / f"a.{suffix}").write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.{suffix}"):
        open_series(tmp_path / f"a.{suffix}").frame(0)


@pytest.mark.parametrize("name", ["a.txt", "a.py", "a.npz", "a", ".tif"])
def test_an_unknown_suffix_lists_the_known(tmp_path, name):
    (tmp_path / name).write_text("something")
    with pytest.raises(ImageError, match=r"not read; give \.tif .*\.npy.*folder.*\[em\].*\.dm4"):
        open_series(tmp_path / name)


def test_a_dataset_of_a_format_that_has_one(tmp_path, counts):
    np.save(tmp_path / "a.npy", counts)
    with pytest.raises(ImageError, match="dataset 1"):
        open_series(tmp_path / "a.npy", dataset=1)


def test_suffixes_in_capitals_text_paths_and_context(tmp_path, counts):
    tifffile.imwrite(tmp_path / "A.TIF", counts[0])
    with open_series(str(tmp_path / "A.TIF")) as series:
        assert series.name == "A.TIF"
        np.testing.assert_array_equal(series.frame(0), counts[0])


@pytest.mark.parametrize("index", [-1, 4])
def test_a_frame_that_is_not_there(tmp_path, counts, index):
    np.save(tmp_path / "a.npy", counts)
    with pytest.raises(IndexError, match="numbered from 0"):
        open_series(tmp_path / "a.npy").frame(index)


def test_the_container_does_not_change_the_fingerprint(tmp_path, counts):
    np.save(tmp_path / "a.npy", counts)
    tifffile.imwrite(tmp_path / "a.tif", counts, compression="lzw", byteorder=">", photometric="minisblack")
    (tmp_path / "folder").mkdir()
    for i, frame in enumerate(counts):
        tifffile.imwrite(tmp_path / "folder" / f"{i}.tif", frame)
    prints = {open_series(tmp_path / name).fingerprint() for name in ("a.npy", "a.tif", "folder")}
    assert prints == {ArraySeries(counts).fingerprint()}


@pytest.mark.parametrize("suffix", [".png", ".JPG"])
def test_screenshots_are_refused_with_what_is_read(tmp_path, suffix):
    from PIL import Image

    Image.fromarray(np.zeros((9, 9), "u1")).save(tmp_path / f"a{suffix}")
    with pytest.raises(ImageError, match=r"are not read; give .tif"):
        open_series(tmp_path / f"a{suffix}")
