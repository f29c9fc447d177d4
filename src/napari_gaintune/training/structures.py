"""Random atomic models of small specimens, as a recipe asks for them.

x runs to the right in the image, y up, z along the beam. Each part is built about the origin and larger than the field;
the whole is tilted, turned in the image plane and cut to a square box. It does not repeat at the box's border: what is
imaged is cut out of its middle (``scenes.hrtem.MARGIN``). Our own numbers are in nm and degrees; ase counts in angstrom,
so the factor of ten stands where a number enters or leaves ase.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import require
from .crystals import CRYSTALS, ORIENTATIONS, unit_cell
from .parts import amorphous_film, block, crystal_slab, joined, moved, particle
from .shapes import random_rotation
from .specimen import Build, Specimen, SpecimenRecipe

CONTACT_NM = 0.23  # between a particle's lowest layer and its support


def random_specimen(rng: np.random.Generator, recipe: SpecimenRecipe) -> Specimen:
    """A random specimen of the recipe's kinds, crystals and shapes."""
    width_nm = float(np.exp(rng.uniform(*np.log(recipe.width_range_nm))))
    thickness_nm = float(rng.uniform(*recipe.thickness_range_nm))
    build = Build(rng, recipe, width_nm, 0.75 * width_nm, thickness_nm, {})
    kind = build.one_of(recipe.kinds)
    build.record |= {"kind": kind, "thickness_nm": thickness_nm}
    parts = BUILDERS[kind](build)
    if kind not in ("film", "sheet") and rng.random() < recipe.covered_share:
        front_nm = min(part.positions[:, 2].min() for part in parts) / 10
        parts.append(amorphous_film(build, front_nm, float(rng.uniform(0.5, 2.0))))
    return _assembled(build, parts)


def _supported(build: Build) -> list[Any]:
    """Particles on the edge of a support, seen in profile."""
    surface_nm = build.width_nm * build.rng.uniform(-0.3, 0.15)
    slab, orientation = _support(build, surface_nm)
    parts = [slab]
    for _ in range(1 + int(build.rng.random() < 0.25)):
        atoms = _random_particle(build, orientation)
        lift = 10 * (surface_nm + CONTACT_NM) - atoms.positions[:, 1].min()
        across = build.width_nm * build.rng.uniform(-3, 3)
        parts.append(moved(atoms, np.array([across, lift]), build.rng.uniform(-1, 1) * build.thickness_nm))
    return parts


def _plan_view(build: Build) -> list[Any]:
    """Particles on the upper face of a support that fills most of the field or all of it."""
    slab, orientation = _support(build, build.width_nm * build.rng.uniform(0.2, 1.0))
    parts = [slab]
    for _ in range(int(build.rng.integers(1, 4))):
        atoms = _random_particle(build, orientation)
        lift = 5 * build.thickness_nm + 10 * CONTACT_NM - atoms.positions[:, 2].min()
        parts.append(moved(atoms, build.width_nm * build.rng.uniform(-4, 4, 2), lift))
    return parts


def _bare_particles(build: Build) -> list[Any]:
    """One to three particles in the vacuum, or on a film that is put there later."""
    parts = []
    for _ in range(int(build.rng.integers(1, 4))):
        atoms = _random_particle(build, "")
        parts.append(moved(atoms, build.width_nm * build.rng.uniform(-3, 3, 2), 0.0))
    return parts


def _crystal(build: Build) -> list[Any]:
    """A bare crystal with an edge: perfect, with vacancies, with a pore, or with a boundary to another grain."""
    rng = build.rng
    name = build.one_of(build.recipe.crystals)
    slab = crystal_slab(build, name, build.orientation(name), build.width_nm * rng.uniform(-0.1, 1.0))
    defect = str(rng.choice(["none", "vacancies", "pore", "boundary"]))
    points = slab.positions
    if defect == "vacancies":
        slab = slab[rng.random(len(slab)) >= rng.uniform(0.01, 0.08)]
    elif defect == "pore":
        centre = 10 * build.width_nm * rng.uniform(-0.3, 0.3, 2)
        radius = 10 * build.width_nm * rng.uniform(0.05, 0.2)
        through = bool(rng.random() < 0.5)
        outside = np.hypot(*(points[:, :2] - centre).T) > radius
        slab = slab[outside if through else outside | (points[:, 2] < 0)]
    elif defect == "boundary":
        angle, offset = rng.uniform(0, np.pi), build.width_nm * rng.uniform(-2, 2)
        side = points[:, 0] * np.cos(angle) + points[:, 1] * np.sin(angle) - offset
        other = crystal_slab(build, name, build.orientation(name), build.width_nm)
        other.positions[:] = other.positions @ random_rotation(rng, float(rng.uniform(0, 360)), 1.0).T
        beyond = other.positions[:, 0] * np.cos(angle) + other.positions[:, 1] * np.sin(angle) > offset
        slab = joined([slab[side < 0], other[beyond]])
    build.record |= {"crystal": name, "defect": defect}
    return [slab]


