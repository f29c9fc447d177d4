"""Reports as a progress bar on a terminal, as lines in a log; always on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from ..pipeline.reports import FrameReport, Report, StepReport
from .outcome import spoken_time

BAR = "{desc} |{bar:24}| {percentage:3.0f} %{postfix}"
LOG_INTERVAL_S = 30.0  # between lines on the steps of one frame


class Progress:
    """Draws the reports of one job after the other. In a log, ``every_frame`` has its line or only messages have."""

    def __init__(
        self, every_frame: bool = True, log_interval_s: float = LOG_INTERVAL_S, draw_interval_s: float = 0.1
    ) -> None:
        self._every_frame, self._log_interval_s = every_frame, log_interval_s
        self._on_terminal = sys.stderr.isatty()
        self._logged_at = time.monotonic()
        self._title = ""
        self._bar: tqdm[Any] = tqdm(
            file=sys.stderr, total=1, bar_format=BAR, disable=not self._on_terminal, dynamic_ncols=True, leave=False,
            mininterval=draw_interval_s, miniters=0,  # else tqdm learns from the first jump how rarely it needs to draw
        )  # fmt: skip

    def begin(self, title: str) -> None:
        """The reports that follow are of another job."""
        self._title = f"{title}, "
        self._bar.reset()  # tqdm draws nothing while it is behind what it has drawn
        if not self._on_terminal:
            print(f"{title} ...", file=sys.stderr, flush=True)

    def update(self, report: Report) -> None:
        if isinstance(report, StepReport):
            loss = "" if report.loss is None else f", loss {report.loss:.4g}"
            left = "" if report.seconds_left is None else f", {spoken_time(report.seconds_left)} left"
            self._draw(report, f"step {report.step}/{report.steps}{loss}{left}")
        elif isinstance(report, FrameReport):
            self._draw(report, "")
            self._tell(report)

    def _draw(self, report: StepReport | FrameReport, text: str) -> None:
        shared = isinstance(report, StepReport) and report.shared
        frame = "all frames" if shared else f"frame {report.position + 1}/{report.frames_total}"
        self._bar.n = report.progress
        self._bar.set_description_str(f"{self._title}{frame}", refresh=False)
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(0)
        if text and not self._on_terminal and time.monotonic() - self._logged_at >= self._log_interval_s:
            self._log(f"{self._title}{frame}, {text}")

    def _tell(self, report: FrameReport) -> None:
        """On a terminal only what a user should know; in a log every frame."""
        outcome = f"step {report.best_step} of {report.steps_run} is kept" if report.adapted else "pre-trained"
        message = f"{self._title}frame {report.frame} ({report.position + 1}/{report.frames_total}): {outcome}"
        if report.message:
            message += f"; {report.message}"
        if report.message or (self._every_frame and not self._on_terminal):
            self._log(message)

    def _log(self, line: str) -> None:
        self._bar.write(line, file=sys.stderr)
        sys.stderr.flush()
        self._logged_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
