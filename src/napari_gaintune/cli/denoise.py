"""``napari-gaintune denoise``."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..adaptation.config import checked
from ..errors import GaintuneError, OutputError
from ..pipeline.config import DenoiseConfig
from ..pipeline.reports import GUESS, DoneReport, FrameReport, Report
from .flags import AsJson, Switch, as_flags, plain
from .interrupts import Interrupts
from .outcome import BAD_REQUEST, DONE, FAILED, INTERRUPTED, complain, spoken_frames, spoken_time
from .progress import Progress

FRAME_FIELDS = ("frame", "steps_run", "best_step", "adapted", "message", "dose_e_per_px")
DEFAULTS = checked(DenoiseConfig, {})

if TYPE_CHECKING:
    Settings = DenoiseConfig
else:
    Settings = as_flags(DenoiseConfig)


def denoise(
    image: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    settings: Settings = DEFAULTS,
    dataset: int | None = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> int:
    """Denoise an image or a series of frames, each frame with the network adapted to it.

    The result is an OME-TIFF of 32-bit floats in the unit of the input (counts stay counts), with the input's pixel
    size, and the recipe of how it was made inside. The input is never changed.

    Ctrl-C ends after the current step and keeps every finished frame. Exit code: 0 done, 1 failed while running, 2 bad
    input or setting, 130 interrupted.

    Parameters
    ----------
    image
        TIFF, MRC or NumPy file, or a folder with one image per frame; with hyperspy and rosettasciio installed also
        .dm3 .dm4 .emd .hspy .ser .tvips and others.
    output
        The file to write, ending in .ome.tif or .tif.
    dataset
        Which of several images in an .emd or .hspy file, counted from 0.
    overwrite
        Replace the output file if it exists.
    as_json
        Print one JSON object on standard output at the end, and nothing else there.
    """
    from ..io import open_series
    from ..pipeline.frames import select_frames, selection_of
    from ..pipeline.save import denoise_to_file

    started = time.perf_counter()
    config = plain(DenoiseConfig, settings)
    with Interrupts() as asked:
        series = open_series(image, dataset)
        reports = denoise_to_file(series, config, output, overwrite, asked)
        followed = follow(reports, Progress())
    left = select_frames(config.frames, len(series))[len(followed.frames) :]
    mended = ", once this is mended" if followed.error is not None else ""
    rest = f"; for the rest{mended}: --frames {selection_of(left, len(series))}, another --output" if left else ""
    return tell(followed, output, rest, time.perf_counter() - started, as_json)


@dataclass
class Followed:
    """What a job has reported: its frames without their pixels, its end, or the error that ended it."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    frames_total: int = 0
    done: DoneReport | None = None
    error: GaintuneError | None = None


def follow(reports: Generator[Report, None, None], progress: Progress) -> Followed:
    """Draw the reports until the job ends, by itself, by an error or by a second Ctrl-C."""
    followed = Followed()
    with progress:
        try:
            with closing(reports):  # however it ends, the file is brought to its name while errors can be told
                for report in reports:
                    if isinstance(report, FrameReport):
                        followed.frames.append({name: getattr(report, name) for name in FRAME_FIELDS})
                    if isinstance(report, DoneReport):
                        followed.done = report
                    else:
                        followed.frames_total = report.frames_total
                    progress.update(report)
        except GaintuneError as error:
            followed.error = error
        except KeyboardInterrupt:
            followed.done = None
    return followed


def tell(followed: Followed, output: Path, rest: str, seconds: float, as_json: bool) -> int:
    """Say how the job ended, in which file, and how to have the rest; returns the exit code."""
    frames, done = followed.frames, followed.done
    kept = f"{spoken_frames([f['frame'] for f in frames])} of {followed.frames_total} in {output}{rest}"
    if followed.error is not None:
        message = (
            f"{followed.error}; kept: {kept}"
            if frames and not isinstance(followed.error, OutputError)
            else str(followed.error)
        )
        asked_wrongly = isinstance(followed.error, ValueError) or not followed.frames_total
        return complain(message, BAD_REQUEST if asked_wrongly else FAILED)
    if as_json and done is not None:
        told = {"output": str(output) if frames else None, "frames": frames, "stopped": done.stopped}
        print(json.dumps(told | {"provenance": done.provenance, "seconds": round(seconds, 3)}, indent=2))
    if done is None or done.stopped:
        return complain(f"interrupted; kept: {kept}" if frames else "interrupted; nothing was written", INTERRUPTED)
    if not as_json:
        asked = done.provenance["settings"]["steps"] > 0
        unchanged = sum(not frame["adapted"] for frame in frames) if asked else 0
        count = f"{len(frames)} frame" + ("s" if len(frames) > 1 else "")
        as_it_is = f"; the pre-trained network's result was kept for {unchanged} of {len(frames)}" if unchanged else ""
        print(f"{output}: {count}{spoken_dose(frames)} in {spoken_time(seconds)}{as_it_is}")
        print(spoken_model(done.provenance["model"]))
        if guesses := sum(GUESS in frame["message"] for frame in frames):
            print(
                f"{'the result' if guesses == len(frames) else f'the result of {guesses} frames'} is a guess: see above"
            )
    return DONE


def spoken_model(model: dict[str, Any]) -> str:
    """Which model it was, why, and whether it saw the frames binned."""
    binning = f"; frames binned {model['binning']} x {model['binning']} for it" if model["binning"] > 1 else ""
    return f"model {model['name']}, {model['reason']}{binning}"


def spoken_dose(frames: list[dict[str, Any]]) -> str:
    """What the frames were taken for: an estimate, unless the detector gain was given."""
    doses = [frame["dose_e_per_px"] for frame in frames if frame["dose_e_per_px"] is not None]
    if not doses:
        return ""
    low, high = (f"{dose:.2g}" for dose in (min(doses), max(doses)))
    of = " taken for" if any(GUESS in frame["message"] for frame in frames) else " of"
    return f"{of} {low} e⁻/px" if low == high else f"{of} {low} to {high} e⁻/px"
