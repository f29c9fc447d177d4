"""Figures of merit of a denoised image against a noise-free truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.metrics import mean_squared_error, structural_similarity

from ..errors import ImageError, SettingError
from ..image import Array

Float64 = npt.NDArray[np.float64]

SSIM_SIGMA_PX = 1.5  # Wang et al. 2004; scikit-image cuts this window at 3.5 sigma: 11 x 11 px
SSIM_WINDOW_PX = 11


def psnr(image: Array, truth: Array, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(peak² / mean squared error).

    ``image`` and ``truth`` have one shape, any number of axes, any real dtype, and the unit of ``peak``; the error is
    averaged over all of them, and no value is clamped first. For micrographs in expected electrons per pixel we keep
    ``peak`` at 1 whatever the dose, so that a figure is a mean squared error and nothing else: Poisson counts at a
    vacuum of 0.45 e⁻/px then score about 3.5 dB. Equal images score ``inf``.
    Raises ImageError if the shapes differ or a value is not finite, SettingError if ``peak`` is not above 0.
    """
    image, truth = _comparable(image, truth, peak)
    error = float(mean_squared_error(truth, image))
    return float("inf") if error == 0 else float(10 * np.log10(peak**2 / error))


def ssim(image: Array, truth: Array, peak: float = 1.0) -> float:
    """Mean structural similarity of two frames, at most 1.

    ``image`` and ``truth`` are (height, width), at least 11 x 11 px, any real dtype, in the unit of ``peak``. Gaussian
    window of sigma 1.5 px, K1 = 0.01, K2 = 0.03 and population covariances as in Wang et al. 2004. ``peak`` sets the
    stabilising constants: images far below it (0.45 e⁻/px at peak 1) score higher than they would at their own peak,
    so compare figures of one ``peak`` only.
    Raises ImageError if the frames do not fit these sizes or a value is not finite, SettingError if ``peak`` is not
    above 0.
    """
    image, truth = _comparable(image, truth, peak)
    if image.ndim != 2 or min(image.shape) < SSIM_WINDOW_PX:
        raise ImageError(
            f"SSIM: shape {image.shape}; it compares two frames, (height, width), of at least "
            f"{SSIM_WINDOW_PX} x {SSIM_WINDOW_PX} px: give one frame at a time"
        )
    similarity: Any = structural_similarity(  # type: ignore[no-untyped-call]
        truth, image, data_range=peak, gaussian_weights=True, sigma=SSIM_SIGMA_PX, use_sample_covariance=False
    )
    return float(similarity)


def check_same_shape(**images: Array) -> None:
    """Raises ImageError if the named images differ in shape, or hold NaN or infinities."""
    shapes = {name: np.shape(image) for name, image in images.items()}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ImageError(f"shapes differ ({found}); compare images of the same field, pixel by pixel")
    for name, image in images.items():
        if not np.isfinite(image).all():
            raise ImageError(f"{name} holds NaN or infinite pixels; no figure can be given, fill or crop them first")


def _comparable(image: Array, truth: Array, peak: float) -> tuple[Float64, Float64]:
    if not 0 < peak < float("inf"):
        raise SettingError(f"peak = {peak:g}: it must be a finite number above 0, in the unit of the images")
    check_same_shape(image=image, truth=truth)
    return np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
