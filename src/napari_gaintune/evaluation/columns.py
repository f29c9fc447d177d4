"""Atom columns found in a denoised image, against those in the noise-free one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_laplace
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from skimage.feature import peak_local_max

from ..errors import ImageError
from ..image import Array
from .metrics import Float64, check_same_shape

COLUMN_RADIUS_NM = 0.08
BLOB_SIGMA_NM = COLUMN_RADIUS_NM / np.sqrt(2)  # a disc answers strongest to the Laplacian of a Gaussian of this width
FINEST_COLUMN_PX = 1.5  # columns of a smaller radius are no blobs any more
LOWEST_RESPONSE = 0.35  # of the truth's 99th percentile: fainter blobs are no columns

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ColumnScore:
    """``found`` columns of which ``matched`` are among the ``true`` ones."""

    matched: int
    found: int
    true: int

    @property
    def precision(self) -> float | None:
        """The share of found columns that are there; None where none was found, which is no merit."""
        return self.matched / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """The share of true columns that were found; None where there are none."""
        return self.matched / self.true if self.true else None


def column_score(image: Array, truth: Array, pixel_size_nm: float) -> ColumnScore:
    """Columns in ``image`` matched one to one with those in ``truth``, at most half a column radius (0.04 nm) apart.

    Both are (h, w) in one unit. A column is a local extremum of the Laplacian of a Gaussian as wide as a column, at least
    0.35 times as strong as the truth's 99th percentile; bright or dark, whichever the truth's are. In the truth the same
    is done, so a blob is counted where a perfect image would show one, atom or not. Raises ImageError where a column is
    too small to see (a radius of less than 1.5 px), or the images do not fit each other.
    """
    check_same_shape(image=image, truth=truth)
    radius_px = _column_radius_px(pixel_size_nm)
    seen, real = (_response(array, pixel_size_nm) for array in (image, truth))
    seen, real = (_sign(real) * array for array in (seen, real))
    threshold = _threshold(real)
    found, true = (_peaks(array, radius_px, threshold) for array in (seen, real))
    return ColumnScore(_matches(found, true, radius_px / 2), len(found), len(true))


def columns_in(image: Array, pixel_size_nm: float) -> Points:
    """Where ``image``, (h, w) in any unit, shows columns, (n, 2) rows and columns in px; as in ``column_score``, by itself.

    Columns nearer to the border than their radius of 0.08 nm are left out. Raises ImageError for pixels too large.
    """
    radius_px = _column_radius_px(pixel_size_nm)
    response = _response(image, pixel_size_nm)
    response = _sign(response) * response
    places = _peaks(response, radius_px, _threshold(response))
    whole = (places >= radius_px) & (places <= np.array(image.shape) - 1 - radius_px)
    return places[whole.all(axis=1)]


def shows_columns(pixel_size_nm: float) -> bool:
    """Whether pixels are small enough for a column: 0.053 nm or less."""
    return 0 < pixel_size_nm * FINEST_COLUMN_PX <= COLUMN_RADIUS_NM


def _column_radius_px(pixel_size_nm: float) -> float:
    if not shows_columns(pixel_size_nm):
        raise ImageError(
            f"pixels of {pixel_size_nm:g} nm: a column of {COLUMN_RADIUS_NM} nm radius needs {FINEST_COLUMN_PX} px, "
            f"{COLUMN_RADIUS_NM / FINEST_COLUMN_PX:.3f} nm each"
        )
    return COLUMN_RADIUS_NM / pixel_size_nm


def _sign(response: Float64) -> float:
    """-1 where columns are dark."""
    return -1.0 if np.percentile(-response, 99) > np.percentile(response, 99) else 1.0


def _threshold(response: Float64) -> float:
    return LOWEST_RESPONSE * float(np.percentile(response, 99))


def _response(image: Array, pixel_size_nm: float) -> Float64:
    """Bright blobs of a column's size give peaks."""
    sigma_px = BLOB_SIGMA_NM / pixel_size_nm
    response: Float64 = -(sigma_px**2) * gaussian_laplace(image.astype(np.float64), sigma_px)
    around: Float64 = gaussian_filter(response, 4 * sigma_px)
    return response - around


def _peaks(response: Float64, radius_px: float, threshold: float) -> Points:
    if threshold <= 0:
        return np.empty((0, 2))
    peaks: Points = peak_local_max(  # type: ignore[no-untyped-call]
        response, min_distance=max(1, int(radius_px)), threshold_abs=threshold, exclude_border=int(radius_px)
    ).astype(np.float64)
    return peaks


def _matches(found: Points, true: Points, farthest_px: float) -> int:
    """The most pairs of one found and one true column within ``farthest_px`` of each other."""
    if not (len(found) and len(true)):
        return 0
    distance = cdist(found, true)
    rows, columns = linear_sum_assignment(np.where(distance <= farthest_px, distance, 1e6))
    return int((distance[rows, columns] <= farthest_px).sum())
