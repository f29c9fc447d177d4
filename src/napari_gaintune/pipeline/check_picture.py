"""A checked frame as a picture: a circle around each column, in the colour of what the counts say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import SettingError
from ..evaluation.columns import COLUMN_RADIUS_NM
from ..io import check_output
from ..io.output_path import discard, part_path, publish
from .check import Check
from .figure import Circle, Panel, with_circles

# told apart by the colour-blind, too, and by their width
SUPPORTED, INVENTED, UNTOLD = ("#56b4e9", 3), ("#e69f00", 7), ("white", 1)


def looks_of(found: Check) -> list[tuple[str, int]]:
    """Colour and width of the line around each column of ``found.witnessed``.

    A frame's own counts support nothing: without other frames no column is more than not told.
    """
    support = found.witnessed
    if support is None:
        return []
    supported = support.is_told & (found.columns is not None)
    findings = zip(supported, support.is_invented, strict=True)
    return [INVENTED if bad else SUPPORTED if good else UNTOLD for good, bad in findings]


def draw(found: Check, path: Path, overwrite: bool = False) -> None:
    """The denoised frame with a circle around each column, as a PNG.

    Blue where the other frames support it, thick and orange where they speak against it (of a frame alone, its own counts),
    thin and white where that cannot be told. Raises OutputError as ``check_output`` does, SettingError where there are no
    columns to draw.
    """
    out = check_output(path, None, overwrite, "the picture is a PNG", (".png",))
    support = found.witnessed
    if support is None or found.pixel_size_nm is None:
        raise SettingError(
            "no picture: it shows columns of atoms, for which the pixel size must be known and 0.053 nm or less"
        )
    radius_px = COLUMN_RADIUS_NM / found.pixel_size_nm
    looks = looks_of(found)
    circles = [Circle(y, x, radius_px, *look) for (y, x), look in zip(support.places_px.tolist(), looks, strict=True)]
    low, high = (float(value) for value in np.percentile(found.image, (0.5, 99.5)))
    picture = with_circles(
        Panel("", "", found.image, (low, high if high > low else low + 1)), circles, found.pixel_size_nm
    )
    part = part_path(out)
    try:
        picture.save(part, format="PNG", optimize=True)
        publish(part, out, overwrite)
    finally:
        discard(part)
