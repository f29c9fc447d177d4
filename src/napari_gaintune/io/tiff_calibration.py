"""Pixel sizes in TIFF: OME-XML, Gatan, Thermo Fisher, TVIPS, Olympus, Zeiss, ImageJ, resolution tags, in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tifffile

from ..image import Calibration
from .calibration import AxisScale, calibration_of, short_unit
from .ome import ome_axes, own_axes

Scales = dict[str, AxisScale]

# A resolution tag coarser than this is a printing density (72 dpi = 353 µm), not the pixel size of a micrograph.
COARSEST_RESOLUTION_NM = 10_000.0
NM_PER_RESOLUTION_UNIT = {2: 25.4e6, 3: 1e7}  # inch, centimetre


def tiff_calibration(tif: tifffile.TiffFile, axes: str, shape: tuple[int, ...]) -> tuple[Calibration, tuple[int, ...]]:
    """The calibration of an image series and its shape, with the axes of length 1 that OME-TIFF drops put back.

    ``axes`` are tifffile's letters for ``shape``. A vendor's field that is absent or unreadable leaves pixels: wrong
    numbers are worse than none.
    """
    if tif.ome_metadata:
        own = own_axes(tif.ome_metadata, shape)
        if own is not None:
            return own
    scales = _first_that_speaks(tif)
    letters = [letter if letter in "TZCYX" else "" for letter in axes]
    return calibration_of([scales.get(letter, AxisScale(letter))._replace(letter=letter) for letter in letters]), shape


def _first_that_speaks(tif: tifffile.TiffFile) -> Scales:
    for source in SOURCES:
        try:
            scales = source(tif)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
            continue  # this vendor's block is there but not as its own software writes it
        if scales:
            return scales
    return {}


def _both(y: float, x: float, unit: object, origin: tuple[float, float] = (0.0, 0.0)) -> Scales:
    unit = short_unit(unit)
    return {"Y": AxisScale("Y", y, unit, origin[0]), "X": AxisScale("X", x, unit, origin[1])}


def _ome(tif: tifffile.TiffFile) -> Scales:
    return ome_axes(tif.ome_metadata) if tif.ome_metadata else {}


def _gatan(tif: tifffile.TiffFile) -> Scales:
    """DigitalMicrograph's private tags, which hyperspy writes too; the long unit names survive every code page."""
    tags = tif.pages.first.tags
    scales: Scales = {}
    for letter, (unit, origin, step, long_unit) in {
        "X": (65003, 65006, 65009, 65012), "Y": (65004, 65007, 65010, 65013), "Z": (65005, 65008, 65011, 65014),
    }.items():  # fmt: skip
        if step in tags:
            named = short_unit(tags.valueof(long_unit, default="") or tags.valueof(unit, default=""))
            scales[letter] = AxisScale(letter, float(tags[step].value), named, float(tags.valueof(origin, default=0.0)))
    if "Z" in scales:
        scales["T"] = scales[""] = scales["Z"]
    return scales


def _thermo(tif: tifffile.TiffFile) -> Scales:
    metadata: Any = tif.fei_metadata
    if not metadata:
        return {}
    scan = metadata.get("Scan") or metadata["EScan"]
    return _both(float(scan["PixelHeight"]), float(scan["PixelWidth"]), "m")


def _tvips(tif: tifffile.TiffFile) -> Scales:
    metadata: Any = tif.tvips_metadata
    return _both(float(metadata["PixelSizeY"]), float(metadata["PixelSizeX"]), "nm") if metadata else {}


def _olympus(tif: tifffile.TiffFile) -> Scales:
    metadata: Any = tif.sis_metadata
    return _both(float(metadata["pixelsizey"]), float(metadata["pixelsizex"]), "m") if metadata else {}


def _zeiss(tif: tifffile.TiffFile) -> Scales:
    metadata: Any = tif.sem_metadata
    if not metadata:
        return {}
    _, size, unit = metadata.get("ap_image_pixel_size") or metadata["ap_pixel_size"]
    return _both(float(size), float(size), unit)


def _imagej(tif: tifffile.TiffFile) -> Scales:
    metadata: Any = tif.imagej_metadata
    if not metadata:
        return {}
    unit = short_unit(metadata.get("unit"))
    tags = tif.pages.first.tags
    scales: Scales = {}
    if unit:
        x, y = (_step(tags[code].value) for code in (282, 283))
        origin = (-float(metadata.get("yorigin", 0)) * y, -float(metadata.get("xorigin", 0)) * x)
        scales = _both(y, x, unit, origin)
        if "yunit" in metadata:
            scales["Y"] = scales["Y"]._replace(unit=short_unit(metadata["yunit"]))
        if "spacing" in metadata:
            scales["Z"] = AxisScale("Z", float(metadata["spacing"]), short_unit(metadata.get("zunit", unit)))
    if float(metadata.get("finterval", 0)) > 0:
        scales["T"] = AxisScale("T", float(metadata["finterval"]), short_unit(metadata.get("tunit", "s")))
    return scales


def _resolution_tags(tif: tifffile.TiffFile) -> Scales:
    tags = tif.pages.first.tags
    nm = NM_PER_RESOLUTION_UNIT.get(int(tags.valueof(296, default=2)))
    if nm is None or 282 not in tags or 283 not in tags:
        return {}
    x, y = (_step(tags[code].value) * nm for code in (282, 283))
    return _both(y, x, "nm") if 0 < max(x, y) < COARSEST_RESOLUTION_NM else {}


def _step(resolution: tuple[int, int]) -> float:
    """Length per pixel from a tag's pixels per length, a fraction."""
    pixels, length = resolution
    return length / pixels


SOURCES: tuple[Callable[[tifffile.TiffFile], Scales], ...] = (
    _ome, _gatan, _thermo, _tvips, _olympus, _zeiss, _imagej, _resolution_tags
)  # fmt: skip
