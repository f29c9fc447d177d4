"""One run: a thread at work, and its reports turned into layers."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import Any

import napari.viewer
from napari.layers import Layer

from ..errors import GaintuneError
from ..image import FrameSeries
from ..pipeline.config import DenoiseConfig
from ..pipeline.reports import DoneReport, FrameReport, StepReport
from .layers import ResultLayers, is_in, show_frame, shown_frame
from .worker import Averaged, Failed, Message, Planned, Preparing, Worker, denoise_series


@dataclass
class Heard:
    """What one look at the thread brought: reports to draw, a text to show, and whether the run is over."""

    reports: list[StepReport | FrameReport] = field(default_factory=list)
    text: str = ""
    ended: bool = False
    failed: bool = False


class Run:
    """Owns the worker and the layers of one press on the button."""

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        source: Layer,
        series: FrameSeries,
        config: DenoiseConfig,
        with_reference: bool,
        closing: threading.Event,
    ) -> None:
        self.viewer, self.source = viewer, source
        self.results: ResultLayers | None = None
        self._notes: list[str] = []
        self._failure = self._summary = ""
        self._followed: int | None = None
        self._worker = Worker(denoise_series(series, config, with_reference), closing)

    @property
    def cancelled(self) -> bool:
        return self._worker.cancelled

    def cancel(self) -> None:
        """End after the step the run is at; the best result so far is kept."""
        self._worker.cancel()

    def abandon(self) -> None:
        """The dock goes away: what is finished stays, and nobody takes a part for the whole."""
        self.collect()  # first: the frame at work, which the cancelled thread still hands in, is not finished
        self._worker.cancel()
        if self.results is not None and not self._summary:
            self.results.finish({"failed": "the dock was closed during the run"})

    def collect(self) -> Heard:
        """Show what the thread has reported since the last time. Whatever a viewer raises ends the run."""
        heard = Heard(
            ended=not self._worker.is_running
        )  # asked first: what a thread leaves before its end is taken now
        try:
            for message in self._worker.take():
                self._handle(message, heard)
            if heard.reports:
                self._follow(heard.reports[-1].frame)
            self._refresh()
        except GaintuneError as error:
            self._fail(str(error))
        except Exception as error:  # the dock must become usable again
            logging.getLogger(__name__).exception("a report could not be shown")
            self._fail(f"Unexpected {type(error).__name__}: {error}. Please report it with the terminal's output.")
        if heard.ended:
            heard.text, heard.failed = self._failure or self._summary, bool(self._failure)
            if self._failure and self.results is not None:
                self.results.finish({"failed": self._failure})
        return heard

    def _handle(self, message: Message, heard: Heard) -> None:
        match message, self.results:
            case Preparing(text=text), _:
                heard.text = text
            case Planned(frames=frames), None:
                self.results = ResultLayers(self.viewer, self.source, frames)
            case Averaged(), ResultLayers() as results:
                results.show_reference(message)
            case StepReport(frame=frame, preview=preview), ResultLayers() as results:
                heard.reports.append(message)
                if preview is not None:
                    results.show(frame, preview, finished=False)
            case FrameReport(), ResultLayers() as results:
                results.show(message.frame, message.image, finished=True)
                heard.reports.append(message)
                self._note(message, results.frames_planned)
            case DoneReport(), ResultLayers() as results:
                results.finish(message.provenance)
                self._summary = summary(results.frames_done, results.frames_planned, message.stopped, self._notes)
                self._summary += model_line(message.provenance["model"])
            case Failed(message=text), _:
                self._fail(text)

    def _note(self, report: FrameReport, frames_planned: int) -> None:
        if report.message:
            which = f"frame {report.frame}: " if frames_planned > 1 else ""
            self._notes.append(f"{which}{report.message}.")

    def _fail(self, message: str) -> None:
        self._failure = self._failure or message  # the first is the cause
        self._worker.cancel()

    def _refresh(self) -> None:
        if self.results is None:
            return
        self.results.refresh()
        if self.results.was_removed:
            self._fail("The denoised layer was removed, so the run was stopped. Press Run to start again.")

    def _follow(self, frame: int) -> None:
        """Keep the frame at work in sight, until the user looks at another."""
        if frame == self._followed or not is_in(self.source, self.viewer):
            return
        if self._followed is None or shown_frame(self.viewer, self.source) == self._followed:
            show_frame(self.viewer, self.source, frame)
            self._followed = frame


def model_line(model: dict[str, Any]) -> str:
    """Which model was chosen for the user, and why; nothing where the user named it."""
    return "" if model["reason"].startswith("named") else f"\n{model['name']}, {model['reason']}."


def summary(done: int, planned: int, stopped: bool, notes: list[str]) -> str:
    """What a user should know at the end, in one or two sentences."""
    frames = "1 frame" if planned == 1 else f"{planned} frames"
    if not stopped:
        text = f"Denoised {frames}."
    elif planned == 1:
        text = "Stopped; the best result so far is kept."
    else:
        text = f"Stopped after {done} of {frames}; these are kept."
    if notes:
        more = f" ({len(notes) - 1} more such notes are in the layer's metadata)" if len(notes) > 1 else ""
        text += f"\n{notes[0][0].upper()}{notes[0][1:]}{more}"
    return text
