"""Models of the user's own: taken into a folder of theirs, after which they stand in the list like the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from ..errors import ModelError
from .card import PROGRAM, ModelCard
from .catalogue import PROGRAM_SUFFIX, WEIGHTS_FOLDER, load_network, read_card, save_content, save_model, user_folder
from .foreign import with_our_names
from .measuring import measure_program
from .networks import Network
from .programs import read_program

TRIAL_PX = 64
PROGRAM_SUFFIXES = (PROGRAM_SUFFIX, ".ts")
PLACEHOLDERS = {
    "modality": "any", "trained_on": "not told", "objective": "not told", "recipe": "added by the user",
    "licence": "not told",
}  # fmt: skip


def add_model(file: Path, told: dict[str, Any], overwrite: bool = False) -> ModelCard:
    """Take a ``.safetensors`` file, or a TorchScript program, into the user's folder; returns the card it is listed by.

    ``told`` are fields of a ModelCard; a card beside the file, NAME.json as a training writes it, is read first and gives
    way to them. Without either, ``intensity_unit`` has to be told, and of weights ``architecture``: they must fit it, and
    give finite values. Of a program the architecture is that it is one, and its options are measured. Raises ModelError
    with the rule and the cure.
    """
    try:
        if file.suffix in PROGRAM_SUFFIXES:
            return _add_program(file, told, overwrite)
        return _add_weights(file, told, overwrite)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ModelError(f"{problem['loc'][0]} = {problem['input']!r}: {problem['msg'].lower()}") from error


def _add_weights(file: Path, told: dict[str, Any], overwrite: bool) -> ModelCard:
    weights = _weights(file)
    fields = _fields(file, told)
    network = load_network(
        fields["architecture"], fields["options"], with_our_names(fields["architecture"], weights), file.name
    )
    _check_output(network, file)
    check_name(fields["name"], overwrite)
    return save_model(network, fields, user_folder())


def _add_program(file: Path, told: dict[str, Any], overwrite: bool) -> ModelCard:
    if told.get("options") or told.get("architecture", "") not in ("", PROGRAM):
        raise ModelError(
            f"{file.name}: a TorchScript program has no architecture and no options of ours, what counts is measured; leave "
            "them out"
        )
    fields = _fields(file, told | {"architecture": PROGRAM})
    check_name(fields["name"], overwrite)  # before the measuring, which takes its time
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file.name}: cannot be read ({error}); check the path") from error
    fields["options"] = asdict(measure_program(read_program(content, file.name), file.name))
    return save_content(content, fields, user_folder())


def parse_options(options: Sequence[str]) -> dict[str, int | bool]:
    """``width=32`` and ``bias=false`` as an architecture takes them. Raises ModelError for anything else."""
    parsed: dict[str, int | bool] = {}
    for option in options:
        name, _, value = option.partition("=")
        if value.lower() in ("true", "false"):
            parsed[name] = value.lower() == "true"
        elif re.fullmatch(r"\d+", value):
            parsed[name] = int(value)
        else:
            raise ModelError(
                f"option {option!r}: write NAME=VALUE with a whole number, true or false, such as width=32"
            )
    return parsed


def _weights(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".pt2":
        raise ModelError(
            f"{file.name}: a program of torch.export is not taken, as torch unpickles parts of it when it reads it, and a "
            "pickle runs code; save it as TorchScript, with torch.jit.script and torch.jit.save, as NAME.torchscript"
        )
    if file.suffix != ".safetensors":
        raise ModelError(
            f"{file.name}: only .safetensors and .torchscript files are taken, as a pickle (.pt, .pth) runs code when it is "
            "read; save the weights with safetensors.torch.save_file, or name a TorchScript program NAME.torchscript"
        )
    try:
        return safetensors.torch.load(file.read_bytes())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file.name}: not a readable safetensors file ({error}); save the weights again") from error


def _fields(file: Path, told: dict[str, Any]) -> dict[str, Any]:
    beside = file.with_suffix(".json")
    fields: dict[str, Any] = {"name": file.stem, "options": {}} | PLACEHOLDERS
    if beside.is_file():
        fields |= read_card(beside).model_dump(exclude={"sha256"})
    fields |= {name: value for name, value in told.items() if value}
    for needed in ("architecture", "intensity_unit"):
        if needed not in fields:
            raise ModelError(
                f"{file.name}: its {needed} is not known; tell it, or put the model's card, {beside.name}, beside it"
            )
    return fields


def _check_output(network: Network, file: Path) -> None:
    with torch.no_grad():
        given = network(torch.full((1, 1, TRIAL_PX, TRIAL_PX), 0.5))
    if not given.isfinite().all():
        raise ModelError(f"{file.name}: gives NaN or infinite values for a flat image; the weights are damaged")


def check_name(name: str, overwrite: bool) -> None:
    """Raises ModelError if a model of the user's cannot be called that."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name == "auto":
        raise ModelError(
            f"name {name!r}: letters, digits, '.', '_' and '-' make a name, and 'auto' is taken; choose another"
        )
    if (WEIGHTS_FOLDER / f"{name}.json").exists():
        raise ModelError(f"name {name!r} is that of a model that comes with the program; choose another name")
    if (user_folder() / f"{name}.json").exists() and not overwrite:
        raise ModelError(f"name {name!r} is in your list already; choose another name, or overwrite it")
