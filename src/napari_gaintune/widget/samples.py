"""The bundled series for napari's File > Open Sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..examples import example_path
from ..io import open_series
from .layers import layer_units

LayerTuple = tuple[Any, dict[str, Any], str]


def example_series() -> list[LayerTuple]:
    """The simulated low-dose series as one calibrated Image layer."""
    series = open_series(example_path())
    counts = np.stack([series.frame(index) for index in range(len(series))]).reshape(series.shape)
    calibration = series.calibration
    shown = {
        "name": "Co on ZnO",
        "scale": calibration.scale,
        "translate": calibration.origin,
        "units": layer_units(calibration.units),
        "axis_labels": tuple(calibration.axes.lower()),
        "contrast_limits": (0, np.percentile(counts, 99.5)),
        "colormap": "gray",
    }
    return [(counts, shown, "image")]
