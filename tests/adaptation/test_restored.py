"""Restore-from-Restored: what is drawn and what is turned."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from napari_gaintune.adaptation.objectives import Crop, Situation
from napari_gaintune.adaptation.objectives.restored import Restored, turned
from napari_gaintune.adaptation.objectives.sure import SureGaussian
from napari_gaintune.adaptation.objectives.unsure import Unsure
from napari_gaintune.noise.models import Gaussian

from .test_objectives import SIGMA


def test_restored_turns_noisy_and_clean_alike_in_all_eight_ways() -> None:
    """Without noise to speak of, f(T x) = x for a denoiser that gives what it sees: no turn is missed, none is left out."""
    pseudo = torch.arange(30.0).reshape(1, 1, 5, 6)
    seen: list[tuple[float, ...]] = []

    def record(noisy: Tensor) -> Tensor:
        seen.append(tuple(noisy.round().flatten().tolist()))
        return noisy

    objective = Restored(Gaussian(1e-3), SureGaussian(SIGMA))
    targets = torch.zeros_like(pseudo, dtype=torch.bool)
    targets[0, 0, 0, 0] = True
    for seed in range(80):
        loss = objective.pixel_loss(record, Crop(pseudo + 7, targets, pseudo), Generator().manual_seed(seed))
        assert loss.values.max() < (6 * 1e-3) ** 2
        assert loss.counted.sum() == 1
        assert seen[-1][int(loss.counted.flatten().nonzero())] == 0  # the target, wherever it was turned to
    assert len(set(seen)) == 8
    assert len({tuple(turned(pseudo, which).flatten().tolist()) for which in range(8)}) == 8
    assert torch.equal(turned(pseudo, 0), pseudo)


def test_where_no_level_is_told_every_one_is_drawn() -> None:
    situation = Situation(False, "unit", "unknown", SIGMA)
    noise = situation.noise_model().sample(torch.zeros(400, 1, 16, 16), Generator().manual_seed(0))
    levels = noise.std(dim=(1, 2, 3))
    assert levels.max() < 1.3 * 50 / 255
    # a uniform level: mean half of the highest, its standard error highest / sqrt(12 n)
    assert abs(float(levels.mean()) - 25 / 255) < 6 * 50 / 255 / (12 * 400) ** 0.5
    assert isinstance(situation.sure(), Unsure)
