"""Whether the counts tell an invented column from a real one: single columns taken out of a specimen, and asked about.

    python benchmarks/invented_columns.py [--dose 0.45 2 5] [--cases 50] [--others 8 24] [--model unet-hrtem]

The specimen is the bundled image of a Co particle on ZnO. In each case one column, drawn at random, is missing in it (its
disc is filled from the rim), and frames are counted. First an image is judged that shows it all the same and is right
otherwise, by one frame: is the missing column called missing, and is another one called there? Then what the model makes
of the frame, pre-trained: does it show the missing column (with more than half the contrast that the specimen had), and
what do the frame's own counts say, which it was made of, and other frames? A call is the sign of the log-likelihood ratio.
"""

from __future__ import annotations

import argparse
import logging
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from napari_gaintune import denoise
from napari_gaintune.evaluation.column_support import ColumnSupport, column_support, without_column
from napari_gaintune.evaluation.columns import COLUMN_RADIUS_NM, columns_in
from napari_gaintune.image import ArraySeries, Calibration

Image = npt.NDArray[np.float64]


def main() -> None:
    options = parse()
    logging.disable(logging.WARNING)
    with np.load(files("napari_gaintune.examples") / "co_zno_truth.npz") as truth:
        specimen, pixel_nm = truth["relative_intensity"].astype(np.float64), float(truth["pixel_size_nm"])
    chance = np.random.default_rng(options.seed)
    every = columns_in(specimen, pixel_nm)
    print(f"{len(every)} columns, {options.cases} cases, seed {options.seed}, {options.model}")
    for dose in options.dose:
        taken = chance.choice(len(every), options.cases, replace=False)
        report(dose, [Case(dose * specimen, pixel_nm, every, int(one), chance, options) for one in taken], options)


class Case:
    """One missing column: what is said of it, and of another one that is there."""

    def __init__(
        self,
        specimen: Image,
        pixel_nm: float,
        every: Image,
        missing: int,
        chance: np.random.Generator,
        options: argparse.Namespace,
    ) -> None:
        radius_px = COLUMN_RADIUS_NM / pixel_nm
        there = int(chance.choice(np.delete(np.arange(len(every)), missing)))
        places = every[[missing, there]]
        real = without_column(specimen, places[0], radius_px)
        counts = chance.poisson(real).astype(np.float32)
        self.perfect = column_support(specimen, counts, pixel_nm, places_px=places)
        series = ArraySeries(counts, "case", Calibration("YX", (pixel_nm, pixel_nm), ("nm", "nm")))
        shown = denoise(series, model=options.model, steps=0, detector_gain=1.0).image
        self.shown = column_support(
            specimen, shown, pixel_nm, places_px=places
        ).contrast  # 1: as much as the specimen had
        self.own = column_support(shown, counts, pixel_nm, places_px=places)
        self.others: dict[int, ColumnSupport] = {
            number: column_support(
                shown, chance.poisson(number * real) / number, pixel_nm, frames=number, places_px=places
            )
            for number in options.others
        }


def report(dose: float, cases: list[Case], options: argparse.Namespace) -> None:
    """Rates over the cases."""

    def told(support: list[ColumnSupport], where: npt.NDArray[np.bool_] | None = None) -> str:
        """Missing called missing, and there called there; of the cases in which the result shows them."""
        ratio = np.array([one.log_likelihood_ratio for one in support])
        rates = []
        for column, right in ((0, ratio[:, 0] < 0), (1, ratio[:, 1] > 0)):
            asked = np.ones(len(ratio), dtype=bool) if where is None else where[:, column]
            rates.append(f"{int(right[asked].sum())} of {int(asked.sum())}")
        return f"missing called missing {rates[0]}, there called there {rates[1]}"

    shown = np.array([case.shown for case in cases]) > 0.5
    print(f"\n{dose:g} e-/px\n  an image that shows it, by one frame: {told([case.perfect for case in cases])}")
    print(
        f"  {options.model} shows {shown[:, 0].sum()} of the missing ones and {shown[:, 1].sum()} of those there; of these:"
    )
    print(f"    by the frame it was made of: {told([case.own for case in cases], shown)}")
    for number in options.others:
        print(f"    by {number} other frames: {told([case.others[number] for case in cases], shown)}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dose", type=float, nargs="+", default=[0.45, 2, 5])
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--others", type=int, nargs="*", default=[8, 24])
    parser.add_argument("--model", default="unet-hrtem")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
