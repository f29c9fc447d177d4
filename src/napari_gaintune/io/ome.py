"""OME-XML: what this package writes into its results, and what it reads from anybody's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from ..image import Calibration
from .calibration import AxisScale, calibration_of, leading_letters, short_unit
from .series import readable

NAMESPACE = "napari-gaintune/recipe/1"
LENGTH_UNITS = {"m", "cm", "mm", "µm", "nm", "Å", "pm", "in"}
TIME_UNITS = {"h", "min", "s", "ms", "µs", "ns", "ps"}


def ome_xml(
    shape: tuple[int, ...], calibration: Calibration, name: str, recipe: dict[str, Any] | None, frames_planned: int
) -> bytes:
    """OME-XML, pure ASCII, for float32 pages of an image of ``shape`` (2 to 4 axes).

    Pixel sizes stand in OME's own attributes wherever OME has the unit; origin, sign, other units and the recipe stand
    in a map annotation, exactly, as JSON. Raises TypeError if the recipe is not made of JSON's types.
    """
    letters = leading_letters(calibration.axes[:-2]) + "YX"
    exact = {
        "axes": letters, "shape": list(shape), "scale": list(calibration.scale), "units": list(calibration.units),
        "origin": list(calibration.origin), "frames_planned": frames_planned,
    }  # fmt: skip
    notes = {"Namespace": NAMESPACE, "calibration": json.dumps(exact)}
    if recipe is not None:
        notes["recipe"] = json.dumps(recipe)
    pages = 1
    for n in shape[:-2]:
        pages *= n
    document = tifffile.OmeXml(Creator="napari-gaintune", UUID=str(uuid.uuid4()))
    document.addimage(
        "float32", shape, (pages, 1, 1, shape[-2], shape[-1], 1), axes=letters,
        Name="".join(c if c.isprintable() else "?" for c in name).replace('"', "'"),  # older tifffile escapes no quote
        **_attributes(calibration, letters),
        MapAnnotation=notes,
    )  # fmt: skip
    return document.tostring(declaration=True).encode("ascii", "xmlcharrefreplace")


def _attributes(calibration: Calibration, letters: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for letter, step, unit in zip(letters, calibration.scale, calibration.units, strict=True):
        if letter in "ZYX" and unit in LENGTH_UNITS:
            attributes |= {f"PhysicalSize{letter}": abs(step), f"PhysicalSize{letter}Unit": unit}
        if letter == "T" and unit in TIME_UNITS:
            attributes |= {"TimeIncrement": abs(step), "TimeIncrementUnit": unit}
    return attributes


def ome_axes(xml: str) -> dict[str, AxisScale]:
    """Steps and units of the axes X, Y, Z, T of the first image in anybody's OME-XML, as far as it gives them."""
    try:
        pixels = next((e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")), None)
    except ElementTree.ParseError:
        return {}
    found: dict[str, AxisScale] = {}
    for letter, key, default in (
        ("X", "PhysicalSizeX", "µm"), ("Y", "PhysicalSizeY", "µm"), ("Z", "PhysicalSizeZ", "µm"),
        ("T", "TimeIncrement", "s"),
    ):  # fmt: skip
        if pixels is not None and key in pixels.attrib:
            found[letter] = AxisScale(letter, float(pixels.attrib[key]), short_unit(pixels.get(f"{key}Unit", default)))
    return found


def own_axes(xml: str, shape: Sequence[int]) -> tuple[Calibration, tuple[int, ...]] | None:
    """The exact calibration and shape of a result of ours; None for other files and for one cropped since.

    Where somebody corrected a pixel size in OME's attributes afterwards, theirs counts.
    """
    text = _annotation(xml).get("calibration")
    if text is None:
        return None
    exact = json.loads(text)
    whole = tuple(int(n) for n in exact["shape"])
    if [n for n in whole[:-2] if n > 1] != [n for n in shape[:-2] if n > 1] or whole[-2:] != tuple(shape[-2:]):
        return None
    corrected = ome_axes(xml)
    axes = []
    for fields in zip(exact["axes"], exact["scale"], exact["units"], exact["origin"], strict=True):
        own = AxisScale(*fields)
        theirs = corrected.get(own.letter)
        same = theirs is None or (theirs.step, theirs.unit) == (abs(own.step), own.unit)
        axes.append(own if same or theirs is None else theirs)
    return calibration_of(axes), whole


def read_recipe(path: str | Path) -> dict[str, Any] | None:
    """The recipe written with a result, exactly; None for a TIFF that carries none. Raises ImageError if unreadable."""
    path = Path(path)
    with readable(path, "TIFF"):
        with tifffile.TiffFile(path) as tif:
            xml = tif.ome_metadata
        text = _annotation(xml).get("recipe") if xml else None
        recipe: dict[str, Any] | None = None if text is None else json.loads(text)
    return recipe


def _annotation(xml: str) -> dict[str, str]:
    """The key-value pairs of our own map annotation in an OME-XML document."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return {}
    for element in root.iter():
        if element.tag.endswith("}MapAnnotation") and element.get("Namespace") == NAMESPACE:
            return {m.get("K", ""): m.text or "" for m in element.iter() if m.tag.endswith("}M")}
    return {}
