"""What the frames nearby add to one frame, where the scene stands still and where half of it moves.

    python benchmarks/next_frame.py [--model unet-hrtem] [--speed 0 0.5 1.5 4]

First the bundled series (0.45 e-/px, drifting): one adaptation for all 40 frames, and one for each of two. Then series made
of its first frame's truth, 17 frames, whose left half moves by so many pixels a frame while the right half stands still; the
middle frame is denoised, and each half scored. Change in PSNR (peak 1 e-/px) against the pre-trained network, beside it that
of resampling, which learns from the one frame. Seed 0.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import shift

from napari_gaintune import denoise
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.examples import example_path, example_truth
from napari_gaintune.image import Float32
from napari_gaintune.io import open_series

OBJECTIVES = ("resampling", "next-frame")
FRAMES, BORDER_PX = 17, 12  # around the line between the halves, scored in neither


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)  # what the program tells of a single frame is in the figures
    for mode, frames in (("shared", "all"), ("episodic", "0:40:20")):
        bundled(options.model, mode, frames)
    for speed in options.speed:
        halves(options.model, speed)


def bundled(model: str, mode: str, frames: str) -> None:
    series, settings = open_series(example_path()), {"model": model, "frames": frames, "detector_gain": 1.0}
    before = denoise(series, steps=0, **settings)
    truth = example_truth()[[one.frame for one in before.frames]]
    for objective in OBJECTIVES:
        after = denoise(series, objective=objective, series=mode, **settings)
        change = scores(after.image, truth) - scores(before.image, truth)
        print(
            f"bundled series, {mode}, {len(truth)} frames, {objective}: {change.mean():+.2f} dB "
            f"(worst {change.min():+.2f}, best {change.max():+.2f})",
            flush=True,
        )


def halves(model: str, speed: float) -> None:
    truth = half_moving(example_truth()[0], speed)
    noisy = np.random.default_rng(0).poisson(truth).astype(np.uint8)
    middle, half = FRAMES // 2, truth.shape[-1] // 2
    settings: dict[str, Any] = {"model": model, "frames": str(middle), "detector_gain": 1.0}
    before = denoise(noisy, steps=0, **settings).image.reshape(truth.shape[1:])
    for objective in OBJECTIVES:
        after = denoise(noisy, objective=objective, **settings).image.reshape(truth.shape[1:])
        moving, still = (
            psnr(after[:, part], truth[middle, :, part]) - psnr(before[:, part], truth[middle, :, part])
            for part in (slice(None, half - BORDER_PX), slice(half + BORDER_PX, None))
        )
        print(
            f"{speed:g} px a frame, {objective}: moving half {moving:+.2f} dB, still half {still:+.2f} dB", flush=True
        )


def half_moving(image: Float32, speed: float) -> Float32:
    """(FRAMES, h, w): the left half moves down by ``speed`` px a frame and is in its place in the middle frame."""
    frames = np.repeat(image[None], FRAMES, axis=0)
    half = image.shape[1] // 2
    for number, frame in enumerate(frames):
        moved = shift(image, (speed * (number - FRAMES // 2), 0), order=3, mode="nearest")
        frame[:, :half] = moved[:, :half].clip(0)
    return frames


def scores(images: Float32, truths: Float32) -> npt.NDArray[np.float64]:
    return np.array([psnr(image, truth) for image, truth in zip(images.reshape(truths.shape), truths, strict=True)])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="unet-hrtem")
    parser.add_argument("--speed", type=float, nargs="*", default=[0, 0.5, 1.5, 4])
    return parser.parse_args()


if __name__ == "__main__":
    main()
