"""Make the training set: ``python -m napari_gaintune.training.simulate --images 900 --seed 1 --out DIR``.

One exit wave gives one file ``wave_00000.npy``, float16 (conditions, 512, 512), relative intensity with the vacuum at
1, and one ``wave_00000.json`` with the specimen and the imaging conditions of each image. A wave whose json is there is
skipped: stop it and start it again at will. Wave ``i`` of seed ``s`` is the same image on every run, in any order.
"""

# ruff: noqa: T201 - a command: what it prints is its output

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from .hrtem import exit_wave, image_intensity, random_conditions
from .structures import random_specimen

SIZE_PX = 512
CONDITIONS_PER_WAVE = 5


def simulate_wave(folder: Path, seed: int, index: int, images: int = CONDITIONS_PER_WAVE) -> Path:
    """Simulate one specimen under ``images`` conditions and write both files; returns the json, written last."""
    rng = np.random.default_rng([seed, index])
    specimen = random_specimen(rng)
    pixel_size_nm = specimen.width_nm / SIZE_PX
    wave = exit_wave(specimen.atoms, SIZE_PX)
    conditions = [random_conditions(rng) for _ in range(images)]
    stack = np.stack([image_intensity(wave, pixel_size_nm, c) for c in conditions]).astype(np.float16)
    record = {
        "seed": seed,
        "wave": index,
        "pixel_size_nm": pixel_size_nm,
        "specimen": specimen.record,
        "images": [{name: value for name, value in asdict(c).items() if np.isfinite(value)} for c in conditions],
    }
    path = folder / f"wave_{index:05d}.json"
    _write_whole(path.with_suffix(".npy"), stack)
    _write_whole(path, json.dumps(record, indent=1, default=float))
    return path


def _write_whole(path: Path, content: Any) -> None:
    """Write beside the target and rename: a run that is killed leaves no half file under the final name."""
    partial = path.with_name(f"{path.name}.part{os.getpid()}")
    if isinstance(content, str):
        partial.write_text(content)
    else:
        with partial.open("wb") as file:
            np.save(file, content)
    partial.replace(path)


def simulate(folder: Path, images: int, seed: int, processes: int = 2) -> Iterator[int]:
    """Make what is missing of ``images`` images; yields how many are there after each finished wave."""
    folder.mkdir(parents=True, exist_ok=True)
    waves = -(-images // CONDITIONS_PER_WAVE)
    missing = [i for i in range(waves) if not (folder / f"wave_{i:05d}.json").exists()]
    done = (waves - len(missing)) * CONDITIONS_PER_WAVE
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for _ in pool.map(simulate_wave, [folder] * len(missing), [seed] * len(missing), missing):
            done += CONDITIONS_PER_WAVE
            yield done


def _one_thread() -> None:
    """A worker is one of as many as there are cores: its libraries must not start threads of their own."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"


def main(arguments: list[str] | None = None) -> None:
    """The command; see the module's first line."""
    parser = argparse.ArgumentParser(prog="python -m napari_gaintune.training.simulate", description=__doc__)
    parser.add_argument("--images", type=int, default=900, help="images to have in the end, 5 per exit wave")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    started, first = time.perf_counter(), None
    for done in simulate(options.out, options.images, options.seed, options.processes):
        first = done - CONDITIONS_PER_WAVE if first is None else first
        seconds = (time.perf_counter() - started) / (done - first)
        left = max(0, options.images - done) * seconds
        print(f"{done}/{options.images} images, {seconds:.2f} s each, {left / 60:.1f} min left", flush=True)


if __name__ == "__main__":
    main()
