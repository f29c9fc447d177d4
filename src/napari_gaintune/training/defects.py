"""Defects of whole atom columns: what a lattice does not foretell, and what a denoiser must not mend.

Atoms that are missing or added one by one leave every column nearly as dark as its neighbours; a network that has seen
nothing else fills an empty column and takes away one that stands alone. On bare coordinates, as ``shapes``; the beam is z.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .shapes import Depth, Mask, Positions

SAME_COLUMN = 0.1  # angstrom; sites of an untilted column agree to rounding errors, columns stand farther apart

Numbers = npt.NDArray[np.intp]


def column_numbers(points: Positions) -> Numbers:
    """(n,): which column along z each of ``points`` (n, 3), in angstrom, stands in; counted from 0."""
    places = np.floor(points[:, :2] / SAME_COLUMN + 0.37).astype(np.int64)  # any offset would do
    return np.asarray(np.unique(places, axis=0, return_inverse=True)[1]).reshape(-1)


def vacant(rng: np.random.Generator, points: Positions, share: float) -> Mask:
    """Which ``points`` lie in a vacancy: all or an end of each column that is drawn, of all columns ``share``."""
    columns = column_numbers(points)
    count = columns.max(initial=-1) + 1
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, columns, points[:, 2])
    np.maximum.at(high, columns, points[:, 2])
    part = np.where(rng.random(count) < 0.6, 1.0, rng.uniform(0.2, 1.0, count))  # of its length
    cut = low + part * (high - low)
    return np.asarray((rng.random(count) < share)[columns] & (points[:, 2] <= cut[columns]))


def adsorbed(rng: np.random.Generator, points: Positions, depth: Depth, share: float, layer: float = 2.3) -> Mask:
    """Which ``points`` outside are filled: single atoms to rows, on ``share`` of the columns just beside a crystal.

    ``depth`` is below the surface, negative outside, ``layer`` how far outside a column may stand, both in angstrom.
    """
    columns = column_numbers(points)
    count = columns.max(initial=-1) + 1
    nearest = np.full(count, -np.inf)
    np.maximum.at(nearest, columns, depth)
    beside = (nearest <= 0) & (nearest > -layer)
    drawn = beside & (rng.random(count) < share)
    reach = np.ptp(points[:, 2]) / 2 if len(points) else 0.0
    middle, half_length = rng.uniform(-0.5, 0.5, count) * reach, rng.uniform(0.0, 1.0, count) ** 2 * reach + 1.5
    near = np.abs(points[:, 2] - middle[columns]) < half_length[columns]
    return np.asarray(drawn[columns] & near & (depth > -layer))
