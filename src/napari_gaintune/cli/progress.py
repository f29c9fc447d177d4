"""Reports as a progress bar on a terminal, as one line per frame in a log; always on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from ..pipeline.config import DenoiseConfig
from ..pipeline.reports import FrameReport, Report, StepReport
from .outcome import spoken_time

BAR = "{desc} |{bar:24}| {percentage:3.0f} %{postfix}"


class Progress:
    """Draws the reports of one job after the other. In a log, ``every_frame`` has its line or only messages have."""

    def __init__(self, every_frame: bool = True) -> None:
        self._every_frame = every_frame
        self._on_terminal = sys.stderr.isatty()
        self._bar: tqdm[Any] = tqdm(
            file=sys.stderr, total=1, bar_format=BAR, disable=not self._on_terminal, dynamic_ncols=True, leave=False
        )

    def begin(self, config: DenoiseConfig, title: str = "") -> Self:
        """The reports that follow are of a job with these settings."""
        self._steps, self._shared = config.steps, config.series == "shared"
        self._title = f"{title}, " if title else ""
        if title and not self._on_terminal:
            print(f"{title} ...", file=sys.stderr, flush=True)
        return self

    def update(self, report: Report) -> None:
        if isinstance(report, StepReport):
            loss = "" if report.loss is None else f", loss {report.loss:.4g}"
            left = "" if report.seconds_left is None else f", {spoken_time(report.seconds_left)} left"
            text = f"step {report.step}/{report.steps}{loss}{left}"
            self._draw(report, self._done(report.position, report.step, 0), text)
        elif isinstance(report, FrameReport):
            self._draw(report, self._done(report.position, self._steps, 1), "")
            self._tell(report)

    def _done(self, position: int, step: int, frame: int) -> int:
        """Steps and predictions so far."""
        return step + (position + frame if self._shared else position * (self._steps + 1) + frame)

    def _draw(self, report: StepReport | FrameReport, done: int, text: str) -> None:
        rounds = 1 if self._shared else report.frames_total
        self._bar.total = rounds * self._steps + report.frames_total
        self._bar.n = done
        self._bar.set_description_str(f"{self._title}frame {report.position + 1}/{report.frames_total}", refresh=False)
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(0)

    def _tell(self, report: FrameReport) -> None:
        """On a terminal only what a user should know; in a log every frame."""
        outcome = f"step {report.best_step} of {report.steps_run} is best" if report.improved else "pre-trained"
        message = f"{self._title}frame {report.frame} ({report.position + 1}/{report.frames_total}): {outcome}"
        if report.message:
            message += f"; {report.message}"
        if report.message or (self._every_frame and not self._on_terminal):
            self._bar.write(message, file=sys.stderr)
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
