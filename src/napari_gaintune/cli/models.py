"""``napari-gaintune models``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .flags import AsJson

if TYPE_CHECKING:
    from ..models.card import ModelCard


def models(*names: str, as_json: AsJson = False) -> None:
    """List the pre-trained models and where each may be used; with names, their cards.

    The last column is how far a model's result is ahead of a Gaussian blur of the best width at 0.45 e⁻/px, on objects
    like those of its training that were kept out of it (mean PSNR).

    Parameters
    ----------
    names
        Models whose cards are shown; none: the list.
    as_json
        Print cards as a JSON list.
    """
    from ..models.catalogue import find_card, list_models

    cards = [find_card(name) for name in names] if names else list_models()
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in cards], indent=2))
    elif names:
        print("\n\n".join(card.summary() for card in cards))
    else:
        print(f"{table(cards)}\n\n{FOOTNOTE}" if cards else "no model is installed")


FOOTNOTE = """Ahead of blur: at 0.45 e⁻/px, on small crops of kinds of objects that the model was trained on.
A model's card: napari-gaintune models NAME"""
HEADER = ("NAME", "MODALITY", "DOSE e⁻/px", "PIXEL SIZE nm", "ARCHITECTURE", "SHA-256", "AHEAD OF BLUR dB")


def table(cards: Sequence[ModelCard]) -> str:
    """One line per model under a header line."""
    rows = [HEADER, *map(_row, cards)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(card: ModelCard) -> tuple[str, ...]:
    from ..noise.intensity import TYPICAL_DOSE_E_PER_PX

    ranges = (card.dose_range_e_per_px, card.pixel_size_range_nm)
    dose, pixel_size = ("{:g} to {:g}".format(*limits) if limits else "any" for limits in ranges)
    gain_db = card.gain_over_blur_db(TYPICAL_DOSE_E_PER_PX)
    ahead = "" if gain_db is None else f"{gain_db:+.1f}"
    return card.name, card.modality, dose, pixel_size, card.architecture, card.sha256[:12], ahead
