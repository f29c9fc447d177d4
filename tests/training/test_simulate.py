"""Simulated sets: files, records, seeds, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_gaintune.errors import SettingError
from napari_gaintune.training import require, simulate
from napari_gaintune.training.dataset import open_set
from napari_gaintune.training.recipe import ImageRecipe
from napari_gaintune.training.scenes import TemScene

RECIPE = ImageRecipe(name="small", seed=3, scene=TemScene(kind="tem"), images=6, images_per_object=2, size_px=64)


def arrays(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*.npy"))]


def test_a_set_is_what_its_recipe_says(tmp_path: Path) -> None:
    reports = list(simulate.simulate(tmp_path, RECIPE, processes=2))
    assert [report.images_done for report in reports] == [2, 4, 6]
    data = open_set(tmp_path, 1)
    assert (data.name, data.images, len(data.held_out)) == ("small", 4, 1)
    assert data.training[0].images.shape == (2, 64, 64)
    assert data.training[0].images.dtype == np.float16
    assert data.training[0].pixel_size_nm == json.loads((tmp_path / "00000.json").read_text())["pixel_size_nm"]
    assert not list(tmp_path.glob("*.part*"))


def test_an_object_is_decided_by_seed_and_number(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    list(simulate.simulate(one, RECIPE, processes=1))
    list(simulate.simulate(two, RECIPE, processes=2))
    assert arrays(one) == arrays(two)
    other = RECIPE.model_copy(update={"seed": 4})
    list(simulate.simulate(tmp_path / "other", other, processes=1))
    assert arrays(tmp_path / "other") != arrays(one)


def test_more_images_go_on_from_those_there_are(tmp_path: Path) -> None:
    list(simulate.simulate(tmp_path, RECIPE, processes=1))
    before = arrays(tmp_path)
    reports = list(simulate.simulate(tmp_path, RECIPE.model_copy(update={"images": 10}), processes=1))
    assert [report.images_done for report in reports] == [8, 10]
    assert arrays(tmp_path)[:3] == before


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    list(simulate.simulate(tmp_path, RECIPE, processes=1))
    with pytest.raises(SettingError, match="another recipe, small"):
        list(simulate.simulate(tmp_path, RECIPE.model_copy(update={"seed": 9}), processes=1))
    with pytest.raises(SettingError, match="no simulated images there"):
        open_set(tmp_path / "nothing", 1)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_a_killed_simulation_goes_on_and_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    recipe = tmp_path / "small.yaml"
    recipe.write_text("name: small\nseed: 3\nimages: 40\nimages_per_object: 2\nsize_px: 128\nscene: {kind: tem}\n")
    command = [sys.executable, "-m", "napari_gaintune", "simulate", str(recipe), "-o", str(tmp_path / "killed")]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = tmp_path / "killed" / "small"
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*.npy"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = len(list(folder.glob("[0-9]*.json")))
    assert 1 <= there < 20, "the kill has to fall in the middle"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = [*command[:-1], str(tmp_path / "whole")]
    subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert len(arrays(folder)) == 20
    assert arrays(folder) == arrays(tmp_path / "whole" / "small")


def test_the_package_imports_without_its_extra() -> None:
    """In a fresh interpreter in which abTEM, ase and yaml cannot be imported."""
    block = "import sys; sys.modules.update(dict.fromkeys(['abtem', 'ase', 'yaml']))\n"
    modules = "simulate, hrtem, structures, example, recipe, dataset, supervised, run, scenes"
    code = block + f"from napari_gaintune.training import {modules}, require\nrequire('abtem')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: abtem is not installed" in run.stderr
    assert "pip install 'napari-gaintune[train]'" in run.stderr


def test_require_gives_the_module() -> None:
    assert require("json").loads("1") == 1
