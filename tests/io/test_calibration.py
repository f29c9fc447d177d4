"""One spelling for what files say about axes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_gaintune.image import NM_PER_UNIT
from napari_gaintune.io.calibration import AxisScale, axis_letter, calibration_of, leading_letters, short_unit


@pytest.mark.parametrize(
    ("written", "symbol"),
    [("nm", "nm"), ("nanometer", "nm"), (" Nanometers\0", "nm"), ("micron", "µm"), ("um", "µm"), ("\u03bcm", "µm"),
     (r"\u00B5m", "µm"), ("Angstrom", "Å"), ("A", "Å"), ("\u212b", "Å"), ("pm", "pm"), ("inch", "in"), ("sec", "s"),
     ("pixel", ""), ("px", ""), ("<undefined>", ""), (None, ""), ("1/nm", "1/nm"), ("mrad", "mrad"), ("M", "M")],
)  # fmt: skip
def test_units_get_their_short_symbol(written, symbol):
    assert short_unit(written) == symbol


@given(text=st.text())
def test_a_unit_is_brought_to_its_symbol_once_and_for_all(text):
    assert short_unit(short_unit(text)) == short_unit(text)


@pytest.mark.parametrize("unit", [*NM_PER_UNIT])
def test_no_length_unit_is_lost(unit):
    assert NM_PER_UNIT[short_unit(unit)] == NM_PER_UNIT[unit]


def test_axis_names():
    named = {name: axis_letter(name) for name in ("Time", " t ", "z", "depth", "Channel", "x", "tilt", "", None)}
    assert named == {
        "Time": "T",
        " t ": "T",
        "z": "Z",
        "depth": "Z",
        "Channel": "C",
        "x": "",
        "tilt": "",
        "": "",
        None: "",
    }


@given(letters=st.lists(st.sampled_from(["T", "Z", "C", "", "Q", "I"]), max_size=3))
def test_leading_letters_are_distinct_and_keep_the_known(letters):
    filled = leading_letters(letters)
    assert len(filled) == len(set(filled)) == len(letters)
    assert set(filled) <= set("TZC")
    for i, letter in enumerate(letters):
        if letter in ("T", "Z", "C") and letter not in letters[:i]:
            assert filled[i] == letter


def test_unnamed_axes_are_named_from_the_inside_out():
    assert [leading_letters([""] * n) for n in range(4)] == ["", "T", "ZT", "CZT"]
    assert leading_letters(["T", ""]) == "TZ"


@pytest.mark.parametrize("step", [0.0, math.nan, math.inf])
def test_a_step_that_says_nothing_leaves_pixels(step):
    axes = [AxisScale("T", 0.5, "s"), AxisScale("Y", step, "nm", 3.0), AxisScale("X", -2.0, "nm", math.nan)]
    calibration = calibration_of(axes)
    assert (calibration.axes, calibration.scale, calibration.units) == ("TYX", (0.5, 1.0, -2.0), ("s", "", "nm"))
    assert calibration.origin == (0.0, 0.0, 0.0)
