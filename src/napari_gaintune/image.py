"""Frames, series of frames and their calibration, and the checks every frame passes before any work is done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ImageError

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Nonfinite = Literal["error", "fill"]

WHOLE_HASH_LIMIT_BYTES = 256 * 2**20  # above this, reading every pixel of a lazy series costs more than it tells

NM_PER_UNIT = {
    "m": 1e9, "meter": 1e9, "in": 2.54e7, "cm": 1e7, "mm": 1e6,
    "um": 1e3, "µm": 1e3, "\u03bcm": 1e3, "micrometer": 1e3, "micron": 1e3, "nm": 1.0, "nanometer": 1.0,
    "angstrom": 0.1, "ångström": 0.1, "Å": 0.1, "\u212b": 0.1, "A": 0.1, "pm": 1e-3, "picometer": 1e-3,
}  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """What one array axis after the other means: a letter, a step, an origin and a unit ("" where unknown)."""

    axes: str
    scale: tuple[float, ...]
    units: tuple[str, ...]
    origin: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.origin:
            object.__setattr__(self, "origin", (0.0,) * len(self.axes))
        lengths = {len(self.axes), len(self.scale), len(self.units), len(self.origin)}
        if len(lengths) != 1:
            raise ImageError(
                f"calibration: {len(self.axes)} axes, {len(self.scale)} scales, {len(self.units)} units and "
                f"{len(self.origin)} origins; give one of each per axis"
            )

    @classmethod
    def uncalibrated(cls, ndim: int) -> Calibration:
        """Pixels only: the last two axes are y and x, those before them t, z, c (from the inside out)."""
        axes = ("CZT"[-(ndim - 2) :] if ndim > 2 else "") + "YX"
        return cls(axes=axes, scale=(1.0,) * ndim, units=("",) * ndim)

    @property
    def pixel_size_nm(self) -> tuple[float, float] | None:
        """Pixel size (y, x) in nm, or None where the file does not say."""
        factors = [NM_PER_UNIT.get(unit) for unit in self.units[-2:]]
        if None in factors:
            return None
        y, x = (abs(s) * f for s, f in zip(self.scale[-2:], factors, strict=True) if f is not None)
        return y, x

    def last(self, count: int) -> Calibration:
        """The calibration of the last ``count`` axes."""
        return replace(
            self,
            axes=self.axes[-count:],
            scale=self.scale[-count:],
            units=self.units[-count:],
            origin=self.origin[-count:],
        )


class FrameSeries(Protocol):
    """A lazy stack of 2-D frames: one frame is in memory at a time."""

    name: str
    calibration: Calibration  # one entry per axis of `shape`
    shape: tuple[int, ...]  # (..., height, width); the leading axes are walked in C order as frames
    dtype: np.dtype[Any]
    is_scanned: bool  # the file says that it is of a scanning microscope (STEM)

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Array:
        """Frame ``index`` as stored, (height, width), never modified by us."""
        ...

    def fingerprint(self) -> str:
        """A hash of the input, for the recipe, after the name of its kind: "sha256:..." or "sha256-partial:..."."""
        ...


def with_pixel_size(series: FrameSeries, pixel_size_nm: float) -> FrameSeries:
    """The same frames, calibrated by square pixels of ``pixel_size_nm``; with 0 the series as it is."""
    if not pixel_size_nm:
        return series
    old = series.calibration
    calibrated = copy(series)
    calibrated.calibration = replace(
        old, scale=(*old.scale[:-2], pixel_size_nm, pixel_size_nm), units=(*old.units[:-2], "nm", "nm")
    )
    return calibrated


class ArraySeries:
    """A numpy or dask array, (..., height, width), as a series of frames."""

    is_scanned = False

    def __init__(self, data: Any, name: str = "image", calibration: Calibration | None = None) -> None:
        check_array(data, name)
        self._data = data
        self.name = name
        self.shape = tuple(int(n) for n in data.shape)
        self.dtype = np.dtype(data.dtype)
        self.calibration = calibration or Calibration.uncalibrated(len(self.shape))
        if len(self.calibration.axes) != len(self.shape):
            raise ImageError(
                f"{name}: shape {self.shape} with a calibration of axes {self.calibration.axes!r}; give one axis "
                "letter, scale and unit per dimension"
            )

    def __len__(self) -> int:
        return int(np.prod(self.shape[:-2], dtype=int))

    def frame(self, index: int) -> Array:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name}: frame {index} of {len(self)}; frames are numbered from 0")
        where = np.unravel_index(index, self.shape[:-2]) if len(self.shape) > 2 else ()
        return np.asarray(self._data[tuple(int(i) for i in where)])

    def fingerprint(self) -> str:
        """``sha256:`` over shape, dtype and pixels; ``sha256-partial:`` of a big lazy array's first and last frame."""
        bytes_in_all = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        if isinstance(self._data, np.ndarray) or bytes_in_all <= WHOLE_HASH_LIMIT_BYTES:
            return f"sha256:{hash_frames(self)}"
        return f"sha256-partial:{hash_frames(self, [0, len(self) - 1])}"


