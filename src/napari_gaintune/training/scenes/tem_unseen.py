"""Objects at low magnification that no training recipe has: what models are judged on. Thicknesses, as in tem.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from .base import Image, coordinates


def _rods(rng: np.random.Generator, size_px: int) -> Image:
    """Round rods and needles, 6 to 30 times as long as wide, that cross one another."""
    y, x = coordinates(size_px)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    radius = size_px * np.exp(rng.uniform(np.log(0.005), np.log(0.03)))
    for _ in range(int(rng.integers(4, 25))):
        centre, angle = rng.uniform(0, size_px, 2), rng.uniform(0, np.pi)
        half = radius * np.exp(rng.uniform(np.log(6), np.log(30)))
        along = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
        across = (x - centre[1]) * np.sin(angle) - (y - centre[0]) * np.cos(angle)
        beyond = np.maximum(np.abs(along) - half, 0)
        thickness += np.sqrt(np.maximum(1 - (across**2 + beyond**2) / radius**2, 0))
    return thickness


def _shells(rng: np.random.Generator, size_px: int) -> Image:
    """Hollow spheres: the chord through the outer sphere less that through the cavity, which lies off the middle."""
    y, x = coordinates(size_px)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    typical = size_px * rng.uniform(0.02, 0.1)
    for _ in range(int(rng.integers(5, 40))):
        centre, radius = rng.uniform(0, size_px, 2), typical * np.exp(rng.normal(scale=0.2))
        cavity = radius * rng.uniform(0.5, 0.92)
        aside = centre + (radius - cavity) * rng.uniform(-0.5, 0.5, 2)
        outer = np.maximum(radius**2 - (y - centre[0]) ** 2 - (x - centre[1]) ** 2, 0)
        inner = np.maximum(cavity**2 - (y - aside[0]) ** 2 - (x - aside[1]) ** 2, 0)
        thickness += (np.sqrt(outer) - np.sqrt(inner)) / typical
    return np.maximum(thickness, 0)


def _platelets(rng: np.random.Generator, size_px: int) -> Image:
    """Flat sheets with three, four or six straight sides, one on the other, each of one thickness."""
    y, x = coordinates(size_px)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    sides = int(rng.choice([3, 4, 6]))
    for _ in range(int(rng.integers(5, 30))):
        centre, turn = rng.uniform(0, size_px, 2), rng.uniform(0, 2 * np.pi)
        radius, edge = size_px * rng.uniform(0.04, 0.25), np.full((size_px, size_px), np.inf, dtype=np.float32)
        for side in turn + np.arange(sides) * 2 * np.pi / sides:
            edge = np.minimum(edge, radius - (x - centre[1]) * np.cos(side) - (y - centre[0]) * np.sin(side))
        thickness += rng.uniform(0.15, 0.4) * np.clip(edge, 0, 1)
    return thickness


def _sponge(rng: np.random.Generator, size_px: int) -> Image:
    """A porous solid: layers of a random field, each solid where the field is above its own level, added up."""
    length_px, filled = np.exp(rng.uniform(np.log(2.5), np.log(12))), rng.uniform(-0.5, 1.0)
    thickness = np.zeros((size_px, size_px), dtype=np.float32)
    for _ in range(layers := int(rng.integers(1, 6))):
        field = gaussian_filter(rng.normal(size=(size_px, size_px)), length_px)
        thickness += np.clip((field / field.std() - filled) * length_px, 0, 1) / layers
    return 1.5 * thickness


def _filaments(rng: np.random.Generator, size_px: int) -> Image:
    """Long bent fibres of one width in a stain that has pooled around them: they are thinner than what is beside them."""
    y, x = coordinates(size_px)
    stain = np.full((size_px, size_px), 0.2, dtype=np.float32)
    width = rng.uniform(1.5, 6)
    for _ in range(int(rng.integers(2, 14))):
        centre, angle = rng.uniform(0, size_px, 2), rng.uniform(0, np.pi)
        along = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
        across = (x - centre[1]) * np.sin(angle) - (y - centre[0]) * np.cos(angle)
        for waves in rng.uniform(1, 6, 2) * 2 * np.pi / size_px:
            across = across + rng.normal(scale=0.6) / waves * np.cos(waves * along + rng.uniform(0, 6.3))
        stain += 0.5 * np.exp(-0.5 * (across / (3 * width)) ** 2)
        stain *= 1 - 0.8 * np.exp(-0.5 * (across / width) ** 2)
    return stain


def _dislocations(rng: np.random.Generator, size_px: int) -> Image:
    """Dark dotted lines through a foil, of which each runs from one surface to the other: drawn as thickness."""
    y, x = coordinates(size_px)
    foil = np.full((size_px, size_px), rng.uniform(0.3, 0.8), dtype=np.float32)
    habit, width, period = rng.uniform(0, np.pi), rng.uniform(1, 4), rng.uniform(8, 30)
    for _ in range(int(rng.integers(5, 35))):
        centre, angle = rng.uniform(0, size_px, 2), habit + rng.choice([0, 1.1]) + rng.normal(scale=0.06)
        half = size_px * rng.uniform(0.05, 0.3)
        along = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
        across = (x - centre[1]) * np.sin(angle) - (y - centre[0]) * np.cos(angle)
        bent = across - rng.normal(scale=0.15) * half * (1 - (along / half) ** 2)
        dotted = 1 + 0.6 * np.cos(2 * np.pi * along / period) * np.sign(bent)
        foil += 0.6 * dotted * np.exp(-np.abs(bent) / width) / (1 + np.exp((np.abs(along) - half) / 2))
    return foil


UNSEEN: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "rods": _rods,
    "shells": _shells,
    "platelets": _platelets,
    "sponge": _sponge,
    "filaments": _filaments,
    "dislocations": _dislocations,
}
