"""A folder of single images, one frame per file, in natural order (frame2 before frame10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ..errors import ImageError
from ..image import Array
from .calibration import AxisScale, calibration_of
from .series import FileSeries, readable


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Paths sorted by name, numbers by value."""
    return sorted(paths, key=lambda path: (_natural(path.name), path.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split("([0-9]+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts if part]


class FolderSeries(FileSeries):
    """The images of a folder as one series (frames, height, width); other files and hidden ones are passed over.

    All must have one format, shape and pixel type. The pixel size is the first file's.
    """

    def __init__(self, folder: Path, suffixes: Collection[str], open_one: Callable[[Path], FileSeries]) -> None:
        with readable(folder, "folder"):
            files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
        files = natural_order(p for p in files if p.suffix.lower() in suffixes)
        if not files:
            raise ImageError(f"{folder}: no image files in this folder; give the folder that holds the .tif frames")
        kinds = sorted({"tif" if p.suffix.lower() in (".tif", ".tiff") else p.suffix.lower()[1:] for p in files})
        if len(kinds) > 1:
            raise ImageError(
                f"{folder}: files of several kinds ({', '.join(kinds)}); keep the frames of one series, all of one "
                "kind, in a folder of their own"
            )
        self.folder = folder
        self._open_one = open_one
        first = _single_frame(open_one, files[0])
        for path in files[1:]:
            _check_like_first(_single_frame(open_one, path), first)
        last_two = zip("YX", *(values[-2:] for values in (first.calibration.scale, first.calibration.units,
                                                          first.calibration.origin)), strict=True)  # fmt: skip
        calibration = calibration_of([AxisScale("T"), *(AxisScale(*axis) for axis in last_two)])
        super().__init__(files, (len(files), *first.shape[-2:]), first.dtype, calibration, folder.resolve().name)

    def _read(self, index: int) -> Array:
        with self._open_one(self.paths[index]) as image:
            return image.frame(0)


def _single_frame(open_one: Callable[[Path], FileSeries], path: Path) -> FileSeries:
    with open_one(path) as image:
        if len(image) != 1:
            raise ImageError(
                f"{path}: {len(image)} frames; in a folder each file is one frame: open this file by itself"
            )
    return image


def _check_like_first(image: FileSeries, first: FileSeries) -> None:
    mine, firsts = (image.shape[-2:], image.dtype), (first.shape[-2:], first.dtype)
    if mine != firsts:
        raise ImageError(
            f"{image.paths[0]}: {mine[0][0]} x {mine[0][1]} px {mine[1]}, but {first.name} is "
            f"{firsts[0][0]} x {firsts[0][1]} px {firsts[1]}; all frames of a folder must be alike, move the odd one"
        )
