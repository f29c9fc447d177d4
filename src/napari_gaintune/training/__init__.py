"""Making training data and training the bundled networks (extra ``[train]``: abTEM, ase, pyyaml).

Importing this package needs none of these; a function that does says so when it is called.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["require"]


def require(module: str) -> ModuleType:
    """Import a library of the extra ``[train]``, or raise ImportError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise ImportError(
            f"{module} is not installed; simulating and training need the extra 'train': "
            "pip install 'napari-gaintune[train]'"
        ) from missing
