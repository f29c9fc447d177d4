"""Every setting of a denoising job: the adaptation's, and which model, frames, device and intensity scale."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..adaptation.config import AdaptationConfig


class DenoiseConfig(AdaptationConfig):
    """A whole job. Flat, so that a field is a CLI flag, a form row and a keyword argument by the same name."""

    model: str = Field(
        "auto", title="Model",
        description="auto: chosen by modality, pixel size and dose; or a name, or a .safetensors or .torchscript file.",
    )  # fmt: skip
    modality: Literal["auto", "HRTEM", "STEM", "TEM"] = Field(
        "auto", title="Modality",
        description="What the frames are. auto: STEM if the file says so, TEM from 0.06 nm per pixel on, else HRTEM.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    pixel_size_nm: float = Field(
        0.0, ge=0, title="Pixel size", description="Side of a pixel, where the file is silent or wrong; 0: what it says.",
        json_schema_extra={"advanced": True, "unit": "nm", "zero": "of the file"},
    )  # fmt: skip
    scale: Literal["auto", "none"] = Field(
        "auto", title="Scale",
        description="auto: pixels finer than the model knows are binned for it, and the result is interpolated back.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    averaging: Literal["shifts", "orientations", "none"] = Field(
        "shifts", title="Averaging",
        description="What a result is the mean of. shifts: four predictions, the frame shifted by 0 or 1 px each way (one, "
        "of models that do not work in squares of 2 px); orientations: eight, turned and mirrored; none: one.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    frames: str = Field(
        "all", title="Frames", coerce_numbers_to_str=True,
        description="all, one number (7; -1 is the last), or a range without its end (0:40 is 0 to 39; 10:, ::2).",
    )  # fmt: skip
    series: Literal["episodic", "shared"] = Field(
        "episodic", title="Series",
        description="episodic: each frame starts from the pre-trained model; shared: one adaptation serves all frames.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    nearby_frames: int = Field(
        4, ge=1, le=100, title="Nearby frames",
        description="How many before and after a frame are averaged to learn from, by auto in a series and by next-frame.",
        json_schema_extra={"advanced": True, "unit": "frames"},
    )  # fmt: skip
    adapted: str = Field(
        "", title="Adapted state", description="File of an adapted state to start from; with steps 0 it is what is used.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    save_adapted: str = Field(
        "", title="Save state as", description="Where to write the adapted state, a new .safetensors file; empty: nowhere.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    device: str = Field(
        "auto", title="Device", description="auto, cpu, cuda or cuda:1; auto takes a CUDA GPU if there is one."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", title="Precision", description="Of the inner layers; auto: bfloat16 where the machine computes it fast.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
    detector_gain: float = Field(
        0.0, ge=0, title="Detector gain", description="Counts per electron; 0: estimated from the frame's noise.",
        json_schema_extra={"advanced": True, "unit": "counts/e⁻", "zero": "estimated"},
    )  # fmt: skip
    detector_offset: float = Field(
        0.0, title="Detector offset", description="Counts where no electron arrived.",
        json_schema_extra={"advanced": True, "unit": "counts"},
    )  # fmt: skip
    nonfinite: Literal["error", "fill"] = Field(
        "error", title="NaN and inf", description="error: refuse such a frame; fill: replace by the median of neighbours.",
        json_schema_extra={"advanced": True},
    )  # fmt: skip
