"""Below the form: buttons, progress, one line of text, and the curves."""

from __future__ import annotations

import re
from enum import Enum

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..pipeline.reports import FrameReport, StepReport
from .curve import LiveCurve
from .editors import tool_tip

BAR_PARTS = 1000


class State(Enum):
    """What the dock is doing."""

    IDLE = "Run"
    RUNNING = "Cancel"
    CANCELLING = "Cancelling …"
    SAVING = "Saving …"
    CHECKING = "Checking …"


class RunPanel(QWidget):
    """Shows what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.run_button = QPushButton()
        self.compare_button = QPushButton("Compare")
        self.compare_button.setCheckable(True)
        self.compare_button.setToolTip(tool_tip("Source, denoised image and reference side by side, with one camera."))
        self.check_button = QPushButton("Check")
        self.check_button.setToolTip(
            tool_tip(
                "Hold the denoised frame that is shown against the counts: its error by other frames, and a circle around "
                "each column of atoms, orange where other frames speak against it."
            )
        )
        self.save_button = QPushButton("Save …")
        self.save_button.setToolTip(tool_tip("Write the denoised layer as OME-TIFF, with its calibration and recipe."))
        self.bar = QProgressBar()
        self.bar.setRange(0, BAR_PARTS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.curve = LiveCurve()
        self.curve.hide()
        self._lay_out()
        self.set_state(State.IDLE)
        self.allow(compare=False, check=False, save=False)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.run_button, 2)
        for button in (self.compare_button, self.check_button, self.save_button):
            buttons.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        layout.addWidget(self.curve, 1)
        layout.addStretch()

    def set_state(self, state: State) -> None:
        self.state = state
        self.run_button.setText(state.value)
        self.run_button.setEnabled(state in (State.IDLE, State.RUNNING))
        self.bar.setVisible(state in (State.RUNNING, State.CANCELLING))

    def allow(self, *, compare: bool, check: bool, save: bool) -> None:
        """Which buttons have something to work on."""
        self.compare_button.setEnabled(compare)
        self.check_button.setEnabled(check)
        self.save_button.setEnabled(save)

    def begin(self) -> None:
        """A new run."""
        self.bar.setValue(0)
        self.curve.clear()
        self.curve.show()

    def say(self, text: str) -> None:
        self.status.setText(breakable(text))

    def draw(self, reports: list[StepReport | FrameReport]) -> None:
        """Draw the curve, and where the run stands."""
        self.curve.add([report for report in reports if isinstance(report, StepReport)])
        last = reports[-1]
        self.bar.setValue(round(BAR_PARTS * last.progress))
        if self.state is State.RUNNING:
            self.say(standing(last))


def standing(report: StepReport | FrameReport) -> str:
    """Frame, step and time left, in words."""
    left = "" if report.seconds_left is None else f", {duration(report.seconds_left)} left"
    frame = f"frame {report.position + 1} of {report.frames_total}" if report.frames_total > 1 else ""
    if isinstance(report, FrameReport):
        return f"{frame or 'Frame'} done{left}".capitalize()
    step = f"step {report.step} of {report.steps}"
    return ", ".join(part for part in ("" if report.shared else frame, step) if part).capitalize() + left


def breakable(text: str) -> str:
    """Long paths may be broken after a separator: a label clips a word that is wider than itself."""
    return re.sub(r"\S{30,}", lambda word: re.sub(r"([/\\_.-])", "\\1\u200b", word[0]), text)


def duration(seconds: float) -> str:
    """As a person would say it: 40 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
