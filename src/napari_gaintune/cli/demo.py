"""``napari-gaintune demo``."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GaintuneError
from .flags import AsJson
from .interrupts import Interrupts
from .outcome import DONE, FAILED, INTERRUPTED, complain, spoken_time
from .progress import Progress

if TYPE_CHECKING:
    from ..pipeline.config import DenoiseConfig
    from ..pipeline.demo import DemoReport


def demo(*, output: Path = Path("demo-output"), as_json: AsJson = False) -> int:
    """Denoise the bundled example and show what each method scores.

    Frames of a simulated HRTEM series of a cobalt particle, 0.45 electrons per pixel and frame, are denoised by the
    pre-trained network and by the network adapted to them (GainTuning), and scored against the noise-free truth.
    Writes the denoised frames, a picture for comparison and the scores. Half a minute to three minutes on two cores.

    Parameters
    ----------
    output
        The folder to write into. Files of an earlier demo there are replaced, others never.
    as_json
        Print one JSON object on standard output at the end, and nothing else there.
    """
    from ..pipeline.demo import Demo, DemoReport, Stage

    started = time.perf_counter()
    end = None
    with Interrupts() as asked, Progress(every_frame=False) as progress:
        demonstration = Demo(output)
        try:
            for report in demonstration.run(asked):
                if isinstance(report, Stage):
                    progress.begin(report.title)
                elif isinstance(report, DemoReport):
                    end = report
                else:
                    progress.update(report)
        except GaintuneError as error:
            return complain(str(error), FAILED)
    if end is None:
        return complain("interrupted; nothing was written", INTERRUPTED)
    tell(end, demonstration.config, time.perf_counter() - started, as_json)
    return DONE


def tell(end: DemoReport, config: DenoiseConfig, seconds: float, as_json: bool) -> None:
    """Print scores, settings and files."""
    if as_json:
        told = {
            "scores": [asdict(score) for score in end.scores],
            "settings": config.model_dump(mode="json"),
            "files": [str(path) for path in end.files],
            "seconds": round(seconds, 3),
        }
        print(json.dumps(told, indent=2))
        return
    names = ("model", "frames", "objective", "series", "steps", "crop_size_px", "seed")
    print("settings: " + ", ".join(f"{name} {getattr(config, name)}" for name in names))
    print(f"\n{'mean over the frames':<20}  PSNR (dB)   SSIM")
    for score in end.scores:
        print(f"{score.image:<20}  {score.psnr_db:9.2f}  {score.ssim:5.3f}  {score.note}".rstrip())
    print("PSNR with a peak of 1 electron per pixel; the truth is the simulation without noise.\n")
    print("\n".join(str(path) for path in end.files))
    print(spoken_time(seconds))
