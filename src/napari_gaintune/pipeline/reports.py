"""What a running job tells its shell. A shell draws these; it computes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..image import Float32
from ..noise.intensity import IntensityScale

GUESS = "the result is a guess"  # in the message of a frame that its model does not know


@dataclass(frozen=True)
class StepReport:
    """After each adaptation step (step 0 is the pre-trained network).

    ``loss`` is the objective on this step's crops, ``validation`` its paired change against the pre-trained network on
    the pixels it is judged on (negative is better; None where it was not judged at this step), both in the model's unit
    squared.
    ``preview`` is the whole denoised frame in the input's unit, where one was made at this step. With ``shared`` the
    adaptation serves all frames, and ``frame`` is the one to be seen in previews. ``progress`` is the part of the whole
    job that is done, 0 to 1; ``seconds_left`` the time for the rest, None while nothing is known of it.
    """

    frame: int
    position: int
    frames_total: int
    step: int
    steps: int
    loss: float | None
    validation: float | None
    preview: Float32 | None = field(repr=False)
    shared: bool = False
    progress: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class FrameReport:
    """A finished frame: ``image`` (h, w) float32 in the input's unit, ``frame`` its index in the series.

    ``adapted`` is False where the image is the pre-trained network's, because no step beat it. True is no proof of a better
    image. ``cut_short``: the adaptation was stopped before its end. ``message`` says what a user should know of this frame
    ("" mostly). ``scale`` is the map from the input's unit to the model's, None for a constant frame, which is returned
    as it is. ``objective`` is what the network was tuned by, with its noise in the model's unit, "" for nothing.
    ``dose_e_per_px`` is the frame's mean by that scale, None for a model that does not count electrons. ``progress`` and
    ``seconds_left`` as in a StepReport.
    """

    frame: int
    position: int
    frames_total: int
    image: Float32 = field(repr=False)
    steps_run: int
    best_step: int
    adapted: bool
    message: str
    scale: IntensityScale | None
    objective: str = ""
    dose_e_per_px: float | None = None
    progress: float = 0.0
    seconds_left: float | None = None
    cut_short: bool = False


@dataclass(frozen=True)
class DoneReport:
    """The end of a job, also of a stopped one: the recipe that led to the frames reported before."""

    provenance: dict[str, Any]
    stopped: bool


Report = StepReport | FrameReport | DoneReport
