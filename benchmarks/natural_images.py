"""The papers' experiments on natural images: an authors' network, a noise, and ways to adapt it, step by step.

    python benchmarks/natural_images.py --data ../shared [--set BSD68] [--network unet] [--sigma 30 70 80]
        [--run channel-gains/sure all-weights/sure@1e-4 restore-from-restored ...] [--steps 400] [--at 10 20 40 80]

A run is PARAMETERS/OBJECTIVE, or the name of a method, and after an @ the learning rate where it is not its own. The
level of Gaussian noise is told, but for an objective that ends in -estimated; that of others is estimated. One fixed
noise realisation per image. PSNR of the image clamped to [0, 1], as in the papers. Beside every figure stand a Gaussian
blur with its best sigma (an oracle: it is told the truth) and a flat image of the mean. What follows ``at`` is the
state after so many steps, kept or not; the figure before it is of what the program returns. With ``--scores FILE.jsonl``
the same command, stopped and started again, goes on where it was (with the same code: the file does not know of changes).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from methods import settings_of
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter
from skimage.io import imread
from torch import Tensor

from napari_gaintune.adaptation.config import AdaptationConfig, checked
from napari_gaintune.adaptation.crops import Frames
from napari_gaintune.adaptation.loop import CROP_MARGIN_PX, adapt
from napari_gaintune.adaptation.objectives import Situation, build_objective
from napari_gaintune.adaptation.parameters import Handle, tuned
from napari_gaintune.evaluation.baselines import best_gaussian_blur, flat_mean
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.catalogue import load_denoiser, load_network
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.device import choose_device, choose_precision
from napari_gaintune.models.foreign import with_our_names
from napari_gaintune.models.prediction import predict
from napari_gaintune.noise.level import noise_sd
from napari_gaintune.pipeline.job import random_stream

RUNS = ("channel-gains/sure", "channel-gains/sure-estimated", "channel-gains/resampling", "channel-gains/blind-spot")
KEPT = "kept"
POINT_SPREAD_PX = 0.7
NETWORKS = {"dncnn": ("dncnn", {"depth": 20, "width": 64}), "unet": ("dilated-unet", {"width": 32})}
Curve = dict[str, float]  # PSNR in dB of one image, by the step


@dataclass(frozen=True)
class Run:
    """A way to adapt, by its name on the command line."""

    name: str
    config: AdaptationConfig
    level_is_told: bool


def main() -> None:
    options = parse()
    denoiser = chosen_denoiser(options)
    images = read_set(options.data / "data" / "natural" / options.set, options.limit)
    precision = str(denoiser.network.compute_dtype).removeprefix("torch.")
    print(
        f"{options.set}, {len(images)} images, seed {options.seed}, {denoiser.card.name}; {options.crops} crop(s) of "
        f"{options.crop} px a step; {options.noise} noise; {precision}, torch {torch.__version__}"
    )
    for sigma in options.sigma:
        compare(denoiser, images, sigma, options)


def compare(denoiser: Denoiser, images: list[Tensor], sigma: float, options: argparse.Namespace) -> None:
    """One noise level: the baselines, then every run; printed as they come. Images that are scored already are not again."""
    noisy = [add_noise(image, sigma, options.noise, options.seed, index) for index, image in enumerate(images)]

    def scores(denoise: Callable[[Tensor, Tensor], Tensor]) -> npt.NDArray[np.float64]:
        return np.array([score(denoise(y, x), x) for y, x in zip(noisy, images, strict=True)])

    start = scores(lambda y, _: predict(denoiser.network, y))
    blur = scores(lambda y, x: torch.from_numpy(best_gaussian_blur(y.numpy(), x.numpy())[0])).mean()
    flat = scores(lambda y, _: torch.from_numpy(flat_mean(y.numpy()))).mean()
    print(f"\nsigma {sigma:g}/255: pre-trained {start.mean():.2f} dB, best blur {blur:.2f}, flat mean {flat:.2f}")
    known = read_scores(options.scores)
    for run in (run_of(name, options) for name in options.run):
        began = time.perf_counter()
        what = asked_for(run, denoiser, sigma, options)
        curves: list[Curve] = []
        for index, (y, x) in enumerate(zip(noisy, images, strict=True)):
            key = what | {"image": index}
            found = known.get(json.dumps(key))
            if found is None:
                found = curve(denoiser, y, x, run, sigma, options, index)
                if options.scores:
                    with options.scores.open("a") as file:
                        file.write(json.dumps(key | {"start": start[index], "curve": found}) + "\n")
            curves.append(found)
        seconds = (time.perf_counter() - began) / len(images)
        change = np.array([one[KEPT] for one in curves]) - start
        steps = ", ".join(f"{step} {np.mean([one[step] for one in curves]):.2f}" for step in curves[0] if step != KEPT)
        spread = f"worst {change.min():+.3f}, best {change.max():+.2f}; {np.sum(change < 0)} of {len(change)} lose"
        print(
            f"  {run.name:30s} {start.mean() + change.mean():.2f} dB, change {change.mean():+.2f} ({spread}), "
            f"{seconds:.1f} s an image" + (f"; at {steps}" if steps else ""),
            flush=True,
        )


def asked_for(run: Run, denoiser: Denoiser, sigma: float, options: argparse.Namespace) -> dict[str, object]:
    """All that decides an image's score, and what it is kept under."""
    return {
        "set": options.set, "network": denoiser.card.name, "sigma": sigma, "kind_of_noise": options.noise, "run": run.name,
        "at": options.at, "precision": str(denoiser.network.compute_dtype), **run.config.model_dump(),
    }  # fmt: skip


