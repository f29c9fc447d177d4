"""Models on the noise of a detector that none was trained on, before and after they adapt to each frame.

    python benchmarks/new_detector.py --sets sets --model run/multitask-tem.safetensors [...] [--method meta-transfer]
        [--frames 12] [--dose 0.45] [--seed 0]

Bright-field scenes of recipe tem, of objects beyond those of any set, under the noise of a detector with a point spread and
read noise beyond what the recipes draw, and the strongest rows that they do; beside it plain counting noise. One fixed noise
realisation per frame. PSNR with a peak of 1 e-/px; a change is a mean over the frames with its standard error. The blur has
each frame's best sigma (an oracle: it is told the truth).
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_gaintune import denoise
from napari_gaintune.evaluation.baselines import best_gaussian_blur, flat_mean
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.image import Float32
from napari_gaintune.noise.models import Correlated, NoiseModel, Poisson, PoissonGaussian
from napari_gaintune.training.dataset import open_objects
from napari_gaintune.training.recipe import ImageRecipe, load_recipe
from napari_gaintune.training.simulate import simulate

FOLDER = "tem-new-detector"  # not in the set that is trained on
FIRST_OBJECT = 90_000  # a full set ends before 10,000
SIDE_PX = 256


@dataclass(frozen=True)
class Frame:
    """What was measured, and what would have been without noise; (h, w) float32, in electrons per pixel."""

    noisy: Float32
    truth: Float32


def detectors(dose: float) -> dict[str, NoiseModel]:
    """Known noise, and that of a detector which spreads more, and reads out worse, than any that was trained on.

    At 0.45 e-/px its noise has a standard deviation of 0.23 after the spread, and rows of 0.20.
    """
    return {
        "counting noise": Poisson(),
        "new detector": Correlated(
            PoissonGaussian(read_noise_sd=0.8), point_spread_px=1.3, row_noise_sd=0.3 * dose**0.5
        ),
    }


def frames_of(sets: Path, count: int, dose: float, noise: NoiseModel, seed: int, first: int = 0) -> list[Frame]:
    """The middle of the first image of each object, ``count`` of them from ``first`` on; made where they are not there."""
    numbers = range(FIRST_OBJECT + first, FIRST_OBJECT + first + count)
    for _ in simulate(sets / FOLDER, load_recipe(ImageRecipe, "tem").in_full(), 1, numbers):
        pass
    frames = []
    for number, entry in zip(numbers, open_objects(sets / FOLDER, numbers).held_out, strict=True):
        y, x = ((length - SIDE_PX) // 2 for length in entry.images[0].shape)
        image = np.asarray(entry.images[0][y : y + SIDE_PX, x : x + SIDE_PX], dtype=np.float32)
        truth = dose * torch.from_numpy(image)[None, None]
        noisy = noise.sample(truth, torch.Generator().manual_seed(10_000 * seed + number))
        frames.append(Frame(noisy[0, 0].numpy(), truth[0, 0].numpy()))
    return frames


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)  # what the program tells of a single frame is in the figures
    rows = []
    for detector, noise in detectors(options.dose).items():
        frames = frames_of(options.sets, options.frames, options.dose, noise, options.seed)
        blur = np.array([psnr(best_gaussian_blur(one.noisy, one.truth)[0], one.truth) for one in frames])
        flat = np.mean([psnr(flat_mean(one.noisy), one.truth) for one in frames])
        print(
            f"\n{detector}, {options.dose:g} e-/px, {len(frames)} frames: flat {flat:.2f} dB, best blur {blur.mean():.2f}"
        )
        for model in options.model:
            start = scores(frames, model, {"steps": 0})
            print(
                f"  {Path(model).stem:24s} {'pre-trained':16s} {start.mean():.2f} dB ({told(start - blur)} to the blur)"
            )
            for method in options.method:
                after = scores(frames, model, {"method": method})
                print(f"  {'':24s} {method:16s} {after.mean():.2f} dB ({told(after - start)})", flush=True)
                rows.append(
                    {
                        "detector": detector,
                        "model": model,
                        "method": method,
                        "start": start.tolist(),
                        "after": after.tolist(),
                    }
                )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def scores(frames: list[Frame], model: str, settings: dict[str, object]) -> np.ndarray:
    return np.array(
        [psnr(denoise(one.noisy, model=model, detector_gain=1.0, **settings).image, one.truth) for one in frames]
    )


def told(change: np.ndarray) -> str:
    error = change.std(ddof=1) / len(change) ** 0.5
    return f"{change.mean():+.3f} ± {error:.3f}, worst {change.min():+.3f}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", required=True)
    parser.add_argument("--method", nargs="+", default=["meta-transfer"])
    return with_frames(parser).parse_args()


def with_frames(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options that say which frames there are."""
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--dose", type=float, default=0.45)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main()
