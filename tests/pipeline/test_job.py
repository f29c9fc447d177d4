"""A job end to end, through the Python face: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_gaintune import denoise, load_denoiser
from napari_gaintune.adaptation.config import checked
from napari_gaintune.adaptation.objectives import OBJECTIVES, Situation
from napari_gaintune.adaptation.parameters import PARAMETERS
from napari_gaintune.errors import DeviceError, ImageError, ModelError, NoiseModelError, SettingError
from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.models.catalogue import save_model
from napari_gaintune.models.device import memory_errors_named
from napari_gaintune.models.prediction import predict_shifted
from napari_gaintune.noise.models import Correlated, Poisson
from napari_gaintune.pipeline import clock
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.job import DenoiseJob
from napari_gaintune.pipeline.reports import DoneReport, FrameReport, Report, StepReport
from napari_gaintune.pipeline.situation import Neighbours

from ..adaptation.test_objectives import objectives_of
from ..models.test_networks import SMALL, make
from .conftest import small_model

SITUATIONS = [Situation(is_blind, "electrons", "auto", 1.0) for is_blind in (False, True)]
FAST = {"steps": 10, "crop_size_px": 32}
SHAPE = (88, 96)


def series(rng: np.random.Generator, frames: int = 3) -> np.ndarray[Any, Any]:
    wave = 0.5 + 0.2 * np.sin(np.linspace(0, 20, SHAPE[1]))
    return rng.poisson(np.broadcast_to(wave, (frames, *SHAPE))).astype(np.uint16)


@pytest.mark.parametrize(
    ("mode", "objective"), [*(("episodic", name) for name in OBJECTIVES), ("shared", "auto"), ("shared", "zs-n2n")]
)
def test_every_objective_on_every_model_gives_frames_in_the_inputs_unit(
    model: str, objective: str, mode: str, rng: np.random.Generator
) -> None:
    counts = series(rng, 2) * 100
    before = counts.copy()
    network = load_denoiser(model).network
    if objective not in objectives_of("blind-spot" if network.is_blind else "multi-task" if network.heads else ""):
        with pytest.raises(SettingError, match="choose (blind-spot-masked|a model of architecture multi-task)"):
            denoise(counts, model=model, objective=objective)
        return
    result = denoise(counts, model=model, objective=objective, series=mode, **FAST)
    assert result.image.shape == counts.shape
    assert result.image.dtype == np.float32
    assert np.isfinite(result.image).all()
    assert np.array_equal(counts, before)
    json.dumps(result.provenance)
    assert result.provenance["settings"]["objective"] == objective
    used = {record["objective"].partition("(")[0] for record in result.provenance["frames"]}
    # what an untrained network leaves of these columns looks like noise of theirs, and what it sees is on no other frame
    if objective in ("auto", "next-frame") and used == {""}:
        assert "the pre-trained result is kept" in result.frames[0].message
        return
    of_series = {"NextFrame"} if objective == "auto" else set()  # where the other frame shows what the network sees
    assert used <= {type(build(now)).__name__ for now in SITUATIONS for build in [OBJECTIVES[objective]]} | of_series
    assert len(used) == 1
    assert [frame.frame for frame in result.frames] == [0, 1]
    losses = [step.loss for step in result.history if step.step > 0]
    assert len(losses) == FAST["steps"] * (2 if mode == "episodic" else 1)


@pytest.mark.parametrize("parameters", [name for name in PARAMETERS if name not in ("heads", "ain")])
def test_whatever_moves_is_asked_for_by_name_and_leaves_the_next_frame_alone(
    parameters: str, dncnn: str, rng: np.random.Generator
) -> None:
    settings = {**FAST, "model": dncnn, "objective": "sure", "parameters": parameters, "stopping": "fixed"}
    settings["pace"] = "plain"
    counts = series(rng, 2)
    both, second = (denoise(counts, **settings, frames=frames) for frames in ("all", "1"))
    assert np.array_equal(both.image[1], second.image[0])
    assert all(frame.adapted for frame in both.frames)
    assert not np.array_equal(both.image, denoise(counts, **{**settings, "steps": 0}).image)
    assert both.provenance["settings"]["parameters"] == parameters
    own = denoise(counts[0], model=dncnn, parameters=parameters, steps=0).provenance
    assert own["learning_rate"] == PARAMETERS[parameters].learning_rate


def test_no_steps_give_the_pretrained_result(model: str, rng: np.random.Generator) -> None:
    counts = series(rng, 1)[0]
    result = denoise(counts, model=model, steps=0, detector_gain=1, precision="float32")
    expected = predict_shifted(load_denoiser(model).network, torch.from_numpy(counts.astype(np.float32))).numpy()
    assert np.array_equal(result.image, expected)
    assert not result.frames[0].adapted
    assert result.frames[0].message == ""


def test_eight_orientations_give_the_mean_of_all_of_them(dncnn: str, rng: np.random.Generator) -> None:
    settings = {"model": dncnn, "steps": 0, "detector_gain": 1, "precision": "float32"}
    counts = series(rng, 1)[0]
    mean = denoise(counts, averaging="orientations", **settings).image
    sides = [np.rot90(counts, turns) for turns in range(4)] + [np.rot90(counts, turns).T for turns in range(4)]
    single = [denoise(np.ascontiguousarray(side), averaging="none", **settings).image for side in sides]
    back = [np.rot90(image, -turns) for turns, image in enumerate(single[:4])]
    back += [np.rot90(image.T, -turns) for turns, image in enumerate(single[4:])]
    # a float32 sum of eight in another order: a few units in the last place, 2**-23, of the largest
    np.testing.assert_allclose(mean, np.mean(back, axis=0), rtol=0, atol=16 * 2**-23 * np.abs(mean).max())


@pytest.mark.parametrize("parameters", ["channel-gains", "input-offset"])
def test_a_result_is_the_mean_of_shifts_and_a_preview_one_of_them(
    parameters: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a frame that fits into a crop; what is shown before the first step is the mean."""
    monkeypatch.setattr(clock, "PREVIEW_SHARE", np.inf)  # at every step, however long one takes on a busy machine
    model = small_model(tmp_path, "UNet, folded")
    counts = series(rng, 1)[0] * 100
    settings = {
        "model": model, "parameters": parameters, "objective": "sure", "steps": 4, "stopping": "fixed", "detector_gain": 100,
        "precision": "float32", "learning_rate": 0.02,
    }  # fmt: skip
    images, firsts, lasts = {}, {}, {}
    for averaging in ("shifts", "none"):
        job = DenoiseJob(ArraySeries(counts[None]), DenoiseConfig(averaging=averaging, **settings))
        reports = list(job.run(preview_interval_s=0))
        steps = [report.preview for report in reports if isinstance(report, StepReport) and report.preview is not None]
        assert len(steps) == 5  # before the first step, and after each of four
        firsts[averaging], lasts[averaging] = steps[0], steps[-1]
        (images[averaging],) = [report.image for report in reports if isinstance(report, FrameReport)]
        before = denoise(counts, averaging=averaging, **{**settings, "steps": 0}).image
        assert np.array_equal(firsts[averaging], before)
    assert not np.allclose(images["shifts"], images["none"], rtol=1e-4)
    assert not np.allclose(images["shifts"], before, rtol=1e-4)
    assert np.array_equal(lasts["shifts"], lasts["none"])  # the same state, shown by one prediction


