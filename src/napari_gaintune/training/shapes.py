"""Shapes of particles and surfaces, on bare coordinates: (n, 3) float64 in the caller's unit (angstrom beside ase)."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.float64]
Depth = npt.NDArray[np.float64]  # (n,), below the surface, negative outside
Mask = npt.NDArray[np.bool_]


def polyhedron(rng: np.random.Generator, points: Positions, axes: Positions, radius: float) -> Depth:
    """How deep ``points`` lie in a random truncated octahedron of about ``radius``, centred on the origin.

    ``axes`` (3, 3) turns crystal into laboratory directions. The {111} faces lie nearest, {100} and {110} further out,
    as for small fcc particles; each face's distance varies by itself, so that no particle is symmetric.
    """
    depth = np.full(len(points), np.inf)
    families = [((1, 1, 1), (0.75, 1.0)), ((1, 0, 0), (0.8, 1.15)), ((1, 1, 0), (0.9, 1.2))]
    for family, (nearest, furthest) in families:
        for face in sorted(
            {p for v in itertools.product(*[{i, -i} for i in family]) for p in itertools.permutations(v)}
        ):
            normal = axes @ (np.array(face) / np.linalg.norm(face))
            depth = np.minimum(depth, radius * rng.uniform(nearest, furthest) - points @ normal)
    return depth


def cuboid(rng: np.random.Generator, points: Positions, axes: Positions, radius: float) -> Depth:
    """How deep ``points`` lie in a box along the crystal's axes, with sides between 1.2 and 2.2 times ``radius``."""
    sides = radius * rng.uniform(0.6, 1.1, 3)
    return np.asarray((sides - np.abs(points @ axes)).min(axis=1))


def ellipsoid(rng: np.random.Generator, points: Positions, axes: Positions, radius: float) -> Depth:
    """How deep, nearly, ``points`` lie in an ellipsoid with half-axes of 0.7 to 1.2 times ``radius``, turned anyhow."""
    turn = random_rotation(rng, float(rng.uniform(0, 360)), 90.0)
    half_axes = radius * rng.uniform(0.7, 1.2, 3)
    return np.asarray(radius * (1 - np.linalg.norm(points @ turn / half_axes, axis=1)))


def prism(rng: np.random.Generator, points: Positions, axes: Positions, radius: float) -> Depth:
    """How deep ``points`` lie in a hexagonal prism along the crystal's third axis."""
    across = points @ axes
    depth = radius * rng.uniform(0.8, 1.4) - np.abs(across[:, 2])
    for angle in np.deg2rad(np.arange(0, 360, 60)):
        side = across[:, 0] * np.cos(angle) + across[:, 1] * np.sin(angle)
        depth = np.minimum(depth, radius * rng.uniform(0.7, 1.0) - side)
    return depth


SHAPES = {"polyhedron": polyhedron, "cuboid": cuboid, "ellipsoid": ellipsoid, "prism": prism}


def rough(rng: np.random.Generator, depth: Depth, missing: float, added: float, layer: float = 2.3) -> Mask:
    """Which sites are filled: those inside, but for a share ``missing`` of the topmost layer, and a share ``added`` on it.

    ``depth`` is below the surface, negative outside; ``layer`` in the same unit.
    """
    chance = rng.random(len(depth))
    inside = (depth > layer) | ((depth > 0) & (chance >= missing))
    outside = (depth <= 0) & (depth > -layer) & (chance < added)
    return np.asarray(inside | outside)


def twinned(points: Positions, normal: Positions, offset: float) -> Positions:
    """Mirror the half of a crystal beyond a plane, through the atoms of that plane nearest to ``offset``.

    ``normal`` is a unit vector; mirroring an fcc crystal in one of its own {111} layers gives its coherent twin.
    """
    height = points @ normal
    plane = height[np.argmin(np.abs(height - offset))]
    below = points[height <= plane + 1e-6]
    depth = (below @ normal) - plane
    above = below[depth < -1e-6]
    return np.concatenate([below, above - 2 * np.outer(depth[depth < -1e-6], normal)])


def random_rotation(rng: np.random.Generator, in_plane_deg: float, out_of_plane_deg: float) -> Positions:
    """A (3, 3) rotation: ``in_plane_deg`` about the beam (z), then up to ``out_of_plane_deg`` about x and about y."""
    a, b, c = np.deg2rad([*rng.uniform(-out_of_plane_deg, out_of_plane_deg, 2), in_plane_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def apart(points: Positions, others: Positions, nearest: float) -> Mask:
    """Which of ``points`` are no nearer than ``nearest`` to any of ``others``."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(others).query(points, distance_upper_bound=nearest)
    return np.asarray(np.isinf(distance))


def scattered_points(rng: np.random.Generator, box: Positions, count: int, nearest: float) -> Positions:
    """At most ``count`` random points in ``box`` (3,), no two nearer than ``nearest``.

    Three times as many are drawn, and the later of each pair that is too near is dropped: a fair picture of an amorphous
    film at HRTEM resolution, not a relaxed glass. Where the points are to lie dense there are fewer: 0.85 of ``count`` at
    the density of silicon, 0.93 at that of germanium.
    """
    from scipy.spatial import cKDTree

    points = rng.uniform(0, 1, (3 * count, 3)) * box
    keep = np.ones(len(points), dtype=bool)
    pairs = cKDTree(points).query_pairs(nearest, output_type="ndarray")
    for first, second in pairs[np.lexsort(pairs.T[::-1])]:
        if keep[first]:
            keep[second] = False
    return points[keep][:count]
