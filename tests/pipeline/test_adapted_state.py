"""Adapted states of jobs: kept, started from, and refused where they cannot serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_gaintune import denoise
from napari_gaintune.adaptation.saved import SavedState
from napari_gaintune.errors import GaintuneError, OutputError, SettingError
from napari_gaintune.image import ArraySeries
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.job import DenoiseJob
from napari_gaintune.pipeline.reports import DoneReport

from .conftest import small_model
from .test_job import FAST, series

SETTINGS = {**FAST, "objective": "sure", "stopping": "fixed", "learning_rate": 0.02, "detector_gain": 1}


@pytest.mark.parametrize(
    ("parameters", "mode"), [("channel-gains", "shared"), ("last-layer", "shared"), ("input-offset", "episodic")]
)
def test_what_was_adapted_denoises_again_without_a_step(
    parameters: str, mode: str, dncnn: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    counts, state = series(rng, 2 if mode == "shared" else 1), str(tmp_path / "state.safetensors")
    settings = {**SETTINGS, "model": dncnn, "parameters": parameters, "series": mode}
    first = denoise(counts, save_adapted=state, **settings)
    assert any(frame.adapted for frame in first.frames)
    again = denoise(counts, adapted=state, **{**settings, "steps": 0})
    assert np.array_equal(first.image, again.image)
    assert first.provenance["model"]["adapted"] is None
    assert len(again.provenance["model"]["adapted"]) == 64
    further = denoise(counts, adapted=state, **settings)
    assert np.isfinite(further.image).all()


def test_a_file_that_appears_during_the_run_is_left_alone(dncnn: str, tmp_path: Path, rng: np.random.Generator) -> None:
    state, neighbour = tmp_path / "state.safetensors", tmp_path / "state.safetensors.part"
    neighbour.write_text("mine")
    config = DenoiseConfig(model=dncnn, save_adapted=str(state), **SETTINGS)
    reports = DenoiseJob(ArraySeries(series(rng, 1)), config).run()
    next(reports)
    state.write_text("mine, too")
    with pytest.raises(OutputError, match=r"appeared during the run.*the result is in state-1.safetensors"):
        list(reports)
    assert (state.read_text(), neighbour.read_text()) == ("mine, too", "mine")
    assert SavedState.read(tmp_path / "state-1.safetensors").parameters == "channel-gains"


def test_a_run_stopped_before_its_first_step_leaves_no_state(
    dncnn: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    config = DenoiseConfig(model=dncnn, save_adapted=str(tmp_path / "state.safetensors"), **SETTINGS)
    reports = list(DenoiseJob(ArraySeries(series(rng, 1)), config).run(lambda: True))
    assert isinstance(reports[-1], DoneReport)
    assert reports[-1].stopped
    assert not list(tmp_path.glob("state*"))


def test_from_a_state_that_no_step_beats_the_message_names_the_state(
    dncnn: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    counts, state = series(rng, 1), str(tmp_path / "state.safetensors")
    denoise(counts, model=dncnn, save_adapted=state, **SETTINGS)
    again = denoise(counts, model=dncnn, adapted=state, **SETTINGS | {"stopping": "best", "steps": 1})
    assert again.frames[0].adapted
    assert "no step clearly beat the adapted state it began with" in again.frames[0].message


def test_a_state_that_cannot_serve_is_refused_before_any_work(
    dncnn: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    counts, state = series(rng, 1), str(tmp_path / "state.safetensors")
    denoise(counts, model=dncnn, save_adapted=state, steps=0)
    other = small_model(tmp_path / "other", "dncnn")
    for settings, error, message in (
        ({"model": other, "adapted": state}, SettingError, "belongs to small"),
        ({"model": dncnn, "adapted": state, "parameters": "last-layer"}, SettingError, "one of 'channel-gains'"),
        ({"model": dncnn, "save_adapted": state}, OutputError, "exists already"),
        ({"model": dncnn, "save_adapted": str(tmp_path / "a.pt")}, OutputError, "ends in .safetensors"),
        ({"model": dncnn, "adapted": str(tmp_path / "absent.safetensors")}, GaintuneError, "not a readable"),
    ):
        with pytest.raises(error, match=message):
            denoise(counts, steps=0, **settings)
    with pytest.raises(SettingError, match="save_adapted with 3 frames.*choose one frame, or series shared"):
        denoise(series(rng), model=dncnn, save_adapted=str(tmp_path / "many.safetensors"), steps=0)
