"""What several io tests need: a small recorded-looking series, and Ctrl-C and refusals made real."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def counts() -> np.ndarray:
    """Four frames of 12 x 10 px, uint16, no two pixels alike."""
    return np.random.default_rng(7).permutation(4 * 12 * 10).astype(np.uint16).reshape(4, 12, 10)


@pytest.fixture
def hs():
    """The real hyperspy, whose import is slow."""
    import hyperspy.api

    hyperspy.api.preferences.General.show_progressbar = False
    return hyperspy.api


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process may read and not write, also where the tests run as root."""
    if os.name == "nt":
        pytest.skip("Windows ignores the write bit of a folder")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with ordinary_user():
            yield Path(folder)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Lay down root's rights, to which no folder is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
