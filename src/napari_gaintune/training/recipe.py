"""Recipes: everything that decides a set of simulated images or a network's weights, in one small YAML file each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import SettingError
from . import require
from .scenes import AnyScene
from .specimen import above_zero

RECIPES_FOLDER = Path(__file__).parent / "recipes"

Range = tuple[float, float]
RangeAboveZero = Annotated[Range, AfterValidator(above_zero)]
LossName = Literal["log-error", "absolute-error", "noise-level", "second-task"]


class _Recipe(BaseModel):
    """``reduced`` holds what is different where there is no GPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int = Field(0, ge=0)
    reduced: dict[str, Any] = Field(default_factory=dict)

    def in_full(self) -> Self:
        """The recipe as it stands, without the other setting."""
        return self.model_copy(update={"reduced": {}})

    def as_reduced(self) -> Self:
        """The reduced setting in place of the full one. Raises SettingError if a value there is not valid."""
        reduced: Self = _checked(type(self), self.model_dump(exclude={"reduced"}) | self.reduced, self.name)
        return reduced


class ImageRecipe(_Recipe):
    """A set of clean simulated images."""

    scene: AnyScene
    images: int = Field(ge=1)
    images_per_object: int = Field(5, ge=1, description="imaging conditions of one object (one exit wave in HRTEM)")
    size_px: int = Field(512, ge=64)


class NoiseRecipe(BaseModel):
    """The noise that every crop gets, its parameters drawn anew from these ranges; a range of zeros leaves it out.

    ``dose_range_e_per_px`` is log-uniform and makes the noise Poisson's; without it, it is Gaussian of ``sd_range``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dose_range_e_per_px: Range | None = None
    emphasis_dose_e_per_px: float = Field(0.45, gt=0, description="dose around which a share of the crops is drawn")
    emphasis_share: float = Field(0.0, ge=0, le=1)
    sd_range: Range = Field((0.0, 0.0), description="Gaussian, or read noise in electrons")
    point_spread_range_px: Range = Field((0.0, 0.0), description="of the detector: correlates the noise")
    row_noise_range: Range = Field((0.0, 0.0), description="as a share of the noise's standard deviation")
    correlated_share: float = Field(0.0, ge=0, le=1, description="of the crops that the last two apply to")

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        for name in ("dose_range_e_per_px", "sd_range", "point_spread_range_px", "row_noise_range"):
            limits = getattr(self, name)
            lowest = 1e-6 if name.startswith("dose") else 0
            if limits is not None and not lowest <= limits[0] <= limits[1]:
                raise ValueError(f"{name} is {limits[0]:g} to {limits[1]:g}; give two values in order, none too low")
        return self


class MetaRecipe(BaseModel):
    """Meta-learning of a network with two tasks: first of its mask, then of its heads' starting point (Gunawan 2022)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transfer_from: int = Field(
        ge=1, description="the restart at which meta-auxiliary learning gives way to meta-transfer"
    )
    transfer_learning_rate: float = Field(1e-4, gt=0, le=0.1, description="in place of the recipe's from there on")
    mask_every: int = Field(2, ge=2, description="one step in so many is the mask's, before the transfer")
    edge_weight: float = Field(1e-2, ge=0, description="of the mask's likeness to the edges of the noisy image")
    inner_steps: int = Field(5, ge=1, le=20, description="of the adaptation that meta-transfer goes through")
    inner_rate: float = Field(
        5e-4, gt=0, description="root mean square by which each of them, and a look ahead, moves weights"
    )


