"""What one step costs in time and memory, by what may move: against all weights, as LAN's paper compares (Kim 2024).

    python benchmarks/what_moves.py [--model dncnn|unet] [--size 256] [--precision float32]

One step of Adam on ZS-N2N's loss of a 256 x 256 px crop, with the shape of the GainTuning authors' network. Rounds
alternate, so that a change of the machine's speed meets all; times are medians. Memory is what the step keeps for its
backward pass (each storage once, filters in the precision of the step among them), gradients, and Adam's two averages.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch
from step_speed import timed
from torch import Tensor

from napari_gaintune.adaptation.objectives import Crop, Objective, Window
from napari_gaintune.adaptation.objectives.subsampling import ZeroShotNoise2Noise
from napari_gaintune.adaptation.objectives.sure import SureGaussian
from napari_gaintune.adaptation.parameters import Handle, step_size, tuned
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.device import choose_device, choose_precision
from napari_gaintune.models.networks import build_network

NETWORKS: dict[str, tuple[str, dict[str, int | bool]]] = {
    "dncnn": ("dncnn", {"depth": 20, "width": 64, "bias": True}),
    "unet": ("dilated-unet", {"bias": True}),
}
MOVING = ("all-weights", "channel-gains", "input-offset", "first-layer", "last-layer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(NETWORKS), default="dncnn")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    torch.manual_seed(0)
    noisy = torch.rand(1, 1, options.size, options.size, device=device)
    objective = ZeroShotNoise2Noise(SureGaussian(0.1))
    steps: dict[str, Callable[[], None]] = {}
    bytes_kept: dict[str, int] = {}
    lent = []
    for parameters in MOVING:
        context = tuned(fresh(options.model, device, precision), parameters, [(options.size, options.size)])
        handle = context.__enter__()
        lent.append(context)
        optimiser = torch.optim.Adam(handle.movable, lr=step_size(parameters, 0))
        steps[parameters] = stepper(handle, optimiser, objective, noisy)
        bytes_kept[parameters] = memory(steps[parameters], handle.movable)
    seconds = {name: statistics.median(values) for name, values in timed(steps, device).items()}
    for context in lent:
        context.__exit__(None, None, None)
    print(f"{options.model}, {options.size} px, {device}, {torch.get_num_threads()} threads, computing in {precision}")
    for name in MOVING:
        time_ratio, memory_ratio = seconds[name] / seconds[MOVING[0]], bytes_kept[name] / bytes_kept[MOVING[0]]
        print(
            f"  {name:14s} {seconds[name] * 1e3:6.0f} ms, {time_ratio:.2f} of all weights'; "
            f"{bytes_kept[name] / 2**20:6.1f} MiB, {memory_ratio:.2f}"
        )


def fresh(name: str, device: torch.device, precision: torch.dtype) -> Denoiser:
    """A network of its own for each choice: they are lent side by side."""
    architecture, options = NETWORKS[name]
    network = build_network(architecture, **options).requires_grad_(False)
    card = ModelCard(
        name="", architecture="", modality="", trained_on="", objective="", recipe="", licence="", sha256=""
    )
    return Denoiser(card, network).place(device, precision)


def stepper(handle: Handle, optimiser: torch.optim.Adam, objective: Objective, noisy: Tensor) -> Callable[[], None]:
    rows = columns = slice(0, noisy.shape[-1])
    crop = Crop(noisy, torch.ones_like(noisy, dtype=torch.bool), windows=[Window(0, rows, columns)])
    chance = torch.Generator().manual_seed(0)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        objective.pixel_loss(handle.network, handle.placed(crop), chance).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def memory(step: Callable[[], None], movable: list[Tensor]) -> int:
    """Bytes that one step keeps for its backward pass, and those of gradients and Adam's averages."""
    kept: dict[int, int] = {}

    def keep(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        step()
    return sum(kept.values()) + 3 * sum(moved.numel() * moved.element_size() for moved in movable)


if __name__ == "__main__":
    main()
