"""A result checked by what was measured: real series, real networks, and results that are wrong on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_gaintune import check, denoise
from napari_gaintune.errors import ImageError, OutputError, SettingError
from napari_gaintune.evaluation.column_support import without_column
from napari_gaintune.evaluation.columns import COLUMN_RADIUS_NM
from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.pipeline.check import check_by_recipe
from napari_gaintune.pipeline.check_picture import UNTOLD, draw, looks_of
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.save import denoise_to_file

from ..evaluation.test_columns import PIXEL_NM, PLACES, atoms
from .conftest import small_model

Array = np.ndarray
GAIN, OFFSET, DOSE = 12.0, 100.0, 2.0
CALIBRATION = Calibration("TYX", (0.1, PIXEL_NM, PIXEL_NM), ("s", "nm", "nm"))


def recording(rng: np.random.Generator, truths: list[Array], name: str = "series") -> ArraySeries:
    counts = np.stack([GAIN * rng.poisson(DOSE * truth) + OFFSET for truth in truths]).astype(np.float32)
    return ArraySeries(counts, name, CALIBRATION)


def in_counts(truth: Array) -> Array:
    return (GAIN * DOSE * truth + OFFSET).astype(np.float32)


def checked(noisy: ArraySeries, result: Array, frame: int = 3, **settings: float) -> object:
    whole = np.broadcast_to(result, noisy.shape)
    return check(noisy, whole, frame, detector_gain=GAIN, detector_offset=OFFSET, **settings)


def test_a_perfect_result_is_praised_and_its_error_is_near_zero(rng: np.random.Generator) -> None:
    truth = atoms(PLACES)
    found = checked(recording(rng, [truth] * 12), in_counts(truth))
    assert found.other_frames == 11
    assert abs(found.residual.chi_square - 1) < 2 * found.residual.limit
    assert abs(found.error.mean) < 3 * (found.error.high - found.error.low)
    assert len(found.columns.places_px) == len(found.columns_here.places_px) == len(PLACES)
    assert found.columns.is_told.all()
    assert not found.columns.is_invented.any()
    assert "has the variance of counted electrons" in found.sentences[0]


def test_an_invented_column_and_a_real_error_are_found_also_under_drift(rng: np.random.Generator) -> None:
    """The frames drift by whole pixels; the result shows one column too many, and another offset of brightness."""
    truth = atoms([place for place in PLACES if place != (96, 96)])
    noisy = recording(rng, [np.roll(truth, (index - 3, 3 - index), (0, 1)) for index in range(12)])
    found = checked(noisy, in_counts(atoms(PLACES) + 0.05))
    places = found.columns.places_px
    (invented,) = places[found.columns.is_invented]
    assert np.hypot(*(invented - 96)) < 2
    assert found.columns.is_told.all()
    # an offset of 5 %, and of one column of 0.4 of 81
    error = np.mean((DOSE * (atoms(PLACES) + 0.05 - truth)) ** 2)
    assert found.error.low < error < found.error.high
    here = found.columns_here
    assert here.contrast[found.columns.is_invented] < 0.5  # its own counts know nothing of it either
    assert any("speak against 1" in sentence for sentence in found.sentences)


def test_a_fading_beam_and_a_blanked_one(rng: np.random.Generator) -> None:
    """Frames half as bright tell half as much; those without beam are no witnesses, whatever their noise."""
    truth = atoms(PLACES)
    noisy = recording(rng, [truth] * 6 + [truth / 2] * 6 + [1e-4 * truth] * 4)
    found = checked(noisy, in_counts(truth))
    assert found.other_frames == 11
    assert abs(found.error.mean) < 3 * (found.error.high - found.error.low)
    as_many = checked(recording(rng, [truth] * 9), in_counts(truth))  # 5 and 6/2
    np.testing.assert_allclose(found.columns.standard_error, as_many.columns.standard_error, rtol=0.03)
    scatter = (found.columns.contrast - 1) / found.columns.standard_error
    assert abs(np.mean(scatter)) < 4 / np.sqrt(len(PLACES))
    assert np.std(scatter) == pytest.approx(1, abs=4 / np.sqrt(2 * len(PLACES)))
    assert not found.columns.is_invented.any()


def test_an_estimated_gain_is_said(rng: np.random.Generator) -> None:
    noisy = recording(rng, [atoms(PLACES)[:128, :128]] * 3)
    told, said = (
        check(noisy, denoise(noisy, model="dncnn-hrtem", frames="1", steps=0, **given)).sentences
        for given in ({"detector_gain": GAIN, "detector_offset": OFFSET}, {})
    )
    assert not any("estimated" in sentence for sentence in told)
    assert any("give the detector gain" in sentence for sentence in said)


def test_frames_that_were_learned_from_are_no_witnesses(rng: np.random.Generator) -> None:
    """By next-frame with 4 frames on either side, those are left out; the recipe says so."""
    truth = atoms(PLACES)[:160, :160]
    noisy = recording(rng, [truth] * 12)
    result = denoise(
        noisy, model="dncnn-hrtem", frames="6", objective="next-frame", nearby_frames=4, steps=2, detector_gain=GAIN,
        detector_offset=OFFSET,
    )  # fmt: skip
    found = check(noisy, result)
    assert (found.frame, found.other_frames) == (6, 3)
    assert check(noisy, result.image.reshape(160, 160)[None].repeat(12, 0), 6, GAIN, OFFSET).other_frames == 11


def test_scale_and_frames_come_from_the_recipe_of_a_file(tmp_path: Path, rng: np.random.Generator) -> None:
    noisy = recording(rng, [atoms(PLACES)[:128, :128]] * 5)
    settings = {"model": small_model(tmp_path, "UNet, folded"), "steps": 0, "frames": "2:4", "precision": "float32"}
    config = DenoiseConfig(detector_gain=GAIN, detector_offset=OFFSET, **settings)
    out = tmp_path / "result.ome.tif"
    for _ in denoise_to_file(noisy, config, out):
        pass
    by_file = check(noisy, out)
    by_result = check(noisy, denoise(noisy, detector_gain=GAIN, detector_offset=OFFSET, **settings), 2)
    assert by_file.frame == 2
    assert by_file.residual == by_result.residual
    assert by_file.error == by_result.error
    assert check(noisy, out, 3).frame == 3
    with pytest.raises(SettingError, match=r"frame = 1: the frames that were denoised are 2:4"):
        check(noisy, out, 1)


def test_a_binned_frame_has_the_electrons_of_its_pixels(rng: np.random.Generator) -> None:
    """A network that sees the frame binned by two counts four pixels' electrons as one."""
    fine = Calibration("YX", (0.002, 0.002), ("nm", "nm"))
    counts = GAIN * rng.poisson(DOSE, (256, 256)).astype(np.float32)
    result = denoise(ArraySeries(counts, "fine", fine), model="dncnn-hrtem", steps=0, detector_gain=GAIN)
    assert result.provenance["model"]["binning"] > 1
    found = check(ArraySeries(counts, "fine", fine), result)
    assert found.image.mean() == pytest.approx(DOSE, rel=0.05)
    assert found.residual.chi_square == pytest.approx(1, abs=0.05)


