"""Bragg filters find lattices in noise, need not be told the noise, and leave what is not noisy as it is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_gaintune.models.bragg import FLOOR, THRESHOLD, BraggFilter

SIZE_PX = 192
WINDOW_PX = 64


@pytest.fixture
def bragg() -> BraggFilter:
    return BraggFilter(WINDOW_PX).requires_grad_(False)


def lattice(spacing_px: float = 6.3, contrast: float = 0.3) -> Tensor:
    """(1, 1, size, size), mean 1, waves in two directions that are no multiples of the window."""
    y, x = torch.meshgrid(torch.arange(float(SIZE_PX)), torch.arange(float(SIZE_PX)), indexing="ij")
    waves = torch.cos(2 * math.pi * (x + 0.3 * y) / spacing_px) + torch.cos(2 * math.pi * (y - 0.4 * x) / spacing_px)
    return (1 + contrast / 2 * waves)[None, None]


def counts(mean: Tensor, seed: int = 0) -> Tensor:
    return torch.poisson(mean, generator=torch.Generator().manual_seed(seed))


def squared_error(image: Tensor, truth: Tensor) -> float:
    return (image - truth).square().mean().item()


def test_a_lattice_is_found_where_an_electron_per_pixel_hides_it(bragg: BraggFilter) -> None:
    truth = lattice()
    found = squared_error(bragg(counts(truth)), truth)
    # Of the 64 x 64 coefficients of a window about 9 belong to each of the 4 peaks and 9 to the mean: the noise of no more
    # than 45 passes, and half of the lattice's own power at most is lost.
    assert found < 45 / 64**2 * 1 + squared_error(truth, torch.ones_like(truth)) / 2


def test_of_noise_alone_next_to_nothing_passes(bragg: BraggFilter) -> None:
    flat = torch.ones(1, 1, SIZE_PX, SIZE_PX)
    passed = bragg(counts(flat)) - 1
    # Of exponentially distributed power the share above THRESHOLD times its mean, and the same again for the soft edge;
    # the means of the windows have the variance of about 64 * 64 / 4 pixels.
    share = 2 * (1 + THRESHOLD) * math.exp(-THRESHOLD) + 4 / WINDOW_PX**2
    assert passed.var().item() < 2 * share


def test_what_has_no_noise_passes_nearly_unchanged(bragg: BraggFilter) -> None:
    truth = lattice()
    # what the edge of the frame cuts off in a window spreads over all of its coefficients, and the weakest are lost
    assert squared_error(bragg(truth), truth) < 1e-3 * truth.var().item()


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (65, 63)])
def test_any_size(bragg: BraggFilter, shape: tuple[int, int]) -> None:
    filtered = bragg(torch.rand(2, 1, *shape))
    assert filtered.shape == (2, 1, *shape)
    assert torch.isfinite(filtered).all()


def test_what_was_found_in_wide_windows_is_found_again_in_narrow_ones(bragg: BraggFilter) -> None:
    y, x = torch.meshgrid(*[torch.arange(float(SIZE_PX)) - SIZE_PX / 2] * 2, indexing="ij")
    is_particle = x**2 + y**2 < (SIZE_PX / 3) ** 2
    truth = 1 + (lattice(contrast=0.6) - 1) * is_particle
    noisy = counts(truth)
    narrow, guided = (BraggFilter(32, guided=is_guided).requires_grad_(False) for is_guided in (False, True))
    alone, shown = squared_error(narrow(noisy), truth), squared_error(guided(noisy, bragg(noisy)), truth)
    # In 64 px windows a wave of amplitude 0.3 has a peak of (0.3 / 2)**2 (2 / pi)**4 64**2 / (1 / 4) = 60 times the noise's
    # power, in 32 px windows of 15 times: hardly the threshold of 12, and less between two frequencies.
    assert shown < 0.8 * alone


def test_a_guide_that_found_nothing_opens_nothing(bragg: BraggFilter) -> None:
    flat = torch.ones(1, 1, SIZE_PX, SIZE_PX)
    guided, alone = BraggFilter(WINDOW_PX, guided=True).requires_grad_(False), bragg
    noisy = counts(flat)
    # the floor leaves FLOOR / (1 + FLOOR) of each amplitude, and squares add up
    assert (guided(noisy, flat) - alone(noisy)).var().item() < 2 * FLOOR**2


def test_neither_detector_gain_nor_dose_need_be_known(bragg: BraggFilter) -> None:
    noisy = counts(lattice())
    found = bragg(noisy)
    guided = BraggFilter(16, guided=True)
    assert torch.equal(bragg(64 * noisy), 64 * found)
    assert torch.equal(guided(64 * noisy, 64 * found), 64 * guided(noisy, found))


def test_an_image_of_a_batch_does_not_see_the_others(bragg: BraggFilter) -> None:
    one, other = counts(lattice()), counts(lattice(9.1), seed=1)
    torch.testing.assert_close(bragg(torch.cat([one, other]))[1:], bragg(other))


def test_the_gates_can_be_trained() -> None:
    bragg = BraggFilter(32)
    noisy = counts(lattice(5.0))
    (bragg(noisy) - 1).square().mean().backward()
    last = list(bragg.parameters())[-1]
    assert last.grad is not None
    assert last.grad.abs().sum() > 0
