"""Weights under other people's names: how they become ours."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor

Weights = dict[str, Tensor]


def from_numbered_layers(weights: Weights) -> Weights:
    """conv1 … conv9 of the authors of GainTuning, the seventh a transposed convolution (in, out, h, w)."""
    ours = {}
    for name, value in weights.items():
        match = re.fullmatch(r"conv(\d)\.(weight|bias)", name)
        if match is None:
            return weights
        turned = value.transpose(0, 1) if match[1] == "7" and match[2] == "weight" else value
        ours[f"convs.{int(match[1]) - 1}.{match[2]}"] = turned.contiguous()
    return ours


FOREIGN: dict[str, Callable[[Weights], Weights]] = {"dilated-unet": from_numbered_layers}


def with_our_names(architecture: str, weights: Weights) -> Weights:
    """``weights`` as our ``architecture`` names them; as they are where they bear its names or unknown ones."""
    return FOREIGN[architecture](weights) if architecture in FOREIGN else weights
