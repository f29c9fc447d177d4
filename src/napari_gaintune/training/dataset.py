"""The simulated set as random crops: clean expected electrons and their Poisson counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import SettingError
from .noise import log_uniform, poisson_counts
from .recipe import Recipe

Stack = npt.NDArray[np.float16]
EMPHASIS_WIDTH = 1.25  # doses of the emphasis lie within this factor of its centre


@dataclass(frozen=True)
class SimulatedSet:
    """Stacks of relative intensity (vacuum = 1), one per exit wave, (conditions, h, w) float16, left on disk."""

    training: list[Stack]
    held_out: list[Stack]
    pixel_size_range_nm: tuple[float, float]
    seed: int

    @property
    def images(self) -> int:
        """How many training images there are."""
        return sum(len(stack) for stack in self.training)


def open_set(folder: Path, held_out_waves: int) -> SimulatedSet:
    """What ``simulate`` wrote to ``folder``; the last ``held_out_waves`` specimens are kept out of training."""
    records = sorted(folder.glob("wave_*.json"))
    if len(records) <= held_out_waves:
        raise SettingError(
            f"{folder}: {len(records)} simulated exit waves, of which {held_out_waves} are to be held out; make more "
            f"with python -m napari_gaintune.training.simulate --out {folder}"
        )
    stacks = [np.load(path.with_suffix(".npy"), mmap_mode="r") for path in records]
    facts: list[dict[str, Any]] = [json.loads(path.read_text()) for path in records]
    sizes = [fact["pixel_size_nm"] for fact in facts]
    return SimulatedSet(stacks[:-held_out_waves], stacks[-held_out_waves:], (min(sizes), max(sizes)), facts[0]["seed"])


def training_batch(data: SimulatedSet, recipe: Recipe, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Batch number ``step``: clean and noisy (b, 1, crop, crop), vacuum dose (b, 1, 1, 1), float32, electrons per px.

    Drawn from (seed, step) alone, so that a resumed training sees the same batches. The noise is fresh in every batch,
    which is legitimate here because the target is the known clean image and no second noisy copy of it.
    """
    rng = np.random.default_rng([recipe.seed, step])
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    crops = np.stack([_random_crop(data.training, recipe, rng) for _ in range(recipe.batch)])
    dose = random_doses(recipe, generator)
    clean = torch.from_numpy(crops)[:, None] * dose
    return clean, poisson_counts(clean, generator), dose


def random_doses(recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Vacuum doses (batch, 1, 1, 1): log-uniform over the range, a share of them close to the emphasised dose."""
    shape = (recipe.batch, 1, 1, 1)
    low, high = recipe.dose_range_e_per_px
    centre = recipe.emphasis_dose_e_per_px
    anywhere = log_uniform(low, high, shape, generator)
    close = log_uniform(centre / EMPHASIS_WIDTH, centre * EMPHASIS_WIDTH, shape, generator)
    return torch.where(torch.rand(shape, generator=generator) < recipe.emphasis_share, close, anywhere)


def _random_crop(stacks: list[Stack], recipe: Recipe, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    stack = stacks[rng.integers(len(stacks))]
    image = stack[rng.integers(len(stack))]
    binning = 1 + int(rng.random() < recipe.binned_share)
    side = recipe.crop_px * binning
    y, x = rng.integers(0, image.shape[0] - side + 1), rng.integers(0, image.shape[1] - side + 1)
    crop = np.asarray(image[y : y + side, x : x + side], dtype=np.float32)
    crop = crop.reshape(recipe.crop_px, binning, recipe.crop_px, binning).mean(axis=(1, 3))
    crop = np.rot90(crop, int(rng.integers(4)))
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)
