"""HRTEM by multislice: one exit wave, imaged under several conditions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..hrtem import exit_wave, image_intensity, random_conditions, wavelength_nm
from ..specimen import SpecimenRecipe
from ..structures import random_specimen
from .base import Drawn

MARGIN = (
    16  # one part in so many of the image is simulated on each side and cut off: specimens end at their box's border
)


class HrtemScene(BaseModel):
    """Specimens as ``specimens`` says, each in a microscope of one of ``energies_kv``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["hrtem"]
    specimens: SpecimenRecipe
    energies_kv: tuple[float, ...] = (300.0,)

    def draw(self, rng: np.random.Generator, images: int, size_px: int) -> Drawn:
        """The vacuum is 1; see ``Scene.draw``."""
        specimen = random_specimen(rng, self.specimens)
        margin = size_px // MARGIN
        box_px = size_px + 2 * margin
        pixel_size_nm = specimen.width_nm / box_px
        energy_kv = float(rng.choice(self.energies_kv))
        wave = exit_wave(specimen.atoms, box_px, energy_kv)
        wavelength = wavelength_nm(energy_kv)
        conditions = [random_conditions(rng, wavelength) for _ in range(images)]
        inner = slice(margin, margin + size_px)
        stack = np.stack([image_intensity(wave, pixel_size_nm, c, wavelength)[inner, inner] for c in conditions])
        settings = [{name: value for name, value in asdict(c).items() if np.isfinite(value)} for c in conditions]
        record = {"specimen": specimen.record, "energy_kv": energy_kv, "conditions": settings}
        return Drawn(stack, pixel_size_nm, record)
