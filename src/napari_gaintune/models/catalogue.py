"""The shipped models and the user's own, and loading and saving of any: files with a hash, never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import platformdirs
import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from ..errors import ModelError
from .card import ModelCard
from .denoiser import Denoiser
from .networks import Network, build_network
from .programs import program_network

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
WEIGHTS_SUFFIX, PROGRAM_SUFFIX = ".safetensors", ".torchscript"


USER_FOLDER_VARIABLE = "NAPARI_GAINTUNE_MODELS"


def user_folder() -> Path:
    """Where the user's own models are, whether it is there or not; an environment variable may name another place."""
    return Path(os.environ.get(USER_FOLDER_VARIABLE) or platformdirs.user_data_path("napari-gaintune") / "models")


def list_models(*folders: Path) -> list[ModelCard]:
    """The cards of every model in ``folders``, by name; of the shipped ones, then the user's, by default. No weights."""
    places = folders or (WEIGHTS_FOLDER, user_folder())
    return [read_card(path) for folder in places for path in sorted(folder.glob("*.json"), key=lambda path: path.stem)]


def read_card(path: Path) -> ModelCard:
    """Raises ModelError if the card cannot be read or lacks a field."""
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(f"{path.name}: not a readable model card ({error}); install the model again") from error


def load_denoiser(name: str | os.PathLike[str]) -> Denoiser:
    """A pre-trained denoiser by its name in the catalogue, or by the path of its file with the card beside it.

    Raises ModelError for an unknown name, a missing card, a wrong hash, weights that do not fit the architecture, or a
    program that does more than compute.
    """
    weights, card = find_weights(os.fspath(name)), find_card(name)
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise ModelError(f"{weights.name}: cannot be read ({error}); install the model again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ModelError(
            f"{weights.name}: the file's SHA-256 is {found[:12]}…, its card says {card.sha256[:12]}…; the file is damaged "
            "or not the one the card describes, install the model again"
        )
    if card.is_program:
        return Denoiser(card=card, network=program_network(content, card.options, weights.name))
    try:
        state = safetensors.torch.load(content)
    except SafetensorError as error:
        raise ModelError(f"{weights.name}: not a safetensors file ({error}); install the model again") from error
    return Denoiser(card=card, network=load_network(card.architecture, card.options, state, weights.name))


def load_network(
    architecture: str, options: dict[str, int | bool], state: dict[str, torch.Tensor], name: str
) -> Network:
    """A network with the given weights, frozen. Raises ModelError where names or shapes do not fit."""
    network = build_network(architecture, **options)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{name}: the weights do not fit {architecture} with {options}: {error}") from error
    return network.requires_grad_(False).eval()


def save_model(network: Network, card_fields: dict[str, Any], folder: Path = WEIGHTS_FOLDER) -> ModelCard:
    """Write NAME.safetensors and NAME.json into ``folder``; the hash is computed here. Returns the card."""
    state = {key: value.detach().float().contiguous().cpu() for key, value in network.state_dict().items()}
    return save_content(safetensors.torch.save(state), card_fields, folder)


def save_content(content: bytes, card_fields: dict[str, Any], folder: Path) -> ModelCard:
    """Write the bytes of weights or of a program, and their card, as ``save_model`` does.

    A model whose card of that name is there is replaced: its file goes, of whichever kind it is. No other file does.
    """
    card = ModelCard(**card_fields, sha256=hashlib.sha256(content).hexdigest())
    path = folder / f"{card.name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    before = _file_of_card(path)
    after = path.with_suffix(suffix_of(card))
    _write_whole(after, content)
    save_card(card, path)
    if before is not None and before != after:
        before.unlink(missing_ok=True)
    return card


def _file_of_card(path: Path) -> Path | None:
    """What a card that is there belongs to; a card that cannot be read names nothing that might go."""
    try:
        return path.with_suffix(suffix_of(read_card(path)))
    except ModelError:
        return None


def suffix_of(card: ModelCard) -> str:
    """What the name of the file beside a card ends in."""
    return PROGRAM_SUFFIX if card.is_program else WEIGHTS_SUFFIX


def save_card(card: ModelCard, path: Path) -> None:
    """Write ``card`` to ``path``, in the place of one that is there."""
    _write_whole(path, (json.dumps(card.model_dump(mode="json"), indent=2) + "\n").encode())


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(6)}.part")
    temporary.write_bytes(data)
    temporary.replace(path)


def find_card(name: str | os.PathLike[str]) -> ModelCard:
    """The card of a model of the catalogue, or of a path, without its weights. Raises ModelError where there is none."""
    return read_card(find_weights(os.fspath(name)).with_suffix(".json"))


def find_weights(name: str) -> Path:
    """Where the weights or the program of a model of the catalogue are, or those of a path.

    Raises ModelError where there are none.
    """
    path = Path(name)
    if path.suffix in (WEIGHTS_SUFFIX, PROGRAM_SUFFIX):
        if not path.is_file():
            raise ModelError(
                f"{name}: no such file; give the path of a {path.suffix} file with its .json card beside it"
            )
        return path
    known = {card.stem: card for folder in (user_folder(), WEIGHTS_FOLDER) for card in sorted(folder.glob("*.json"))}
    if name not in known:
        near = get_close_matches(name, known, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ModelError(f"model {name!r} is unknown; {meant}there are {', '.join(sorted(known)) or 'none installed'}")
    return known[name].with_suffix(suffix_of(read_card(known[name])))
