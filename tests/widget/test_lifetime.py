"""What ends a run, what does not, and that nothing is left behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_gaintune.widget.layers import RECIPE_KEY
from napari_gaintune.widget.panel import State

if TYPE_CHECKING:
    from .conftest import Bench

ENDLESS = 100_000


def test_hiding_the_dock_does_not_end_a_run(bench: Bench, counts: np.ndarray) -> None:
    bench.viewer.show()
    bench.viewer.add_image(counts, name="au")
    dock = bench.open(steps=ENDLESS)
    bench.start(dock)
    shell = dock.parent()
    shell.setFloating(True)
    shell.hide()
    bench.qtbot.wait(600)
    assert dock.panel.state is State.RUNNING
    shell.setFloating(False)
    shell.show()
    bench.qtbot.wait(300)
    assert dock.panel.state is State.RUNNING
    assert len(bench.threads()) == 1
    dock.cancel()
    bench.end(dock)


def test_closing_the_dock_ends_a_run(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    dock = bench.open(steps=ENDLESS)
    bench.start(dock)
    finished, run = dock.denoised(), dock.last_run
    dock.parent().destroyOnClose()  # what the cross in the title does
    bench.wait_until(lambda: not bench.threads())
    assert run.results.frames_done == 0
    assert finished not in viewer.layers  # a preview alone is no result
    viewer.add_image(counts, name="later")  # nothing that is gone listens
    viewer.layers.remove("au")
    viewer.theme = "light"


def test_closing_the_dock_keeps_finished_frames_alone(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(np.repeat(counts, 50, axis=0), name="au")
    dock = bench.open(steps=20)
    dock.panel.run_button.click()
    bench.wait_until(lambda: dock.last_run.results and dock.last_run.results.frames_done > 1)
    run = dock.last_run
    dock.parent().destroyOnClose()
    bench.wait_until(lambda: not bench.threads())
    layer = viewer.layers["au denoised"]
    assert len(layer.data) == run.results.frames_done < 200
    assert layer.data.any(axis=(1, 2)).all()
    assert "dock was closed" in layer.metadata[RECIPE_KEY]["failed"]


def test_closing_the_dock_after_the_end_keeps_the_whole_result(bench: Bench, counts: np.ndarray) -> None:
    """Its last reports may still wait to be collected."""
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    dock = bench.open()
    dock.panel.run_button.click()
    while bench.threads():  # no event is handled meanwhile
        time.sleep(0.01)
    dock.parent().destroyOnClose()
    layer = viewer.layers["au denoised"]
    assert len(layer.data) == len(counts)
    assert len(layer.metadata[RECIPE_KEY]["frames"]) == len(counts)


def test_closing_the_dock_leaves_no_preview_in_a_stack_of_stacks(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts.reshape(2, 2, 48, 56), name="au")
    dock = bench.open()
    dock.panel.run_button.click()
    bench.wait_until(lambda: dock.last_run.results)
    results = dock.last_run.results
    bench.end(dock)
    results._finished[:] = [0]
    results.show(1, counts[1], finished=False)
    results.finish({})
    assert results.denoised.data[0, 0].any()
    assert not results.denoised.data[0, 1].any()


def test_closing_the_viewer_ends_a_run(bench: Bench, counts: np.ndarray) -> None:
    bench.viewer.add_image(counts, name="au")
    dock = bench.open(steps=ENDLESS)
    bench.start(dock)
    bench.viewer.close()
    bench.wait_until(lambda: not bench.threads())


def test_leaving_the_program_during_a_run(model: Path) -> None:
    """No viewer is closed, no event loop runs: the interpreter must still end, and soon."""
    code = """
        import sys, time, napari, numpy as np
        from qtpy.QtWidgets import QApplication

        viewer = napari.Viewer(show=False)
        viewer.add_image(np.random.default_rng(0).poisson(1.0, (64, 64)))
        dock = viewer.window.add_plugin_dock_widget("napari-gaintune", "GainTuning denoiser")[1]
        for name, value in {"model": sys.argv[1], "steps": 100_000, "crop_size_px": 32, "device": "cpu"}.items():
            dock.form.set_value(name, value)
        dock.run()
        while dock.denoised() is None:
            QApplication.processEvents()
            time.sleep(0.01)
        print("running")
        """
    command = [sys.executable, "-c", textwrap.dedent(code), str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.strip() == "running", done.stderr
    assert done.returncode == 0, done.stderr


def test_open_run_cancel_close_leaves_nothing(bench: Bench, counts: np.ndarray) -> None:
    """Five times over; each dock can be collected while its viewer lives on."""
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    docks = []
    for _ in range(5):
        dock = bench.open(steps=ENDLESS)
        docks.append(weakref.ref(dock))
        bench.start(dock)
        dock.panel.run_button.click()
        bench.end(dock)
        viewer.window.remove_dock_widget(dock)
        viewer.layers.remove("au denoised")
        viewer.layers.remove("au reference")
        del dock
        bench.wait_until(lambda: not bench.threads())
    for _ in range(3):
        QApplication.sendPostedEvents()
        QApplication.processEvents()
        gc.collect()
    assert [dock() for dock in docks] == [None] * 5


@pytest.mark.parametrize("viewer_lives", [True, False])
def test_an_idle_dock_can_be_closed(viewer_lives: bool, bench: Bench) -> None:
    dock = bench.open()
    if viewer_lives:
        bench.viewer.window.remove_dock_widget(dock)
    else:
        bench.viewer.close()
    bench.wait_until(lambda: not bench.threads())
