"""Weights of the network itself: all of them (Lee et al. 2020), or those of one layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import nn

from ...errors import SettingError
from ...models.networks import Network
from .handle import Handle, Shapes, no_layers

NO_WEIGHTS = (
    "parameters = 'all-weights': this model is a frozen program, which has its weights as constants; choose --method lan, "
    "or save the program without torch.jit.freeze"
)


class Weights(Handle):
    """Some of the network's own weights."""

    def merged(self) -> Network:
        with torch.no_grad():  # the weights of a program are copied as results are, with the way back to the original
            return deepcopy(self.network).requires_grad_(False)


@contextmanager
def all_weights(network: Network, shapes: Shapes = ()) -> Iterator[Weights]:
    """Filters and biases of every layer (Restore-from-Restored; "full-trainable" of LAN)."""
    if next(network.parameters(), None) is None:
        raise SettingError(NO_WEIGHTS)
    with _weights_of(network, network) as handle:
        yield handle


@contextmanager
def first_layer(network: Network, shapes: Shapes = ()) -> Iterator[Weights]:
    """Filters and bias of the convolution that sees the frame first (compared with in LAN)."""
    if not network.has_layers:
        raise SettingError(no_layers("first-layer"))
    with _weights_of(network, network.first_layer) as handle:
        yield handle


@contextmanager
def last_layer(network: Network, shapes: Shapes = ()) -> Iterator[Weights]:
    """Filters and bias of the convolution that gives the result (compared with in GainTuning and LAN)."""
    if not network.has_layers:
        raise SettingError(no_layers("last-layer"))
    with _weights_of(network, network.last_layer) as handle:
        yield handle


@contextmanager
def heads(network: Network, shapes: Shapes = ()) -> Iterator[Weights]:
    """The primary and the auxiliary head of a network with two tasks; its body stays (Gunawan et al. 2022)."""
    if not network.heads:
        raise SettingError(
            "parameters = 'heads': this model has one task and no heads; choose a model of architecture multi-task"
        )
    with _weights_of(network, *network.heads) as handle:
        yield handle


@contextmanager
def ain(network: Network, shapes: Shapes = ()) -> Iterator[Weights]:
    """Adaptive normalisations, noise-level estimator and last convolution, biases included (Kim et al. 2020, 3.2)."""
    if not network.noise_parts:
        raise SettingError(
            "parameters = 'ain': this model has no adaptive instance normalisation and no noise-level estimator; choose a "
            "model of architecture aindnet"
        )
    with _weights_of(network, *network.noise_parts) as handle:
        yield handle


@contextmanager
def _weights_of(network: Network, *parts: nn.Module) -> Iterator[Weights]:
    """Lends the weights of ``parts`` of ``network``; frozen again and bit for bit as they were after it."""
    wanted = {id(weight) for part in parts for weight in part.parameters()}
    weights = {name: weight for name, weight in network.named_parameters() if id(weight) in wanted}
    were_free = [weight.requires_grad for weight in weights.values()]
    handle = Weights(network, dict(weights))
    for weight in weights.values():
        weight.requires_grad_(True)
    try:
        yield handle
    finally:
        handle.reset()
        for weight, was_free in zip(weights.values(), were_free, strict=True):
            weight.grad = None
            weight.requires_grad_(was_free)
