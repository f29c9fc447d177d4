"""Denoising into a file: what is in it however the job ends, and what is refused before it begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_gaintune import denoise
from napari_gaintune.adaptation.config import checked
from napari_gaintune.errors import ImageError, OutputError
from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.io import open_series, read_recipe
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.job import DenoiseJob
from napari_gaintune.pipeline.reports import DoneReport, FrameReport, Report, StepReport
from napari_gaintune.pipeline.save import denoise_to_file

Array = np.ndarray[Any, Any]
SHAPE = (32, 40)
STEPS = 4


@pytest.fixture
def counts(rng: np.random.Generator) -> Array:
    return rng.poisson(1.0, (5, *SHAPE)).astype(np.uint16)


@pytest.fixture
def config(dncnn: str) -> Callable[..., DenoiseConfig]:
    fast = {"model": dncnn, "steps": STEPS, "crop_size_px": 16, "precision": "float32"}
    return lambda **settings: checked(DenoiseConfig, fast | settings)


def images(series: ArraySeries, config: DenoiseConfig) -> list[Array]:
    return [report.image for report in DenoiseJob(series, config).run() if isinstance(report, FrameReport)]


def frames_of(reports: list[Report]) -> list[int]:
    return [report.frame for report in reports if isinstance(report, FrameReport)]


def only_file_in(folder: Path) -> Path:
    (path,) = (path for path in folder.iterdir() if path.is_file())
    return path


def test_the_file_holds_the_jobs_frames_axes_and_recipe(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    calibration = Calibration("TYX", (0.5, 0.02, 0.03), ("s", "nm", "nm"), (3.0, 1.0, 0.0))
    series = ArraySeries(counts, calibration=calibration)
    out = tmp_path / "out.ome.tif"
    reports = list(denoise_to_file(series, config(), out))
    np.testing.assert_array_equal(tifffile.imread(out), images(series, config()))
    result = open_series(out)
    assert (result.shape, result.dtype, result.calibration) == (counts.shape, np.float32, calibration)
    assert isinstance(reports[-1], DoneReport)
    assert not reports[-1].stopped
    assert read_recipe(out) == reports[-1].provenance


def test_chosen_frames_keep_their_places_on_the_axis(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    calibration = Calibration("TYX", (0.5, 0.02, 0.03), ("s", "nm", "nm"), (3.0, 1.0, 0.0))
    out = tmp_path / "out.tif"
    chosen = config(steps=0, frames="1::2")
    list(denoise_to_file(ArraySeries(counts, calibration=calibration), chosen, out))
    result = open_series(out)
    assert result.shape == (2, *SHAPE)
    assert result.calibration == Calibration("TYX", (1.0, 0.02, 0.03), ("s", "nm", "nm"), (3.5, 1.0, 0.0))


def test_a_stack_of_stacks_keeps_its_shape_and_chosen_frames_of_it_are_numbered(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    calibration = Calibration("TZYX", (0.5, 4.0, 0.02, 0.03), ("s", "nm", "nm", "nm"))
    series = ArraySeries(counts[:4].reshape(2, 2, *SHAPE), calibration=calibration)
    list(denoise_to_file(series, config(steps=0), tmp_path / "all.tif"))
    assert open_series(tmp_path / "all.tif").shape == (2, 2, *SHAPE)
    assert open_series(tmp_path / "all.tif").calibration == calibration
    list(denoise_to_file(series, config(steps=0, frames="1:"), tmp_path / "some.tif"))
    some = open_series(tmp_path / "some.tif")
    assert some.shape == (3, *SHAPE)
    assert some.calibration == Calibration("TYX", (1.0, 0.02, 0.03), ("", "nm", "nm"))


@pytest.mark.parametrize("mode", ["episodic", "shared"])
@pytest.mark.parametrize("at_step", [0, 2, STEPS])
def test_a_stopped_job_leaves_its_finished_frames(
    mode: str, at_step: int, counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    """Asked to stop at a step of the third frame, or, where all share one adaptation, once two frames are out."""
    series, settings, out = ArraySeries(counts), config(series=mode), tmp_path / "out.tif"
    seen: list[Report] = []

    def stop() -> bool:
        if mode == "shared":
            return len(frames_of(seen)) >= 2
        return any(isinstance(r, StepReport) and (r.frame, r.step) == (2, at_step) for r in seen)

    for report in denoise_to_file(series, settings, out, stop=stop):
        seen.append(report)
    kept = 3 if mode == "episodic" and at_step == STEPS else 2
    assert frames_of(seen) == list(range(kept))
    assert isinstance(seen[-1], DoneReport)
    assert seen[-1].stopped
    np.testing.assert_array_equal(tifffile.imread(out), images(series, settings)[:kept])
    recipe = read_recipe(out)
    assert recipe == seen[-1].provenance
    assert [record["frame"] for record in recipe["frames"]] == list(range(kept))


@pytest.mark.parametrize(("after_step", "kept"), [(0, False), (2, True)])
def test_the_only_frame_is_kept_if_its_adaptation_had_begun(
    after_step: int, kept: bool, counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    out, seen = tmp_path / "out.tif", []
    steps = denoise_to_file(
        ArraySeries(counts), config(frames="1"), out, stop=lambda: len(seen) > after_step
    )  # the reports are steps 0, 1, 2 ...
    for report in steps:
        seen.append(report)
    assert isinstance(seen[-1], DoneReport)
    assert seen[-1].stopped
    assert out.exists() is kept
    assert frames_of(seen) == ([1] if kept else [])
    if kept:
        recipe = read_recipe(out)
        assert recipe is not None
        assert recipe["frames"][0]["steps_run"] == after_step


def test_asked_to_stop_after_the_last_frame_the_job_is_done(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    seen: list[Report] = []
    for report in denoise_to_file(
        ArraySeries(counts), config(), tmp_path / "out.tif", stop=lambda: len(frames_of(seen)) == len(counts)
    ):
        seen.append(report)
    assert isinstance(seen[-1], DoneReport)
    assert not seen[-1].stopped


def test_a_frame_is_in_the_file_when_its_report_comes_and_a_shell_may_go_away(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    out = tmp_path / "out.tif"
    reports = denoise_to_file(ArraySeries(counts), config(steps=0), out)
    first = next(reports)
    assert isinstance(first, FrameReport)
    assert not out.exists()  # the name is given at the end
    reports.close()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(tifffile.imread(only_file_in(tmp_path)).squeeze(), first.image)
    recipe = read_recipe(out)
    assert recipe is not None
    assert [record["frame"] for record in recipe["frames"]] == [0]


def test_an_error_on_the_way_leaves_the_frames_before_it(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    out, bad = tmp_path / "out.tif", counts.astype(np.float32)
    bad[2, 3, 3] = np.nan
    with pytest.raises(ImageError, match="frame 2"):
        list(denoise_to_file(ArraySeries(bad), config(), out))
    np.testing.assert_array_equal(tifffile.imread(out), images(ArraySeries(counts), config(frames=":2")))
    recipe = read_recipe(out)
    assert recipe is not None
    assert [record["frame"] for record in recipe["frames"]] == [0, 1]


def test_an_error_in_the_first_frame_leaves_nothing(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    bad = counts.astype(np.float32)
    bad[0, 3, 3] = np.nan
    with pytest.raises(ImageError, match="frame 0"):
        list(denoise_to_file(ArraySeries(bad), config(), tmp_path / "out.tif"))
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_the_output_is_looked_at_first_and_nothing_is_touched_before_the_first_report(
    counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path
) -> None:
    out = tmp_path / "out.tif"
    out.write_bytes(b"an earlier result")
    with pytest.raises(OutputError, match="exists already"):
        denoise_to_file(ArraySeries(counts), config(model="no-such-model"), out)
    denoise_to_file(ArraySeries(counts), config(), out, overwrite=True)
    assert only_file_in(tmp_path).read_bytes() == b"an earlier result"


def test_the_input_is_never_replaced(counts: Array, config: Callable[..., DenoiseConfig], tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, counts)
    with pytest.raises(OutputError, match="is the input"):
        denoise_to_file(open_series(path), config(), path, overwrite=True)
    np.testing.assert_array_equal(tifffile.imread(path), counts)


@pytest.mark.parametrize("frames", ["all", "1:3", "2"])
def test_a_result_saves_what_the_command_line_would(
    frames: str, config: Callable[..., DenoiseConfig], counts: Array, tmp_path: Path
) -> None:
    path, names = tmp_path / "in.tif", ("saved", "written")
    tifffile.imwrite(path, counts, resolution=(5e8, 5e8), resolutionunit=3, metadata=None, photometric="minisblack")
    settings = config(frames=frames)
    result = denoise(path, **settings.model_dump())
    result.save(tmp_path / "saved.tif")
    list(denoise_to_file(open_series(path), settings, tmp_path / "written.tif"))
    saved, written = (open_series(tmp_path / f"{name}.tif") for name in names)
    assert (saved.shape, saved.calibration) == (written.shape, written.calibration)
    assert saved.calibration.pixel_size_nm == pytest.approx((0.02, 0.02))
    assert saved.fingerprint() == written.fingerprint()
    assert read_recipe(tmp_path / "saved.tif") == read_recipe(tmp_path / "written.tif")
    with pytest.raises(OutputError, match="exists already"):
        result.save(tmp_path / "saved.tif")
    with pytest.raises(OutputError, match="is the input"):
        result.save(path, overwrite=True)
