"""``napari-gaintune recipe``."""

from __future__ import annotations

import json
from pathlib import Path


def recipe(file: Path, /) -> None:
    """Print how a denoised file was made: model and its hash, settings, versions, hash of the input, every frame.

    Parameters
    ----------
    file
        An OME-TIFF that this program wrote.
    """
    from ..errors import ImageError
    from ..io import read_recipe

    found = read_recipe(file)
    if found is None:
        raise ImageError(f"{file.name}: no recipe in it; give a file that napari-gaintune denoise wrote")
    print(json.dumps(found, indent=2))
