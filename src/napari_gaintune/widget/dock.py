"""The dock "GainTuning denoiser": settings in, a run in a thread, pictures and curves out."""

from __future__ import annotations

import threading
from pathlib import Path

import napari.viewer
from napari.layers import Image, Layer
from napari.utils.notifications import show_error
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QVBoxLayout, QWidget

from ..errors import GaintuneError
from ..io import series_from
from .compare import Comparison
from .form import FormScroll, SettingsForm
from .layers import RECIPE_KEY, is_in, shown_frame, source_path
from .panel import RunPanel, State
from .run import Run
from .worker import Checked, Failed, Machine, Saved, Work, Worker, check_frame, look_around, save_frames

POLL_INTERVAL_MS = 250
NO_LAYER = "There is no image to denoise: open one, or try File > Open Sample > GainTuning denoiser."


class GainTuningDock(QWidget):
    """Denoise a layer of the viewer by GainTuning.

    Threads do the work and leave messages; a timer collects these four times a second, and there alone are layers
    touched. Removing the dock, closing the viewer or leaving the program ends a run; hiding the dock does not.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.form = SettingsForm(viewer)
        self.panel = RunPanel()
        self.last_run: Run | None = None
        self._run: Run | None = None
        self._errand: Worker | None = None
        self._comparison = Comparison(viewer)
        self._compared: list[Layer] = []
        self._closing = threading.Event()
        self._helpers = [Worker(look_around, self._closing)]
        self._lay_out()
        self.panel.run_button.clicked.connect(self.run_or_cancel)
        self.panel.compare_button.toggled.connect(self.compare)
        self.panel.check_button.clicked.connect(self.check)
        self.panel.save_button.clicked.connect(self._ask_and_save)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_INTERVAL_MS)
        self._timer.timeout.connect(self._collect)
        self._timer.start()
        # The viewer's window deletes what is docked in it, and tells it nothing but Hide before.
        self.destroyed.connect(self._closing.set)
        if (application := QApplication.instance()) is not None:
            application.aboutToQuit.connect(self.shut_down)
        viewer.events.theme.connect(self._follow_theme)
        viewer.layers.events.removed.connect(self._update_buttons)
        self._comparison.grid.events.enabled.connect(self._grid_switched)
        self._follow_theme()

    def _lay_out(self) -> None:
        scroll = FormScroll(self.form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(scroll)
        layout.addWidget(self.panel, 1)
        self.setMinimumWidth(350)

    def run_or_cancel(self) -> None:
        """The big button."""
        if self.panel.state is State.RUNNING:
            self.cancel()
        elif self.panel.state is State.IDLE:
            self.run()

    def run(self) -> None:
        """Denoise the chosen layer with the settings of the form."""
        layer = self.form.layer.layer()
        if layer is None:
            self._tell(NO_LAYER)
            return
        try:
            config, series = self.form.config(), series_from(layer)
        except GaintuneError as error:
            self._tell(str(error))
            return
        with_reference = self.form.reference.isChecked()
        self._run = self.last_run = Run(self.viewer, layer, series, config, with_reference, self._closing)
        self.panel.begin()
        self._enter(State.RUNNING)

    def cancel(self) -> None:
        """End the run after the step it is at; the best result so far is kept."""
        if self._run is not None:
            self._run.cancel()
            self._enter(State.CANCELLING)

    def denoised(self) -> Image | None:
        """The last run's result, while it is in the viewer."""
        results = self.last_run.results if self.last_run else None
        return results.denoised if results and is_in(results.denoised, self.viewer) else None

    def compare(self, wanted: bool) -> None:
        """Source, denoised image and reference side by side, or back to how it was."""
        self._compared = self._present() if wanted else []
        if self._compared:
            self._comparison.show(self._compared)
        else:
            self._comparison.hide()

    def _present(self) -> list[Layer]:
        return self.last_run.results.present() if self.last_run and self.last_run.results else []

    def _grid_switched(self, event: object = None) -> None:
        """The viewer has a button for its grid, too."""
        if not self._comparison.grid.enabled:
            self.panel.compare_button.setChecked(False)

    def check(self) -> None:
        """Hold the denoised frame that is shown against the counts of the layer it was made of."""
        layer, results = self.denoised(), self.last_run.results if self.last_run else None
        if layer is None or results is None or not is_in(results.source, self.viewer):
            return
        frame = shown_frame(self.viewer, results.source)
        image = results.picture(frame)
        if image is None:
            self._tell(f"Frame {frame} was not denoised: move the slider to one that was.")
            return
        work = check_frame(series_from(results.source), image, frame, layer.metadata.get(RECIPE_KEY, {}))
        self._start(work, State.CHECKING)

    def save(self, path: Path, overwrite: bool = False) -> None:
        """Write the denoised layer as OME-TIFF. An existing file stays as it is unless ``overwrite``."""
        layer = self.denoised()
        if layer is None or self.last_run is None or self.last_run.results is None:
            return
        recipe, source = layer.metadata.get(RECIPE_KEY, {}), source_path(self.last_run.source)
        work = save_frames(path, series_from(layer), self.last_run.results.finished_places(), recipe, source, overwrite)
        self._start(work, State.SAVING)

    def _ask_and_save(self) -> None:
        layer = self.denoised()
        if layer is None or self.last_run is None:
            return
        beside = source_path(self.last_run.source)
        proposal = (beside.parent if beside else Path.home()) / f"{layer.name}.ome.tif"
        name, _ = QFileDialog.getSaveFileName(self, "Save the denoised layer", str(proposal), "OME-TIFF (*.tif *.tiff)")
        if name:
            path = Path(name)
            is_complete = path.suffix.lower() in (".tif", ".tiff")
            # The dialog asks before it returns the name of an existing file; it has not seen a name completed here.
            self.save(path if is_complete else path.with_name(f"{path.name}.ome.tif"), overwrite=is_complete)

    def _start(self, work: Work, state: State) -> None:
        """Work beside a run; the dock is in ``state`` until it ends."""
        self._errand = Worker(work, self._closing)
        self._helpers.append(self._errand)
        self._enter(state)

    def _enter(self, state: State) -> None:
        self.panel.set_state(state)
        self._update_buttons()
        self._timer.start()

    def _update_buttons(self, event: object = None) -> None:
        present = self._present()
        is_compared = self.panel.compare_button.isChecked()
        if is_compared and present != self._compared:
            self.compare(True)
        is_at_rest = self.denoised() is not None and self.panel.state is State.IDLE
        self.panel.allow(
            compare=is_compared or len(present) > 1,
            check=is_at_rest and self.last_run is not None and is_in(self.last_run.source, self.viewer),
            save=is_at_rest,
        )

    def _collect(self) -> None:
        """Everything the threads have reported since the last time."""
        for helper in list(self._helpers):
            self._collect_helper(helper)
        if self._run is not None:
            heard = self._run.collect()
            if heard.reports:
                self.panel.draw(heard.reports)
            if heard.ended:
                self._run = None
                self._enter(State.IDLE)
                self._tell(heard.text, heard.failed)
            elif heard.text and not self._run.cancelled:
                self.panel.say(heard.text)
            elif self._run.cancelled and self.panel.state is State.RUNNING:
                self._enter(State.CANCELLING)  # not by the button: the denoised layer was removed
            self._update_buttons()
        if self._run is None and not self._helpers:
            self._timer.stop()

    def _collect_helper(self, helper: Worker) -> None:
        has_ended = not helper.is_running
        for message in helper.take():
            match message:
                case Machine():
                    self.form.offer(message)
                case Saved(path=path):
                    self._tell(f"Saved {path.name}.", failed=False)
                case Checked(found=found):
                    if self.last_run and self.last_run.results:
                        self.last_run.results.show_columns(found)
                    self._tell(found.in_words(), failed=False)
                case Failed(message=text):
                    self._tell(text)
        if has_ended:
            self._helpers.remove(helper)
            if helper is self._errand:
                self._errand = None
                self._enter(State.IDLE)

    def _tell(self, text: str, failed: bool = True) -> None:
        """Say it in the dock, where it stays; a failure nobody would see there, in the viewer."""
        self.panel.say(text)
        if failed and not self.isVisible():
            show_error(text)

    def _follow_theme(self, event: object = None) -> None:
        self.panel.curve.set_text_colour(get_theme(self.viewer.theme).text.as_hex())

    def shut_down(self) -> None:
        """End the threads, and leave nothing connected to the viewer."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._timer.stop()
        self.viewer.events.theme.disconnect(self._follow_theme)
        self.viewer.layers.events.removed.disconnect(self._update_buttons)
        self._comparison.grid.events.enabled.disconnect(self._grid_switched)
        self.form.layer.disconnect_viewer()
        if self._run is not None:
            self._run.abandon()
        self._comparison.hide()

    def event(self, event: QEvent | None) -> bool:
        """A dock that is closed hands its widget back without a parent; one that is hidden or moved does not."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut_down()
        return super().event(event)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """A window of its own was closed."""
        self.shut_down()
        super().closeEvent(event)
