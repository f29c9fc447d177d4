"""Networks by name: what a model card calls its architecture."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ModelError
from .aindnet import AINDNet
from .base import Network
from .blindspot import BlindSpotUNet
from .dilated_unet import DilatedUNet
from .dncnn import DnCNN
from .multitask import MultiTaskNetwork
from .unet import UNet

ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "aindnet": AINDNet,
    "blindspot-unet": BlindSpotUNet,
    "dilated-unet": DilatedUNet,
    "dncnn": DnCNN,
    "multi-task": MultiTaskNetwork,
    "unet": UNet,
}


def build_network(architecture: str, **options: int | bool) -> Network:
    """A freshly initialised network. Raises ModelError for an unknown name or option."""
    if architecture not in ARCHITECTURES:
        raise ModelError(f"architecture {architecture!r} is unknown; there are {', '.join(sorted(ARCHITECTURES))}")
    try:
        return ARCHITECTURES[architecture](**options)
    except TypeError as error:
        raise ModelError(f"architecture {architecture!r} does not take {options}: {error}") from error


__all__ = [
    "ARCHITECTURES",
    "AINDNet",
    "BlindSpotUNet",
    "DilatedUNet",
    "DnCNN",
    "MultiTaskNetwork",
    "Network",
    "UNet",
    "build_network",
]
