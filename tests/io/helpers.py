"""What several io tests do to series and folders."""

from __future__ import annotations

import tracemalloc

import mrcfile
import numpy as np

from napari_gaintune.image import Calibration
from napari_gaintune.io import SeriesWriter, open_series

NM = Calibration("TYX", (0.5, 0.25, 0.125), ("s", "nm", "nm"), (0.0, -3.0, 7.5))
RECIPE = {
    "model": "unet",
    "steps": 100,
    "rate": 1e-3,
    "sigma": None,
    "µ": ["<&>\"'\\", "\u0001\n{}"],
    "deep": {"on": True},
}


def whole(series):
    """All frames of a series as one array of its shape."""
    return np.stack([series.frame(i) for i in range(len(series))]).reshape(series.shape)


def listed(folder):
    """The names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def write(out, frames, calibration, shape=None, recipe=RECIPE, then=lambda: None, **options):
    """Write frames of a result announced as ``shape``, do ``then``, and finish."""
    frames = np.asarray(frames)
    with SeriesWriter(out, shape or frames.shape, calibration, **options) as writer:
        writer.recipe = recipe
        for frame in frames.reshape(-1, *frames.shape[-2:]):
            writer.write(frame)
        then()
    return writer


def write_mrc(path, data, **fields):
    """An MRC file; ``fields`` are set on the file or in its header, ``stack`` makes it a stack of images."""
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(data)
        if fields.pop("stack", False):
            mrc.set_image_stack()
        for name, value in fields.items():
            setattr(mrc if hasattr(type(mrc), name) else mrc.header, name, value)


def signal_of(hs, data, unit="nm", steps=(0.25, 0.5)):
    """A Signal2D whose x axis has the first of ``steps``; frames every 0.04 s."""
    signal = hs.signals.Signal2D(data)
    for axis, step, name in zip(signal.axes_manager.signal_axes, steps, "xy", strict=True):
        axis.scale, axis.units, axis.name, axis.offset = step, unit, name, -2.0
    for axis in signal.axes_manager.navigation_axes:
        axis.name, axis.units, axis.scale = "time", "s", 0.04
    return signal


def sum_of_first_pixels(path, warm_up):
    """The sum over all frames, and the most memory Python held at once; imports and caches are paid by ``warm_up``."""
    with open_series(warm_up) as series:
        series.frame(1)
    tracemalloc.start()
    try:
        with open_series(path) as series:
            total = sum(float(series.frame(i)[0, 0]) for i in range(len(series)))
            return total, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