class TrainingRecipe(_Recipe):
    """Supervised training of one network on a set of clean images with noise drawn for every crop."""

    architecture: str
    options: dict[str, int | bool] = Field(default_factory=dict)
    images: str = Field(description="the recipe of the images")
    modality: str
    intensity_unit: Literal["electrons", "unit"] = "electrons"
    noise: NoiseRecipe
    pixel_size_range_nm: RangeAboveZero | None = Field(None, description="to which crops are scaled, log-uniform")
    zoom_range: RangeAboveZero = Field((1.0, 1.0), description="the same for images without a pixel size")
    contrast_range: RangeAboveZero = Field((1.0, 1.0), description="the deviation from 1 is multiplied by; log-uniform")
    crop_px: int = Field(192, ge=16, le=512, description="side of a crop")
    local_px: int | None = Field(None, ge=16, description="side of the part that the convolutions see; null: all")
    losses: dict[LossName, float] = Field({"log-error": 1.0}, min_length=1, description="what is lowered, by weight")
    meta: MetaRecipe | None = Field(None, description="meta-learning, in place of plain supervised training")
    batch: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=0.1)
    warm_up_steps: int = Field(100, ge=0)
    steps: int = Field(2000, ge=1)
    restarts: tuple[int, ...] = Field((), description="steps at which the schedule starts anew from the average")
    minutes: float = Field(0.0, ge=0, description="that the steps were reckoned from; `train --minutes` sets it")
    largest_gradient_norm: float = Field(1.0, gt=0)
    average_decay: float = Field(0.998, ge=0, lt=1, description="of the average of the weights, which is kept")
    direct_start: bool = Field(False, description="start a DnCNN as a net that predicts the image, not the noise")
    passing_start: bool = Field(False, description="start a DnCNN with layers that pass on what they are given")
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    photographs: int = Field(0, ge=0, description="how many joined the images; `train --photographs` counts them")
    photograph_share: float = Field(0.75, ge=0, le=1, description="of the crops, where there are photographs")
    held_out_objects: int = Field(20, ge=1, description="the last of the set, kept to watch the training by")

    @model_validator(mode="after")
    def _part_lies_in_the_crop(self) -> Self:
        if self.local_px and self.local_px > self.crop_px:
            raise ValueError(f"local_px is {self.local_px}, more than crop_px {self.crop_px}; give less, or null")
        return self

    @model_validator(mode="after")
    def _losses_weigh_something(self) -> Self:
        for name, weight in self.losses.items():
            if not 0 < weight < float("inf"):
                raise ValueError(f"losses: {name} weighs {weight:g}; give more than 0, or leave it out")
        return self

    @model_validator(mode="after")
    def _starts_in_one_way(self) -> Self:
        if self.direct_start and self.passing_start:
            raise ValueError("direct_start and passing_start are both set; give one of them")
        return self

    @model_validator(mode="after")
    def _restarts_are_ordered(self) -> Self:
        bounds = (0, *self.restarts, self.steps)
        if any(later <= earlier for earlier, later in pairwise(bounds)):
            raise ValueError(f"restarts are {self.restarts}; give steps above 0 in order, all below steps {self.steps}")
        return self

    @model_validator(mode="after")
    def _meta_learning_has_its_start_and_its_loss(self) -> Self:
        if self.meta and self.meta.transfer_from not in self.restarts:
            raise ValueError(
                f"meta: transfer_from is {self.meta.transfer_from}, and restarts are {self.restarts}; name it there, too"
            )
        if self.meta and ("second-task" not in self.losses or len(self.losses) == 1):
            raise ValueError(f"meta: losses are {', '.join(self.losses)}; give second-task and one of the image")
        return self

    def transfers(self, step: int) -> bool:
        """Whether ``step`` is one of meta-transfer learning."""
        return self.meta is not None and step >= self.meta.transfer_from

    def cycle(self, step: int) -> tuple[int, int]:
        """The first step of the run of the schedule that ``step`` belongs to, and the first step after it."""
        first = max((start for start in self.restarts if start <= step), default=0)
        return first, min((start for start in self.restarts if start > step), default=self.steps)

    @property
    def compute_dtype(self) -> torch.dtype:
        """The precision of the inner layers."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


AnyRecipe = TypeVar("AnyRecipe", ImageRecipe, TrainingRecipe)
FOLDERS: dict[type[_Recipe], str] = {ImageRecipe: "images", TrainingRecipe: "models"}


def load_recipe(kind: type[AnyRecipe], name_or_path: str) -> AnyRecipe:
    """A recipe by its name (``dncnn-hrtem``) or by the path of a YAML file. Raises SettingError if it is not valid."""
    folder = RECIPES_FOLDER / FOLDERS[kind]
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = folder / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise SettingError(f"recipe {name_or_path!r}: no such file; there are {known}, or give the path of a YAML file")
    yaml = require("yaml")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingError(f"{path}: not YAML ({' '.join(str(error).split())}); mend it there") from error
    recipe: AnyRecipe = _checked(kind, values, path.name)
    return recipe


def _checked(kind: type[Any], values: Any, name: str) -> Any:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingError(f"{name}: not a valid recipe: {error}") from error
