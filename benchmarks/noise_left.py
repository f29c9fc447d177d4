"""What the program takes for correlated noise: how often rightly, by the part that a pre-trained network takes away.

    python benchmarks/noise_left.py --sets sets [--model unet-hrtem blindspot-hrtem ...] [--limit 24]

On simulated frames of unseen specimens (recipes hrtem-validation, stem-validation, tem-validation, as ``simulate`` makes
them) under independent noise, noise after a detector's point spread, and noise that rows share. A share of the frames is
given in which neighbours are taken for correlated, and in which lines are taken to share noise; ``auto`` follows both. One
fixed noise realisation per frame and condition.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from napari_gaintune.models.catalogue import load_denoiser
from napari_gaintune.models.networks import Network
from napari_gaintune.models.prediction import predict
from napari_gaintune.noise.models import Correlated, NoiseModel, Poisson, PoissonGaussian
from napari_gaintune.pipeline.evaluate import DOSES_E_PER_PX, trials
from napari_gaintune.pipeline.situation import Neighbours

MODELS = ("unet-hrtem", "dncnn-hrtem", "blindspot-hrtem", "unet-stem", "blindspot-stem", "unet-tem", "blindspot-tem")
SETS = {"HRTEM": "hrtem-validation", "STEM": "stem-validation", "TEM": "tem-validation"}


def conditions(mean_electrons: float) -> dict[str, NoiseModel]:
    """By name; rows share the part of the variance that is named, in a frame of so many electrons per pixel."""

    def rows(share: float) -> NoiseModel:
        return Correlated(Poisson(), point_spread_px=0.0, row_noise_sd=(mean_electrons * share / (1 - share)) ** 0.5)

    return {
        "counts": Poisson(),
        "counts and read noise": PoissonGaussian(read_noise_sd=0.3),
        "point spread 0.3 px": Correlated(Poisson(), point_spread_px=0.3, row_noise_sd=0.0),
        "point spread 0.5 px": Correlated(Poisson(), point_spread_px=0.5, row_noise_sd=0.0),
        "rows share 0.01": rows(0.01),
        "rows share 0.03": rows(0.03),
        "rows share 0.08": rows(0.08),
    }


def main() -> None:
    options = parse()
    for model in options.model:
        denoiser = load_denoiser(model)
        folder = options.sets / SETS[denoiser.card.modality]
        print(f"\n{model}, {folder.name}: taken for correlated / for sharing lines, of the frames at each dose (e-/px)")
        print(f"{'':24s}" + "".join(f"{dose:>24g}" for dose in options.dose))
        for name in conditions(1.0):
            cells = [cell(looks(denoiser.network, folder, dose, name, options.limit)) for dose in options.dose]
            print(f"{name:24s}" + "".join(f"{text:>24s}" for text in cells), flush=True)


def looks(network: Network, folder: Path, dose: float, condition: str, limit: int) -> list[Neighbours]:
    """What is seen of each frame."""
    found = []
    for place, trial in enumerate(trials(folder, [dose], limit)):
        generator = torch.Generator().manual_seed(7_000 + place)
        noise = conditions(float(trial.truth.mean()))[condition]
        noisy = noise.sample(torch.from_numpy(trial.truth)[None, None], generator)[0, 0]
        found.append(Neighbours.of(noisy, predict(network, noisy)))
    return found


def cell(found: list[Neighbours]) -> str:
    """Shares, and the largest of each measure."""
    correlated, lines = (
        sum(values) for values in zip(*[(n.are_correlated, n.share_lines) for n in found], strict=True)
    )
    largest = max(max(abs(n.along_x), abs(n.along_y)) for n in found)
    return f"{correlated}/{lines} of {len(found)} ({largest:.3f} {np.max([n.lines for n in found]):.3f})"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, default=Path("sets"))
    parser.add_argument("--model", nargs="+", default=MODELS)
    parser.add_argument("--dose", nargs="+", type=float, default=DOSES_E_PER_PX)
    parser.add_argument("--limit", type=int, default=0, help="so many frames of each set; 0: all")
    return parser.parse_args()


if __name__ == "__main__":
    main()
