"""How many pairs a transfer needs: AINDNet's own parts, all weights, channel gains, and a network from scratch.

    python benchmarks/pairs.py --sets sets --model run/aind-tem.safetensors [--pairs 1 2 4 8 16 32] [--steps 100]
        [--scratch-steps 400]

Pairs are frames of the new detector of new_detector.py, each with the average of 50 such frames. Models are judged on frames
of other objects by the truth, each as it is, without adapting to a frame. ± is over these frames; pairs and seed are one
draw. From scratch is no upper bound: it has more steps than the others, and far fewer than a pre-training.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import tifffile
import torch
from new_detector import Frame, detectors, frames_of, scores, told, with_frames

from napari_gaintune.evaluation.baselines import best_gaussian_blur
from napari_gaintune.evaluation.metrics import psnr
from napari_gaintune.models.catalogue import USER_FOLDER_VARIABLE, load_denoiser, save_model
from napari_gaintune.models.networks import build_network
from napari_gaintune.pipeline.transfer import transfer
from napari_gaintune.training.start import start_direct

AVERAGED = 50


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ[USER_FOLDER_VARIABLE] = str(folder / "listed")  # the user's own list stays as it is
        compare(options, folder)


def compare(options: argparse.Namespace, folder: Path) -> None:
    noise = detectors(options.dose)["new detector"]
    frames = frames_of(options.sets, options.frames, options.dose, noise, options.seed)
    blur = np.array([psnr(best_gaussian_blur(one.noisy, one.truth)[0], one.truth) for one in frames])
    start = scores(frames, options.model, {"steps": 0})
    print(f"{len(frames)} frames of the new detector, {options.dose:g} e-/px: best blur {blur.mean():.2f} dB, ", end="")
    print(f"{options.model} as it is {start.mean():.2f} dB ({told(start - blur)} to the blur)\n")
    fresh = untrained(options.model, folder, options.seed)
    ways = {
        "ain": (options.model, {"parameters": "ain", "steps": options.steps, "learning_rate": 1e-3}),
        "channel-gains": (
            options.model,
            {"parameters": "channel-gains", "steps": options.steps, "learning_rate": 4e-3},
        ),
        "all-weights": (options.model, {"parameters": "all-weights", "steps": options.steps, "learning_rate": 1e-4}),
        "from scratch": (fresh, {"parameters": "all-weights", "steps": options.scratch_steps, "learning_rate": 1e-3}),
    }
    rows = []
    for count in options.pairs:
        pairs = frames_of(options.sets, count, options.dose, noise, options.seed, first=options.frames)
        place = written(pairs, folder / f"pairs-{count}", options)
        for way, (model, settings) in ways.items():
            output = folder / f"{way.replace(' ', '-')}-{count}.safetensors"
            made = transfer(
                place, output, model=model, detector_gain=1.0, crops_per_step=2, seed=options.seed, **settings
            )
            kept_model = model if made.card is None else str(output)
            after = scores(frames, kept_model, {"steps": 0})
            kept = "nothing kept" if made.card is None else f"step {made.best_step} of {made.steps_run}"
            print(f"{count:3d} pairs, {way:14s} {after.mean():.2f} dB ({told(after - start)}), {kept}", flush=True)
            rows.append({"pairs": count, "way": way, "start": start.tolist(), "after": after.tolist()})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


def untrained(model: str, folder: Path, seed: int) -> str:
    """The same network with fresh weights, as its pre-training begins with."""
    card = load_denoiser(model).card
    torch.manual_seed(seed)
    network = build_network(card.architecture, **card.options)
    start_direct(network)
    save_model(network, card.model_dump(exclude={"sha256", "validation"}) | {"name": "untrained"}, folder)
    return str(folder / "untrained.safetensors")


def written(frames: list[Frame], folder: Path, options: argparse.Namespace) -> Path:
    """The pairs as files, noisy frames and averages."""
    noise = detectors(options.dose)["new detector"]
    for part in ("noisy", "clean"):
        (folder / part).mkdir(parents=True)
    for index, one in enumerate(frames):
        truth = torch.from_numpy(one.truth).expand(AVERAGED, 1, -1, -1)
        average = noise.sample(truth, torch.Generator().manual_seed(1_000_000 + options.seed + index)).mean(dim=0)[0]
        tifffile.imwrite(folder / "noisy" / f"{index:03d}.tif", one.noisy)
        tifffile.imwrite(folder / "clean" / f"{index:03d}.tif", average.numpy())
    return folder


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--scratch-steps", type=int, default=400)
    return with_frames(parser).parse_args()


if __name__ == "__main__":
    main()
