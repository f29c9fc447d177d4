"""The form is the config: every field has one row, with its title, help, bounds and default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from annotated_types import Ge, Le
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QLabel

from napari_gaintune.adaptation.methods import METHODS
from napari_gaintune.errors import SettingError
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.widget.editors import bounds
from napari_gaintune.widget.form import CONTROL_WIDTH_PX, MAIN_FIELDS
from napari_gaintune.widget.panel import breakable, duration
from napari_gaintune.widget.worker import Machine

if TYPE_CHECKING:
    from .conftest import Bench

FIELDS = DenoiseConfig.model_fields


def test_an_untouched_form_is_the_default_config(bench: Bench) -> None:
    _, dock = bench.viewer.window.add_plugin_dock_widget("napari-gaintune", "GainTuning denoiser")
    assert dock.form.config() == DenoiseConfig()


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_row(name: str, bench: Bench) -> None:
    dock = bench.open()
    labels = [label for label in dock.form.findChildren(QLabel) if label.text() == FIELDS[name].title]
    assert len(labels) == 1
    assert labels[0].toolTip()
    editor = dock.form.editors[name]
    assert editor.toolTip()
    assert editor.maximumWidth() <= CONTROL_WIDTH_PX
    if isinstance(editor, QAbstractSpinBox):
        low, high = bounds(FIELDS[name])
        assert (editor.minimum(), editor.maximum()) == (low, high)
        for rule in FIELDS[name].metadata:
            assert not isinstance(rule, Ge) or editor.minimum() == rule.ge
            assert not isinstance(rule, Le) or editor.maximum() == rule.le
        extra = FIELDS[name].json_schema_extra or {}
        assert editor.suffix().strip() == extra.get("unit", "")
        assert editor.specialValueText() == extra.get("zero", "")


def test_no_title_is_clipped(bench: Bench) -> None:
    dock = bench.open()
    bench.viewer.show()
    dock.form.advanced.setChecked(True)
    bench.qtbot.wait(100)
    for label in dock.form.findChildren(QLabel):
        assert label.sizeHint().width() <= label.width(), label.text()
    assert dock.form.width() <= dock.width()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (150, "2 min"), (5340, "89 min"), (7800, "2 h 10 min")]
)
def test_time_left_reads_like_speech(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_long_paths_in_messages_are_broken() -> None:
    words = breakable(f"{'/a_folder' * 9}/x.tif: no such file").split(chr(0x200B))
    assert max(map(len, words)) < 30
    assert "".join(words) == f"{'/a_folder' * 9}/x.tif: no such file"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parameters", "input-offset"), ("stopping", "patience"), ("patience", 12), ("pace", "plain"), ("objective", "sure"),
        ("steps", 7), ("learning_rate", 0.00125), ("crop_size_px", 96), ("noise", "gaussian"),
        ("noise_sd", 1.5), ("frames", "2:9"), ("frames", "all"), ("series", "shared"), ("detector_gain", 116.25),
        ("detector_offset", -3.5), ("nonfinite", "fill"), ("precision", "bfloat16"), ("device", "cpu"), ("seed", 2**31 - 1),
        ("model", "/somewhere/other.safetensors"), ("averaging", "orientations"),
    ],
)  # fmt: skip
def test_what_is_set_is_what_runs(name: str, value: object, bench: Bench) -> None:
    dock = bench.open()
    dock.form.set_value(name, value)
    assert getattr(dock.form.config(), name) == value


def test_all_advanced_fields_are_folded_away(bench: Bench) -> None:
    dock = bench.open()
    bench.viewer.show()
    advanced = [name for name in FIELDS if name not in MAIN_FIELDS]
    assert {name for name in FIELDS if (FIELDS[name].json_schema_extra or {}).get("advanced")} <= set(advanced)
    assert not any(dock.form.editors[name].isVisible() for name in advanced)
    assert all(dock.form.editors[name].isVisible() for name in MAIN_FIELDS)
    dock.form.advanced.click()
    assert all(dock.form.editors[name].isVisible() for name in advanced)


def test_this_one_is_the_frame_in_sight(bench: Bench, counts: np.ndarray) -> None:
    bench.viewer.add_image(counts)
    dock = bench.open(frames="this")
    bench.viewer.dims.set_point(0, 2)
    assert dock.form.config().frames == "2"


def test_layer_list_follows_the_viewer(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    first = viewer.add_image(counts, name="first")
    second = viewer.add_image(counts[0], name="second")
    viewer.layers.selection.active = first
    dock = bench.open()
    choice = dock.form.layer
    assert choice.layer() is first  # the active one
    assert dock.form.editors["frames"].isEnabled()
    third = viewer.add_labels(counts, name="third")
    assert choice.layer() is first
    assert [choice.itemText(i) for i in range(choice.count())] == ["first", "second", "third"]
    second.name = "renamed"
    assert [choice.itemText(i) for i in range(choice.count())] == ["first", "renamed", "third"]
    viewer.layers.move(0, 3)
    assert [choice.itemText(i) for i in range(choice.count())] == ["renamed", "third", "first"]
    assert choice.layer() is first
    viewer.layers.selection.active = second
    viewer.layers.remove(first)
    assert choice.layer() is second
    assert not dock.form.editors["frames"].isEnabled()
    viewer.layers.clear()
    assert choice.layer() is None
    viewer.add_layer(third)
    assert choice.layer() is third


def test_machine_fills_models_and_devices(bench: Bench) -> None:
    dock = bench.open()
    bench.wait_until(lambda: not bench.threads())
    devices: QComboBox = dock.form.editors["device"]
    bench.wait_until(lambda: devices.count() > 2)
    texts = [devices.itemText(i) for i in range(devices.count())]
    assert texts[:2] == ["auto", "cpu"]
    import torch

    if not torch.cuda.is_available():
        assert "No CUDA: " in devices.toolTip()
        assert not devices.model().item(2).isEnabled()
    dock.form.offer(Machine([], {"cuda:0": "a GPU"}, ""))
    devices.setCurrentIndex(devices.count() - 1)
    assert dock.form.config().device == "cuda:0"


def test_a_setting_the_config_refuses_names_its_rule(bench: Bench) -> None:
    dock = bench.open()
    dock.form.editors["steps"].setMinimum(-5)
    dock.form.set_value("steps", -1)
    with pytest.raises(SettingError, match="steps"):
        dock.form.config()


def test_a_method_sets_its_settings_where_one_sees_them(bench: Bench) -> None:
    dock = bench.open()
    for method in ("lan", "restore-from-restored", "gaintuning"):
        dock.form.set_value("method", method)
        assert dock.form.config() == DenoiseConfig(**dock.form.config().model_dump())
        for name, value in METHODS[method].items():
            assert getattr(dock.form.config(), name) == value
    dock.form.set_value("method", "lan")
    dock.form.set_value("steps", 7)
    assert dock.form.config().steps == 7
