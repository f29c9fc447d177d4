"""GainTuning of the paper authors' DnCNN on natural images with Gaussian noise (Mohan et al. 2021, section 5).

    python benchmarks/paper_set12.py --data ../shared [--sigma 30 70 80] [--objective sure sure-estimated ...] [--set BSD68]
        [--model dncnn-piecewise]

One fixed noise realisation per image. PSNR of the image clamped to [0, 1], as in the paper. Beside every figure stand a
Gaussian blur with its best sigma (an oracle: it is told the truth) and a flat image of the mean.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from skimage.io import imread
from torch import Tensor

from napari_gaintune.adaptation.config import AdaptationConfig
from napari_gaintune.adaptation.crops import Frames
from napari_gaintune.adaptation.loop import CROP_MARGIN_PX, adapt
from napari_gaintune.adaptation.objectives import Situation, build_objective
from napari_gaintune.adaptation.parameters import tuned
from napari_gaintune.evaluation.baselines import best_gaussian_blur, flat_mean
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.catalogue import load_denoiser, load_network
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.device import choose_device, choose_precision
from napari_gaintune.models.prediction import predict
from napari_gaintune.noise.level import noise_sd
from napari_gaintune.pipeline.job import random_stream

OBJECTIVES = ("sure", "sure-estimated", "blind-spot", "resampling")


def main() -> None:
    options = parse()
    denoiser = chosen_denoiser(options)
    images = read_set(options.data / "data" / "natural" / options.set, options.limit)
    precision = str(denoiser.network.compute_dtype).removeprefix("torch.")
    print(
        f"{options.set}, {len(images)} images, seed {options.seed}, {denoiser.card.name}, {options.steps} steps of one"
    )
    print(f"{options.crop} px crop, learning rate {options.learning_rate}, {precision}, torch {torch.__version__}")
    rows = [row for sigma in options.sigma for row in compare(denoiser, images, sigma, options)]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def compare(
    denoiser: Denoiser, images: list[Tensor], sigma: float, options: argparse.Namespace
) -> list[dict[str, object]]:
    """One noise level: the baselines, then every objective; printed as they come."""
    noisy = [add_noise(image, sigma, options.seed, index) for index, image in enumerate(images)]

    def mean_score(denoise: Callable[[Tensor, Tensor], Tensor]) -> np.ndarray:
        return np.array([score(denoise(y, x), x) for y, x in zip(noisy, images, strict=True)])

    start = mean_score(lambda y, _: predict(denoiser.network, y))
    blur = mean_score(lambda y, x: torch.from_numpy(best_gaussian_blur(y.numpy(), x.numpy())[0])).mean()
    flat = mean_score(lambda y, _: torch.from_numpy(flat_mean(y.numpy()))).mean()
    print(
        f"\nsigma {sigma:g}/255: pre-trained {start.mean():.2f} dB, best blur {blur:.2f}, flat mean {flat:.2f}",
        flush=True,
    )
    rows = []
    for objective in options.objective:
        began = time.perf_counter()
        tuned_db = np.array([score(adapted(denoiser, y, objective, sigma, options, i), x) for i, (y, x) in enumerate(zip(noisy, images, strict=True))])  # fmt: skip # noqa: E501
        change, seconds = tuned_db - start, (time.perf_counter() - began) / len(images)
        print(
            f"  {objective:15s} {tuned_db.mean():.2f} dB, change {change.mean():+.2f} "
            f"(worst {change.min():+.3f}, best {change.max():+.2f}), {seconds:.1f} s an image",
            flush=True,
        )
        rows.append({"sigma": sigma, "objective": objective, "start": start.tolist(), "tuned": tuned_db.tolist()})
    return rows


def adapted(
    denoiser: Denoiser, noisy: Tensor, objective: str, sigma: float, options: argparse.Namespace, index: int
) -> Tensor:
    """The image after GainTuning."""
    network = denoiser.network
    config = AdaptationConfig(
        steps=options.steps, learning_rate=options.learning_rate, crop_size_px=options.crop, seed=options.seed
    )
    level = noise_sd(noisy.numpy()) if objective == "sure-estimated" else sigma / 255
    situation = Situation(network.is_blind, "unit", "gaussian", level, network.compute_dtype)
    chosen = build_objective(objective.removesuffix("-estimated"), situation)
    with tuned(denoiser) as handle:
        pseudo_clean = [predict(network, noisy)] if chosen.needs_pseudo_clean else None
        chance = random_stream(config.seed, index)
        frames = Frames.build([noisy], pseudo_clean, CROP_MARGIN_PX, chance)
        for _ in adapt(handle, frames, chosen, config, chance):
            pass
        return predict(network, noisy)


def score(denoised: Tensor, truth: Tensor) -> float:
    return psnr(denoised.clamp(0, 1).numpy(), truth.numpy(), 1)


def add_noise(image: Tensor, sigma: float, seed: int, index: int) -> Tensor:
    """One fixed realisation per image and noise level."""
    generator = np.random.default_rng([seed, index, round(sigma)])
    return image + torch.from_numpy(generator.normal(0, sigma / 255, image.shape).astype(np.float32))


def read_set(folder: Path, limit: int | None) -> list[Tensor]:
    files = sorted(folder.glob("*.png"))[:limit]
    if not files:
        raise SystemExit(f"no images in {folder}; give the data folder with --data")
    return [torch.from_numpy(imread(file).astype(np.float32) / 255) for file in files]


def chosen_denoiser(options: argparse.Namespace) -> Denoiser:
    """A model of the catalogue or of a file, or the authors' network."""
    if not options.model:
        return authors_dncnn(options.data, options.bias_free, options.device, options.precision)
    place = choose_device(options.device)
    return load_denoiser(options.model).place(place, choose_precision(options.precision, place))


def authors_dncnn(data: Path, bias_free: bool = False, device: str = "auto", precision: str = "auto") -> Denoiser:
    """The GainTuning authors' DnCNN, trained on BSD400 with Gaussian noise of sigma 0 to 55 of 255."""
    name = f"dncnn_bias{'_free' if bias_free else ''}_sigma0-55"
    state = load_file(data / "weights" / f"{name}.safetensors")
    network = load_network("dncnn", {"depth": 20, "width": 64, "bias": not bias_free}, state, name)
    card = ModelCard(
        name=name, architecture="dncnn", modality="natural images", intensity_unit="unit", trained_on="BSD400",
        objective="squared error", recipe="bias_free_denoising", licence="MIT", sha256="",
    )  # fmt: skip
    place = choose_device(device)
    return Denoiser(card, network).place(place, choose_precision(precision, place))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="Set12")
    parser.add_argument("--sigma", type=float, nargs="+", default=[30, 70, 80])
    parser.add_argument("--objective", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES))
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument(
        "--model", help="instead of the authors': dncnn-general, dncnn-piecewise or a .safetensors file"
    )
    parser.add_argument("--bias-free", action="store_true", help="the yardstick: the same network without biases")
    parser.add_argument("--limit", type=int, help="only the first images")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
