"""What is left of a missing column and of one that stands alone beside the surface, in a denoised frame.

    python benchmarks/defects.py [--model unet-hrtem ...] [--dose 0.45 2 10] [--pixel-nm 0.01 0.02] [--frames 4] [--steps 0]
        [--seed 0] [--picture defects.png]

Slabs of W, ZnO and Ru, which no training set has, by multislice, once perfect (P) and once with columns missing and added
(D), in the same microscope. A frame of D is denoised, and around each defect, r = 0.15 nm, its result f is put between both:
kept = <f - P, D - P> / |D - P|^2, 1 where the defect is shown as it is, 0 where the lattice is perfect or the vacuum empty.
The same of frames of P says what is there without a defect. Visibility is the difference of the two means over their pooled
standard deviation between defects and frames: below 2 a single one cannot be told. A blur has the sigma nearest to D.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from napari_gaintune import denoise
from napari_gaintune.evaluation.baselines import best_gaussian_blur
from napari_gaintune.training import require
from napari_gaintune.training.crystals import unit_cell
from napari_gaintune.training.hrtem import ImagingConditions, exit_wave, image_intensity
from napari_gaintune.training.parts import block

Image = npt.NDArray[np.float32]
Places = npt.NDArray[np.float64]  # (n, 2): row, column, px

SIDE_PX, BOX_PX = 512, 576  # what is imaged is cut out of the middle of the box
THICKNESS_NM = 3.0
DISC_NM, APART_NM, DEPTH_NM = 0.15, 1.0, 0.6
VACANCIES, ADATOMS = 8, 6
CONDITIONS = ImagingConditions(
    defocus_nm=-6.0,
    spherical_c3_nm=-13e3,
    spherical_c5_nm=2e6,
    focal_spread_nm=3.0,
    convergence_mrad=0.1,
    blur_nm=0.035,
)
SLABS = {"W": "[001], (010) surface", "ZnO": "[001], (120) surface", "Ru": "[001], (120) surface"}


@dataclass(frozen=True)
class Pair:
    """One slab twice, (h, w) with 1 in the vacuum, and where the two differ."""

    material: str
    perfect: Image
    defective: Image
    vacancies: Places
    adatoms: Places


def pair_of(material: str, pixel_nm: float, rng: np.random.Generator) -> Pair:
    """The upper face of a slab across the middle, columns along the beam."""
    half = 5 * BOX_PX * pixel_nm
    lattice = block(unit_cell(material, SLABS[material]), (half, half, 5 * THICKNESS_NM), rng)
    inside = (np.abs(lattice.positions[:, :2]) < half).all(axis=1) & (
        np.abs(lattice.positions[:, 2]) < 5 * THICKNESS_NM
    )
    lattice = lattice[inside]
    sites = np.unique(lattice.positions[lattice.numbers == lattice.numbers.max(), :2].round(2), axis=0)
    shown = sites[np.abs(sites).max(axis=1) < 0.4 * 10 * SIDE_PX * pixel_nm]
    surface = 0.15 * half
    missing = spread(rng, shown[shown[:, 1] < surface - 10 * DEPTH_NM], VACANCIES)
    beside = shown[(shown[:, 1] >= surface) & (shown[:, 1] < surface + 2.3)]
    added = spread(rng, beside, ADATOMS)
    places = lattice.positions[:, :2]
    crystal = places[:, 1] < surface
    row = np.abs(lattice.positions[:, 2]) < 5 * THICKNESS_NM / 2  # half as long as the columns of the slab
    images = []
    for keep in (crystal, (crystal & ~at(places, missing)) | (at(places, added) & row)):
        atoms = lattice[keep]
        points = atoms.positions + np.random.default_rng(7).normal(scale=0.05, size=(len(lattice), 3))[keep]
        points += [half, half, 5 * THICKNESS_NM + 1]
        cell = [2 * half, 2 * half, 10 * THICKNESS_NM + 2]
        boxed = require("ase").Atoms(atoms.numbers, positions=points, cell=cell, pbc=True)
        image = image_intensity(exit_wave(boxed, BOX_PX), pixel_nm, CONDITIONS)
        margin = (BOX_PX - SIDE_PX) // 2
        images.append(image[margin:-margin, margin:-margin])

    def pixels(points: Places) -> Places:
        """y runs up in the model and down in the image."""
        return np.stack(
            [SIDE_PX / 2 - points[:, 1] / 10 / pixel_nm, SIDE_PX / 2 + points[:, 0] / 10 / pixel_nm], axis=1
        )

    return Pair(material, *images, pixels(missing), pixels(added))


def spread(rng: np.random.Generator, sites: Places, count: int) -> Places:
    """At most ``count`` of ``sites``, no two nearer than ``APART_NM``."""
    chosen: list[npt.NDArray[np.float64]] = []
    for site in rng.permutation(sites):
        if len(chosen) < count and all(np.hypot(*(site - other)) > 10 * APART_NM for other in chosen):
            chosen.append(site)
    return np.array(chosen).reshape(-1, 2)


def at(places: Places, columns: Places) -> npt.NDArray[np.bool_]:
    """Which atoms stand in one of ``columns``."""
    if not len(columns):
        return np.zeros(len(places), dtype=bool)
    return np.asarray((np.hypot(*(places[:, None] - columns[None]).transpose(2, 0, 1)) < 0.3).any(axis=1))


def kept(result: Image, pair: Pair, dose: float, places: Places, pixel_nm: float) -> list[float]:
    """How much of each defect ``result`` shows, as the head of this file has it."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    difference = dose * (pair.defective - pair.perfect)
    shares = []
    for row, column in places:
        near = np.hypot(rows - row, columns - column) < DISC_NM / pixel_nm
        signal = difference[near]
        shares.append(float(np.sum((result - dose * pair.perfect)[near] * signal) / np.sum(signal**2)))
    return shares


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)
    ways = [
        "best blur",
        *(f"{model}{' + GainTuning' if steps else ''}" for model in options.model for steps in options.steps),
    ]
    print(
        f"| nm/px | e-/px | | {' | '.join(['vacancy kept', 'visibility', 'adatom kept', 'visibility'])} |\n|{' --- |' * 7}"
    )
    for pixel_nm in options.pixel_nm:
        pairs = [
            pair_of(material, pixel_nm, np.random.default_rng([options.seed, k])) for k, material in enumerate(SLABS)
        ]
        for dose in options.dose:
            found: dict[str, list[list[float]]] = {way: [[], [], [], []] for way in ways}
            for k, pair in enumerate(pairs):
                for frame in range(options.frames):
                    chance = np.random.default_rng([options.seed, k, frame])
                    for which, clean in enumerate((pair.defective, pair.perfect)):
                        noisy = chance.poisson(dose * clean).astype(np.float32)
                        for way, result in zip(ways, results(noisy, dose * clean, options), strict=True):
                            found[way][which] += kept(result, pair, dose, pair.vacancies, pixel_nm)
                            found[way][2 + which] += kept(result, pair, dose, pair.adatoms, pixel_nm)
                            if options.picture and (k, frame, which) == (0, 0, 0) and way == ways[-1]:
                                show(options.picture, pair, noisy, result, f"{pixel_nm:g}nm-{dose:g}e")
            for way in ways:
                print(
                    f"| {pixel_nm:g} | {dose:g} | {way} | {told(*found[way][:2])} | {told(*found[way][2:])} |",
                    flush=True,
                )


