"""The objectives estimate what they say, under the assumption they state."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from napari_gaintune.adaptation.objectives import OBJECTIVES, Crop, Situation, build_objective
from napari_gaintune.adaptation.objectives.blindspot import (
    ArchitecturalBlindSpot,
    MaskedBlindSpot,
    replace_by_neighbours,
)
from napari_gaintune.adaptation.objectives.masked import MaskedReconstruction
from napari_gaintune.adaptation.objectives.resampling import NoiseResampling
from napari_gaintune.adaptation.objectives.sure import (
    FINITE_DIFFERENCE,
    SureGaussian,
    SurePoisson,
    sure_gaussian,
    sure_poisson,
)
from napari_gaintune.errors import NoiseModelError
from napari_gaintune.models.networks import MultiTaskNetwork, Network
from napari_gaintune.noise.models import Gaussian, Poisson

from ..models.test_networks import SMALL, make

SIGMA = 0.3


def objectives_of(kind: str) -> list[str]:
    """Those that make sense for a small network."""
    refused = set() if kind.startswith("blind-spot") else {"blind-spot-architectural"}
    refused |= set() if kind == "multi-task" else {"masked-reconstruction"}
    return [name for name in OBJECTIVES if name not in refused]


CELLS = [(kind, name) for kind in SMALL for name in objectives_of(kind)]


def scene(size: int = 40) -> Tensor:
    axis = torch.linspace(0, 9, size)
    return 0.6 + 0.3 * torch.sin(axis)[:, None] * torch.cos(1.3 * axis)[None]


def everything(noisy: Tensor, pseudo_clean: Tensor | None = None) -> Crop:
    return Crop(noisy, torch.ones_like(noisy, dtype=torch.bool), pseudo_clean)


def mean_and_standard_error(values: list[float]) -> tuple[float, float]:
    drawn = torch.tensor(values, dtype=torch.float64)
    return float(drawn.mean()), float(drawn.std() / len(values) ** 0.5)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_sure_averages_to_the_true_error(kind: str, precision: torch.dtype) -> None:
    network, clean = make(kind), scene()[None, None]
    network.compute_dtype = precision
    generator, objective = (
        Generator().manual_seed(1),
        SureGaussian(SIGMA, is_blind=network.is_blind, compute_dtype=precision),
    )
    excess = []
    for _ in range(150):
        noisy = Gaussian(SIGMA).sample(clean, generator)
        truth = (network(noisy) - clean).square().mean()
        excess.append(float(objective.pixel_loss(network, everything(noisy), generator).mean() - truth))
    mean, standard_error = mean_and_standard_error(excess)
    assert abs(mean) < 6 * standard_error
    assert standard_error < 0.1 * SIGMA**2  # so that a missing term would be seen


@pytest.mark.parametrize("kind", SMALL)
def test_sure_for_counts_averages_to_the_true_error(kind: str) -> None:
    """At half an electron per pixel, where the noise is nothing like Gaussian."""
    dose = 0.5
    network, clean = make(kind), dose * (0.5 + scene())[None, None]
    generator, objective = Generator().manual_seed(1), SurePoisson(is_blind=network.is_blind)
    excess = []
    for _ in range(150):
        noisy = Poisson().sample(clean, generator)
        truth = (network(noisy) - clean).square().mean()
        excess.append(float(objective.pixel_loss(network, everything(noisy), generator).mean() - truth))
    mean, standard_error = mean_and_standard_error(excess)
    bent, uncertainty = bending(network, clean, generator)
    assert abs(mean - bent) < 6 * (standard_error**2 + uncertainty**2) ** 0.5
    assert standard_error < 0.1 * dose  # so that a missing term would be seen
    assert uncertainty < 0.1 * dose


def bending(network: Network, clean: Tensor, generator: Generator) -> tuple[float, float]:
    """What the derivative leaves out, and its standard error: the rectifiers of a random network switch within an electron.

    Hudson's identity has y (f(y) - f(y - 1)) where the derivative has y f'(y). Taken at 60 pixels of each of four draws; the
    pixels without a count give nothing in either.
    """
    left_out = []
    for _ in range(4):
        noisy = Poisson().sample(clean, generator)
        counted = noisy.flatten().nonzero().flatten()
        chosen = counted[torch.randperm(len(counted), generator=generator)[:60]]
        for electrons in (1.0, 1e-2):
            without = noisy.repeat(len(chosen), 1, 1, 1)
            without.view(len(chosen), -1)[torch.arange(len(chosen)), chosen] -= electrons
            change = network(noisy).flatten()[chosen] - network(without).flatten(1)[torch.arange(len(chosen)), chosen]
            slope = noisy.flatten()[chosen] * change / electrons
            left_out += [slope] if electrons == 1 else [2 * (slope - left_out.pop()) * len(counted) / noisy.numel()]
    return mean_and_standard_error(torch.cat(left_out).tolist())


def test_sure_for_counts_is_exact_for_a_linear_denoiser() -> None:
    counts, probe = torch.poisson(torch.full((1, 1, 8, 8), 2.0)), torch.ones(1, 1, 8, 8)
    loss = sure_poisson(lambda y: 0.75 * y, counts, probe, step=0.25)
    torch.testing.assert_close(loss, (0.25 * counts) ** 2 - counts + 2 * 0.75 * counts, rtol=1e-5, atol=1e-6)


def test_sure_is_exact_for_a_linear_denoiser() -> None:
    """For f(y) = a y the divergence is a at every pixel, whatever the probe."""
    noisy, probe = torch.randn(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    loss = sure_gaussian(lambda y: 0.75 * y, noisy, SIGMA, probe, step=0.25)
    expected = (0.25 * noisy) ** 2 - SIGMA**2 + 2 * SIGMA**2 * 0.75
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_sure_refuses_a_noise_level_that_cannot_be() -> None:
    for sigma in (0.0, -1.0, float("nan")):
        with pytest.raises(NoiseModelError, match="noise_sd"):
            sure_gaussian(lambda y: y, torch.zeros(1, 1, 4, 4), sigma, torch.ones(1, 1, 4, 4), 0.1)


@pytest.mark.parametrize("sampler", [Gaussian(SIGMA), Poisson()], ids=["Gaussian", "Poisson"])
@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind.startswith("blind-spot")])
def test_the_architectural_blind_spot_averages_to_error_plus_noise(kind: str, sampler: Gaussian | Poisson) -> None:
    network, clean, generator = make(kind), scene()[None, None], Generator().manual_seed(2)
    variance = SIGMA**2 if isinstance(sampler, Gaussian) else float(clean.mean())
    excess = []
    for _ in range(150):
        noisy = sampler.sample(clean, generator)
        truth = (network(noisy) - clean).square().mean()
        loss = ArchitecturalBlindSpot().pixel_loss(network, everything(noisy), generator).mean()
        excess.append(float(loss - truth) - variance)
    mean, standard_error = mean_and_standard_error(excess)
    assert abs(mean) < 6 * standard_error
    assert standard_error < 0.1 * variance


@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind.startswith("blind-spot")])
def test_a_step_of_a_blind_spot_network_takes_one_pixel_of_each_square_each_as_often(kind: str) -> None:
    """And the loss there is what the whole network has for these pixels; only targets count."""
    network, noisy = make(kind), torch.rand(1, 1, 40, 48)
    targets = torch.rand(noisy.shape) < 0.5
    values = (network(noisy) - noisy).square()
    means = [values[..., y::2, x::2][targets[..., y::2, x::2]].mean() for y in (0, 1) for x in (0, 1)]
    taken = []
    for seed in range(40):
        loss = ArchitecturalBlindSpot().pixel_loss(network, Crop(noisy, targets), Generator().manual_seed(seed)).mean()
        taken.append(int(torch.tensor([abs(float(mean - loss)) for mean in means]).argmin()))
        torch.testing.assert_close(loss, means[taken[-1]], rtol=1e-4, atol=1e-5)
    assert min(taken.count(place) for place in range(4)) >= 3  # of 40, ten on average: 2.6 standard deviations


@pytest.mark.parametrize("shape", [(41, 48), (40, 33), (17, 17)])
@pytest.mark.parametrize("kind", [kind for kind in SMALL if kind.startswith("blind-spot")])
def test_the_part_of_a_blind_network_stays_blind_at_an_odd_edge(kind: str, shape: tuple[int, int]) -> None:
    part, noisy = make(kind).trained, torch.rand(1, 1, *shape, requires_grad=True)
    given = part(noisy)
    assert given.shape == part.part_of(noisy).shape
    (gradient,) = torch.autograd.grad(given[0, 0, -1, -1], noisy)
    assert not part.part_of(gradient).any()
    assert gradient.any()


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("every_target", [False, True])
def test_a_masked_prediction_never_sees_any_masked_pixel(kind: str, every_target: bool) -> None:
    network, generator = make(kind), Generator()
    noisy = torch.rand(2, 1, 30, 34)
    targets = torch.rand(noisy.shape) < 0.15
    seen: list[Tensor] = []

    def record(hidden: Tensor) -> Tensor:
        seen.append(hidden)
        denoised: Tensor = network(hidden)
        return denoised

    loss = MaskedBlindSpot().pixel_loss(record, Crop(noisy, targets), generator.manual_seed(4), every_target)
    other = torch.where(loss.counted, noisy + 100, noisy)
    MaskedBlindSpot().pixel_loss(record, Crop(other, targets), generator.manual_seed(4), every_target)
    assert loss.counted.sum() > 0
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0][~loss.counted], noisy[~loss.counted])
    assert not (loss.counted & ~targets).any()
    assert torch.equal(loss.counted, targets) == every_target


def test_masked_pixels_get_a_neighbours_value() -> None:
    noisy = torch.arange(400.0).reshape(1, 1, 20, 20)
    masked = torch.zeros_like(noisy, dtype=torch.bool)
    masked[0, 0, ::3, ::4] = True
    replaced = replace_by_neighbours(noisy, masked, Generator().manual_seed(0))
    rows, columns = (replaced[masked] // 20).long(), (replaced[masked] % 20).long()
    _, _, y, x = masked.nonzero(as_tuple=True)
    assert ((rows - y).abs() <= 2).all()
    assert ((columns - x).abs() <= 2).all()
    assert not masked[0, 0, rows, columns].any()


def test_where_all_neighbours_are_masked_nothing_leaks() -> None:
    noisy = torch.rand(1, 1, 7, 7) + 1
    replaced = replace_by_neighbours(noisy, torch.ones_like(noisy, dtype=torch.bool), Generator().manual_seed(0))
    assert torch.equal(replaced, torch.zeros_like(noisy))


@pytest.mark.parametrize("sampler", [Gaussian(SIGMA), Poisson()], ids=["Gaussian", "Poisson"])
def test_resampling_draws_the_noise_it_says_and_looks_at_the_frame_only_through_the_first_result(
    sampler: Gaussian | Poisson,
) -> None:
    pseudo, generator = scene(200)[None, None], Generator()
    drawn: list[Tensor] = []

    def record(resampled: Tensor) -> Tensor:
        drawn.append(resampled)
        return resampled

    for noisy in (pseudo + 1, pseudo - 1):
        crop = everything(noisy, pseudo)
        loss = NoiseResampling(sampler, SureGaussian(SIGMA)).pixel_loss(record, crop, generator.manual_seed(7)).mean()
    assert torch.equal(drawn[0], drawn[1])
    noise = drawn[0] - pseudo
    variance = SIGMA**2 if isinstance(sampler, Gaussian) else float(pseudo.mean())
    assert abs(float(noise.mean())) < 6 * (variance / noise.numel()) ** 0.5
    # variance of a sample variance: at most (kurtosis ~ 3 + 1 / mean) * variance**2 / n
    assert abs(float(noise.var()) - variance) < 6 * variance * (5 / noise.numel()) ** 0.5
    assert float(loss) == pytest.approx(float(noise.square().mean()), rel=1e-5)


@pytest.mark.parametrize(("kind", "name"), CELLS)
@pytest.mark.parametrize("unit", ["electrons", "unit"])
def test_every_objective_runs_on_every_network_and_repeats_with_its_generator(name: str, kind: str, unit: str) -> None:
    network = make(kind)
    objective = build_objective(name, Situation(network.is_blind, unit, "auto", SIGMA))  # type: ignore[arg-type]
    noisy = scene()[None, None] + SIGMA * torch.randn(1, 1, 40, 40)
    crop = everything(noisy, scene()[None, None] if objective.beside != "nothing" else None)
    losses = [objective.pixel_loss(network, crop, Generator().manual_seed(seed)) for seed in (3, 3)]
    assert torch.equal(losses[0].values, losses[1].values)
    assert torch.equal(losses[0].counted, losses[1].counted)
    assert losses[0].values.shape == losses[0].counted.shape
    assert losses[0].mean().isfinite()


def test_the_finite_difference_suits_the_precision() -> None:
    """A step must stand out from rounding: in bfloat16 from half a unit, 2**-9, of a pixel near 1 at low noise."""
    for precision, rounding in ((torch.float32, 2**-24), (torch.bfloat16, 2**-9)):
        assert FINITE_DIFFERENCE[precision] * SIGMA > 10 * rounding


def test_masked_reconstruction_is_the_weighted_difference_of_what_is_told_again() -> None:
    """And its gradient reaches the heads, not the mask, which could please it by being zero."""
    network, noisy = make("multi-task").requires_grad_(True), torch.rand(1, 1, 24, 24)
    assert isinstance(network, MultiTaskNetwork)
    loss = MaskedReconstruction(SureGaussian(SIGMA)).pixel_loss(network, everything(noisy), Generator()).mean()
    tasks = network.tasks(noisy)
    torch.testing.assert_close(loss, (10 * tasks.mask * (tasks.noisy_again - noisy).abs()).mean())
    loss.backward()
    assert all(weight.grad is not None and weight.grad.any() for head in network.heads for weight in head.parameters())
    assert all(weight.grad is None for weight in network.mask.parameters())


def test_masked_reconstruction_needs_a_second_task() -> None:
    with pytest.raises(TypeError, match="DnCNN, which has no second task"):
        MaskedReconstruction(SureGaussian(SIGMA)).pixel_loss(
            make("dncnn"), everything(torch.rand(1, 1, 16, 16)), Generator()
        )
