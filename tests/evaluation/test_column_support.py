"""Columns that the counts show are supported, invented ones are not, and what is told of the chance of error is true."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from napari_gaintune.errors import ImageError, SettingError
from napari_gaintune.evaluation.column_support import column_support, without_column
from napari_gaintune.evaluation.columns import COLUMN_RADIUS_NM, columns_in

from .test_columns import PIXEL_NM, PLACES, atoms

Array = np.ndarray


def particle() -> tuple[Array, float]:
    """The bundled multislice image of a particle on its support, 1 in the vacuum, and its pixel size in nm."""
    with np.load(files("napari_gaintune.examples") / "co_zno_truth.npz") as truth:
        return truth["relative_intensity"].astype(np.float64), float(truth["pixel_size_nm"])


@pytest.mark.parametrize("read_noise_e", [0.0, 1.5])
@pytest.mark.parametrize("is_there", [True, False])
def test_contrast_is_unbiased_and_scatters_as_it_says(
    is_there: bool, read_noise_e: float, rng: np.random.Generator
) -> None:
    """Of one column, over 400 draws of its counts."""
    claimed = 5 * atoms([(36.0, 36.0)])[:73, :73]
    place = np.array([[36.0, 36.0]])
    real = claimed if is_there else without_column(claimed, place[0], COLUMN_RADIUS_NM / PIXEL_NM)
    found = []
    for _ in range(400):
        counts = rng.poisson(real) + read_noise_e * rng.normal(size=real.shape)
        support = column_support(claimed, counts, PIXEL_NM, read_noise_e, places_px=place)
        found.append(support.contrast[0])
    (said,) = support.standard_error
    assert abs(np.mean(found) - is_there) < 4 * said / 20
    # the variance half-way between with and without is off by half the column's contrast at most, 10 % of it here;
    # the sd of a sd of 400 draws is 3.5 %
    assert abs(np.std(found) / said - 1) < 0.1 + 3 * 0.035


def test_invented_columns_of_a_particle_are_found(rng: np.random.Generator) -> None:
    """At 5 electrons a pixel, 50 columns one by one: the frame has it and the specimen not, and the other way round."""
    image, pixel_nm = particle()
    claimed = 5 * image
    places = columns_in(claimed, pixel_nm)
    right = 0
    for place in rng.choice(places, 50, replace=False):
        specimen = without_column(claimed, place, COLUMN_RADIUS_NM / pixel_nm)
        support = column_support(claimed, rng.poisson(specimen), pixel_nm)
        (asked,) = np.nonzero((support.places_px == place).all(axis=1))
        right += int(support.log_likelihood_ratio[asked[0]] < 0)
        others = np.delete(support.log_likelihood_ratio, asked[0])
        assert np.mean(others > 0) > 0.96  # a chance of error of 1 % is the mean of these columns, of 344
    assert right >= 48


def test_the_mean_of_many_frames_says_as_much_as_all_their_counts(rng: np.random.Generator) -> None:
    """Where a part of the frame is not known, less; where nothing is, nothing."""
    claimed = 0.5 * atoms(PLACES)
    counts = rng.poisson(claimed, (20, *claimed.shape))
    mean = column_support(claimed, counts.mean(axis=0), PIXEL_NM, frames=20)
    whole = column_support(20 * claimed, counts.sum(axis=0), PIXEL_NM, places_px=mean.places_px)
    np.testing.assert_allclose(mean.contrast, whole.contrast, rtol=1e-9)
    np.testing.assert_allclose(mean.standard_error, whole.standard_error, rtol=1e-9)
    number = np.full(claimed.shape, 20.0)
    number[:, 108:] = 0
    half = column_support(claimed, np.where(number > 0, counts.mean(axis=0), claimed), PIXEL_NM, frames=number)
    unknown = half.places_px[:, 1] > 108 + COLUMN_RADIUS_NM / PIXEL_NM
    assert 0 < unknown.sum() < len(PLACES)
    assert not half.is_told[unknown].any()
    assert np.isinf(half.standard_error[unknown]).all()
    assert half.is_told[half.places_px[:, 1] < 100].all()


def test_the_chance_of_error_is_true_where_it_is_large(rng: np.random.Generator) -> None:
    """At half an electron a pixel one column in ten is told wrongly, and so it says."""
    image, pixel_nm = particle()
    claimed = 0.45 * image
    wrong, said = [], []
    for _ in range(10):
        support = column_support(claimed, rng.poisson(claimed), pixel_nm)
        wrong.append(np.mean(support.log_likelihood_ratio < 0))
        said.append(np.mean(support.chance_of_error))
    assert 0.05 < np.mean(said) < 0.2
    # 10 draws of some 340 columns of which a tenth are wrong: 0.5 %; half of a column's contrast, 10 to 20 % of the
    # variance, is not allowed for, which changes a tenth by some 0.01 to 0.02
    assert abs(np.mean(wrong) - np.mean(said)) < 3 * 0.005 + 0.02


@pytest.mark.parametrize("off", [-0.1, -0.05, 0.05, 0.1])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_result_that_is_too_bright_or_too_dark_there_changes_nothing(
    is_there: bool, off: float, rng: np.random.Generator
) -> None:
    """A column of a tenth, and a result that is off by as much."""
    faint = 1 + (atoms([(36.0, 36.0)])[:73, :73] - 1) / 4
    place = np.array([[36.0, 36.0]])
    claimed = 20 * (faint + off)
    real = 20 * (faint if is_there else without_column(faint, place[0], COLUMN_RADIUS_NM / PIXEL_NM))
    found = [
        column_support(claimed, rng.poisson(real, (20, *real.shape)).mean(axis=0), PIXEL_NM, frames=20, places_px=place)
        for _ in range(100)
    ]
    error = found[0].standard_error[0]
    assert abs(np.mean([one.contrast[0] for one in found]) - is_there) < 4 * error / 10
    assert np.mean([one.log_likelihood_ratio[0] > 0 for one in found]) == pytest.approx(float(is_there), abs=0.05)


def test_only_what_can_be_told_is_called_invented(rng: np.random.Generator) -> None:
    empty = np.ones((216, 216))
    for dose, is_called in ((0.1, False), (20.0, True)):
        support = column_support(dose * atoms(PLACES), rng.poisson(dose * empty), PIXEL_NM)
        assert len(support.places_px) == len(PLACES)
        assert support.is_told.all() == support.is_invented.all() == is_called
        assert support.is_told.any() == is_called


def test_bright_and_dark_columns_are_asked_about_alike(rng: np.random.Generator) -> None:
    for sign in (1, -1):
        claimed = 10 * atoms(PLACES, sign)
        support = column_support(claimed, rng.poisson(claimed), PIXEL_NM)
        assert len(support.places_px) == len(PLACES)
        assert (support.log_likelihood_ratio > 0).all()


@pytest.mark.parametrize("pixel_nm", [0.0101, 0.01, 0.0099, 0.03])
def test_columns_at_the_border_are_no_trouble(pixel_nm: float, rng: np.random.Generator) -> None:
    """Wherever the frame is cut, and however many pixels a radius is."""
    image = 5 * particle()[0]
    radius_px = COLUMN_RADIUS_NM / pixel_nm
    nearest = []
    for y, x in rng.integers(0, 40, (8, 2)):
        cut = image[y : y + 200, x : x + 190]
        places = column_support(cut, cut, pixel_nm).places_px
        nearest.append(min(places.min(), (np.array(cut.shape) - 1 - places.max(axis=0)).min()))
    assert radius_px <= min(nearest) < radius_px + 4


def test_a_frame_without_columns_has_none_to_support() -> None:
    support = column_support(np.ones((64, 64)), np.ones((64, 64)), PIXEL_NM)
    assert support.places_px.shape == (0, 2)
    assert len(support.contrast) == len(support.is_invented) == 0


@pytest.mark.parametrize("centre", [(20.0, 24.0), (20.3, 23.6)])
def test_a_disc_is_filled_by_what_solves_laplaces_equation(centre: tuple[float, float]) -> None:
    y, x = np.mgrid[:48, :48] / 10
    for harmonic in (2 + 3 * x - y, x**2 - y**2, np.exp(x) * np.cos(y)):
        filled = without_column(harmonic, np.array(centre), 8.0)
        # between pixels the rim is read linearly: wrong by an eighth of the second difference along each axis
        second = np.abs(np.diff(harmonic, 2, axis=0)).max() + np.abs(np.diff(harmonic, 2, axis=1)).max()
        assert np.abs(filled - harmonic).max() < second / 8 + 1e-5 * np.ptp(harmonic)
        far = np.hypot(*(np.mgrid[:48, :48] - np.array(centre)[:, None, None])) >= 8
        assert np.array_equal(filled[far], harmonic[far])


def test_a_bump_is_taken_away_whole(rng: np.random.Generator) -> None:
    image = rng.normal(size=(48, 48))
    filled = without_column(image, np.array([24.0, 20.0]), 7.5)
    disc = filled != image
    assert disc.sum() > np.pi * 6.5**2
    ring = (np.hypot(*(np.mgrid[:48, :48] - np.array([24, 20])[:, None, None])) < 9.5) & ~(
        np.hypot(*(np.mgrid[:48, :48] - np.array([24, 20])[:, None, None])) < 6.5
    )
    assert image[ring].min() <= filled[disc].min() <= filled[disc].max() <= image[ring].max()


def test_what_cannot_be_asked_is_refused() -> None:
    image = np.ones((64, 64))
    with pytest.raises(ImageError, match="pixels of 0.06 nm"):
        column_support(image, image, 0.06)
    with pytest.raises(ImageError, match="shapes differ"):
        column_support(image, image[1:], PIXEL_NM)
    with pytest.raises(ImageError, match="leaves the frame"):
        without_column(image, np.array([3.0, 30.0]), 8.0)
    with pytest.raises(SettingError, match="read noise -1"):
        column_support(image, image, PIXEL_NM, -1.0, places_px=np.array([[30.0, 30.0]]))
