"""The demonstration: the bundled series denoised as any other, scored against its truth, and drawn."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from ..adaptation.config import checked
from ..errors import OutputError
from ..evaluation.baselines import best_gaussian_blur, bragg_filtered, flat_mean
from ..evaluation.metrics import psnr, ssim
from ..examples import example_path, example_truth
from ..image import Array, Float32
from ..io import SeriesWriter, open_series
from .config import DenoiseConfig
from .figure import Panel, side_by_side
from .job import DenoiseJob, Stop
from .reference import RunningReference
from .reports import DoneReport, FrameReport, Report
from .save import chosen_axes

# The one place where the demonstration is set up. It has to end within three minutes on two CPU cores.
SETTINGS: dict[str, Any] = {"objective": "auto", "series": "shared", "steps": 60, "seed": 0}

PROGRAM = "napari-gaintune demo"
SCORES_FILE = "scores.json"
FILES = ("denoised.ome.tif", "comparison.png", SCORES_FILE)


@dataclass(frozen=True)
class Stage:
    """The reports that follow are those of this part of the demonstration."""

    title: str
    config: DenoiseConfig


@dataclass(frozen=True)
class Score:
    """Means over the chosen frames, against the truth: PSNR in dB (peak 1 electron per pixel, unclamped) and SSIM."""

    image: str
    psnr_db: float
    ssim: float
    note: str = ""


@dataclass(frozen=True)
class DemoReport:
    """The end: what every image scored, and the files written."""

    scores: tuple[Score, ...]
    files: tuple[Path, ...]


class Demo:
    """The demonstration, to be written into ``folder`` (made if it is missing).

    Files of an earlier demonstration there are replaced if they are unchanged. Raises OutputError, before any work, if
    a file of that name is anything else, and another GaintuneError if the job cannot be done.
    """

    def __init__(self, folder: Path, config: DenoiseConfig | None = None) -> None:
        self.folder = folder.expanduser()
        check_folder(self.folder)
        self.config = config or checked(DenoiseConfig, SETTINGS)
        self.series = open_series(example_path())
        self._pretrained = DenoiseJob(self.series, self.config.model_copy(update={"steps": 0}))
        self._tuned = DenoiseJob(self.series, self.config)

    def run(self, stop: Stop = lambda: False) -> Iterator[Report | Stage | DemoReport]:
        """Reports of both jobs, each after its Stage, and a DemoReport. Once ``stop`` is true nothing is written."""
        truth = example_truth()[self._tuned.frames]
        pretrained, tuned = np.empty_like(truth), np.empty_like(truth)
        yield Stage("pre-trained", self._pretrained.config)
        yield from _collect(self._pretrained, pretrained, stop)
        if stop():
            return
        yield Stage("GainTuned", self.config)
        recipe = yield from _collect(self._tuned, tuned, stop)
        if stop():
            return
        images = self._rivals(truth) | {"pre-trained": (pretrained, ""), "GainTuned": (tuned, "")}
        scores = tuple(_score(name, image, truth, note) for name, (image, note) in images.items())
        shown = {name: images[name][0] for name in ("noisy", "pre-trained", "GainTuned", "averaged reference")}
        picture = self._draw(shown | {"truth": truth}, scores)
        yield DemoReport(scores, self._write(tuned, recipe, scores, picture))

    def _rivals(self, truth: Float32) -> dict[str, tuple[Array, str]]:
        """What the denoised frames are to be compared with, and a note on each."""
        every = np.stack([self.series.frame(index) for index in range(len(self.series))])
        noisy, others = every[self._tuned.frames], len(every) - 1
        blur, sigma_px = best_gaussian_blur(noisy, truth)
        noise_db = -10 * np.log10(truth.mean() / others)
        about = f"mean of the {others} other frames, aligned; its noise alone: {noise_db:.1f} dB"
        return {
            "noisy": (noisy, ""),
            "flat (mean)": (flat_mean(noisy), ""),
            "Gaussian blur": (blur, f"sigma {sigma_px:.1f} px, the best, chosen by the truth"),
            "Bragg filter": (
                np.stack([bragg_filtered(frame) for frame in noisy]),
                "a mask around the spots, untrained",
            ),
            "averaged reference": (_references(every)[self._tuned.frames], about),
        }

    def _draw(self, shown: dict[str, Array], scores: tuple[Score, ...]) -> Image.Image:
        """The middle one of the frames in every version: the denoised ones, reference and truth in one grey range."""
        place = len(self._tuned.frames) // 2
        frames = {name: image[place] for name, image in shown.items()}
        truth = frames["truth"]
        common = (float(truth.min()), float(np.percentile(truth, 99.8)))
        counts = (0.0, float(np.percentile(frames["noisy"], 99.8)))
        captions = {score.image: f"{score.psnr_db:.1f} dB   SSIM {score.ssim:.2f}" for score in scores}
        panels = [
            Panel(name, captions.get(name, ""), frame, counts if name == "noisy" else common)
            for name, frame in frames.items()
        ]
        footer = (
            f"{self.series.name}, frame {self._tuned.frames[place]}: {truth.mean():.2f} electrons per pixel. "
            f"PSNR (peak 1) and SSIM: mean over {len(shown['truth'])} frames. "
            f"Grey: {common[0]:.2f} to {common[1]:.2f} electrons per pixel, noisy 0 to {counts[1]:g}."
        )
        pixel_size_nm = self.series.calibration.pixel_size_nm
        return side_by_side(panels, footer, pixel_size_nm[1] if pixel_size_nm else None)

    def _write(
        self, tuned: Float32, recipe: dict[str, Any], scores: tuple[Score, ...], picture: Image.Image
    ) -> tuple[Path, ...]:
        """All files are made in a folder of their own and then moved to their places, one rename each."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".demo-", dir=self.folder) as workshop:
                made = [Path(workshop) / name for name in FILES]
                shape, calibration = chosen_axes(self.series, self._tuned.frames)
                with SeriesWriter(made[0], shape, calibration, source=self.series) as writer:
                    writer.recipe = recipe
                    for frame in tuned:
                        writer.write(frame)
                picture.save(made[1], optimize=True)
                told = {
                    "program": PROGRAM,
                    "scores": [asdict(score) for score in scores],
                    "recipe": recipe,
                    "files": {path.name: _sha256(path) for path in made[:2]},
                }
                made[2].write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
                check_folder(self.folder)
                return tuple(path.replace(self.folder / path.name) for path in made)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(
                f"{self.folder}: cannot be written ({error}); choose another folder (--output)"
            ) from error


