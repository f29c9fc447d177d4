"""What the frames nearby add to one frame: where the scene stands still, where it moves, and on materials never seen.

    python benchmarks/next_frame.py [--model unet-hrtem] [--scenes 0 4 after flicker once] [--images sets/hrtem-validation]

First the bundled series (0.45 e-/px, drifting): one adaptation for all 40 frames, and one for each of two. Then series of
17 frames made of its first frame's truth, whose right half stands still. The left half moves by so many pixels a frame, or
is mirrored: in all frames after the middle one, in every other frame, or in the middle one alone. The middle frame is
denoised, and each half scored. With --images, every image of a set as a series of nine frames, 448 px, that drifts by a
random walk, with counting noise, and with noise that neighbouring pixels share (blurred after the counting by --correlated);
--limit takes the first ones. Change in PSNR (peak 1 e-/px) against the pre-trained network, beside it that of resampling,
which learns from the one frame. Seed 0.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, shift

from napari_gaintune import denoise
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.examples import example_path, example_truth
from napari_gaintune.image import Float32
from napari_gaintune.io import open_series
from napari_gaintune.pipeline.evaluate import spread, trials

OBJECTIVES = ("resampling", "next-frame")
FRAMES, BORDER_PX = 17, 12  # around the line between the halves, scored in neither
SERIES, WINDOW_PX, DRIFT_PX = 9, 448, 2.0
MIRRORED = {"after": lambda late: late > 0, "flicker": lambda late: late % 2 == 1, "once": lambda late: late == 0}


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)  # what the program tells of a single frame is in the figures
    for mode, frames in (("shared", "all"), ("episodic", "0:40:20")) if options.bundled else ():
        bundled(options.model, mode, frames)
    for scene in options.scenes:
        halves(options.model, scene)
    if options.images:
        for blur_px in options.correlated:
            unseen(options, blur_px)


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


def halves(model: str, scene: str) -> None:
    truth = half_changing(example_truth()[0], scene)
    noisy = np.random.default_rng(0).poisson(truth).astype(np.uint8)
    middle, half = FRAMES // 2, truth.shape[-1] // 2
    before = denoised(noisy, model, steps=0)
    for objective in OBJECTIVES:
        after = denoised(noisy, model, objective=objective)
        changing, still = (
            psnr(after[:, part], truth[middle, :, part]) - psnr(before[:, part], truth[middle, :, part])
            for part in (slice(None, half - BORDER_PX), slice(half + BORDER_PX, None))
        )
        print(f"{scene}, {objective}: changing half {changing:+.2f} dB, still half {still:+.2f} dB", flush=True)


def half_changing(image: Float32, scene: str) -> Float32:
    """(FRAMES, h, w): the left half moves by ``scene`` px a frame, in place in the middle one, or is mirrored in some."""
    frames = np.repeat(image[None], FRAMES, axis=0)
    half, middle = image.shape[1] // 2, FRAMES // 2
    for number, frame in enumerate(frames):
        if scene in MIRRORED:
            left = image[::-1] if MIRRORED[scene](number - middle) else image
        else:
            left = shift(image, (float(scene) * (number - middle), 0), order=3, mode="nearest").clip(0)
        frame[:, :half] = left[:, :half]
    return frames


def unseen(options: argparse.Namespace, blur_px: float) -> None:
    """Every image of a set as a series that drifts; the middle frame, by both objectives."""
    kind = f"noise after a point spread of {blur_px} px" if blur_px else "counting noise"
    changes: dict[str, list[tuple[float, str]]] = {objective: [] for objective in OBJECTIVES}
    for trial in trials(options.images, [options.dose], options.limit):
        chance = np.random.default_rng([0, int(trial.name)])
        truth = drifting(trial.truth, chance)
        noisy = chance.poisson(truth).astype(np.float32)
        if blur_px:  # a detector's point spread is in what it expects, too
            truth, noisy = (gaussian_filter(of, (0, blur_px, blur_px)) for of in (truth, noisy))
        clean = truth[SERIES // 2]
        before = psnr(denoised(noisy, options.model, steps=0), clean)
        for objective in OBJECTIVES:
            change = psnr(denoised(noisy, options.model, objective=objective), clean) - before
            changes[objective].append((change, trial.material))
            of = f"image {trial.name} ({trial.material}), {before:.2f} dB as pre-trained"
            print(f"{kind}, {of}, {objective}: {change:+.2f} dB", flush=True)
    for objective, found in changes.items():
        gains = [change for change, _ in found]
        mean, deviation = spread(gains)
        by_material = {name: np.mean([change for change, of in found if of == name]) for _, name in found}
        worst = min(by_material, key=by_material.__getitem__)
        print(
            f"{kind}, {len(found)} images, {objective}: {mean:+.2f} ± {deviation:.2f} dB, worst image "
            f"{min(gains):+.2f}, worst material {worst} {by_material[worst]:+.2f}",
            flush=True,
        )


def drifting(image: Float32, chance: np.random.Generator) -> Float32:
    """(SERIES, WINDOW_PX, WINDOW_PX): a window that walks by chance, two pixels a frame or so, and parts of pixels."""
    places = chance.normal(0, DRIFT_PX, (SERIES, 2)).cumsum(axis=0)
    spare = (np.array(image.shape) - WINDOW_PX) / 2
    corners = (places - places[SERIES // 2]).clip(-spare, spare) + spare
    whole = corners.astype(int)
    frames = []
    for (y, x), part in zip(whole, corners - whole, strict=True):
        frames.append(shift(image, -part, order=3, mode="nearest")[y : y + WINDOW_PX, x : x + WINDOW_PX].clip(0))
    return np.stack(frames)


def denoised(series: npt.NDArray[Any], model: str, **settings: Any) -> Float32:
    """Its middle frame."""
    middle = str(len(series) // 2)
    image: Float32 = denoise(series, model=model, frames=middle, detector_gain=1.0, **settings).image[0]
    return image


def scores(images: Float32, truths: Float32) -> npt.NDArray[np.float64]:
    return np.array([psnr(image, truth) for image, truth in zip(images.reshape(truths.shape), truths, strict=True)])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="unet-hrtem")
    parser.add_argument("--bundled", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--scenes", nargs="*", default=["0", "0.5", "1.5", "4", "8", *MIRRORED])
    parser.add_argument("--images", type=Path)
    parser.add_argument("--dose", type=float, default=0.45)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--correlated", type=float, nargs="*", default=[0.0, 0.6], metavar="SIGMA_PX")
    return parser.parse_args()


if __name__ == "__main__":
    main()
