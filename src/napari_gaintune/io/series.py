"""What every file reader shares: checks at opening, frame count, fingerprint, and errors a user can act on."""

from __future__ import annotations

import hashlib
import struct
import tokenize
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np
import tifffile

from ..errors import GaintuneError, ImageError
from ..image import WHOLE_HASH_LIMIT_BYTES, Array, Calibration, check_array, hash_frames

HASHED_END_BYTES = 2**20

# What the libraries raise on damaged bytes; a lack of memory and programming errors in this package pass through.
READ_ERRORS = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, EOFError,
    RuntimeError, SyntaxError, struct.error, tifffile.TiffFileError, tokenize.TokenError, zlib.error,
)  # fmt: skip


@contextmanager
def readable(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reading library raises inside the block into an ImageError that names the file."""
    try:
        yield
    except GaintuneError:
        raise
    except ImportError as error:
        raise missing_library(path, error.name or str(error)) from error
    except READ_ERRORS as error:
        raise ImageError(
            f"{path}: cannot be read as {kind} ({type(error).__name__}: {error}); "
            "the file may be cut short, damaged or of another kind: copy it again, or export it anew as TIFF"
        ) from error


def missing_library(path: Path, library: str) -> ImageError:
    """The error for a format whose library is not installed."""
    return ImageError(
        f'{path.name}: reading {path.suffix} files needs {library}, which is not installed; '
        'pip install "napari-gaintune[em]"'
    )  # fmt: skip


def cut_short(path: Path, expected_bytes: int, found_bytes: int) -> ImageError:
    """The error for a file that ends before its pixels do."""
    return ImageError(
        f"{path}: cut short: its header promises pixels up to byte {expected_bytes}, the file has {found_bytes}; "
        "copy it again from where it was recorded"
    )


def read_raw(path: Path, offset: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """Uncompressed pixels at byte ``offset``, (height, width), in native byte order."""
    pixels = np.fromfile(path, dtype=dtype, count=shape[0] * shape[1], offset=offset)
    return pixels.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


class FileSeries(ABC):
    """Frames in files: opened, read and closed frame by frame, so that no handle stays open between two frames.

    Implements FrameSeries, is a context manager, and can be pickled (to other processes, with dask).
    """

    is_scanned = False

    def __init__(
        self, paths: Sequence[Path], shape: tuple[int, ...], dtype: np.dtype[Any], calibration: Calibration, name: str
    ) -> None:
        self.paths = tuple(paths)
        self.name = name
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self.calibration = calibration
        check_array(SimpleNamespace(shape=self.shape, dtype=self.dtype), name)

    @abstractmethod
    def _read(self, index: int) -> Array:
        """Frame ``index``; whatever the library raises is translated by the caller."""

    def __len__(self) -> int:
        return int(np.prod(self.shape[:-2], dtype=int))

    def frame(self, index: int) -> Array:
        """Frame ``index`` as stored, (height, width), in native byte order, a fresh array. Raises ImageError."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name}: frame {index} of {len(self)}; frames are numbered from 0")
        with readable(self.paths[0], "image"):
            frame = self._read(index)
        if frame.shape != self.shape[-2:]:
            raise ImageError(
                f"{self.name}: frame {index} is now {frame.shape}, it was {self.shape[-2:]} when the file was opened; "
                "do not change a file while it is being denoised"
            )
        return frame

    def fingerprint(self) -> str:
        """A hash of the input: ``sha256:`` over shape, dtype and pixels, whatever the container.

        Above 256 MB of pixels ``sha256-partial:`` over the files' names and sizes, and the first and last MB.
        """
        if int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize <= WHOLE_HASH_LIMIT_BYTES:
            return f"sha256:{hash_frames(self)}"
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode(errors="surrogateescape"))
        with self.paths[0].open("rb") as first:
            digest.update(first.read(HASHED_END_BYTES))
        with self.paths[-1].open("rb") as last:
            last.seek(max(0, self.paths[-1].stat().st_size - HASHED_END_BYTES))
            digest.update(last.read(HASHED_END_BYTES))
        return f"sha256-partial:{digest.hexdigest()}"

    def close(self) -> None:  # noqa: B027 - most readers hold nothing open
        """Give back what is held open; the series can still be read afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
