"""Frames side by side as a picture for people: titles, figures of merit and a scale bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..image import Array

ZOOM = 2  # printed pixels per image pixel and direction
GAP_PX, MARGIN_PX = 16, 24
TITLE_PX, CAPTION_PX = 64, 48  # heights of letters
BAR_SHARE = 0.3  # of the width, at most
INK, PAPER, BAR_INK, BAR_EDGE = "black", "white", "white", "black"  # names mean the same in grey and in colour


@dataclass(frozen=True)
class Panel:
    """One frame, (h, w), drawn black at ``limits[0]`` and white at ``limits[1]``, in the frame's unit."""

    title: str
    caption: str
    image: Array
    limits: tuple[float, float]


@dataclass(frozen=True)
class Circle:
    """Around row ``y`` and column ``x``, in the frame's pixels; ``width`` of the line in printed ones."""

    y: float
    x: float
    radius: float
    colour: str
    width: int


def side_by_side(panels: Sequence[Panel], footer: str, pixel_size_nm: float | None) -> Image.Image:
    """One row of frames of one size, a scale bar in the first where the pixel size is known; greyscale, for a PNG.

    Each pixel is drawn as a square of equal pixels: nothing is smoothed.
    """
    height, width = (ZOOM * n for n in panels[0].image.shape)
    top = MARGIN_PX + TITLE_PX + GAP_PX
    size = (
        2 * MARGIN_PX + len(panels) * (width + GAP_PX) - GAP_PX,
        top + height + GAP_PX + 2 * (CAPTION_PX + GAP_PX) + MARGIN_PX,
    )
    sheet = Image.new("L", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left = MARGIN_PX + number * (width + GAP_PX)
        sheet.paste(_grey(panel), (left, top))
        draw.text((left + width // 2, MARGIN_PX), panel.title, INK, _font(TITLE_PX), anchor="ma")
        draw.text((left + width // 2, top + height + GAP_PX), panel.caption, INK, _font(CAPTION_PX), anchor="ma")
    draw.text((MARGIN_PX, size[1] - MARGIN_PX), footer, INK, _font(CAPTION_PX), anchor="ls")
    if pixel_size_nm:
        _scale_bar(draw, (MARGIN_PX, top + height), width, pixel_size_nm / ZOOM)
    return sheet


def with_circles(panel: Panel, circles: Sequence[Circle], pixel_size_nm: float) -> Image.Image:
    """One frame in grey with a scale bar and coloured circles on it, for a PNG."""
    sheet = _grey(panel).convert("RGB")
    draw = ImageDraw.Draw(sheet)
    for circle in circles:
        y, x, radius = (ZOOM * length for length in (circle.y + 0.5, circle.x + 0.5, circle.radius))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=circle.colour, width=circle.width)
    _scale_bar(draw, (0, sheet.height), sheet.width, pixel_size_nm / ZOOM)
    return sheet


def bar_length_nm(width_nm: float) -> float:
    """The longest of 1, 2, 5, 10 ... nm (or 0.5, 0.2 ...) that takes at most ``BAR_SHARE`` of a width."""
    longest = BAR_SHARE * width_nm
    decade = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * decade for step in (1, 2, 5) if step * decade <= longest))


def _grey(panel: Panel) -> Image.Image:
    low, high = panel.limits
    grey = np.clip((panel.image.astype(np.float64) - low) / (high - low), 0, 1)
    return Image.fromarray((255 * grey).round().astype(np.uint8)).resize(
        (panel.image.shape[1] * ZOOM, panel.image.shape[0] * ZOOM), Image.Resampling.NEAREST
    )


def _scale_bar(draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, pixel_size_nm: float) -> None:
    """A bar with its length above, into the lower left corner of a frame ``width`` printed pixels wide."""
    length_nm = bar_length_nm(width * pixel_size_nm)
    left, bottom = corner[0] + MARGIN_PX, corner[1] - MARGIN_PX
    right = left + round(length_nm / pixel_size_nm)
    draw.rectangle((left, bottom - 12, right, bottom), fill=BAR_INK, outline=BAR_EDGE, width=2)
    draw.text(
        ((left + right) // 2, bottom - 26), f"{length_nm:g} nm", BAR_INK, _font(CAPTION_PX), anchor="ms",
        stroke_width=3, stroke_fill=BAR_EDGE,
    )  # fmt: skip


def _font(height_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height_px)
