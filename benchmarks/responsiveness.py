"""How late the viewer answers while the dock works: ``python benchmarks/responsiveness.py [--seconds 30]``.

A precise timer asks for a call every 10 ms; how much later than that the call comes is how long a click or a key would
have waited. Measured in a real window, idle, while PyTorch is loaded, and during a run on the bundled series.
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

INTERVAL_MS = 10


class Stopwatch:
    """Collects how late the event loop is."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._before = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.late_ms.append(max(0.0, (now - self._before) * 1e3 - INTERVAL_MS))
        self._before = now

    def report(self, situation: str) -> None:
        """Percentiles over time: an event falls into a long pause in proportion to the pause's length."""
        late = np.array(self.late_ms)
        self.late_ms.clear()
        pauses = late + INTERVAL_MS
        order = np.argsort(late)
        share = np.cumsum(pauses[order]) / pauses.sum()
        p50, p95 = (float(late[order][np.searchsorted(share, part)]) for part in (0.5, 0.95))
        print(
            f"{situation:28s} median {p50:6.1f} ms   95 % {p95:6.1f} ms   longest {late.max():6.0f} ms   n {late.size}"
        )


def spin(until: object, at_most_s: float) -> None:
    """Run the event loop until a condition holds or the time is up."""
    end = time.perf_counter() + at_most_s
    application = QApplication.instance()
    assert application is not None
    while time.perf_counter() < end and not until():  # type: ignore[operator]
        application.processEvents()
        time.sleep(0.0005)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of the run")
    parser.add_argument("--model", default="blindspot-hrtem")
    seconds, model = (vars(parser.parse_args())[name] for name in ("seconds", "model"))
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    viewer.open_sample("napari-gaintune", "co-zno")
    spin(lambda: False, 3)
    watch = Stopwatch()
    spin(lambda: False, 5)
    watch.report("idle, no dock")
    _, dock = viewer.window.add_plugin_dock_widget("napari-gaintune", "GainTuning denoiser")
    watch.late_ms.clear()
    spin(lambda: dock.panel.run_button.isEnabled() and dock.form.editors["device"].count() > 2, 60)
    watch.report("PyTorch being loaded")
    dock.form.set_value("model", model)
    dock.form.set_value("steps", 100_000)
    dock.run()
    spin(lambda: dock.denoised() is not None, 120)
    watch.report("until the first picture")
    spin(lambda: False, seconds)
    watch.report("during the run")
    pressed = time.perf_counter()
    dock.panel.run_button.click()
    acknowledged = time.perf_counter() - pressed
    spin(lambda: dock.panel.run_button.isEnabled(), 120)
    print(f"cancel acknowledged after {acknowledged * 1e3:.1f} ms, over after {time.perf_counter() - pressed:.1f} s")
    viewer.close()


if __name__ == "__main__":
    main()
