"""The controls a form is made of: each knows its value, and is made from the field of DenoiseConfig it sets."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QToolButton,
    QWidget,
)

from ..models.card import ModelCard
from ..pipeline.config import DenoiseConfig

FIELDS = DenoiseConfig.model_fields
UNBOUNDED = 1e9
DECIMALS = 6


def tool_tip(text: str) -> str:
    """Rich text wraps, plain text runs off the screen."""
    return f"<qt>{escape(text).replace(chr(10), '<br>')}</qt>"


class NumberBox(QDoubleSpinBox):
    """Shows 0.002 and 3, not 0.002000 and 3.000000."""

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        return f"{value:.{DECIMALS}g}"


class Choice(QComboBox):
    """A combo box that yields its width to the dock, not the dock to its longest entry."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def value(self) -> str:
        data = self.currentData()
        return self.currentText() if data is None else data

    def set_value(self, value: str) -> None:
        index = self.findData(value)
        self.setCurrentIndex(index if index >= 0 else self.findText(value))


class ModelChoice(QWidget):
    """The models of the catalogue, or the path of any other."""

    def __init__(self, default: str) -> None:
        super().__init__()
        self.names = Choice()
        self.names.setEditable(True)
        self.names.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.names.addItem(default)
        self._default = default
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip(
            tool_tip("Open a model file, NAME.safetensors or NAME.torchscript, with its card NAME.json beside it")
        )
        self.browse.clicked.connect(self._browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.names, 1)
        layout.addWidget(self.browse)
        self.names.currentTextChanged.connect(self._describe)
        self._summaries: dict[str, str] = {}

    def value(self) -> str:
        return self.names.currentText().strip()

    def set_value(self, name: str) -> None:
        self.names.setCurrentText(name)

    def offer(self, cards: list[ModelCard]) -> None:
        """Fill the list; what was chosen stays chosen."""
        chosen = self.value()
        self._summaries = {card.name: card.summary() for card in cards}
        self.names.clear()
        self.names.addItem(self._default)
        for card in cards:
            self.names.addItem(card.name)
            self.names.setItemData(self.names.count() - 1, tool_tip(card.summary()), Qt.ItemDataRole.ToolTipRole)
        self.set_value(chosen)
        self._describe()

    def _describe(self) -> None:
        self.setToolTip(tool_tip(self._summaries.get(self.value(), FIELDS["model"].description or "")))
        self.names.setToolTip(self.toolTip())

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "Models (*.safetensors *.torchscript)")
        if path:
            self.set_value(str(Path(path)))


class FramesChoice(QWidget):
    """This frame, all frames, or a range."""

    def __init__(self, default: str) -> None:
        super().__init__()
        self.mode = Choice()
        for text, data in (("all", "all"), ("this one", "this"), ("range", "range")):
            self.mode.addItem(text, data)
        self.range = QLineEdit("0:10")
        self.range.setToolTip(tool_tip(FIELDS["frames"].description or ""))
        self.range.setMinimumWidth(60)
        self.range.hide()
        self.mode.currentIndexChanged.connect(lambda: self.range.setVisible(self.mode.value() == "range"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.mode, 1)
        layout.addWidget(self.range, 1)
        self.shown_frame = 0
        self.set_value(default)

    def value(self) -> str:
        mode = self.mode.value()
        return {"all": "all", "this": str(self.shown_frame)}.get(mode, self.range.text())

    def set_value(self, selection: str) -> None:
        index = self.mode.findData(selection)
        self.mode.setCurrentIndex(self.mode.findData("range") if index < 0 else index)
        if index < 0:
            self.range.setText(selection)


Editor = QSpinBox | NumberBox | Choice | QLineEdit | ModelChoice | FramesChoice


def make_editor(name: str, field: FieldInfo) -> Editor:
    """The control of one field, by its name where a path or a range is meant, else by its type."""
    if name == "model":
        return ModelChoice(field.default)
    if name == "frames":
        return FramesChoice(field.default)
    if name == "device":
        devices = Choice()
        devices.addItems([field.default, "cpu"])
        return devices
    if get_origin(field.annotation) is Literal:
        choice = Choice()
        choice.addItems(get_args(field.annotation))
        choice.setCurrentText(field.default)
        return choice
    if field.annotation in (int, float):
        return number_editor(field)
    return QLineEdit(field.default)


def number_editor(field: FieldInfo) -> QSpinBox | NumberBox:
    """A spin box with the field's bounds, unit, and the meaning of its zero."""
    extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    box: QSpinBox | NumberBox = QSpinBox() if field.annotation is int else NumberBox()
    low, high = bounds(field)
    if isinstance(box, NumberBox):
        box.setDecimals(DECIMALS)
        box.setRange(low, high)
    else:
        box.setRange(int(low), int(high))
    box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    box.setValue(field.default)
    box.setSuffix(f" {extra['unit']}" if "unit" in extra else "")
    box.setSpecialValueText(extra.get("zero", ""))
    return box


def bounds(field: FieldInfo) -> tuple[float, float]:
    """Lowest and highest value; an open bound is the next number the box can show."""
    low, high = -UNBOUNDED, UNBOUNDED
    gap = 1 if field.annotation is int else 10**-DECIMALS
    for rule in field.metadata:
        match rule:
            case Ge(ge=value):
                low = float(value)  # type: ignore[arg-type]
            case Gt(gt=value):
                low = float(value) + gap  # type: ignore[arg-type]
            case Le(le=value):
                high = float(value)  # type: ignore[arg-type]
            case Lt(lt=value):
                high = float(value) - gap  # type: ignore[arg-type]
    return low, high
