"""Frames finer than a model knows are binned for it and come back on their own grid, electrons and all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.catalogue import save_model
from napari_gaintune.pipeline.api import denoise
from napari_gaintune.pipeline.binning import binned, binning_for, unbinned
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.job import DenoiseJob
from napari_gaintune.pipeline.reports import FrameReport

from ..models.test_networks import make


def card(low: float, high: float) -> ModelCard:
    return ModelCard(
        name="x", architecture="unet", modality="HRTEM", trained_on="", objective="", recipe="", licence="", sha256="",
        pixel_size_range_nm=(low, high),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pixel_size_nm", "binning"),
    [
        ((0.004, 0.004), 1),
        ((0.00399, 0.004), 1),  # rounding of a file's pixel size
        ((0.0039, 0.0039), 2),
        ((0.002, 0.002), 2),
        ((0.0015, 0.0015), 3),
        ((0.05, 0.05), 1),  # too coarse: nothing to be done
        ((0.003, 0.02), 1),  # binned, the other side would leave the range
        (None, 1),
    ],
)
def test_binning_brings_pixels_into_the_range(pixel_size_nm: tuple[float, float] | None, binning: int) -> None:
    assert binning_for(pixel_size_nm, card(0.004, 0.03)) == binning


@pytest.mark.parametrize("binning", [1, 2, 3])
@pytest.mark.parametrize("shape", [(24, 36), (25, 37)])
def test_binning_keeps_the_mean_and_a_smooth_image_comes_back(binning: int, shape: tuple[int, int]) -> None:
    y, x = np.indices(shape)
    image = (5 + np.cos(2 * np.pi * x / 24) + np.sin(2 * np.pi * y / 24)).astype(np.float32)
    small = binned(image, binning)
    assert small.shape == tuple(-(-length // binning) for length in shape)
    if shape == (24, 36):
        assert small.mean() == pytest.approx(image.mean(), rel=1e-6)
    back = unbinned(small, binning, shape)
    assert back.shape == shape
    # a mean over b pixels damps a wave of 24 px by sin(pi b / 24) / (b sin(pi / 24)), 3 % at b = 3; then interpolation
    inner = (slice(6, -6),) * 2
    assert back[inner] == pytest.approx(image[inner], abs=0.05 * (binning > 1) + 1e-6)


@pytest.fixture
def model(tmp_path: Path) -> str:
    fields = {
        "name": "small", "architecture": "unet", "options": {"width": 4, "levels": 2, "widest": 8}, "modality": "HRTEM",
        "trained_on": "nothing", "objective": "none", "recipe": "none", "licence": "BSD-3-Clause",
        "dose_range_e_per_px": (0.2, 20.0), "pixel_size_range_nm": (0.004, 0.03),
    }  # fmt: skip
    save_model(make("UNet"), fields, tmp_path)
    return str(tmp_path / "small.safetensors")


def fine_series(rng: np.random.Generator, gain: float = 1.0, offset: float = 0.0) -> ArraySeries:
    counts = (gain * rng.poisson(0.5, (131, 120)) + offset).astype(np.float32)
    return ArraySeries(counts, "fine", Calibration("YX", (0.002, 0.002), ("nm", "nm")))


@pytest.mark.parametrize("steps", [0, 2])
def test_a_job_bins_and_says_so(rng: np.random.Generator, model: str, steps: int) -> None:
    settings = DenoiseConfig(model=model, steps=steps, detector_gain=7.0, detector_offset=3.0, objective="resampling")
    job = DenoiseJob(fine_series(rng, 7.0, 3.0), settings)
    (report,) = [r for r in job.run() if isinstance(r, FrameReport)]
    assert job.binning == 2
    assert report.image.shape == (131, 120)
    assert "binned 2 x 2" in report.message
    assert report.scale is not None
    assert report.scale.per_unit == pytest.approx(7.0 / 4)  # counts, on average over four pixels, per electron in them
    # the dose is that of the frame's own pixels: 0.5, with the standard error of 15720 pixels
    assert report.dose_e_per_px == pytest.approx(0.5, abs=5 * np.sqrt(0.5 / 15720))


def test_a_noise_level_in_the_inputs_unit_is_one_of_a_binned_pixel(rng: np.random.Generator, model: str) -> None:
    """14 counts of each of four pixels: of their mean 7, and that in electrons of a square, 7 / 4 counts each, is 4."""
    settings = DenoiseConfig(
        model=model, steps=2, detector_gain=7.0, noise="gaussian", noise_sd=14.0, objective="resampling"
    )
    job = DenoiseJob(fine_series(rng, 7.0), settings)
    (report,) = [r for r in job.run() if isinstance(r, FrameReport)]
    assert job.binning == 2
    assert report.objective == "NoiseResampling(noise=Gaussian(sd=4.0), judge=SureGaussian(sigma=4.0))"


def test_scale_none_leaves_the_frame_as_it_is(rng: np.random.Generator, model: str) -> None:
    job = DenoiseJob(fine_series(rng), DenoiseConfig(model=model, steps=0, scale="none", detector_gain=1.0))
    (report,) = [r for r in job.run() if isinstance(r, FrameReport)]
    assert job.binning == 1
    assert "smaller than the" in report.message


def test_the_recipe_tells_the_binning(rng: np.random.Generator, model: str) -> None:
    result = denoise(fine_series(rng), model=model, steps=0, detector_gain=1.0)
    assert result.provenance["model"]["binning"] == 2
    assert result.provenance["model"]["reason"] == "named by the user"
