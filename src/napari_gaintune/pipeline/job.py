"""A job: frames in, adapt, predict in tiles, frames out. The one path of command line, dock and Python."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..adaptation.grid import Cell, check_cell
from ..adaptation.loop import Step, adapt
from ..adaptation.parameters import Handle, tuned
from ..errors import ImageError
from ..image import Float32, FrameSeries, with_pixel_size
from ..models.catalogue import load_denoiser
from ..models.device import choose_device, choose_precision, memory_errors_named
from ..models.prediction import AVERAGING, Halt, go_on, predict
from .adapted_state import check_saving, save_state, starting_state
from .binning import binning_for, unbinned
from .clock import Clock
from .config import DenoiseConfig
from .frames import select_frames
from .loading import Constant, Loaded, Loader
from .model_choice import choose_model, cure_of_small_frames
from .nearby import check_frames_nearby
from .provenance import FrameRecord, provenance
from .range_check import pixel_size_notes, unchanged_note
from .reports import DoneReport, FrameReport, Report, StepReport
from .task import Tasks

Stop = Callable[[], bool]
HURRIED = "stopped before its first step: a single prediction, not the mean of several"
SHARED_FRAMES = 16  # of a series, evenly spaced, are kept in memory while one adaptation serves them all


@dataclass(frozen=True)
class _Adapted:
    """How an adaptation ended: its last step, the objective that tuned it, "" for none, and what is to be said of it.

    ``cut_short``: it was stopped. ``before``: what the network made of the first frame before any step.
    """

    last: Step = Step(0, None, None, 0)  # noqa: RUF009 - a frozen one
    objective: str = ""
    notes: tuple[str, ...] = ()
    cut_short: bool = False
    before: Tensor | None = None


class _Stopped(Exception):  # noqa: N818 - no error
    """The job was stopped before its first step."""


class DenoiseJob:
    """Denoise ``series`` as ``config`` says.

    Building a job checks all that can be known before a pixel is read: frames, model and its hash, device, frame size.
    Raises a GaintuneError with the value, the rule and the cure.
    """

    def __init__(self, series: FrameSeries, config: DenoiseConfig) -> None:
        series = with_pixel_size(series, config.pixel_size_nm)
        self.series, self.config = series, config
        self.frames = select_frames(config.frames, len(series))
        self.device = choose_device(config.device)
        self.precision = choose_precision(config.precision, self.device)
        self.choice = choose_model(series, config, self.frames[0])
        self.denoiser = load_denoiser(self.choice.name)
        network, unit = self.denoiser.network, self.denoiser.card.intensity_unit
        shared = config.series == "shared"
        self.start = starting_state(config, self.denoiser.card)
        check_saving(config, self.frames)
        check_frames_nearby(series, config.objective)
        check_cell(Cell.of(network, unit, config, shared))
        pixel_size_nm = series.calibration.pixel_size_nm
        self.binning = binning_for(pixel_size_nm, self.denoiser.card) if config.scale == "auto" else 1
        smallest = self.denoiser.smallest_frame_px * self.binning
        if min(series.shape[-2:]) < smallest:
            binned = f", binned {self.binning} x {self.binning} (or not: scale none)" if self.binning > 1 else ""
            raise ImageError(
                f"{series.name}: {series.shape[-2]} x {series.shape[-1]} px is smaller than the {smallest} px that "
                f"{self.denoiser.card.name} has to see{binned}; {cure_of_small_frames(self.denoiser)}"
            )
        self.loader = Loader(series, config, self.denoiser, self.binning)
        self.records: list[FrameRecord] = []

    def run(self, stop: Stop = lambda: False, preview_interval_s: float | None = None) -> Iterator[Report]:
        """The reports of the job, one after each step and each frame, and a DoneReport at the end.

        ``stop`` is read before every step; the running frame is then finished from its best state so far. With
        ``preview_interval_s`` some step reports hold a preview, at most one in that time, and never so many that they
        take more than a quarter of it.
        """
        self.records.clear()
        whole = 0
        shared = self.config.series == "shared"
        clock = Clock(len(self.frames), self.config.steps, shared, preview_interval_s)
        with memory_errors_named(self.device):
            self.denoiser.place(self.device, self.precision)
            walk = self._shared if shared else self._episodic
            for report in walk(clock, stop):
                if isinstance(report, FrameReport):
                    clock.frame_done(report.position)
                    report = replace(report, progress=clock.progress, seconds_left=clock.seconds_left())
                    self.records.append(FrameRecord.of(report))
                    whole += not report.cut_short
                yield report
        yield DoneReport(provenance(self, self.records), stopped=stop() and whole < len(self.frames))

    def _episodic(self, clock: Clock, stop: Stop) -> Iterator[Report]:
        for position, index in enumerate(self.frames):
            if position and stop():
                return
            loaded = self.loader.load(index, position)
            if isinstance(loaded, Constant):
                yield self._constant(loaded)
                continue
            with self._tuned([loaded]) as handle:
                adapted = yield from self._adapt(handle, [loaded], clock, stop)
                self._save(handle, adapted)
                yield self._finish(handle, loaded, adapted, clock)

    def _shared(self, clock: Clock, stop: Stop) -> Iterator[Report]:
        places = np.unique(np.linspace(0, len(self.frames) - 1, SHARED_FRAMES).round().astype(int))
        usable: list[Loaded] = []
        for place in places:
            if usable and stop():
                break
            frame = self.loader.load(self.frames[place], int(place))
            usable += [frame] if isinstance(frame, Loaded) else []
        with self._tuned(usable) as handle:
            adapted = _Adapted()
            if usable:
                adapted = yield from self._adapt(handle, usable, clock, stop)
                self._save(handle, adapted)
            for position, index in enumerate(self.frames):
                if position and stop():
                    return
                loaded = self.loader.load(index, position)
                if isinstance(loaded, Constant):
                    yield self._constant(loaded)
                else:
                    yield self._finish(handle, loaded, adapted, clock)

    @contextmanager
    def _tuned(self, loaded: Sequence[Loaded]) -> Iterator[Handle]:
        """The denoiser, lent for an adaptation to these frames, in the state to start from."""
        with tuned(self.denoiser, self.config.parameters, [frame.noisy.shape for frame in loaded]) as handle:
            if self.start is not None:
                self.start.put_into(handle)
            yield handle

    def _save(self, handle: Handle, adapted: _Adapted) -> None:
        """The state, where it is asked for and there is one: not of a run that was stopped before its first step."""
        if adapted.last.step or not adapted.cut_short:
            save_state(handle, self.config, self.denoiser.card)

    def _constant(self, frame: Constant) -> FrameReport:
        saves = self.config.save_adapted and len(self.frames) == 1
        notes = "; ".join(frame.notes) + (", and no adapted state to save" if saves else "")
        return FrameReport(frame.index, frame.position, len(self.frames), frame.counts, 0, 0, False, notes, None)

    def _adapt(
        self, handle: Handle, loaded: list[Loaded], clock: Clock, stop: Stop
    ) -> Generator[Report, None, _Adapted]:
        """Adapt to the loaded frames, the first of which is shown in previews."""
        first = loaded[0]
        if self.config.steps == 0:
            return _Adapted()

        def halt() -> None:
            if stop():
                raise _Stopped

        @cache
        def look(place: int) -> Tensor:
            with clock.predicting():
                return self._predict(handle, loaded[place], place, halt)

        chance = random_stream(self.config.seed, first.index)
        try:
            task = Tasks(self.series, self.config, self.denoiser, self.binning).of(loaded, look, chance, halt)
        except _Stopped:
            return _Adapted(cut_short=True)
        if task.to_do is None:
            return _Adapted(notes=task.notes, before=look(0))
        (objective, frames), adapted = task.to_do, _Adapted()
        for step in adapt(handle, frames, objective, self.config, chance, stop):
            adapted = _Adapted(step, repr(objective), task.notes, step.cut_short, look(0))
            preview = None
            if clock.preview_due():
                with clock.making_preview():
                    shown = predict(handle.network, handle.seen(first.noisy)) if step.step else look(0)
                    preview = self._on_input_grid(first, shown)
            clock.step_done(first.position, step.step)
            yield StepReport(
                first.index, first.position, len(self.frames), step.step, self.config.steps, step.loss, step.change,
                preview, self.config.series == "shared", clock.progress, clock.seconds_left(),
            )  # fmt: skip
        return adapted

    def _finish(self, handle: Handle, loaded: Loaded, adapted: _Adapted, clock: Clock) -> FrameReport:
        last, notes = adapted.last, list(loaded.notes)
        denoised = adapted.before if self.config.series == "episodic" and last.best_step == 0 else None
        if denoised is None:
            is_hurried = adapted.cut_short and not last.step
            notes += [HURRIED] if is_hurried and self.config.averaging != "none" else []
            with clock.predicting():
                denoised = self._predict(handle, loaded, averaging="none" if is_hurried else "")
        image = self._on_input_grid(loaded, denoised)
        per_pixel = float(loaded.noisy.mean()) / self.binning**2
        dose = per_pixel if self.denoiser.card.intensity_unit == "electrons" else None
        is_first = all(record.scale is None for record in self.records)  # of those that are not constant
        if is_first:
            notes = self._size_notes() + notes
        if is_first or self.config.series == "episodic":
            notes += adapted.notes
            if last.step > 0 and last.best_step == 0:
                notes.append(unchanged_note(last.step, of_state=self.start is not None))
        return FrameReport(
            loaded.index, loaded.position, len(self.frames), image, last.step, last.best_step,
            last.best_step > 0 or self.start is not None, "; ".join(notes), loaded.scale, adapted.objective, dose,
            cut_short=adapted.cut_short,
        )  # fmt: skip

    def _predict(
        self, handle: Handle, loaded: Loaded, place: int = 0, halt: Halt = go_on, averaging: str = ""
    ) -> Tensor:
        """(h, w), in the model's unit; ``place``: of the frame among those that are adapted to together."""
        predict_as_asked = AVERAGING[averaging or self.config.averaging]
        return predict_as_asked(handle.network, handle.seen(loaded.noisy, place), halt=halt)

    def _on_input_grid(self, loaded: Loaded, denoised: Tensor) -> Float32:
        """A denoised frame (h, w) in the model's unit, as the input has it: its unit, its pixels."""
        image = loaded.scale.to_input(denoised.numpy())
        return unbinned(image, self.binning, (self.series.shape[-2], self.series.shape[-1]))

    def _size_notes(self) -> list[str]:
        return pixel_size_notes(self.series.calibration.pixel_size_nm, self.binning, self.denoiser.card)


def random_stream(seed: int, frame: int) -> torch.Generator:
    """Chance for one frame: the same whatever other frames are denoised, and in whatever order."""
    state = np.random.SeedSequence([seed, frame]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
