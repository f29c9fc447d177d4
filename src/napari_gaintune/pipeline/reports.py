"""What a running job tells its shell. A shell draws these; it computes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..image import Float32
from ..noise.intensity import IntensityScale


@dataclass(frozen=True)
class StepReport:
    """After each adaptation step (step 0 is the pre-trained network).

    ``loss`` is the objective on this step's crops, ``validation`` its paired change against the pre-trained network on
    held-out pixels (negative is better; None where it was not evaluated at this step), both in the model's unit squared.
    ``preview`` is the whole denoised frame in the input's unit, where one was made at this step.
    """

    frame: int
    position: int
    frames_total: int
    step: int
    steps: int
    loss: float | None
    validation: float | None
    preview: Float32 | None
    seconds_left: float | None


@dataclass(frozen=True)
class FrameReport:
    """A finished frame: ``image`` (h, w) float32 in the input's unit, ``frame`` its index in the series.

    ``improved`` is False where no step beat the pre-trained network on held-out pixels: the image is then the
    pre-trained network's. ``message`` says what a user should know of this frame ("" mostly). ``scale`` is the map from
    the input's unit to the model's, None for a constant frame, which is returned as it is.
    """

    frame: int
    position: int
    frames_total: int
    image: Float32
    steps_run: int
    best_step: int
    improved: bool
    message: str
    scale: IntensityScale | None


@dataclass(frozen=True)
class DoneReport:
    """The end of a job, also of a stopped one: the recipe that led to the frames reported before."""

    provenance: dict[str, Any]
    stopped: bool


Report = StepReport | FrameReport | DoneReport
