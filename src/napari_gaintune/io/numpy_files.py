"""NumPy .npy files, memory-mapped; pickled objects are never loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..image import Array, Calibration, check_array
from .series import FileSeries, readable


class NpySeries(FileSeries):
    """A .npy array, (..., height, width), of integers or floats."""

    def __init__(self, path: Path) -> None:
        with readable(path, "NumPy array"):
            array = self._map(path)
        check_array(array, path.name)
        super().__init__([path], array.shape, array.dtype, Calibration.uncalibrated(array.ndim), path.name)

    @staticmethod
    def _map(path: Path) -> Array:
        mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped

    def _read(self, index: int) -> Array:
        where = np.unravel_index(index, self.shape[:-2]) if len(self.shape) > 2 else ()
        return np.array(self._map(self.paths[0])[where], dtype=self.dtype, order="C")
