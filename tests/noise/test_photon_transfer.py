"""Simulated detectors, every number known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.errors import NoiseModelError
from napari_gaintune.noise.photon_transfer import PhotonTransferCurve, photon_transfer_of_frame

GAIN, OFFSET, SIZE = 12.0, 100.0, 192


def scene(size=SIZE, dose=4.0):
    y, x = np.mgrid[:size, :size] / size
    return dose * (1 + 0.8 * np.sin(2 * np.pi * y) * np.sin(4 * np.pi * x))


def detector(count, read_noise_sd=0.0, spread_px=0.0, row_sd=0.0, seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        counts = GAIN * rng.poisson(scene(size)).astype(float)
        counts = gaussian_filter(counts, spread_px, mode="wrap") if spread_px else counts
        yield counts + OFFSET + rng.normal(0, read_noise_sd, counts.shape) + rng.normal(0, row_sd, (size, 1))


def measured(frames):
    curve = PhotonTransferCurve()
    for frame in frames:
        curve.add(frame)
    return curve.fit()


# 40 frames of 192² hold a seventh of the pixels of 40 frames of 512², so that errors are 2.7 times as large.
def test_poisson_counts_give_gain_offset_and_dose():
    found = measured(detector(40))
    assert found.variance_share == 1
    assert found.detector_gain == pytest.approx(GAIN, rel=0.03)
    assert found.detector_offset == pytest.approx(OFFSET, abs=0.05 * GAIN * 4)
    assert found.dose_e_per_px == pytest.approx(4, rel=0.05)


def test_read_noise_is_told_from_the_offset():
    found = measured(detector(40, read_noise_sd=15))
    assert found.detector_gain == pytest.approx(GAIN, rel=0.05)
    assert found.detector_offset == pytest.approx(OFFSET, abs=0.07 * GAIN * 4)
    assert found.read_noise_sd == pytest.approx(15, rel=0.07)


@pytest.mark.parametrize("spread_px", [0.4, 0.7, 1.0])
def test_charge_sharing_does_not_lower_the_gain(spread_px):
    found = measured(detector(40, spread_px=spread_px))
    assert found.slope < 0.8 * GAIN
    assert found.detector_gain == pytest.approx(GAIN, rel=0.12)


def test_row_noise_leaves_the_gain():
    assert measured(detector(40, row_sd=5)).detector_gain == pytest.approx(GAIN, rel=0.05)


def test_one_frame_gives_the_gain_less_exactly():
    gains = [photon_transfer_of_frame(next(detector(1, seed=s, size=384))).detector_gain for s in range(6)]
    assert np.mean(gains) == pytest.approx(GAIN, rel=0.06)


def test_a_flat_scene_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(NoiseModelError, match="bright and dark"):
        measured(rng.normal(100, 5, (4, 64, 64)))


def test_too_small_frames_are_refused():
    with pytest.raises(NoiseModelError, match="larger frame"):
        PhotonTransferCurve().add(np.zeros((16, 16)))


def test_noise_that_falls_with_the_brightness_is_no_counting():
    """An inverted recording."""
    with pytest.raises(NoiseModelError, match="falls where it is brighter.*no counts of electrons"):
        measured(4000 - frame for frame in detector(10))


def test_errors_are_those_of_repeated_measurements():
    """Twelve series; the standard deviation of twelve is uncertain by a fifth, and so is the blocks' spread."""
    found = [measured(detector(5, read_noise_sd=15, seed=seed)) for seed in range(12)]
    for value, error in (("detector_gain", "gain_se"), ("detector_offset", "offset_se"), ("dose_e_per_px", "dose_se")):
        spread = np.std([getattr(one, value) for one in found], ddof=1)
        assert np.mean([getattr(one, error) for one in found]) == pytest.approx(spread, rel=0.6)
