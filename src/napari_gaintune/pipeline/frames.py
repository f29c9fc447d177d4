"""Which frames of a series: all, one, or a range."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import SettingError

_RANGE = re.compile(r"(-?\d*):(-?\d*)(?::(-?\d*))?")


def select_frames(selection: str, count: int) -> list[int]:
    """Indices for ``all``, ``7``, ``-1``, ``0:40``, ``10:``, ``::2`` (the end is left out, as in Python).

    Raises SettingError if the text is none of these, or selects no frame of ``count``.
    """
    text = selection.strip().lower()
    if text in ("", "all", ":"):
        return list(range(count))
    if re.fullmatch(r"-?\d+", text):
        index = int(text)
        if not -count <= index < count:
            raise SettingError(f"frames = {selection!r}: the series has {count} frames, 0 to {count - 1}")
        return [index % count]
    match = _RANGE.fullmatch(text)
    if match is None:
        raise SettingError(f"frames = {selection!r} is not understood; write all, 7, 0:40, 10: or ::2")
    start, end, step = (int(part) if part else None for part in match.groups())
    if step is not None and step < 1:
        raise SettingError(f"frames = {selection!r}: the step must be 1 or more")
    indices = list(range(count))[start:end:step]
    if not indices:
        raise SettingError(f"frames = {selection!r} selects none of the {count} frames, 0 to {count - 1}")
    return indices


def selection_of(frames: Sequence[int], count: int) -> str:
    """The shortest text that selects ``frames``, at least one and evenly spaced, of ``count``."""
    if len(frames) == 1:
        return str(frames[0])
    step = frames[1] - frames[0]
    end = "" if frames[-1] + step >= count else str(frames[-1] + 1)
    return f"{frames[0]}:{end}" + (f":{step}" if step > 1 else "")