def test_a_lost_scene_and_a_wrong_gain_are_said(rng: np.random.Generator) -> None:
    truth = 10 * atoms(PLACES)
    noisy = recording(rng, [truth] * 4)
    flat = checked(noisy, np.full_like(in_counts(truth), noisy.frame(0).mean()))
    assert "part of the scene" in flat.sentences[0]
    assert "alike" in flat.sentences[1]
    wrong = check(
        noisy, np.broadcast_to(in_counts(truth), noisy.shape), 0, detector_gain=2 * GAIN, detector_offset=OFFSET
    )
    assert wrong.residual.chi_square == pytest.approx(0.5, rel=0.05)
    assert "less than counted electrons" in wrong.sentences[0]


def test_one_frame_and_a_coarse_one_say_what_they_cannot(rng: np.random.Generator) -> None:
    truth = 10 * atoms(PLACES)
    one = ArraySeries(recording(rng, [truth]).frame(0), "one", CALIBRATION.last(2))
    found = check(one, in_counts(truth), detector_gain=GAIN, detector_offset=OFFSET)
    assert found.error is None
    assert found.columns is None
    assert len(found.columns_here.places_px) == len(PLACES)
    assert found.columns_here.is_told.any()
    assert set(looks_of(found)) == {UNTOLD}  # its own counts prove nothing
    coarse = check(one, in_counts(truth), detector_gain=GAIN, detector_offset=OFFSET, pixel_size_nm=0.1)
    assert coarse.columns_here is None
    assert any("0.053 nm" in sentence for sentence in coarse.sentences)


