"""Where a training starts from: a network that already gives back an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import SettingError
from ..models.layers import Conv2d
from ..models.networks import AINDNet, BlindSpotUNet, DnCNN, MultiTaskNetwork, Network, UNet
from ..models.networks.lattice import LatticeNetwork

QUIET = 0.1  # what a random network adds to the first output
RANDOM_SHARE = 0.3  # of the usual random filters, beside what passes through a layer as it is


@torch.no_grad()
def start_direct(network: Network) -> None:
    """Make a fresh network give an image and not noise.

    A network behind Bragg filters gives what they find. A UNet, an AINDNet or a network with two tasks gives the local mean
    and little more. A DnCNN, which gives input - residual, carries its input unchanged through channel 0 of every layer and
    subtracts it at the end: its output is what the other channels predict. At half an electron per pixel the residual is
    nearly the whole input, and a random net would first spend hundreds of steps learning to pass each pixel through. Counts
    are not negative, so the rectifiers let channel 0 through. Raises SettingError for another architecture.
    """
    if isinstance(network, BlindSpotUNet):
        network = network.one_place.unet
    if isinstance(network, LatticeNetwork) and network.filters:
        network.last_layer.weight.mul_(0)
    elif isinstance(network, UNet | AINDNet | MultiTaskNetwork):
        network.last_layer.weight.mul_(QUIET)
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


@torch.no_grad()
def start_passing(network: Network) -> None:
    """Make a fresh DnCNN give its input, through layers each of which passes on what it is given, and adds little.

    Fifteen random rectified layers without normalisation blow the first residual up; what then brings it down kills most
    channels for good. With the identity added to the filters, as in a residual network (Zagoruyko and Komodakis 2017),
    there is nothing to bring down. Raises SettingError for another architecture.
    """
    if not isinstance(network, DnCNN):
        raise SettingError(f"passing_start is not for a {type(network).__name__}; leave it out of the recipe")
    _, *hidden, last = _weights(network.convs)
    for weight in hidden:
        weight.mul_(RANDOM_SHARE)
        weight[:, :, 1, 1] += torch.eye(len(weight))
    last.mul_(QUIET)


def _weights(convs: nn.ModuleList) -> list[Tensor]:
    return [conv.weight for conv in convs if isinstance(conv, Conv2d)]