def _sheet(build: Build) -> list[Any]:
    """One to four layers of a layered crystal, some torn, some with holes, some with a second one turned on it."""
    rng = build.rng
    name = build.one_of(build.recipe.sheets)
    layer_nm = CRYSTALS[name].c_nm / 2
    parts: list[Any] = []
    for index in range(1 + int(rng.random() < 0.3)):
        layers = int(rng.integers(1, 4))
        build.thickness_nm = layer_nm * layers
        edge_nm = build.width_nm * rng.uniform(-0.2, 1.0)
        cell = unit_cell(name, "[001], (120) surface")
        tiled = block(cell, (10 * build.reach_nm,) * 2 + (10 * layer_nm * layers,), rng, jitter=False)
        first = cell.positions[:, 2].min() - 10 * layer_nm / 2
        z = tiled.positions[:, 2] - tiled.positions[:, 2].min() + cell.positions[:, 2].min() - first
        sheet = tiled[(z < 10 * layer_nm * layers) & (tiled.positions[:, 1] < 10 * edge_nm)]
        for _ in range(int(rng.integers(0, 3))):
            centre, radius = 10 * build.width_nm * rng.uniform(-0.4, 0.4, 2), rng.uniform(1, 12)
            sheet = sheet[np.hypot(*(sheet.positions[:, :2] - centre).T) > radius]
        sheet = sheet[rng.random(len(sheet)) >= rng.uniform(0, 0.02)]
        sheet.positions[:] = sheet.positions @ random_rotation(rng, float(rng.uniform(0, 360)), 0.0).T
        sheet.positions[:, 2] += index * (10 * layer_nm + parts[0].positions[:, 2].max() if parts else 0.0)
        parts.append(sheet)
    build.record |= {"sheet": name, "sheets": len(parts)}
    return parts


def _film(build: Build) -> list[Any]:
    """An amorphous film by itself, sometimes with a particle on it."""
    parts = [amorphous_film(build, 0.0, float(build.rng.uniform(2.0, 6.0)))]
    if build.recipe.metals and build.rng.random() < 0.5:
        atoms = _random_particle(build, "")
        parts.append(moved(atoms, build.width_nm * build.rng.uniform(-3, 3, 2), 2 - atoms.positions[:, 2].min()))
    return parts


BUILDERS: dict[str, Callable[[Build], list[Any]]] = {
    "supported": _supported,
    "plan-view": _plan_view,
    "particle": _bare_particles,
    "crystal": _crystal,
    "sheet": _sheet,
    "film": _film,
}


def _support(build: Build, surface_nm: float) -> tuple[Any, str]:
    name = build.one_of(build.recipe.supports)
    orientation = build.orientation(name)
    build.record |= {"support": name, "support_orientation": orientation}
    return crystal_slab(build, name, orientation, surface_nm), orientation


def _random_particle(build: Build, orientation: str) -> Any:
    """Oriented as its support three times of four, where the two crystals have that orientation in common."""
    metal = build.one_of(build.recipe.metals)
    if orientation not in ORIENTATIONS[CRYSTALS[metal].system] or build.rng.random() < 0.25:
        orientation = build.orientation(metal)
    radius_nm = min(float(build.rng.uniform(0.12, 0.34)) * build.width_nm, 2.5)
    atoms, facts = particle(build, metal, orientation, radius_nm)
    build.record.setdefault("particles", []).append(facts)
    return atoms


def _assembled(build: Build, parts: list[Any]) -> Specimen:
    """Join the parts, let the atoms stand a little off their sites, tilt and turn them, and cut the square box."""
    rng, half = build.rng, 5 * build.width_nm
    atoms = joined(parts)
    points = atoms.positions + rng.normal(scale=rng.uniform(0.03, 0.09), size=(len(atoms), 3))
    tilt_deg = float(build.recipe.largest_tilt_deg * np.sqrt(rng.random()) * (rng.random() < 0.7))
    towards = float(rng.uniform(0, 2 * np.pi))
    # A tilt of a few degrees as a shear along the beam: columns lean as they would (what is left out is the
    # foreshortening, 1 - cos 4 deg = 0.24 %).
    lean = np.tan(np.deg2rad(tilt_deg)) * (points[:, 2] - points[:, 2].mean())
    points[:, :2] += np.outer(lean, [np.cos(towards), np.sin(towards)])
    turn_deg = float(rng.choice([0.0, 90.0, 180.0, rng.uniform(0, 360), rng.uniform(0, 360)]))
    points = points @ random_rotation(rng, turn_deg, 0.0).T
    inside = (np.abs(points[:, :2]) < half).all(axis=1)
    points, numbers = points[inside] + np.array([half, half, 0]), atoms.numbers[inside]
    if not len(points):
        points, numbers = np.array([[half, half, 0.0]]), np.array([6])
    points[:, 2] += 1.0 - points[:, 2].min()
    cell = [2 * half, 2 * half, points[:, 2].max() + 1.0]
    boxed = require("ase").Atoms(numbers, positions=points, cell=cell, pbc=True)
    record = build.record | {
        "tilt_deg": tilt_deg,
        "tilt_towards_rad": towards,
        "turn_deg": turn_deg,
        "atoms": len(boxed),
    }
    return Specimen(boxed, build.width_nm, record)
