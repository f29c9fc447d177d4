"""White, shared and row noise of known strength."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.errors import NoiseModelError
from napari_gaintune.noise.correlation import noise_correlation

SIZE = 256
WHITE = np.random.default_rng(0).normal(0, 10, (SIZE, SIZE))


def test_white_noise_is_within_twice_the_limits():
    found = noise_correlation(WHITE)
    assert max(map(abs, found.along_x + found.along_y)) < 2 * found.limit  # 3.9 standard errors
    assert found.row_noise_sd == found.column_noise_sd == 0


@pytest.mark.parametrize("spread_px", [0.7, 1.0])
def test_shared_charge_is_correlated_as_the_point_spread_says(spread_px):
    found = noise_correlation(gaussian_filter(WHITE, spread_px, mode="wrap"))
    line = gaussian_filter(np.eye(1, 41, 20)[0], spread_px)
    expected = np.sum(line[1:] * line[:-1]) / np.sum(line**2)
    assert found.along_x[0] == pytest.approx(expected, abs=0.02)  # 5 standard errors of 1/256
    assert found.along_y[0] == pytest.approx(expected, abs=0.02)


def test_row_noise_is_found_along_its_axis():
    offsets = np.random.default_rng(1).normal(0, 3, (SIZE, 1))
    found = noise_correlation(WHITE + offsets)
    assert found.row_noise_sd == pytest.approx(3, rel=5 / np.sqrt(2 * SIZE))  # 5 standard errors of SIZE draws
    assert found.column_noise_sd == 0
    turned = noise_correlation((WHITE + offsets).T)
    assert turned.column_noise_sd == found.row_noise_sd


def test_equal_frames_are_refused():
    with pytest.raises(NoiseModelError, match="separate exposures"):
        noise_correlation(np.zeros((64, 64)))


def test_the_share_of_rows_is_one_of_the_variance(rng: np.random.Generator) -> None:
    """Rows of sd 0.5 on noise of sd 1 are a fifth of it; the estimate of 400 rows is good to 5 / sqrt(200) of itself."""
    noise = rng.normal(0, 1, (400, 300)) + rng.normal(0, 0.5, (400, 1))
    rows, columns = noise_correlation(noise).shared_by_lines
    assert rows == pytest.approx(0.2, rel=5 / 200**0.5)
    assert columns == 0
