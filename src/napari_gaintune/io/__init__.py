"""Frames in, frames out: readers, writers, calibration and the recipe of a result."""

from __future__ import annotations

from .objects import series_from
from .ome import read_recipe
from .output_path import check_output
from .readers import open_series
from .writers import SeriesWriter

__all__ = ["SeriesWriter", "check_output", "open_series", "read_recipe", "series_from"]
