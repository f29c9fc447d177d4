"""A small stand-in for a simulated set, in the format that `simulate` writes: waves of rods in a vacuum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

WAVES, CONDITIONS, SIZE_PX = 6, 2, 96


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    rng = np.random.default_rng(3)
    y, x = np.indices((SIZE_PX, SIZE_PX))
    for index in range(WAVES):
        images = []
        for _ in range(CONDITIONS):
            period, angle = rng.uniform(14, 24), rng.uniform(0, np.pi)
            images.append(1 + 0.4 * np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period) * (y > 40))
        path = folder / f"wave_{index:05d}.json"
        np.save(path.with_suffix(".npy"), np.stack(images).astype(np.float16))
        path.write_text(json.dumps({"seed": 3, "wave": index, "pixel_size_nm": 0.006 + 0.001 * index}))
    return folder
