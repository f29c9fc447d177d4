"""Supervised training: noisy counts in, clean expected electrons out, squared error."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ..models.networks import Network, build_network
from .checkpoint import TrainingState, load_checkpoint, read_recipe, save_checkpoint
from .dataset import SimulatedSet, training_batch
from .recipe import Recipe
from .start import start_direct
from .validation import ValidationSet

CHECKPOINT = "checkpoint.safetensors"
TIMED_STEPS = 8  # steps from which the length of a run of so many minutes is reckoned; the first two are left out


@dataclass(frozen=True)
class TrainingReport:
    """Progress after ``step`` of ``steps``; ``validation_db`` of the averaged weights where it was just measured."""

    step: int
    steps: int
    loss: float
    seconds_left: float
    validation_db: float | None = None


def new_state(recipe: Recipe) -> TrainingState:
    """A fresh network from the recipe's seed, with its optimiser."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.architecture, **recipe.options)
    network.compute_dtype = getattr(torch, recipe.precision)
    if recipe.direct_start:
        start_direct(network)
    average = {name: value.detach().clone() for name, value in network.named_parameters()}
    return TrainingState(network, average, torch.optim.Adam(network.parameters(), lr=recipe.learning_rate))


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the top at the last step."""
    if step < recipe.warm_up_steps:
        return recipe.learning_rate * (step + 1) / recipe.warm_up_steps
    passed = (step - recipe.warm_up_steps) / max(1, recipe.steps - recipe.warm_up_steps)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, passed))))


def training_step(state: TrainingState, data: SimulatedSet, recipe: Recipe) -> float:
    """One step; returns its loss, the squared error in electrons over the vacuum dose.

    Poisson noise has the dose as its variance: dividing by it lets low and high doses count alike.
    """
    clean, noisy, dose = training_batch(data, recipe, state.step)
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(recipe, state.step)
    state.optimiser.zero_grad(set_to_none=True)
    loss = ((state.network(noisy) - clean) ** 2 / dose).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.largest_gradient_norm)
    state.optimiser.step()
    state.step += 1
    # a young average follows the weights closely, an old one smooths over 1 / (1 - decay) steps
    decay = min(recipe.average_decay, (1 + state.step) / (10 + state.step))
    for name, parameter in state.network.named_parameters():
        state.average[name].lerp_(parameter.detach(), 1 - decay)
    return float(loss.detach())


def averaged_network(state: TrainingState, recipe: Recipe) -> Network:
    """A network with the averaged weights: the one that is validated and kept."""
    network = build_network(recipe.architecture, **recipe.options)
    network.compute_dtype = getattr(torch, recipe.precision)
    network.load_state_dict(state.average)
    return network.requires_grad_(False).eval()


def steps_for(recipe: Recipe, data: SimulatedSet, minutes: float) -> int:
    """How many steps fit into ``minutes`` on this machine, from a few trial steps on a throw-away network."""
    state = new_state(recipe)
    started = time.perf_counter()
    for count in range(TIMED_STEPS):
        if count == 2:
            started = time.perf_counter()
        training_step(state, data, recipe)
    return max(1, round(60 * minutes * (TIMED_STEPS - 2) / (time.perf_counter() - started)))


def resume_or_start(recipe: Recipe, folder: Path, resume: bool) -> tuple[TrainingState, Recipe]:
    """The state to go on from. A resumed run keeps the number of steps that it was begun with."""
    path = folder / CHECKPOINT
    if not (resume and path.exists()):
        return new_state(recipe), recipe
    recipe = recipe.model_copy(update={"steps": read_recipe(path).steps})
    state = new_state(recipe)
    load_checkpoint(path, state, recipe)
    return state, recipe


def train(
    state: TrainingState,
    data: SimulatedSet,
    recipe: Recipe,
    folder: Path,
    seconds_between_checkpoints: float = 120.0,
) -> Iterator[TrainingReport]:
    """Train to the recipe's last step, a report a step; checkpoint and validate every so many seconds and at the end.

    Which steps are validated depends on the clock, the weights do not: a run that was killed and resumed ends bit-equal
    to one that was not, on the same machine with the same number of threads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    validation = ValidationSet.draw(data)
    began, begun_at, saved = time.perf_counter(), state.step, time.perf_counter()
    seconds_before = state.seconds
    while state.step < recipe.steps:
        loss = training_step(state, data, recipe)
        now = time.perf_counter()
        state.seconds = seconds_before + now - began
        score = None
        if now - saved > seconds_between_checkpoints or state.step == recipe.steps:
            save_checkpoint(folder / CHECKPOINT, state, recipe)
            score = validation.score(averaged_network(state, recipe))
            saved = time.perf_counter()
        left = (now - began) / (state.step - begun_at) * (recipe.steps - state.step)
        yield TrainingReport(state.step, recipe.steps, loss, left, score)
