"""Open a file or folder as a series of frames: one table from suffix to reader."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..errors import ImageError
from .folder import FolderSeries
from .mrc import MrcSeries
from .numpy_files import NpySeries
from .rosettasciio_files import USUAL_SUFFIXES, RosettasciioSeries, knows_suffix
from .series import FileSeries, readable
from .tiff import TiffSeries

OPENERS: dict[str, Callable[[Path], FileSeries]] = {
    ".tif": TiffSeries,
    ".tiff": TiffSeries,
    ".npy": NpySeries,
    ".mrc": MrcSeries,
    ".mrcs": MrcSeries,
}
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")  # rosettasciio fails on them lazily; they hold screenshots mostly
FOLDER_FORMATS = (".zspy",)  # one image stored as a folder, not a folder of images


def open_series(path: str | Path, dataset: int | None = None) -> FileSeries:
    """A file, or a folder with one frame per file, as a lazy series of frames (see FrameSeries).

    Nothing but headers is read here; one frame at a time is in memory later. ``dataset`` picks one of several images in
    an .emd, .hspy ... file. Raises ImageError for a missing, empty, damaged, unknown or colour file, for complex or
    boolean pixels, and where the reading library is not installed.
    """
    path = Path(path).expanduser()
    with readable(path, "image"):
        if not path.exists():
            raise ImageError(f"{path}: there is no such file or folder; check the path")
        is_folder = path.is_dir() and path.suffix.lower() not in FOLDER_FORMATS
        if path.is_file() and path.stat().st_size == 0:
            raise ImageError(f"{path}: empty (0 bytes); copy it again from where it was recorded")
    if is_folder:
        return FolderSeries(path, {*OPENERS, *USUAL_SUFFIXES}, partial(_open_file, dataset=dataset))
    return _open_file(path, dataset)


def _open_file(path: Path, dataset: int | None = None) -> FileSeries:
    suffix = path.suffix.lower()
    if suffix in OPENERS:
        if dataset:
            raise ImageError(f"{path.name}: dataset {dataset}; {suffix} files hold one dataset: leave it out")
        return OPENERS[suffix](path)
    if suffix not in PICTURES and knows_suffix(suffix):
        return RosettasciioSeries(path, dataset)
    raise ImageError(
        f"{path.name}: files ending in {suffix or 'nothing'!r} are not read; give {' '.join(OPENERS)}, a folder of "
        f'these, or, with pip install "napari-gaintune[em]", {" ".join(USUAL_SUFFIXES)} and all that rosettasciio reads'
    )
