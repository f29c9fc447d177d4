"""The imaging model: its limits, its signs, and what it conserves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.training.hrtem import (
    WAVELENGTH_NM_300_KV,
    ImagingConditions,
    image_intensity,
    random_conditions,
    wavelength_nm,
)

SHAPE, PIXEL_NM = (64, 96), 0.02
PERFECT = ImagingConditions()


def weak_grating(amplitude: float, periods: int = 8) -> np.ndarray:
    """A wave exp(i amplitude cos(2 pi k x)) with so many periods across the field."""
    phase = amplitude * np.cos(2 * np.pi * periods * np.arange(SHAPE[1]) / SHAPE[1])
    return np.exp(1j * np.broadcast_to(phase, SHAPE)).astype(np.complex64)


def contrast(image: np.ndarray, periods: int = 8) -> float:
    """Amplitude of the cosine of that many periods, in an image whose mean is 1."""
    return float(2 * np.fft.fft2(image)[0, periods].real / image.size)


def test_the_wavelength_is_relativistic() -> None:
    rest_kev, energy_kev, hc_nm_kev = 510.998950, 300.0, 1.239841984
    expected = hc_nm_kev / np.sqrt(energy_kev * (energy_kev + 2 * rest_kev))
    assert pytest.approx(expected, rel=1e-4) == WAVELENGTH_NM_300_KV


def test_a_perfect_lens_shows_a_phase_object_flat() -> None:
    image = image_intensity(weak_grating(0.5), PIXEL_NM, PERFECT)
    assert image == pytest.approx(1, abs=2e-6)  # float32 rounding of an FFT of 6000 px


@pytest.mark.parametrize("defocus_nm", [-12.0, 5.0, 20.0])
def test_defocus_gives_the_contrast_of_weak_phase_theory(defocus_nm: float) -> None:
    amplitude, k = 1e-3, 8 / (SHAPE[1] * PIXEL_NM)
    image = image_intensity(weak_grating(amplitude), PIXEL_NM, dataclasses.replace(PERFECT, defocus_nm=defocus_nm))
    chi = -np.pi * WAVELENGTH_NM_300_KV * defocus_nm * k**2
    assert contrast(image) == pytest.approx(2 * amplitude * np.sin(chi), abs=3 * amplitude**2)  # the next order


def test_underfocus_shows_an_atom_dark() -> None:
    """An atom is a hill of phase; at the Scherzer side of focus the image is dark where it stands."""
    y, x = np.indices(SHAPE)
    hill = 0.05 * np.exp(-((y - 32) ** 2 + (x - 48) ** 2) / 18)
    image = image_intensity(np.exp(1j * hill).astype(np.complex64), PIXEL_NM, ImagingConditions(defocus_nm=8))
    assert image[32, 48] < 0.99


@pytest.mark.parametrize("spread_nm", [1.5, 3.0, 5.0])
@pytest.mark.parametrize("energy_kv", [80, 300])
def test_focal_spread_damps_every_fringe_by_its_envelope(spread_nm: float, energy_kv: float) -> None:
    """Linear theory: exp(-(pi lambda spread k^2)^2 / 2), to 1e-3 of the contrast without spread, up to Nyquist."""
    wavelength = wavelength_nm(energy_kv)
    for waves in range(4, SHAPE[1] // 2, 4):
        k = waves / (SHAPE[1] * PIXEL_NM)
        # the defocus that turns this grating's phase into amplitude: the scattered beams a quarter turn late
        sharp = dataclasses.replace(PERFECT, defocus_nm=1 / (2 * wavelength * k**2))
        blurred = dataclasses.replace(sharp, focal_spread_nm=spread_nm)
        grating = weak_grating(1e-3, waves)
        shown, whole = (contrast(image_intensity(grating, PIXEL_NM, c, wavelength), waves) for c in (blurred, sharp))
        phase = np.pi * wavelength * spread_nm * k**2
        assert abs(whole) == pytest.approx(2e-3, rel=1e-2)
        assert shown / whole == pytest.approx(np.exp(-(phase**2) / 2), abs=1e-3)


def test_convergence_and_aperture_act_as_their_formulas_say() -> None:
    """The envelope exp(-(pi theta slope / lambda)^2) of a defocused fringe; nothing beyond the aperture."""
    k = 8 / (SHAPE[1] * PIXEL_NM)
    sharp = dataclasses.replace(PERFECT, defocus_nm=1 / (2 * WAVELENGTH_NM_300_KV * k**2))
    whole = contrast(image_intensity(weak_grating(1e-3), PIXEL_NM, sharp))
    spread = dataclasses.replace(sharp, convergence_mrad=2.0)
    envelope = np.exp(-((np.pi * 2e-3 * sharp.defocus_nm * k) ** 2))
    assert 0.1 < envelope < 0.99
    assert contrast(image_intensity(weak_grating(1e-3), PIXEL_NM, spread)) / whole == pytest.approx(envelope, abs=1e-3)
    for aperture, passes in ((0.9 * k, 0.0), (1.1 * k, 1.0)):
        cut = dataclasses.replace(sharp, aperture_per_nm=aperture)
        shown = contrast(image_intensity(weak_grating(1e-3), PIXEL_NM, cut))
        assert shown / whole == pytest.approx(passes, abs=1e-3)


@pytest.mark.parametrize(("direction_rad", "share"), [(0.0, 1.0), (np.pi / 2, 0.5)])
def test_blur_damps_by_its_own_width_along_each_direction(direction_rad: float, share: float) -> None:
    """A Gaussian of sd s takes exp(-2 pi^2 s^2 k^2); across its axis ``blur_ratio`` as wide. The grating runs along x."""
    k, blur = 8 / (SHAPE[1] * PIXEL_NM), 0.03
    sharp = dataclasses.replace(PERFECT, defocus_nm=1 / (2 * WAVELENGTH_NM_300_KV * k**2))
    blurred = dataclasses.replace(sharp, blur_nm=blur, blur_ratio=0.5, blur_rad=direction_rad)
    ratio = contrast(image_intensity(weak_grating(1e-3), PIXEL_NM, blurred)) / contrast(
        image_intensity(weak_grating(1e-3), PIXEL_NM, sharp)
    )
    assert ratio == pytest.approx(np.exp(-2 * (np.pi * share * blur * k) ** 2), abs=1e-3)


def test_focal_spread_and_blur_keep_every_electron(rng: np.random.Generator) -> None:
    wave = np.exp(1j * rng.normal(size=SHAPE)).astype(np.complex64)
    conditions = ImagingConditions(defocus_nm=4, spherical_c3_nm=-13e3, coma_nm=40, focal_spread_nm=3, blur_nm=0.03)
    assert image_intensity(wave, PIXEL_NM, conditions).mean() == pytest.approx(1, abs=1e-4)


def test_an_image_is_abtem_s_image(rng: np.random.Generator) -> None:
    abtem = pytest.importorskip("abtem")
    conditions = ImagingConditions(
        defocus_nm=7.0, spherical_c3_nm=-9e3, spherical_c5_nm=2e6, astigmatism_nm=1.5, astigmatism_rad=0.4,
        coma_nm=40.0, coma_rad=1.1, threefold_nm=30.0, threefold_rad=-0.6,
    )  # fmt: skip
    aberrations = {
        "C10": -70.0, "C30": -9e4, "C50": 2e7, "C12": 15.0, "phi12": 0.4, "C21": 400.0, "phi21": 1.1,
        "C23": 300.0, "phi23": -0.6,
    }  # fmt: skip
    wave = np.exp(1j * gaussian_filter(rng.normal(size=SHAPE), 2, mode="wrap")).astype(np.complex64)
    lens = abtem.CTF(energy=300e3, aberration_coefficients=aberrations)
    theirs = abtem.Waves(wave[::-1].T.copy(), energy=300e3, sampling=10 * PIXEL_NM).apply_ctf(lens).intensity()
    ours = image_intensity(wave, PIXEL_NM, conditions)
    assert ours.std() > 0.01
    assert ours == pytest.approx(np.asarray(theirs.compute().array).T[::-1], abs=1e-4)


def test_random_conditions_are_seeded_and_in_range() -> None:
    drawn = [random_conditions(np.random.default_rng(i)) for i in range(50)]
    assert drawn[7] == random_conditions(np.random.default_rng(7))
    assert all(0.02 < c.blur_nm < 0.06 and c.focal_spread_nm > 0 for c in drawn)
    assert {c.spherical_c3_nm > 1e5 for c in drawn} == {True, False}
