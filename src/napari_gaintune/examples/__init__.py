"""A simulated low-dose HRTEM series to try things on, and the noise-free truth behind it.

A cobalt particle on zinc oxide, made by ``python -m napari_gaintune.training.example``: 300 kV multislice, imaged near
focus with negative spherical aberration, 0.45 electrons per pixel and frame in the vacuum, 40 frames of 320 x 384 px
that drift by a few pixels, and nothing but counting statistics as noise. It is a simulation, kinder than a microscope:
no detector gain, no correlated noise, no beam damage, one particle that holds still. The bundled HRTEM models were
trained on no cobalt, no zinc oxide and no other crystal of their structures, but by the same simulator: a good score
here promises little for a real micrograph.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["example_path", "example_truth", "shifted"]

SERIES = Path(__file__).parent / "co_zno_40frames.ome.tif"
TRUTH = Path(__file__).parent / "co_zno_truth.npz"
HEIGHT_PX, WIDTH_PX = 320, 384


def example_path() -> Path:
    """The bundled series: an OME-TIFF, (40, 320, 384) uint8 electrons counted, with pixel size and frame time."""
    return SERIES


def example_truth(path: Path = TRUTH) -> npt.NDArray[np.float32]:
    """The electrons expected in each pixel of each frame, (40, 320, 384) float32: what denoising ought to give back."""
    with np.load(path) as truth:
        image = truth["vacuum_dose_e_per_px"] * truth["relative_intensity"].astype(np.float64)
        corner, drift = truth["corner_px"], truth["drift_px"]
    y, x = (int(n) for n in corner)
    frames = [shifted(image, dy, dx)[y : y + HEIGHT_PX, x : x + WIDTH_PX] for dy, dx in drift]
    return np.stack(frames).astype(np.float32)


def shifted(image: npt.NDArray[np.float64], down_px: float, right_px: float) -> npt.NDArray[np.float64]:
    """A periodic image, (h, w), moved by any fraction of a pixel: exact for a band-limited one (Fourier shift)."""
    phase = np.fft.fftfreq(image.shape[0])[:, None] * down_px + np.fft.rfftfreq(image.shape[1])[None] * right_px
    moved = np.fft.irfft2(np.fft.rfft2(image) * np.exp(-2j * np.pi * phase), s=image.shape)
    return np.maximum(moved, 0)
