"""Random atomic models of small specimens, as a recipe asks for them.

x runs to the right in the image, y up, z along the beam. Each part is built about the origin and larger than the field;
the whole is tilted, turned in the image plane and cut to a square box. It does not repeat at the box's border: what is
imaged is cut out of its middle (``hrtem.MARGIN``). Our own numbers are in nm and degrees; ase counts in angstrom, so the
factor of ten stands where a number enters or leaves ase.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from . import require
from .crystals import CRYSTALS, ORIENTATIONS, axes_of, unit_cell
from .shapes import SHAPES, apart, random_rotation, rough, scattered_points, twinned

Positions = npt.NDArray[np.float64]
Kind = Literal["supported", "plan-view", "particle", "crystal", "sheet", "film"]
Shares = dict[str, float]

CONTACT_NM = 0.23  # between a particle's lowest layer and its support
NEAREST_NM = 0.19  # no atom of one part is nearer to an atom of another
ATOMS_PER_NM3 = {"C": 90.0, "Si": 50.0, "Ge": 44.0}  # amorphous: carbon of 1.8 g/cm3, silicon, germanium


class SpecimenRecipe(BaseModel):
    """What specimens are drawn from: names of kinds, crystals and shapes, each with its share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[Kind, float]
    metals: Shares = Field(default_factory=dict, description="of particles")
    supports: Shares = Field(default_factory=dict)
    crystals: Shares = Field(default_factory=dict, description="bare ones")
    sheets: Shares = Field(default_factory=dict, description="layered crystals, seen along their c axis")
    amorphous: Shares = Field(default={"C": 1.0}, description="elements of amorphous films")
    shapes: Shares = Field(default={"polyhedron": 1.0}, description="of particles")
    width_range_nm: tuple[float, float] = (2.5, 12.0)
    thickness_range_nm: tuple[float, float] = (2.0, 10.0)
    largest_tilt_deg: float = 4.0
    covered_share: float = Field(default=0.2, description="of specimens that have an amorphous film on them")


@dataclass(frozen=True)
class Specimen:
    """An atomic model (``ase.Atoms``, angstrom) in a square box, and what it was made from, for the image's record."""

    atoms: Any
    width_nm: float
    record: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Build:
    """What the builders of one specimen share; ``width_nm`` is the box's, ``reach_nm`` how far each part has to reach."""

    rng: np.random.Generator
    recipe: SpecimenRecipe
    width_nm: float
    reach_nm: float
    thickness_nm: float
    record: dict[str, Any]

    def one_of(self, shares: Mapping[Any, float]) -> str:
        names = list(shares)
        weights = np.array([shares[name] for name in names], dtype=float)
        return str(names[self.rng.choice(len(names), p=weights / weights.sum())])

    def orientation(self, crystal: str) -> str:
        return str(self.rng.choice(list(ORIENTATIONS[CRYSTALS[crystal].system])))


def random_specimen(rng: np.random.Generator, recipe: SpecimenRecipe) -> Specimen:
    """A random specimen of the recipe's kinds, crystals and shapes."""
    width_nm = float(np.exp(rng.uniform(*np.log(recipe.width_range_nm))))
    thickness_nm = float(rng.uniform(*recipe.thickness_range_nm))
    build = _Build(rng, recipe, width_nm, 0.75 * width_nm, thickness_nm, {})
    kind = build.one_of(recipe.kinds)
    build.record |= {"kind": kind, "thickness_nm": thickness_nm}
    parts = BUILDERS[kind](build)
    if kind not in ("film", "sheet") and rng.random() < recipe.covered_share:
        front_nm = min(part.positions[:, 2].min() for part in parts) / 10
        parts.append(amorphous_film(build, front_nm, float(rng.uniform(0.5, 2.0))))
    return _assembled(build, parts)


