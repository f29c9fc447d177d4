"""The selection of frames."""

from __future__ import annotations

import pytest

from napari_gaintune.errors import SettingError
from napari_gaintune.pipeline.frames import select_frames, selection_of


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("all", list(range(5))),
        (":", list(range(5))),
        ("0", [0]),
        ("-1", [4]),
        ("1:3", [1, 2]),
        ("3:", [3, 4]),
        (":2", [0, 1]),
        ("::2", [0, 2, 4]),
        ("1:99", [1, 2, 3, 4]),
        (" ALL ", list(range(5))),
    ],
)
def test_selections(selection: str, expected: list[int]) -> None:
    assert select_frames(selection, 5) == expected


@pytest.mark.parametrize("selection", ["0", "4", "1:3", "3:", ":2", "::2", "1::2", "0:3:2", "1:4:3"])
@pytest.mark.parametrize("done", range(3))
def test_the_rest_of_a_selection_can_be_selected(selection: str, done: int) -> None:
    left = select_frames(selection, 5)[done:]
    if left:
        assert select_frames(selection_of(left, 5), 5) == left


@pytest.mark.parametrize(
    ("selection", "rule"),
    [("5", "0 to 4"), ("-6", "0 to 4"), ("7:9", "selects none"), ("3:1", "selects none"), ("a", "not understood"),
     ("1,2", "not understood"), ("::0", "step must be 1"), ("1.5", "not understood")],
)  # fmt: skip
def test_impossible_selections_are_refused_with_the_rule(selection: str, rule: str) -> None:
    with pytest.raises(SettingError, match=rule):
        select_frames(selection, 5)
