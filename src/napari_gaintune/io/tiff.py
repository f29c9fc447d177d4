"""TIFF, BigTIFF, OME-TIFF and ImageJ stacks, page by page (rosettasciio's lazy TIFF cannot cross processes)."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile

from ..errors import ImageError
from ..image import Array
from .series import FileSeries, cut_short, read_raw, readable
from .tiff_calibration import tiff_calibration


class _Place(NamedTuple):
    """Where one frame lies: raw pixels at byte ``offset``, or the page whose directory starts there."""

    path: Path
    offset: int
    raw: np.dtype[np.generic] | None


class TiffSeries(FileSeries):
    """The one image series of a TIFF file; every frame is one grey page, of any compression tifffile decodes."""

    def __init__(self, path: Path) -> None:
        with readable(path, "TIFF"), tifffile.TiffFile(path) as tif:
            series = _only_series(tif, path.name)
            _check_complete(tif, series, path)
            self._places = _places(tif, series, path)
            calibration, shape = tiff_calibration(tif, series.axes, series.shape)
            paths = sorted({place.path for place in self._places})
            super().__init__(paths, shape, series.dtype, calibration, path.name)
        if len(self._places) != len(self):
            raise ImageError(
                f"{path}: {len(self._places)} pages for {len(self)} frames of shape {self.shape}; "
                "the file is cut short or its description is wrong: export it anew"
            )

    def _read(self, index: int) -> Array:
        place = self._places[index]
        if place.raw is not None:
            return read_raw(place.path, place.offset, (self.shape[-2], self.shape[-1]), place.raw)
        with tifffile.TiffFile(place.path) as tif:
            tif.filehandle.seek(place.offset)
            pixels = tifffile.TiffPage(tif, index=0).asarray()
        return np.asarray(pixels, dtype=self.dtype)


def _only_series(tif: tifffile.TiffFile, name: str) -> tifffile.TiffPageSeries:
    """The one full-size grey image series; ImageError for none, for several and for colour."""
    found = [series for series in tif.series if not series.keyframe.is_reduced] or tif.series
    if not found:
        raise ImageError(f"{name}: holds no image; export it anew")
    if len(found) > 1:
        shapes = ", ".join(str(series.shape) for series in found[:5])
        raise ImageError(
            f"{name}: holds {len(found)} image series, of shapes {shapes}; one is read: save the wanted one by itself"
        )
    page = found[0].keyframe
    if "S" in found[0].axes or page.samplesperpixel > 1 or not _is_grey(page):
        kind, count = tifffile.PHOTOMETRIC(page.photometric).name, page.samplesperpixel
        cure = "save the recorded grey values, not a screenshot"
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and count > 1:  # how tifffile writes 3 or 4 frames
            cure = f"if these are {count} frames, save them with tifffile.imwrite(..., photometric='minisblack')"
        raise ImageError(
            f"{name}: a colour picture ({kind}, {count} values per pixel); only one intensity per pixel is read: {cure}"
        )
    if page.ndim != 2:
        raise ImageError(f"{name}: pages of {page.ndim} axes {page.axes}; save one plane per page")
    return found[0]


def _is_grey(page: tifffile.TiffPage) -> bool:
    """Whether pixel values are intensities: grey, or a palette that runs from black to white."""
    if page.photometric in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE):
        return True
    ramp = page.colormap
    if ramp is None:
        return False
    return bool((ramp == ramp[0]).all() and (np.diff(ramp[0].astype(np.int64)) >= 0).all())


def _places(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> tuple[_Place, ...]:
    """Where the frames lie; ImageError where the file ends before the last of them does."""
    size = path.stat().st_size
    if series.dataoffset is not None and not series.is_multifile:
        dtype = series.dtype.newbyteorder(tif.byteorder)
        step = int(np.prod(series.shape[-2:])) * dtype.itemsize
        count = int(np.prod(series.shape[:-2], dtype=int))
        if series.dataoffset + count * step > size:
            raise cut_short(path, series.dataoffset + count * step, size)
        return tuple(_Place(path, series.dataoffset + i * step, dtype) for i in range(count))
    places = []
    for index, page in enumerate(series):
        if page is None or not page.offset:
            raise ImageError(
                f"{path}: page {index} is missing; the file is cut short, or its other files are elsewhere"
            )
        owner = Path(page.parent.filehandle.path)
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if max(ends, default=0) > owner.stat().st_size:
            raise cut_short(owner, max(ends), owner.stat().st_size)
        places.append(_Place(owner, page.offset, None))
    return tuple(places)


def _check_complete(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> None:
    """Refuse what tifffile only logs, reading fewer frames: a page chain that leaves the file, missing ImageJ planes."""
    pointer = tif.pages.next_page_offset
    if pointer is not None:
        tif.filehandle.seek(pointer)
        (following,) = struct.unpack(tif.tiff.offsetformat, tif.filehandle.read(tif.tiff.offsetsize))
        if following:
            raise cut_short(path, following, path.stat().st_size)
    imagej = tif.imagej_metadata or {}
    announced = math.prod(int(imagej.get(key, 1)) for key in ("channels", "slices", "frames"))
    found = math.prod(series.shape[:-2])
    if announced > found and "S" not in series.axes:
        raise ImageError(f"{path}: cut short: {found} of the {announced} frames ImageJ wrote are there; copy it again")
