"""TIFF details of our results: tags other programs read the pixel size from, and cutting off an unfinished page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..image import Calibration

NM_PER_CM = 1e7
LARGEST_RATIONAL = 2**32 - 1


def first_page_tags(calibration: Calibration, reserved_bytes: int) -> dict[str, Any]:
    """Arguments of ``TiffWriter.write`` for the first page: blank description, resolution and Gatan's private tags.

    Rosettasciio reads no OME pixel sizes, but the tags DigitalMicrograph and hyperspy write.
    """
    tags: dict[str, Any] = {"description": b" " * reserved_bytes, "software": "napari-gaintune"}
    size_nm = calibration.pixel_size_nm
    if size_nm is not None and all(1 <= NM_PER_CM / n <= LARGEST_RATIONAL for n in size_nm):
        y_nm, x_nm = size_nm
        tags |= {"resolution": (NM_PER_CM / x_nm, NM_PER_CM / y_nm), "resolutionunit": "CENTIMETER"}
    private: list[tuple[int, str, int, Any, bool]] = []
    for back in range(min(3, len(calibration.axes))):  # X, Y, then the axis of the frames
        unit = calibration.units[-1 - back].encode("latin-1", errors="ignore")
        private += [
            (65003 + back, "s", 0, unit, True),
            (65006 + back, "d", 1, float(calibration.origin[-1 - back]), True),
            (65009 + back, "d", 1, float(calibration.scale[-1 - back]), True),
        ]
    return tags | {"extratags": private}


def cut_pages(path: Path, sound_bytes: int) -> None:
    """Shorten a little-endian TIFF to ``sound_bytes`` and end its chain of pages with the last page that remains."""
    with path.open("rb+") as file:
        file.truncate(sound_bytes)
        is_big = file.read(4)[2] == 43
        count_size, tag_size, offset_size = (8, 20, 8) if is_big else (2, 12, 4)
        pointer = 8 if is_big else 4
        while True:
            file.seek(pointer)
            page = int.from_bytes(file.read(offset_size), "little")
            if page == 0:
                return
            if page >= sound_bytes:
                file.seek(pointer)
                file.write(bytes(offset_size))
                return
            file.seek(page)
            pointer = page + count_size + int.from_bytes(file.read(count_size), "little") * tag_size