def test_the_picture_shows_every_column_in_the_colour_of_its_finding(tmp_path: Path, rng: np.random.Generator) -> None:
    truth = without_column(atoms(PLACES), np.array([96.0, 96.0]), COLUMN_RADIUS_NM / PIXEL_NM)
    found = checked(recording(rng, [truth] * 12), in_counts(atoms(PLACES)))
    path = tmp_path / "columns.png"
    draw(found, path)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (432, 432, 3)
    coloured = np.argwhere(np.ptp(pixels, axis=2) > 60)
    orange = np.argwhere((pixels[..., 0] > 200) & (pixels[..., 2] < 60))
    assert len(coloured) > 50 * len(PLACES)
    assert (np.hypot(*(orange - 193).T) < 2 * COLUMN_RADIUS_NM / PIXEL_NM + 4).all()
    assert len(orange) > 100
    with pytest.raises(OutputError, match="exists already"):
        draw(found, path)
    with pytest.raises(OutputError, match="PNG"):
        draw(found, tmp_path / "columns.tif")


def test_what_cannot_be_checked_is_refused(rng: np.random.Generator) -> None:
    noisy = recording(rng, [atoms(PLACES)] * 3)
    result = np.broadcast_to(in_counts(atoms(PLACES)), noisy.shape)
    with pytest.raises(SettingError, match="detector_gain = 0"):
        check(noisy, result)
    with pytest.raises(SettingError, match="frame = 3"):
        check(noisy, result, 3, detector_gain=GAIN)
    with pytest.raises(ImageError, match="2 denoised frames of 3"):
        check(noisy, result[:2], detector_gain=GAIN)
    with pytest.raises(ImageError, match="shapes differ"):
        check(noisy, result[..., 1:], detector_gain=GAIN)
    for name in ("detector_gain", "pixel_size_nm"):
        with pytest.raises(SettingError, match=f"{name} = -1"):
            check(noisy, result, **{"detector_gain": GAIN} | {name: -1})
    made = denoise(noisy, model="dncnn-hrtem", frames="2", steps=0, detector_gain=GAIN)
    with pytest.raises(ImageError, match=r"shape \(2, 216, 216\), and the result was made of"):
        check(ArraySeries(np.stack([noisy.frame(0)] * 2), "other", CALIBRATION), made)
    with pytest.raises(ImageError, match="not one of a finished run"):
        check_by_recipe(noisy, in_counts(atoms(PLACES)), 1, {"failed": "frame 3 holds NaN"})
    with pytest.raises(ImageError, match="frame 1: the result's recipe does not say"):
        check_by_recipe(noisy, in_counts(atoms(PLACES)), 1, made.provenance)
    with pytest.raises(SettingError, match="read_noise_sd = -1"):
        check(noisy, result, detector_gain=GAIN, read_noise_sd=-1)
