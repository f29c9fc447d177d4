"""Whatever goes wrong, the dock is idle again afterwards and says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array
import numpy as np
import pytest

from napari_gaintune.errors import ModelError
from napari_gaintune.widget.layers import RECIPE_KEY
from napari_gaintune.widget.panel import State
from napari_gaintune.widget.worker import Failed, Message, Preparing, Stop, Worker

if TYPE_CHECKING:
    from .conftest import Bench


def test_without_an_image(bench: Bench) -> None:
    dock = bench.open()
    assert "no image" in bench.run(dock)
    bench.viewer.add_points(np.zeros((3, 2)))
    bench.viewer.add_image(np.zeros((20, 20, 3), dtype=np.uint8), rgb=True)
    assert dock.form.layer.count() == 0


@pytest.mark.parametrize(
    ("data", "settings", "words"),
    [
        (np.full((48, 56), np.nan, dtype=np.float32), {}, "NaN"),
        (np.ones((48, 56), dtype=bool), {}, "not an intensity"),
        (np.ones((3, 3), dtype=np.float32), {}, "smaller than"),
        (np.ones((2, 2, 2, 48, 56), dtype=np.float32), {}, "axes"),
        (np.ones((48, 56), dtype=np.float32), {"frames": "3:"}, "frames"),
        (np.ones((48, 56), dtype=np.float32), {"frames": "some"}, "not understood"),
        (np.ones((48, 56), dtype=np.float32), {"model": "no-such-model"}, "unknown"),
        (np.ones((48, 56), dtype=np.float32), {"model": ""}, "unknown"),
    ],
    ids=lambda value: None if isinstance(value, np.ndarray) else str(value),
)
def test_bad_image_or_setting(data: np.ndarray, settings: dict[str, object], words: str, bench: Bench) -> None:
    bench.viewer.add_image(data, name="au", contrast_limits=(0, 1))
    dock = bench.open(**settings)
    assert words in bench.run(dock)
    assert dock.panel.run_button.isEnabled()
    assert [layer.name for layer in bench.viewer.layers] == ["au"]


def test_damaged_model(bench: Bench, counts: np.ndarray, tmp_path: Path) -> None:
    for suffix in (".safetensors", ".json"):
        shutil.copy(bench.model.with_suffix(suffix), tmp_path)
    path = tmp_path / bench.model.name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    bench.viewer.add_image(counts, name="au")
    assert "install the model again" in bench.run(bench.open(model=str(path)))


def test_more_frames_than_memory_holds(bench: Bench) -> None:
    """Half a petabyte, of which nothing is ever made."""
    huge = dask.array.zeros((2_000_000, 8192, 8192), chunks=(1, 8192, 8192), dtype=np.uint8)
    bench.viewer.add_image(huge, name="au", contrast_limits=(0, 1))
    dock = bench.open()
    dock.form.reference.setChecked(False)
    said = bench.run(dock)
    assert "choose a range of frames" in said
    assert [layer.name for layer in bench.viewer.layers] == ["au"]


def test_a_file_that_breaks_off_in_the_third_frame(bench: Bench, counts: np.ndarray) -> None:
    """What is finished is kept, and the message names the cause."""

    def read(block: np.ndarray, block_info: dict | None = None) -> np.ndarray:
        if block_info and block_info[0]["chunk-location"][0] == 2:
            raise OSError("the disk was pulled out")
        return block

    source = dask.array.from_array(counts, chunks=(1, 48, 56)).map_blocks(read, dtype=counts.dtype)
    bench.viewer.add_image(source, name="au", contrast_limits=(0, 4))
    dock = bench.open()
    dock.form.reference.setChecked(False)
    said = bench.run(dock)
    assert "the disk was pulled out" in said
    denoised = bench.viewer.layers["au denoised"]
    assert denoised.data.shape == (2, 48, 56)
    assert "the disk was pulled out" in denoised.metadata[RECIPE_KEY]["failed"]


def test_denoised_layer_deleted_during_the_run(bench: Bench, counts: np.ndarray) -> None:
    viewer = bench.viewer
    viewer.add_image(counts, name="au")
    dock = bench.open(steps=100_000)
    bench.start(dock)
    viewer.layers.remove("au denoised")
    assert "was removed" in bench.end(dock)
    assert "au denoised" not in viewer.layers
    assert not dock.panel.save_button.isEnabled()


def test_all_layers_deleted_during_the_run(bench: Bench, counts: np.ndarray) -> None:
    bench.viewer.add_image(counts, name="au")
    dock = bench.open(steps=100_000)
    bench.start(dock)
    bench.viewer.layers.clear()
    assert "was removed" in bench.end(dock)
    assert "no image" in bench.run(dock)


def test_after_a_failure_the_next_run_succeeds(bench: Bench, counts: np.ndarray) -> None:
    bench.viewer.add_image(counts[0], name="au")
    dock = bench.open(model="no-such-model")
    bench.run(dock)
    dock.form.set_value("model", str(bench.model))
    assert "Denoised 1 frame" in bench.run(dock)
    assert dock.panel.state is State.IDLE


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelError("m: unknown; name another"), "m: unknown; name another"),
        (MemoryError(), "Out of memory: denoise fewer frames"),
        (RuntimeError("odd"), "Unexpected RuntimeError: odd"),
        (ZeroDivisionError("odd"), "Unexpected ZeroDivisionError"),
    ],
)
def test_every_error_of_a_thread_becomes_a_message(error: Exception, words: str, bench: Bench) -> None:
    """A RuntimeError too, which superqt's thread_worker swallows."""
    import threading

    def work(stop: Stop) -> Iterator[Message]:
        yield Preparing("working")
        raise error

    worker = Worker(work, threading.Event())
    bench.wait_until(lambda: not worker.is_running)
    first, last = worker.take()
    assert first == Preparing("working")
    assert isinstance(last, Failed)
    assert words in last.message
