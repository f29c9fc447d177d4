"""One gain per channel: GainTuning (Mohan et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from ...errors import SettingError
from ...models.layers import Conv2d, scale_filters
from ...models.networks import Network
from .handle import Handle, Shapes, no_layers


class Gains(Handle):
    """The channel gains of all convolutions."""

    def merged(self) -> Network:
        return merge(self.network, self.state())


@contextmanager
def channel_gains(network: Network, shapes: Shapes = ()) -> Iterator[Gains]:
    """One multiplicative gain per output channel of every convolution, all exactly 1 (Mohan 2021, eq. 2).

    Convolutions that the denoised image does not pass through are left out: nothing would move their gains.
    """
    if not network.has_layers:
        raise SettingError(no_layers("channel-gains"))
    layers = _convolutions(network)
    gains = {}
    for name, layer in layers.items():
        gains[name] = torch.ones(layer.weight.shape[0], device=layer.weight.device, requires_grad=True)
        layer.channel_gain = gains[name]
    try:
        yield Gains(network, gains)
    finally:
        for layer in layers.values():
            layer.channel_gain = None


def merge(network: Network, gains: Sequence[Tensor]) -> Network:
    """A copy of ``network`` with the channel gains folded into its filters.

    Its output is bit-identical to the tuned network's, in every precision: the gains multiply the filters there too.
    """
    merged = deepcopy(network)
    with torch.no_grad():
        for layer, channel_gain in zip(_convolutions(merged).values(), gains, strict=True):
            layer.channel_gain = None
            layer.weight = nn.Parameter(scale_filters(layer.weight, channel_gain), requires_grad=False)
    return merged


def _convolutions(network: Network) -> dict[str, Conv2d]:
    """By name, those that the denoised image passes through."""
    aside = {module for part in network.aside for module in part.modules()}
    modules = network.named_modules()
    return {name: module for name, module in modules if isinstance(module, Conv2d) and module not in aside}