def read_scores(file: Path | None) -> dict[str, Curve]:
    """What an earlier run of the command has scored, by what was asked for; a line that was cut off is left out."""
    known: dict[str, Curve] = {}
    for line in file.read_text().splitlines() if file and file.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found = row.pop("curve")
        del row["start"]
        known[json.dumps(row)] = found
    return known


def run_of(name: str, options: argparse.Namespace) -> Run:
    """A run as methods.py reads it, and an objective may end in -estimated."""
    asked = settings_of(name.replace("-estimated", ""))
    asked |= {"steps": options.steps} if options.steps is not None else {}
    asked |= {"pace": options.pace} if options.pace else {}
    fixed = {"crop_size_px": options.crop, "crops_per_step": options.crops, "seed": options.seed}
    return Run(name, checked(AdaptationConfig, asked | fixed), "-estimated" not in name)


def curve(
    denoiser: Denoiser, noisy: Tensor, truth: Tensor, run: Run, sigma: float, options: argparse.Namespace, index: int
) -> Curve:
    """The PSNR of one image at the steps asked for, and of what is kept."""
    network, config = denoiser.network, run.config
    level = sigma / 255 if run.level_is_told and options.noise == "gaussian" else noise_sd(noisy.numpy())
    situation = Situation(network.is_blind, "unit", "gaussian", level, network.compute_dtype)
    chosen = build_objective(config.objective, situation)
    with tuned(denoiser, config.parameters, [noisy.shape]) as handle:
        pseudo_clean = [predict(network, noisy)] if chosen.beside == "pseudo-clean" else None
        chance = random_stream(config.seed, index)
        frames = Frames.build([noisy], pseudo_clean, CROP_MARGIN_PX, chance)
        points = {}
        for step in adapt(handle, frames, chosen, config, chance):
            if step.step in options.at and step.step < config.steps:
                points[str(step.step)] = result(handle, noisy, truth)
        return points | {KEPT: result(handle, noisy, truth)}


def result(handle: Handle, noisy: Tensor, truth: Tensor) -> float:
    return score(predict(handle.network, handle.seen(noisy)), truth)


