"""Every setting of a transfer, written once; without torch, so that a command line can be read without it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..adaptation.config import ParametersName


class TransferConfig(BaseModel):
    """Which model learns what, for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field("unet-hrtem", description="The model to start from: a name, or the path of a .safetensors file.")
    parameters: ParametersName = Field(
        "channel-gains", description="What may move; ain needs a model of architecture aindnet."
    )
    steps: int = Field(300, ge=1, le=100_000, description="Steps; the best state of them is kept.")
    learning_rate: float = Field(0.0, ge=0, le=1, description="Adam's step size; 0: that of what may move.")
    crop_size_px: int = Field(
        0, ge=0, le=8192, description="Edge of the crops of a step, at most the smallest frame's; 0: the model's own."
    )
    crops_per_step: int = Field(4, ge=1, le=64, description="Crops of a step.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of crops and of what is held out.")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1.")
    detector_gain: float = Field(0.0, ge=0, description="Counts per electron; 0: estimated from each noisy frame.")
    detector_offset: float = Field(0.0, description="Counts where no electron arrived.")
    nonfinite: Literal["error", "fill"] = Field(
        "error", description="NaN and inf: refuse such a frame, or fill by the median of the neighbours."
    )
