"""Frames side by side: every pixel is where and what it should be, and the scale bar is as long as it says."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.pipeline.figure import (
    BAR_SHARE,
    GAP_PX,
    MARGIN_PX,
    TITLE_PX,
    ZOOM,
    Panel,
    bar_length_nm,
    side_by_side,
)

HEIGHT, WIDTH = 120, 200
TOP = MARGIN_PX + TITLE_PX + GAP_PX


def drawn(sheet: np.ndarray, number: int) -> np.ndarray:
    """The part of the sheet that shows one frame."""
    left = MARGIN_PX + number * (ZOOM * WIDTH + GAP_PX)
    return sheet[TOP : TOP + ZOOM * HEIGHT, left : left + ZOOM * WIDTH]


def test_each_pixel_is_a_square_of_its_grey(rng: np.random.Generator) -> None:
    ramp = np.linspace(-1, 3, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    counts = rng.integers(0, 4, (HEIGHT, WIDTH)).astype(np.uint8)
    panels = [Panel("ramp", "20.0 dB", ramp, (0, 2)), Panel("counts", "", counts, (0, 3))]
    sheet = np.asarray(side_by_side(panels, "what this is", None))
    for number, grey in enumerate((np.clip(ramp / 2, 0, 1), counts / 3)):
        expected = np.kron(np.round(255 * grey.astype(np.float64)), np.ones((ZOOM, ZOOM)))
        np.testing.assert_array_equal(drawn(sheet, number), expected)


def test_titles_captions_and_footer_are_written_on_the_paper_around() -> None:
    blank = np.ones((HEIGHT, WIDTH))
    for words in ("title", "caption", "footer"):
        panel = Panel("a title" * (words == "title"), "a caption" * (words == "caption"), blank, (0, 1))
        sheet = np.asarray(side_by_side([panel], "a footer" * (words == "footer"), None))
        assert (sheet < 128).any(), words
        assert (drawn(sheet, 0) == 255).all()
        rows = np.flatnonzero((sheet < 128).any(axis=1))
        assert rows.max() < TOP if words == "title" else rows.min() >= TOP + ZOOM * HEIGHT
        # nothing is cut off at the edge of the paper
        assert (sheet[[0, -1]] == 255).all()
        assert (sheet[:, [0, -1]] == 255).all()


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    pixel_size_nm = 0.02  # 200 px are 4 nm: the bar is 1 nm, 50 px
    panels = [Panel("grey", "", np.full((HEIGHT, WIDTH), 0.5), (0, 1))] * 2
    sheet = np.asarray(side_by_side(panels, "", pixel_size_nm))
    (rows,) = np.nonzero((drawn(sheet, 0) == 255).sum(axis=1) > 60)
    lengths = (drawn(sheet, 0)[rows] == 255).sum(axis=1)
    # a dark edge of 2 printed pixels on either side belongs to the bar
    assert set(lengths) == {50 * ZOOM + 1 - 4}
    assert (drawn(sheet, 1) == 128).all()


@pytest.mark.parametrize(("width_nm", "expected_nm"), [(3.87, 1.0), (7.0, 2.0), (0.4, 0.1), (2000, 500), (10.0, 2.0)])
def test_the_bar_is_a_round_number_that_fits(width_nm: float, expected_nm: float) -> None:
    assert bar_length_nm(width_nm) == pytest.approx(expected_nm)
    assert BAR_SHARE / 2.5 < bar_length_nm(width_nm) / width_nm <= BAR_SHARE
