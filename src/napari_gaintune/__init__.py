"""Denoise electron micrographs with pre-trained networks that adapt to each image (GainTuning, Mohan et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models.catalogue import list_models, load_denoiser
    from .pipeline.api import Result, denoise
    from .pipeline.check import Check, check
    from .pipeline.config import DenoiseConfig
    from .pipeline.transfer import Transferred, transfer

__all__ = [
    "Check",
    "DenoiseConfig",
    "Result",
    "Transferred",
    "check",
    "denoise",
    "list_models",
    "load_denoiser",
    "transfer",
]

_HOMES = {
    "Check": ".pipeline.check",
    "check": ".pipeline.check",
    "DenoiseConfig": ".pipeline.config",
    "Result": ".pipeline.api",
    "Transferred": ".pipeline.transfer",
    "denoise": ".pipeline.api",
    "list_models": ".models.catalogue",
    "load_denoiser": ".models.catalogue",
    "transfer": ".pipeline.transfer",
}


def __getattr__(name: str) -> Any:
    """torch is imported at the first use of a public name, not at ``import napari_gaintune``."""
    from importlib import import_module, metadata

    if name == "__version__":
        return metadata.version("napari-gaintune")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