def score(denoised: Tensor, truth: Tensor) -> float:
    return psnr(denoised.clamp(0, 1).numpy(), truth.numpy(), 1)


def add_noise(image: Tensor, sigma: float, noise: str, seed: int, index: int) -> Tensor:
    """One fixed realisation per image and noise level, of the kind ``noise``; see ``NOISES``."""
    return image + NOISES[noise](image, sigma / 255, np.random.default_rng([seed, index, round(sigma)]))


def gaussian(image: Tensor, sd: float, generator: np.random.Generator) -> Tensor:
    return torch.from_numpy(generator.normal(0, sd, image.shape).astype(np.float32))


def poisson(image: Tensor, sd: float, generator: np.random.Generator) -> Tensor:
    """Counting noise that has the level at the mean of the image."""
    gain = sd**2 / float(image.mean())
    return torch.from_numpy(gain * generator.poisson(image.numpy() / gain)).float() - image


def correlated(image: Tensor, sd: float, generator: np.random.Generator) -> Tensor:
    """Gaussian noise after a point spread of 0.7 px, with the level that it had before."""
    spread = gaussian_filter(generator.normal(size=image.shape), POINT_SPREAD_PX, mode="wrap")
    return torch.from_numpy((sd * spread / spread.std()).astype(np.float32))


def read_set(folder: Path, limit: int | None) -> list[Tensor]:
    files = sorted(folder.glob("*.png"))[:limit]
    if not files:
        raise SystemExit(f"no images in {folder}; give the data folder with --data")
    return [torch.from_numpy(imread(file).astype(np.float32) / 255) for file in files]


def chosen_denoiser(options: argparse.Namespace) -> Denoiser:
    """A model of the catalogue or of a file, or the authors' network."""
    if not options.model:
        return authors_network(options.data, options.network, options.bias_free, options.device, options.precision)
    place = choose_device(options.device)
    return load_denoiser(options.model).place(place, choose_precision(options.precision, place))


def authors_network(
    data: Path, network: str = "dncnn", bias_free: bool = False, device: str = "auto", precision: str = "auto"
) -> Denoiser:
    """A network of the GainTuning authors, trained on BSD400 with Gaussian noise of sigma 0 to 55 of 255."""
    name = f"{network}_bias{'_free' if bias_free else ''}_sigma0-55"
    architecture, form = NETWORKS[network]
    state = load_file(data / "weights" / f"{name}.safetensors")
    card = ModelCard(
        name=name, architecture=architecture, modality="natural images", intensity_unit="unit", trained_on="BSD400",
        objective="squared error", recipe="bias_free_denoising", licence="MIT", sha256="",
    )  # fmt: skip
    place = choose_device(device)
    weights = with_our_names(architecture, state)
    loaded = load_network(architecture, form | {"bias": not bias_free}, weights, name)
    return Denoiser(card, loaded).place(place, choose_precision(precision, place))


NOISES: dict[str, Callable[[Tensor, float, np.random.Generator], Tensor]] = {
    "gaussian": gaussian,
    "poisson": poisson,
    "correlated": correlated,
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="Set12")
    parser.add_argument("--network", choices=list(NETWORKS), default="dncnn")
    parser.add_argument("--bias-free", action="store_true", help="the yardstick: the same network without biases")
    parser.add_argument("--model", help="not the authors': dncnn-general, dncnn-piecewise or a .safetensors file")
    parser.add_argument("--sigma", type=float, nargs="+", default=[30, 70, 80])
    parser.add_argument("--noise", choices=list(NOISES), default="gaussian")
    parser.add_argument("--run", nargs="*", default=list(RUNS))
    parser.add_argument("--steps", type=int, help="without it the method's own")
    parser.add_argument("--at", type=int, nargs="*", default=[], help="steps to be scored on the way")
    parser.add_argument("--pace", choices=("clear", "plain"))
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--crops", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only the first images")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--scores", type=Path, help="a file to which every image's score is added, for changes.py; see above"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
