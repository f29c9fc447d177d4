"""Where a training starts from: a network that already gives back an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import SettingError
from ..models.layers import Conv2d
from ..models.networks import BlindSpotUNet, DnCNN, Network, UNet
from ..models.networks.lattice import LatticeNetwork

QUIET = 0.1  # what a random network adds to the first output


@torch.no_grad()
def start_direct(network: Network) -> None:
    """Make a fresh network give an image and not noise.

    A network behind Bragg filters gives what they find. A UNet gives the local mean and little more. A DnCNN, which gives
    input - residual, carries its input unchanged through channel 0 of every layer and subtracts it at the end, so that
    its output is what the other channels predict: at half an electron per pixel the residual is nearly the whole input,
    and a random net would first spend hundreds of steps learning to pass each pixel through. Counts are not negative, so
    the rectifiers let channel 0 through. Raises SettingError for another architecture.
    """
    if isinstance(network, BlindSpotUNet):
        network = network.one_place.unet
    if isinstance(network, LatticeNetwork) and network.filters:
        _last(network).mul_(0)
    elif isinstance(network, UNet):
        _last(network).mul_(QUIET)
    elif isinstance(network, DnCNN):
        *hidden, last = _weights(network.convs)
        for weight in hidden:
            weight[0] = 0
            weight[0, 0, 1, 1] = 1
        last.mul_(QUIET)
        last[0, 0] = 0
        last[0, 0, 1, 1] = 1
    else:
        raise SettingError(f"direct_start is not for a {type(network).__name__}; leave it out of the recipe")


def _last(network: Network) -> Tensor:
    return [module.weight for module in network.modules() if isinstance(module, Conv2d)][-1]


def _weights(convs: nn.ModuleList) -> list[Tensor]:
    return [conv.weight for conv in convs if isinstance(conv, Conv2d)]
