"""Columns are counted where they are, bright or dark, and a shift of more than half a radius is a miss."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.errors import ImageError
from napari_gaintune.evaluation.columns import COLUMN_RADIUS_NM, ColumnScore, column_score

PIXEL_NM = 0.01
PLACES = [(y, x) for y in range(24, 200, 24) for x in range(24, 200, 24)]


def atoms(places: list[tuple[float, float]], sign: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:216, :216]
    image = np.ones((216, 216))
    for row, column in places:
        image += sign * 0.4 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 4.0**2))
    return image


@pytest.mark.parametrize("sign", [1, -1])
def test_the_truth_finds_itself(sign: float) -> None:
    truth = atoms(PLACES, sign)
    assert column_score(truth, truth, PIXEL_NM) == ColumnScore(len(PLACES), len(PLACES), len(PLACES))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_lost_and_an_invented_column_are_counted(sign: float) -> None:
    image = atoms([*PLACES[3:], (36, 36)], sign)
    score = column_score(image, atoms(PLACES, sign), PIXEL_NM)
    assert (score.matched, score.found, score.true) == (len(PLACES) - 3, len(PLACES) - 2, len(PLACES))
    assert score.recall == pytest.approx(1 - 3 / len(PLACES))
    assert score.precision == pytest.approx((len(PLACES) - 3) / (len(PLACES) - 2))


def test_a_column_has_to_be_within_half_a_radius() -> None:
    truth = atoms(PLACES)
    limit_px = COLUMN_RADIUS_NM / PIXEL_NM / 2
    near, far = (atoms([(y + shift, x) for y, x in PLACES]) for shift in (limit_px - 1, limit_px + 1))
    assert column_score(near, truth, PIXEL_NM).recall == 1
    assert column_score(far, truth, PIXEL_NM).recall == 0


def test_an_empty_image_finds_nothing_and_invents_nothing() -> None:
    score = column_score(np.ones((216, 216)), atoms(PLACES), PIXEL_NM)
    assert (score.found, score.precision, score.recall) == (0, None, 0.0)
    empty = column_score(np.ones((216, 216)), np.ones((216, 216)), PIXEL_NM)
    assert (empty.true, empty.recall) == (0, None)


def test_pixels_too_large_for_columns_are_refused() -> None:
    with pytest.raises(ImageError, match="pixels of 0.06 nm"):
        column_score(atoms(PLACES), atoms(PLACES), 0.06)