def check_folder(folder: Path) -> None:
    """Raises OutputError unless a demonstration may write into ``folder``.

    Whatever it would replace there must be a demonstration's own file, unchanged since.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise OutputError(f"{nearest}: is a file, not a folder; choose another folder (--output)")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{nearest}: may not be written to; choose another folder (--output)")
    vouched = _vouched(folder / SCORES_FILE)
    for name in FILES:
        path = folder / name
        if os.path.lexists(path) and not (path.is_file() and _is_vouched(path, vouched)):
            raise OutputError(
                f"{path}: was not made by the demonstration, or was changed since, and is left alone; move it away, or "
                "choose another folder (--output)"
            )


def _collect(job: DenoiseJob, into: Float32, stop: Stop) -> Generator[Report, None, dict[str, Any]]:
    """Run ``job``, its frames ``into`` (frames, h, w); returns the recipe."""
    recipe: dict[str, Any] = {}
    for report in job.run(stop):
        if isinstance(report, FrameReport):
            into[report.position] = report.image
        elif isinstance(report, DoneReport):
            recipe = report.provenance
        yield report
    return recipe


def _references(noisy: Array) -> Float32:
    """Each frame's drift-corrected average of all the others."""
    running = RunningReference(noisy.shape[-2:])
    for frame in noisy:
        running.add(frame)
    return np.stack([running.without(index, frame) for index, frame in enumerate(noisy)])


def _score(name: str, image: Array, truth: Float32, note: str) -> Score:
    pairs = list(zip(image, truth, strict=True))
    return Score(name, float(np.mean([psnr(*p) for p in pairs])), float(np.mean([ssim(*p) for p in pairs])), note)


def _vouched(scores_path: Path) -> dict[str, str] | None:
    """Hashes of the files an earlier demonstration left, None if there is no account of one."""
    try:
        told = json.loads(scores_path.read_bytes())
        return dict(told["files"]) if told["program"] == PROGRAM else None
    except (OSError, ValueError, TypeError, LookupError):
        return None


def _is_vouched(path: Path, vouched: dict[str, str] | None) -> bool:
    return vouched is not None and (path.name == SCORES_FILE or vouched.get(path.name) == _sha256(path))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
