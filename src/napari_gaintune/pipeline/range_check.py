"""Where a frame is not what the model was trained on, in words a user can act on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter

from ..adaptation.config import AdaptationConfig
from ..adaptation.objectives import Objective
from ..image import Float32
from ..models.card import ModelCard
from ..noise.intensity import IntensityScale
from .reports import GUESS
from .situation import Neighbours

TOLERANCE = 0.01
GAUSSIAN_FROM_E_PER_PX = 10.0
FEW_STEPS = 10  # before, the length of a step is still small, and nothing is judged but the last one
HOT_SD = 30.0  # above the neighbours, in standard deviations of the noise


def pixel_size_notes(
    pixel_size_nm: tuple[float, float] | None, binning: int, card: ModelCard, is_interpolated_back: bool = True
) -> list[str]:
    """A note if frames are binned for the model, or their pixels (y, x) are larger or smaller than those that it knows.

    None where either is not known.
    """
    if binning > 1:
        return _binning_notes(pixel_size_nm, binning, is_interpolated_back)
    side = _side(pixel_size_nm, card.pixel_size_range_nm)
    if pixel_size_nm is None or card.pixel_size_range_nm is None or not side:
        return []
    cure = "bin the frames" if side == "smaller" else "record at a higher magnification"
    (y, x), (low, high) = pixel_size_nm, card.pixel_size_range_nm
    return [
        f"pixels of {y:.3g} x {x:.3g} nm are {side} than the {low:g} to {high:g} nm the model knows, so {GUESS}; "
        f"{cure}, or choose another model"
    ]


def dose_notes(dose_e_per_px: float, scale: IntensityScale, known_offset: float, card: ModelCard) -> list[str]:
    """A note if the frame's mean, as ``scale`` has it, is not a dose the model knows, or had to be made one.

    ``known_offset`` is the detector offset that was given, in the input's unit.
    """
    known = card.dose_range_e_per_px
    if known is None:
        return []
    limits = "{:g} to {:g}".format(*known)
    if card.intensity_unit == "electrons" and scale.offset != known_offset:
        return [
            f"mean and noise are not those of {limits} counted electrons per pixel, which the model knows; taken as "
            f"{dose_e_per_px:.2g} e⁻/px, so {GUESS}. Give the detector gain (1 for counted electrons), and "
            "the offset, if an unexposed pixel does not read 0; interpolated or smoothed frames look like this, too"
        ]
    side = _side((dose_e_per_px,), known)
    if not side:
        return []
    cure = (
        "bin the frames or sum neighbouring ones"
        if side == "smaller"
        else "use shorter exposures before they are summed"
    )
    return [
        f"{dose_e_per_px:.3g} e⁻/px is {'less' if side == 'smaller' else 'more'} than the {limits} e⁻/px the model knows, "
        f"so {GUESS}; {cure}, or choose another model"
    ]


def objective_notes(config: AdaptationConfig, is_blind: bool, dose_e_per_px: float, card: ModelCard) -> list[str]:
    """A note if SURE for Gaussian noise is asked of a few counts: a network can please it without denoising."""
    asked = config.objective == "sure" and config.noise == "gaussian" and not is_blind
    if not asked or card.intensity_unit != "electrons" or dose_e_per_px > GAUSSIAN_FROM_E_PER_PX:
        return []
    return [
        f"SURE was told that the noise is Gaussian, which counts of {dose_e_per_px:.2g} e⁻/px are not: it can do great harm "
        "to this model; set noise to poisson"
    ]


def correlation_notes(neighbours: Neighbours, objective: Objective) -> list[str]:
    """A note if neighbours share noise that ``objective`` takes for scene."""
    if not neighbours.are_correlated or not objective.looks_at_frame:
        return []
    return [
        f"the noise of neighbouring pixels is correlated ({neighbours.along_x:.2f} along x, {neighbours.along_y:.2f} along "
        f"y), and the objective {objective.name} takes what they share for scene: it may bring noise back; set objective "
        "to resampling"
    ]


def line_notes(neighbours: Neighbours, is_kept: bool) -> list[str]:
    """A note if rows or columns share noise; ``is_kept``: the pre-trained result is, because of it."""
    if not neighbours.share_lines:
        return []
    what = (
        "so the pre-trained result is kept; subtract the offsets of the lines first, or choose an objective"
        if is_kept
        else "and look at the result for stripes; subtract the offsets of the lines first"
    )
    return [
        f"whole rows or columns share {100 * neighbours.lines:.0f} % of the noise's variance, which adapting may take for "
        f"scene, {what}"
    ]


def unchanged_note(steps: int, of_state: bool) -> str:
    """What to say where no step was kept; ``of_state``: the run began with an adapted state."""
    few = f"; {steps} steps seldom change anything, take {FEW_STEPS} or more" if steps < FEW_STEPS else ""
    start = "adapted state it began with" if of_state else "pre-trained network"
    return f"no step clearly beat the {start}, so its result is kept{few}"


def other_scene_note(is_kept: bool) -> str:
    """What to say where the frames nearby are of no use; ``is_kept``: nothing else was tried."""
    none = "the frames nearby do not show what this one does, or there are none"
    if is_kept:
        return (
            f"{none}: nothing can be learned from them, and the pre-trained result is kept; choose objective resampling"
        )
    return f"{none}: adapted to this one alone"


def hot_pixel_notes(frame: Float32, noise_sd: float) -> list[str]:
    """A note on pixels of ``frame`` (h, w) more than ``HOT_SD`` above the median of their 3 x 3 neighbourhood."""
    limit = HOT_SD * noise_sd
    if not frame.max() > frame.mean() + limit:
        return []
    hot = np.argwhere(frame - median_filter(frame, 3) > limit)
    if not len(hot):
        return []
    y, x = (int(place) for place in hot[0])
    return [
        f"{len(hot)} hot {'pixel' if len(hot) == 1 else 'pixels'}, the first at row {y}, column {x} ({frame[y, x]:g}), "
        "will spoil the result around and what is learned; mend them first"
    ]


def _binning_notes(pixel_size_nm: tuple[float, float] | None, binning: int, is_interpolated_back: bool) -> list[str]:
    if pixel_size_nm is None:
        return []
    y, x = pixel_size_nm
    back = ", and the result interpolated back (scale none leaves them)" if is_interpolated_back else ""
    return [f"pixels of {y:.3g} x {x:.3g} nm are finer than the model knows: binned {binning} x {binning} for it{back}"]


def _side(values: Sequence[float] | None, limits: tuple[float, float] | None) -> str:
    """On which side ``values`` leave the limits of a card: "smaller", "larger" or ""; that of the first that does."""
    if values is None or limits is None:
        return ""
    for value in values:
        if value < limits[0] * (1 - TOLERANCE):
            return "smaller"
        if value > limits[1] * (1 + TOLERANCE):
            return "larger"
    return ""
