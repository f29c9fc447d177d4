"""The recipe of a result: everything needed to make it again."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from ..adaptation.crops import crop_size
from ..adaptation.parameters import step_size
from ..errors import GaintuneError, ImageError
from ..image import FrameSeries, Nonfinite
from ..noise.intensity import IntensityScale
from .reports import FrameReport

if TYPE_CHECKING:
    from .job import DenoiseJob


@dataclass(frozen=True)
class FrameRecord:
    """A frame's report without its image."""

    frame: int
    scale: IntensityScale | None
    steps_run: int
    best_step: int
    objective: str
    dose_e_per_px: float | None
    message: str

    @classmethod
    def of(cls, report: FrameReport) -> FrameRecord:
        return cls(
            report.frame,
            report.scale,
            report.steps_run,
            report.best_step,
            report.objective,
            report.dose_e_per_px,
            report.message,
        )


def provenance(job: DenoiseJob, records: Sequence[FrameRecord]) -> dict[str, Any]:
    """What a result was made of and how, JSON-able, without a date."""
    card, series = job.denoiser.card, job.series
    return {
        "program": "napari-gaintune",
        "settings": job.config.model_dump(mode="json"),
        "model": {
            "name": card.name,
            "architecture": card.architecture,
            "sha256": card.sha256,
            "reason": job.choice.reason or "named by the user",
            "binning": job.binning,
            "adapted": job.start.sha256 if job.start else None,
        },
        "learning_rate": step_size(job.config.parameters, job.config.learning_rate),
        "crop_size_px": crop_size(job.config.crop_size_px, job.denoiser.network),
        "input": {
            "name": series.name,
            "shape": list(series.shape),
            "dtype": str(series.dtype),
            "axes": series.calibration.axes,
            "scale": list(series.calibration.scale),
            "units": list(series.calibration.units),
            "hash": _hash(series),
        },
        "frames": [asdict(record) for record in records],
        "machine": {
            "device": str(job.device),
            "precision": str(job.precision).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "processor": platform.machine(),
        },
        "versions": {
            "napari-gaintune": version("napari-gaintune"),
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
    }


@dataclass(frozen=True)
class Made:
    """How a frame of a result came about: frame ``frame`` of the recording, the ``position``-th of the result.

    ``scale`` takes the input's unit to electrons per pixel, None where it is not known; ``is_estimated``: from the noise of
    this frame. Up to ``learned_nearby`` frames on either side were learned from, and with ``learned_elsewhere`` others, of
    which nothing is known.
    """

    frame: int
    position: int
    scale: IntensityScale | None = None
    is_estimated: bool = False
    learned_nearby: int = 0
    learned_elsewhere: bool = False
    nonfinite: Nonfinite = "error"


def made_frames(recipe: dict[str, Any]) -> list[Made]:
    """Every frame of a result, in its order, from its recipe. Raises ImageError where that lacks something."""
    try:
        return [_made(position, record, recipe) for position, record in enumerate(recipe["frames"])]
    except (KeyError, TypeError) as error:
        raise ImageError(
            f"the result's recipe is not one of a finished run (of {error} it says nothing); denoise again"
        ) from error


def _made(position: int, record: dict[str, Any], recipe: dict[str, Any]) -> Made:
    settings, model = recipe["settings"], recipe["model"]
    scale = None
    if record["scale"] and record["dose_e_per_px"] is not None:  # else the model does not count electrons
        scale = IntensityScale(**record["scale"])
        scale = replace(scale, per_unit=scale.per_unit * model["binning"] ** 2)  # it is that of the binned frame
    by_others = record["objective"].startswith("NextFrame")
    return Made(
        record["frame"],
        position,
        scale,
        is_estimated=not settings["detector_gain"],
        learned_nearby=settings["nearby_frames"] if by_others else 0,
        learned_elsewhere=bool(model["adapted"]) or (settings["series"] == "shared" and record["steps_run"] > 0),
        nonfinite=settings["nonfinite"],
    )


def _hash(series: FrameSeries) -> str | None:
    """The input's hash, None where a frame cannot be read: that must not cost the frames that were denoised."""
    try:
        return series.fingerprint()
    except (GaintuneError, OSError):
        return None
