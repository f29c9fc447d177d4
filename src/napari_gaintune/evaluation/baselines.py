"""What any denoiser has to beat: a flat image, and simple filters that know their best strength."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.fft import dctn, idctn
from scipy.optimize import minimize_scalar
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from ..errors import ImageError
from ..image import Array, Float32
from ..models.bragg import STEEPNESS, THRESHOLD
from ..models.networks.lattice import LatticeNetwork
from .metrics import Float64, check_same_shape

GRID_RATIO = 1.2  # between neighbouring widths of the search
SMALLEST_SIGMA_PX = 0.3  # below, the blur changes no grey value that matters
SIGMA_TOLERANCE_PX = 0.01


def best_gaussian_blur(noisy: Array, truth: Array) -> tuple[Float32, float]:
    """The Gaussian blur of ``noisy`` nearest to ``truth``, and its sigma in pixels (0: no blur helps).

    An ORACLE: the width is chosen by the squared error to the truth, which nobody has for a real micrograph, so it is
    the best a Gaussian can do, not what it does. ``noisy`` and ``truth`` are (..., height, width) in one unit; one
    sigma serves all frames. Every width of a geometric grid up to twice the frame, which is flat, is tried, then the
    neighbourhood of the best is searched (bounded Brent). The result is float32 in the unit of ``noisy``.
    Raises ImageError if the shapes differ or have fewer than two axes, or a value is not finite.
    """
    check_same_shape(noisy=noisy, truth=truth)
    if noisy.ndim < 2:
        raise ImageError(f"noisy: shape {noisy.shape} has no rows and columns; give (..., height, width)")
    error = _error_of_sigma(noisy, truth)
    largest_px = 2 * max(noisy.shape[-2:])
    count = 1 + int(np.ceil(np.log(largest_px / SMALLEST_SIGMA_PX) / np.log(GRID_RATIO)))
    grid = [0.0, *np.geomspace(SMALLEST_SIGMA_PX, largest_px, count)]
    errors = [error(sigma_px) for sigma_px in grid]
    best = int(np.argmin(errors))
    if best == 0:
        return noisy.astype(np.float32), 0.0
    around = (grid[best - 1], grid[min(best + 1, count)])
    refined = minimize_scalar(error, bounds=around, method="bounded", options={"xatol": SIGMA_TOLERANCE_PX})
    sigma_px = float(refined.x) if refined.fun < errors[best] else float(grid[best])
    return blurred(noisy, sigma_px), sigma_px


def blurred(frames: Array, sigma_px: float) -> Float32:
    """``frames`` (..., height, width), each blurred by a Gaussian of ``sigma_px``, mirrored at the borders; float32.

    In the cosine domain, where such a blur is one factor per frequency: exact, and as fast for a wide blur as for a
    narrow one.
    """
    spectra = dctn(frames.astype(np.float64), axes=(-2, -1)) * _transfer(frames.shape[-2:], sigma_px)
    result: Float32 = idctn(spectra, axes=(-2, -1)).astype(np.float32)
    return result


def _error_of_sigma(noisy: Array, truth: Array) -> Callable[[float], float]:
    """Squared error of the blurred frames as a function of sigma: by Parseval a sum over the cosine spectra."""
    shape = noisy.shape[-2:]
    power, cross, rest = np.zeros(shape), np.zeros(shape), 0.0
    for image, clean in zip(noisy.reshape(-1, *shape), truth.reshape(-1, *shape), strict=True):
        blurry, sharp = (dctn(frame.astype(np.float64), norm="ortho") for frame in (image, clean))
        power += blurry**2
        cross += blurry * sharp
        rest += float(np.sum(sharp**2))

    def error(sigma_px: float) -> float:
        transfer = _transfer(shape, sigma_px)
        return float(np.sum(transfer * (transfer * power - 2 * cross))) + rest

    return error


def _transfer(shape: tuple[int, ...], sigma_px: float) -> Float64:
    """The factor of each cosine frequency of an image of ``shape`` under the blur, (height, width)."""
    rows, columns = (np.exp(-0.5 * (np.pi * np.arange(n) / n * sigma_px) ** 2) for n in shape[-2:])
    factors: Float64 = np.outer(rows, columns)
    return factors


def flat_mean(noisy: Array) -> Float32:
    """``noisy`` (..., height, width) with every frame replaced by its mean: all contrast lost; float32, same unit.

    At a low dose even this scores 22-29 dB (peak 1): print it beside any figure.
    """
    mean = np.mean(noisy, axis=(-2, -1), keepdims=True, dtype=np.float64)
    return np.broadcast_to(mean, noisy.shape).astype(np.float32)


def best_total_variation(noisy: Array, truth: Array) -> tuple[Float32, float]:
    """Total-variation denoising (Chambolle 2004) with the weight nearest to ``truth``, and that weight: an ORACLE.

    (h, w) in one unit; the weight, one of ten, is in units of the noisy image's standard deviation. The result is float32.
    The iteration is scikit-image's with its own stop, after 200 rounds at most: with a large weight it is where the
    rounds end, not the minimum. That would be the mean, which is tried as well, as weight inf.
    """
    return _best_of(noisy, truth, lambda scaled: _and_flat(scaled, TV_WEIGHTS, _total_variation))


def best_non_local_means(noisy: Array, truth: Array) -> tuple[Float32, float]:
    """Non-local means (Buades 2005) with the strength nearest to ``truth``, and that strength: an ORACLE.

    (h, w) in one unit; the strength, one of seven, is the cut-off h in units of the noisy image's standard deviation. The
    result is float32. Patches are sought 15 px around; the mean of the frame is tried as well, as strength inf.
    """
    return _best_of(noisy, truth, lambda scaled: _and_flat(scaled, NLM_STRENGTHS, _non_local_means))


def best_bragg_filter(noisy: Array, truth: Array) -> tuple[Float32, float]:
    """A Bragg filter with the threshold nearest to ``truth``, and that threshold: an ORACLE.

    What microscopists put around the spots of a diffractogram: of overlapping Fourier windows those coefficients are kept
    whose power is above the noise's by that factor. It is the filter that the networks begin with, untrained. ``noisy`` and
    ``truth`` are (h, w) in one unit; six thresholds are tried in windows of 512 px, and in windows of 128 px, for which the
    threshold is given below 0. The result is float32.
    """
    return _best_of(noisy, truth, _bragg_by_threshold)


def bragg_filtered(noisy: Array, threshold: float = THRESHOLD) -> Float32:
    """The same without an oracle: windows of 512 px, and a threshold that suits most; (h, w), float32, unit of ``noisy``."""
    result: Float32 = _bragg_filtered(noisy, threshold)[0].astype(np.float32)
    return result


# The last ones leave next to nothing of a frame but its mean, or the mean of its neighbourhood: needed where a pixel has
# a tenth of an electron.
TV_WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
NLM_STRENGTHS = (0.4, 0.7, 1.0, 1.6, 3.2, 6.4, 12.8)
NLM_PATCH_PX, NLM_REACH_PX = 9, 15
BRAGG_THRESHOLDS = (3.0, 6.0, 12.0, 24.0, 48.0, 96.0)
BRAGG_SQUARES = 256  # of 2 x 2 pixels, and a quarter of it


def _best_of(noisy: Array, truth: Array, method: Callable[[Float64], Mapping[float, Float64]]) -> tuple[Float32, float]:
    """Of the results by strength that ``method`` makes of a frame with a standard deviation of 1."""
    check_same_shape(noisy=noisy, truth=truth)
    scale = max(float(np.std(noisy)), 1e-12)
    results = method(noisy.astype(np.float64) / scale)
    errors = {strength: float(np.mean((scale * result - truth) ** 2)) for strength, result in results.items()}
    best = min(errors, key=errors.__getitem__)
    return (scale * results[best]).astype(np.float32), best


def _and_flat(
    noisy: Float64, strengths: Sequence[float], method: Callable[[Float64, float], Float64]
) -> dict[float, Float64]:
    """The results by strength, and the end of the scale, which neither method reaches by itself."""
    results = {strength: method(noisy, strength) for strength in strengths}
    return results | {math.inf: np.full_like(noisy, noisy.mean())}


def _bragg_by_threshold(noisy: Float64) -> dict[float, Float64]:
    results: dict[float, Float64] = {}
    for threshold in BRAGG_THRESHOLDS:
        wide, narrow = _bragg_filtered(noisy, threshold)
        results |= {threshold: wide, -threshold: narrow}
    return results


def _bragg_filtered(noisy: Array, threshold: float) -> Float64:
    """In wide and in narrow windows, (2, h, w); in squares of 2 x 2 pixels, finer than any lattice that noise leaves."""
    lattice = LatticeNetwork(fold=2, bragg_px=BRAGG_SQUARES, guided=False)
    for name, bias in lattice.named_parameters():
        if name.endswith(".gate.2.bias"):  # of a fresh filter's last convolution, whose weights are 0
            torch.nn.init.constant_(bias, -STEEPNESS * math.log(threshold / THRESHOLD))
    with torch.no_grad():
        found = lattice.whole_frame(torch.from_numpy(noisy.astype(np.float32))[None, None])
    result: Float64 = found[0, 1:].double().numpy()
    return result


def _total_variation(noisy: Float64, weight: float) -> Float64:
    result: Float64 = denoise_tv_chambolle(noisy, weight=weight)  # type: ignore[no-untyped-call]
    return result


def _non_local_means(noisy: Float64, strength: float) -> Float64:
    result: Float64 = denoise_nl_means(
        noisy, patch_size=NLM_PATCH_PX, patch_distance=NLM_REACH_PX, h=strength, fast_mode=True
    )
    return result