def crystal_slab(build: _Build, crystal: str, orientation: str, surface_nm: float, surface: str = "rough") -> Any:
    """A slab of the specimen's thickness that fills the field below ``surface_nm``, thinner towards that edge.

    ``surface`` "rough": a terrace over a part of its length, atoms missing and added; "flat": cut and no more.
    """
    rng, reach = build.rng, 10 * build.reach_nm
    top = 10 * surface_nm
    slab = _block(unit_cell(crystal, orientation), (reach, reach, 5 * build.thickness_nm), rng)
    x, y, z = slab.positions.T
    terrace = np.zeros(len(x))
    if surface == "rough":
        on_terrace = np.mod(x / (2 * reach) - rng.random(), 1.0) < rng.uniform(0.2, 0.8)
        terrace = on_terrace * rng.choice([0.0, 0.25, 0.5]) * unit_cell(crystal, orientation).cell.lengths()[1]
    below_edge = np.clip((top - y) / (top + reach), 0, 1)
    half_thickness = 5 * build.thickness_nm * (1 - rng.uniform(0, 0.6) * (1 - below_edge))
    depth = np.minimum(top + terrace - y, half_thickness - np.abs(z))
    shares = (rng.uniform(0, 0.3), rng.uniform(0, 0.1)) if surface == "rough" else (0.0, 0.0)
    return slab[rough(rng, depth, *shares)]


def particle(build: _Build, metal: str, orientation: str, radius_nm: float) -> tuple[Any, dict[str, Any]]:
    """A particle about the origin, flat below (its base); fcc ones in one time of three with a twin plane."""
    rng = build.rng
    points = _block(unit_cell(metal, orientation), (14 * radius_nm,) * 3, rng).positions
    points -= points[np.argmin(np.sum(points**2, axis=1))]  # an atom at the origin: the twin plane runs through it
    axes = axes_of(metal, orientation)
    shape = build.one_of(build.recipe.shapes)
    is_twinned = bool(CRYSTALS[metal].group == 225 and rng.random() < 0.33)
    if is_twinned:
        points = twinned(points, axes @ np.array([1, 1, 1]) / np.sqrt(3), rng.uniform(-0.3, 0.3) * 10 * radius_nm)
    depth = SHAPES[shape](rng, points, axes, 10 * radius_nm)
    turn = random_rotation(rng, in_plane_deg=float(rng.choice([0, 0, rng.uniform(-15, 15)])), out_of_plane_deg=2.0)
    if rng.random() < 0.2:
        turn = random_rotation(rng, float(rng.uniform(0, 360)), 45.0)  # along no zone axis
    points = points @ turn.T
    depth = np.minimum(depth, points[:, 1] + 10 * radius_nm * rng.uniform(0.2, 0.9))
    keep = rough(rng, depth, missing=rng.uniform(0, 0.4), added=rng.uniform(0, 0.15))
    atoms = require("ase").Atoms(metal * int(keep.sum()), positions=points[keep])
    facts = {"metal": metal, "shape": shape, "radius_nm": radius_nm, "twinned": is_twinned, "orientation": orientation}
    return atoms, facts


def amorphous_film(build: _Build, front_nm: float, film_nm: float) -> Any:
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


def _supported(build: _Build) -> list[Any]:
    """Particles on the edge of a support, seen in profile."""
    surface_nm = build.width_nm * build.rng.uniform(-0.3, 0.15)
    slab, orientation = _support(build, surface_nm)
    parts = [slab]
    for _ in range(1 + int(build.rng.random() < 0.25)):
        atoms = _random_particle(build, orientation)
        lift = 10 * (surface_nm + CONTACT_NM) - atoms.positions[:, 1].min()
        across = build.width_nm * build.rng.uniform(-3, 3)
        parts.append(_moved(atoms, np.array([across, lift]), build.rng.uniform(-1, 1) * build.thickness_nm))
    return parts


def _plan_view(build: _Build) -> list[Any]:
    """Particles on the upper face of a support that fills most of the field or all of it."""
    slab, orientation = _support(build, build.width_nm * build.rng.uniform(0.2, 1.0))
    parts = [slab]
    for _ in range(int(build.rng.integers(1, 4))):
        atoms = _random_particle(build, orientation)
        lift = 5 * build.thickness_nm + 10 * CONTACT_NM - atoms.positions[:, 2].min()
        parts.append(_moved(atoms, build.width_nm * build.rng.uniform(-4, 4, 2), lift))
    return parts


def _bare_particles(build: _Build) -> list[Any]:
    """One to three particles in the vacuum, or on a film that is put there later."""
    parts = []
    for _ in range(int(build.rng.integers(1, 4))):
        atoms = _random_particle(build, "")
        parts.append(_moved(atoms, build.width_nm * build.rng.uniform(-3, 3, 2), 0.0))
    return parts


