"""Counts, grey values and floats become a model's unit and come back; noise is measured from the frame alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_gaintune.errors import NoiseModelError
from napari_gaintune.image import Float32
from napari_gaintune.noise.intensity import IntensityScale, electron_scale, unit_scale
from napari_gaintune.noise.level import noise_sd, noise_variance_and_mean, read_noise_sd

RANGE = (0.1, 5.0)


def counts(dose: float, rng: np.random.Generator, size: int = 256) -> Float32:
    """Poisson counts of a smooth scene whose mean is ``dose``."""
    wave = 1 + 0.3 * np.sin(np.linspace(0, 12, size))
    return rng.poisson(dose * np.outer(wave, wave) / np.mean(np.outer(wave, wave))).astype(np.float32)


@given(
    offset=st.floats(-1e4, 1e4),
    per_unit=st.floats(1e-3, 1e4),
    values=st.lists(st.floats(-100, 100), min_size=1, max_size=9),
)
def test_there_and_back(offset: float, per_unit: float, values: list[float]) -> None:
    scale = IntensityScale(offset, per_unit)
    frame = np.array([values], np.float32) * np.float32(per_unit) + np.float32(offset)
    back = scale.to_input(scale.to_model(frame))
    # two roundings to float32, one of the input, one of a model value that is offset / per_unit away at most
    tolerance = 4 * 2.0**-24 * (np.abs(frame) + abs(offset) + per_unit)
    assert (np.abs(back - frame) <= tolerance).all()
    assert back.dtype == np.float32


@pytest.mark.parametrize("dose", [0.12, 0.45, 2.0])
@pytest.mark.parametrize("detector_gain", [1.0, 116.0, 1e-3])
def test_counts_become_electrons(dose: float, detector_gain: float, rng: np.random.Generator) -> None:
    electrons = counts(dose, rng)
    scale = electron_scale(electrons * np.float32(detector_gain), RANGE)
    assert scale.offset == pytest.approx(0, abs=1e-4 * detector_gain)
    # the variance of n / 4 Haar details has a relative error of sqrt((kurtosis - 1) / (n / 4)), kurtosis near 3 + 1 / dose
    error = ((2 + 1 / dose) / (electrons.size / 4)) ** 0.5
    assert scale.per_unit == pytest.approx(detector_gain, rel=6 * error + 0.005)


@pytest.mark.parametrize("pedestal", [-3.0, -0.45, 100.0, 1e4])
def test_an_unknown_pedestal_does_not_break_the_noise(pedestal: float, rng: np.random.Generator) -> None:
    """The frame lands in the model's range, with Poisson's relation of noise and mean there."""
    frame = counts(0.45, rng) * 7 + np.float32(pedestal)
    scale = electron_scale(frame, RANGE)
    variance, mean = noise_variance_and_mean(scale.to_model(frame))
    assert RANGE[0] * 0.99 < mean < RANGE[1] * 1.01
    assert variance == pytest.approx(mean, rel=0.02)
    np.testing.assert_allclose(scale.to_input(scale.to_model(frame)), frame, atol=1e-3 * max(1, abs(pedestal)) * 2**-8)


def test_a_known_offset_is_used(rng: np.random.Generator) -> None:
    frame = counts(0.45, rng) * 50 + 1000
    scale = electron_scale(frame, RANGE, offset=1000)
    assert scale.offset == 1000
    assert scale.per_unit == pytest.approx(50, rel=0.05)


def test_read_noise_below_zero_does_not_make_a_pedestal(rng: np.random.Generator) -> None:
    frame = counts(1.7, rng) * 116
    scale = electron_scale(frame, RANGE)
    frame[3, 5] = -1
    assert electron_scale(frame, RANGE).offset == 0
    assert electron_scale(frame, RANGE).per_unit == pytest.approx(scale.per_unit, rel=1e-3)


def test_a_given_offset_is_believed(rng: np.random.Generator) -> None:
    frame = counts(0.45, rng) * 116 + 100 + rng.normal(0, 10, (256, 256)).astype(np.float32)
    assert electron_scale(frame, RANGE, offset=100).offset == 100
    assert electron_scale(frame, RANGE, offset=100).per_unit == pytest.approx(116, rel=0.1)
    with pytest.raises(NoiseModelError, match="detector_offset = 500 lies above"):
        electron_scale(frame, RANGE, offset=500)


def test_a_frame_without_noise_is_refused() -> None:
    smooth = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    with pytest.raises(NoiseModelError, match="no noise found"):
        electron_scale(np.round(smooth * 0) + np.arange(64, dtype=np.float32), RANGE)


@pytest.mark.parametrize(("offset", "per_unit"), [(0.0, 0.0), (0.0, -2.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_impossible_scale_is_refused(offset: float, per_unit: float) -> None:
    with pytest.raises(NoiseModelError, match="intensity scale"):
        IntensityScale(offset, per_unit)


def test_grey_values_become_zero_to_one(rng: np.random.Generator) -> None:
    assert unit_scale(np.zeros((4, 4), np.float32), np.dtype(np.uint8)) == IntensityScale(0.0, 255.0)
    frame = rng.uniform(-50, 150, (200, 200)).astype(np.float32)
    grey = unit_scale(frame, np.dtype(np.float32)).to_model(frame)
    assert -0.01 < grey.min() < 0.01
    assert 0.99 < grey.max() < 1.01


@pytest.mark.parametrize("sd", [0.05, 3.0])
@pytest.mark.parametrize("size", [(64, 64), (301, 200)])
def test_the_noise_level_is_found(sd: float, size: tuple[int, int], rng: np.random.Generator) -> None:
    scene = 4 * sd * np.sin(np.linspace(0, 9, size[0]))[:, None] * np.ones(size[1])
    frame = (scene + rng.normal(0, sd, size)).astype(np.float32)
    # a median of b block variances, each of 64 values: relative error of the variance 1.25 * sqrt(2 / 64 / b)
    blocks = (size[0] // 16) * (size[1] // 16)
    assert noise_sd(frame) == pytest.approx(sd, rel=6 * 0.5 * 1.25 * (2 / 64 / blocks) ** 0.5)


@pytest.mark.parametrize("read_sd", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("dose", [0.1, 2.0, 10.0])
def test_read_noise_is_what_counting_does_not_explain(dose: float, read_sd: float, rng: np.random.Generator) -> None:
    """On an even field, on a slope, with a dark third, and beside a lattice that fills two fifths of the blocks."""
    y, x = np.indices((512, 512))
    lattice = 1 + 0.3 * np.sin(x / 1.6) * np.sin(y / 1.7) * (y > 300)
    variance = dose + read_sd**2
    error = 5 * 0.22 * variance / 32  # of 32 * 32 blocks
    for field, detail in (
        (np.ones((512, 512)), 0.0),
        (1 + 0.8 * x / 512, 0.0),
        (np.where(x < 160, 0.2, 1.0), 0.0),
        (lattice, 1.0),
    ):
        counts = (rng.poisson(dose * field) + rng.normal(0, read_sd, field.shape)).astype(np.float32)
        # the median is then at most the 83rd percentile of the other blocks: one standard deviation of a block's variance
        assert read_sd**2 - error <= read_noise_sd(counts) ** 2 <= read_sd**2 + error + detail * 0.18 * variance


@pytest.mark.parametrize("shape", [(2, 2), (3, 40), (15, 15), (16, 16)])
def test_small_frames_have_a_noise_level_too(shape: tuple[int, int], rng: np.random.Generator) -> None:
    assert noise_sd(rng.normal(0, 1, shape).astype(np.float32)) > 0
    assert noise_sd(np.ones(shape, np.float32)) == 0


def test_hot_pixels_do_not_move_the_detector_gain(rng: np.random.Generator) -> None:
    frame = counts(0.45, rng)
    clean = electron_scale(frame, RANGE).per_unit
    frame[rng.integers(0, 256, 4), rng.integers(0, 256, 4)] = 5000
    assert electron_scale(frame, RANGE).per_unit == pytest.approx(clean, rel=0.05)
