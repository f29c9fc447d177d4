"""Write a result frame by frame as float32 OME-TIFF; whatever happens, finished frames are kept and no file is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import tifffile

from ..errors import OutputError
from ..image import Array, Calibration, FrameSeries
from .ome import ome_xml
from .output_path import check_output, discard, part_path, publish
from .tiff_tags import cut_pages, first_page_tags

RESERVED_DESCRIPTION_BYTES = 8192  # room for the OME-XML in place, so that a full disk cannot keep it out
RESERVED_BYTES_PER_FRAME = 512  # and for each frame's record in the recipe
CLASSIC_TIFF_LIMIT_BYTES = 2**32 - 2**25


class SeriesWriter:
    """Writes frames, one page each, into a hidden file beside ``out``, which takes its name at the end in one step.

    Use as a context manager. ``write`` takes the frames in C order of ``shape`` (..., height, width) without its last
    two axes; set ``recipe`` (made of JSON's types) any time before the end. Leaving the block, by whatever error or
    Ctrl-C, keeps every finished frame under ``out``, or under a free name beside a result that is there and would be
    replaced by a part of one; with none finished nothing is left. ``path`` is the result, None
    until it is there. A process that is killed leaves ``.napari-gaintune-*.part``, a TIFF of the frames so far.

    ``source`` is the input, which is never overwritten. ``compress`` deflates the pages: denoised micrographs shrink
    by a seventh and take six times as long to write, so it is off by default. BigTIFF is used above 4 GB. Raises
    OutputError, and removes the hidden file, where the folder cannot be written or has no room.
    """

    def __init__(
        self,
        out: str | Path,
        shape: tuple[int, ...],
        calibration: Calibration,
        *,
        source: FrameSeries | str | Path | None = None,
        overwrite: bool = False,
        compress: bool = False,
        name: str = "",
    ) -> None:
        self._out = check_output(out, source, overwrite)
        self.path: Path | None = None
        self.recipe: dict[str, Any] | None = None
        self._shape = tuple(int(n) for n in shape)
        if not 2 <= len(shape) <= 4 or len(calibration.axes) != len(shape):
            raise OutputError(
                f"{out}: shape {shape}, axes {calibration.axes!r}; give 2 to 4 axes and a letter for each"
            )
        self._calibration, self._overwrite, self._compress = calibration, overwrite, compress
        self._name = name or self._out.name
        self._planned = int(np.prod(self._shape[:-2], dtype=int))
        self._written = 0
        self._sound_bytes = 0  # length of the file after the last whole frame
        self._done = False
        self._part = part_path(self._out)
        self._file, self._tiff = self._open()

    def _open(self) -> tuple[BinaryIO, tifffile.TiffWriter]:
        needed = self._planned * self._shape[-2] * self._shape[-1] * 4
        with self._failing_writes("be made"):
            room = shutil.disk_usage(self._out.parent)
            if room.total and room.free < needed and not self._compress:
                raise OutputError(
                    f"{self._out}: needs {needed / 1e6:.0f} MB, {room.free / 1e6:.0f} MB are free; "
                    "free some, or write to another disk"
                )
            file = self._part.open("xb")
            try:
                is_big = needed > CLASSIC_TIFF_LIMIT_BYTES
                return file, tifffile.TiffWriter(file, bigtiff=is_big, byteorder="<", ome=False)
            except OSError:
                file.close()
                discard(self._part)
                raise

    def write(self, frame: Array) -> None:
        """Append the next frame, (height, width), stored as float32. Raises OutputError, frames so far unharmed."""
        if self._done:
            raise OutputError(f"{self._out}: already finished; open a new writer for further frames")
        if frame.shape != self._shape[-2:] or self._written == self._planned:
            raise OutputError(
                f"{self._out}: frame {self._written} of shape {frame.shape}; announced were {self._planned} frames of "
                f"shape {self._shape[-2:]}"
            )
        reserved = RESERVED_DESCRIPTION_BYTES + RESERVED_BYTES_PER_FRAME * self._planned
        first = first_page_tags(self._calibration, reserved) if self._written == 0 else {}
        with self._failing_writes("take another frame"):
            self._tiff.write(
                np.ascontiguousarray(frame, dtype=np.float32),
                photometric="minisblack",
                metadata=None,
                contiguous=False,
                compression="zlib" if self._compress else None,
                **first,
            )
            self._file.flush()
            self._sound_bytes = os.fstat(self._file.fileno()).st_size
            self._written += 1

    def finish(self, recipe: dict[str, Any] | None = None, keep: bool = True) -> Path | None:
        """Complete the file with the frames so far and give it its name; the path, or None if nothing was kept.

        ``recipe`` replaces the attribute of that name. ``keep=False`` throws the frames away. A second call changes
        nothing. Raises OutputError; where the file cannot be completed, its frames stay in the hidden file it names.
        """
        if self._done:
            return self.path
        self.recipe = recipe if recipe is not None else self.recipe
        try:
            json.dumps(self.recipe)
        except (TypeError, ValueError) as error:
            self.recipe = None  # a later finish, by the context manager, still saves the frames
            raise OutputError(f"{self._out}: the recipe is not made of JSON's types ({error})") from error
        self._done = True
        self._close()
        if not (keep and self._written):
            discard(self._part)
            return None
        with self._failing_writes(f"be completed, its frames lie in {self._part.name}"):
            self._describe()
            is_part = self._written < self._planned
            incomplete = f"{self._written} of {self._planned} frames" if is_part else ""
            publish(self._part, self._out, self._overwrite, incomplete)
            self.path = self._out
        return self.path

    def _close(self) -> None:
        for handle in (self._tiff, self._file):
            with contextlib.suppress(OSError):  # a full disk: the bytes of the unfinished frame do not matter
                handle.close()

    def _describe(self) -> None:
        """Cut off what follows the last whole frame, write the OME-XML, and see that it is all on the disk."""
        if self._part.stat().st_size != self._sound_bytes:
            cut_pages(self._part, self._sound_bytes)
        shape, calibration = self._shape, self._calibration
        if self._written < self._planned:  # what is there of a stack of stacks is one series of frames
            shape, calibration = (self._written, *shape[-2:]), calibration.last(3)
        xml = ome_xml(shape, calibration, self._name, self.recipe, self._planned)
        tifffile.tiffcomment(self._part, xml)
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _failing_writes(self, what: str) -> Any:
        """Translate the system's refusals; the hidden file is removed by ``finish``."""
        try:
            yield
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot {what} ({error.strerror or error}); free space on the disk, or choose a folder "
                f"that may be written, other than {self._out.parent}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        except OutputError:
            if not self._done:  # a recipe that is no JSON: the frames are worth more than it
                self.finish()
            raise
