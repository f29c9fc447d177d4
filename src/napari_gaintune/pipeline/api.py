"""The Python face: one call for an image, a series, a layer or a signal."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import numpy as np

from ..adaptation.config import checked
from ..image import Float32, FrameSeries
from ..io import SeriesWriter, series_from
from .config import DenoiseConfig
from .job import DenoiseJob
from .reports import DoneReport, FrameReport, StepReport
from .save import chosen_axes


@dataclass(frozen=True)
class Result:
    """What a denoising gave.

    ``image`` float32 in the input's unit and shape, (frames, h, w) where only some frames were chosen; ``history`` the
    step reports; ``frames`` the frames' reports; ``provenance`` the recipe; ``source`` the input as a series of frames.
    """

    image: Float32 = field(repr=False)
    history: tuple[StepReport, ...] = field(repr=False)
    frames: tuple[FrameReport, ...]
    provenance: dict[str, Any] = field(repr=False)
    source: FrameSeries = field(repr=False)

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write ``image`` as OME-TIFF, float32, with the input's calibration and the recipe inside.

        Raises OutputError if the file exists and ``overwrite`` is false, if it is the input, or cannot be written.
        """
        shape, calibration = chosen_axes(self.source, [report.frame for report in self.frames])
        with SeriesWriter(path, shape, calibration, source=self.source, overwrite=overwrite) as writer:
            writer.recipe = self.provenance
            for frame in self.image.reshape(-1, *shape[-2:]):
                writer.write(frame)


def denoise(image: Any, **settings: Any) -> Result:
    """Denoise an image or a series with a pre-trained network adapted to it.

    ``image`` is a numpy or dask array (h, w) or (..., h, w), a napari layer, a hyperspy Signal2D, or a path; integers or
    floats in any unit. ``settings`` are the fields of ``DenoiseConfig``: model, objective, steps, frames, seed, device
    and more (``help(DenoiseConfig)``). What a user should know of a frame is logged as a warning. The result holds all
    chosen frames in memory; for long series use ``napari_gaintune.pipeline.save.denoise_to_file``. Raises ImageError,
    SettingError, ModelError, NoiseModelError or DeviceError before any work where the cause can be known.
    """
    series = series_from(image)
    job = DenoiseJob(series, checked(DenoiseConfig, settings))
    out = np.empty((len(job.frames), *series.shape[-2:]), np.float32)
    history: list[StepReport] = []
    frames: list[FrameReport] = []
    recipe: dict[str, Any] = {}
    for report in job.run():
        if isinstance(report, StepReport):
            history.append(report)
        elif isinstance(report, FrameReport):
            out[report.position] = report.image
            frames.append(report)
            if report.message:
                logging.getLogger(__name__).warning("%s, frame %d: %s", series.name, report.frame, report.message)
        elif isinstance(report, DoneReport):
            recipe = report.provenance
    whole = len(job.frames) == len(series)
    return Result(out.reshape(series.shape) if whole else out, tuple(history), tuple(frames), recipe, job.series)


def _signature() -> Signature:
    """What ``help(denoise)`` shows: every setting by name, as the one list of settings has it."""
    settings = Signature.from_callable(DenoiseConfig).parameters.values()
    return Signature([Parameter("image", Parameter.POSITIONAL_OR_KEYWORD), *settings], return_annotation=Result)


denoise.__signature__ = _signature()  # type: ignore[attr-defined]
