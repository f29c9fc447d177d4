"""``napari-gaintune evaluate``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from tqdm import tqdm

from .flags import AsJson
from .interrupts import Interrupts
from .outcome import DONE, INTERRUPTED, complain

if TYPE_CHECKING:
    from ..pipeline.evaluate import Score

FIGURES = {  # column of a table: the Score's field, its digits
    "PSNR, peak 1 e⁻/px (dB)": ("psnr_db", 2),
    "PSNR, peak the truth's range (dB)": ("psnr_own_range_db", 2),
    "SSIM": ("ssim", 3),
}
COLUMNS = {"column precision": "columns_found", "column recall": "columns_true"}  # share of these that are matched


def evaluate(
    *models: str,
    images: Path,
    dose: Annotated[tuple[float, ...], Parameter(consume_multiple=True)] = (0.1, 0.45, 2.0, 10.0),
    steps: int = 60,
    objective: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = ("auto",),
    averaging: str = "shifts",
    limit: int = 0,
    device: str = "auto",
    scores: Path | None = None,
    as_json: AsJson = False,
) -> int:
    """Score models on simulated images that they were not trained on, before and after GainTuning.

    Make the images with: napari-gaintune simulate hrtem-validation -o DIR. Each table has a row per method and a column per
    dose; mean ± standard deviation over the images. The strengths of the blur, of the Bragg filter, of non-local means and
    of total variation are chosen by the truth, for each image, which no model gets.

    Parameters
    ----------
    models
        Names, or paths of .safetensors files; none: only the simple methods.
    images
        The folder of one set, such as DIR/hrtem-validation.
    dose
        Electrons per pixel: of the vacuum in TEM, on average in STEM.
    steps
        Of GainTuning on each frame; 0: pre-trained only.
    objective
        One or more, each in a row of its own; see napari-gaintune denoise.
    averaging
        shifts, orientations or none; see napari-gaintune denoise.
    limit
        Only the first so many images; 0: all.
    device
        auto, cpu, cuda or cuda:1.
    scores
        Keep every single score in this file as it comes, one JSON object a line. Stopped at any moment, the same command
        goes on where it was; files of several runs can be put together.
    as_json
        Print every single score as a JSON list, and no table.
    """
    from ..pipeline.evaluate import evaluate as run
    from ..pipeline.evaluate import methods_of, read_scores

    count = min(limit or 10**9, len(list(images.glob("[0-9]*.json"))))
    planned = count * len(dose) * len(methods_of(models, steps, objective))
    known = read_scores(scores) if scores else []
    kept, done = {score.key for score in known}, []
    with Interrupts() as asked, tqdm(total=planned, unit="score") as bar:
        for score in run(images, models, dose, steps, objective, limit, known, device=device, averaging=averaging):
            done.append(score)
            if scores and score.key not in kept:
                keep(score, scores)
            bar.update()
            bar.set_postfix_str(f"image {score.image}, {score.dose_e_per_px:g} e⁻/px")
            if asked():
                break
    if as_json:
        print(json.dumps([asdict(score) for score in done]))
    else:
        print_tables(done)
    return complain("stopped; these are the scores so far", INTERRUPTED) if len(done) < planned else DONE


def keep(score: Score, file: Path) -> None:
    """One more line; it begins with the line's end, so that one which was cut off spoils no other."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write("\n" + json.dumps(asdict(score)))


def print_tables(scores: Sequence[Score]) -> None:
    """Image quality, atom columns, the worst material and what GainTuning changes, as Markdown."""
    from ..pipeline.evaluate import TUNED

    for title, (name, digits) in FIGURES.items():
        print(f"\n{title}\n\n{table(scores, name, digits)}")
    for title, of in COLUMNS.items():
        print(f"\n{title}, all images together\n\n{columns_table(scores, of)}")
    print(f"\nPSNR gain over the best Gaussian blur by material (dB), worst first\n\n{materials(scores)}")
    if any(TUNED in score.method for score in scores):
        print(f"\nPSNR change by GainTuning (dB): mean; worst image; worst material's mean\n\n{changes(scores)}")


def table(scores: Sequence[Score], name: str, digits: int) -> str:
    """Mean ± standard deviation over the images."""
    from ..pipeline.evaluate import spread

    def cell(chosen: Sequence[Score]) -> str:
        mean, deviation = spread([getattr(score, name) for score in chosen])
        return f"{mean:.{digits}f} ± {deviation:.{digits}f}"

    return _rows(scores, list(dict.fromkeys(score.method for score in scores)), cell)


def columns_table(scores: Sequence[Score], of: str) -> str:
    """Pooled over the images ± standard deviation of the single ones."""
    from ..pipeline.evaluate import pooled_columns

    def cell(chosen: Sequence[Score]) -> str:
        share, deviation = pooled_columns(chosen, of)
        return "none found" if isnan(share) else f"{share:.2f} ± {deviation:.2f}"

    return _rows(scores, list(dict.fromkeys(score.method for score in scores)), cell)


def materials(scores: Sequence[Score], baseline: str = "Gaussian blur, best") -> str:
    """Each material's mean gain over the baseline, for the models."""
    from ..pipeline.evaluate import SIMPLE

    blur = _by_trial(scores, baseline)

    def cell(chosen: Sequence[Score]) -> str:
        return ", ".join(f"{material} {mean:+.2f}" for mean, material in _by_material(chosen, blur))

    return _rows(scores, [m for m in dict.fromkeys(score.method for score in scores) if m not in SIMPLE], cell)


def changes(scores: Sequence[Score]) -> str:
    """What GainTuning changes against the model as pre-trained: the mean, the worst image, the worst material's mean."""
    from ..pipeline.evaluate import TUNED

    def cell(chosen: Sequence[Score]) -> str:
        start = _by_trial(scores, chosen[0].method.split(TUNED)[0])
        image = [s.psnr_db - start[s.image, s.dose_e_per_px] for s in chosen]
        worst, material = _by_material(chosen, start)[0]
        return f"{sum(image) / len(image):+.2f}; {min(image):+.2f}; {material} {worst:+.2f}"

    return _rows(scores, [m for m in dict.fromkeys(score.method for score in scores) if TUNED in m], cell)


def _rows(scores: Sequence[Score], methods: Sequence[str], cell: Callable[[Sequence[Score]], str]) -> str:
    """A row per method, a column per dose."""
    doses = sorted({score.dose_e_per_px for score in scores})
    lines = ["| | " + " | ".join(f"{dose:g} e⁻/px" for dose in doses) + " |", "| --- |" + " --- |" * len(doses)]
    for method in methods:
        chosen = [[s for s in scores if s.method == method and s.dose_e_per_px == dose] for dose in doses]
        lines.append(f"| {method} | " + " | ".join(cell(group) if group else "" for group in chosen) + " |")
    return "\n".join(lines)


def _by_trial(scores: Sequence[Score], method: str) -> dict[tuple[str, float], float]:
    return {(s.image, s.dose_e_per_px): s.psnr_db for s in scores if s.method == method}


def _by_material(scores: Sequence[Score], baseline: Mapping[tuple[str, float], float]) -> list[tuple[float, str]]:
    """(mean gain, material), the worst first. An image of several kinds of object counts for each of them."""
    from ..pipeline.evaluate import KINDS

    gains: dict[str, list[float]] = {}
    for s in scores:
        for material in s.material.split(KINDS):
            gains.setdefault(material, []).append(s.psnr_db - baseline[s.image, s.dose_e_per_px])
    return sorted((sum(values) / len(values), material) for material, values in gains.items())
