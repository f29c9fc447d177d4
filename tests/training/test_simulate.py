"""The simulated set: files, records, seeds, and going on after a stop. Needs abTEM."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_gaintune.training import require, simulate
from napari_gaintune.training.dataset import open_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("abtem")
    return tmp_path_factory.mktemp("set")


@pytest.fixture(scope="module")
def record(folder: Path) -> Path:
    return simulate.simulate_wave(folder, seed=1, index=1, images=2)


def test_a_wave_s_files_hold_the_images_and_their_conditions(record: Path) -> None:
    stack, facts = np.load(record.with_suffix(".npy")), json.loads(record.read_text())
    assert stack.shape == (2, simulate.SIZE_PX, simulate.SIZE_PX)
    assert stack.dtype == np.float16
    assert len(facts["images"]) == 2
    assert 0.0045 < facts["pixel_size_nm"] < 0.0125
    assert 0.8 < stack.astype(np.float32).mean() < 1.02
    assert open_set(record.parent, 0).pixel_size_range_nm == (facts["pixel_size_nm"],) * 2
    assert not list(record.parent.glob("*.part*"))


def test_a_wave_is_decided_by_seed_and_number(record: Path, tmp_path: Path) -> None:
    again = simulate.simulate_wave(tmp_path, seed=1, index=1, images=2)
    assert again.read_text() == record.read_text()
    assert np.array_equal(np.load(again.with_suffix(".npy")), np.load(record.with_suffix(".npy")))


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    for index in range(2):
        (tmp_path / f"wave_{index:05d}.json").write_text("{}")
    assert list(simulate.simulate(tmp_path, images=2 * simulate.CONDITIONS_PER_WAVE, seed=1)) == []


def test_the_package_imports_without_its_extra() -> None:
    """In a fresh interpreter in which abTEM, ase and yaml cannot be imported."""
    block = "import sys; sys.modules.update(dict.fromkeys(['abtem', 'ase', 'yaml']))\n"
    modules = "simulate, hrtem, structures, example, recipe, dataset, supervised, train"
    code = block + f"from napari_gaintune.training import {modules}, require\nrequire('abtem')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: abtem is not installed" in run.stderr
    assert "pip install 'napari-gaintune[train]'" in run.stderr


def test_require_gives_the_module() -> None:
    assert require("json") is json
