"""Numbers in words."""

from __future__ import annotations

import pytest

from napari_gaintune.cli.outcome import spoken_frames, spoken_time


@pytest.mark.parametrize(
    ("frames", "words"),
    [([], "no frame"), ([7], "frame 7"), ([0, 1, 2], "frames 0 to 2"), ([1, 4, 7], "frames 1 to 7, every 3")],
)
def test_frames_are_named_as_a_range(frames: list[int], words: str) -> None:
    assert spoken_frames(frames) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (47.4, "47 s"), (59.6, "1:00 min"), (187, "3:07 min"), (7500, "2:05:00 h"), (3599.5, "1:00:00 h")],
)
def test_times_are_rounded_to_seconds(seconds: float, words: str) -> None:
    assert spoken_time(seconds) == words
