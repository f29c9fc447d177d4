"""Random atomic models of small specimens: a metal particle on an oxide, a bare particle, a bare crystal.

Every model is an orthogonal, periodic box with a square base: x runs to the right in the image, y up, z along the beam.
Our own numbers are in nm and degrees; ase counts in angstrom, so the factor of ten stands where a number enters or
leaves ase. Lattice constants: Wyckoff, Crystal Structures (1963).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import require
from .shapes import apart, polyhedron, random_rotation, remove_surface_atoms, scattered_points, twinned

Positions = npt.NDArray[np.float64]
Kind = Literal["supported", "plan-view", "particle", "crystal"]

# symbols, fractional positions, space group, cubic lattice constant in nm
CRYSTALS: dict[str, tuple[tuple[str, ...], tuple[tuple[float, float, float], ...], int, float]] = {
    "Pt": (("Pt",), ((0, 0, 0),), 225, 0.3924),
    "Pd": (("Pd",), ((0, 0, 0),), 225, 0.3891),
    "Ni": (("Ni",), ((0, 0, 0),), 225, 0.3524),
    "Au": (("Au",), ((0, 0, 0),), 225, 0.4078),
    "CeO2": (("Ce", "O"), ((0, 0, 0), (0.25, 0.25, 0.25)), 225, 0.5411),
    "ZrO2": (("Zr", "O"), ((0, 0, 0), (0.25, 0.25, 0.25)), 225, 0.5120),
    "MgO": (("Mg", "O"), ((0, 0, 0), (0.5, 0.5, 0.5)), 225, 0.4212),
    "SrTiO3": (("Sr", "Ti", "O"), ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)), 221, 0.3905),
    "Si": (("Si",), ((0, 0, 0),), 227, 0.5431),
}
# The training set holds neither gold nor magnesia: the bundled example, Au on MgO, stays a kind never trained on.
TRAINING_METALS = ("Pt", "Pd", "Ni")
TRAINING_OXIDES = ("CeO2", "ZrO2", "SrTiO3")
TRAINING_CRYSTALS = ("CeO2", "ZrO2", "SrTiO3", "Si", "Pt")

# lattice directions along x, y (the surface normal) and z (the beam); right-handed
ORIENTATIONS: dict[str, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    "[1-10], (111) surface": ((1, 1, -2), (1, 1, 1), (1, -1, 0)),
    "[1-10], (001) surface": ((1, 1, 0), (0, 0, 1), (1, -1, 0)),
    "[-110], (110) surface": ((0, 0, 1), (1, 1, 0), (-1, 1, 0)),
    "[001], (010) surface": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "[-1-12], (111) surface": ((1, -1, 0), (1, 1, 1), (-1, -1, 2)),
}


@dataclass(frozen=True)
class Specimen:
    """An atomic model (``ase.Atoms``, angstrom) and what it was made from, for the image's record."""

    atoms: Any
    width_nm: float
    record: dict[str, Any] = field(default_factory=dict)


def unit_cell(crystal: str, orientation: str) -> Any:
    """The smallest orthogonal periodic cell (``ase.Atoms``) of ``crystal`` with its axes along ``orientation``."""
    symbols, basis, group, lattice_nm = CRYSTALS[crystal]
    cellpar = [10 * lattice_nm] * 3 + [90] * 3
    cubic = require("ase.spacegroup").crystal(symbols, basis, spacegroup=group, cellpar=cellpar)
    vectors = [_shortest(direction, face_centred=group != 221) for direction in ORIENTATIONS[orientation]]
    cell = require("ase.build").cut(cubic, *vectors)
    lengths = cell.cell.lengths()
    scaled = cell.get_scaled_positions(wrap=True)
    return require("ase").Atoms(cell.symbols, scaled_positions=scaled, cell=lengths, pbc=True)


def _shortest(direction: tuple[int, int, int], face_centred: bool) -> npt.NDArray[np.float64]:
    """The shortest lattice vector along ``direction``: face centring halves it where the three indices sum to even."""
    return np.array(direction) / (2 if face_centred and sum(direction) % 2 == 0 else 1)


def random_specimen(rng: np.random.Generator, width_range_nm: tuple[float, float] = (2.4, 6.1)) -> Specimen:
    """A random training specimen; the kinds and materials are those named at the top of this module."""
    kind: Kind = rng.choice(["supported", "plan-view", "particle", "crystal"], p=[0.66, 0.1, 0.12, 0.12])
    width_nm = float(rng.uniform(*width_range_nm))
    metal = str(rng.choice(TRAINING_METALS, p=[0.6, 0.25, 0.15]))
    oxide = str(rng.choice(TRAINING_OXIDES, p=[0.6, 0.2, 0.2]))
    if kind == "crystal":
        oxide = str(rng.choice(TRAINING_CRYSTALS))
    return build_specimen(rng, kind, metal, oxide, width_nm)


