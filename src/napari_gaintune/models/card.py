"""The model card: what a network is, what it was trained on, and where it may be used."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PROGRAM = "torchscript"  # the architecture of a card whose network is a TorchScript program


class ModelCard(BaseModel):
    """Written by the training recipe, kept as JSON beside the weights, shown to the user.

    ``intensity_unit`` is the unit the network computes in: ``electrons`` (expected electrons per pixel) or ``unit``
    (grey values in 0..1). ``crop_px`` is the side of the crops it was trained on, and ``objects`` how many simulated
    objects there were, the last ones held out. ``validation`` holds figures in dB on those, each beside its baselines.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    architecture: str
    options: dict[str, int | bool] = Field(default_factory=dict)
    modality: str
    intensity_unit: Literal["electrons", "unit"] = "electrons"
    dose_range_e_per_px: tuple[float, float] | None = None
    pixel_size_range_nm: tuple[float, float] | None = None
    crop_px: int | None = None
    objects: int | None = None
    trained_on: str
    objective: str
    recipe: str
    validation: dict[str, float] = Field(default_factory=dict)
    licence: str
    note: str = ""
    sha256: str

    @property
    def is_program(self) -> bool:
        """Whether the network is a TorchScript program, and not weights of one of our architectures."""
        return self.architecture == PROGRAM

    def summary(self) -> str:
        """A few lines for a tool tip or a terminal."""
        lines = [f"{self.name}: {self.architecture}, {self.modality}", self.trained_on]
        if self.dose_range_e_per_px:
            lines.append("dose {:g} to {:g} e⁻/px".format(*self.dose_range_e_per_px))
        if self.pixel_size_range_nm:
            lines.append("pixel size {:g} to {:g} nm".format(*self.pixel_size_range_nm))
        lines += self._figures()
        return "\n".join([*lines, self.note] if self.note else lines)

    def gain_over_blur_db(self, dose_e_per_px: float) -> float | None:
        """How far the network is ahead of the best blur at the dose of the card that is nearest; None if it has none."""
        gains = {}
        for name, value in self.validation.items():
            level, _, what = name.rpartition(", ")
            blur = self.validation.get(f"{level}, best Gaussian blur")
            if what == "network" and blur is not None and level.endswith("e⁻/px"):
                gains[float(level.split()[0])] = value - blur
        if not gains:
            return None
        return gains[min(gains, key=lambda dose: abs(math.log(dose / dose_e_per_px)))]

    def _figures(self) -> list[str]:
        """A line per dose or noise level, in rising order: PSNR falls with the dose when the peak is one electron."""
        levels: dict[str, list[str]] = {}
        for figure, value in self.validation.items():
            level, _, what = figure.rpartition(", ")
            levels.setdefault(level, []).append(f"{what} {value:.2f}")
        return [f"{level}: {', '.join(levels[level])} dB" for level in sorted(levels, key=_first_number)]


def _first_number(text: str) -> float:
    found = re.search(r"\d+(\.\d+)?", text)
    return float(found[0]) if found else 0.0
