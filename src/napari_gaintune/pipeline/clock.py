"""How long a job still takes, and when it is time for a preview. Decides what is shown, never what is computed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PREVIEW_SHARE = 0.25  # of the time, at most
SETTLED_STEPS = 3  # before a forecast is worth showing


class Clock:
    """Counts steps and frames of a job."""

    def __init__(self, frames: int, steps: int, preview_interval_s: float | None) -> None:
        self._rounds, self._steps = frames, max(1, steps)
        self._interval_s = preview_interval_s
        self._started = time.perf_counter()
        self._previewed_at, self._preview_cost_s = float("-inf"), 0.0
        self._done_rounds, self._done_steps = 0, 0

    def share(self) -> None:
        """One adaptation serves all frames."""
        self._rounds = 1

    def step_done(self, step: int) -> None:
        self._done_steps = step

    def frame_done(self) -> None:
        self._done_rounds, self._done_steps = min(self._rounds, self._done_rounds + 1), 0

    def seconds_left(self) -> float | None:
        done = self._done_rounds * self._steps + self._done_steps
        if done < SETTLED_STEPS:
            return None
        return (time.perf_counter() - self._started) / done * max(0, self._rounds * self._steps - done)

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
