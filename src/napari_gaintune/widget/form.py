"""The form: one row per field of DenoiseConfig, made from the field itself, so that nothing is written twice."""

from __future__ import annotations

from typing import Any

import napari.viewer
from napari.layers import Layer
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..adaptation.config import checked
from ..adaptation.methods import METHODS
from ..pipeline.config import DenoiseConfig
from .editors import FIELDS, Choice, FramesChoice, ModelChoice, NumberBox, make_editor, tool_tip
from .layers import denoisable_layers, shape_of, shown_frame, unwrapped
from .worker import Machine

MAIN_FIELDS = ("model", "method", "objective", "device", "steps", "frames")
LABEL_WIDTH_PX = 108
CONTROL_WIDTH_PX = 320


class LayerChoice(Choice):
    """The viewer's layers that can be denoised; follows the viewer and keeps what was chosen."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        events = viewer.layers.events
        self._events = [events.inserted, events.removed, events.reordered]
        for event in self._events:
            event.connect(self.refresh)
        self.refresh()

    def layer(self) -> Layer | None:
        return self.currentData()

    def refresh(self, event: object = None) -> None:
        """Read the viewer's layers anew; without a choice so far, take the active layer, else the uppermost."""
        layers = denoisable_layers(self._viewer)
        active = unwrapped(self._viewer.layers.selection.active)
        wanted = next((layer for layer in (self.layer(), active, *layers[-1:]) if layer in layers), None)
        same = wanted is self.layer()
        self.blockSignals(True)
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
            layer.events.name.connect(self.refresh)
        self.setCurrentIndex(layers.index(wanted) if wanted is not None else -1)
        self.blockSignals(False)
        if not same:
            self.currentIndexChanged.emit(self.currentIndex())

    def disconnect_viewer(self) -> None:
        for event in self._events:
            event.disconnect(self.refresh)
        for layer in denoisable_layers(self._viewer):
            layer.events.name.disconnect(self.refresh)
        self.clear()


class SettingsForm(QWidget):
    """Labels at the left, controls at the right, the advanced ones folded away."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.layer = LayerChoice(viewer)
        self.editors: dict[str, QWidget] = {name: make_editor(name, field) for name, field in FIELDS.items()}
        self.reference = QCheckBox("average of the other frames")
        self.reference.setChecked(True)
        main, advanced, rows = aligned_form(), aligned_form(), QWidget()
        rows.setLayout(advanced)
        self._add_row(
            main, "Layer", "The image or series to denoise; counts that came as Labels count too.", self.layer
        )
        for name, field in sorted(FIELDS.items(), key=lambda item: [*MAIN_FIELDS, item[0]].index(item[0])):
            form = main if name in MAIN_FIELDS else advanced
            self._add_row(form, field.title or name, field.description or "", self.editors[name])
        about = "Beside the result, show the average of all other frames of the series with their drift undone."
        self._add_row(main, "Reference", about, self.reference)
        self.advanced = Fold("Advanced", rows)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(main)
        layout.addWidget(self.advanced)
        layout.addWidget(rows)
        self.layer.currentIndexChanged.connect(self._layer_changed)
        if isinstance(method := self.editors["method"], Choice):
            method.currentTextChanged.connect(self._method_changed)
        self._layer_changed()

    def _add_row(self, form: QFormLayout, title: str, description: str, editor: QWidget) -> None:
        label = QLabel(title)
        label.setMinimumWidth(LABEL_WIDTH_PX)
        label.setToolTip(tool_tip(description))
        editor.setToolTip(editor.toolTip() or tool_tip(description))
        editor.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for control in (editor, *editor.findChildren(QComboBox)):
            if isinstance(control, QAbstractSpinBox | QComboBox):
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                control.installEventFilter(self)
        editor.setMaximumWidth(CONTROL_WIDTH_PX)
        form.addRow(label, editor)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """The wheel scrolls the form; it turns a control only after a click on it."""
        if isinstance(watched, QWidget) and event is not None and event.type() == QEvent.Type.Wheel:
            if not watched.hasFocus():
                event.ignore()
            return not watched.hasFocus()
        return super().eventFilter(watched, event)

    def config(self) -> DenoiseConfig:
        """The settings as they stand, "this one" being the frame the viewer shows. Raises SettingError."""
        layer, frames = self.layer.layer(), self.editors["frames"]
        if isinstance(frames, FramesChoice) and layer is not None:
            frames.shown_frame = shown_frame(self._viewer, layer)
        return checked(DenoiseConfig, {name: value_of(editor) for name, editor in self.editors.items()})

    def set_value(self, name: str, value: Any) -> None:
        """Set a control as its user would."""
        match self.editors[name]:
            case QSpinBox() | NumberBox() as box:
                box.setValue(value)
            case QLineEdit() as line:
                line.setText(value)
            case Choice() | ModelChoice() | FramesChoice() as choice:
                choice.set_value(value)

    def offer(self, machine: Machine) -> None:
        """Models and devices, once they are known."""
        models, devices = self.editors["model"], self.editors["device"]
        if isinstance(models, ModelChoice):
            models.offer(machine.cards)
        if isinstance(devices, Choice):
            for device, name in machine.cuda_devices.items():
                devices.addItem(f"{device} ({name})", device)
            if machine.no_cuda:
                devices.addItem("cuda (not here)", "cuda")
                items = devices.model()
                if isinstance(items, QStandardItemModel) and (item := items.item(devices.count() - 1)):
                    item.setEnabled(False)
                devices.setToolTip(tool_tip(f"{FIELDS['device'].description} No CUDA: {machine.no_cuda}."))

    def _method_changed(self, method: str) -> None:
        """Its settings, in the controls where one sees them and can change them."""
        for name, value in METHODS[method].items():
            self.set_value(name, value)

    def _layer_changed(self) -> None:
        layer = self.layer.layer()
        is_series = layer is not None and len(shape_of(layer)) > 2
        self.editors["frames"].setEnabled(is_series)
        self.reference.setEnabled(is_series)


class Fold(QPushButton):
    """Folds a widget away, and back; superqt's QCollapsible paints its arrow black on a dark theme."""

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        self._title, self._content = title, content
        self.setCheckable(True)
        self.setFlat(True)
        self.setStyleSheet("text-align: left; padding-left: 2px; background: transparent; border: none;")
        self.toggled.connect(self._fold)
        self._fold(False)

    def _fold(self, is_open: bool) -> None:
        self.setText(f"{'▾' if is_open else '▸'}  {self._title}")
        self._content.setVisible(is_open)


class FormScroll(QScrollArea):
    """As high as the form where there is room, with a scroll bar where there is none."""

    def __init__(self, form: QWidget) -> None:
        super().__init__()
        self.setWidget(form)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        bar = self.verticalScrollBar()
        self.setMinimumWidth(form.minimumSizeHint().width() + (bar.sizeHint().width() if bar else 0))
        form.installEventFilter(self)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        form = self.widget()
        return super().sizeHint() if form is None else form.sizeHint()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """Unfolding the form changes the height it would like."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def value_of(editor: QWidget) -> Any:
    """What a control holds, as the config wants it."""
    match editor:
        case QSpinBox() | NumberBox() | Choice() | ModelChoice() | FramesChoice():
            return editor.value()
        case QLineEdit():
            return editor.text()
    raise TypeError(type(editor))


def aligned_form() -> QFormLayout:
    """Labels left, controls as wide as there is room."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(8)
    form.setVerticalSpacing(4)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form
