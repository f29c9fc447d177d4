"""Fixtures and settings shared by all tests. Neither torch nor napari is imported here: a test that needs them does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
DATA_VARIABLE = "GAINTUNE_DATA"

# The same bits need the same number of threads, here and in the subprocesses of tests: sums are split by thread.
# Libraries read these variables when they are first imported.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, os.environ.get("OMP_NUM_THREADS", "2"))

# Models that the user of this machine has added are none of the tests' business, nor theirs of his.
os.environ["NAPARI_GAINTUNE_MODELS"] = str(REPOSITORY / "no such folder")

# Time limits fail on a busy machine, and random examples fail on somebody else's change.
settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.load_profile("reproducible")


@pytest.fixture(autouse=True)
def same_threads() -> None:
    """Undo what an earlier test did to torch's thread count, where torch is imported at all."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"].split(",")[0]))


@pytest.fixture
def rng() -> np.random.Generator:
    """A numpy generator that starts from the same seed in every test."""
    return np.random.default_rng(20210706)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real micrographs and the paper's data (not part of the repository); skips where it is absent."""
    folder = Path(os.environ.get(DATA_VARIABLE) or REPOSITORY.parent / "shared")
    if not (folder / "data").is_dir():
        pytest.skip(f"real data: no folder {folder / 'data'}; name the folder that holds data/ in {DATA_VARIABLE}")
    return folder
