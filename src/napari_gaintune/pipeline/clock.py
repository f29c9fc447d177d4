"""How far a job has come, how long it still takes, when a preview is due. Decides what is shown, never what is computed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PREVIEW_SHARE = 0.25  # of the time, at most
SETTLED = 3  # steps or frames before a forecast is worth showing


class Clock:
    """Counts a job's work; a step and the prediction of a frame cost about the same, and count as one each."""

    def __init__(self, frames: int, steps: int, shared: bool, preview_interval_s: float | None) -> None:
        self._steps, self._shared = steps, shared
        self._total = frames + steps * (1 if shared else frames)
        self._done = 0
        self._interval_s = preview_interval_s
        self._started = time.perf_counter()
        self._previewed_at, self._preview_cost_s = float("-inf"), 0.0

    def step_done(self, position: int, step: int) -> None:
        """``step`` of the adaptation to the frame at ``position``, or to all."""
        self._done = step if self._shared else position * (self._steps + 1) + step

    def frame_done(self, position: int) -> None:
        """Steps a frame did without count as done."""
        self._done = self._steps + position + 1 if self._shared else (position + 1) * (self._steps + 1)

    @property
    def progress(self) -> float:
        return self._done / self._total

    def seconds_left(self) -> float | None:
        if self._done < SETTLED:
            return None
        return (time.perf_counter() - self._started) / self._done * (self._total - self._done)

    def preview_due(self) -> bool:
        if self._interval_s is None:
            return False
        pause = max(self._interval_s, self._preview_cost_s / PREVIEW_SHARE)
        return time.perf_counter() - self._previewed_at >= pause

    @contextmanager
    def making_preview(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._previewed_at = time.perf_counter()
        self._preview_cost_s = self._previewed_at - started
