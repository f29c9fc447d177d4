"""How often adaptation helps and how often it harms: the changes of single images, from what natural_images.py has written.

    python benchmarks/changes.py scores/*.jsonl [--run channel-gains/sure@1e-2 ...] [--picture changes.png]

One line for each network and way to adapt: how many images there were, over all sets and noise levels, how many lost, by
how much at most, and the most that one gained. The picture is the histogram of
figures 3 and 4 of Mohan et al. 2021; changes below a hundredth of a decibel are counted beside it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

NONE_DB = 0.01  # smaller changes are rounding, or the pre-trained result that was kept
Changes = dict[tuple[str, str], npt.NDArray[np.float64]]  # in dB, by network and way to adapt


def main() -> None:
    options = parse()
    changes = {key: value for key, value in read(options.scores).items() if not options.run or key[1] in options.run}
    if not changes:
        raise SystemExit(f"no scores of {options.run or 'any run'} in {[str(path) for path in options.scores]}")
    for (network, run), db in changes.items():
        lost = db[db < 0]
        print(
            f"{network:26s} {run:34s} {len(db):4d} images: {len(lost)} lose, {np.sum(db < -NONE_DB)} by more than "
            f"{NONE_DB} dB, the most {abs(lost.min(initial=0)):.3f}; mean {db.mean():+.2f} dB, best {db.max():+.2f}"
        )
    if options.picture:
        draw(changes, options.picture)


def read(files: list[Path]) -> Changes:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in (json.loads(line) for file in files for line in file.read_text().splitlines() if line.endswith("}")):
        found[row["network"], row["run"]].append(row["curve"]["kept"] - row["start"])
    return {key: np.array(value) for key, value in found.items()}


def draw(changes: Changes, path: Path) -> None:
    """A panel for each network and run; counts on a logarithmic scale, so that single losses show."""
    every = np.concatenate(list(changes.values()))
    edges = np.arange(np.floor(every.min()), np.ceil(every.max()) + 0.25, 0.5)
    figure, panels = plt.subplots(
        len(changes), sharex=True, squeeze=False, figsize=(6, 1.0 + 1.5 * len(changes)), layout="constrained"
    )
    for axes, ((network, run), db) in zip(panels[:, 0], changes.items(), strict=True):
        moved = db[np.abs(db) >= NONE_DB]
        axes.hist(moved, bins=edges, color="tab:blue", log=True)
        axes.axvline(0, color="black", linewidth=0.5)
        title = (
            f"{network}, {run}: {np.sum(moved > 0)} gain, {np.sum(moved < 0)} lose, {len(db) - len(moved)} unchanged"
        )
        axes.set(ylim=(0.5, None), ylabel="images", title=title)
    panels[-1, 0].set(xlabel="change of PSNR against the pre-trained network (dB)")
    figure.savefig(path, dpi=120)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, nargs="+")
    parser.add_argument("--run", nargs="*", default=[], help="without it all")
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
