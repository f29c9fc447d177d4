"""Models judged on simulated images that none of them was trained on, beside what needs no model."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..adaptation.config import checked
from ..errors import SettingError
from ..evaluation.baselines import (
    BRAGG_THRESHOLDS,
    NLM_STRENGTHS,
    TV_WEIGHTS,
    best_bragg_filter,
    best_gaussian_blur,
    best_non_local_means,
    best_total_variation,
    flat_mean,
)
from ..evaluation.columns import COLUMN_RADIUS_NM, FINEST_COLUMN_PX, column_score
from ..evaluation.metrics import psnr, ssim
from ..image import Array, Float32
from ..models.catalogue import load_denoiser
from ..noise.models import Poisson
from ..training.dataset import open_set
from ..training.simulate import read_image_recipe
from .api import denoise
from .config import DenoiseConfig

TUNED = ", GainTuned: "  # between a model's name and the objective's
KINDS = ", "  # between the kinds of object in one image
DOSES_E_PER_PX = (0.1, 0.45, 2.0, 10.0)
SIMPLE: dict[str, Callable[[Array, Array], Float32]] = {
    "noisy": lambda noisy, truth: noisy.astype(np.float32),
    "flat mean": lambda noisy, truth: flat_mean(noisy),
    "Gaussian blur, best": lambda noisy, truth: best_gaussian_blur(noisy, truth)[0],
    "Bragg filter, best": lambda noisy, truth: best_bragg_filter(noisy, truth)[0],
    "non-local means, best": lambda noisy, truth: best_non_local_means(noisy, truth)[0],
    "total variation, best": lambda noisy, truth: best_total_variation(noisy, truth)[0],
}


STRENGTHS = {
    "Bragg filter, best": repr(BRAGG_THRESHOLDS),
    "non-local means, best": repr(NLM_STRENGTHS),
    "total variation, best": repr(TV_WEIGHTS),
}
FIRST_OF_A_LINE = '{"set_name": '  # of a score that is written
SHELLS = ("cli", "widget")  # no score depends on them


@dataclass(frozen=True)
class Score:
    """One image at one dose by one method. PSNR in dB: peak 1 e⁻/px, and the truth's own range; columns None: too fine.

    ``weights`` is the beginning of the model's SHA-256, ``steps`` those of GainTuning, ``settings`` what else was asked for,
    as JSON; "" and 0 where there are none. ``images`` is the beginning of the SHA-256 of the set's recipe and the image,
    and ``program`` the version that made the score and the beginning of the SHA-256 of its code.
    """

    set_name: str
    image: str
    material: str
    dose_e_per_px: float
    method: str
    psnr_db: float
    psnr_own_range_db: float
    ssim: float
    columns_matched: int | None
    columns_found: int | None
    columns_true: int | None
    weights: str = ""
    steps: int = 0
    images: str = ""
    settings: str = ""
    program: str = ""

    @property
    def key(self) -> tuple[str | float, ...]:
        """What was scored, and by which version."""
        of_method = (self.method, self.weights, self.steps, self.settings)
        return self.images, self.image, self.dose_e_per_px, *of_method, self.program


@dataclass(frozen=True)
class Method:
    """A way to denoise a trial, by its name in the tables."""

    name: str
    denoise: Callable[[Trial], Float32]
    weights: str = ""
    steps: int = 0
    settings: str = ""


@dataclass(frozen=True)
class Trial:
    """An image to be scored: the truth in expected electrons, and one fixed draw of its counts."""

    set_name: str
    images: str
    name: str
    material: str
    pixel_size_nm: float | None
    dose_e_per_px: float
    truth: Float32
    noisy: Float32


def evaluate(
    folder: Path,
    models: Sequence[str],
    doses_e_per_px: Sequence[float] = DOSES_E_PER_PX,
    steps: int = 60,
    objectives: Sequence[str] = ("auto",),
    images: int = 0,
    known: Sequence[Score] = (),
    **settings: Any,
) -> Iterator[Score]:
    """Scores of every image in ``folder`` (a simulated set) at every dose, by the simple methods and by every model.

    A model is scored as pre-trained, and, with ``steps`` above 0, after GainTuning on that one frame by each of the
    ``objectives``. ``images`` > 0: so many of the set's. ``settings`` are those of ``denoise``. The strength of each
    simple method is chosen by the truth, for each image: an oracle, which no model gets. What is among the ``known`` scores
    is given as it is there. Raises SettingError before any work if there is nothing to do.
    """
    methods = methods_of(models, steps, objectives, settings)
    there, program = {score.key: score for score in known}, program_digest()
    if not doses_e_per_px or not all(0 < dose < float("inf") for dose in doses_e_per_px):
        raise SettingError(f"doses {list(doses_e_per_px)}: give one or more, above 0 electrons per pixel")
    if images < 0:
        raise SettingError(f"limit {images}: give how many images to score, or 0 for all of them")
    for trial in trials(folder, doses_e_per_px, images):
        for method in methods:
            of_method = (method.name, method.weights, method.steps, method.settings)
            key = (trial.images, trial.name, trial.dose_e_per_px, *of_method, program)
            yield there.get(key) or score(trial, method, method.denoise(trial), program)


@cache
def program_digest() -> str:
    """The version, and the beginning of the SHA-256 of all code but the shells': no change of it goes unseen."""
    package = Path(__file__).parents[1]
    files = sorted(path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in SHELLS)
    code = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    return f"{version('napari-gaintune')}+{code.hexdigest()[:12]}"


