"""Denoise straight into a file, one frame in memory at a time; whatever happens, finished frames are kept."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from ..image import Calibration, FrameSeries
from ..io import SeriesWriter, check_output
from .config import DenoiseConfig
from .job import DenoiseJob, Stop
from .provenance import provenance
from .reports import DoneReport, FrameReport, Report


def denoise_to_file(
    series: FrameSeries,
    config: DenoiseConfig,
    out: str | Path,
    overwrite: bool = False,
    stop: Stop = lambda: False,
) -> Generator[Report, None, None]:
    """Denoise ``series`` as ``config`` says into the OME-TIFF ``out``, float32 in the input's unit, recipe inside.

    All that can be checked is checked here, before any work: first the output (its suffix, folder, an existing file
    without ``overwrite``, the input itself), then the job. The iterator then does the work. A FrameReport is yielded
    only for a frame that is in the file, after it is. The file takes its name at the end, also when ``stop`` turns
    true, an error ends the job or the iterator is closed: it then holds the frames finished so far. A frame in which
    the adaptation was cut short is not among them, unless it was the only one to do, and had its first step. With no
    frame finished no file is left.

    The shape is the input's where all frames are chosen, else (frames, height, width). Raises a GaintuneError.
    """
    path = check_output(out, series, overwrite)
    return _run(DenoiseJob(series, config), path, overwrite, stop)


def _run(job: DenoiseJob, path: Path, overwrite: bool, stop: Stop) -> Generator[Report, None, None]:
    shape, calibration = chosen_axes(job.series, job.frames)
    written, stopped = 0, False
    with SeriesWriter(path, shape, calibration, source=job.series, overwrite=overwrite, name=job.series.name) as writer:
        try:
            for report in job.run(stop):
                if isinstance(report, DoneReport):
                    kept = report.provenance["frames"][:written]
                    writer.recipe = report.provenance | {"frames": kept}
                    report = DoneReport(writer.recipe, stopped or written < len(job.frames))
                elif isinstance(report, FrameReport):
                    if report.cut_short:
                        stopped = True
                        if len(job.frames) > 1 or report.steps_run == 0:
                            continue
                    writer.write(report.image)
                    written += 1
                yield report
        finally:
            if writer.recipe is None:  # an error, or a shell that listens no more
                writer.recipe = provenance(job, job.records[:written])


def chosen_axes(series: FrameSeries, frames: Sequence[int]) -> tuple[tuple[int, ...], Calibration]:
    """Shape and calibration of some frames of a series: its own for all of them, else (frames, height, width).

    The chosen frames of a plain series keep their places on its axis; those of a stack of stacks are just numbered.
    """
    if len(frames) == len(series):
        return series.shape, series.calibration
    shape = (len(frames), *series.shape[-2:])
    if len(series.shape) > 3:
        last = series.calibration.last(2)
        numbered = Calibration("T" + last.axes, (1.0, *last.scale), ("", *last.units), (0.0, *last.origin))
        return shape, numbered
    old = series.calibration
    every = frames[1] - frames[0] if len(frames) > 1 else 1
    scale = (old.scale[0] * every, *old.scale[1:])
    origin = (old.origin[0] + frames[0] * old.scale[0], *old.origin[1:])
    return shape, replace(old, scale=scale, origin=origin)