def _crystal(build: _Build) -> list[Any]:
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
        slab = _joined([slab[side < 0], other[beyond]])
    build.record |= {"crystal": name, "defect": defect}
    return [slab]


def _sheet(build: _Build) -> list[Any]:
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
        block = _block(cell, (10 * build.reach_nm,) * 2 + (10 * layer_nm * layers,), rng, jitter=False)
        first = cell.positions[:, 2].min() - 10 * layer_nm / 2
        z = block.positions[:, 2] - block.positions[:, 2].min() + cell.positions[:, 2].min() - first
        sheet = block[(z < 10 * layer_nm * layers) & (block.positions[:, 1] < 10 * edge_nm)]
        for _ in range(int(rng.integers(0, 3))):
            centre, radius = 10 * build.width_nm * rng.uniform(-0.4, 0.4, 2), rng.uniform(1, 12)
            sheet = sheet[np.hypot(*(sheet.positions[:, :2] - centre).T) > radius]
        sheet = sheet[rng.random(len(sheet)) >= rng.uniform(0, 0.02)]
        sheet.positions[:] = sheet.positions @ random_rotation(rng, float(rng.uniform(0, 360)), 0.0).T
        sheet.positions[:, 2] += index * (10 * layer_nm + parts[0].positions[:, 2].max() if parts else 0.0)
        parts.append(sheet)
    build.record |= {"sheet": name, "sheets": len(parts)}
    return parts


def _film(build: _Build) -> list[Any]:
    """An amorphous film by itself, sometimes with a particle on it."""
    parts = [amorphous_film(build, 0.0, float(build.rng.uniform(2.0, 6.0)))]
    if build.recipe.metals and build.rng.random() < 0.5:
        atoms = _random_particle(build, "")
        parts.append(_moved(atoms, build.width_nm * build.rng.uniform(-3, 3, 2), 2 - atoms.positions[:, 2].min()))
    return parts


BUILDERS: dict[str, Callable[[_Build], list[Any]]] = {
    "supported": _supported,
    "plan-view": _plan_view,
    "particle": _bare_particles,
    "crystal": _crystal,
    "sheet": _sheet,
    "film": _film,
}


def _support(build: _Build, surface_nm: float) -> tuple[Any, str]:
    name = build.one_of(build.recipe.supports)
    orientation = build.orientation(name)
    build.record |= {"support": name, "support_orientation": orientation}
    return crystal_slab(build, name, orientation, surface_nm), orientation


def _random_particle(build: _Build, orientation: str) -> Any:
    """Oriented as its support three times of four, where the two crystals have that orientation in common."""
    metal = build.one_of(build.recipe.metals)
    if orientation not in ORIENTATIONS[CRYSTALS[metal].system] or build.rng.random() < 0.25:
        orientation = build.orientation(metal)
    radius_nm = min(float(build.rng.uniform(0.12, 0.34)) * build.width_nm, 2.5)
    atoms, facts = particle(build, metal, orientation, radius_nm)
    build.record.setdefault("particles", []).append(facts)
    return atoms


def _block(cell: Any, half: tuple[float, ...], rng: np.random.Generator, jitter: bool = True) -> Any:
    """Repeats of ``cell`` that cover at least +-``half`` angstrom about the origin, which falls anywhere in a cell."""
    lengths = cell.cell.lengths()
    repeats = [2 * int(np.ceil(h / length)) + 1 for h, length in zip(half, lengths, strict=True)]
    block = cell.repeat(repeats)
    block.positions -= np.array(repeats) * lengths / 2 + (rng.uniform(-0.5, 0.5, 3) * lengths if jitter else 0)
    return block


def _moved(atoms: Any, across: npt.NDArray[np.float64], along: float) -> Any:
    """By (x, y) in the image and by z along the beam, angstrom."""
    atoms.positions += np.array([*across, along])
    return atoms


def _joined(parts: list[Any]) -> Any:
    """All atoms, those of an earlier part left out that are too near to a later one."""
    atoms = parts[0]
    for part in parts[1:]:
        atoms = atoms[apart(atoms.positions, part.positions, 10 * NEAREST_NM)] + part
    return atoms


def _assembled(build: _Build, parts: list[Any]) -> Specimen:
    """Join the parts, let the atoms stand a little off their sites, tilt and turn them, and cut the square box."""
    rng, half = build.rng, 5 * build.width_nm
    atoms = _joined(parts)
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
