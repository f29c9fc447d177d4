"""Which layers can be denoised, which frame is shown, where a result belongs, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import napari.viewer
import numpy as np
import pint
import psutil
from napari.layers import Image, Labels, Layer, Points
from napari.utils.transforms import CompositeAffine

from ..errors import SettingError
from ..image import Array, Float32
from .worker import Averaged

if TYPE_CHECKING:
    from ..pipeline.check import Check

SHOWN_PERCENTILES = (0.2, 99.8)
RECIPE_KEY = "gaintune"


def unwrapped(layer: Any) -> Any:
    """The layer itself: a viewer handed to a plugin wraps what it returns, and a wrapper is identical to nothing."""
    return getattr(layer, "__wrapped__", layer)


def denoisable_layers(viewer: napari.viewer.Viewer) -> list[Layer]:
    """Image layers of one channel, and Labels: readers turn counts of small integers into these."""
    layers = [unwrapped(layer) for layer in viewer.layers]
    return [layer for layer in layers if isinstance(layer, Image | Labels) and not getattr(layer, "rgb", False)]


def is_in(layer: Layer | None, viewer: napari.viewer.Viewer) -> TypeGuard[Layer]:
    """A removed layer still accepts data without a word."""
    return layer is not None and any(unwrapped(other) is layer for other in viewer.layers)


def shape_of(layer: Layer) -> tuple[int, ...]:
    """The shape of a layer's pixels, at full size."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(length) for length in data.shape)


def layer_units(units: Iterable[str]) -> tuple[str, ...]:
    """Units napari accepts; an axis without one, or with one pint does not know, counts pixels."""
    registry = pint.get_application_registry()
    return tuple(unit if unit and unit in registry else "pixel" for unit in units)


def shown_frame(viewer: napari.viewer.Viewer, layer: Layer) -> int:
    """The index of the frame under the viewer's sliders, in C order of the layer's leading axes."""
    shape = shape_of(layer)
    if len(shape) < 3:
        return 0
    point = np.asarray(viewer.dims.point[-layer.ndim :], dtype=float) * _unit_factors(viewer, layer)
    place = np.round(layer.world_to_data(point)[:-2]).astype(int)
    return int(np.ravel_multi_index(tuple(place), shape[:-2], mode="clip"))


def show_frame(viewer: napari.viewer.Viewer, layer: Layer, index: int) -> None:
    """Move the viewer's sliders to a frame of ``layer``."""
    shape = shape_of(layer)
    if len(shape) < 3:
        return
    place = (*np.unravel_index(index, shape[:-2]), 0, 0)
    world = np.asarray(layer.data_to_world(place)) / _unit_factors(viewer, layer)
    first = viewer.dims.ndim - layer.ndim
    axes = range(first, viewer.dims.ndim - 2)
    viewer.dims.set_point(list(axes), [float(value) for value in world[:-2]])


def _unit_factors(viewer: napari.viewer.Viewer, layer: Layer) -> Any:
    """What one unit of the viewer's sliders is in the layer's units: layers in nm and in Å may share a viewer."""
    units = getattr(viewer.dims, "units", None)
    if units is None or len(units) < layer.ndim:
        return np.ones(layer.ndim)
    return np.array(
        [(1 * ours).to(theirs).magnitude for ours, theirs in zip(units[-layer.ndim :], layer.units, strict=True)]
    )


