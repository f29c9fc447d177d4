"""Reports drawn on a terminal and in a log."""

from __future__ import annotations

import io

import numpy as np
import pytest

from napari_gaintune.adaptation.config import checked
from napari_gaintune.cli.progress import Progress
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.reports import DoneReport, FrameReport, Report, StepReport

FRAMES, STEPS = 2, 5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def reports(series: str) -> list[Report]:
    """What a job over two frames says; the second frame needs a word."""
    image = np.zeros((4, 4), np.float32)
    steps = [
        StepReport(position, position, FRAMES, step, STEPS, 0.25 if step else None, None, None, 187.0 if step else None)
        for position in range(1 if series == "shared" else FRAMES)
        for step in range(STEPS + 1)
    ]
    frames = [
        FrameReport(0, 0, FRAMES, image, STEPS, 4, True, "", None),
        FrameReport(1, 1, FRAMES, image, STEPS, 0, False, "no step was better", None),
    ]
    ordered = steps + frames if series == "shared" else [*steps[:6], frames[0], *steps[6:], frames[1]]
    return [*ordered, DoneReport({}, False)]


@pytest.mark.parametrize("series", ["episodic", "shared"])
def test_a_terminal_shows_frame_step_loss_and_time_left(series: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    fractions = []
    with Progress().begin(checked(DenoiseConfig, {"series": series, "steps": STEPS})) as progress:
        for report in reports(series):
            progress.update(report)
            progress._bar.refresh()
            fractions.append(progress._bar.n / progress._bar.total)
    shown = terminal.getvalue()
    assert "frame 1/2 |" in shown
    assert "step 3/5, loss 0.25, 3:07 min left" in shown
    assert "frame 1 (2/2): pre-trained; no step was better\n" in shown
    assert "frame 0 (1/2)" not in shown
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)


def test_a_log_has_a_line_for_each_frame_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress().begin(checked(DenoiseConfig, {"steps": STEPS})) as progress:
        for report in reports("episodic"):
            progress.update(report)
    assert capsys.readouterr().err.splitlines() == [
        "frame 0 (1/2): step 4 of 5 is best",
        "frame 1 (2/2): pre-trained; no step was better",
    ]


def test_a_log_of_several_jobs_names_them_and_has_their_messages_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(every_frame=False).begin(checked(DenoiseConfig, {"steps": STEPS}), "GainTuned") as progress:
        for report in reports("episodic"):
            progress.update(report)
    assert capsys.readouterr().err.splitlines() == [
        "GainTuned ...",
        "GainTuned, frame 1 (2/2): pre-trained; no step was better",
    ]
