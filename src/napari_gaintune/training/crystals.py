"""Crystals by name, and the orthogonal cells of them that a specimen is cut from.

Lattice constants and positions: Wyckoff, Crystal Structures (1963); zeolite frameworks: Baerlocher and McCusker, Database
of Zeolite Structures. Our own numbers are in nm; ase counts in angstrom, so the factor of ten stands where they meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import require

Direction = tuple[int, int, int]


@dataclass(frozen=True)
class Crystal:
    """``atoms`` maps fractional positions to symbols; ``c_nm`` is 0 for a cubic crystal."""

    group: int
    atoms: dict[tuple[float, float, float], str]
    a_nm: float
    c_nm: float = 0.0
    origin: int = 1  # the space group's origin choice

    @property
    def system(self) -> str:
        """Cubic, hexagonal (trigonal included, on hexagonal axes) or tetragonal."""
        return "cubic" if self.group >= 195 else "hexagonal" if self.group >= 143 else "tetragonal"


def _cubic(group: int, a_nm: float, **atoms: tuple[float, float, float]) -> Crystal:
    return Crystal(group, {place: symbol for symbol, place in atoms.items()}, a_nm)


_ORIGIN = (0.0, 0.0, 0.0)
_CENTRE = (0.5, 0.5, 0.5)
_HCP = (1 / 3, 2 / 3, 1 / 4)

CRYSTALS: dict[str, Crystal] = {
    # face-centred cubic metals
    "Pt": _cubic(225, 0.3924, Pt=_ORIGIN),
    "Pd": _cubic(225, 0.3891, Pd=_ORIGIN),
    "Ni": _cubic(225, 0.3524, Ni=_ORIGIN),
    "Au": _cubic(225, 0.4078, Au=_ORIGIN),
    # oxides that carry particles
    "CeO2": _cubic(225, 0.5411, Ce=_ORIGIN, O=(0.25, 0.25, 0.25)),
    "MgO": _cubic(225, 0.4212, Mg=_ORIGIN, O=_CENTRE),
    "TiO2": Crystal(136, {_ORIGIN: "Ti", (0.3053, 0.3053, 0): "O"}, 0.4594, 0.2959),  # rutile
    "anatase": Crystal(141, {_ORIGIN: "Ti", (0, 0, 0.2081): "O"}, 0.3785, 0.9514),
    # perovskites (their cubic forms), silicon, zeolite frameworks
    "SrTiO3": _cubic(221, 0.3905, Sr=_ORIGIN, Ti=_CENTRE, O=(0.5, 0.5, 0)),
    "BaTiO3": _cubic(221, 0.4006, Ba=_ORIGIN, Ti=_CENTRE, O=(0.5, 0.5, 0)),
    "LaAlO3": _cubic(221, 0.3790, La=_ORIGIN, Al=_CENTRE, O=(0.5, 0.5, 0)),
    "CsPbBr3": _cubic(221, 0.5874, Cs=_ORIGIN, Pb=_CENTRE, Br=(0.5, 0.5, 0)),
    "Si": _cubic(227, 0.5431, Si=_ORIGIN),
    "SOD": Crystal(229, {(0.25, 0.5, 0): "Si", (0.1487, 0.1487, 0.5): "O"}, 0.8965),
    "LTA": Crystal(
        221,
        {(0, 0.1823, 0.3684): "Si", (0, 0.2122, 0.5): "O", (0, 0.2967, 0.2967): "O", (0.1103, 0.1103, 0.3432): "O"},
        1.1919,
    ),
    # layered crystals
    "graphite": Crystal(194, {(0, 0, 1 / 4): "C", _HCP: "C"}, 0.2464, 0.6711),
    "MoS2": Crystal(194, {_HCP: "Mo", (1 / 3, 2 / 3, 0.621): "S"}, 0.3161, 1.2295),
    "WSe2": Crystal(194, {_HCP: "W", (1 / 3, 2 / 3, 0.621): "Se"}, 0.3286, 1.2976),
    # other structures: for validation, in no training recipe
    "Fe": _cubic(229, 0.2866, Fe=_ORIGIN),
    "W": _cubic(229, 0.3165, W=_ORIGIN),
    "Co": Crystal(194, {_HCP: "Co"}, 0.2507, 0.4069),
    "Ru": Crystal(194, {_HCP: "Ru"}, 0.2706, 0.4282),
    "ZnO": Crystal(186, {(1 / 3, 2 / 3, 0): "Zn", (1 / 3, 2 / 3, 0.3819): "O"}, 0.3250, 0.5207),
    "GaN": Crystal(186, {(1 / 3, 2 / 3, 0): "Ga", (1 / 3, 2 / 3, 0.3770): "N"}, 0.3189, 0.5185),
    "Al2O3": Crystal(167, {(0, 0, 0.35216): "Al", (0.30624, 0, 0.25): "O"}, 0.4759, 1.2993),
    "Fe3O4": Crystal(
        227, {(1 / 8, 1 / 8, 1 / 8): "Fe", _CENTRE: "Fe", (0.2549, 0.2549, 0.2549): "O"}, 0.8396, origin=2
    ),
}

# lattice directions along x, y (the surface normal) and z (the beam); right-handed and orthogonal in their system
ORIENTATIONS: dict[str, dict[str, tuple[Direction, Direction, Direction]]] = {
    "cubic": {
        "[1-10], (111) surface": ((1, 1, -2), (1, 1, 1), (1, -1, 0)),
        "[1-10], (001) surface": ((1, 1, 0), (0, 0, 1), (1, -1, 0)),
        "[-110], (110) surface": ((0, 0, 1), (1, 1, 0), (-1, 1, 0)),
        "[001], (010) surface": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "[-1-12], (111) surface": ((1, -1, 0), (1, 1, 1), (-1, -1, 2)),
        "[111], (-1-12) surface": ((1, -1, 0), (1, 1, -2), (1, 1, 1)),
    },
    "tetragonal": {
        "[001], (010) surface": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "[100], (001) surface": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
        "[001], (-110) surface": ((1, 1, 0), (-1, 1, 0), (0, 0, 1)),
        "[1-10], (110) surface": ((0, 0, 1), (1, 1, 0), (-1, 1, 0)),
    },
    "hexagonal": {
        "[001], (120) surface": ((1, 0, 0), (1, 2, 0), (0, 0, 1)),
        "[100], (001) surface": ((1, 2, 0), (0, 0, 1), (1, 0, 0)),
        "[120], (100) surface": ((0, 0, 1), (1, 0, 0), (1, 2, 0)),
    },
}


def unit_cell(crystal: str, orientation: str) -> Any:
    """The smallest orthogonal periodic cell (``ase.Atoms``) of ``crystal`` with its axes along ``orientation``."""
    kind = CRYSTALS[crystal]
    c_nm = kind.c_nm or kind.a_nm
    gamma = 120 if kind.system == "hexagonal" else 90
    lattice = require("ase.spacegroup").crystal(
        list(kind.atoms.values()),
        list(kind.atoms),
        spacegroup=kind.group,
        cellpar=[10 * kind.a_nm, 10 * kind.a_nm, 10 * c_nm, 90, 90, gamma],
        setting=kind.origin,
    )
    centring = require("ase.spacegroup").Spacegroup(kind.group, setting=kind.origin).symbol[0]
    vectors = [_shortest(direction, centring) for direction in ORIENTATIONS[kind.system][orientation]]
    cell = require("ase.build").cut(lattice, *vectors)
    # An atom on a face comes out at 0 or at 1 - 1e-16 as the processor rounds; rounded, it is at 0 on all of them.
    scaled = np.round(cell.get_scaled_positions(wrap=False), 9) % 1
    return require("ase").Atoms(cell.symbols, scaled_positions=scaled, cell=cell.cell.lengths(), pbc=True)


def axes_of(crystal: str, orientation: str) -> npt.NDArray[np.float64]:
    """(3, 3): turns a Cartesian direction of the crystal's own cell into laboratory directions."""
    kind = CRYSTALS[crystal]
    stretch = np.array([1, 1, (kind.c_nm or kind.a_nm) / kind.a_nm])
    rows = []
    for direction in ORIENTATIONS[kind.system][orientation]:
        u, v, w = direction
        place = (
            np.array([u - v / 2, v * np.sqrt(3) / 2, w]) if kind.system == "hexagonal" else np.array([u, v, w], float)
        )
        rows.append(place * stretch / np.linalg.norm(place * stretch))
    return np.array(rows)


def _shortest(direction: Direction, centring: str) -> npt.NDArray[np.float64]:
    """The shortest lattice vector along ``direction``: half of it where the centring has a point there."""
    halved = (centring == "F" and sum(direction) % 2 == 0) or (centring == "I" and all(i % 2 for i in direction))
    return np.array(direction) / (2 if halved else 1)
