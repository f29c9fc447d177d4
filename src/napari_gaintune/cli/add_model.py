"""``napari-gaintune add-model``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .flags import Switch
from .outcome import DONE


def add_model(
    file: Path,
    /,
    *,
    architecture: str = "",
    option: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    unit: Literal["electrons", "unit", ""] = "",
    name: str = "",
    modality: str = "",
    dose: tuple[float, float] | None = None,
    pixel_size: tuple[float, float] | None = None,
    licence: str = "",
    overwrite: Switch = False,
) -> int:
    """Add a network of your own to the list of models.

    The file is copied into a folder of yours. If a card lies beside it, NAME.json as a training writes it, nothing else
    need be told. Weights of one of our architectures can be adapted in every way; a TorchScript program may be any
    network, is measured for a minute or so, and takes --parameters all-weights or input-offset.

    Parameters
    ----------
    file
        A .safetensors file, or a TorchScript program, .torchscript or .ts, of a network (b, 1, h, w) float32 to the same;
        never a pickle (.pt, .pth) or an exported program (.pt2), which would run code when it is read.
    architecture
        Of weights: aindnet, blindspot-unet, dilated-unet, dncnn, multi-task or unet.
    option
        What the architecture takes, such as: --option depth=17 width=64 bias=true
    unit
        What the network computes in: electrons (expected electrons per pixel) or unit (grey values from 0 to 1).
    name
        What it is called in the list; the file's name if you give none.
    modality
        What it was trained for: HRTEM, STEM, TEM or any word of yours; for the first three weights are chosen by itself.
    dose
        Lowest and highest dose it knows, in electrons per pixel.
    pixel_size
        Smallest and largest pixel it knows, in nm.
    licence
        Of the weights.
    overwrite
        Replace a model of yours that has this name.
    """
    from ..models.additions import add_model as add
    from ..models.additions import parse_options

    told = {
        "architecture": architecture, "options": parse_options(option), "intensity_unit": unit, "name": name,
        "modality": modality, "dose_range_e_per_px": dose, "pixel_size_range_nm": pixel_size, "licence": licence,
    }  # fmt: skip
    card = add(file, told, overwrite)
    print(f"{card.summary()}\nadded; use it with --model {card.name}")
    return DONE