def test_stopped_before_its_first_step_a_frame_is_the_pretrained_result(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    counts = series(rng, 1)[0]
    settings = {"model": small_model(tmp_path, "UNet, folded"), "detector_gain": 1, "precision": "float32"}
    seen: list[Report] = []
    for report in DenoiseJob(ArraySeries(counts[None]), DenoiseConfig(**settings)).run(stop=lambda: bool(seen)):
        seen.append(report)
    (frame,) = [report for report in seen if isinstance(report, FrameReport)]
    assert frame.cut_short
    assert not frame.adapted
    assert np.array_equal(frame.image, denoise(counts, steps=0, **settings).image)
    at_once = next(iter(DenoiseJob(ArraySeries(counts[None]), DenoiseConfig(**settings)).run(stop=lambda: True)))
    assert isinstance(at_once, FrameReport)  # nothing was looked at before: the quickest there is
    assert "a single prediction" in at_once.message
    assert np.array_equal(at_once.image, denoise(counts, steps=0, averaging="none", **settings).image)


def test_same_seed_same_bits_and_frames_do_not_depend_on_each_other(dncnn: str, rng: np.random.Generator) -> None:
    counts = series(rng)
    every, again, last, other = (
        denoise(counts, model=dncnn, objective="sure", learning_rate=0.02, **FAST, **more).image
        for more in ({"seed": 4}, {"seed": 4}, {"seed": 4, "frames": "2"}, {"seed": 5})
    )
    assert np.array_equal(every, again)
    assert np.array_equal(every[2], last[0])
    assert not np.array_equal(every, other)


@pytest.mark.parametrize("scale", [1.0, 37.0])
@pytest.mark.parametrize("offset", [0.0, -500.0])
@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", "int16", ">i2", "int32"])
def test_unit_offset_and_type_of_the_input_do_not_matter(
    dncnn: str, scale: float, offset: float, dtype: str, rng: np.random.Generator
) -> None:
    counts = series(rng, 1)[0]
    settings = {**FAST, "model": dncnn, "precision": "float32"}
    plain = denoise(counts, detector_gain=1, **settings).image
    moved = denoise(
        (counts * scale + offset).astype(dtype), detector_gain=scale, detector_offset=offset, **settings
    ).image
    # counts * scale + offset is exact; on the way back one float32 rounding of a value near |offset| + scale
    np.testing.assert_allclose(moved, plain * scale + offset, atol=2**-22 * (abs(offset) + 10 * scale))


def test_the_scale_is_estimated_where_it_is_not_given(dncnn: str, rng: np.random.Generator) -> None:
    electrons = series(rng, 1)[0]
    report = denoise(electrons * 116, model=dncnn, **FAST).provenance["frames"][0]
    assert report["scale"]["per_unit"] == pytest.approx(116, rel=0.15)


def test_shapes_are_kept(dncnn: str, rng: np.random.Generator) -> None:
    counts = series(rng, 4)
    settings = {**FAST, "model": dncnn, "steps": 0}
    assert denoise(counts[0], **settings).image.shape == SHAPE
    assert denoise(counts, **settings).image.shape == (4, *SHAPE)
    assert denoise(counts.reshape(2, 2, *SHAPE), **settings).image.shape == (2, 2, *SHAPE)
    assert denoise(counts, frames="1:3", **settings).image.shape == (2, *SHAPE)
    assert denoise(counts[..., ::2, :], **settings).image.shape == (4, 44, 96)


def test_reports_come_in_order_and_count(dncnn: str, rng: np.random.Generator) -> None:
    job = DenoiseJob(ArraySeries(series(rng)), DenoiseConfig(model=dncnn, frames="1:3", **FAST))
    reports = list(job.run(preview_interval_s=0))
    assert isinstance(reports[-1], DoneReport)
    assert not reports[-1].stopped
    frames = [report for report in reports if isinstance(report, FrameReport)]
    assert [(report.frame, report.position) for report in frames] == [(1, 0), (2, 1)]
    steps = [report for report in reports if isinstance(report, StepReport)]
    assert [report.step for report in steps] == list(range(11)) * 2
    assert all(report.steps == 10 and report.frames_total == 2 for report in steps)
    previews = [report.preview for report in steps if report.preview is not None]
    assert previews
    assert all(preview.shape == SHAPE for preview in previews)
    assert not any(report.preview is not None for report in job.run() if isinstance(report, StepReport))


def test_previews_do_not_change_the_result(dncnn: str, rng: np.random.Generator) -> None:
    job = DenoiseJob(ArraySeries(series(rng, 1)), DenoiseConfig(model=dncnn, **FAST))
    with_previews, without = (
        next(report.image for report in job.run(preview_interval_s=interval) if isinstance(report, FrameReport))
        for interval in (0, None)
    )
    assert np.array_equal(with_previews, without)


@pytest.mark.parametrize("mode", ["episodic", "shared"])
def test_a_stopped_job_finishes_the_frame_it_is_at(dncnn: str, mode: str, rng: np.random.Generator) -> None:
    job = DenoiseJob(ArraySeries(series(rng)), DenoiseConfig(model=dncnn, series=mode, steps=1000, crop_size_px=32))
    seen: list[object] = []
    for report in job.run(stop=lambda: len(seen) >= 5):
        seen.append(report)
    frames = [report for report in seen if isinstance(report, FrameReport)]
    assert [frame.frame for frame in frames] == [0]
    assert frames[0].steps_run < 6
    assert isinstance(seen[-1], DoneReport)
    assert seen[-1].stopped
    assert [record["frame"] for record in seen[-1].provenance["frames"]] == [0]


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_frame_in_a_series_is_returned_with_a_word(dncnn: str, value: int, rng: np.random.Generator) -> None:
    counts = series(rng)
    counts[1] = value
    result = denoise(counts, model=dncnn, **FAST)
    assert np.array_equal(result.image[1], counts[1])
    assert f"every pixel is {value}" in result.frames[1].message
    gappy = counts.astype(np.float32)
    gappy[1, 0, 0] = np.nan
    said = denoise(gappy, model=dncnn, nonfinite="fill", **FAST).frames[1].message
    assert (
        said
        == f"1 NaN or infinite pixels were filled from their neighbours; every pixel is {value}; there is nothing to denoise"
    )
    assert not any("every pixel" in result.frames[other].message for other in (0, 2))


@pytest.mark.parametrize("mode", ["episodic", "shared"])
def test_the_recipe_names_every_frame_once(dncnn: str, mode: str, rng: np.random.Generator) -> None:
    counts = series(rng, 4)
    counts[0] = 0
    recipe = denoise(counts, model=dncnn, series=mode, **FAST).provenance
    assert [record["frame"] for record in recipe["frames"]] == [0, 1, 2, 3]


def test_a_single_frame_cut_short_is_called_stopped(dncnn: str, rng: np.random.Generator) -> None:
    job = DenoiseJob(ArraySeries(series(rng, 1)), DenoiseConfig(model=dncnn, steps=1000, crop_size_px=32))
    seen: list[object] = []
    for report in job.run(stop=lambda: len(seen) >= 5):
        seen.append(report)
    assert isinstance(seen[-1], DoneReport)
    assert seen[-1].stopped
    assert [report.cut_short for report in seen if isinstance(report, FrameReport)] == [True]


@pytest.mark.parametrize("objective", ["sure", "resampling"])
def test_a_shared_state_is_adapted_to_every_frame(objective: str, dncnn: str, rng: np.random.Generator) -> None:
    """Another second frame gives another state, and so another first one; each frame has its own first result."""
    counts = series(rng, 2)
    other = counts.copy()
    other[1] = rng.poisson(1.5, SHAPE)
    settings = {**FAST, "series": "shared", "objective": objective, "stopping": "fixed", "detector_gain": 1}
    first, second = (denoise(frames, model=dncnn, **settings).image[0] for frames in (counts, other))
    assert not np.array_equal(first, second)


def test_read_noise_is_estimated_beside_the_electrons_own(dncnn: str, rng: np.random.Generator) -> None:
    """Of 1 electron and read noise of 1.5: all noise together is 1.8; the estimate of one frame is rough."""
    noisy = rng.poisson(np.ones((256, 256))) + rng.normal(0, 1.5, (256, 256))
    for objective in ("sure", "resampling"):
        settings = {**FAST, "noise": "poisson-gaussian", "objective": objective, "detector_gain": 1}
        told = denoise(noisy, model=dncnn, **settings).frames[0].objective
        levels = [float(level) for level in re.findall(r"read_noise_sd=([0-9.]+)", told)]
        assert levels
        assert levels == pytest.approx([1.5] * len(levels), abs=0.15)


def test_an_early_end_by_patience_is_no_stop(dncnn: str, rng: np.random.Generator) -> None:
    """``stop`` that turns true with the last report finds every frame whole."""
    reports: list[object] = []
    config = DenoiseConfig(model=dncnn, steps=1000, crop_size_px=32, stopping="patience", patience=3)
    for report in DenoiseJob(ArraySeries(series(rng, 1)), config).run(
        lambda: any(isinstance(report, FrameReport) for report in reports)
    ):
        reports.append(report)
    *_, frame, done = reports
    assert isinstance(frame, FrameReport)
    assert isinstance(done, DoneReport)
    assert 3 <= frame.steps_run < 1000
    assert not frame.cut_short
    assert not done.stopped


@pytest.mark.parametrize("objective", ["auto", "sure", "resampling", "restored"])
def test_poisson_noise_is_refused_where_the_model_counts_nothing(objective: str, rng: np.random.Generator) -> None:
    """A variance as large as the grey value, which a judge would believe."""
    with pytest.raises(SettingError, match="'poisson'.*unit is 'unit'.*choose a model that counts electrons"):
        denoise(rng.random((128, 128)), model="dncnn-piecewise", noise="poisson", objective=objective, **FAST)


def test_a_guessed_offset_is_said(dncnn: str, rng: np.random.Generator) -> None:
    standardised = series(rng, 1)[0] - 5.0
    said = denoise(standardised, model=dncnn, steps=0).frames[0].message
    assert "Give the detector gain (1 for counted electrons), and the offset" in said


@pytest.mark.parametrize(
    ("dose", "said", "cure"), [(50.0, "more", "shorter exposures"), (0.05, "less", "bin the frames")]
)
def test_a_dose_the_model_does_not_know_is_said(
    dose: float, said: str, cure: str, dncnn: str, rng: np.random.Generator
) -> None:
    message = denoise(rng.poisson(dose, SHAPE), model=dncnn, detector_gain=1, steps=0).frames[0].message
    assert f"is {said} than the 0.2 to 2 e⁻/px the model knows" in message
    assert cure in message


def test_nan_is_refused_with_its_place_or_filled(dncnn: str, rng: np.random.Generator) -> None:
    frames = series(rng).astype(np.float32)
    frames[2, 3, 5] = np.nan
    with pytest.raises(ImageError, match="frame 2: 1 of 8448 pixels are NaN or infinite, the first at row 3, column 5"):
        denoise(frames, model=dncnn, **FAST)
    filled = denoise(frames, model=dncnn, nonfinite="fill", **FAST)
    assert np.isfinite(filled.image).all()
    assert ["1 NaN or infinite pixels were filled" in frame.message for frame in filled.frames] == [False, False, True]


def test_what_cannot_be_done_is_refused_before_any_work(model: str, rng: np.random.Generator) -> None:
    class Untouchable(ArraySeries):
        def frame(self, index: int) -> np.ndarray[Any, Any]:
            raise AssertionError("a pixel was read")

    whole = Untouchable(series(rng))
    for settings, error, message in (
        ({"frames": "9"}, SettingError, "the series has 3 frames"),
        ({"model": "gpt"}, ModelError, "model 'gpt' is unknown"),
        ({"device": "cuda:77"}, DeviceError, "cuda:77"),
        (
            {"parameters": "input-offset", "series": "shared"},
            SettingError,
            "belongs to one frame.*choose series episodic",
        ),
        ({"device": "tpu"}, DeviceError, "write auto, cpu, cuda or cuda:1"),
    ):
        with pytest.raises(error, match=message):
            DenoiseJob(whole, checked(DenoiseConfig, {"model": model, **settings}))
    with pytest.raises(ImageError, match="4 x 96 px is smaller than"):
        DenoiseJob(Untouchable(series(rng)[:, :4]), DenoiseConfig(model=model))


def test_a_frame_without_noise_is_refused_with_the_cure(dncnn: str) -> None:
    ramp = np.broadcast_to(np.arange(96, dtype=np.float32), SHAPE)
    with pytest.raises(NoiseModelError, match="no noise found.*give the detector gain"):
        denoise(ramp, model=dncnn, **FAST)


def test_running_out_of_memory_is_told_apart_from_other_errors() -> None:
    with (
        pytest.raises(DeviceError, match="out of memory; choose smaller crops"),
        memory_errors_named(torch.device("cpu")),
    ):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="illegal memory"), memory_errors_named(torch.device("cpu")):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(RuntimeError, match="size"), memory_errors_named(torch.device("cpu")):
        torch.zeros(2) + torch.zeros(3)


