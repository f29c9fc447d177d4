"""What files and libraries say about an axis (name, step, unit, origin), brought to one spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..image import Calibration

LEADING_LETTERS = "TZC"  # what OME can hold beside Y and X, in the order unnamed axes receive them

_SPELLINGS = {
    "": "", "px": "", "pixel": "", "pixels": "", "dimensionless": "", "<undefined>": "", "none": "", "unknown": "",
    "reference frame": "", "arbitrary": "",
    "m": "m", "meter": "m", "metre": "m", "meters": "m", "metres": "m",
    "cm": "cm", "centimeter": "cm", "centimetre": "cm", "mm": "mm", "millimeter": "mm", "millimetre": "mm",
    "um": "µm", "µm": "µm", "micron": "µm", "microns": "µm", "micrometer": "µm", "micrometre": "µm",
    "micrometers": "µm", "nm": "nm", "nanometer": "nm", "nanometre": "nm", "nanometers": "nm",
    "a": "Å", "å": "Å", "angstrom": "Å", "ångström": "Å", "angstroms": "Å",
    "pm": "pm", "picometer": "pm", "picometre": "pm", "in": "in", "inch": "in",
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "ms": "ms", "millisecond": "ms", "us": "µs", "µs": "µs",
    "microsecond": "µs", "ns": "ns", "nanosecond": "ns", "min": "min", "minute": "min", "h": "h", "hour": "h",
}  # fmt: skip
_CASE_MATTERS = {"Mm", "MM", "PM", "Pm", "NM", "Nm", "S", "H", "M"}  # mega, peta, newton, siemens, henry, molar
_AXIS_NAMES = {
    "t": "T", "time": "T", "frame": "T", "frames": "T", "z": "Z", "depth": "Z", "slice": "Z", "slices": "Z",
    "c": "C", "channel": "C", "channels": "C",
}  # fmt: skip


class AxisScale(NamedTuple):
    """One axis: a letter (T, Z, C, Y, X; "" where unknown), the step and origin in ``unit`` ("" where unknown)."""

    letter: str = ""
    step: float = 1.0
    unit: str = ""
    origin: float = 0.0


def short_unit(unit: object) -> str:
    r"""The short symbol of a unit: "nanometer" -> "nm", "micron" -> "µm", "A" -> "Å", also of pint; "" for pixels.

    A unit without an entry in the table (``1/nm``, ``rad``) comes back as it is written. Both code points of micro and
    of angstrom become U+00B5 and U+00C5, and the escape ``\u00B5m`` that ImageJ writes is undone.
    """
    if unit is None:
        return ""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), str(unit)).strip().strip("\0")
    text = text.replace("\u03bc", "µ")
    return text if text in _CASE_MATTERS else _SPELLINGS.get(text.lower(), text)


def axis_letter(name: object) -> str:
    """The letter T, Z or C of a named axis ("time", "depth", "channel"), "" for any other name."""
    return _AXIS_NAMES.get(str(name).strip().lower(), "")


def leading_letters(letters: Iterable[str]) -> str:
    """One letter of T, Z, C for each axis before Y and X: known ones stay, others are filled from the inside out."""
    known = [letter if letter in LEADING_LETTERS else "" for letter in letters]
    unique = [letter if letter not in known[:i] else "" for i, letter in enumerate(known)]
    free = iter(letter for letter in LEADING_LETTERS if letter not in unique)
    filled = [letter or next(free) for letter in reversed(unique)]
    return "".join(reversed(filled))


def calibration_of(axes: Sequence[AxisScale]) -> Calibration:
    """The calibration of an array whose last two of 2 to 5 axes are Y and X.

    A step that is zero, NaN or infinite says nothing: that axis becomes uncalibrated.
    """
    sound = [axis if math.isfinite(axis.step) and axis.step else AxisScale(axis.letter) for axis in axes]
    return Calibration(
        axes=leading_letters(axis.letter for axis in sound[:-2]) + "YX",
        scale=tuple(float(axis.step) for axis in sound),
        units=tuple(axis.unit for axis in sound),
        origin=tuple(float(axis.origin) + 0.0 if math.isfinite(axis.origin) else 0.0 for axis in sound),
    )