def build_specimen(rng: np.random.Generator, kind: Kind, metal: str, oxide: str, width_nm: float) -> Specimen:
    """A specimen in a square box about ``width_nm`` wide, its slab 2-6 nm thick, tilted by up to 4 degrees.

    The width is rounded to whole periods of the slab, so that the box repeats without a seam.
    """
    orientation = str(rng.choice(list(ORIENTATIONS), p=[0.35, 0.2, 0.15, 0.15, 0.15]))
    record: dict[str, Any] = {"kind": kind, "orientation": orientation}
    thickness_nm = float(rng.uniform(2.0, 6.0))
    parts = []
    if kind != "particle":
        height = rng.uniform(0.7, 0.85) if kind in ("plan-view", "crystal") else rng.uniform(0.25, 0.6)
        slab, width_nm, surface_nm = oxide_slab(rng, oxide, orientation, width_nm, height, thickness_nm)
        record |= {"support": oxide, "thickness_nm": thickness_nm, "surface_nm": surface_nm}
        parts.append(slab)
    if kind != "crystal":
        surface = None if kind == "particle" else surface_nm
        for _ in range(1 + int(rng.random() < 0.15)):
            parts.append(_placed_particle(rng, kind, metal, orientation, width_nm, surface, thickness_nm, record))
    if rng.random() < 0.2:
        front_nm = min(part.positions[:, 2].min() for part in parts) / 10
        parts.append(amorphous_carbon(rng, width_nm, front_nm, record))
    return _assembled(rng, parts, width_nm, record)


def oxide_slab(
    rng: np.random.Generator, oxide: str, orientation: str, width_nm: float, height: float, thickness_nm: float
) -> tuple[Any, float, float]:
    """A slab whose surface faces up, ``height`` of the width high, thinner towards the surface, rough by a few atoms.

    Returns (atoms, width_nm rounded to whole periods, height of the surface in nm); centred on z = 0.
    """
    cell = unit_cell(oxide, orientation)
    lengths = cell.cell.lengths()
    columns = max(2, round(10 * width_nm / lengths[0]))
    width = columns * lengths[0]
    top = height * width
    rows = int(np.ceil(top / lengths[1])) + 2
    layers = int(np.ceil(10 * thickness_nm / lengths[2])) + 1
    slab = cell.repeat((columns, rows, layers))
    x, y, z = (slab.positions + rng.uniform(0, 0.02, 3)).T
    z = z - z.mean()
    # one terrace: over a part of the width the surface stands a few tenths of a nm higher
    on_terrace = np.mod(x / width - rng.random(), 1.0) < rng.uniform(0.2, 0.8)
    terrace = on_terrace * rng.choice([0.0, 0.25, 0.5]) * lengths[1]
    local_half_thickness = 5 * thickness_nm * (1 - rng.uniform(0, 0.6) * np.clip(y / top, 0, 1))
    inside = (y < top + terrace) & (np.abs(z) < local_half_thickness)
    slab.positions[:] = np.stack([x, y, z], axis=1)
    slab = slab[inside]
    keep = remove_surface_atoms(rng, top + terrace[inside] - slab.positions[:, 1], depth=2.0, share=rng.uniform(0, 0.3))
    return slab[keep], width / 10, top / 10


def metal_particle(
    rng: np.random.Generator, metal: str, orientation: str, radius_nm: float
) -> tuple[Any, dict[str, Any]]:
    """A faceted particle centred on the origin, flat below (its base), in one time of three with a twin plane."""
    cell = unit_cell(metal, orientation)
    lengths = cell.cell.lengths()
    repeats = [int(np.ceil(28 * radius_nm / length)) for length in lengths]
    points = cell.repeat(repeats).positions - np.array(repeats) * lengths / 2
    points -= points[np.argmin(np.sum(points**2, axis=1))]  # an atom at the origin: the twin plane runs through it
    axes = np.array([np.array(v) / np.linalg.norm(v) for v in ORIENTATIONS[orientation]])
    is_twinned = bool(rng.random() < 0.33)
    if is_twinned:
        offset = rng.uniform(-0.3, 0.3) * 10 * radius_nm
        points = twinned(points, axes @ np.array([1, 1, 1]) / np.sqrt(3), offset)
    points = points[polyhedron(rng, points, axes, 10 * radius_nm)]
    turn = random_rotation(rng, in_plane_deg=float(rng.choice([0, 0, rng.uniform(-15, 15)])), out_of_plane_deg=2.0)
    points = points @ turn.T
    base = -10 * radius_nm * rng.uniform(0.2, 0.8)
    points = points[points[:, 1] > base]
    distance = np.linalg.norm(points, axis=1)
    keep = remove_surface_atoms(rng, distance.max() - distance, depth=2.5, share=rng.uniform(0, 0.4))
    atoms = require("ase").Atoms(metal * int(keep.sum()), positions=points[keep])
    return atoms, {"metal": metal, "radius_nm": radius_nm, "twinned": is_twinned, "atoms": int(keep.sum())}


