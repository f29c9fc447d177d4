"""Everything else that microscopes write (.dm3 .dm4 .emd .ser .hspy ...), through the optional rosettasciio."""

from __future__ import annotations

import contextlib
import importlib
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..image import Array, Calibration
from .calibration import AxisScale, axis_letter, calibration_of, short_unit
from .series import FileSeries, missing_library, readable

# Named in messages, and told from misspelt suffixes where rosettasciio is not there to be asked.
USUAL_SUFFIXES = (".dm3", ".dm4", ".emd", ".ser", ".emi", ".hspy", ".zspy", ".mib", ".tvips", ".blo")


def knows_suffix(suffix: str) -> bool:
    """Whether rosettasciio reads such files; without it, whether they are among the usual ones."""
    try:
        return bool(_modules(suffix))
    except ImportError:
        return suffix in USUAL_SUFFIXES


def _modules(suffix: str) -> list[str]:
    """The rosettasciio modules that read a suffix (given with its dot). Raises ImportError without rosettasciio."""
    plugins = importlib.import_module("rsciio").IO_PLUGINS
    return [str(p["api"]) for p in plugins if suffix[1:] in (s.lower() for s in p["file_extensions"])]


class RosettasciioSeries(FileSeries):
    """One image or series of images in a file that rosettasciio reads lazily.

    ``dataset`` picks one of several images in a file; by default there must be just one. HDF5 files stay open between
    frames until ``close`` or the end of the series; a copy in another process opens the file for itself.
    """

    def __init__(self, path: Path, dataset: int | None = None) -> None:
        with readable(path, "image"):
            signals = _read_lazily(path)
            try:
                self._dataset = _choose(signals, path, dataset)
                chosen = signals[self._dataset]
                self._hold(chosen["data"])
                name = path.name if len(signals) == 1 else f"{path.name}[{self._dataset}]"
                calibration = signal_calibration(chosen["axes"])
                super().__init__([path], chosen["data"].shape, chosen["data"].dtype, calibration, name)
                self.is_scanned = says_scanned(chosen.get("metadata", {}))
            except BaseException:
                _close_file(*(signal["data"] for signal in signals))
                raise

    def _hold(self, data: Any) -> None:
        self._data = data
        self._finalizer = weakref.finalize(self, _close_file, data)

    def _read(self, index: int) -> Array:
        if self._data is None:
            self._hold(_read_lazily(self.paths[0])[self._dataset]["data"])
        where = tuple(int(i) for i in np.unravel_index(index, self.shape[:-2])) if len(self.shape) > 2 else ()
        frame = self._data[where]
        if not hasattr(frame, "compute"):
            return np.array(frame, dtype=self.dtype, order="C")
        # computed here, in this thread: an open file cannot travel to the workers of a cluster
        return np.asarray(frame.compute(scheduler="synchronous"), dtype=self.dtype, order="C")

    def close(self) -> None:
        self._finalizer()
        self._data = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_data": None, "_finalizer": _nothing}


def _nothing() -> None:
    """Stands for the finalizer of a series that holds no file open."""


def _close_file(*arrays: Any) -> None:
    """Close the HDF5 file behind lazy arrays; rosettasciio itself would keep it open to the end of the process."""
    for array in arrays:
        for node in dict(getattr(array, "dask", {})).values():
            dataset = getattr(node, "value", node)
            with contextlib.suppress(ValueError, RuntimeError):  # a data set of a file that is closed already
                file = getattr(dataset, "file", None)
                if file is not None and hasattr(file, "close"):
                    file.close()


def _read_lazily(path: Path) -> list[dict[str, Any]]:
    suffix = path.suffix.lower()
    try:
        modules = _modules(suffix)
    except ImportError as error:
        raise missing_library(path, "rosettasciio") from error
    if len(modules) > 1:
        readers = ", ".join(module.removeprefix("rsciio.") for module in modules)
        raise ImageError(
            f"{path.name}: {suffix} may be any of {readers}; read it with hyperspy (hs.load(path, reader=...)) and "
            "give the signal, or save it as .hspy"
        )
    file_reader = importlib.import_module(modules[0]).file_reader
    options = {"mode": "r"} if suffix == ".zspy" else {}  # its default for lazy reading asks for the right to write
    try:
        signals = file_reader(str(path), lazy=True, **options)
    except NotImplementedError:
        signals = file_reader(str(path), **options)
    return list(signals)


def _choose(signals: list[dict[str, Any]], path: Path, dataset: int | None) -> int:
    """The index of the wanted image among the signals of a file."""
    if dataset is not None:
        if not 0 <= dataset < len(signals):
            raise ImageError(f"{path.name}: dataset {dataset} of {len(signals)}; datasets are numbered from 0")
        check_signal_axes(signals[dataset]["axes"], path.name)
        return dataset
    images = [i for i, signal in enumerate(signals) if _is_image(signal["axes"])]
    if len(images) == 1:
        return images[0]
    if len(signals) == 1:
        check_signal_axes(signals[0]["axes"], path.name)
    listed = "; ".join(f"{i}: {_title(signal)} {tuple(signal['data'].shape)}" for i, signal in enumerate(signals[:20]))
    raise ImageError(
        f"{path.name}: holds {len(images)} images among {len(signals)} datasets ({listed}); "
        "name one, open_series(path, dataset=0)"
    )


def _title(signal: dict[str, Any]) -> str:
    return str(signal.get("metadata", {}).get("General", {}).get("title", "")) or "untitled"


def _is_image(axes: Iterable[dict[str, Any]]) -> bool:
    flags = [bool(axis.get("navigate", False)) for axis in axes]
    return len(flags) >= 2 and not any(flags[-2:]) and (all(flags[:-2]) or not any(flags))


def check_signal_axes(axes: Iterable[dict[str, Any]], name: str) -> None:
    """Refuse spectra and volumes: the last two array axes must be the image, those before them a series.

    A file that calls every axis a signal axis (EMD of the NCEM kind does) makes no difference: its last two count.
    """
    axes = list(axes)
    if not _is_image(axes):
        kinds = ", ".join(
            f"{axis.get('name') or '?'} ({'navigation' if axis.get('navigate') else 'signal'})" for axis in axes
        )
        raise ImageError(
            f"{name}: axes {kinds}; an image needs exactly two signal axes, the last two: "
            "signal.transpose(signal_axes=('x', 'y')) in hyperspy"
        )


def says_scanned(metadata: Mapping[str, Any]) -> bool:
    """Whether metadata as hyperspy has them say that the image is of a scanning transmission microscope."""
    microscope = metadata.get("Acquisition_instrument", {}).get("TEM", {})
    return str(microscope.get("acquisition_mode", "")).upper() == "STEM"


def signal_calibration(axes: Iterable[dict[str, Any]]) -> Calibration:
    """The calibration of axes described as hyperspy does (name, scale, offset, units; no scale: not uniform)."""
    return calibration_of(
        [
            AxisScale(
                axis_letter(axis.get("name", "")),
                float(axis.get("scale", 0.0)),
                short_unit(axis.get("units")),
                float(axis.get("offset", 0.0)),
            )
            for axis in axes
        ]
    )
