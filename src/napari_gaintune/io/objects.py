"""Whatever a caller holds (array, layer, signal, path) as a series of frames; known by attributes, never imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from ..errors import ImageError
from ..image import ArraySeries, Calibration, FrameSeries
from .calibration import AxisScale, axis_letter, calibration_of, short_unit
from .readers import open_series
from .rosettasciio_files import check_signal_axes, says_scanned, signal_calibration

IMAGE_LAYERS = ("image", "labels")  # low-count integer images often arrive as Labels


class LayerSeries(ArraySeries):
    """The data of a napari layer; ``paths`` names the file it was loaded from, which must not be overwritten."""

    def __init__(self, data: Any, name: str, calibration: Calibration, paths: tuple[Path, ...]) -> None:
        super().__init__(data, name, calibration)
        self.paths = paths


def series_from(obj: Any, name: str = "image") -> FrameSeries:
    """A numpy or dask array, napari Image or Labels layer, hyperspy Signal2D, path or FrameSeries as a FrameSeries.

    Lazy arrays stay lazy. ``name`` stands in messages where the object has none. Raises ImageError for what cannot be
    an image: colour or point layers, spectra, complex or boolean values, other types.
    """
    if isinstance(obj, (str, Path)):
        return open_series(obj)
    if _is_series(obj):
        return obj
    if hasattr(obj, "axes_manager"):
        return _from_signal(obj, name)
    if all(hasattr(obj, attribute) for attribute in ("data", "scale", "translate", "multiscale")):
        return _from_layer(obj)
    return _from_array(obj, name)


def _is_series(obj: Any) -> TypeGuard[FrameSeries]:
    return all(hasattr(obj, attribute) for attribute in ("frame", "fingerprint", "calibration", "shape", "dtype"))


def _from_array(obj: Any, name: str) -> FrameSeries:
    if isinstance(obj, np.ma.MaskedArray) and np.any(obj.mask):
        raise ImageError(
            f"{name}: {int(np.sum(obj.mask))} masked pixels; give image.filled(numpy.nan) and let them be filled "
            "(nonfinite='fill')"
        )
    try:
        np.dtype(obj.dtype)
        return ArraySeries(obj, name)
    except (AttributeError, TypeError) as error:
        raise ImageError(
            f"{name}: a {type(obj).__name__} is not an image; give a numpy or dask array (numpy.asarray(image)), a "
            "napari Image layer, a hyperspy Signal2D or a path"
        ) from error


def _from_layer(layer: Any) -> FrameSeries:
    name = str(layer.name)
    kind = layer.as_layer_data_tuple()[2] if hasattr(layer, "as_layer_data_tuple") else "image"
    if kind not in IMAGE_LAYERS:
        raise ImageError(f"layer {name!r}: a {kind} layer holds no image; choose an Image layer")
    if getattr(layer, "rgb", False):
        raise ImageError(f"layer {name!r}: a colour picture; split it (layer menu: Split RGB) and choose one channel")
    data = layer.data[0] if layer.multiscale else layer.data
    ndim = len(data.shape)
    labels = getattr(layer, "axis_labels", ("",) * ndim)
    units = getattr(layer, "units", ("",) * ndim)
    axes = [
        AxisScale(axis_letter(label), float(step), layer_unit(unit), float(origin))
        for label, step, unit, origin in zip(labels, layer.scale, units, layer.translate, strict=True)
    ]
    source = getattr(getattr(layer, "source", None), "path", None)
    paths = (Path(source),) if isinstance(source, (str, Path)) else ()
    if not 2 <= ndim <= 4:
        return ArraySeries(data, name)  # refuses it with the reason
    return LayerSeries(data, name, calibration_of(axes), paths)


def layer_unit(unit: Any) -> str:
    """A napari unit (a pint unit, or text) as a short symbol: "nm", "s", "" for pixels."""
    return short_unit(unit if isinstance(unit, str) or unit is None else f"{unit:~}")


def _from_signal(signal: Any, name: str) -> FrameSeries:
    manager = signal.axes_manager
    ordered = sorted((*manager.navigation_axes, *manager.signal_axes), key=lambda axis: int(axis.index_in_array))
    axes = [
        {
            "name": axis.name, "units": axis.units, "navigate": bool(axis.navigate),
            "scale": getattr(axis, "scale", 0.0), "offset": getattr(axis, "offset", 0.0),
        }
        for axis in ordered
    ]  # fmt: skip
    title = str(signal.metadata.get_item("General.title", "")) or name
    check_signal_axes(axes, title)
    if len(axes) > 4:
        return ArraySeries(signal.data, title)  # refuses it with the reason
    series = ArraySeries(signal.data, title, signal_calibration(axes))
    series.is_scanned = says_scanned(signal.metadata.as_dictionary())
    return series
