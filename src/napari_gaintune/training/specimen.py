"""What specimens are drawn from, and what one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .crystals import CRYSTALS, ORIENTATIONS

Kind = Literal["supported", "plan-view", "particle", "crystal", "sheet", "film"]
Shares = dict[str, float]


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
    column_defect_share: float = Field(default=0.0, description="of crystals with whole atom columns missing or added")


@dataclass(frozen=True)
class Specimen:
    """An atomic model (``ase.Atoms``, angstrom) in a square box, and what it was made from, for the image's record."""

    atoms: Any
    width_nm: float
    record: dict[str, Any] = field(default_factory=dict)


@dataclass
class Build:
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
