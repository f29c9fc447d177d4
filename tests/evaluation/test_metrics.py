"""PSNR and SSIM against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.errors import ImageError, SettingError
from napari_gaintune.evaluation.metrics import psnr, ssim


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_psnr_of_a_known_error(rng: np.random.Generator, peak: float) -> None:
    truth = rng.normal(size=(3, 20, 30))
    assert psnr(truth + 0.1 * peak, truth, peak) == pytest.approx(20, abs=1e-9)
    assert psnr(truth + 0.01 * peak, truth, peak) == pytest.approx(40, abs=1e-9)


def test_psnr_of_counts_follows_from_their_variance(rng: np.random.Generator) -> None:
    vacuum_e_per_px, pixels = 0.45, 400 * 500
    truth = np.full((400, 500), vacuum_e_per_px)
    found = 10 ** (-psnr(rng.poisson(truth).astype(np.uint16), truth) / 10)
    # squared deviations of a Poisson count: mean v, variance v + 2 v²
    standard_error = np.sqrt((vacuum_e_per_px + 2 * vacuum_e_per_px**2) / pixels)
    assert abs(found - vacuum_e_per_px) < 6 * standard_error
    assert -10 * np.log10(vacuum_e_per_px) == pytest.approx(3.5, abs=0.05)


def test_psnr_does_not_clamp_wrap_or_lose_digits() -> None:
    truth = np.full((4, 4), 200, np.uint8)
    assert psnr(np.full((4, 4), 100, np.uint8), truth, 100) == pytest.approx(0)
    assert psnr(np.full((4, 4), -100.0), truth, 100) == pytest.approx(-20 * np.log10(3))
    large = np.full((4, 4), 1e6, np.float32)
    assert psnr(large + np.float32(0.5), large) == pytest.approx(20 * np.log10(2))


def test_equal_images_are_perfect_and_a_worse_one_is_worse(rng: np.random.Generator) -> None:
    truth = rng.random((40, 50))
    noise = rng.normal(size=truth.shape)
    assert psnr(truth, truth) == float("inf")
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(truth + 0.05 * noise, truth) > ssim(truth + 0.2 * noise, truth)
    assert ssim(truth + 0.2 * noise, truth) == pytest.approx(ssim(truth, truth + 0.2 * noise))


def test_ssim_of_constant_frames_is_the_luminance_term() -> None:
    a, b, peak = 0.3, 0.5, 2.0
    expected = (2 * a * b + (0.01 * peak) ** 2) / (a**2 + b**2 + (0.01 * peak) ** 2)
    assert ssim(np.full((16, 16), a), np.full((16, 16), b), peak) == pytest.approx(expected, abs=1e-12)


def test_inputs_are_left_alone(rng: np.random.Generator) -> None:
    image, truth = rng.random((2, 16, 16))
    copies = image.copy(), truth.copy()
    psnr(image, truth)
    ssim(image, truth)
    np.testing.assert_array_equal((image, truth), copies)


@pytest.mark.parametrize("figure", [psnr, ssim])
def test_what_cannot_be_compared_is_refused(figure: object) -> None:
    assert callable(figure)
    frame = np.zeros((16, 16))
    with pytest.raises(ImageError, match=r"image \(16, 16\), truth \(16, 17\)"):
        figure(frame, np.zeros((16, 17)))
    with pytest.raises(ImageError, match="truth holds NaN"):
        figure(frame, np.full((16, 16), np.nan))
    for peak in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="peak"):
            figure(frame, frame, peak)


@pytest.mark.parametrize("shape", [(10, 30), (2, 16, 16)])
def test_ssim_takes_single_frames_of_a_whole_window(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="SSIM"):
        ssim(np.zeros(shape), np.zeros(shape))
