"""Crops: drawn from a number alone, scaled without loss of electrons, with the noise asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_gaintune.errors import SettingError
from napari_gaintune.noise.models import Correlated, Gaussian, Poisson, PoissonGaussian
from napari_gaintune.training.dataset import (
    batches,
    draw_noise,
    open_set,
    random_crop,
    scaled_to,
    training_batch,
    with_photographs,
)
from napari_gaintune.training.recipe import NoiseRecipe

from .test_training import SMALL


def test_a_batch_depends_on_its_number_and_the_seed_alone(simulated: Path) -> None:
    data = open_set(simulated, 2)
    one, two = training_batch(data, SMALL, 5), training_batch(data, SMALL, 5)
    assert torch.equal(one.clean, two.clean)
    assert torch.equal(one.noisy, two.noisy)
    assert not torch.equal(one.noisy, training_batch(data, SMALL, 6).noisy)
    assert one.clean.shape == one.noisy.shape == (4, 1, 32, 32)
    assert one.divisor.shape == (4, 1, 1, 1)
    assert ((one.divisor >= 0.2) & (one.divisor <= 2.0 + 1e-6)).all()


@pytest.mark.parametrize(("first", "steps", "workers"), [(0, 20, 1), (3, 5, 4), (7, 40, 2), (20, 20, 1)])
def test_batches_come_whole_and_in_order(simulated: Path, first: int, steps: int, workers: int) -> None:
    data, recipe = open_set(simulated, 2), SMALL.model_copy(update={"steps": steps, "batch": 1})
    drawn = list(batches(data, recipe, first, workers))
    assert len(drawn) == steps - first
    for step, batch in enumerate(drawn, first):
        assert torch.equal(batch.noisy, training_batch(data, recipe, step).noisy)


def test_photographs_join_the_training_and_not_the_held_out(simulated: Path, tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 60 * 70).reshape(60, 70).astype(np.uint8)
    imsave(tmp_path / "grey.png", grey)
    imsave(tmp_path / "colour.tif", np.stack([grey, grey, grey], axis=-1))
    (tmp_path / "notes.txt").write_text("no picture")
    plain = open_set(simulated, 2)
    joined = with_photographs(plain, tmp_path, smallest_px=32)
    assert joined.held_out == plain.held_out
    assert joined.images == plain.images + 2
    for added in joined.training[len(plain.training) :]:
        assert added.pixel_size_nm is None
        np.testing.assert_allclose(added.images[0], grey / 255, atol=2**-10)  # half a step of float16 below 1


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_photographs_have_their_share_of_the_crops(share: float, simulated: Path, tmp_path: Path) -> None:
    """A black photograph, which no simulated picture is."""
    imsave(tmp_path / "black.png", np.zeros((64, 64), dtype=np.uint8), check_contrast=False)
    data = with_photographs(open_set(simulated, 2), tmp_path, smallest_px=32)
    recipe = SMALL.model_copy(update={"photographs": 1, "photograph_share": share, "batch": 200})
    clean = training_batch(data, recipe, 0).clean
    of_photographs = (clean.amax(dim=(1, 2, 3)) < 0.1).float().mean()
    # five standard deviations of a share of 200
    assert abs(float(of_photographs) - share) <= 5 * (share * (1 - share) / 200) ** 0.5


def test_photographs_that_cannot_be_used_are_named(simulated: Path, tmp_path: Path) -> None:
    data = open_set(simulated, 2)
    with pytest.raises(SettingError, match="no photographs there"):
        with_photographs(data, tmp_path, smallest_px=32)
    imsave(tmp_path / "small.png", np.zeros((20, 40), dtype=np.uint8), check_contrast=False)
    with pytest.raises(SettingError, match="small.png.*smaller than a crop of 32"):
        with_photographs(data, tmp_path, smallest_px=32)


def test_a_scaled_crop_keeps_the_mean_intensity() -> None:
    image = 1 + 0.4 * torch.rand(192, 192, generator=torch.Generator().manual_seed(1))
    for size_px in (64, 96, 192, 250):
        scaled = scaled_to(image, size_px)
        assert scaled.shape == (size_px, size_px)
        # weights of the filter add up to one everywhere: only the border's pixels count a little more or less
        assert scaled.mean().item() == pytest.approx(image.mean().item(), abs=0.01)


def test_a_crop_is_scaled_to_the_pixel_size_asked_for() -> None:
    """A wave of 24 px at 0.01 nm has 12 px at 0.02 nm."""
    image = (1 + 0.5 * np.cos(2 * np.pi * np.arange(512) / 24) * np.ones((512, 1))).astype(np.float16)
    recipe = SMALL.model_copy(update={"pixel_size_range_nm": (0.02, 0.02), "crop_px": 96})
    crop = random_crop(image, 0.01, recipe, np.random.default_rng(0))
    spectrum = torch.fft.fft2(crop - crop.mean()).abs()
    peak = torch.nonzero(spectrum == spectrum.max())[0]
    assert min(8, 96 - 8) in {int(p) for p in torch.minimum(peak, 96 - peak)}


def test_crops_are_turned_and_mirrored_in_all_eight_ways() -> None:
    """A picture without symmetry comes in as many orientations as the square has."""
    image = np.arange(32 * 32).reshape(32, 32).astype(np.float16) / 1024
    recipe, rng = SMALL.model_copy(update={"crop_px": 32}), np.random.default_rng(0)
    # each of the eight is missing from 100 crops with a chance of (7/8)^100 = 2e-6
    corners = {tuple(random_crop(image, None, recipe, rng)[[0, 0, -1], [0, -1, 0]].tolist()) for _ in range(100)}
    turned = [np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4)]
    assert corners == {(float(t[0, 0]), float(t[0, -1]), float(t[-1, 0])) for t in turned}


def test_the_noise_level_of_every_pixel_comes_with_a_batch(simulated: Path) -> None:
    """Of counts with read noise the variance is the expected count and the read noise squared."""
    noise = NoiseRecipe(dose_range_e_per_px=(5, 5), sd_range=(2, 2))
    batch = training_batch(open_set(simulated, 2), SMALL.model_copy(update={"noise": noise}), 0)
    torch.testing.assert_close(batch.noise_sd, (batch.clean + 4).sqrt())
    assert batch.noise_sd.std() > 0.01


def test_contrast_is_changed_about_the_vacuum() -> None:
    image = np.ones((64, 64), dtype=np.float16)
    image[:, 32:] = 1.5
    recipe = SMALL.model_copy(update={"contrast_range": (0.5, 0.5), "crop_px": 64})
    crop = random_crop(image, None, recipe, np.random.default_rng(0))
    assert {round(float(v), 3) for v in crop.unique()} == {1.0, 1.25}


def test_noise_is_of_the_kind_and_the_range_asked_for() -> None:
    rng = np.random.default_rng(0)
    doses = [draw_noise(NoiseRecipe(dose_range_e_per_px=(0.05, 100)), rng) for _ in range(2000)]
    assert all(isinstance(model, Poisson) and dose == variance for model, dose, variance in doses)
    values = np.array([dose for _, dose, _ in doses])
    assert 0.05 <= values.min() < 0.06
    assert 85 < values.max() <= 100
    below = (values < np.sqrt(0.05 * 100)).mean()
    assert below == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2000))  # uniform in the logarithm

    emphasised = NoiseRecipe(dose_range_e_per_px=(0.05, 100), emphasis_share=1.0)
    assert all(0.36 <= draw_noise(emphasised, rng)[1] <= 0.5626 for _ in range(200))

    model, dose, variance = draw_noise(NoiseRecipe(dose_range_e_per_px=(2, 2), sd_range=(1, 1)), rng)
    assert (model, dose) == (PoissonGaussian(read_noise_sd=1.0), pytest.approx(2))
    assert variance == pytest.approx(3)
    model, dose, variance = draw_noise(NoiseRecipe(sd_range=(0.1, 0.1)), rng)
    assert (model, dose) == (Gaussian(0.1), 1.0)
    assert variance == pytest.approx(0.01)
    correlated = NoiseRecipe(sd_range=(0.1, 0.1), point_spread_range_px=(0.5, 0.5), correlated_share=1.0)
    assert draw_noise(correlated, rng)[0] == Correlated(Gaussian(0.1), 0.5, 0.0)
    # row noise is a share of the standard deviation, which is 3 electrons here
    rows = NoiseRecipe(dose_range_e_per_px=(8, 8), sd_range=(1, 1), row_noise_range=(0.2, 0.2), correlated_share=1.0)
    model = draw_noise(rows, rng)[0]
    assert isinstance(model, Correlated)
    assert model.row_noise_sd == pytest.approx(0.6)


@pytest.mark.parametrize("wrong", [{"dose_range_e_per_px": (2, 1)}, {"sd_range": (-0.1, 0.2)}])
def test_a_range_that_runs_backwards_is_refused(wrong: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="in order"):
        NoiseRecipe(**wrong)  # type: ignore[arg-type]
