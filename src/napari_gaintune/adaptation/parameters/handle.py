"""The movable parameters of a borrowed denoiser, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.networks import Network
from ..objectives.base import Crop

State = list[Tensor]
Shapes = Sequence[Sequence[int]]  # (h, w) of each frame adapted to


def no_layers(parameters: str) -> str:
    """Why these parameters of a network whose layers are not ours cannot move, and what can."""
    return (
        f"parameters = {parameters!r}: this model is a TorchScript program, whose layers cannot be told apart; choose "
        "--parameters all-weights, --method restore-from-restored or --method lan"
    )


class Handle:
    """What moves in ``network``; ``names`` tell it apart in a saved state."""

    def __init__(self, network: Network, movable: dict[str, Tensor]) -> None:
        self.network = network
        self.names = tuple(movable)
        self.movable: State = list(movable.values())
        self._start = self.state()

    def state(self) -> State:
        """A copy of what moved."""
        return [parameter.detach().clone() for parameter in self.movable]

    def load(self, state: Sequence[Tensor]) -> None:
        """Put a state back, bit for bit."""
        with torch.no_grad():
            for parameter, value in zip(self.movable, state, strict=True):
                parameter.copy_(value)

    def reset(self) -> None:
        """The pre-trained network again, bit for bit."""
        self.load(self._start)

    def placed(self, crop: Crop) -> Crop:
        """``crop`` as an objective is to have it: with what of the movable belongs to its place in the frame."""
        return crop

    def seen(self, frame: Tensor, index: int = 0) -> Tensor:
        """What the network is shown of a whole frame (h, w), the one at ``index`` of those adapted to."""
        return frame

    def merged(self) -> Network:
        """A network of its own with the state folded in; its output is bit-identical to the tuned one's.

        Raises SettingError where what moves is no part of the network.
        """
        raise NotImplementedError
