"""What specimens are drawn from, and what one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from .crystals import CRYSTALS, ORIENTATIONS
from .shapes import SHAPES

Kind = Literal["supported", "plan-view", "particle", "crystal", "sheet", "film"]
PARTICLE = ("metals", "shapes")
NEEDED: dict[Kind, tuple[str, ...]] = {
    "supported": ("supports", *PARTICLE),
    "plan-view": ("supports", *PARTICLE),
    "particle": PARTICLE,
    "crystal": ("crystals",),
    "sheet": ("sheets",),
    "film": ("amorphous",),
}


def above_zero(limits: tuple[float, float]) -> tuple[float, float]:
    """A range to draw from, also by its logarithm."""
    low, high = limits
    if not 0 < low <= high < float("inf"):
        raise ValueError(f"{low:g} to {high:g}: give two values above 0, the lower one first")
    return limits


def that_weigh(shares: dict[str, float]) -> dict[str, float]:
    """Shares to draw by: none negative, and where there are any, not all of them 0."""
    if shares and not (min(shares.values()) >= 0 and 0 < sum(shares.values()) < float("inf")):
        raise ValueError(f"shares {shares}: give 0 or more to each, and more than 0 to one")
    return shares


def of_crystals(shares: dict[str, float]) -> dict[str, float]:
    """Shares of structures that there are."""
    if unknown := [name for name in shares if name not in CRYSTALS]:
        raise ValueError(f"{', '.join(unknown)}: no such crystal; choose from {', '.join(CRYSTALS)}")
    return that_weigh(shares)


def of_shapes(shares: dict[str, float]) -> dict[str, float]:
    """Shares of shapes that there are."""
    if unknown := [name for name in shares if name not in SHAPES]:
        raise ValueError(f"{', '.join(unknown)}: no such shape; choose from {', '.join(SHAPES)}")
    return that_weigh(shares)


Shares = Annotated[dict[str, float], AfterValidator(that_weigh)]
CrystalShares = Annotated[dict[str, float], AfterValidator(of_crystals)]
RangeAboveZero = Annotated[tuple[float, float], AfterValidator(above_zero)]


class SpecimenRecipe(BaseModel):
    """What specimens are drawn from: names of kinds, crystals and shapes, each with its share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: Annotated[dict[Kind, float], Field(min_length=1), AfterValidator(that_weigh)]
    metals: CrystalShares = Field(default_factory=dict, description="of particles")
    supports: CrystalShares = Field(default_factory=dict)
    crystals: CrystalShares = Field(default_factory=dict, description="bare ones")
    sheets: CrystalShares = Field(default_factory=dict, description="layered crystals, seen along their c axis")
    amorphous: Shares = Field(default={"C": 1.0}, description="elements of amorphous films")
    shapes: Annotated[dict[str, float], AfterValidator(of_shapes)] = Field(
        default={"polyhedron": 1.0}, description="of particles"
    )
    width_range_nm: RangeAboveZero = (2.5, 12.0)
    thickness_range_nm: RangeAboveZero = (2.0, 10.0)
    largest_tilt_deg: float = Field(default=4.0, ge=0, le=90)
    covered_share: float = Field(
        default=0.2, ge=0, le=1, description="of specimens that have an amorphous film on them"
    )
    column_defect_share: float = Field(
        default=0.0, ge=0, le=1, description="of crystals with whole atom columns missing or added"
    )

    @model_validator(mode="after")
    def _kinds_have_what_they_are_made_of(self) -> Self:
        for kind in self.kinds:
            for part in NEEDED[kind]:
                if not getattr(self, part):
                    raise ValueError(f"{kind} specimens are made of {part}, and none are given; name some, with shares")
        return self


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
