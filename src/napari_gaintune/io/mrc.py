"""MRC files (.mrc, .mrcs): header by mrcfile, pixels read frame by frame."""

from __future__ import annotations

import importlib
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..image import Array, Calibration
from .calibration import AxisScale, calibration_of
from .series import FileSeries, cut_short, read_raw, readable

IMOD_STAMP = 1146047817


class MrcSeries(FileSeries):
    """An MRC image, image stack (axes TYX), volume (ZYX) or stack of volumes, pixel size in angstrom."""

    def __init__(self, path: Path) -> None:
        with readable(path, "MRC"):
            mrcfile = importlib.import_module("mrcfile")
            with mrcfile.open(path, header_only=True) as mrc:
                header = mrc.header
            self._stored = _stored_dtype(mrcfile, header)
            shape = mrcfile.utils.data_shape_from_header(header)
            if min(shape) < 1:
                raise ValueError(f"its header gives the shape {shape}")
            self._offset = int(header.nbytes) + int(header.nsymbt)
            calibration = _calibration(header, shape)
        super().__init__([path], shape, self._stored, calibration, path.name)
        expected = self._offset + int(np.prod(self.shape, dtype=np.int64)) * self._stored.itemsize
        if expected > path.stat().st_size:
            raise cut_short(path, expected, path.stat().st_size)

    def _read(self, index: int) -> Array:
        height, width = self.shape[-2:]
        offset = self._offset + index * height * width * self._stored.itemsize
        return read_raw(self.paths[0], offset, (height, width), self._stored)


def _stored_dtype(mrcfile: Any, header: Any) -> np.dtype[Any]:
    """The pixel type; IMOD and SerialEM keep UNSIGNED bytes under mode 0 and say so in a flag mrcfile does not read."""
    dtype: np.dtype[Any] = mrcfile.utils.data_dtype_from_header(header)
    if int(header.mode) == 0:
        order = ">" if header.mode.dtype.byteorder == ">" else "<"
        stamp, flags = struct.unpack(f"{order}2i", header.extra2.tobytes()[40:48])
        if stamp == IMOD_STAMP and not flags & 1:
            return np.dtype("u1")
    return dtype


def _calibration(header: Any, shape: tuple[int, ...]) -> Calibration:
    voxel = {}
    for axis in "xyz":
        samples, length = int(header[f"m{axis}"]), float(header.cella[axis])
        step = length / samples if samples > 0 else 0.0
        # single precision in the file: 7 digits, so that 1.06 stays 1.06
        voxel[axis] = AxisScale("", float(f"{step:.7g}"), "Å", float(f"{float(header.origin[axis]):.7g}"))
    order = [int(header.mapc), int(header.mapr), int(header.maps)]
    x, y, z = (voxel["xyz"[i - 1]] for i in (order if sorted(order) == [1, 2, 3] else (1, 2, 3)))
    is_stack = len(shape) == 3 and int(header.ispg) == 0
    leading = {2: [], 3: [AxisScale("T") if is_stack else z._replace(letter="Z")]}
    return calibration_of([*leading.get(len(shape), [AxisScale("T"), z._replace(letter="Z")]), y, x])