def _placed_particle(
    rng: np.random.Generator,
    kind: Kind,
    metal: str,
    orientation: str,
    width_nm: float,
    surface_nm: float | None,
    thickness_nm: float,
    record: dict[str, Any],
) -> Any:
    own = orientation if rng.random() < 0.75 else str(rng.choice(list(ORIENTATIONS)))
    atoms, facts = metal_particle(rng, metal, own, float(rng.uniform(0.18, 0.34)) * width_nm)
    record.setdefault("particles", []).append(facts | {"orientation": own})
    points = atoms.positions
    contact = 2.3  # angstrom between the particle's lowest layer and the oxide's topmost
    points[:, 0] += 10 * width_nm * rng.uniform(0.3, 0.7)
    if surface_nm is None:
        points[:, 1] += 10 * width_nm * rng.uniform(0.4, 0.6)
    elif kind == "plan-view":
        points[:, 1] += 10 * surface_nm * rng.uniform(0.3, 0.9)
        points[:, 2] += 5 * thickness_nm + contact - points[:, 2].min()
    else:
        points[:, 1] += 10 * surface_nm + contact - points[:, 1].min()
        points[:, 2] += rng.uniform(-1, 1) * thickness_nm
    return atoms


def amorphous_carbon(rng: np.random.Generator, width_nm: float, front_nm: float, record: dict[str, Any]) -> Any:
    """A film of carbon over all or a part of the field, 0.5-2 nm, 1.8 g/cm3, no two atoms nearer than 0.13 nm."""
    film_nm, reach = float(rng.uniform(0.5, 2.0)), float(rng.choice([1.0, rng.uniform(0.4, 0.9)]))
    box = 10 * np.array([width_nm, reach * width_nm, film_nm])
    points = scattered_points(rng, box, count=int(0.090 * box.prod()), nearest=1.3)
    points[:, 2] += 10 * front_nm - box[2] - rng.uniform(1.5, 3.0)  # the beam meets the film first
    record["carbon_nm"], record["carbon_reach"] = film_nm, reach
    return require("ase").Atoms("C" * len(points), positions=points)


def _assembled(rng: np.random.Generator, parts: list[Any], width_nm: float, record: dict[str, Any]) -> Specimen:
    """Join the parts, tilt them, let the atoms stand a little off their sites, and put them into the box."""
    atoms = parts[0].copy()
    for part in parts[1:]:
        atoms = atoms[apart(atoms.positions, part.positions, 10 * width_nm, nearest=1.9)] + part
    points = atoms.positions + rng.normal(scale=rng.uniform(0.03, 0.09), size=(len(atoms), 3))
    tilt_deg = float(4 * np.sqrt(rng.random()) * (rng.random() < 0.7))
    towards = float(rng.uniform(0, 2 * np.pi))
    # A tilt of a few degrees as a shear along the beam: columns lean as they would, and the box still repeats exactly
    # (what is left out is the foreshortening, 1 - cos 4 deg = 0.24 %).
    lean = np.tan(np.deg2rad(tilt_deg)) * (points[:, 2] - points[:, 2].mean())
    points[:, 0] += lean * np.cos(towards)
    points[:, 1] += lean * np.sin(towards)
    inside = (points[:, 1] >= 0) & (points[:, 1] < 10 * width_nm)
    atoms = atoms[inside]
    points = points[inside]
    points[:, 2] += 1.0 - points[:, 2].min()
    side = 10 * width_nm
    boxed = require("ase").Atoms(atoms.numbers, positions=points, cell=[side, side, points[:, 2].max() + 1.0], pbc=True)
    boxed.wrap()
    record |= {"tilt_deg": tilt_deg, "tilt_towards_rad": towards, "atoms": len(boxed)}
    return Specimen(atoms=boxed, width_nm=width_nm, record=record)
