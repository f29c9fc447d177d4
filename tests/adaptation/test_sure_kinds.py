"""SURE where the noise is read out with the electrons, and where nobody knows its level."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from napari_gaintune.adaptation.objectives import Crop
from napari_gaintune.adaptation.objectives.sure import SurePoissonGaussian, sure_poisson, sure_poisson_gaussian
from napari_gaintune.adaptation.objectives.unsure import Unsure
from napari_gaintune.errors import NoiseModelError
from napari_gaintune.noise.models import Gaussian, PoissonGaussian

from ..models.test_networks import make
from .test_objectives import SIGMA, everything, mean_and_standard_error, scene


@pytest.mark.parametrize("kind", ["dncnn", "UNet", "blind-spot, 2 poolings"])
def test_sure_for_electrons_read_out_averages_to_the_true_error(kind: str) -> None:
    """In counts: 30 per electron, an electron a pixel, and read noise of a third of one: many counts are negative."""
    gain, read_sd = 30.0, 10.0
    network, clean = make(kind), gain * (0.5 + scene())[None, None]
    noise, chance = PoissonGaussian(gain, 0.0, read_sd), Generator().manual_seed(1)
    objective, excess = SurePoissonGaussian(gain, read_sd, is_blind=network.is_blind), []
    for _ in range(150):
        noisy = noise.sample(clean, chance)
        truth = (network(noisy) - clean).square().mean()
        excess.append(float(objective.pixel_loss(network, everything(noisy), chance).mean() - truth))
    mean, standard_error = mean_and_standard_error(excess)
    variance = gain * float(clean.mean()) + read_sd**2
    # a random network bends within one electron, as for counts: at half of them by up to 1 % of the variance (these kinds)
    assert abs(mean) < 6 * standard_error + 0.02 * variance
    assert standard_error < 0.1 * variance


@pytest.mark.parametrize(("gain", "read_sd"), [(0.0, SIGMA), (2.0, 0.0), (2.0, 0.5)])
def test_sure_for_electrons_read_out_is_exact_for_a_linear_denoiser(gain: float, read_sd: float) -> None:
    noisy, probe = torch.randn(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    loss = sure_poisson_gaussian(lambda y: 0.75 * y, noisy, gain, read_sd, probe, step=0.25)
    variance = gain * noisy + read_sd**2
    torch.testing.assert_close(loss, (0.25 * noisy) ** 2 - variance + 1.5 * variance, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("gain", "read_sd"), [(-1.0, 0.5), (1.0, -0.5), (0.0, 0.0), (float("nan"), 1.0)])
def test_sure_refuses_a_read_out_that_cannot_be(gain: float, read_sd: float) -> None:
    with pytest.raises(NoiseModelError, match="detector gain.*above 0"):
        sure_poisson_gaussian(lambda y: y, torch.zeros(1, 1, 4, 4), gain, read_sd, torch.ones(1, 1, 4, 4), 0.1)


def test_a_count_below_none_has_no_variance() -> None:
    """What a detector's offset leaves: of a denoiser that gives 0 the estimate is y**2 there, and y**2 - y elsewhere."""
    counts = torch.tensor([-2.0, -0.5, 0.0, 3.0])[None, None, None]
    estimate = sure_poisson(torch.zeros_like, counts, torch.ones_like(counts), 0.01)
    torch.testing.assert_close(estimate, counts.square() - counts.clamp_min(0))


def test_unsure_asks_how_much_noise_passes_where_it_counts_only() -> None:
    """A denoiser that gives 0 at the targets, and what it sees elsewhere, passes no noise on where it is asked."""
    noisy, targets = torch.rand(1, 1, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    targets[..., ::2] = True
    loss = Unsure(scale=0.1).pixel_loss(lambda y: y * ~targets, Crop(noisy, targets), Generator().manual_seed(0))
    torch.testing.assert_close(loss.values[targets], noisy[targets].square())


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.3])
def test_unsure_finds_the_best_blur_without_the_noise_level(sigma: float) -> None:
    """Of eight widths of a blur it chooses one whose true error is within a tenth of the best."""
    clean, chance = scene(96)[None, None], Generator().manual_seed(3)
    noisy = Gaussian(sigma).sample(clean, chance)
    widths = [0.4, 0.6, 0.9, 1.3, 1.9, 2.8, 4.2, 6.3]
    estimates, errors = [], []
    for width in widths:
        denoised = blur(noisy, width)
        errors.append(float((denoised - clean).square().mean()))
        loss = Unsure(scale=1.0).pixel_loss(partial(blur, width=width), everything(noisy), chance)
        estimates.append(float(loss.mean()))
    assert errors[estimates.index(min(estimates))] < 1.1 * min(errors)
    assert min(errors) < 0.5 * max(errors)  # so that there is something to choose


def test_unsure_does_not_care_how_the_residual_is_scaled() -> None:
    """The closed form of its multiplier: f and y + c (f - y) have the same loss for every c."""
    noisy = Gaussian(SIGMA).sample(scene()[None, None], Generator().manual_seed(1))
    losses = [
        float(
            Unsure(scale=SIGMA)
            .pixel_loss(lambda y, c=c: y + c * (blur(y, 1.0) - y), everything(noisy), Generator().manual_seed(5))  # type: ignore[misc]
            .mean()
        )
        for c in (0.5, 1.0, 1.2)
    ]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-3)


def blur(image: Tensor, width: float) -> Tensor:
    """With a Gaussian of that standard deviation, the border mirrored."""
    reach = max(1, round(4 * width))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / width) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image, (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
