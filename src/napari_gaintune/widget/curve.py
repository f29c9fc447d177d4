"""The live curves of one frame's adaptation."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from ..pipeline.reports import StepReport

# Blue and orange of equal lightness, told apart with any colour vision, on dark ground and on light.
OBJECTIVE_COLOUR, CHANGE_COLOUR = "#4c8fc4", "#d08b3c"
AXIS_WIDTH_PX = 76  # a label beside numbers such as 0.00065


class LiveCurve(QWidget):
    """Objective of every step above, change of the estimated error below, over one axis of steps."""

    def __init__(self) -> None:
        super().__init__()
        self._view = pg.GraphicsLayoutWidget()
        self._view.setBackground(None)
        self._view.ci.setContentsMargins(0, 0, 6, 0)
        self._view.ci.setSpacing(2)
        self._objective = self._plot(0, "objective", OBJECTIVE_COLOUR)
        self._change = self._plot(1, "change of error", CHANGE_COLOUR, symbol="o", symbolSize=4, symbolPen=None)
        self._change.setSymbolBrush(CHANGE_COLOUR)
        self._zero = pg.InfiniteLine(0, angle=0)
        lower, upper = self._view.getItem(1, 0), self._view.getItem(0, 0)
        lower.addItem(self._zero, ignoreBounds=True)
        lower.setXLink(upper)
        lower.setLabel("bottom", "step")
        upper.getAxis("bottom").setStyle(showValues=False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self.setMinimumHeight(200)
        self.setMaximumHeight(400)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setToolTip(
            "<qt>Above: the objective on each step's crops. Below: how the estimate of the error "
            "changes against the pre-trained network; below the line is better. The best point is kept.</qt>"
        )
        self._frame: int | None = None
        self._points: list[tuple[int, float | None, float | None]] = []

    def _plot(self, row: int, label: str, colour: str, **symbol: object) -> pg.PlotDataItem:
        plot = self._view.addPlot(row=row, col=0)
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(x=False, y=False)
        plot.hideButtons()
        plot.showGrid(x=True, y=True, alpha=0.12)
        axis = plot.getAxis("left")
        axis.enableAutoSIPrefix(False)
        axis.setWidth(AXIS_WIDTH_PX)
        axis.setLabel(label)
        line = plot.plot(pen=pg.mkPen(colour, width=1), **symbol)
        line.setDownsampling(auto=True, method="subsample")  # long runs have more steps than the screen has pixels
        return line

    def clear(self) -> None:
        self._frame = None
        self._points.clear()
        self._draw()

    def add(self, reports: list[StepReport]) -> None:
        """Append the steps; a new frame begins a new curve."""
        for report in reports:
            if report.frame != self._frame:
                self._frame = report.frame
                self._points.clear()
            self._points.append((report.step, report.loss, report.validation))
        if reports:
            self._view.getItem(0, 0).setXRange(0, max(1, reports[-1].steps), padding=0.02)
            self._draw()

    def _draw(self) -> None:
        losses = [(step, loss) for step, loss, _ in self._points if loss is not None]
        changes = [(step, change) for step, _, change in self._points if change is not None]
        self._objective.setData([step for step, _ in losses], [loss for _, loss in losses])
        self._change.setData([step for step, _ in changes], [change for _, change in changes])

    def set_text_colour(self, colour: str) -> None:
        """Axes in the colour of the viewer's text."""
        for row in (0, 1):
            for side in ("left", "bottom"):
                axis = self._view.getItem(row, 0).getAxis(side)
                axis.setPen(colour)
                axis.setTextPen(colour)
        self._zero.setPen(pg.mkPen(colour, width=1, style=pg.QtCore.Qt.PenStyle.DashLine))
