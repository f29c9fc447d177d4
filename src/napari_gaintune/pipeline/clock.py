"""How far a job has come, how long it still takes, when a preview is due. Decides what is shown, never what is computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PREVIEW_SHARE = 0.25  # of the time, at most
SETTLED = 3  # steps or frames before a forecast is worth showing


class Clock:
    """Times a job's two kinds of work: a step costs the same whatever the frame's size, a prediction does not.

    An adaptation to one frame has a prediction before it and one after it.
    """

    def __init__(
        self,
        frames: int,
        steps: int,
        shared: bool,
        preview_interval_s: float | None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._frames, self._steps, self._shared, self._now = frames, steps, shared, now
        self._frames_done = self._steps_done = self._steps_timed = self._predictions = self._frames_timed = 0
        self._steps_s = self._predictions_s = self._frames_s = 0.0
        self._interval_s = preview_interval_s
        self._started = self._event = now()
        self._farthest = 0.0
        self._previewed_at, self._preview_cost_s = float("-inf"), 0.0

    @contextmanager
    def predicting(self) -> Iterator[None]:
        """Around a prediction of a whole frame."""
        started = self._now()
        yield
        self._predictions += 1
        self._predictions_s += self._now() - started

    def step_done(self, position: int, step: int) -> None:
        """``step`` of the adaptation to the frame at ``position``, or to all; 0 is the beginning."""
        passed_s = self._passed()
        if step:
            self._steps_timed += 1
            self._steps_s += passed_s
        elif not self._shared:
            self._frames_s += passed_s
        self._steps_done = step if self._shared else position * self._steps + step

    def frame_done(self, position: int) -> None:
        """Steps a frame did without count as done."""
        self._frames_timed += 1
        self._frames_s += self._passed()
        self._frames_done = position + 1
        self._steps_done = self._steps * (1 if self._shared else position + 1)

    @property
    def progress(self) -> float:
        """0 to 1, by time; never less than before."""
        if self._is_over:
            return 1.0
        left_s, passed_s = self._left(), self._event - self._started
        if left_s and passed_s:
            self._farthest = max(self._farthest, passed_s / (passed_s + left_s))
        return self._farthest

    def seconds_left(self) -> float | None:
        """None while too little was timed."""
        return self._left() if self._steps_timed + self._frames_done >= SETTLED or self._is_over else None

    def preview_due(self) -> bool:
        if self._interval_s is None:
            return False
        pause = max(self._interval_s, self._preview_cost_s / PREVIEW_SHARE)
        return self._now() - self._previewed_at >= pause

    @contextmanager
    def making_preview(self) -> Iterator[None]:
        started = self._now()
        yield
        self._previewed_at = self._now()
        self._preview_cost_s = self._previewed_at - started

    @property
    def _is_over(self) -> bool:
        return self._frames_done == self._frames

    def _passed(self) -> float:
        before, self._event = self._event, self._now()
        return self._event - before

    def _left(self) -> float:
        step_s = self._steps_s / self._steps_timed if self._steps_timed else 0.0
        steps = self._steps * (1 if self._shared else self._frames) - self._steps_done
        return steps * step_s + (self._frames - self._frames_done) * self._frame_s()

    def _frame_s(self) -> float:
        """What a frame costs beside its steps."""
        if self._frames_timed:
            return self._frames_s / self._frames_timed
        each = 1 if self._shared or not self._steps else 2
        return each * self._predictions_s / self._predictions if self._predictions else 0.0
