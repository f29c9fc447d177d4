"""Every setting of one adaptation, written once: default, bounds, unit and help serve CLI, dock and Python alike."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import SettingError
from .methods import MethodName, with_preset

ObjectiveName = Literal[
    "auto",
    "blind-spot",
    "blind-spot-architectural",
    "blind-spot-masked",
    "sure",
    "unsure",
    "resampling",
    "restored",
    "zs-n2n",
    "neighbor2neighbor",
    "next-frame",
    "masked-reconstruction",
]
ParametersName = Literal["channel-gains", "all-weights", "first-layer", "last-layer", "heads", "ain", "input-offset"]
PaceName = Literal["clear", "plain"]
StoppingName = Literal["best", "patience", "fixed"]
NoiseName = Literal["auto", "poisson", "gaussian", "poisson-gaussian", "unknown"]


SMALLEST_CROP_PX = 16


class AdaptationConfig(BaseModel):
    """What may move, by which objective, for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("crop_size_px")
    @classmethod
    def _crops_hold_something(cls, size_px: int) -> int:
        if 0 < size_px < SMALLEST_CROP_PX:
            raise ValueError(f"give {SMALLEST_CROP_PX} px or more, or 0 for the model's own")
        return size_px

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        return with_preset(given) if isinstance(given, dict) else given

    method: MethodName = Field(
        "gaintuning", title="Method",
        description="Whose settings apply where you give none: what may move, by what, for how long, and what is kept.",
    )  # fmt: skip
    parameters: ParametersName = Field(
        "channel-gains", title="Parameters",
        description="What may move: a gain per channel (GainTuning), weights, or an offset on the input (LAN).",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    objective: ObjectiveName = Field(
        "auto",
        title="Objective",
        description="What the network is tuned by; auto: in a series the frames nearby, else what suits the model.",
    )
    steps: int = Field(
        60, ge=0, le=100_000, title="Steps", description="Adaptation steps per frame; 0 only pre-trained."
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="Seed of crops, masks and noise: same seed, same bits on a CPU.",
    )
    learning_rate: float = Field(
        0.0, ge=0, le=1, title="Learning rate",
        description="Adam's step size where the gradient is clear, shorter the noisier it is; 0: that of what may move.",
        json_schema_extra={"advanced": True, "zero": "its own"},
    )  # fmt: skip
    pace: PaceName = Field(
        "clear", title="Pace", description="clear: steps as long as the gradient is clear; plain: Adam as it is.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    stopping: StoppingName = Field(
        "best", title="Stopping",
        description="best: the best state of all steps; patience: so, and no step after long without; fixed: the last.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    patience: int = Field(
        30, ge=1, le=100_000, title="Patience", description="Steps without a better state that stopping patience waits.",
        json_schema_extra={"advanced": True, "unit": "steps"},
    )  # fmt: skip
    crop_size_px: int = Field(
        0, ge=0, le=8192, title="Crop size",
        description="Edge of the random crops a step looks at; 0: as far as the model looks at once, 256 px or more.",
        json_schema_extra={"advanced": True, "unit": "px", "zero": "the model's"},
    )  # fmt: skip
    crops_per_step: int = Field(
        1, ge=1, le=64, title="Crops per step", description="More crops: steadier and slower.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    noise: NoiseName = Field(
        "auto", title="Noise",
        description="What SURE, resampling and restored reckon with; auto: Poisson for electrons, else Gaussian.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    noise_sd: float = Field(
        0.0, ge=0, title="Noise SD",
        description="SD of Gaussian noise, or of the read noise beside Poisson's, in the image's unit; 0: estimated.",
        json_schema_extra={"advanced": True, "zero": "estimated"},
    )  # fmt: skip


Config = TypeVar("Config", bound=BaseModel)


def checked(kind: type[Config], settings: dict[str, Any]) -> Config:
    """A config from keyword settings. Raises SettingError naming the setting, its value and its rule."""
    try:
        return kind(**settings)
    except ValidationError as error:
        raise SettingError(setting_message(kind, error)) from error


def setting_message(kind: type[BaseModel], error: ValidationError) -> str:
    """One line per refused setting."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]) or "settings"
        if problem["type"] == "extra_forbidden":
            lines.append(f"there is no setting {name!r}; there are {', '.join(kind.model_fields)}")
        else:
            lines.append(f"{name} = {problem['input']!r}: {problem['msg'].lower()}")
    return "; ".join(lines)
