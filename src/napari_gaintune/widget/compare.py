"""Source, denoised image and reference side by side, in napari's grid, whose cameras move together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import napari.viewer
from napari.layers import Layer

from .layers import is_in, unwrapped


class Comparison:
    """Switches the grid on for some layers, and back to what was shown before."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._viewer = viewer
        self._before: dict[Layer, bool] = {}  # whether it was visible
        self.grid: Any = viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid  # napari 0.9 moved it

    def show(self, compared: Sequence[Layer]) -> None:
        """Only ``compared`` in the grid."""
        others = [unwrapped(layer) for layer in self._viewer.layers]
        for layer in others:
            self._before.setdefault(layer, bool(layer.visible))
            layer.visible = layer in compared
        self.grid.enabled = True
        self._viewer.reset_view()

    def hide(self) -> None:
        """Back to what was visible before; a grid the user made is left alone."""
        if not self._before:
            return
        for layer, was_visible in self._before.items():
            if is_in(layer, self._viewer):
                layer.visible = was_visible
        self._before.clear()
        if self.grid.enabled:
            self.grid.enabled = False
            self._viewer.reset_view()
