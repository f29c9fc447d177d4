"""What may move. The denoiser is borrowed: within ``tuned`` its gains move, after it nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from ..errors import SettingError
from ..models.denoiser import Denoiser
from ..models.layers import Conv2d, scale_filters
from ..models.networks import Network

State = list[Tensor]


class Handle:
    """The movable parameters of a borrowed denoiser."""

    def __init__(self, network: Network, movable: State) -> None:
        self.network = network
        self.movable = movable
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


@contextmanager
def tuned(denoiser: Denoiser, parameters: str = "channel-gains") -> Iterator[Handle]:
    """Borrow ``denoiser`` with some of its parameters free to move.

    At the start the output is bit-identical to the pre-trained one; after the block, also after an error in it, the
    network is as it was. Raises SettingError for an unknown choice of parameters, or if the denoiser is already lent.
    """
    if parameters not in PARAMETERS:
        raise SettingError(f"parameters {parameters!r} are unknown; there are {', '.join(PARAMETERS)}")
    with PARAMETERS[parameters](denoiser.network) as movable:
        yield Handle(denoiser.network, movable)


@contextmanager
def channel_gains(network: Network) -> Iterator[State]:
    """One multiplicative gain per output channel of every convolution, all exactly 1 (Mohan 2021, eq. 2)."""
    layers = _convolutions(network)
    if any(layer.channel_gain is not None for layer in layers):
        raise SettingError("this denoiser is already being adapted; load it a second time for a second adaptation")
    for layer in layers:
        layer.channel_gain = torch.ones(layer.weight.shape[0], device=layer.weight.device, requires_grad=True)
    try:
        yield [layer.channel_gain for layer in layers if layer.channel_gain is not None]
    finally:
        for layer in layers:
            layer.channel_gain = None


PARAMETERS: dict[str, Callable[[Network], AbstractContextManager[State]]] = {"channel-gains": channel_gains}


def merge(network: Network, gains: Sequence[Tensor]) -> Network:
    """A copy of ``network`` with the channel gains folded into its filters.

    Its output is bit-identical to the tuned network's, in every precision: the gains multiply the filters there too.
    """
    merged = deepcopy(network)
    with torch.no_grad():
        for layer, channel_gain in zip(_convolutions(merged), gains, strict=True):
            layer.channel_gain = None
            layer.weight = nn.Parameter(scale_filters(layer.weight, channel_gain), requires_grad=False)
    return merged


def _convolutions(network: Network) -> list[Conv2d]:
    return [module for module in network.modules() if isinstance(module, Conv2d)]
