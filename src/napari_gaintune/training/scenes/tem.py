"""Bright-field TEM at low magnification, by procedure: thickness is drawn, absorption, fringes and defocus follow from it.

What is imaged: particles and agglomerates of them, films with holes, membranes and vesicles, wedges with thickness
fringes and bend contours; for judging models, what tem_unseen.py has. The image is exp(-thickness / mean free path)
times diffraction contrast, plus the weak-phase contrast of a defocused lens, -2 sin(pi wavelength defocus k^2) on the
projected potential, where a positive defocus is underfocus (Kirkland 2010, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator
from scipy.ndimage import gaussian_filter

from ..hrtem import WAVELENGTH_NM_300_KV
from .base import Drawn, Image, coordinates
from .tem_unseen import UNSEEN

TRAINED = ("particles", "agglomerate", "film", "membranes", "wedge")
CRYSTALLINE = ("particles", "agglomerate", "wedge", "rods", "platelets")
MARGIN_PX = 32  # ample: a fringe reaches wavelength * defocus / (2 pixel sizes) <= 2 px, the blur some 5 px more


class TemScene(BaseModel):
    """Fields of ``pixel_size_range_nm``, log-uniform, each of up to three kinds of the ``objects``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["tem"]
    pixel_size_range_nm: tuple[float, float] = (0.06, 3.0)
    objects: tuple[str, ...] = TRAINED

    @field_validator("objects")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or (unknown := [name for name in names if name not in OBJECTS]):
            raise ValueError(f"objects {unknown if names else []}: choose from {', '.join(OBJECTS)}")
        return names

    def draw(self, rng: np.random.Generator, images: int, size_px: int) -> Drawn:
        """The vacuum is 1; see ``Scene.draw``."""
        pixel_size_nm = float(np.exp(rng.uniform(*np.log(self.pixel_size_range_nm))))
        names = sorted(set(rng.choice(list(self.objects), size=rng.integers(1, 4))))
        thickness = np.zeros((size_px, size_px), dtype=np.float32)
        diffracted = np.ones((size_px, size_px), dtype=np.float32)
        for name in names:
            added = OBJECTS[name](rng, size_px)
            if name in CRYSTALLINE and rng.random() < 0.5:
                diffracted = diffracted * _diffraction(rng, added)
            thickness = thickness + added
        stack, settings = [], []
        for _ in range(images):
            setting = {
                "absorption": float(np.exp(rng.uniform(*np.log((0.1, 2.0))))),
                "phase": float(rng.uniform(0.0, 0.15)),
                "defocus_nm": -float(rng.uniform(-1, 1) * 4 * pixel_size_nm**2 / WAVELENGTH_NM_300_KV),
                "illumination": rng.uniform(-0.08, 0.08, 2).tolist(),
                "blur_px": float(rng.uniform(0.3, 1.5)),
            }
            stack.append(_bright_field(thickness, diffracted, setting, pixel_size_nm))
            settings.append(setting)
        return Drawn(np.stack(stack), pixel_size_nm, {"objects": names, "conditions": settings})


def _bright_field(thickness: Image, diffracted: Image, setting: dict[str, Any], pixel_size_nm: float) -> Image:
    size = len(thickness)
    absorbed = np.exp(-setting["absorption"] * thickness) * diffracted
    image = gaussian_filter(absorbed, setting["blur_px"]) + _phase_contrast(thickness, setting, pixel_size_nm)
    slope = np.linspace(-1, 1, size)
    light = 1 + setting["illumination"][0] * slope[:, None] + setting["illumination"][1] * slope[None]
    return np.asarray(np.maximum(image * light, 0.0), dtype=np.float32)


def _phase_contrast(thickness: Image, setting: dict[str, Any], pixel_size_nm: float) -> Image:
    """Weak-phase contrast. The thickness is mirrored at the border, or one edge's fringes would lie along the other."""
    mirrored = np.pad(thickness, MARGIN_PX, mode="symmetric")
    up, right = np.fft.fftfreq(len(mirrored), pixel_size_nm), np.fft.rfftfreq(len(mirrored), pixel_size_nm)
    square = up[:, None] ** 2 + right**2
    transfer = -np.sin(np.pi * WAVELENGTH_NM_300_KV * setting["defocus_nm"] * square)
    transfer *= np.exp(-2 * (np.pi * setting["blur_px"] * pixel_size_nm) ** 2 * square)
    contrast = np.fft.irfft2(2 * setting["phase"] * transfer * np.fft.rfft2(mirrored), s=mirrored.shape)
    return np.asarray(contrast[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], dtype=np.float32)


def _grain(rng: np.random.Generator, size_px: int, from_px: float, to_px: float) -> Image:
    """Random roughness of standard deviation 1, correlated over a length between the two."""
    rough = gaussian_filter(rng.normal(size=(size_px, size_px)), np.exp(rng.uniform(*np.log((from_px, to_px)))))
    return np.asarray(rough / rough.std(), dtype=np.float32)


def _one_particle(rng: np.random.Generator, y: Image, x: Image, centre: Any, radius: float) -> Image:
    """A thickness in units of the largest: an ellipsoid, or a crystal with flat faces."""
    angle, aspect = rng.uniform(0, np.pi), rng.uniform(0.5, 1.0)
    across = ((x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)) / radius
    along = ((y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)) / (aspect * radius)
    if rng.random() < 0.6:
        return np.asarray(np.sqrt(np.maximum(1 - across**2 - along**2, 0)), dtype=np.float32)
    depth = np.full(across.shape, np.inf, dtype=np.float32)
    for side in np.arange(int(rng.integers(4, 8))) * 2 * np.pi / 6 + rng.normal(scale=0.15):
        depth = np.minimum(depth, rng.uniform(0.6, 1.0) - across * np.cos(side) - along * np.sin(side))
    return np.asarray(np.clip(depth * rng.uniform(1.0, 5.0), 0, 1), dtype=np.float32)


