"""The adapted state a job starts from, and the one it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..adaptation.parameters import Handle
from ..adaptation.saved import SavedState
from ..errors import OutputError, SettingError
from ..io.output_path import discard, part_path, publish
from ..models.card import ModelCard
from .config import DenoiseConfig

SUFFIX = ".safetensors"


def starting_state(config: DenoiseConfig, card: ModelCard) -> SavedState | None:
    """What ``adapted`` names, None for nothing. Raises ModelError or SettingError where it is not for this model."""
    if not config.adapted:
        return None
    state = SavedState.read(Path(config.adapted).expanduser())
    state.check(config.parameters, card)
    return state


def check_saving(config: DenoiseConfig, frames: Sequence[int]) -> None:
    """Raises, before any work, if there would be several states or the file cannot be had."""
    if not config.save_adapted:
        return
    path = Path(config.save_adapted).expanduser()
    if config.series == "episodic" and len(frames) > 1:
        raise SettingError(
            f"save_adapted with {len(frames)} frames: each gets a state of its own, and one file holds one; choose one "
            "frame, or series shared"
        )
    if path.suffix != SUFFIX or not path.parent.is_dir():
        raise OutputError(f"{path}: give a file in a folder that exists, with a name that ends in {SUFFIX}")
    if path.exists():
        raise OutputError(f"{path}: exists already, and a state is never replaced; choose another name")


def save_state(handle: Handle, config: DenoiseConfig, card: ModelCard) -> None:
    """Write the state to where ``save_adapted`` says, if anywhere: a file that is whole or not there.

    Raises OutputError where it cannot be written; a file that appeared there meanwhile is left as it is.
    """
    if not config.save_adapted:
        return
    path = Path(config.save_adapted).expanduser()
    part = part_path(path)
    try:
        part.write_bytes(SavedState.of(handle, config.parameters, card).content())
    except OSError as error:
        discard(part)
        raise OutputError(f"{path}: cannot be written ({error}); choose another place for the state") from error
    publish(part, path, overwrite=False)
