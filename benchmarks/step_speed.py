"""One GainTuning step against naive fine-tuning of all weights, in one run on this machine.

    python benchmarks/step_speed.py [--json]

Both do the same masked blind-spot loss on one 256 x 256 crop with the same network (DnCNN, 20 layers, 64 channels). Naive
is what one would write first: torch.nn.Conv2d and ReLU in float32, every weight trained by Adam. Rounds alternate, so that
a change of the machine's speed meets both; the ratio is that of the medians. The naive step with channels-last weights
stands beside it, so that the part of the memory format can be seen.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from napari_gaintune.adaptation.objectives import Crop
from napari_gaintune.adaptation.objectives.blindspot import MaskedBlindSpot
from napari_gaintune.adaptation.parameters import tuned
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.device import choose_device, choose_precision, has_bfloat16_matrix_unit
from napari_gaintune.models.networks import build_network

SIZE_PX = 256
ROUNDS = 12


class NaiveDnCNN(nn.Module):
    """DnCNN as a tutorial writes it."""

    def __init__(self, depth: int = 20, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.layers(noisy)


def stepper(network: nn.Module, parameters: list[Tensor], crop: Crop) -> Callable[[], None]:
    """A function that does one step of Adam."""
    optimiser = torch.optim.Adam(parameters, lr=1e-4)
    objective, chance = MaskedBlindSpot(), torch.Generator().manual_seed(0)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        objective.pixel_loss(network, crop, chance).mean().backward()
        optimiser.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    precision = choose_precision("auto", device)
    noisy = torch.rand(1, 1, SIZE_PX, SIZE_PX, device=device)
    crop = Crop(noisy, torch.ones_like(noisy, dtype=torch.bool))
    naive, naive_last = NaiveDnCNN().to(device), NaiveDnCNN().to(device, memory_format=torch.channels_last)
    network = build_network("dncnn", depth=20, width=64, bias=True).requires_grad_(False)
    card = ModelCard(
        name="", architecture="", modality="", trained_on="", objective="", recipe="", licence="", sha256=""
    )
    denoiser = Denoiser(card, network).place(device, precision)
    with tuned(denoiser) as handle:
        steps = {
            "gaintuning": stepper(network, handle.movable, crop),
            "naive": stepper(naive, list(naive.parameters()), crop),
            "naive, channels last": stepper(naive_last, list(naive_last.parameters()), crop),
        }
        seconds = timed(steps, device)
    report(seconds, device, precision, options.json)


def timed(steps: dict[str, Callable[[], None]], device: torch.device) -> dict[str, list[float]]:
    """Seconds of ``ROUNDS`` steps of each kind, taken in turn after one step to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(ROUNDS + 1):
        for name, step in steps.items():
            wait(device)
            began = time.perf_counter()
            step()
            wait(device)
            if round_:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def report(seconds: dict[str, list[float]], device: torch.device, precision: torch.dtype, as_json: bool) -> None:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    share = medians["gaintuning"] / medians["naive"]
    matrix_unit = device.type == "cuda" or has_bfloat16_matrix_unit()
    bar = 1 / 3 if matrix_unit else 2 / 3
    if as_json:
        print(json.dumps({"seconds": medians, "share_of_naive": share, "bar": bar, "precision": str(precision)}))
        return
    unit = "with" if matrix_unit else "without"
    print(f"{device}, {torch.get_num_threads()} threads, {unit} a bfloat16 matrix unit, computing in {precision}")
    for name, values in seconds.items():
        print(f"  {name:22s} {medians[name] * 1e3:7.0f} ms (from {min(values) * 1e3:.0f} to {max(values) * 1e3:.0f})")
    print(f"one GainTuning step takes {share:.2f} of a naive one (bar: {bar:.2f})")


if __name__ == "__main__":
    main()
