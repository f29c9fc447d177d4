"""How a command ends: exit codes, and one line on standard error for what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence

DONE, FAILED, BAD_REQUEST, INTERRUPTED = 0, 1, 2, 130


def complain(message: str, code: int) -> int:
    """Print ``message`` as one line on standard error; returns ``code``."""
    print("error:", " ".join(message.split()), file=sys.stderr)
    return code


def spoken_frames(frames: Sequence[int]) -> str:
    """Frame numbers, counted from 0 and evenly spaced, in words."""
    if not frames:
        return "no frame"
    if len(frames) == 1:
        return f"frame {frames[0]}"
    every = frames[1] - frames[0]
    return f"frames {frames[0]} to {frames[-1]}" + (f", every {every}" if every > 1 else "")


def spoken_time(seconds: float) -> str:
    """Whole seconds as 47 s, 3:07 min or 2:05:00 h."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