def hash_frames(series: FrameSeries, indices: Sequence[int] | None = None) -> str:
    """SHA-256 of shape, dtype and the pixels of the frames ``indices`` (all by default)."""
    digest = hashlib.sha256(f"{series.shape} {series.dtype.newbyteorder('=')}".encode())
    for index in range(len(series)) if indices is None else indices:
        frame = series.frame(index)
        digest.update(np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("=")).tobytes())
    return digest.hexdigest()


def check_array(data: Any, name: str) -> None:
    """Refuse what can never be a series of frames: by dtype and shape alone, without reading a pixel."""
    shape, dtype = tuple(data.shape), np.dtype(data.dtype)
    if dtype.kind == "c":
        raise ImageError(f"{name}: complex values ({dtype}); denoise the modulus or the intensity, np.abs(image)")
    if dtype.kind not in "uif":
        raise ImageError(f"{name}: dtype {dtype} is not an intensity; give integers or floats, e.g. image.astype('f4')")
    if len(shape) < 2:
        raise ImageError(f"{name}: shape {shape} has no rows and columns; give (height, width) or (frames, y, x)")
    if len(shape) > 4:
        raise ImageError(f"{name}: shape {shape} has {len(shape)} axes; at most 4 are read, pick a sub-series first")
    if 0 in shape:
        raise ImageError(f"{name}: shape {shape} is empty; every axis needs at least one pixel")
    if len(shape) == 3 and shape[-1] in (3, 4) and min(shape[:2]) > 4:
        raise ImageError(f"{name}: shape {shape} looks like a colour picture; give one channel, e.g. image[..., 0]")


def check_frame(frame: Array, name: str, nonfinite: Nonfinite = "error", smallest_px: int = 1) -> Float32:
    """A frame as finite, native, C-ordered float32, (height, width); a copy, the input is never modified.

    ``nonfinite="fill"`` replaces NaN and infinities by the median of the finite 5 x 5 neighbours (of the frame where
    there is none). Raises ImageError if the frame is not 2-D, is smaller than ``smallest_px`` in a direction, or holds
    NaN or infinities and these are not to be filled.
    """
    check_array(frame, name)
    if frame.ndim != 2:
        raise ImageError(f"{name}: shape {frame.shape}; one frame has two axes, (height, width)")
    if min(frame.shape) < smallest_px:
        raise ImageError(
            f"{name}: {frame.shape[0]} x {frame.shape[1]} px is smaller than the {smallest_px} px this model needs to "
            "see; use a larger frame or a model with a smaller receptive field"
        )
    values = _as_float32(frame)
    bad = ~np.isfinite(values)
    if not bad.any():
        return values
    y, x = np.argwhere(bad)[0]
    if nonfinite == "error":
        raise ImageError(
            f"{name}: {int(bad.sum())} of {bad.size} pixels are NaN or infinite, the first at row {y}, column {x}; "
            "mend them, or let them be filled from their neighbours (nonfinite='fill', --nonfinite fill)"
        )
    return _fill(values, bad, name)


def count_nonfinite(frame: Array) -> int:
    """How many pixels of a frame as stored are NaN or infinite in float32."""
    return 0 if frame.dtype.kind in "ui" else int((~np.isfinite(_as_float32(frame))).sum())


def _as_float32(frame: Array) -> Float32:
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite
        return np.array(frame, dtype=np.float32, order="C")


def _fill(values: Float32, bad: npt.NDArray[np.bool_], name: str) -> Float32:
    if bad.all():
        raise ImageError(f"{name}: every pixel is NaN or infinite; there is nothing to denoise")
    filled = values.copy()
    whole = np.median(values[~bad])
    for y, x in np.argwhere(bad):
        window = (slice(max(0, y - 2), y + 3), slice(max(0, x - 2), x + 3))
        good = values[window][~bad[window]]
        filled[y, x] = np.median(good) if good.size else whole
    return filled
