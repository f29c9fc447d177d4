"""Crystal slabs, particles and amorphous films: the parts that specimens are put together from.

Each is built about the origin. Our own numbers are in nm and degrees; ase counts in angstrom.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import require
from .crystals import CRYSTALS, axes_of, unit_cell
from .defects import adsorbed, column_numbers, vacant
from .shapes import SHAPES, Depth, Mask, Positions, apart, random_rotation, rough, scattered_points, twinned
from .specimen import Build

NEAREST_NM = 0.19  # no atom of one part is nearer to an atom of another
LOG10_VACANT = (-2.5, -1.2)  # of the columns: 0.3 to 6 %
MOST_ADSORBED = 0.3  # of the places beside a surface
HEAVY_SHARE, MOST_HEAVY = 0.3, 0.02  # of slabs in which a metal stands in the place of cations, and of their columns
ATOMS_PER_NM3 = {"C": 90.0, "Si": 50.0, "Ge": 44.0}  # amorphous: carbon of 1.8 g/cm3, silicon, germanium


def crystal_slab(build: Build, crystal: str, orientation: str, surface_nm: float, surface: str = "rough") -> Any:
    """A slab of the specimen's thickness that fills the field below ``surface_nm``, thinner towards that edge.

    ``surface`` "rough": a terrace over a part of its length, atoms missing and added; "flat": cut and no more.
    """
    rng, reach = build.rng, 10 * build.reach_nm
    top = 10 * surface_nm
    slab = block(unit_cell(crystal, orientation), (reach, reach, 5 * build.thickness_nm), rng)
    x, y, z = slab.positions.T
    terrace = np.zeros(len(x))
    if surface == "rough":
        on_terrace = np.mod(x / (2 * reach) - rng.random(), 1.0) < rng.uniform(0.2, 0.8)
        terrace = on_terrace * rng.choice([0.0, 0.25, 0.5]) * unit_cell(crystal, orientation).cell.lengths()[1]
    below_edge = np.clip((top - y) / (top + reach), 0, 1)
    half_thickness = 5 * build.thickness_nm * (1 - rng.uniform(0, 0.6) * (1 - below_edge))
    depth = np.minimum(top + terrace - y, half_thickness - np.abs(z))
    shares = (rng.uniform(0, 0.3), rng.uniform(0, 0.1)) if surface == "rough" else (0.0, 0.0)
    keep = with_column_defects(build, slab.positions, depth, rough(rng, depth, *shares))
    if build.recipe.column_defect_share and build.recipe.metals and rng.random() < HEAVY_SHARE:
        columns = column_numbers(slab.positions)
        heavy = rng.random(columns.max() + 1) < rng.uniform(0, MOST_HEAVY)
        slab.symbols[heavy[columns] & (slab.numbers > 8)] = build.one_of(build.recipe.metals)
    return slab[keep]


def with_column_defects(build: Build, sites: Positions, depth: Depth, keep: Mask) -> Mask:
    """``keep``, in a share of crystals with whole columns missing, and others added beside the surface."""
    rng = build.rng
    if not build.recipe.column_defect_share or rng.random() >= build.recipe.column_defect_share:
        return keep
    missing = vacant(rng, sites, float(10 ** rng.uniform(*LOG10_VACANT)))
    added = adsorbed(rng, sites, depth, float(rng.uniform(0, MOST_ADSORBED)))
    build.record["column_defects"] = build.record.get("column_defects", 0) + 1
    return np.asarray((keep & ~missing) | added)


def particle(build: Build, metal: str, orientation: str, radius_nm: float) -> tuple[Any, dict[str, Any]]:
    """A particle about the origin, flat below (its base); fcc ones in one time of three with a twin plane."""
    rng = build.rng
    points = block(unit_cell(metal, orientation), (14 * radius_nm,) * 3, rng).positions
    points -= points[np.argmin(np.sum(points**2, axis=1))]  # an atom at the origin: the twin plane runs through it
    axes = axes_of(metal, orientation)
    shape = build.one_of(build.recipe.shapes)
    is_twinned = bool(CRYSTALS[metal].group == 225 and rng.random() < 0.33)
    if is_twinned:
        points = twinned(points, axes @ np.array([1, 1, 1]) / np.sqrt(3), rng.uniform(-0.3, 0.3) * 10 * radius_nm)
    depth, sites = SHAPES[shape](rng, points, axes, 10 * radius_nm), points
    turn = random_rotation(rng, in_plane_deg=float(rng.choice([0, 0, rng.uniform(-15, 15)])), out_of_plane_deg=2.0)
    if rng.random() < 0.2:
        turn = random_rotation(rng, float(rng.uniform(0, 360)), 45.0)  # along no zone axis
    points = points @ turn.T
    depth = np.minimum(depth, points[:, 1] + 10 * radius_nm * rng.uniform(0.2, 0.9))
    keep = rough(rng, depth, missing=rng.uniform(0, 0.4), added=rng.uniform(0, 0.15))
    keep = with_column_defects(build, sites, depth, keep)
    atoms = require("ase").Atoms(metal * int(keep.sum()), positions=points[keep])
    facts = {"metal": metal, "shape": shape, "radius_nm": radius_nm, "twinned": is_twinned, "orientation": orientation}
    return atoms, facts


def amorphous_film(build: Build, front_nm: float, film_nm: float) -> Any:
    """Atoms scattered over all or a part of the field, no two nearer than 0.13 nm; ends just before ``front_nm``."""
    rng, element = build.rng, build.one_of(build.recipe.amorphous)
    covered = float(rng.choice([1.0, rng.uniform(0.4, 0.9)]))
    box = 10 * np.array([2 * build.reach_nm, 2 * build.reach_nm * covered, film_nm])
    density = ATOMS_PER_NM3[element] / 1000
    points = scattered_points(rng, box, int(density * box.prod()), nearest=1.3 if element == "C" else 2.1)
    points -= 10 * np.array([build.reach_nm, build.reach_nm, 0])
    points[:, 2] += 10 * front_nm - box[2] - rng.uniform(1.5, 3.0)  # the beam meets the film first
    build.record |= {"film": element, "film_nm": film_nm, "film_covers": covered}
    return require("ase").Atoms([element] * len(points), positions=points)


def block(cell: Any, half: tuple[float, ...], rng: np.random.Generator, jitter: bool = True) -> Any:
    """Repeats of ``cell`` that cover at least +-``half`` angstrom about the origin, which falls anywhere in a cell."""
    lengths = cell.cell.lengths()
    repeats = [2 * int(np.ceil(h / length)) + 1 for h, length in zip(half, lengths, strict=True)]
    block = cell.repeat(repeats)
    block.positions -= np.array(repeats) * lengths / 2 + (rng.uniform(-0.5, 0.5, 3) * lengths if jitter else 0)
    return block


def moved(atoms: Any, across: npt.NDArray[np.float64], along: float) -> Any:
    """By (x, y) in the image and by z along the beam, angstrom."""
    atoms.positions += np.array([*across, along])
    return atoms


def joined(parts: list[Any]) -> Any:
    """All atoms, those of an earlier part left out that are too near to a later one."""
    atoms = parts[0]
    for part in parts[1:]:
        atoms = atoms[apart(atoms.positions, part.positions, 10 * NEAREST_NM)] + part
    return atoms
