"""``train`` and ``evaluate`` as a user runs them; a training that is killed goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("yaml")

RECIPE = """
name: tiny
architecture: unet
options: {width: 4, levels: 2, widest: 8}
images: rods
modality: TEM
noise: {dose_range_e_per_px: [0.2, 2.0]}
crop_px: 48
batch: 2
steps: 120
warm_up_steps: 5
held_out_objects: 2
direct_start: true
"""
IMAGES = "name: rods\nseed: 3\nimages: 12\nimages_per_object: 2\nsize_px: 128\nscene: {kind: tem}\n"
GAINTUNE = [sys.executable, "-m", "napari_gaintune"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe tiny.yaml and the set rods."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "rods.yaml").write_text(IMAGES)
    subprocess.run(
        [*GAINTUNE, "simulate", str(folder / "rods.yaml"), "-o", str(folder), "--processes", "1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def train_command(bench: Path, output: Path) -> list[str]:
    options = ["--device", "cpu", "--checkpoint-seconds", "0.2", "--resume"]
    return [*GAINTUNE, "train", str(bench / "tiny.yaml"), "--data", str(bench), "-o", str(output), *options]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_training_killed_again_and_again_ends_with_the_same_weights(bench: Path, tmp_path: Path) -> None:
    whole = subprocess.run(train_command(bench, tmp_path / "whole"), check=True, capture_output=True, text=True)
    assert "0.45 e⁻/px, network" in whole.stdout

    killed, chance, kills = train_command(bench, tmp_path / "killed"), random.Random(5), 0
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    while kills < 3:
        process = subprocess.Popen(killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        there = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns > there:
                time.sleep(chance.uniform(0, 0.25))
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        process.wait()
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
    subprocess.run(killed, check=True, capture_output=True)
    assert kills >= 1
    one, two = (json.loads((tmp_path / name / "tiny.json").read_text())["sha256"] for name in ("whole", "killed"))
    assert one == two


def test_ctrl_c_keeps_a_checkpoint_and_says_how_to_go_on(bench: Path, tmp_path: Path) -> None:
    endless = tmp_path / "endless.yaml"
    endless.write_text(RECIPE.replace("steps: 120", "steps: 1000000"))
    command = [str(endless) if part.endswith("tiny.yaml") else part for part in train_command(bench, tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoint.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "--resume goes on from there" in complaint
    assert (tmp_path / "checkpoint.safetensors").is_file()


def test_a_set_or_a_recipe_that_is_not_there_is_told(program: Callable, tmp_path: Path) -> None:
    missing = program("train", "unet-hrtem", "--data", tmp_path, "-o", tmp_path / "run")
    assert missing.returncode == 2
    assert "napari-gaintune simulate" in missing.stderr
    unknown = program("simulate", "no-such-recipe", "-o", tmp_path)
    assert unknown.returncode == 2
    assert "there are" in unknown.stderr
    assert not (tmp_path / "run").exists()


def test_evaluate_prints_a_row_per_method_and_a_column_per_dose(
    program: Callable, bench: Path, tiny_model: Path
) -> None:
    options = ["--images", bench / "rods", "--dose", "0.5", "--dose", "2", "--steps", "1", "--limit", "2"]
    done = program("evaluate", tiny_model, *options)
    assert done.returncode == 0, done.stderr
    quality = done.stdout.split("\n\n")[1]
    assert quality.splitlines()[0] == "| | 0.5 e⁻/px | 2 e⁻/px |"
    rows = {line.split("|")[1].strip() for line in quality.splitlines()[2:]}
    assert {"noisy", "flat mean", "Gaussian blur, best", f"{tiny_model}, GainTuned: auto"} < rows
    assert "by material" in done.stdout

    scores = json.loads(program("evaluate", *options, "--json").stdout)
    assert len(scores) == 2 * 2 * 6  # two images, two doses, six simple methods
    noisy = [score["psnr_db"] for score in scores if score["method"] == "noisy" and score["dose_e_per_px"] == 2]
    assert np.mean(noisy) == pytest.approx(-10 * np.log10(2 * 0.8), abs=1.5)  # the dose, times the mean transmission