def methods_of(
    models: Sequence[str], steps: int, objectives: Sequence[str], settings: dict[str, Any] | None = None
) -> list[Method]:
    """The simple methods, and each model before and after GainTuning. Raises ModelError for a model that is not there.

    Raises SettingError for settings that ``denoise`` does not take.
    """

    def by_model(model: str, steps: int, **more: str) -> Callable[[Trial], Float32]:
        # counted electrons, one count each: the program is not asked to find the detector gain
        chosen: dict[str, Any] = {"detector_gain": 1.0} | (settings or {}) | more | {"model": model, "steps": steps}
        checked(DenoiseConfig, chosen)
        return lambda trial: denoise(trial.noisy, **chosen).image

    def by_hand(filtered: Callable[[Array, Array], Float32]) -> Callable[[Trial], Float32]:
        return lambda trial: filtered(trial.noisy, trial.truth)

    methods = [Method(name, by_hand(filtered), settings=STRENGTHS.get(name, "")) for name, filtered in SIMPLE.items()]
    asked = {name: value for name, value in (settings or {}).items() if name != "device"}
    told = json.dumps(asked, sort_keys=True, default=str) if asked else ""
    for model in models:
        weights = load_denoiser(model).card.sha256[:12]
        methods.append(Method(model, by_model(model, 0), weights, 0, told))
        for objective in objectives if steps else ():
            tuned = by_model(model, steps, objective=objective)
            methods.append(Method(f"{model}{TUNED}{objective}", tuned, weights, steps, told))
    return methods


def trials(folder: Path, doses_e_per_px: Sequence[float], limit: int = 0) -> Iterator[Trial]:
    """The first image of each object at each dose.

    The noise is decided by the object's number and the dose: doses that are equal to 0.01 e⁻/px share their draw.
    """
    records = sorted(folder.glob("[0-9]*.json"))
    recipe = read_image_recipe(folder).model_dump_json().encode()
    for place, (entry, record) in enumerate(zip(open_set(folder, 0).training, records, strict=True)):
        if limit and place >= limit:
            return
        facts = json.loads(record.read_text(encoding="utf-8"))
        stored = np.ascontiguousarray(entry.images[0])
        images = hashlib.sha256(recipe + stored.tobytes()).hexdigest()[:12]
        clean = torch.from_numpy(stored.astype(np.float32))
        for dose in doses_e_per_px:
            generator = torch.Generator().manual_seed(1000 * int(record.stem) + round(100 * dose))
            noisy = Poisson().sample(dose * clean, generator).numpy()
            truth, material = (dose * clean).numpy(), material_of(facts)
            yield Trial(folder.name, images, record.stem, material, entry.pixel_size_nm, dose, truth, noisy)


def material_of(facts: dict[str, Any]) -> str:
    """What an image is counted under: its first particle's metal, else its crystal, sheet, film, or all kinds it shows."""
    specimen = facts.get("specimen", facts)
    if specimen.get("particles"):
        return str(specimen["particles"][0]["metal"])
    for name in ("crystal", "sheet", "film", "objects"):
        if name in specimen:
            return KINDS.join(specimen[name]) if name == "objects" else str(specimen[name])
    return "all"


def score(trial: Trial, method: Method, image: Float32, program: str) -> Score:
    """All figures of one image."""
    own_range = float(np.ptp(trial.truth))
    matched = found = true = None
    if trial.pixel_size_nm and trial.pixel_size_nm * FINEST_COLUMN_PX <= COLUMN_RADIUS_NM:
        columns = column_score(image, trial.truth, trial.pixel_size_nm)
        matched, found, true = columns.matched, columns.found, columns.true
    return Score(
        trial.set_name, trial.name, trial.material, trial.dose_e_per_px, method.name,
        psnr(image, trial.truth), psnr(image, trial.truth, own_range), ssim(image, trial.truth, own_range),
        matched, found, true, method.weights, method.steps, trial.images,
        method.settings, program,
    )  # fmt: skip


def read_scores(file: Path) -> list[Score]:
    """The scores in a file of one JSON object a line; lines that a kill cut off are left out.

    Raises SettingError for any other line that is not a score.
    """
    scores = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines() if file.exists() else (), 1):
        try:
            scores.append(Score(**json.loads(line)))
        except (json.JSONDecodeError, TypeError) as error:
            is_cut = isinstance(error, json.JSONDecodeError) and line.startswith(FIRST_OF_A_LINE[: max(1, len(line))])
            if line.strip() and not is_cut:
                raise SettingError(
                    f"{file}, line {number}: not a score ({error}); give a file that --scores wrote"
                ) from error
    return scores


def pooled_columns(scores: Sequence[Score], of: str) -> tuple[float, float]:
    """Matched columns as a share of those ``of`` counts: ``columns_found``, the precision, or ``columns_true``, the recall.

    Pooled over the images, since one in which little is found says little; and the standard deviation of the single
    images' shares, those left out that have none.
    """
    counted = [(s.columns_matched, getattr(s, of)) for s in scores if s.columns_matched is not None]
    shares = [matched / total if total else None for matched, total in counted]
    total = sum(total for _, total in counted)
    return (sum(matched for matched, _ in counted) / total if total else float("nan")), spread(shares)[1]


def spread(values: Sequence[float | None]) -> tuple[float, float]:
    """Mean and standard deviation over images; NaN where there are none."""
    there = [value for value in values if value is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.mean(there)) if there else float("nan"), float(np.std(there)) if there else float("nan")
