"""Ctrl-C and SIGTERM, sent to real processes: finished frames are kept, and nothing else is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_gaintune.cli.interrupts import Interrupts
from napari_gaintune.io import read_recipe

FRAMES = 600  # far more than are done before the signal comes
PATIENCE_S = 240  # for a machine under load; nothing is asserted about time


@pytest.fixture
def long_series(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "long.npy"
    np.save(path, rng.poisson(3, (FRAMES, 40, 48)).astype(np.uint16))
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "napari_gaintune", "denoise", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=not_under_nohup,
    )  # fmt: skip


def not_under_nohup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_finished_frames_are_kept(number: signal.Signals, long_series: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    settings = {"steps": 10, "crop_size_px": 16, "precision": "float32", "seed": 1}
    flags = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]
    process = start(long_series, "-o", out, "--model", tiny_model, *flags)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("frame 2 "):
            process.send_signal(number)
            break
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr

    image, recipe = tifffile.imread(out), read_recipe(out)
    kept = len(image)
    assert 3 <= kept < FRAMES
    assert f"kept: frames 0 to {kept - 1} of {FRAMES} in {out}" in stderr.splitlines()[-1]
    assert recipe is not None
    assert [frame["frame"] for frame in recipe["frames"]] == list(range(kept))
    from napari_gaintune import denoise

    np.testing.assert_array_equal(
        image, denoise(long_series, model=str(tiny_model), frames=f":{kept}", **settings).image
    )
    assert {path.name for path in tmp_path.iterdir()} == {"long.npy", "out.tif"}


def test_before_a_frame_is_finished_nothing_is_written(long_series: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"an earlier result")
    process = start(long_series, "-o", out, "--model", tiny_model, "--steps", 100_000, "--overwrite")
    deadline = time.monotonic() + PATIENCE_S
    while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < deadline:  # until the hidden file is there
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, stderr
    assert "nothing was written" in stderr.splitlines()[-1]
    assert out.read_bytes() == b"an earlier result"
    assert {path.name for path in tmp_path.iterdir()} == {"long.npy", "out.tif"}


def test_the_first_signal_asks_and_the_second_insists(capfd: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert "stopping after this step" in capfd.readouterr().err