def placement(layer: Layer, start: Sequence[int]) -> dict[str, Any]:
    """Layer arguments that put an array of the layer's axes, cut out from frame ``start`` on, where it came from."""
    to_physical = CompositeAffine(
        scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear, ndim=layer.ndim
    )
    return {
        "scale": layer.scale,
        "translate": to_physical([*start, 0, 0]),
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


class Box:
    """The smallest block of a series' leading axes that holds the chosen frames."""

    def __init__(self, frames: Sequence[int], shape: tuple[int, ...]) -> None:
        self.leading = shape[:-2]
        places = np.array(np.unravel_index(list(frames), self.leading)) if self.leading else np.zeros((0, 1), dtype=int)
        self.start = [int(n) for n in places.min(axis=1)]
        self.shape = (*(int(n) for n in np.ptp(places, axis=1) + 1), *shape[-2:])

    def place(self, frame: int) -> tuple[int, ...]:
        """Where a frame of the series lies in the box."""
        if not self.leading:
            return ()
        places = np.unravel_index(frame, self.leading)
        return tuple(int(n) - first for n, first in zip(places, self.start, strict=True))


class ResultLayers:
    """The layers of one run, above their source: "NAME denoised", and "NAME reference", which is hidden at first.

    The denoised layer covers the chosen frames alone, and lies where they lie, so that the frame slider stays in step;
    it is made with the first picture. Frames not reached yet, or not chosen, are 0.
    """

    def __init__(self, viewer: napari.viewer.Viewer, source: Layer, frames: list[int]) -> None:
        self.viewer, self.source = viewer, source
        self.denoised: Image | None = None
        self.reference: Image | None = None
        self.columns: Points | None = None
        self._box = Box(frames, shape_of(source))
        self._finished: list[int] = []
        self._previewed: set[int] = set()
        self.frames_planned = len(frames)
        needed = int(np.prod(self._box.shape, dtype=np.int64)) * 4
        free = psutil.virtual_memory().available
        if needed > free:
            raise SettingError(
                f"{len(frames)} denoised frames need {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free; "
                "choose a range of frames, or denoise on the command line, which writes them to a file one by one"
            )
        self._pixels: Float32 = np.zeros(self._box.shape, dtype=np.float32)

    @property
    def frames_done(self) -> int:
        return len(self._finished)

    def finished_places(self) -> list[int]:
        """The finished frames, counted in the denoised layer as it is after the end: what is worth saving."""
        places = [self._box.place(frame) for frame in sorted(self._finished)]
        return (
            [int(np.ravel_multi_index(place, self._box.shape[:-2])) for place in places] if self._box.leading else [0]
        )

    def present(self) -> list[Layer]:
        """Source, denoised image and reference, as far as they are in the viewer."""
        return [layer for layer in (self.source, self.denoised, self.reference) if is_in(layer, self.viewer)]

    @property
    def was_removed(self) -> bool:
        """Whether the user has thrown the result away."""
        return self.denoised is not None and not is_in(self.denoised, self.viewer)

    def show(self, frame: int, picture: Array, finished: bool) -> None:
        """Put a picture in its place; ``refresh`` draws it."""
        self._pixels[self._box.place(frame)] = picture
        if finished:
            self._finished.append(frame)
            self._previewed.discard(frame)
        else:
            self._previewed.add(frame)
        if self.denoised is None:
            self.denoised = self._added("denoised", self._pixels, picture, self._box.start)
            if is_in(self.reference, self.viewer):
                self.reference.contrast_limits = self.denoised.contrast_limits  # one grey scale for both

    def show_reference(self, averaged: Averaged) -> None:
        first = averaged.stack[(slice(0, 1),) * (averaged.stack.ndim - 2) + (slice(None), slice(None))]
        start = [0] * (averaged.stack.ndim - 2)
        self.reference = self._added("reference", averaged.stack, first, start)
        self.reference.visible = False  # it would hide what is below it
        self.reference.metadata[RECIPE_KEY] = {
            "reference": "average of all other frames after their drift was undone in whole pixels",
            "drifts_px": [list(drift) for drift in averaged.drifts_px],
        }

    def picture(self, frame: int) -> Float32 | None:
        """A finished frame, (h, w)."""
        return self._pixels[self._box.place(frame)].copy() if frame in self._finished else None

    def show_columns(self, found: Check) -> None:
        """A circle around each column of atoms of the checked frame, in place of those of an earlier check."""
        from ..evaluation.columns import COLUMN_RADIUS_NM
        from ..pipeline.check_picture import looks_of

        if is_in(self.columns, self.viewer):
            self.viewer.layers.remove(self.columns)
        support = found.witnessed
        if support is None or found.pixel_size_nm is None or not len(support.places_px):
            return
        place = np.broadcast_to(self._box.place(found.frame), (len(support.places_px), len(self._box.leading)))
        radius_px = COLUMN_RADIUS_NM / found.pixel_size_nm
        looks = looks_of(found)
        self.columns = Points(
            np.hstack([place, support.places_px]),
            name=f"{self.source.name} columns",
            size=2 * radius_px,
            face_color="transparent",
            border_color=[colour for colour, _ in looks],
            border_width=[width / 2 for _, width in looks],
            border_width_is_relative=False,
            features={
                "contrast": support.contrast, "standard error": support.standard_error,
                "is told": support.is_told, "is invented": support.is_invented,
            },
            **placement(self.source, self._box.start),
        )  # fmt: skip
        self.viewer.layers.append(self.columns)

    def refresh(self) -> None:
        if is_in(self.denoised, self.viewer):
            self.denoised.refresh()

    def finish(self, recipe: dict[str, Any]) -> None:
        """Keep what is finished and note how it was made."""
        if not is_in(self.denoised, self.viewer):
            return
        if not self._finished:
            self.viewer.layers.remove(self.denoised)
            return
        for frame in self._previewed:  # no result
            self._pixels[self._box.place(frame)] = 0
        if self._box.leading and len(self._finished) < self.frames_planned:
            reached = max(self._box.place(frame)[0] for frame in self._finished) + 1
            self.denoised.data = self._pixels[:reached]
        self.denoised.metadata[RECIPE_KEY] = recipe

    def _added(self, kind: str, data: Any, picture: Array, start: Sequence[int]) -> Image:
        layer = Image(
            data,
            name=f"{self.source.name} {kind}",
            colormap="gray",
            contrast_limits=sensible_limits(picture),
            **placement(self.source, start),
        )
        layers = [unwrapped(other) for other in self.viewer.layers]
        self.viewer.layers.insert(layers.index(self.source) + 1 if self.source in layers else len(layers), layer)
        return layer


def sensible_limits(picture: Array) -> tuple[float, float]:
    """Grey limits that leave out the extreme pixels, and never coincide."""
    low, high = (float(value) for value in np.percentile(picture, SHOWN_PERCENTILES))
    return (low, high) if high > low else (low, low + 1)


def source_path(layer: Layer) -> Path | None:
    """The file a layer was read from."""
    return Path(layer.source.path) if layer.source.path else None
