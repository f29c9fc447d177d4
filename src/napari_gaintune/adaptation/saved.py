"""An adapted state on disk: what moved, some kilobytes for gains, and the model it belongs to; never a pickle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import ModelError, SettingError
from ..models.card import ModelCard
from .parameters import Handle

KIND = "napari-gaintune adapted state 1"


@dataclass(frozen=True)
class SavedState:
    """What moved, by the names of its parts; which ``parameters`` it is, and the hash of the model it moved in."""

    tensors: dict[str, Tensor]
    parameters: str
    model: str
    model_sha256: str

    @classmethod
    def of(cls, handle: Handle, parameters: str, card: ModelCard) -> SavedState:
        """The state of a borrowed denoiser as it stands."""
        tensors = {name: value.cpu().contiguous() for name, value in zip(handle.names, handle.state(), strict=True)}
        return cls(tensors, parameters, card.name, card.sha256)

    @classmethod
    def read(cls, path: Path) -> SavedState:
        """Raises ModelError where there is no such file, or it is none of ours."""
        try:
            content = path.read_bytes()
            tensors = safetensors.torch.load(content)
            with safetensors.safe_open(str(path), "pt") as file:
                told = file.metadata() or {}
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{path}: not a readable adapted state ({error}); give a file of --save-adapted"
            ) from error
        if told.get("kind") != KIND:
            raise ModelError(f"{path}: holds no adapted state, but {told.get('kind', 'something else')!r}; give a file of "
                             "--save-adapted")  # fmt: skip
        return cls(tensors, told["parameters"], told["model"], told["model_sha256"])

    def content(self) -> bytes:
        """What a file of it holds."""
        told = {"kind": KIND, "parameters": self.parameters, "model": self.model, "model_sha256": self.model_sha256}
        return safetensors.torch.save(self.tensors, told)

    def check(self, parameters: str, card: ModelCard) -> None:
        """Raises SettingError if it belongs to another model, or is a state of other parameters."""
        if self.model_sha256 != card.sha256:
            raise SettingError(
                f"the adapted state belongs to {self.model} (SHA-256 {self.model_sha256[:12]}…), the model is {card.name} "
                f"({card.sha256[:12]}…); choose that model"
            )
        if self.parameters != parameters:
            raise SettingError(
                f"the adapted state is one of {self.parameters!r}, and parameters = {parameters!r}; choose those"
            )

    def put_into(self, handle: Handle) -> None:
        """The state into a borrowed denoiser, bit for bit. Raises ModelError where names or shapes are others."""
        expected = {name: value.shape for name, value in zip(handle.names, handle.movable, strict=True)}
        found = {name: value.shape for name, value in self.tensors.items()}
        if expected != found:
            odd = next(name for name in (*expected, *found) if expected.get(name) != found.get(name))
            raise ModelError(
                f"the adapted state does not fit: {odd} is {_spoken(found.get(odd))} in it and {_spoken(expected.get(odd))} "
                "here; an offset fits frames of its own size only"
            )
        handle.load([self.tensors[name] for name in handle.names])

    @property
    def sha256(self) -> str:
        """Of the numbers alone."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            digest.update(name.encode() + self.tensors[name].numpy().tobytes())
        return digest.hexdigest()


def _spoken(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else " x ".join(map(str, shape))
