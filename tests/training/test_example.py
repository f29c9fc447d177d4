"""The bundled example is what its docstring says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gaintune.examples import HEIGHT_PX, TRUTH, WIDTH_PX, example_path, example_truth, shifted
from napari_gaintune.training.example import FRAMES, VACUUM_DOSE_E_PER_PX, counts, make_truth


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return example_truth()


@pytest.fixture(scope="module")
def series() -> np.ndarray:
    return tifffile.imread(example_path())


def test_series_and_truth_have_the_shape_promised(series: np.ndarray, truth: np.ndarray) -> None:
    assert series.shape == truth.shape == (FRAMES, HEIGHT_PX, WIDTH_PX)
    assert (series.dtype, truth.dtype) == (np.uint8, np.float32)
    assert example_path().stat().st_size < 1.5e6
    assert TRUTH.stat().st_size < 1.2e6


def test_the_file_is_calibrated() -> None:
    with tifffile.TiffFile(example_path()) as file, np.load(TRUTH) as truth:
        assert file.series[0].axes == "TYX"
        assert file.ome_metadata is not None
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        assert pixels["PhysicalSizeX"] == pixels["PhysicalSizeY"] == round(float(truth["pixel_size_nm"]), 6)
        assert (pixels["PhysicalSizeXUnit"], pixels["TimeIncrement"], pixels["TimeIncrementUnit"]) == ("nm", 0.025, "s")


def test_the_counts_are_poisson_about_the_truth(series: np.ndarray, truth: np.ndarray) -> None:
    n, dose = truth.size, truth.mean(dtype=float)
    residual = series - truth.astype(float)
    assert abs(residual.mean()) < 5 * np.sqrt(dose / n)
    # standard error of the mean squared residual: its variance per pixel is mu + 2 mu^2
    spread = np.sqrt((truth + 2.0 * truth**2).mean() / n)
    assert (residual**2).mean() == pytest.approx(dose, abs=5 * float(spread))
    for axis in range(3):  # white in time and in space
        product = (residual * np.roll(residual, 1, axis)).mean() / dose
        assert abs(product) < 5 / np.sqrt(n)


def test_the_seed_gives_the_bundled_counts(series: np.ndarray, truth: np.ndarray) -> None:
    """Up to pixels in which the last bit of a Fourier transform tips a draw: none on one machine, few on another."""
    assert (counts(truth) != series).mean() < 1e-3


def test_the_vacuum_receives_the_dose(truth: np.ndarray) -> None:
    assert truth[0, :40, 200:].mean() == pytest.approx(VACUUM_DOSE_E_PER_PX, rel=0.02)  # Fresnel fringes


def test_the_drift_moves_the_picture_by_what_it_says(truth: np.ndarray) -> None:
    with np.load(TRUTH) as stored:
        drift = stored["drift_px"]
    assert 2 < np.abs(drift).max() < 8
    assert np.abs(np.diff(drift, axis=0)).max() < 1
    assert np.abs(drift - drift.round()).max() > 0.3  # by parts of a pixel
    one, last = np.fft.fft2(truth[0] - truth[0].mean()), np.fft.fft2(truth[-1] - truth[-1].mean())
    correlation = np.fft.ifft2(np.conj(one) * last).real
    found = np.array(np.unravel_index(np.argmax(correlation), correlation.shape))
    found = np.where(found > np.array(correlation.shape) / 2, found - correlation.shape, found)
    assert np.abs(found - (drift[-1] - drift[0])).max() <= 1


def test_a_whole_pixel_shift_is_exact(rng: np.random.Generator) -> None:
    image = rng.random((24, 30))
    assert shifted(image, 3, -5) == pytest.approx(np.roll(image, (3, -5), (0, 1)), abs=1e-12)


def test_the_truth_can_be_made_again(tmp_path: Path) -> None:
    pytest.importorskip("abtem")
    make_truth(tmp_path)
    with np.load(tmp_path / TRUTH.name) as made, np.load(TRUTH) as bundled:
        assert set(made) == set(bundled)
        # half precision stores 1.0 in steps of 0.001; transforms differ in their last bits from machine to machine
        assert made["relative_intensity"] == pytest.approx(bundled["relative_intensity"], abs=4e-3)
        assert np.array_equal(made["drift_px"], bundled["drift_px"])
