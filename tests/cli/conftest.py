"""A tiny model and a small series on disk, and the program as users start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

FRAMES, HEIGHT, WIDTH = 5, 40, 48
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a small untrained network, its card beside them."""
    import torch

    from napari_gaintune.models.catalogue import save_model
    from napari_gaintune.models.networks import build_network

    options = {"depth": 3, "width": 4, "bias": True}
    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("model")
    card = {
        "name": "tiny", "architecture": "dncnn", "options": options, "modality": "none", "trained_on": "nothing",
        "objective": "none", "recipe": "none", "licence": "BSD-3-Clause",
    }  # fmt: skip
    save_model(build_network("dncnn", **options), card, folder)
    return folder / "tiny.safetensors"


@pytest.fixture
def counts(rng: np.random.Generator) -> np.ndarray:
    """(5, 40, 48) electron counts, uint16."""
    return rng.poisson(3, (FRAMES, HEIGHT, WIDTH)).astype(np.uint16)


@pytest.fixture
def series_path(tmp_path: Path, counts: np.ndarray) -> Path:
    """The counts as a TIFF with a pixel size of 0.05 nm."""
    path = tmp_path / "series.tif"
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.05, "PhysicalSizeXUnit": "nm"}
    tifffile.imwrite(path, counts, ome=True, metadata=metadata | {"PhysicalSizeY": 0.05, "PhysicalSizeYUnit": "nm"})
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "napari_gaintune", *map(str, arguments)]


@pytest.fixture
def program(tmp_path: Path) -> Run:
    """Runs the program in a process of its own, in an empty folder; returns what it printed and its exit code."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "here"
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            command(*arguments),
            capture_output=True, text=True, check=False, cwd=folder, env=os.environ | environment,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run
