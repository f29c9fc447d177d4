"""Multislice on real specimens: intensity, lattice and orientation of the picture. Needs abTEM."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.training.crystals import unit_cell
from napari_gaintune.training.hrtem import ImagingConditions, exit_wave, image_intensity
from napari_gaintune.training.specimen import Specimen

pytest.importorskip("abtem")

SIZE_PX = 192
CELLS, ROWS, LATTICE_NM = 6, 4, 0.3905
SURFACE_PX = round((1 - ROWS / CELLS) * SIZE_PX)  # from the top


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    """SrTiO3 along [001], 8 cells thick, four rows of cells below and the vacuum above; x is [100]."""
    atoms = unit_cell("SrTiO3", "[001], (010) surface").repeat((CELLS, ROWS, 8))
    atoms.set_cell([10 * CELLS * LATTICE_NM, 10 * CELLS * LATTICE_NM, 80 * LATTICE_NM])
    atoms.positions[:, 2] += 0.5
    return Specimen(atoms, CELLS * LATTICE_NM)


@pytest.fixture(scope="module")
def image(specimen: Specimen) -> np.ndarray:
    conditions = ImagingConditions(
        defocus_nm=-7, spherical_c3_nm=-13e3, focal_spread_nm=3, convergence_mrad=0.1, blur_nm=0.035
    )
    return image_intensity(exit_wave(specimen.atoms, SIZE_PX), specimen.width_nm / SIZE_PX, conditions)


def test_the_mean_is_one(image: np.ndarray) -> None:
    """Elastic scattering moves electrons about; those beyond the bandwidth limit of multislice are lost, a few %."""
    assert 0.93 < image.mean() < 1.001
    assert image.min() >= 0


def test_the_vacuum_is_at_the_top_and_is_one(image: np.ndarray) -> None:
    vacuum, crystal = image[SURFACE_PX // 3 : SURFACE_PX // 2], image[SURFACE_PX + 10 : -10]
    assert vacuum.mean() == pytest.approx(1, abs=0.04)  # Fresnel fringes of the two edges
    assert crystal.std() > 3 * vacuum.std()


def test_the_power_spectrum_peaks_at_the_lattice(specimen: Specimen, image: np.ndarray) -> None:
    profile = image[SURFACE_PX + 10 : -10].mean(axis=0)
    power = np.abs(np.fft.rfft(profile - profile.mean())) ** 2
    frequency_per_nm = np.argmax(power) / specimen.width_nm
    # the box holds whole cells, so the peak falls on one frequency of the transform: (100) or (200) of 0.3905 nm
    assert frequency_per_nm * 0.3905 == pytest.approx(round(frequency_per_nm * 0.3905), abs=1e-3)
    assert 1 <= round(frequency_per_nm * 0.3905) <= 2
    assert power.max() > 0.5 * power.sum()


def test_the_same_atoms_give_the_same_bits(specimen: Specimen) -> None:
    assert np.array_equal(exit_wave(specimen.atoms, 64), exit_wave(specimen.atoms, 64))
