"""Supervised training: noisy counts in, clean expected electrons out; `losses.py` says what is lowered."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import SettingError
from ..models.catalogue import load_denoiser
from ..models.networks import Network, build_network
from .checkpoint import TrainingState, load_checkpoint, read_recipe, save_checkpoint
from .dataset import BATCHES_AHEAD, Batch, SimulatedSet, batches
from .losses import Compared, check_losses, weighted
from .meta import check_meta, meta_backward
from .recipe import TrainingRecipe
from .start import start_direct, start_passing
from .validation import ValidationSet, levels

REPORT_EVERY = 20
CHECKPOINT = "checkpoint.safetensors"
TIMED_STEPS = 8  # from which the length of a run of so many minutes is reckoned


@dataclass(frozen=True)
class TrainingReport:
    """Progress after ``step`` of ``steps``: the mean loss since the last report, the share of time spent waiting for data.

    ``validation_db`` is that of the averaged weights where it was just measured.
    """

    step: int
    steps: int
    loss: float
    seconds_left: float
    waiting_share: float
    validation_db: float | None = None


def new_state(recipe: TrainingRecipe, device: torch.device) -> TrainingState:
    """A fresh network from the recipe's seed, with its optimiser."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.architecture, **recipe.options)
    check_losses(recipe.losses, network.trained)
    check_meta(recipe, network.trained)
    network.compute_dtype = recipe.compute_dtype
    if recipe.direct_start:
        start_direct(network)
    if recipe.passing_start:
        start_passing(network)
    network.to(device)
    average = {name: value.detach().clone() for name, value in network.named_parameters()}
    return TrainingState(network, average, torch.optim.Adam(network.parameters(), lr=recipe.learning_rate))


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the top at the last step; anew after each restart.

    Warm restarts let a training that has ended go on (Loshchilov and Hutter 2017).
    """
    first, end = recipe.cycle(step)
    top = recipe.meta.transfer_learning_rate if recipe.meta and recipe.transfers(step) else recipe.learning_rate
    if step - first < recipe.warm_up_steps:
        return top * (step - first + 1) / recipe.warm_up_steps
    passed = (step - first - recipe.warm_up_steps) / max(1, end - first - recipe.warm_up_steps)
    return top * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, passed))))


def restart(state: TrainingState, recipe: TrainingRecipe) -> None:
    """Go on from the averaged weights with a fresh optimiser."""
    with torch.no_grad():
        for name, parameter in state.network.named_parameters():
            parameter.copy_(state.average[name])
    state.optimiser = torch.optim.Adam(state.network.parameters(), lr=recipe.learning_rate)


def local_part(recipe: TrainingRecipe, step: int, stride: int) -> tuple[slice, slice]:
    """The rows and columns of this step's crops that the convolutions see; the Bragg filters before them see all."""
    side = recipe.local_px or recipe.crop_px
    rng = np.random.default_rng([recipe.seed, step, 1])
    starts = stride * rng.integers((recipe.crop_px - side) // stride + 1, size=2)
    return slice(int(starts[0]), int(starts[0]) + side), slice(int(starts[1]), int(starts[1]) + side)


def compiled(network: Network, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The convolutions as CUDA graphs on a GPU that torch can compile for; as they are elsewhere."""
    if device.type != "cuda" or find_spec("triton") is None:
        return network.local
    return torch.compile(network.local, mode="reduce-overhead")


def training_step(
    state: TrainingState, batch: Batch, recipe: TrainingRecipe, local: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """One step; returns its loss, a scalar left on the device.

    ``local`` stands for the network's own, where it was compiled.
    """
    if state.step in recipe.restarts:
        restart(state, recipe)
    age = state.step - recipe.cycle(state.step)[0] + 1
    device = next(state.network.parameters()).device
    parts = (batch.clean, batch.noisy, batch.divisor, batch.noise_sd)
    clean, noisy, divisor, noise_sd = (part.to(device, non_blocking=True) for part in parts)
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(recipe, state.step)
    state.optimiser.zero_grad(set_to_none=True)
    network = state.network.trained
    rows, columns = local_part(recipe, state.step, network.stride)
    prepared = network.whole_frame(noisy)[..., rows, columns].contiguous()
    truth = network.part_of(clean[..., rows, columns])
    given = Compared(network, prepared, prepared, truth, noise_sd[..., rows, columns], divisor)
    if recipe.meta is None:
        loss = weighted(recipe.losses, replace(given, denoised=(local or network.local)(prepared)))
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        loss = meta_backward(given, recipe, state.step)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.largest_gradient_norm)
    state.optimiser.step()
    state.step += 1
    # a young average follows the weights closely, an old one smooths over 1 / (1 - decay) steps
    decay = min(recipe.average_decay, (1 + age) / (10 + age))
    with torch.no_grad():
        parameters = dict(state.network.named_parameters())
        torch._foreach_lerp_([state.average[name] for name in parameters], list(parameters.values()), 1 - decay)
    return loss.detach()


def averaged_network(state: TrainingState, recipe: TrainingRecipe) -> Network:
    """A network with the averaged weights: the one that is validated and kept."""
    network = build_network(recipe.architecture, **recipe.options)
    network.compute_dtype = recipe.compute_dtype
    network.load_state_dict(state.average)
    return network.to(next(state.network.parameters()).device).requires_grad_(False).eval()


def steps_for(recipe: TrainingRecipe, data: SimulatedSet, minutes: float, device: torch.device) -> int:
    """How many steps fit into ``minutes`` on this machine, from a few trial steps on a throw-away network.

    Batches that were made ahead before the first step say nothing of how fast they come: time runs once they are used up.
    """
    state, threads = new_state(recipe, device), loader_threads()
    local = compiled(state.network.trained, device)
    untimed = BATCHES_AHEAD + threads + 1
    # as many again beyond the last timed one, so that the threads do not run out of work before it
    trial = recipe.model_copy(update={"steps": 2 * untimed + TIMED_STEPS, "restarts": ()})
    source = batches(data, trial, 0, threads)
    try:
        for _ in range(untimed):
            training_step(state, next(source), trial, local).item()
        started = time.perf_counter()
        for _ in range(TIMED_STEPS):
            training_step(state, next(source), trial, local).item()
        return max(1, round(60 * minutes * TIMED_STEPS / (time.perf_counter() - started)))
    finally:
        source.close()


def loader_threads() -> int:
    """Threads that draw crops: one on a small machine, where the network needs the cores."""
    return max(1, min(12, (os.cpu_count() or 1) - 2))


def resume_or_start(
    recipe: TrainingRecipe, folder: Path, resume: bool, device: torch.device
) -> tuple[TrainingState, TrainingRecipe]:
    """The state to go on from. A resumed run whose steps were reckoned from minutes keeps them.

    Raises SettingError if the checkpoint belongs to another recipe.
    """
    path = folder / CHECKPOINT
    if not (resume and path.exists()):
        return new_state(recipe, device), recipe
    begun = read_recipe(path)
    if begun.minutes:
        recipe = recipe.model_copy(update={name: getattr(begun, name) for name in ("steps", "restarts", "minutes")})
    state = new_state(recipe, device)
    load_checkpoint(path, state, recipe)
    return state, recipe


def begin_at_restart(
    recipe: TrainingRecipe, weights: str, device: torch.device
) -> tuple[TrainingState, TrainingRecipe]:
    """A state at the recipe's last restart with the weights that the steps before it made: a model's name, or its path.

    Raises SettingError if that model was not trained by those steps of the same recipe.
    """
    denoiser = load_denoiser(weights)
    if not recipe.restarts:
        raise SettingError(
            f"{recipe.name}: the recipe has no restarts to begin at; add the step that {weights} ended at"
        )
    first = recipe.restarts[-1]
    apart = {"photographs": 0, "minutes": 0.0}  # known only when it was trained
    before = recipe.model_copy(update={"steps": first, "restarts": recipe.restarts[:-1]} | apart)
    made_by = TrainingRecipe.model_validate_json(denoiser.card.recipe).model_copy(update=apart)
    if made_by != before:
        other = [name for name in before.model_dump() if getattr(before, name) != getattr(made_by, name)]
        raise SettingError(
            f"{weights}: not made by the first {first} steps of {recipe.name}: {', '.join(other)} differ"
        )
    state = new_state(recipe, device)
    state.network.load_state_dict(denoiser.network.state_dict())
    state.average = {name: value.detach().clone() for name, value in state.network.named_parameters()}
    state.step, state.objects = first, denoiser.card.objects or 0
    return state, recipe


def train(
    state: TrainingState,
    data: SimulatedSet,
    recipe: TrainingRecipe,
    folder: Path,
    seconds_between_checkpoints: float = 120.0,
) -> Iterator[TrainingReport]:
    """Train to the recipe's last step; checkpoint and validate every so many seconds and at the end.

    A report every ``REPORT_EVERY`` steps and after each validation: reading the loss more often would make a GPU wait.
    Raises SettingError where it is not finite, with the last checkpoint as it was.
    Which steps are validated depends on the clock, the weights do not: a run that was killed and resumed ends bit-equal
    to one that was not, on the same machine with the same number of threads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    validation = ValidationSet.draw(data, levels(recipe)[0])
    began, begun_at, saved, waited = time.perf_counter(), state.step, time.perf_counter(), 0.0
    seconds_before, losses = state.seconds, []
    source = batches(data, recipe, state.step, loader_threads())
    local = compiled(state.network.trained, next(state.network.parameters()).device)
    while state.step < recipe.steps:
        asked = time.perf_counter()
        batch = next(source)
        waited += time.perf_counter() - asked
        losses.append(training_step(state, batch, recipe, local))
        now = time.perf_counter()
        is_last = state.step == recipe.steps
        is_due = now - saved > seconds_between_checkpoints or is_last
        if not (is_due or state.step % REPORT_EVERY == 0):
            continue
        loss = float(torch.stack(losses).mean())
        losses.clear()
        if not math.isfinite(loss):
            raise SettingError(
                f"{recipe.name}: the loss is {loss} in the steps up to {state.step}: the training has diverged. A "
                f"checkpoint in {folder} is of before; begin anew in an empty folder with a lower learning_rate"
            )
        now = time.perf_counter()
        state.seconds = seconds_before + now - began
        score = None
        if is_due:
            save_checkpoint(folder / CHECKPOINT, state, recipe)
            score = validation.score(averaged_network(state, recipe))
            saved = time.perf_counter()
        left = (now - began) / (state.step - begun_at) * (recipe.steps - state.step)
        yield TrainingReport(state.step, recipe.steps, loss, left, waited / (now - began), score)
