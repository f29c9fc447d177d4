"""Draw the pictures of the documentation anew, in a real window: the dock during a run, after it, and after a check."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
FRAMES = "0:2"


def spin(until: Callable[[], object], at_most_s: float = 1800) -> None:
    """Run the event loop until a condition holds."""
    end = time.monotonic() + at_most_s
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {at_most_s} s")
        QApplication.processEvents()
        time.sleep(0.01)


def settle(seconds: float = 1) -> None:
    """Let everything be drawn."""
    end = time.monotonic() + seconds
    spin(lambda: time.monotonic() > end)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--model", default="", help="another than the default model")
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    viewer.open_sample("napari-gaintune", "co-zno")
    _, dock = viewer.window.add_plugin_dock_widget("napari-gaintune", "GainTuning denoiser")
    dock.form.set_value("steps", arguments.steps)
    dock.form.set_value("frames", FRAMES)
    dock.form.set_value("detector_gain", 1.0)
    if arguments.model:
        dock.form.set_value("model", arguments.model)
    spin(lambda: dock.form.editors["device"].count() > 2)
    settle()
    viewer.reset_view()
    dock.panel.run_button.click()
    spin(lambda: dock.panel.bar.value() > 0.85 * dock.panel.bar.maximum() or dock.panel.run_button.text() == "Run")
    settle()
    viewer.screenshot(str(arguments.folder / "dock-during-run.png"), canvas_only=False, flash=False)
    spin(lambda: dock.panel.run_button.text() == "Run")
    dock.panel.compare_button.click()
    settle()
    viewer.screenshot(str(arguments.folder / "dock-after-run.png"), canvas_only=False, flash=False)
    print(dock.panel.status.text())
    dock.panel.compare_button.click()
    dock.panel.check_button.click()
    spin(lambda: dock.panel.run_button.isEnabled())
    settle()
    viewer.screenshot(str(arguments.folder / "dock-check.png"), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
