"""A real viewer with the dock in it, and a real model, small enough for a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from napari_gaintune.models.catalogue import save_model
from napari_gaintune.models.networks import build_network
from napari_gaintune.widget.dock import GainTuningDock
from napari_gaintune.widget.panel import State

PLUGIN, TITLE = "napari-gaintune", "GainTuning denoiser"
PATIENCE_MS = 120_000  # for a busy machine; nothing waits that long


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DnCNN of three layers and four channels, untrained."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(1)
    options: dict[str, int | bool] = {"depth": 3, "width": 4, "bias": True}
    card = {
        "name": "tiny", "architecture": "dncnn", "options": options, "modality": "HRTEM", "trained_on": "nothing",
        "objective": "none", "recipe": "", "licence": "BSD-3-Clause",
    }  # fmt: skip
    save_model(build_network("dncnn", **options), card, folder)
    return folder / "tiny.safetensors"


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    """A whole viewer, not on the screen until ``show()`` is called.

    Drawing without a GPU is slow, and Mesa 22's software driver may crash when a layer is drawn after others were
    removed.
    """
    return make_napari_viewer(show=False)


@pytest.fixture
def counts(rng: np.random.Generator) -> np.ndarray:
    """Four frames of 48 x 56 electrons counted on a lattice."""
    y, x = np.mgrid[:48, :56]
    return rng.poisson(1 + 0.8 * np.cos(2 * np.pi * x / 9) * np.cos(2 * np.pi * y / 8), (4, 48, 56)).astype(np.uint8)


class Bench:
    """Opens docks and waits for them."""

    def __init__(self, viewer: napari.Viewer, qtbot: QtBot, model: Path) -> None:
        self.viewer, self.qtbot, self.model = viewer, qtbot, model

    def open(self, **settings: object) -> GainTuningDock:
        """The dock as the plugin menu opens it, with the small model and few steps."""
        _, dock = self.viewer.window.add_plugin_dock_widget(PLUGIN, TITLE)
        for name, value in {
            "model": str(self.model),
            "steps": 3,
            "crop_size_px": 32,
            "device": "cpu",
            **settings,
        }.items():
            dock.form.set_value(name, value)
        return dock

    def threads(self) -> list[threading.Thread]:
        return our_threads()

    def wait_until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def run(self, dock: GainTuningDock) -> str:
        """Press Run and wait for the end; what the dock says then."""
        dock.panel.run_button.click()
        return self.end(dock)

    def start(self, dock: GainTuningDock) -> None:
        """Press Run and wait for the first picture."""
        dock.panel.run_button.click()
        assert dock.panel.state is State.RUNNING
        self.wait_until(lambda: dock.denoised() is not None or dock.panel.state is State.IDLE)
        assert dock.panel.state is State.RUNNING, dock.panel.status.text()

    def end(self, dock: GainTuningDock) -> str:
        self.wait_until(lambda: dock.panel.state is State.IDLE)
        return dock.panel.status.text()


@pytest.fixture
def bench(viewer: napari.Viewer, qtbot: QtBot, model: Path) -> Bench:
    return Bench(viewer, qtbot, model)


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "napari-gaintune"]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> object:
    """A thread may finish its step; then it must be gone."""
    yield
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while our_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not our_threads()
