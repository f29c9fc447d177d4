"""STEM by the convolution model: projected atoms, blurred by the probe, scanned with jitter.

Incoherent imaging: annular dark field is the projected scattering power, about Z**1.7, convolved with the probe's
intensity (Pennycook and Jesson 1991); annular bright field is taken as what a power of about Z**0.7 takes away from the
beam, an approximation good enough to look like one. No channelling, no thickness saturation beyond a soft one.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.ndimage import gaussian_filter, map_coordinates

from ..specimen import SpecimenRecipe
from ..structures import random_specimen
from .base import Drawn, Image

MARGIN = 16  # as in HRTEM; room for drift and jitter, too


class StemScene(BaseModel):
    """Specimens as ``specimens`` says; ``dark_field_share`` of the images are ADF, the others ABF."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["stem"]
    specimens: SpecimenRecipe
    dark_field_share: float = 0.7
    largest_jitter_px: float = 0.8
    largest_shear_px: float = 8.0

    def draw(self, rng: np.random.Generator, images: int, size_px: int) -> Drawn:
        """The mean is 1; see ``Scene.draw``."""
        specimen = random_specimen(rng, self.specimens)
        margin = size_px // MARGIN
        box_px = size_px + 2 * margin
        pixel_size_nm = specimen.width_nm / box_px
        stack, settings = [], []
        for _ in range(images):
            setting = self._setting(rng)
            projected = _projected(specimen.atoms, box_px, setting["power"])
            image = _imaged(projected, pixel_size_nm, setting)
            stack.append(self._scanned(rng, image, margin, setting))
            settings.append(setting)
        return Drawn(np.stack(stack), pixel_size_nm, {"specimen": specimen.record, "conditions": settings})

    def _setting(self, rng: np.random.Generator) -> dict[str, Any]:
        dark_field = bool(rng.random() < self.dark_field_share)
        return {
            "mode": "ADF" if dark_field else "ABF",
            "power": float(rng.uniform(1.5, 1.9) if dark_field else rng.uniform(0.5, 0.9)),
            "probe_nm": float(rng.uniform(0.025, 0.06)),  # standard deviation
            "tail_nm": float(rng.uniform(0.1, 0.3)),
            "tail_share": float(rng.uniform(0.1, 0.5)),
            "background": float(np.exp(rng.uniform(*np.log((0.02, 0.5))))),
            "contrast": float(rng.uniform(0.15, 0.7)),  # ABF: what the thickest column takes away
            "jitter_px": float(rng.uniform(0, self.largest_jitter_px)),
            "shear_px": rng.uniform(-self.largest_shear_px, self.largest_shear_px, 2).tolist(),
        }

    def _scanned(self, rng: np.random.Generator, image: Image, margin: int, setting: dict[str, Any]) -> Image:
        """Rows read one after the other: each displaced by a jitter that remembers the last row's, and by a slow drift."""
        size = len(image) - 2 * margin
        jitter = gaussian_filter(rng.normal(size=(2, size)), (0, rng.uniform(0.0, 1.5)))
        jitter *= setting["jitter_px"] / max(float(jitter.std()), 1e-6) * np.array([[0.5], [1.0]])
        drift = np.linspace(-0.5, 0.5, size) * np.array(setting["shear_px"])[:, None]
        down, right = jitter + drift
        rows, columns = np.meshgrid(np.arange(size) + margin, np.arange(size) + margin, indexing="ij")
        read = map_coordinates(image, [rows + down[:, None], columns + right[:, None]], order=1, mode="nearest")
        return np.asarray(read / read.mean(), dtype=np.float32)


def _projected(atoms: Any, box_px: int, power: float) -> Image:
    """Z**power of every atom in its pixel, (y, x), the top row first; shared among the four nearest pixels."""
    scale = box_px / atoms.cell.lengths()[0]
    x, y = atoms.positions[:, 0] * scale, atoms.positions[:, 1] * scale
    weight = atoms.numbers.astype(float) ** power
    image = np.zeros((box_px, box_px))
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    for i, share_x in ((0, 1 - (x - column)), (1, x - column)):
        for j, share_y in ((0, 1 - (y - row)), (1, y - row)):
            np.add.at(image, ((row + j) % box_px, (column + i) % box_px), weight * share_x * share_y)
    return image[::-1].astype(np.float32)


def _imaged(projected: Image, pixel_size_nm: float, setting: dict[str, Any]) -> Image:
    sharp = gaussian_filter(projected, setting["probe_nm"] / pixel_size_nm, mode="wrap")
    wide = gaussian_filter(projected, setting["tail_nm"] / pixel_size_nm, mode="wrap")
    signal = (1 - setting["tail_share"]) * sharp + setting["tail_share"] * wide
    signal = signal / max(float(np.percentile(signal, 99.8)), 1e-9)
    if setting["mode"] == "ADF":
        return np.asarray(np.tanh(signal) + setting["background"], dtype=np.float32)
    return np.asarray(1 - setting["contrast"] * np.tanh(signal), dtype=np.float32)
