"""Make the bundled example: ``python -m napari_gaintune.training.example [--out DIR]``."""

# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from .. import examples
from .hrtem import ImagingConditions, exit_wave, image_intensity
from .specimen import SpecimenRecipe
from .structures import random_specimen

SEED = (2026, 18)
FRAMES = 40
FRAME_TIME_S = 0.025
SIZE_PX = 512
VACUUM_DOSE_E_PER_PX = 0.45
CORNER_PX = (60, 40)
SPECIMEN = SpecimenRecipe(
    kinds={"supported": 1},
    metals={"Co": 1},
    supports={"ZnO": 1},
    shapes={"prism": 1},
    width_range_nm=(5.2, 5.2),
    thickness_range_nm=(3.0, 4.0),
    largest_tilt_deg=0.5,
    covered_share=0,
)
CONDITIONS = ImagingConditions(
    defocus_nm=-7.0,
    spherical_c3_nm=-13e3,
    spherical_c5_nm=2e6,
    astigmatism_nm=0.8,
    astigmatism_rad=0.6,
    coma_nm=20.0,
    focal_spread_nm=3.0,
    convergence_mrad=0.1,
    blur_nm=0.035,
)


def drift_px(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A slow drift (down, right) of each frame: a straight line of some 5 px, and a gentle wandering about it."""
    line = np.linspace(0, 1, FRAMES)[:, None] * np.array([3.4, -4.1])
    steps = rng.normal(scale=0.15, size=(FRAMES, 2))
    return np.asarray(np.round(line + np.cumsum(steps - steps.mean(axis=0), axis=0), 3))


def make_truth(folder: Path) -> float:
    """Simulate the specimen and write the truth; returns the pixel size in nm."""
    rng = np.random.default_rng(SEED)
    specimen = random_specimen(rng, SPECIMEN)
    pixel_size_nm = specimen.width_nm / SIZE_PX
    image = image_intensity(exit_wave(specimen.atoms, SIZE_PX), pixel_size_nm, CONDITIONS)
    np.savez_compressed(
        folder / examples.TRUTH.name,
        relative_intensity=image.astype(np.float16),
        vacuum_dose_e_per_px=VACUUM_DOSE_E_PER_PX,
        drift_px=drift_px(rng),
        corner_px=np.array(CORNER_PX),
        pixel_size_nm=pixel_size_nm,
    )
    return pixel_size_nm


def counts(expected_electrons: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """One Poisson draw of every pixel, from the example's seed."""
    rng = np.random.default_rng([*SEED, 1])
    return np.minimum(rng.poisson(expected_electrons), 255).astype(np.uint8)


def write_series(frames: npt.NDArray[np.uint8], path: Path, pixel_size_nm: float) -> None:
    """An OME-TIFF of (t, y, x) with pixel size and frame time; deflate, which every reader has."""
    metadata = {
        "axes": "TYX",
        "PhysicalSizeX": round(pixel_size_nm, 6),
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": round(pixel_size_nm, 6),
        "PhysicalSizeYUnit": "nm",
        "TimeIncrement": FRAME_TIME_S,
        "TimeIncrementUnit": "s",
        "Description": "Simulated HRTEM, Co on ZnO, 300 kV, 0.45 electrons per pixel in the vacuum; electrons counted",
    }
    tifffile.imwrite(path, frames, ome=True, photometric="minisblack", compression="zlib", metadata=metadata)


def main(arguments: list[str] | None = None) -> None:
    """The command; see the module's first line."""
    parser = argparse.ArgumentParser(prog="python -m napari_gaintune.training.example", description=__doc__)
    parser.add_argument("--out", type=Path, default=examples.SERIES.parent)
    folder = parser.parse_args(arguments).out
    folder.mkdir(parents=True, exist_ok=True)
    pixel_size_nm = make_truth(folder)
    expected = examples.example_truth(folder / examples.TRUTH.name)
    write_series(counts(expected), folder / examples.SERIES.name, pixel_size_nm)
    for name in (examples.SERIES.name, examples.TRUTH.name):
        print(f"{folder / name}: {(folder / name).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
