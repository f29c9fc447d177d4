"""A training recipe: everything that decides a network's weights, in one small YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import SettingError
from . import require

RECIPES_FOLDER = Path(__file__).parent / "recipes"


class Recipe(BaseModel):
    """Supervised training of one network on simulated clean images and fresh Poisson noise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    architecture: str
    options: dict[str, int | bool] = Field(default_factory=dict)
    dose_range_e_per_px: tuple[float, float] = Field((0.2, 2.0), description="vacuum dose, log-uniform")
    emphasis_dose_e_per_px: float = Field(0.45, gt=0, description="dose around which a share of the crops is drawn")
    emphasis_share: float = Field(0.5, ge=0, le=1)
    binned_share: float = Field(0.2, ge=0, le=1, description="share of crops binned 2 x 2: twice the pixel size")
    crop_px: int = Field(128, ge=16, le=256, description="side of a crop, in px")
    batch: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=0.1)
    warm_up_steps: int = Field(100, ge=0)
    steps: int = Field(2000, ge=1)
    largest_gradient_norm: float = Field(1.0, gt=0)
    average_decay: float = Field(0.995, ge=0, lt=1, description="of the average of the weights, which is kept")
    direct_start: bool = Field(False, description="start a DnCNN as a net that predicts the image, not the noise")
    precision: str = Field("bfloat16", pattern="^(float32|bfloat16)$")
    held_out_waves: int = Field(20, ge=1, description="the last exit waves of the set, kept for validation")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _doses_are_ordered(self) -> Self:
        low, high = self.dose_range_e_per_px
        if not 0 < low <= high:
            raise ValueError(f"dose_range_e_per_px is {low:g} to {high:g}; give 0 < low <= high")
        return self


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe by its name (``dncnn-hrtem``) or by the path of a YAML file. Raises SettingError if it is not valid."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = RECIPES_FOLDER / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES_FOLDER.glob("*.yaml")))
        raise SettingError(f"recipe {name_or_path!r}: no such file; there are {known}, or give the path of a YAML file")
    try:
        return Recipe.model_validate(require("yaml").safe_load(path.read_text()))
    except ValidationError as error:
        raise SettingError(f"{path.name}: not a valid recipe: {error}") from error
