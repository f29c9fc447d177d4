"""Where a training starts from."""

from __future__ import annotations

import torch

from ..errors import SettingError
from ..models.layers import Conv2d
from ..models.networks import DnCNN, Network


@torch.no_grad()
def start_direct(network: Network) -> None:
    """Make a fresh DnCNN carry its input unchanged through channel 0 of every layer, and subtract it at the end.

    A DnCNN gives input - residual. At half an electron per pixel the residual is nearly the whole input, and a random
    net first has to learn to pass every pixel through all its layers, hundreds of steps long. From this start the
    output is what the other channels predict. Counts are not negative, so the rectifiers let channel 0 through.
    Raises SettingError for another architecture.
    """
    if not isinstance(network, DnCNN):
        raise SettingError(f"direct_start is for a dncnn, not for {type(network).__name__}; leave it out of the recipe")
    *hidden, last = [conv.weight for conv in network.convs if isinstance(conv, Conv2d)]
    for weight in hidden:
        weight[0] = 0
        weight[0, 0, 1, 1] = 1
    last.mul_(0.1)
    last[0, 0] = 0
    last[0, 0, 1, 1] = 1
