"""From atoms to the electrons expected in each pixel: multislice (abTEM), then imaging in numpy.

The exit wave is the dear part, so one wave is imaged under several conditions. Partial temporal coherence is summed
over focus (which keeps the intensity and the non-linear terms right); partial spatial coherence is an envelope on the
wave (quasi-coherent, good for the small angles of a field-emission gun); everything that only blurs the intensity -
vibration, thermal motion, the detector's transfer function - is one Gaussian. Kirkland, Advanced Computing in Electron
Microscopy (2010), chapters 3, 5 and 6. Signs and names of the aberrations are abTEM's: C10 = -defocus.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import require

Wave = npt.NDArray[np.complex64]
Image = npt.NDArray[np.float32]

SLICE_NM = 0.2
# Quadrature over focus: 11 points 0.75 standard deviations apart. The sum repeats itself at a phase of 2 pi / 0.75 = 8.4
# within one standard deviation; of beams that differ by up to 4 it is right to 1e-3 (the test goes through all of them).
FOCUS_NODES = 0.75 * np.arange(-5, 6)
FOCUS_WEIGHTS = np.exp(-0.5 * FOCUS_NODES**2) / np.exp(-0.5 * FOCUS_NODES**2).sum()
LARGEST_FOCUS_PHASE = 4.0  # exp(-4**2 / 2) = 3e-4 is left of a fringe with a beam beyond it


@dataclass(frozen=True)
class ImagingConditions:
    """One setting of the microscope; lengths in nm, angles in rad or mrad as named, positive defocus = underfocus."""

    defocus_nm: float = 0.0
    spherical_c3_nm: float = 0.0
    spherical_c5_nm: float = 0.0
    astigmatism_nm: float = 0.0
    astigmatism_rad: float = 0.0
    coma_nm: float = 0.0
    coma_rad: float = 0.0
    threefold_nm: float = 0.0
    threefold_rad: float = 0.0
    focal_spread_nm: float = 0.0  # standard deviation
    convergence_mrad: float = 0.0  # semi-angle at 1/e
    aperture_per_nm: float = np.inf
    blur_nm: float = 0.0  # standard deviation, on the intensity
    blur_ratio: float = 1.0  # the blur along its narrow direction, as a share
    blur_rad: float = 0.0


def wavelength_nm(energy_kv: float) -> float:
    """Of electrons accelerated by ``energy_kv``, relativistic; Kirkland 2010, eq. 2.5."""
    return float(1.2398419 / np.sqrt(energy_kv * (2 * 510.99895 + energy_kv)))


WAVELENGTH_NM_300_KV = wavelength_nm(300.0)


def random_conditions(rng: np.random.Generator, wavelength_nm: float = WAVELENGTH_NM_300_KV) -> ImagingConditions:
    """Four times of five an aberration-corrected microscope near focus, else an uncorrected one near Scherzer focus."""
    angles = rng.uniform(0, 2 * np.pi, 4)
    common = {
        "focal_spread_nm": rng.uniform(1.5, 5.0),
        "convergence_mrad": rng.uniform(0.03, 0.3),
        "blur_nm": rng.uniform(0.022, 0.060),
        "blur_ratio": rng.uniform(0.6, 1.0),
        "blur_rad": angles[0],
        "astigmatism_nm": rng.exponential(1.2),
        "astigmatism_rad": angles[1],
        "spherical_c5_nm": rng.uniform(0, 5e6),
    }
    if rng.random() < 0.82:
        own = {
            "defocus_nm": rng.choice([rng.uniform(-16, 16), rng.uniform(-50, 50)], p=[0.8, 0.2]),
            "spherical_c3_nm": rng.choice([rng.uniform(-18e3, -5e3), rng.uniform(-6e3, 8e3)]),
            "coma_nm": rng.uniform(0, 60),
            "coma_rad": angles[2],
            "threefold_nm": rng.uniform(0, 60),
            "threefold_rad": angles[3],
            "aperture_per_nm": float(rng.choice([np.inf, rng.uniform(9, 16)])),
        }
    else:
        c3_nm = rng.uniform(0.5e6, 1.2e6)
        scherzer_nm = 1.2 * np.sqrt(c3_nm * wavelength_nm)
        own = {
            "defocus_nm": scherzer_nm * rng.uniform(0.7, 1.4),
            "spherical_c3_nm": c3_nm,
            "aperture_per_nm": rng.uniform(5, 9),
        }
    return ImagingConditions(**{name: float(value) for name, value in (common | own).items()})


def exit_wave(atoms: Any, size_px: int = 512, energy_kv: float = 300.0) -> Wave:
    """The wave behind the specimen, (y, x) complex64, first row at the top of the image, modulus 1 in the vacuum.

    ``atoms`` is an orthogonal, periodic ``ase.Atoms`` with the beam along z. Needs abTEM; runs in the calling thread.
    """
    abtem = require("abtem")
    with require("dask").config.set(scheduler="synchronous"), abtem.config.set({"diagnostics.progress_bar": False}):
        potential = abtem.Potential(
            atoms,
            gpts=(size_px, size_px),
            slice_thickness=10 * SLICE_NM,
            parametrization="lobato",
            projection="infinite",
        ).build(lazy=False)
        wave = abtem.PlaneWave(energy=1e3 * energy_kv).multislice(potential, lazy=False)
    return np.ascontiguousarray(np.asarray(wave.array).T[::-1])


@functools.lru_cache(maxsize=4)
def _frequencies(shape: tuple[int, int], pixel_size_nm: float) -> tuple[npt.NDArray[Any], ...]:
    """Spatial frequency up and to the right, its modulus (1/nm) and direction (rad), in FFT order."""
    up = -np.fft.fftfreq(shape[0], pixel_size_nm)[:, None].astype(np.float32)
    right = np.fft.fftfreq(shape[1], pixel_size_nm)[None].astype(np.float32)
    return up, right, np.hypot(up, right), np.arctan2(up, right)


def aberration_phase(
    shape: tuple[int, int],
    pixel_size_nm: float,
    conditions: ImagingConditions,
    wavelength_nm: float = WAVELENGTH_NM_300_KV,
) -> npt.NDArray[np.float32]:
    """chi (rad) on the FFT grid, (y, x): the transfer function of the wave is exp(-i chi). Kirkland 2010, eq. 2.24."""
    _, _, modulus, direction = _frequencies(shape, pixel_size_nm)
    c, a = conditions, wavelength_nm * modulus
    path_nm = 0.5 * a**2 * (-c.defocus_nm + c.astigmatism_nm * np.cos(2 * (direction - c.astigmatism_rad)))
    path_nm += a**3 / 3 * c.coma_nm * np.cos(direction - c.coma_rad)
    path_nm += a**3 / 3 * c.threefold_nm * np.cos(3 * (direction - c.threefold_rad))
    path_nm += a**4 / 4 * c.spherical_c3_nm + a**6 / 6 * c.spherical_c5_nm
    return np.asarray(2 * np.pi / wavelength_nm * path_nm, dtype=np.float32)


def image_intensity(
    wave: Wave, pixel_size_nm: float, conditions: ImagingConditions, wavelength_nm: float = WAVELENGTH_NM_300_KV
) -> Image:
    """The expected intensity, (y, x) float32, 1 in the vacuum: the exit wave through the lens, blurred.

    Periodic like the wave. Multiply by the electrons per pixel that the vacuum receives to get expected counts. Electrons
    scattered so far that the spread of focus leaves them no fringe are spread evenly. The envelope of the convergence is
    that of defocus, C3 and C5; the smaller aberrations' part in it is left out.
    """
    shape = (wave.shape[0], wave.shape[1])
    up, right, modulus, _ = _frequencies(shape, pixel_size_nm)
    transfer = np.exp(-1j * aberration_phase(shape, pixel_size_nm, conditions, wavelength_nm))
    a = wavelength_nm * modulus
    slope = -conditions.defocus_nm * a + conditions.spherical_c3_nm * a**3 + conditions.spherical_c5_nm * a**5
    envelope = np.exp(-((np.pi * 1e-3 * conditions.convergence_mrad / wavelength_nm * slope) ** 2))
    spectrum = np.fft.fft2(wave) * transfer * envelope * (modulus <= conditions.aperture_per_nm)
    quadratic = (np.pi / wavelength_nm * a**2).astype(np.float32)
    spread = conditions.focal_spread_nm
    far = spread * quadratic > LARGEST_FOCUS_PHASE
    intensity = np.full(shape, (np.abs(spectrum[far]) ** 2).sum() / spectrum.size**2)
    spectrum[far] = 0
    for node, weight in zip(FOCUS_NODES, FOCUS_WEIGHTS, strict=True) if spread else [(0.0, 1.0)]:
        focused = np.fft.ifft2(spectrum * np.exp(1j * np.float32(node * spread) * quadratic))
        intensity += weight * (focused.real**2 + focused.imag**2)
    return _blurred(intensity, up, right, conditions)


def _blurred(intensity: npt.NDArray[Any], up: npt.NDArray[Any], right: npt.NDArray[Any], c: ImagingConditions) -> Image:
    along = right * np.cos(c.blur_rad) + up * np.sin(c.blur_rad)
    across = up * np.cos(c.blur_rad) - right * np.sin(c.blur_rad)
    variance = c.blur_nm**2 * (along**2 + (c.blur_ratio * across) ** 2)
    blurred = np.fft.ifft2(np.fft.fft2(intensity) * np.exp(-2 * np.pi**2 * variance)).real
    return np.maximum(blurred, 0).astype(np.float32)
