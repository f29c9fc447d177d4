"""Which model for these frames: by what they show, their pixel size and their dose, with the reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import GaintuneError, ModelError
from ..image import FrameSeries, check_frame
from ..models.card import ModelCard
from ..models.catalogue import list_models, load_denoiser
from ..models.denoiser import Denoiser
from ..noise.intensity import TYPICAL_DOSE_E_PER_PX, electron_scale
from .binning import binning_for
from .config import DenoiseConfig

LOW_MAGNIFICATION_FROM_NM = 0.06  # larger pixels show no lattice
SMALLEST_FRAME_PX = 32  # in which a dose can be estimated


@dataclass(frozen=True)
class Choice:
    """A model's name and why it was chosen."""

    name: str
    reason: str


def choose_model(series: FrameSeries, config: DenoiseConfig, first_frame: int) -> Choice:
    """The model that ``config`` names, or, for "auto", the best of those that know such frames.

    Best is the one whose card promises the largest gain over a blur at the nearest dose. Where none knows the pixel size
    and the dose, it is the best of the modality, or of all where there is none of it, and the reason says so. Reads one
    frame, and only for "auto".
    """
    if config.model != "auto":
        return Choice(config.model, "")
    pixel_size_nm = series.calibration.pixel_size_nm
    modality, why = _modality(config, pixel_size_nm, getattr(series, "is_scanned", False))
    # a program has no channel gains, which the default method moves: whoever wants one names it
    counting = [card for card in list_models() if card.intensity_unit == "electrons" and not card.is_program]
    if not counting:
        raise ModelError("no model for electron micrographs is installed; name one with --model, or install again")
    own = [card for card in counting if card.modality == modality]
    cards = own or counting
    dose = _dose(series, config, first_frame)
    binning = {card.name: binning_for(pixel_size_nm, card) if config.scale == "auto" else 1 for card in cards}

    def dose_seen(card: ModelCard) -> float | None:
        """By the model: the electrons of a binned pixel are those of all its pixels."""
        return None if dose is None else dose * binning[card.name] ** 2

    def knows(card: ModelCard) -> bool:
        return _knows_size(card, pixel_size_nm, binning[card.name]) and _knows_dose(card, dose_seen(card))

    knowing = [card for card in own if knows(card)]
    # frames as they are rather than binned; without a pixel size, the model that knows most of them
    best = max(
        knowing or cards,
        key=lambda card: (
            -binning[card.name],
            _breadth(card) if pixel_size_nm is None else 0,
            promised_gain_db(card, dose_seen(card)),
        ),
    )
    facts = [why]
    if pixel_size_nm is not None:
        facts.append(f"{pixel_size_nm[0]:.3g} nm/px")
    if dose is not None:
        facts.append(f"{dose:.2g} e⁻/px" if knowing else f"mean and noise as of {float(f'{dose:.2g}'):g} e⁻/px")
    end = "" if knowing else "; no model knows such frames, this is the nearest"
    return Choice(best.name, f"chosen for {', '.join(facts)}{end}")


def promised_gain_db(card: ModelCard, dose_e_per_px: float | None) -> float:
    """What the card says of network against blur, at the dose nearest to the frame's."""
    gain_db = card.gain_over_blur_db(dose_e_per_px or TYPICAL_DOSE_E_PER_PX)
    return float("-inf") if gain_db is None else gain_db


def cure_of_small_frames(denoiser: Denoiser) -> str:
    """What to do about frames too small for a model: which one of its modality is content with the least."""
    modality, least = denoiser.card.modality, {denoiser.card.name: denoiser.smallest_frame_px}
    for card in list_models():
        if card.modality == modality and not card.is_program:
            least[card.name] = load_denoiser(card.name).smallest_frame_px
    name = min(least, key=least.__getitem__)
    return f"use larger frames; of the models for {modality}, {name} needs the least, {least[name]} px"


def _modality(config: DenoiseConfig, pixel_size_nm: Sequence[float] | None, is_scanned: bool) -> tuple[str, str]:
    if config.modality != "auto":
        return config.modality, config.modality
    if is_scanned:
        return "STEM", "STEM (as the file says)"
    if pixel_size_nm is None:
        return "HRTEM", "HRTEM (no pixel size is known; if it is something else, set modality)"
    if max(pixel_size_nm) >= LOW_MAGNIFICATION_FROM_NM:
        return "TEM", "TEM at low magnification"
    return "HRTEM", "HRTEM (if it is STEM, set modality to STEM)"


def _breadth(card: ModelCard) -> float:
    """How many times larger the largest pixel it knows is than the smallest."""
    return (
        float("inf") if card.pixel_size_range_nm is None else card.pixel_size_range_nm[1] / card.pixel_size_range_nm[0]
    )


def _dose(series: FrameSeries, config: DenoiseConfig, frame: int) -> float | None:
    """Electrons per pixel of one frame; None where that cannot be told."""
    try:
        counts = check_frame(series.frame(frame), series.name, config.nonfinite, SMALLEST_FRAME_PX)
        if config.detector_gain > 0:
            dose = (float(counts.mean()) - config.detector_offset) / config.detector_gain
        else:
            scale = electron_scale(counts, None, config.detector_offset)
            dose = float(scale.to_model(counts).mean())
    except GaintuneError:  # the job itself says what is wrong with the frame
        return None
    return dose if dose > 0 else None


def _knows_size(card: ModelCard, pixel_size_nm: tuple[float, float] | None, binning: int) -> bool:
    if pixel_size_nm is None or card.pixel_size_range_nm is None:
        return True
    low, high = card.pixel_size_range_nm
    return all(0.99 * low <= size * binning <= 1.01 * high for size in pixel_size_nm)


def _knows_dose(card: ModelCard, dose_e_per_px: float | None) -> bool:
    if dose_e_per_px is None or card.dose_range_e_per_px is None:
        return True
    low, high = card.dose_range_e_per_px
    return 0.99 * low <= dose_e_per_px <= 1.01 * high