@pytest.mark.parametrize("blank", [[], [0]], ids=["", "the shutter opens late"])
@pytest.mark.parametrize("mode", ["episodic", "shared"])
def test_a_pixel_size_the_model_does_not_know_is_said_once(
    mode: str, blank: list[int], tmp_path: Path, rng: np.random.Generator
) -> None:
    architecture, options = SMALL["dncnn bias-free"]
    fields = {
        "name": "small", "architecture": architecture, "options": options, "modality": "test", "trained_on": "nothing",
        "objective": "none", "recipe": "none", "licence": "BSD-3-Clause", "pixel_size_range_nm": (0.005, 0.025),
    }  # fmt: skip
    save_model(make("dncnn bias-free"), fields, tmp_path)
    for pixel_size_nm, said in (
        (0.02, ""),
        (0.004, "0.004 x 0.004 nm are smaller than the 0.005 to 0.025 nm the model knows"),
        (0.03, "0.03 x 0.03 nm are larger than"),
    ):
        counts = series(rng)
        counts[blank] = 0
        frames = ArraySeries(
            counts, calibration=Calibration("TYX", (1, pixel_size_nm, pixel_size_nm), ("s", "nm", "nm"))
        )
        job = DenoiseJob(
            frames, DenoiseConfig(model=str(tmp_path / "small.safetensors"), steps=0, series=mode, scale="none")
        )
        told = [report.message for report in job.run() if isinstance(report, FrameReport)]
        first = len(blank)
        assert said in told[first]
        assert ("pixels of" in told[first]) is bool(said)
        assert not any("nm" in message for message in [*told[:first], *told[first + 1 :]])


