"""Whether the raw counts support the atom columns that a denoised frame shows: what was invented stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.special import ndtr

from ..errors import ImageError
from ..image import Array
from .columns import COLUMN_RADIUS_NM, columns_in
from .metrics import Float64, check_same_shape
from .residual import expected_variance

RIM_POINTS_PER_PX = 4
REACH_RADII = 1.5  # the surroundings that tell how bright it is there
UNDECIDED_ABOVE = 0.05  # of being wrong: such a column is not called either way


@dataclass(frozen=True)
class ColumnSupport:
    """What the counts say of n columns.

    ``places_px`` (n, 2) are rows and columns of the frame. ``contrast`` (n,) is how much of the contrast a column has in
    the denoised frame its counts show, 1: all of it, 0: none; ``standard_error`` (n,) is of the contrast, by the noise of
    the counts. All float64.
    """

    places_px: Float64
    contrast: Float64
    standard_error: Float64

    @property
    def log_likelihood_ratio(self) -> Float64:
        """Log of how many times likelier the counts are with the column than without, (n,): below 0 speaks against it."""
        return (self.contrast - 0.5) / self.standard_error**2

    @property
    def chance_of_error(self) -> Float64:
        """How often the sign of the log-likelihood ratio is wrong for columns like these, (n,), 0 to 1/2."""
        wrong: Float64 = ndtr(-0.5 / self.standard_error)
        return wrong

    @property
    def is_told(self) -> npt.NDArray[np.bool_]:
        """Where the dose suffices to tell a column from none; (n,)."""
        return self.chance_of_error <= UNDECIDED_ABOVE

    @property
    def is_invented(self) -> npt.NDArray[np.bool_]:
        """Columns that the counts could show, and do not; (n,)."""
        return self.is_told & (self.contrast < 0.5)


def column_support(
    denoised: Array,
    counts: Array,
    pixel_size_nm: float,
    read_noise_e: float = 0.0,
    *,
    frames: Array | float = 1.0,
    places_px: Float64 | None = None,
) -> ColumnSupport:
    """Each column of ``denoised`` against the same frame without it, judged by ``counts``.

    Both are (h, w) in electrons per pixel, any real dtype; ``read_noise_e`` is the standard deviation of the read noise in
    electrons. Without its column the frame goes on as the smoothest surface through what surrounds it, a disc of 0.08 nm
    radius (``without_column``). With c what the column adds, v the variance of a pixel of the frame half-way between both,
    and c' = c less its mean, weighted by 1 / v, over the disc and a ring around it as wide as half its radius,

        contrast = sum(c' (y - without) / v) / sum(c'² / v),   variance = 1 / sum(c'² / v)

    is the best linear estimate where the brightness around the column may be wrong by a constant: networks are often off by
    some per cent, as much as a faint column. The likelihood ratio is that of normal noise of this variance, to which the
    noise of some dozen pixels' sum is close.

    Other frames of the scene, aligned with it, are better witnesses than the denoised frame's own counts: a column that was
    made of its noise is supported by it. ``counts`` may be the mean of several; ``frames`` then says of how many, one
    number or (h, w), 0 where it is not known. Noise is taken as independent from pixel to pixel; where neighbours share it,
    the standard error is too small. ``places_px`` (n, 2) asks about these places instead of the columns that are found.

    Raises ImageError where the frames do not fit each other, hold NaN, or their pixels are too large to show a column;
    SettingError for a negative read noise.
    """
    check_same_shape(denoised=denoised, counts=counts)
    claimed, measured = (array.astype(np.float64) for array in (denoised, counts))
    weight = np.broadcast_to(np.asarray(frames, dtype=np.float64), claimed.shape)
    places = columns_in(claimed, pixel_size_nm) if places_px is None else np.asarray(places_px, dtype=np.float64)
    radius_px = COLUMN_RADIUS_NM / pixel_size_nm
    judged = [_judge(claimed, measured, weight, place, radius_px, read_noise_e) for place in places]
    contrast, error = np.array(judged).reshape(-1, 2).T
    return ColumnSupport(places, contrast, error)


def without_column(image: Array, place_px: Float64, radius_px: float) -> Float64:
    """``image``, (h, w), with a disc taken out and filled from its rim: no value in it above or below those of the rim.

    The solution of Laplace's equation in a disc, by Poisson's integral over its rim. Returns (h, w) float64 in the image's
    unit. Raises ImageError where the disc does not lie within the image.
    """
    filled: Float64 = np.array(image, dtype=np.float64)
    centre = np.asarray(place_px, dtype=np.float64)
    if not ((centre >= radius_px).all() and (centre <= np.array(filled.shape) - 1 - radius_px).all()):
        raise ImageError(
            f"column at ({centre[0]:g}, {centre[1]:g}): a disc of {radius_px:.1f} px around it leaves the frame of "
            f"{filled.shape} px; choose one inside"
        )
    # a pixel nearer to the rim than half its side is as good as on it, and too near to be told from few points
    y, x = np.nonzero(np.hypot(*(np.indices(filled.shape) - centre[:, None, None])) < radius_px - 0.5)
    angle = np.linspace(0, 2 * np.pi, RIM_POINTS_PER_PX * int(np.ceil(2 * np.pi * radius_px)), endpoint=False)
    rim_y, rim_x = centre[0] + radius_px * np.sin(angle), centre[1] + radius_px * np.cos(angle)
    kernel = 1 / (np.square(y[:, None] - rim_y) + np.square(x[:, None] - rim_x))
    rim = map_coordinates(filled, (rim_y, rim_x), order=1)
    filled[y, x] = kernel @ rim / kernel.sum(axis=1)
    return filled


def _judge(
    claimed: Float64, measured: Float64, frames: Float64, place: Float64, radius_px: float, read_noise_e: float
) -> tuple[float, float]:
    """Contrast and standard error of one column; all in electrons."""
    reach_px = REACH_RADII * radius_px
    around = tuple(slice(max(0, int(at - reach_px)), int(at + reach_px) + 2) for at in place)
    claimed, measured, frames = claimed[around], measured[around], frames[around]
    centre = place - [axis.start for axis in around]
    without = without_column(claimed, centre, radius_px)
    near = np.hypot(*(np.indices(claimed.shape) - centre[:, None, None])) <= reach_px
    certainty = np.where(near, frames, 0) / expected_variance((claimed + without) / 2, read_noise_e)
    if not certainty.any():
        return 0.0, np.inf
    added = claimed - without
    shape = added - np.average(added, weights=certainty)
    power = float(np.sum(certainty * shape**2))
    if not power > 0:
        return 0.0, np.inf
    return float(np.sum(certainty * shape * (measured - without))) / power, power**-0.5
