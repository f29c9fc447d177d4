"""What holds in every cell of the grid: whatever moves, by whatever objective, in whatever network.

That the start is bit-identical, reset and merging exact, and that a saved state comes back does not depend on the objective:
`test_parameters.py` and `test_saved.py` have it for every network.
"""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import Generator

from napari_gaintune.adaptation.config import AdaptationConfig, checked
from napari_gaintune.adaptation.crops import Frames
from napari_gaintune.adaptation.grid import Cell, check_cell
from napari_gaintune.adaptation.loop import Step, adapt
from napari_gaintune.adaptation.objectives import OBJECTIVES, Situation, build_objective
from napari_gaintune.adaptation.parameters import PARAMETERS, State, tuned
from napari_gaintune.errors import SettingError
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.networks import Network
from napari_gaintune.models.prediction import predict

from ..models.test_networks import make
from .test_parameters import CARD

KINDS = ["dncnn", "dilated UNet", "UNet behind Bragg filters", "blind-spot, 2 poolings", "multi-task", "AINDNet"]
STEPS, STOP_AFTER = 4, 3
DARK = torch.poisson(torch.full((40, 44), 0.02), generator=Generator().manual_seed(0))


def cells() -> list[tuple[str, str, str]]:
    """All that are not refused."""
    let_through = []
    for kind, parameters, objective in itertools.product(KINDS, PARAMETERS, OBJECTIVES):
        network = make(kind)
        try:
            check_cell(
                Cell(
                    parameters,
                    objective,  # type: ignore[arg-type]
                    is_blind=network.is_blind,
                    has_heads=bool(network.heads),
                    has_ain=bool(network.noise_parts),
                )
            )
        except SettingError:
            continue
        let_through.append((kind, parameters, objective))
    return let_through


def adapted(network: Network, parameters: str, objective: str) -> tuple[list[Step], State, torch.Tensor]:
    """A run that is stopped before its end, on a frame in which next to nothing arrived."""
    now = Situation(network.is_blind, "electrons", "auto", 0.14)
    chosen, chance = build_objective(objective, now), Generator().manual_seed(5)  # type: ignore[arg-type]
    settings = {
        "parameters": parameters,
        "steps": STEPS,
        "learning_rate": 1e-3,
        "crop_size_px": 24,
        "stopping": "fixed",
        "pace": "plain",  # also by a gradient of chance
    }
    config, steps = checked(AdaptationConfig, settings), list[Step]()
    pseudo_clean = [predict(network, DARK)] if chosen.beside != "nothing" else None
    frames = Frames.build([DARK], pseudo_clean, 4, chance)
    with tuned(Denoiser(CARD, network), parameters, [DARK.shape]) as handle:
        for step in adapt(handle, frames, chosen, config, chance, stop=lambda: len(steps) > STOP_AFTER):
            steps.append(step)
        return steps, handle.state(), predict(network, handle.seen(DARK))


@pytest.mark.parametrize(("kind", "parameters", "objective"), cells())
def test_a_cell_walks_stops_repeats_and_gives_the_network_back(kind: str, parameters: str, objective: str) -> None:
    network = make(kind)
    weights, before = copy.deepcopy(network.state_dict()), predict(network, DARK)
    steps, state, image = adapted(network, parameters, objective)
    losses = list({step.step: step.loss for step in steps if step.loss is not None}.values())
    assert len(losses) == STOP_AFTER
    assert steps[-1].best_step == STOP_AFTER  # judged, or kept, where it was stopped
    assert torch.tensor(losses).isfinite().all()
    assert all(value.isfinite().all() for value in state)
    assert not torch.equal(image, before)
    assert image.isfinite().all()
    again = adapted(network, parameters, objective)
    assert again[0] == steps
    assert all(torch.equal(a, b) for a, b in zip(again[1], state, strict=True))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in weights.items())
    assert torch.equal(predict(network, DARK), before)


def test_every_objective_and_every_choice_of_parameters_has_cells() -> None:
    found = cells()
    assert {objective for _, _, objective in found} == set(OBJECTIVES)
    assert {parameters for _, parameters, _ in found} == set(PARAMETERS)
    one_task, blind = len(KINDS) - 1, 1
    whole = len(KINDS) * len(OBJECTIVES) - (len(KINDS) - blind) - one_task  # see their pixel; have no second task
    lacking = cells_without(found, "multi-task") + cells_without(found, "AINDNet")
    by_heart = len(KINDS)  # an offset of each pixel would learn the frames nearby by heart
    assert len(found) == whole * len(PARAMETERS) - lacking - by_heart


def cells_without(found: list[tuple[str, str, str]], only: str) -> int:
    """What the other networks would have had for the parameters that ``only`` one has."""
    return sum(parameters == "channel-gains" and kind != only for kind, parameters, _ in found)
