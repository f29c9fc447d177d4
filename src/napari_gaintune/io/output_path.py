"""Where a result may be written, and how it gets there without ever destroying a file."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import OutputError
from ..image import FrameSeries

SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff")


def check_output(
    out: str | Path,
    source: FrameSeries | str | Path | None = None,
    overwrite: bool = False,
    what: str = "results are written as OME-TIFF",
    suffixes: Sequence[str] = SUFFIXES,
) -> Path:
    """The output path, once nothing speaks against writing it: call this before any work.

    Raises OutputError if the name ends in none of ``suffixes`` (then ``what`` says why it should), the folder is missing,
    ``out`` exists and ``overwrite`` is false, or ``out`` is the input (also through links), which is refused even with
    ``overwrite``.
    """
    path = Path(out).expanduser()
    if not path.name.lower().endswith(tuple(suffixes)):
        any_of = "one of " if len(suffixes) > 1 else ""
        raise OutputError(f"{path}: {what}; let the name end in {any_of}{' '.join(suffixes)}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first, or choose another")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give a file name")
    refuse_input(path, source_paths(source))
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path}: exists already; choose another name, or allow it with overwrite=True (--overwrite)")
    return path


def source_paths(source: object) -> tuple[Path, ...]:
    """The files a series comes from, as far as it knows them."""
    if source is None:
        return ()
    if isinstance(source, (str, Path)):
        return (Path(source).expanduser(),)
    folder = getattr(source, "folder", None)
    return (*getattr(source, "paths", ()), *([folder] if folder else []))


def refuse_input(out: Path, sources: Iterable[Path]) -> None:
    """Raise OutputError if ``out`` is one of the input files or would join the frames of an input folder."""
    sources = list(sources)
    for source in sources:
        same = out.resolve() == source.resolve() or (out.exists() and source.exists() and out.samefile(source))
        if same:
            raise OutputError(f"{out}: is the input; the recording is never overwritten, choose another name")
    if any(source.is_dir() and out.parent.resolve() == source.resolve() for source in sources):
        raise OutputError(f"{out}: lies among the frames of the input folder and would be read as one; write elsewhere")


def part_path(out: Path) -> Path:
    """A fresh hidden name beside ``out``, on the same file system, so that the last step is one renaming."""
    return out.with_name(f".napari-gaintune-{secrets.token_hex(6)}.part")


def publish(part: Path, out: Path, overwrite: bool, incomplete: str = "") -> None:
    """Give the finished file its name in one step.

    Where ``out`` has appeared meanwhile, or cannot be replaced (a folder now; open in a program, on Windows), the result
    gets a free name beside it and OutputError says which. So does one that is ``incomplete``, in words: a whole result
    is not given up for the beginning of another.
    """
    if incomplete and overwrite and os.path.lexists(out):
        spare = _free_name(out)
        _claim(part, spare)
        raise OutputError(
            f"{out}: was left as it is, since of the new result there are only {incomplete}: {spare.name}"
        )
    try:
        if overwrite:
            part.replace(out)
        else:
            _claim(part, out)
    except OSError as error:
        spare = _free_name(out)
        _claim(part, spare)
        reason = f"cannot be replaced ({error.strerror})" if overwrite else "appeared during the run"
        raise OutputError(f"{out}: {reason} and was left as it is; the result is in {spare.name}") from error


def _claim(part: Path, out: Path) -> None:
    """Rename without ever replacing: FileExistsError if ``out`` exists, however shortly before it was made."""
    try:
        os.link(part, out)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT, some network drives): reserve the name, then replace our reservation
        os.close(os.open(out, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            part.replace(out)
        except OSError:
            out.unlink()
            raise
    else:
        part.unlink()


def _free_name(out: Path) -> Path:
    split = ((out.name[: -len(s)], out.name[-len(s) :]) for s in SUFFIXES if out.name.lower().endswith(s))
    stem, suffix = next(split, (out.stem, out.suffix))
    numbers = iter(range(1, 10_000))
    return next(p for n in numbers if not os.path.lexists(p := out.with_name(f"{stem}-{n}{suffix}")))


def discard(part: Path) -> None:
    """Remove an unfinished file, if it is still there."""
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)