@pytest.mark.parametrize("mode", ["episodic", "shared"])
@pytest.mark.parametrize("steps", [0, 5])
def test_progress_rises_to_the_end(dncnn: str, mode: str, steps: int, rng: np.random.Generator) -> None:
    """Also past a constant frame, which takes no steps."""
    frames = series(rng)
    frames[1] = 3
    job = DenoiseJob(ArraySeries(frames), DenoiseConfig(model=dncnn, **{**FAST, "steps": steps, "series": mode}))
    reports = [report for report in job.run() if not isinstance(report, DoneReport)]
    progress = [report.progress for report in reports]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert reports[-1].seconds_left == 0
    assert all(report.seconds_left is None or report.seconds_left > 0 for report in reports[:-1])


def test_help_shows_every_setting_and_messages_are_logged(
    dncnn: str, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(inspect.signature(denoise).parameters) == ["image", *DenoiseConfig.model_fields]
    result = denoise(np.full(SHAPE, 7), model=dncnn, steps=0)
    assert caplog.messages == [f"image, frame 0: {result.frames[0].message}"]
    assert len(repr(result)) < 1000


@pytest.mark.parametrize("mode", ["episodic", "shared"])
def test_the_wish_to_stop_is_heard_while_frames_are_read(dncnn: str, mode: str, rng: np.random.Generator) -> None:
    """A series on a slow disk, and an objective that first denoises every frame."""

    class Counting(ArraySeries):
        read = 0

        def frame(self, index: int) -> np.ndarray[Any, Any]:
            self.read += 1
            return super().frame(index)

    counting = Counting(series(rng, 12))
    config = DenoiseConfig(model=dncnn, series=mode, objective="resampling", **FAST)
    frames, read = [], 0
    for report in DenoiseJob(counting, config).run(stop=lambda: counting.read >= 2):
        if isinstance(report, FrameReport):
            frames.append(report)
            read = counting.read  # the recipe's hash reads every frame once more
    assert [frame.frame for frame in frames] == ([0, 1] if mode == "episodic" else [0])
    assert frames[-1].steps_run == 0
    assert read <= 3


def test_a_single_frame_may_be_named_by_a_number(dncnn: str, rng: np.random.Generator) -> None:
    assert [frame.frame for frame in denoise(series(rng), model=dncnn, frames=-1, steps=0).frames] == [2]


def test_hot_pixels_are_told_with_their_place(dncnn: str, rng: np.random.Generator) -> None:
    counts = series(rng)
    counts[1, 20, 30] = 4000
    told = [frame.message for frame in denoise(counts, model=dncnn, steps=0, detector_gain=1).frames]
    assert ["1 hot pixel, the first at row 20, column 30 (4000)" in message for message in told] == [False, True, False]


@pytest.mark.parametrize(
    ("settings", "dose", "warns"),
    [
        ({"objective": "sure", "noise": "gaussian"}, 0.5, True),
        ({"objective": "sure", "noise": "gaussian"}, 20, False),
        ({"objective": "sure"}, 0.5, False),
        ({"noise": "gaussian"}, 0.5, False),
    ],
)
def test_sure_for_gaussian_noise_on_few_electrons_is_told(
    settings: dict[str, str], dose: float, warns: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    counts = rng.poisson(dose, SHAPE)
    for kind, is_blind in (("dncnn bias-free", False), ("blind-spot, 2 poolings", True)):
        model = small_model(tmp_path / kind, kind)
        message = denoise(counts, model=model, steps=0, detector_gain=1, **settings).frames[0].message
        assert ("SURE was told" in message) is (warns and not is_blind)


def test_dose_is_told(dncnn: str, rng: np.random.Generator) -> None:
    (frame,) = denoise(rng.poisson(0.5, SHAPE) * 30, model=dncnn, steps=0, detector_gain=30).frames
    assert frame.dose_e_per_px == pytest.approx(0.5, abs=6 * (0.5 / (SHAPE[0] * SHAPE[1])) ** 0.5)


@pytest.mark.parametrize(("point_spread_px", "is_correlated"), [(0.0, False), (0.5, True)])
def test_noise_that_neighbours_share_is_noticed_and_kept_from_blind_spots(
    point_spread_px: float, is_correlated: bool, rng: np.random.Generator
) -> None:
    """A blind spot of one pixel sees through its neighbours what it is to predict, and would learn the noise."""
    clean = torch.from_numpy(2 + np.sin(np.arange(128) / 9) * np.ones((128, 1))).float()
    chance = torch.Generator().manual_seed(3)
    noisy = Correlated(Poisson(), point_spread_px).sample(clean[None, None], chance)[0, 0].numpy()
    settings = {"model": "blindspot-tem", "detector_gain": 1, "steps": 10}
    chosen = denoise(noisy, **settings).frames[0]
    assert chosen.objective.startswith("NoiseResampling" if is_correlated else "ArchitecturalBlindSpot")
    assert "correlated" not in chosen.message
    told = denoise(noisy, objective="blind-spot", **settings).frames[0].message
    assert ("correlated" in told) == is_correlated
    if is_correlated:
        assert "the objective blind-spot takes what they share for scene" in told
        assert "set objective to resampling" in told


@pytest.mark.parametrize("model", ["unet-hrtem", "unet-stem"])
@pytest.mark.parametrize(("period_px", "dose"), [(5, 6.0), (5, 2.0), (8, 6.0)])
def test_a_lattice_along_the_rows_is_no_row_noise(
    model: str, period_px: int, dose: float, rng: np.random.Generator
) -> None:
    """The network leaves some of it, and what rows share of that is a peak of their spectrum, no noise."""
    y, x = np.mgrid[:256, :256]
    particle = np.hypot(y - 128, x - 128) < 100
    lattice = 1 - 0.4 * particle * np.cos(np.pi * y / period_px) ** 2 * np.cos(np.pi * x / period_px) ** 2
    told = denoise(rng.poisson(dose * lattice), model=model, detector_gain=1, steps=1).frames[0]
    assert "share" not in told.message
    assert told.steps_run == 1


def test_lines_that_share_noise_are_not_learned_unless_one_asks_for_it() -> None:
    clean = torch.from_numpy(2 + np.sin(np.arange(256) / 9)[:, None] * np.ones((1, 256))).float()
    noise = Correlated(Poisson(), row_noise_sd=0.8)
    noisy = noise.sample(clean[None, None], torch.Generator().manual_seed(3))[0, 0].numpy()
    for frame in (noisy, np.ascontiguousarray(noisy.T)):
        settings = {"model": "unet-tem", "detector_gain": 1, "steps": 10}
        kept, start = denoise(frame, **settings), denoise(frame, **(settings | {"steps": 0}))
        assert np.array_equal(kept.image, start.image)
        assert (kept.frames[0].steps_run, kept.frames[0].objective) == (0, "")
        # 0.8**2 of 0.8**2 and the 2 that electrons have: a quarter; the median power of some 84 frequencies is right to
        # 1.44 / sqrt(84) of it
        share = re.search(
            r"share (\d+) % of the noise's variance.*the pre-trained result is kept", kept.frames[0].message
        )
        assert share
        assert int(share[1]) == pytest.approx(24, abs=3 * 24 * 0.16)
        asked = denoise(frame, objective="resampling", **settings)
        assert asked.frames[0].steps_run == 10
        assert "look at the result for stripes" in asked.frames[0].message


def test_noise_that_neighbours_share_is_alike_in_both_and_what_a_network_leaves_is_not(
    rng: np.random.Generator,
) -> None:
    """A network takes some of a pixel's noise for scene: what it takes away of neighbours is a little opposed."""
    white = torch.from_numpy(rng.normal(size=(256, 256)).astype(np.float32))
    opposed = white - 0.15 * (white.roll(1, 0) + white.roll(1, 1) + white.roll(-1, 0) + white.roll(-1, 1))
    alike = white + 0.15 * (white.roll(1, 0) + white.roll(1, 1))
    found = [Neighbours.of(noise, torch.zeros_like(noise)) for noise in (white, opposed, alike)]
    assert [one.are_correlated for one in found] == [False, False, True]
    assert found[1].along_x < -0.2
