"""The state of a training on disk: one safetensors file, replaced as a whole, nothing pickled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import SettingError
from ..models.networks import Network
from .recipe import TrainingRecipe


@dataclass
class TrainingState:
    """What a training is made of: network, its averaged weights (by name), optimiser, and the step to do next.

    ``objects`` is how many simulated ones there are, the held-out ones included; 0 where nobody counted. ``trained_on`` is
    the digest of the set, "" where nobody looked.
    """

    network: Network
    average: dict[str, Tensor]
    optimiser: torch.optim.Adam
    step: int = 0
    seconds: float = 0.0
    objects: int = 0
    trained_on: str = ""


def save_checkpoint(path: Path, state: TrainingState, recipe: TrainingRecipe) -> None:
    """Write beside the target, then rename: a kill at any time leaves the last whole checkpoint.

    Raises SettingError, and leaves what is there, where a weight is not finite.
    """
    if not all(bool(torch.isfinite(value).all()) for value in state.average.values()):
        raise SettingError(
            f"{recipe.name}: a weight is not finite after {state.step} steps; {path} is left as it was. Begin anew in an "
            "empty folder with a lower learning_rate"
        )
    tensors = {f"average/{name}": value for name, value in state.average.items()}
    for name, parameter in state.network.named_parameters():
        tensors[f"network/{name}"] = parameter.detach()
        for key, value in state.optimiser.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = value
    whole = {key: value.contiguous() for key, value in tensors.items()}
    record = {
        "step": state.step,
        "seconds": state.seconds,
        "objects": state.objects,
        "trained_on": state.trained_on,
        "recipe": recipe.model_dump(mode="json"),
    }
    partial = path.with_name(path.name + ".part")
    save_file(whole, partial, metadata={"training": json.dumps(record)})
    partial.replace(path)


def read_recipe(path: Path) -> TrainingRecipe:
    """The recipe that a checkpoint was written under. Raises SettingError for a file that is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            return TrainingRecipe.model_validate(json.loads(file.metadata()["training"])["recipe"])
    except (SafetensorError, KeyError, TypeError, ValidationError) as error:
        raise SettingError(f"{path}: not a whole checkpoint ({error}); begin anew in an empty folder") from error


def load_checkpoint(path: Path, state: TrainingState, recipe: TrainingRecipe) -> None:
    """Restore ``state`` in place, bit for bit. Raises SettingError if the checkpoint belongs to another recipe."""
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["training"])
        if TrainingRecipe.model_validate(record["recipe"]) != recipe:
            raise SettingError(
                f"{path}: written under another recipe; give an empty folder with --output, or the same recipe"
            )
        there = set(file.keys())
        if any(name.startswith("exp_avg/") for name in there) and not any(name.startswith("step/") for name in there):
            raise SettingError(
                f"{path}: by an earlier version, without each weight's number of steps; begin anew in an empty folder"
            )
        for name, parameter in state.network.named_parameters():
            parameter.data.copy_(file.get_tensor(f"network/{name}"))
            state.average[name].copy_(file.get_tensor(f"average/{name}"))
            if f"exp_avg/{name}" in there:
                moments = {key: file.get_tensor(f"{key}/{name}") for key in ("exp_avg", "exp_avg_sq")}
                state.optimiser.state[parameter] = {
                    "step": file.get_tensor(f"step/{name}"),
                    **{key: torch.empty_like(parameter.data).copy_(value) for key, value in moments.items()},
                }
    state.step, state.seconds = int(record["step"]), float(record["seconds"])
    state.objects, state.trained_on = int(record.get("objects", 0)), str(record.get("trained_on", ""))
