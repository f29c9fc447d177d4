"""Reports drawn on a terminal and in a log."""

from __future__ import annotations

import io

import numpy as np
import pytest

from napari_gaintune.cli.progress import Progress
from napari_gaintune.pipeline.reports import DoneReport, FrameReport, Report, StepReport

FRAMES, STEPS = 2, 5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def reports(series: str) -> list[Report]:
    """What a job over two frames says; the second frame needs a word."""
    image = np.zeros((4, 4), np.float32)
    steps = [
        StepReport(
            frame=position,
            position=position,
            frames_total=FRAMES,
            step=step,
            steps=STEPS,
            loss=0.25 if step else None,
            validation=None,
            preview=None,
            shared=series == "shared",
            progress=(position * STEPS + step) / 12,
            seconds_left=187.0 if step else None,
        )
        for position in range(1 if series == "shared" else FRAMES)
        for step in range(STEPS + 1)
    ]
    frames = [
        FrameReport(0, 0, FRAMES, image, STEPS, 4, True, "", None, progress=0.5),
        FrameReport(1, 1, FRAMES, image, STEPS, 0, False, "no step was better", None, progress=1.0),
    ]
    ordered = steps + frames if series == "shared" else [*steps[:6], frames[0], *steps[6:], frames[1]]
    return [*ordered, DoneReport({}, False)]


@pytest.mark.parametrize("series", ["episodic", "shared"])
def test_a_terminal_shows_frame_step_loss_and_time_left(series: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress(draw_interval_s=0) as progress:
        for title in ("first", "second"):  # the bar goes back, and draws on
            progress.begin(title)
            for report in reports(series):
                progress.update(report)
    shown = terminal.getvalue()
    for title in ("first", "second"):
        assert f"{title}, " + ("all frames |" if series == "shared" else "frame 2/2 |") in shown
        assert f"{title}, frame 1 (2/2): pre-trained; no step was better\n" in shown
    assert shown.count("step 3/5, loss 0.25, 3:07 min left") >= (2 if series == "shared" else 4)
    assert shown.count("| 100 %") >= 2
    assert "frame 0 (1/2)" not in shown


def test_a_log_has_a_line_for_each_frame_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for report in reports("episodic"):
            progress.update(report)
    assert capsys.readouterr().err.splitlines() == [
        "frame 0 (1/2): step 4 of 5 is kept",
        "frame 1 (2/2): pre-trained; no step was better",
    ]


def test_a_log_of_several_jobs_names_them_and_has_their_messages_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(every_frame=False) as progress:
        progress.begin("GainTuned")
        for report in reports("episodic"):
            progress.update(report)
    assert capsys.readouterr().err.splitlines() == [
        "GainTuned ...",
        "GainTuned, frame 1 (2/2): pre-trained; no step was better",
    ]


def test_a_log_hears_of_a_long_frame_before_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(log_interval_s=0) as progress:
        for report in reports("episodic")[:3]:
            progress.update(report)
    assert capsys.readouterr().err.splitlines() == [
        "frame 1/2, step 0/5",
        "frame 1/2, step 1/5, loss 0.25, 3:07 min left",
        "frame 1/2, step 2/5, loss 0.25, 3:07 min left",
    ]
