"""What a kind of scene gives: clean images, relative to a dose, and the record of how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """Clean ``images`` (n, size, size) float32 >= 0 of one object; ``pixel_size_nm`` None where length has no meaning.

    For electron images 1 is the intensity that the dose is given for: the vacuum's in TEM, the mean in STEM. Images of
    other kinds are grey values in 0..1.
    """

    images: Image
    pixel_size_nm: float | None
    record: dict[str, Any] = field(default_factory=dict)


class Scene(Protocol):
    """A kind of scene with its settings: a frozen pydantic model."""

    kind: Any

    def draw(self, rng: np.random.Generator, images: int, size_px: int) -> Drawn:
        """``images`` clean images, ``size_px`` square, of one random object; decided by ``rng`` alone."""
        ...


def coordinates(size_px: int) -> tuple[Image, Image]:
    """Row and column of every pixel of a square image."""
    y, x = np.mgrid[:size_px, :size_px].astype(np.float32)
    return y, x
