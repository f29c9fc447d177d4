"""``napari-gaintune models``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .flags import AsJson

if TYPE_CHECKING:
    from ..models.card import ModelCard


def models(*, as_json: AsJson = False) -> None:
    """List the pre-trained models: what each was trained on and where it may be used.

    Parameters
    ----------
    as_json
        Print the models' cards as a JSON list.
    """
    from ..models.catalogue import list_models

    cards = list_models()
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in cards], indent=2))
        return
    print(table(cards))
    for card in cards:
        print(f"\n{card.summary()}")
    if not cards:
        print("no model is installed")


def table(cards: Sequence[ModelCard]) -> str:
    """One line per model under a header line."""
    rows = [("NAME", "MODALITY", "DOSE e⁻/px", "PIXEL SIZE nm", "ARCHITECTURE", "SHA-256"), *map(_row, cards)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(card: ModelCard) -> tuple[str, ...]:
    ranges = (card.dose_range_e_per_px, card.pixel_size_range_nm)
    dose, pixel_size = ("{:g} to {:g}".format(*limits) if limits else "any" for limits in ranges)
    return card.name, card.modality, dose, pixel_size, card.architecture, card.sha256[:12]