def results(noisy: Image, truth: Image, options: argparse.Namespace) -> list[Image]:
    """One for each way, in their order."""
    settings = {"detector_gain": 1.0, "seed": options.seed}
    tuned = [
        denoise(noisy, model=model, steps=steps, **settings).image for model in options.model for steps in options.steps
    ]
    return [best_gaussian_blur(noisy, truth)[0], *tuned]


def told(defective: list[float], perfect: list[float]) -> str:
    there, absent = np.array(defective), np.array(perfect)
    pooled = np.sqrt((there.var(ddof=1) + absent.var(ddof=1)) / 2)
    return f"{there.mean():.2f} (perfect {absent.mean():+.2f}) | {(there.mean() - absent.mean()) / pooled:.1f}"


def show(path: Path, pair: Pair, noisy: Image, result: Image, name: str) -> None:
    """The slab as it is, as it is recorded and as it is denoised, rings around what is missing or added."""
    figure = Figure(figsize=(15, 5), layout="constrained")
    scale = noisy.mean()
    low, high = np.percentile(pair.defective, (0.1, 99.9))
    for axes, image, title in zip(
        figure.subplots(1, 3),
        (pair.defective, noisy / scale, result / scale),
        ("truth", "noisy", "denoised"),
        strict=True,
    ):
        axes.imshow(image, cmap="gray", vmin=low, vmax=high)
        axes.set(title=f"{title}, {name}", xticks=[], yticks=[])
        for places, colour in ((pair.vacancies, "tab:orange"), (pair.adatoms, "tab:cyan")):
            axes.scatter(places[:, 1], places[:, 0], s=250, facecolors="none", edgecolors=colour)
    figure.savefig(path.with_name(f"{path.stem}-{name}{path.suffix}"), dpi=80)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["unet-hrtem"])
    parser.add_argument("--dose", type=float, nargs="+", default=[0.45, 2, 10])
    parser.add_argument("--pixel-nm", type=float, nargs="+", default=[0.01, 0.02])
    parser.add_argument("--frames", type=int, default=4, help="draws of the noise for each slab")
    parser.add_argument("--steps", type=int, nargs="+", default=[0], help="of GainTuning; 0: the pre-trained network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
