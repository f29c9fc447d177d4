"""The forecast of a job knows that steps and predictions cost differently."""

from __future__ import annotations

import pytest

from napari_gaintune.pipeline.clock import Clock


class Watch:
    """Time passes when it is told to."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def predict(clock: Clock, watch: Watch, seconds: float) -> None:
    with clock.predicting():
        watch.time_s += seconds


@pytest.mark.parametrize("prediction_s", [0.1, 200.0])
def test_one_adaptation_for_many_frames(prediction_s: float) -> None:
    """60 steps of 2 s, then 40 frames: what is left is what will pass until the end, and progress is by time."""
    watch = Watch()
    clock = Clock(40, 60, shared=True, preview_interval_s=None, now=watch)
    for _ in range(16):
        predict(clock, watch, prediction_s)
    clock.step_done(0, 0)
    end_s = watch.time_s + 60 * 2 + 40 * prediction_s
    assert clock.seconds_left() is None
    seen = []
    for step in range(1, 61):
        watch.time_s += 2
        clock.step_done(0, step)
        seen.append(clock.progress)
        assert clock.seconds_left() is None or clock.seconds_left() == pytest.approx(end_s - watch.time_s)
    assert seen[-1] == pytest.approx(watch.time_s / end_s)
    for position in range(40):
        predict(clock, watch, prediction_s)
        clock.frame_done(position)
        seen.append(clock.progress)
        assert clock.seconds_left() == pytest.approx(end_s - watch.time_s)
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize("steps_done", [60, 20])
def test_an_adaptation_for_each_frame(steps_done: int) -> None:
    """Steps that a frame did without are no longer waited for."""
    watch = Watch()
    clock = Clock(3, 60, shared=False, preview_interval_s=None, now=watch)
    for position in range(3):
        predict(clock, watch, 50)
        clock.step_done(position, 0)
        for step in range(1, steps_done + 1):
            watch.time_s += 2
            clock.step_done(position, step)
        if not position:
            assert clock.seconds_left() == pytest.approx(
                (180 - steps_done) * 2 + 3 * 100
            )  # of each frame two predictions
        predict(clock, watch, 50)
        clock.frame_done(position)
        assert clock.seconds_left() == pytest.approx((2 - position) * (60 * 2 + 100))
