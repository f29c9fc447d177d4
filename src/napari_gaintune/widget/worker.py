"""Work in a thread beside the viewer's: it leaves messages, the dock collects them. No Qt in here."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GaintuneError
from ..image import Float32, FrameSeries
from ..models.card import ModelCard
from ..pipeline.config import DenoiseConfig
from ..pipeline.reports import FrameReport, Report, StepReport

if TYPE_CHECKING:
    from ..pipeline.check import Check
    from ..pipeline.reference import ReferenceStack

Stop = Callable[[], bool]
PREVIEW_INTERVAL_S = 0.25


@dataclass(frozen=True)
class Machine:
    """What this computer offers; ``no_cuda`` says why there is no CUDA device."""

    cards: list[ModelCard]
    cuda_devices: dict[str, str]
    no_cuda: str


@dataclass(frozen=True)
class Preparing:
    """What happens before the first frame."""

    text: str


@dataclass(frozen=True)
class Planned:
    """The frames that will be denoised."""

    frames: list[int]


@dataclass(frozen=True)
class Averaged:
    """Each frame's average over the others, and every frame's drift (y, x) in px."""

    stack: ReferenceStack
    drifts_px: list[tuple[int, int]]


@dataclass(frozen=True)
class Saved:
    """A result lies on the disk."""

    path: Path


@dataclass(frozen=True)
class Checked:
    """What the counts say of a denoised frame."""

    found: Check


@dataclass(frozen=True)
class Failed:
    """The work ended early; ``message`` says why, and what to do."""

    message: str


Message = Machine | Preparing | Planned | Averaged | Saved | Checked | Failed | Report
Work = Callable[[Stop], Iterator[Message]]


class Worker:
    """Runs ``work`` in one thread until it ends, fails or is cancelled."""

    def __init__(self, work: Work, closing: threading.Event) -> None:
        self.cancelled = False
        self._work, self._closing = work, closing
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._thread = threading.Thread(target=self._run, name="napari-gaintune")
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask for an early end; the work returns the best it has."""
        self.cancelled = True

    def take(self) -> list[Message]:
        """The messages since the last call, oldest first; of pictures not yet shown only the latest preview is kept."""
        with self._lock:
            messages, self._messages = self._messages, []
        return messages

    def _stop(self) -> bool:
        # A thread that outlives the interpreter's main thread would keep a closed program in memory.
        return self.cancelled or self._closing.is_set() or not threading.main_thread().is_alive()

    def _run(self) -> None:
        try:
            for message in self._work(self._stop):
                self._put(message)
        except GaintuneError as error:
            self._put(Failed(str(error)))
        except MemoryError:
            self._put(Failed("Out of memory: denoise fewer frames at a time, or close other programs."))
        except Exception as error:  # whatever it is, the dock must become usable again and say it
            logging.getLogger(__name__).exception("a worker failed")
            self._put(
                Failed(f"Unexpected {type(error).__name__}: {error}. Please report it with the terminal's output.")
            )

    def _put(self, message: Message) -> None:
        with self._lock:
            if isinstance(message, FrameReport) or (isinstance(message, StepReport) and message.preview is not None):
                self._messages = [without_preview(earlier) for earlier in self._messages]
            self._messages.append(message)


def without_preview(message: Message) -> Message:
    """Nobody looks at a preview once a newer picture waits."""
    if isinstance(message, StepReport) and message.preview is not None:
        return replace(message, preview=None)
    return message


def look_around(stop: Stop) -> Iterator[Message]:
    """Load torch, which takes seconds, and report models and devices."""
    yield Preparing("Loading PyTorch …")
    import torch

    from ..models.catalogue import list_models
    from ..models.device import why_no_cuda

    reason = why_no_cuda()
    count = 0 if reason else torch.cuda.device_count()
    devices = {f"cuda:{index}": torch.cuda.get_device_name(index) for index in range(count)}
    yield Machine(list_models(), devices, reason)


def denoise_series(series: FrameSeries, config: DenoiseConfig, with_reference: bool) -> Work:
    """The work of one press on Run."""

    def work(stop: Stop) -> Iterator[Message]:
        yield Preparing("Loading the model …")
        from ..pipeline.job import DenoiseJob

        job = DenoiseJob(series, config)
        yield Planned(job.frames)
        if with_reference and len(series) > 1:
            yield from average_series(series, stop)
        yield from job.run(stop, PREVIEW_INTERVAL_S)

    return work


def average_series(series: FrameSeries, stop: Stop) -> Iterator[Message]:
    """The drift-corrected average, frame by frame; nothing if stopped before its end."""
    from ..pipeline.reference import ReferenceStack, RunningReference

    running = RunningReference(series.shape[-2:])
    for index in range(len(series)):
        if stop():
            return
        yield Preparing(f"Averaging frame {index + 1} of {len(series)} …")
        running.add(series.frame(index))
    yield Averaged(ReferenceStack(series, running), list(running.drifts_px))


def save_frames(
    path: Path,
    result: FrameSeries,
    frames: list[int],
    recipe: dict[str, Any],
    source: Path | None,
    overwrite: bool,
) -> Work:
    """Write the chosen frames of a result as OME-TIFF."""

    def work(stop: Stop) -> Iterator[Message]:
        from ..io import SeriesWriter
        from ..pipeline.save import chosen_axes

        yield Preparing(f"Writing {path.name} …")
        shape, calibration = chosen_axes(result, frames)
        with SeriesWriter(path, shape, calibration, source=source, overwrite=overwrite) as writer:
            writer.recipe = recipe
            for frame in frames:
                writer.write(result.frame(frame))
        yield Saved(path)

    return work


class _Halted(Exception):  # noqa: N818 - no error
    """Nobody waits for the result any more."""


def check_frame(noisy: FrameSeries, image: Float32, frame: int, recipe: dict[str, Any]) -> Work:
    """Hold a denoised frame against the counts."""

    def work(stop: Stop) -> Iterator[Message]:
        from ..pipeline.check import check_by_recipe

        def halt() -> None:
            if stop():
                raise _Halted

        with contextlib.suppress(_Halted):
            yield Checked(check_by_recipe(noisy, image, frame, recipe, halt))

    return work
