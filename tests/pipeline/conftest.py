"""Small real models, saved and loaded as shipped ones are."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_gaintune.models.catalogue import save_model

from ..models.test_networks import SMALL, make

KINDS = [kind for kind in SMALL if kind != "blind-spot, 3 poolings"]  # slow, and no other path


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return small_model(tmp_path, request.param)


@pytest.fixture
def blindspot(tmp_path: Path) -> str:
    return small_model(tmp_path, "blind-spot, 2 poolings")


@pytest.fixture
def dncnn(tmp_path: Path) -> str:
    return small_model(tmp_path, "dncnn bias-free")


def small_model(folder: Path, kind: str) -> str:
    """The path of a network with seeded weights, with a card that knows 0.2 to 2 electrons per pixel."""
    architecture, options = SMALL[kind]
    fields = {
        "name": "small", "architecture": architecture, "options": options, "modality": "test", "trained_on": "nothing",
        "objective": "none", "recipe": "none", "licence": "BSD-3-Clause", "dose_range_e_per_px": (0.2, 2.0), "crop_px": 32,
    }  # fmt: skip
    save_model(make(kind), fields, folder / "models")
    return str(folder / "models" / "small.safetensors")
