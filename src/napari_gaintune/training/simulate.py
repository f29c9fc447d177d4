"""Make a set of clean images as a recipe says.

One object gives one file ``00000.npy``, float16 (images, size, size), and one ``00000.json`` with what it is and how it was
imaged; ``recipe.json`` says what all of it was made by. An object whose json is there is skipped: stop it and start it
again at will. Object ``i`` of a recipe is the same images on every run, in any order, in a full set and in a reduced one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..errors import SettingError
from .recipe import ImageRecipe

RECIPE_FILE = "recipe.json"


@dataclass(frozen=True)
class SimulationReport:
    """How many of the images are there."""

    images_done: int
    images: int


def simulate_object(folder: Path, recipe: ImageRecipe, index: int) -> Path:
    """Draw object ``index`` and write both files; returns the json, written last."""
    drawn = recipe.scene.draw(np.random.default_rng([recipe.seed, index]), recipe.images_per_object, recipe.size_px)
    record = {"object": index, "pixel_size_nm": drawn.pixel_size_nm} | drawn.record
    path = folder / f"{index:05d}.json"
    _write_whole(path.with_suffix(".npy"), drawn.images.astype(np.float16))
    _write_whole(path, json.dumps(record, indent=1, default=float))
    return path


def simulate(
    folder: Path, recipe: ImageRecipe, processes: int, only: Sequence[int] | None = None
) -> Iterator[SimulationReport]:
    """Make what is missing of the recipe's images in ``folder``; a report after each finished object.

    ``only`` names the objects, where not all of them are wanted.
    Raises SettingError if the folder holds the images of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, recipe)
    wanted = range(-(-recipe.images // recipe.images_per_object)) if only is None else only
    objects = len(wanted)
    missing = [i for i in wanted if not (folder / f"{i:05d}.json").exists()]
    done = objects - len(missing)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for _ in pool.map(simulate_object, [folder] * len(missing), [recipe] * len(missing), missing):
            done += 1
            yield SimulationReport(done * recipe.images_per_object, objects * recipe.images_per_object)


def read_image_recipe(folder: Path) -> ImageRecipe:
    """The recipe that the images in ``folder`` were made by. Raises SettingError if there is none."""
    try:
        return ImageRecipe.model_validate_json((folder / RECIPE_FILE).read_bytes())
    except OSError as error:
        raise SettingError(
            f"{folder}: no simulated images there ({error}); make them with: napari-gaintune simulate RECIPE"
        ) from error
    except ValidationError as error:
        raise SettingError(
            f"{folder / RECIPE_FILE}: not a recipe of images ({error.errors()[0]['msg']}); simulate into an empty folder"
        ) from error


def _claim(folder: Path, recipe: ImageRecipe) -> None:
    """A folder holds the images of one recipe, of however many of them."""
    if not (folder / RECIPE_FILE).exists():
        _write_whole(folder / RECIPE_FILE, recipe.in_full().model_dump_json(indent=1))
    there = read_image_recipe(folder)
    if there.model_copy(update={"images": recipe.images}) != recipe.in_full():
        raise SettingError(f"{folder}: holds the images of another recipe, {there.name}; give another folder")


def _write_whole(path: Path, content: Any) -> None:
    """Write beside the target and rename: a run that is killed leaves no half file under the final name."""
    partial = path.with_name(f"{path.name}.part{os.getpid()}")
    if isinstance(content, str):
        partial.write_text(content, encoding="utf-8")
    else:
        with partial.open("wb") as file:
            np.save(file, content)
    partial.replace(path)


def _one_thread() -> None:
    """A worker is one of as many as there are cores: its libraries must not start threads of their own."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
