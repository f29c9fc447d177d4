"""Grey pictures that are no micrographs: piecewise constant ones, and dead leaves with textures like natural images."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.ndimage import gaussian_filter

from .base import Drawn, Image, coordinates


class PiecewiseScene(BaseModel):
    """Regions of constant grey bounded by circles and straight lines (Mohan et al. 2021, section 5.3)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["piecewise"]
    most_shapes: int = 40

    def draw(self, rng: np.random.Generator, images: int, size_px: int) -> Drawn:
        """Grey values in 0..1; see ``Scene.draw``."""
        return Drawn(np.stack([self._one(rng, size_px) for _ in range(images)]), None)

    def _one(self, rng: np.random.Generator, size_px: int) -> Image:
        y, x = coordinates(size_px)
        image = np.full((size_px, size_px), rng.random(), dtype=np.float32)
        for _ in range(int(rng.integers(3, self.most_shapes))):
            image[_disc_or_half_plane(rng, y, x, size_px)] = rng.random()
        return image


class NaturalScene(BaseModel):
    """Dead leaves (Lee, Mumford and Huang 2001): shapes that hide one another, sizes by a power law, with textures.

    Shading, 1/f textures, stripes and a camera's blur are drawn on top, so that the power spectrum falls as that of
    natural images does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["natural"]
    smallest_radius_px: float = 3.0
    largest_radius_px: float = 200.0
    leaves: int = 400

    def draw(self, rng: np.random.Generator, images: int, size_px: int) -> Drawn:
        """Grey values in 0..1; see ``Scene.draw``."""
        return Drawn(np.stack([self._one(rng, size_px) for _ in range(images)]), None)

    def _one(self, rng: np.random.Generator, size_px: int) -> Image:
        textures = [_texture(rng, size_px) for _ in range(6)]
        image = 0.5 + 0.1 * textures[0]
        low, high = self.smallest_radius_px, self.largest_radius_px
        # radii by a density of r**-3 hide nearly everything in time; a start with the largest gets there sooner
        steep = rng.random(int(self.leaves * rng.uniform(0.05, 1.5)))
        radii = 1 / np.sqrt(1 / high**2 + steep * (1 / low**2 - 1 / high**2))
        large = np.exp(rng.uniform(np.log(high / 10), np.log(high), int(rng.integers(20, 80))))
        for radius in [*np.sort(large)[::-1], *radii]:
            _lay_leaf(rng, image, float(radius), textures)
        image = gaussian_filter(image, rng.uniform(0.2, 0.9))
        low_grey, high_grey = np.percentile(image, (0.5, 99.5))
        spread = rng.uniform(0.6, 1.0)
        stretched = (image - low_grey) / max(high_grey - low_grey, 1e-6) * spread + rng.uniform(0, 1 - spread)
        return np.asarray(np.clip(stretched, 0, 1), dtype=np.float32)


def _lay_leaf(rng: np.random.Generator, image: Image, radius: float, textures: list[Image]) -> None:
    """Draw one shape of about ``radius`` px over ``image``, in place, touching only the pixels around it."""
    size = len(image)
    centre = rng.uniform(-radius / 2, size + radius / 2, 2)
    reach = 1.5 * radius + 2
    rows, columns = (slice(max(0, int(c - reach)), min(size, int(c + reach) + 1)) for c in centre)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    y, x = np.mgrid[rows, columns].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    across = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    along = (y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)
    aspect = rng.uniform(0.15, 1.0)
    form = rng.integers(3)
    if form == 0:
        inside = across**2 + (along / aspect) ** 2 < radius**2
    elif form == 1:
        inside = (np.abs(across) < radius) & (np.abs(along) < aspect * radius)
    else:  # a polygon of three to six sides
        inside = np.ones(across.shape, dtype=bool)
        for side in np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7)))):
            inside &= across * np.cos(side) + along * np.sin(side) < radius * rng.uniform(0.4, 1.0)
        inside &= np.hypot(across, along) < 1.5 * radius
    grey = rng.random() + rng.uniform(-0.3, 0.3) * across / radius
    kind = rng.random()
    if kind < 0.4:
        grey = grey + rng.uniform(0.02, 0.15) * textures[rng.integers(len(textures))][rows, columns]
    elif kind < 0.5:
        grey = grey + rng.uniform(0.03, 0.25) * np.sin(2 * np.pi * along / rng.uniform(3, 16) + rng.uniform(0, 6.3))
    image[rows, columns][inside] = np.broadcast_to(grey, inside.shape)[inside]


def _texture(rng: np.random.Generator, size_px: int) -> Image:
    """Gaussian noise whose amplitude falls as 1 / f**a, standard deviation 1, stretched in some direction."""
    up, right = np.fft.fftfreq(size_px)[:, None], np.fft.rfftfreq(size_px)[None]
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 4)
    across, along = right * np.cos(angle) + up * np.sin(angle), up * np.cos(angle) - right * np.sin(angle)
    falling = np.hypot(across * stretch, along) + rng.uniform(0.5, 20) / size_px
    spectrum = np.fft.rfft2(rng.normal(size=(size_px, size_px))) * falling ** -rng.uniform(0.8, 2.2)
    spectrum[0, 0] = 0
    texture = np.fft.irfft2(spectrum, s=(size_px, size_px))
    return np.asarray(texture / texture.std(), dtype=np.float32)


def _disc_or_half_plane(rng: np.random.Generator, y: Image, x: Image, size_px: int) -> np.ndarray:
    centre = rng.uniform(0, size_px, 2)
    radius = size_px * float(np.exp(rng.uniform(np.log(0.02), np.log(0.4))))
    disc = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
    if rng.random() < 0.5:
        return np.asarray(disc)
    angle, width = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.3, 2.0)
    across = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    if rng.random() < 0.5:
        return np.asarray(np.abs(across) < width / 2)
    along = (y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)
    return np.asarray((np.abs(across) < width / 2) & (np.abs(along) < radius))
