"""A small stand-in for a simulated set, in the format that `simulate` writes: rods in a vacuum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_gaintune.training.recipe import ImageRecipe
from napari_gaintune.training.scenes import TemScene

OBJECTS, IMAGES, SIZE_PX = 6, 2, 96


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of sets, with the one set "rods" in it."""
    folder = tmp_path_factory.mktemp("sets") / "rods"
    folder.mkdir()
    recipe = ImageRecipe(name="rods", scene=TemScene(kind="tem"), images=OBJECTS * IMAGES, images_per_object=IMAGES)
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    rng = np.random.default_rng(3)
    y, x = np.indices((SIZE_PX, SIZE_PX))
    for index in range(OBJECTS):
        images = []
        for _ in range(IMAGES):
            period, angle = rng.uniform(14, 24), rng.uniform(0, np.pi)
            images.append(1 + 0.4 * np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period) * (y > 40))
        path = folder / f"{index:05d}.json"
        np.save(path.with_suffix(".npy"), np.stack(images).astype(np.float16))
        path.write_text(json.dumps({"pixel_size_nm": 0.006 + 0.001 * index}))
    return folder.parent


@pytest.fixture(scope="session")
def simulated(sets: Path) -> Path:
    """The folder of the set "rods"."""
    return sets / "rods"
