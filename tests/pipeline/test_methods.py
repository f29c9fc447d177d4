"""Every named method, from its name to a denoised frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_gaintune import denoise
from napari_gaintune.adaptation.methods import METHODS
from napari_gaintune.errors import SettingError

from .conftest import small_model
from .test_job import series


@pytest.mark.parametrize("method", METHODS)
def test_a_method_runs_as_its_paper_has_it(method: str, tmp_path: Path, rng: np.random.Generator) -> None:
    kind = "AINDNet" if METHODS[method]["parameters"] == "ain" else "multi-task"
    counts, model = series(rng, 1)[0], small_model(tmp_path, kind)
    # an untrained network leaves lines, from which auto would keep
    asked = {"objective": "resampling"} if METHODS[method]["objective"] == "auto" else {}
    result = denoise(counts, model=model, method=method, crop_size_px=32, **asked)
    settings = result.provenance["settings"]
    assert {name: settings[name] for name in METHODS[method]} == METHODS[method] | asked
    (frame,) = result.frames
    assert frame.steps_run == METHODS[method]["steps"]
    if METHODS[method]["stopping"] == "fixed":
        assert frame.best_step == frame.steps_run
        assert not np.array_equal(result.image, denoise(counts, model=model, steps=0).image)
    assert np.isfinite(result.image).all()


def test_a_method_for_two_tasks_is_refused_to_a_model_with_one(dncnn: str, rng: np.random.Generator) -> None:
    with pytest.raises(SettingError, match="one task.*multi-task, or another method"):
        denoise(series(rng, 1), model=dncnn, method="meta-transfer")


def test_a_transfer_is_refused_to_a_model_without_adaptive_normalisation(dncnn: str, rng: np.random.Generator) -> None:
    with pytest.raises(SettingError, match=r"'ain'.*no adaptive instance normalisation.*aindnet"):
        denoise(series(rng, 1), model=dncnn, method="ain-transfer")
