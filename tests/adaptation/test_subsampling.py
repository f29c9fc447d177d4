"""Two images out of one: what each half says of the other."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from napari_gaintune.adaptation.objectives.subsampling import (
    Neighbor2Neighbor,
    ZeroShotNoise2Noise,
    diagonals,
    draw_neighbours,
    pick,
)
from napari_gaintune.adaptation.objectives.sure import SureGaussian
from napari_gaintune.noise.models import Gaussian, Poisson

from ..models.test_networks import make
from .test_objectives import SIGMA, everything, mean_and_standard_error, scene


@pytest.mark.parametrize("sampler", [Gaussian(SIGMA), Poisson()], ids=["Gaussian", "Poisson"])
@pytest.mark.parametrize("kind", ["dncnn", "UNet, folded"])
def test_half_of_an_image_predicts_the_other_half_up_to_the_noise(kind: str, sampler: Gaussian | Poisson) -> None:
    """Both kinds of halves: the loss less the noise variance of its target has the true error as its mean."""
    network, clean, chance = make(kind), scene()[None, None], Generator().manual_seed(2)
    variance = SIGMA**2 if isinstance(sampler, Gaussian) else float(clean.mean())
    judge = SureGaussian(SIGMA)
    diagonal, neighbour = [], []
    for _ in range(150):
        noisy = sampler.sample(clean, chance)
        halves, truths, whole = torch.cat(diagonals(noisy)), torch.cat(diagonals(clean)[::-1]), network(noisy)
        given = network(halves)
        truth = (given - truths).square() + (given - torch.cat(diagonals(whole))).square()
        loss = ZeroShotNoise2Noise(judge).pixel_loss(network, everything(noisy), chance).mean()
        diagonal.append(float(loss - truth.mean()) - variance / 2)  # the mean of two pixels
        state = chance.get_state()
        first, second = draw_neighbours(noisy, chance)
        truth = (network(pick(noisy, first)) - pick(clean, second)).square().mean()
        chance.set_state(state)
        loss = Neighbor2Neighbor(judge).pixel_loss(network, everything(noisy), chance).mean()
        neighbour.append(float(loss - truth) - variance)
    for excess in (diagonal, neighbour):
        mean, standard_error = mean_and_standard_error(excess)
        assert abs(mean) < 6 * standard_error
        assert standard_error < 0.1 * variance


def test_neighbours_share_an_edge_and_every_pair_is_drawn_as_often() -> None:
    image = torch.arange(80.0 * 80).reshape(1, 1, 80, 80)
    drawn = draw_neighbours(image, Generator().manual_seed(0))
    first, second = (pick(image, places) for places in drawn)
    distance = ((first // 80 - second // 80).abs(), (first % 80 - second % 80).abs())
    assert (distance[0] + distance[1] == 1).all()
    assert torch.equal(first // 160, second // 160)  # of the same pair of rows
    counts = torch.bincount((4 * drawn[0] + drawn[1]).flatten())
    counts = counts[counts > 0]
    assert len(counts) == 8
    assert (counts - 200).abs().max() < 6 * (1600 * 7 / 64) ** 0.5


def test_the_weight_of_neighbor2neighbor_rises_over_the_run() -> None:
    """With it grows the price of a difference that the whole image does not have."""
    noisy, objective = torch.rand(1, 1, 16, 16), Neighbor2Neighbor(SureGaussian(SIGMA))
    losses = [
        float(objective.at(progress).pixel_loss(torch.zeros_like, everything(noisy), Generator().manual_seed(1)).mean())
        for progress in (0.0, 0.5, 1.0)
    ]
    assert losses == pytest.approx([losses[0], 2 * losses[0], 3 * losses[0]])
    assert objective.at(0.0) == objective


def test_the_second_term_of_neighbor2neighbor_is_the_authors_and_no_gradient_goes_through_the_whole() -> None:
    network, noisy = make("dncnn"), torch.rand(1, 1, 16, 16)
    objective = Neighbor2Neighbor(SureGaussian(SIGMA)).at(1.0)
    first, second = draw_neighbours(noisy, Generator().manual_seed(1))
    with_gradients: list[bool] = []

    def recorded(images: torch.Tensor) -> torch.Tensor:
        with_gradients.append(torch.is_grad_enabled())
        return network(images)

    loss = objective.pixel_loss(recorded, everything(noisy), Generator().manual_seed(1))
    given, whole = network(pick(noisy, first)), network(noisy)
    difference = given - pick(noisy, second)
    expected = difference.square() + 2 * (difference - (pick(whole, first) - pick(whole, second))).square()
    torch.testing.assert_close(loss.values, expected)
    assert with_gradients == [False, True]


@pytest.mark.parametrize("shape", [(16, 16), (17, 22)])
def test_half_images_are_those_of_the_authors(shape: tuple[int, int]) -> None:
    image = torch.rand(2, 1, *shape)
    rising, falling = diagonals(image)
    for y, x in ((0, 0), (3, 5)):
        square = image[:, 0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        torch.testing.assert_close(rising[:, 0, y, x], (square[:, 0, 1] + square[:, 1, 0]) / 2)
        torch.testing.assert_close(falling[:, 0, y, x], (square[:, 0, 0] + square[:, 1, 1]) / 2)
    assert rising.shape == (2, 1, shape[0] // 2, shape[1] // 2)