def _particles(rng: np.random.Generator, size_px: int) -> Image:
    y, x = coordinates(size_px)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    typical = size_px * np.exp(rng.uniform(np.log(0.01), np.log(0.15)))
    for _ in range(int(min(60, rng.uniform(0.1, 1.0) * (size_px / typical) ** 2 / 6 + 1))):
        radius = typical * np.exp(rng.normal(scale=0.25))
        thickness += radius / typical * _one_particle(rng, y, x, rng.uniform(0, size_px, 2), radius)
    return thickness


def _agglomerate(rng: np.random.Generator, size_px: int) -> Image:
    """Particles that touch: each new one beside one that is there."""
    y, x = coordinates(size_px)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    radius = size_px * rng.uniform(0.02, 0.08)
    centres = [rng.uniform(0.3, 0.7, 2) * size_px]
    for _ in range(int(rng.integers(5, 60))):
        angle = rng.uniform(0, 2 * np.pi)
        step = 1.7 * radius * np.array([np.cos(angle), np.sin(angle)])
        centres.append(centres[rng.integers(len(centres))] + step)
    for centre in centres:
        thickness += 0.7 * _one_particle(rng, y, x, centre, radius * np.exp(rng.normal(scale=0.15)))
    return thickness


def _film(rng: np.random.Generator, size_px: int) -> Image:
    """A film, rough, thicker to one side; with holes it is lacey carbon."""
    y, x = coordinates(size_px)
    slope = rng.uniform(-0.5, 0.5, 2) / size_px
    thickness = 0.5 * (1 + slope[0] * (y - size_px / 2) + slope[1] * (x - size_px / 2))
    if rng.random() < 0.6:
        rim = np.full((size_px, size_px), np.inf, dtype=np.float32)
        for _ in range(int(rng.integers(1, 12))):
            centre, radius = rng.uniform(-0.1, 1.1, 2) * size_px, size_px * rng.uniform(0.05, 0.35)
            rim = np.minimum(rim, np.hypot(y - centre[0], x - centre[1]) - radius)
        edge = rng.uniform(1.0, 12.0)
        thickness = thickness * (
            np.clip(rim / edge, 0, 1) + rng.uniform(0, 1.5) * np.exp(-np.maximum(rim, 0) / (3 * edge)) * (rim > 0)
        )
    rough = 1 + rng.uniform(0, 0.15) * _grain(rng, size_px, 0.8, 6)
    return np.asarray(np.maximum(thickness * rough, 0), dtype=np.float32)


def _membranes(rng: np.random.Generator, size_px: int) -> Image:
    """Vesicles and folded sheets: two dark lines a few pixels apart along a wavy closed curve."""
    y, x = coordinates(size_px)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    gap, line = rng.uniform(3, 10), rng.uniform(0.8, 2.5)
    for _ in range(int(rng.integers(1, 8))):
        centre, radius = rng.uniform(0, size_px, 2), size_px * rng.uniform(0.05, 0.4)
        angle = np.arctan2(y - centre[0], x - centre[1])
        wavy = 1 + sum(rng.normal(scale=0.08) * np.cos(n * angle + rng.uniform(0, 6.3)) for n in range(2, 6))
        distance = np.hypot(y - centre[0], x - centre[1]) - radius * wavy
        for side in (-0.5, 0.5):
            thickness += 0.4 * np.exp(-0.5 * ((distance - side * gap) / line) ** 2)
        thickness += rng.uniform(0, 0.2) * (distance < 0)
    return thickness


def _wedge(rng: np.random.Generator, size_px: int) -> Image:
    """A crystal that grows thicker from its edge inwards, along a ragged edge."""
    y, x = coordinates(size_px)
    angle = rng.uniform(0, 2 * np.pi)
    across = (x - size_px / 2) * np.cos(angle) + (y - size_px / 2) * np.sin(angle)
    across = across + rng.uniform(0, 15) * _grain(rng, size_px, 8, 60) + rng.uniform(-0.3, 0.3) * size_px
    return np.asarray(np.clip(across / size_px * rng.uniform(0.5, 3.0), 0, 2), dtype=np.float32)


def _diffraction(rng: np.random.Generator, thickness: Image) -> Image:
    """What a two-beam case leaves in the direct beam: fringes of equal thickness, and bend contours where it is met."""
    size = len(thickness)
    y, x = coordinates(size)
    angle = rng.uniform(0, 2 * np.pi)
    bent = ((x - size / 2) * np.cos(angle) + (y - size / 2) * np.sin(angle)) / size + 0.1 * _grain(rng, size, 40, 120)
    deviation = rng.uniform(2, 12) * (bent + rng.uniform(-0.5, 0.5))
    effective = np.sqrt(1 + deviation**2)
    fringes = rng.uniform(2, 10) * thickness
    scattered = np.sin(np.pi * fringes * effective) ** 2 / effective**2
    return np.asarray(1 - rng.uniform(0.3, 0.9) * scattered, dtype=np.float32)


OBJECTS: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "particles": _particles,
    "agglomerate": _agglomerate,
    "film": _film,
    "membranes": _membranes,
    "wedge": _wedge,
    **UNSEEN,
}
