"""Every way to adapt, on frames of a material that no model has seen: at equal time, and at the same number of steps.

    python benchmarks/methods.py [--model unet-hrtem] [--frames 0 13 26 39] [--steps 100] [--images sets/hrtem-validation]

The frames are those of the bundled series (Co on ZnO, 0.45 e-/px); with --images the first ones of a simulated set in their
stead, at --dose. A run is a method, or PARAMETERS/OBJECTIVE, after an @ with a learning rate that is not its own. Each is
run for --steps steps, and then for as many as take the time that GainTuning takes for its own number of steps on this
machine in this run. PSNR with a peak of 1 e-/px, the mean over the frames, and the change against the pre-trained network.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_gaintune import denoise
from napari_gaintune.evaluation.baselines import best_gaussian_blur, flat_mean
from napari_gaintune.evaluation.metrics import psnr, ssim
from napari_gaintune.examples import example_path, example_truth
from napari_gaintune.image import Float32
from napari_gaintune.io import open_series

RUNS = (
    "gaintuning", "channel-gains/sure", "channel-gains/blind-spot-masked", "channel-gains/restored",
    "channel-gains/zs-n2n", "channel-gains/neighbor2neighbor", "last-layer/sure@1e-4", "first-layer/sure@1e-4",
    "all-weights/sure", "all-weights/sure@1e-4", "all-weights/resampling@1e-4", "restore-from-restored", "lan",
    "input-offset/neighbor2neighbor", "input-offset/sure",
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A noisy frame, and what it would be without noise; (h, w) float32, in electrons per pixel."""

    noisy: Float32
    truth: Float32


@dataclass(frozen=True)
class Outcome:
    """Mean figures over the frames; seconds are per frame."""

    psnr_db: float
    ssim: float
    change_db: float
    worst_db: float
    kept: int
    seconds: float


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)  # what the program tells of a single frame is in the figures
    pairs = list(pairs_of(options))
    denoise(pairs[0].noisy, model=options.model, steps=1, detector_gain=1.0)  # so that no run pays for the first use
    start = [outcome_of_one(pair, options.model, {"steps": 0}) for pair in pairs]
    begun = [one[0] for one in start]
    for name, filtered in (
        ("flat mean", lambda y, x: flat_mean(y)),
        ("blur", lambda y, x: best_gaussian_blur(y, x)[0]),
    ):
        print(f"{name:32s} {np.mean([psnr(filtered(pair.noisy, pair.truth), pair.truth) for pair in pairs]):.2f} dB")
    print(
        f"{options.model + ', pre-trained':32s} {np.mean(begun):.2f} dB, SSIM {np.mean([one[1] for one in start]):.3f}"
    )
    idle = float(np.mean([one[3] for one in start]))
    allowed = run(pairs, options.model, settings_of("gaintuning"), begun).seconds
    print(f"{len(pairs)} frames, seed 0; equal time: {allowed:.1f} s a frame, of which {idle:.1f} s without a step\n")
    rows = []
    for name in options.run:
        settings = settings_of(name)
        same_steps = run(pairs, options.model, settings | {"steps": options.steps}, begun)
        a_step = max(1e-3, (same_steps.seconds - idle) / options.steps)
        steps = max(1, round((allowed - idle) / a_step))
        same_time = run(pairs, options.model, settings | {"steps": steps}, begun)
        print(
            f"{name:32s} {options.steps:4d} steps: {told(same_steps)} | {steps:4d} steps: {told(same_time)}", flush=True
        )
        rows.append({"run": name, "steps": steps, "at_steps": vars(same_steps), "at_time": vars(same_time)})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def told(one: Outcome) -> str:
    return (
        f"{one.psnr_db:.2f} dB ({one.change_db:+.2f}, worst {one.worst_db:+.2f}), SSIM {one.ssim:.3f}, "
        f"{one.seconds:.1f} s, {one.kept} kept"
    )


def run(pairs: Sequence[Pair], model: str, settings: dict[str, Any], start: Sequence[float]) -> Outcome:
    """Every frame by itself."""
    single = [outcome_of_one(pair, model, settings) for pair in pairs]
    db, similarity, kept, seconds = (np.array(values) for values in zip(*single, strict=True))
    change = db - np.array(start)
    return Outcome(db.mean(), similarity.mean(), change.mean(), change.min(), int(kept.sum()), seconds.mean())


def outcome_of_one(pair: Pair, model: str, settings: dict[str, Any]) -> tuple[float, float, bool, float]:
    """PSNR, SSIM, whether an adapted network was kept, and the seconds it took."""
    began = time.perf_counter()
    result = denoise(pair.noisy, model=model, detector_gain=1.0, **settings)
    seconds = time.perf_counter() - began
    own_range = float(np.ptp(pair.truth))
    quality = psnr(result.image, pair.truth), ssim(result.image, pair.truth, own_range)
    return *quality, result.frames[0].adapted, seconds


def settings_of(name: str) -> dict[str, Any]:
    """``METHOD`` or ``PARAMETERS/OBJECTIVE``, with ``@LEARNING-RATE``."""
    what, _, rate = name.partition("@")
    parameters, _, objective = what.partition("/")
    chosen = {"parameters": parameters, "objective": objective} if objective else {"method": what}
    return chosen | ({"learning_rate": float(rate)} if rate else {})


def pairs_of(options: argparse.Namespace) -> Iterator[Pair]:
    """Frames of the bundled series, or of a set."""
    if options.images:
        from napari_gaintune.pipeline.evaluate import trials

        for trial in trials(options.images, (options.dose,), len(options.frames)):
            yield Pair(trial.noisy, trial.truth)
        return
    series, truth = open_series(example_path()), example_truth()
    for frame in options.frames:
        yield Pair(np.asarray(series.frame(frame), np.float32), truth[frame].astype(np.float32))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="unet-hrtem")
    parser.add_argument("--frames", type=int, nargs="+", default=[0, 13, 26, 39])
    parser.add_argument("--images", type=Path, help="a simulated set; --frames then says how many by its length")
    parser.add_argument("--dose", type=float, default=0.45)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--run", nargs="+", default=list(RUNS))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
