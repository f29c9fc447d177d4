"""Pairs of noisy frames and their references on disk: ``noisy/`` and ``clean/`` with the same file names in both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import ImageError
from ..image import Array, FrameSeries, check_frame
from ..io import open_series
from ..io.folder import natural_order
from ..models.card import ModelCard
from ..models.denoiser import Denoiser
from ..noise.intensity import IntensityScale, electron_scale, unit_scale
from ..noise.level import noise_sd
from .binning import binned, binning_for
from .range_check import dose_notes, hot_pixel_notes, pixel_size_notes
from .transfer_config import TransferConfig

NOISY, CLEAN = "noisy", "clean"
MEAN_ERRORS = 10.0  # so many standard errors of its mean a frame may differ by in any case
LARGEST_MEAN_RATIO = 1.5  # a sum in the place of an average, or other units, is farther off


@dataclass(frozen=True)
class PairFile:
    """A file of noisy frames, and one with a reference for each of them or one for all."""

    noisy: FrameSeries
    clean: FrameSeries


@dataclass(frozen=True)
class Pair:
    """A noisy frame and its reference, (h, w) float32 each, in the model's unit; ``file``: the number of their file.

    ``notes`` say where the frame is not what the model was trained on.
    """

    noisy: Tensor
    clean: Tensor
    file: int
    notes: tuple[str, ...] = ()


def find_pairs(folder: Path) -> list[PairFile]:
    """The files of ``folder``/noisy, in natural order, each with its namesake in ``folder``/clean; headers are read only.

    Raises ImageError where a folder is missing or empty, a file has no namesake, or their shapes do not go together.
    """
    names = [_names(folder, part) for part in (NOISY, CLEAN)]
    if odd := sorted(set(names[0]) ^ set(names[1])):
        lacking = CLEAN if odd[0] in names[0] else NOISY
        raise ImageError(
            f"{folder}: {odd[0]} is not in {lacking}/ ({len(odd)} such files); give each noisy file and its reference the "
            "same name"
        )
    return [_opened(folder, name) for name in names[0]]


def load_pairs(files: list[PairFile], denoiser: Denoiser, config: TransferConfig) -> list[Pair]:
    """Every pair in the model's unit, the reference under the scale of its noisy frame, as a denoising would have it.

    Raises ImageError where a frame is too small for the model, holds NaN or is constant, or a reference's mean is far from
    its frame's.
    """
    return [
        _loaded(number, file, index, reference, denoiser, config)
        for number, file in enumerate(files)
        for index, reference in enumerate(_references(file))
    ]


def _names(folder: Path, part: str) -> list[str]:
    place = folder / part
    if not place.is_dir():
        raise ImageError(
            f"{folder}: there is no folder {part}/ in it; put the noisy frames into {NOISY}/, and their references under "
            f"the same file names into {CLEAN}/"
        )
    names = [path.name for path in natural_order(place.iterdir()) if path.is_file() and not path.name.startswith(".")]
    if not names:
        raise ImageError(f"{place}: no files in this folder; one pair at least is needed")
    return names


def _opened(folder: Path, name: str) -> PairFile:
    noisy, clean = (open_series(folder / part / name) for part in (NOISY, CLEAN))
    if noisy.shape[-2:] != clean.shape[-2:] or len(clean) not in (1, len(noisy)):
        raise ImageError(
            f"{name}: {noisy.shape} in {NOISY}/ and {clean.shape} in {CLEAN}/; both must have the same rows and columns, "
            "and the reference one frame or as many"
        )
    return PairFile(noisy, clean)


def _references(file: PairFile) -> Iterator[Array]:
    """One for each noisy frame; one that serves them all is read once."""
    if len(file.clean) == 1:
        yield from repeat(file.clean.frame(0), len(file.noisy))
    else:
        yield from (file.clean.frame(index) for index in range(len(file.clean)))


def _loaded(
    number: int, file: PairFile, index: int, reference: Array, denoiser: Denoiser, config: TransferConfig
) -> Pair:
    card, name = denoiser.card, f"{file.noisy.name}, frame {index}"
    binning = binning_for(file.noisy.calibration.pixel_size_nm, card)
    stored = file.noisy.frame(index)
    smallest = denoiser.smallest_frame_px * binning
    counts = check_frame(stored, f"{NOISY}/{name}", config.nonfinite, smallest)
    noisy = binned(counts, binning)
    clean = binned(check_frame(reference, f"{CLEAN}/{name}", config.nonfinite, smallest), binning)
    if noisy.min() == noisy.max():
        raise ImageError(f"{NOISY}/{name}: every pixel is {noisy.flat[0]:g}; there is nothing to learn, leave it out")
    if clean.min() == clean.max():
        raise ImageError(f"{CLEAN}/{name}: every pixel is {clean.flat[0]:g}; it is no reference, leave the pair out")
    means = float(noisy.mean()), float(clean.mean())
    least = MEAN_ERRORS * float(noisy.std()) / noisy.size**0.5  # a mean of next to nothing is known no better
    if abs(means[1] - means[0]) > max((LARGEST_MEAN_RATIO - 1) * abs(means[0]), least):
        raise ImageError(
            f"{CLEAN}/{name}: its mean is {means[1]:g}, the noisy frame's {means[0]:g}; give the average of the frames, not "
            "their sum, in the same unit"
        )
    scale = _scale(noisy, stored.dtype, card, config.detector_gain / binning**2, config.detector_offset)
    noisy_frame, clean_frame = (torch.from_numpy(scale.to_model(image)) for image in (noisy, clean))
    size = file.noisy.calibration.pixel_size_nm
    notes = pixel_size_notes(size, binning, card, is_interpolated_back=False) if index == 0 else []
    notes += dose_notes(float(noisy_frame.mean()), scale, config.detector_offset, card)
    notes += hot_pixel_notes(counts, noise_sd(counts))
    return Pair(noisy_frame, clean_frame, number, tuple(f"{name}: {note}" for note in notes))


def _scale(
    noisy: np.ndarray, dtype: np.dtype[np.generic], card: ModelCard, gain: float, offset: float
) -> IntensityScale:
    if gain > 0:
        return IntensityScale(offset, gain)
    if card.intensity_unit == "electrons":
        return electron_scale(noisy, card.dose_range_e_per_px, offset)
    return unit_scale(noisy, dtype)
