"""What the frames nearby show: aligned, without this frame, and not where the scene is another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as subpixel

from napari_gaintune import denoise
from napari_gaintune.errors import ImageError, SettingError
from napari_gaintune.image import ArraySeries, Calibration, Float32
from napari_gaintune.noise.intensity import IntensityScale
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.job import DenoiseJob
from napari_gaintune.pipeline.nearby import AlignedFrames, Nearby, moved_by, shifted, window
from napari_gaintune.pipeline.reports import FrameReport
from napari_gaintune.pipeline.same_scene import Shown, brightness, means_of_followers, moved, shows_another

SIDE, MARGIN, DOSE = 160, 20, 2.0


def scene(rng: np.random.Generator, side: int = SIDE + 2 * MARGIN) -> Float32:
    """Expected electrons per pixel, structure of some pixels."""
    rough = gaussian_filter(rng.normal(size=(side, side)), 4)
    return (DOSE * (1 + 0.25 * rough / rough.std()).clip(0.2, 2)).astype(np.float32)


def part(whole: Float32, y: int, x: int) -> Float32:
    return whole[MARGIN - y : MARGIN - y + SIDE, MARGIN - x : MARGIN - x + SIDE]


def part_of(whole: Float32) -> Float32:
    return whole[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE].clip(0)


def test_the_average_is_of_the_others_aligned(rng: np.random.Generator) -> None:
    """Its error is that of the mean of its frames' noise, and it knows nothing of the frame's own noise."""
    whole, drifts = scene(rng), [(0, 0), (2, -1), (3, 1), (5, 0), (4, 2), (6, 3), (7, 3)]
    clean = np.stack([part(whole, *drift) for drift in drifts])
    counts = rng.poisson(clean)
    average = np.mean([one for _, one in AlignedFrames.around(ArraySeries(counts), 3, 2)], axis=0)
    inner = (slice(MARGIN, -MARGIN),) * 2  # every frame is there
    error, noise = (average - clean[3])[inner], (counts[3] - clean[3])[inner]
    assert np.var(error) == pytest.approx(DOSE / 4, rel=6 * (2 / error.size) ** 0.5)
    assert abs(np.mean(error * noise)) < 6 * error.std() * noise.std() / error.size**0.5


@pytest.mark.parametrize("part", [(0.0, 0.0), (0.5, -0.3), (-0.2, 0.4)])
def test_a_frame_is_placed_to_parts_of_a_pixel(part: tuple[float, float], rng: np.random.Generator) -> None:
    """An error would be common to all others. By Cramer and Rao it is at best 0.03 px here.

    20,000 px with a structure of variance 100 in noise of 45, of wave numbers of some 1 / (4 sqrt(2)) to the pixel.
    """
    whole = 20 * scene(rng)
    home = subpixel(whole, (3 + part[0], -2 + part[1]), order=5)
    counts = rng.poisson(np.stack([part_of(home if k == 4 else whole) for k in range(9)]))
    aligned = AlignedFrames.around(ArraySeries(counts), 4, 4)
    assert len(set(aligned.shifts_px.values())) == 1
    placed = np.array(list(aligned.shifts_px.values())).mean(axis=0) + aligned.rest_px
    assert placed == pytest.approx((3 + part[0], -2 + part[1]), abs=5 * 0.03)


def test_an_average_is_moved_by_a_part_of_a_pixel_where_it_is_known(rng: np.random.Generator) -> None:
    image = scene(rng, SIDE)
    image[:, :10] = np.nan
    found = moved_by(image, (0.25, -0.4))
    assert np.isnan(found[:, :10]).all()
    expected = subpixel(np.nan_to_num(image, nan=float(np.nanmean(image))), (0.25, -0.4), order=5)
    inner = (slice(5, -5), slice(20, -5))
    assert np.std((found - expected)[inner]) < 0.01 * np.nanstd(image)
    assert np.isnan(moved_by(np.full((SIDE, SIDE), np.nan, dtype=np.float32), (0.1, 0.1))).all()


def test_where_no_frame_overlaps_nothing_is_known(rng: np.random.Generator) -> None:
    whole = scene(rng)
    counts = rng.poisson(20 * np.stack([part(whole, 0, 0), part(whole, 12, 0)]))
    ((_, other),) = AlignedFrames.around(ArraySeries(counts), 1, 4)
    assert np.isnan(other[:12]).all()
    np.testing.assert_array_equal(other[12:], counts[0, :-12])


def test_blank_frames_are_left_out_and_a_lone_frame_has_none_nearby(rng: np.random.Generator) -> None:
    counts = rng.poisson(scene(rng, SIDE), (4, SIDE, SIDE)).astype(np.float32)
    counts[1], counts[3] = 7, np.nan
    assert not list(AlignedFrames.around(ArraySeries(counts), 0, 1))
    ((number, only),) = AlignedFrames.around(ArraySeries(counts), 0, 3)
    assert number == 2
    np.testing.assert_array_equal(only, counts[2])


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -3), (-SIDE, 1), (SIDE + 5, 0)])
def test_a_frame_is_shifted_and_what_is_not_there_is_unknown(down: int, right: int, rng: np.random.Generator) -> None:
    frame = scene(rng, SIDE)
    moved_frame = shifted(frame, down, right)
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = (y - down >= 0) & (y - down < SIDE) & (x - right >= 0) & (x - right < SIDE)
    np.testing.assert_array_equal(np.isfinite(moved_frame), inside)
    np.testing.assert_array_equal(moved_frame[inside], frame[y[inside] - down, x[inside] - right])


def mean_of_followers(denoised: Any, frames: Any) -> Float32:
    """All of one weight, and all learned from."""
    return means_of_followers(denoised, [Shown(frame.astype(np.float32), 1.0) for frame in frames])[0]


def test_frames_are_left_out_where_they_show_another_scene_than_others(rng: np.random.Generator) -> None:
    """The left half is another in three frames of five; windows are 200 px wide, so that what is far is untouched."""
    side = 3 * SIDE
    one, other = scene(rng, side), scene(rng, side)
    mixed = np.where(np.arange(side) < SIDE, other, one)
    frames = [rng.poisson(truth) for truth in (one, one, mixed, mixed, mixed)]
    mean = mean_of_followers(one, frames)
    left, right = (slice(None), slice(0, SIDE - 50)), (slice(None), slice(SIDE + 100, None))
    error, plain = mean - one, np.mean(frames, axis=0) - one
    assert np.var(error[left]) == pytest.approx(DOSE / 2, rel=0.05)  # of the noise of two frames
    assert np.var(plain[left]) == pytest.approx(DOSE / 5 + 0.6**2 * np.var((other - one)[left]), rel=0.05)
    assert np.var(error[right]) == pytest.approx(DOSE / 5, rel=0.05)


@pytest.mark.parametrize("blur_px", [0.0, 0.6])
@pytest.mark.parametrize("contrast", [0.03, 0.1, 0.25])
@pytest.mark.parametrize("of_truth", [0.0, 1.0])
def test_frames_are_not_chosen_for_agreeing_with_the_network(
    of_truth: float, contrast: float, blur_px: float, rng: np.random.Generator
) -> None:
    """What is seen is there or is invented, faint or clear, and pixels share noise or do not: the mean tells, unbiased.

    A choice by noise made 3 % of an invention come back as half true, and all of it where pixels share noise.
    """
    dose, side = 0.45, 320
    seen = gaussian_filter(rng.normal(size=(side, side)), 2)
    seen = (seen * contrast * dose / seen.std()).clip(-0.9 * dose)
    counts = rng.poisson(dose + of_truth * seen, (8, side, side)).astype(np.float64)
    frames = [gaussian_filter(one, blur_px) if blur_px else one for one in counts]
    structure = seen - gaussian_filter(seen, 8)
    chosen, plain = (
        float((image * structure).sum() / (structure * seen).sum())
        for image in (mean_of_followers(dose + seen, frames), np.mean(frames, axis=0))
    )
    # a choice that is blind costs frames: a third of them at the most, and so much of the plain mean's certainty
    deviation = np.std(frames[0]) * (1 + 3 * (blur_px > 0)) / (8 * (structure**2).sum()) ** 0.5
    assert abs(chosen - plain) < 4 * deviation


def test_a_beam_that_fades_leaves_no_frame_out(rng: np.random.Generator) -> None:
    """The middle one of five frames: the others had twice to half of its electrons, and count by them."""
    clean = scene(rng, 256)
    brightnesses = [2.0, 1.4, 1.0, 0.7, 0.5]
    frames = rng.poisson(np.stack([share * clean for share in brightnesses]))
    series, unit = ArraySeries(frames), IntensityScale(0.0, 1.0)
    noisy = torch.from_numpy(frames[2].astype(np.float32))
    shown = Nearby(series, 4, 1).of(2, unit, noisy, torch.from_numpy(clean))
    assert shown is not None
    assert shown.every is not None
    error = shown.every.numpy() - clean
    known = error != 0  # elsewhere it is what the network made of it, here the truth
    assert known.mean() > 0.9
    error = error[known]
    assert np.var(error) == pytest.approx(DOSE / 4.6, rel=0.1)


def test_what_no_frame_shows_is_to_stay_as_the_network_made_it(rng: np.random.Generator) -> None:
    """The left half is another scene in all other frames, and what drifted out of sight is unknown."""
    side = 2 * SIDE
    one, other = scene(rng, side), scene(rng, side)
    mixed = np.where(np.arange(side) < SIDE, other, one)
    counts = rng.poisson(np.stack([mixed, mixed, one, mixed, mixed]))
    shown = Nearby(ArraySeries(counts), 2, 1).of(
        2, IntensityScale(0.0, 1.0), torch.from_numpy(counts[2].astype(np.float32)), torch.from_numpy(one)
    )
    assert shown is not None
    for reference in (shown.learned, shown.judging, shown.every):
        assert reference is not None
        kept = reference.numpy() == one
        assert kept[:, : SIDE - 50].mean() > 0.9
        assert kept[:, SIDE + 50 :].mean() < 0.1


def test_what_is_learned_from_and_what_judges_have_other_noise(rng: np.random.Generator) -> None:
    """Frames 0 and 4 judge, the five others are learned from; their means' errors are their own noise and no other's."""
    clean = scene(rng, 256)
    counts = rng.poisson(clean, (8, 256, 256))
    noisy, network = torch.from_numpy(counts[2].astype(np.float32)), torch.from_numpy(clean)
    found = Nearby(ArraySeries(counts), 5, 1).of(2, IntensityScale(0.0, 1.0), noisy, network)
    assert found is not None
    errors = [reference.numpy() - clean for reference in found if reference is not None]
    known = np.all([error != 0 for error in errors], axis=0)
    learned, judging, every = (error[known] for error in errors)
    assert [np.var(error) for error in (learned, judging, every)] == pytest.approx(
        [DOSE / 5, DOSE / 2, DOSE / 7], rel=0.1
    )
    assert abs(np.mean(learned * judging)) < 4 * learned.std() * judging.std() / learned.size**0.5


def test_two_frames_have_none_to_judge(rng: np.random.Generator) -> None:
    clean = scene(rng, SIDE)
    counts = rng.poisson(clean, (2, SIDE, SIDE))
    noisy, network = torch.from_numpy(counts[0].astype(np.float32)), torch.from_numpy(clean)
    found = Nearby(ArraySeries(counts), 4, 1).of(0, IntensityScale(0.0, 1.0), noisy, network)
    assert found is not None
    assert found.judging is None
    assert found.every is not None


@pytest.mark.parametrize("blank", [7.0, np.nan])
def test_nothing_is_shown_by_blank_frames_alone(blank: float, rng: np.random.Generator) -> None:
    clean = scene(rng, SIDE)
    frames = np.stack([rng.poisson(clean), np.full_like(clean, blank)]).astype(np.float32)
    noisy = torch.from_numpy(frames[0])
    assert Nearby(ArraySeries(frames), 4, 1).of(0, IntensityScale(0.0, 1.0), noisy, torch.from_numpy(clean)) is None


def test_without_frames_nothing_is_known() -> None:
    assert np.isnan(mean_of_followers(np.ones((SIDE, SIDE)), [])).all()


@pytest.mark.parametrize("error", [OSError("the disk was pulled out"), ImageError("the file ends early")])
def test_frames_that_cannot_be_read_are_left_out(error: Exception, rng: np.random.Generator) -> None:
    series = ArraySeries(rng.poisson(scene(rng, SIDE), (4, SIDE, SIDE)))
    read = series.frame

    def broken(index: int) -> np.ndarray[Any, Any]:
        if index == 2:
            raise error
        return read(index)

    series.frame = broken  # type: ignore[method-assign]
    assert [number for number, _ in AlignedFrames.around(series, 1, 4)] == [0, 3]
    with pytest.raises(type(error)):
        AlignedFrames.around(series, 2, 4)


@pytest.mark.parametrize(
    ("shape", "index", "expected"),
    [
        ((40, 8, 8), 0, range(5)),
        ((40, 8, 8), 20, range(16, 25)),
        ((40, 8, 8), 39, range(35, 40)),
        ((3, 10, 8, 8), 12, range(10, 17)),  # the last axis ends at 10: before it is another place
        ((10, 1, 8, 8), 2, range(7)),
        ((8, 8), 0, range(1)),
    ],
)
def test_frames_nearby_are_those_along_the_last_axis(shape: tuple[int, ...], index: int, expected: range) -> None:
    assert window(shape, index, 4) == expected


def test_brightness_is_that_of_the_part_that_is_known(rng: np.random.Generator) -> None:
    frame = scene(rng, SIDE)
    faded = 0.6 * frame
    faded[:3] = np.nan
    assert brightness(faded, frame) == pytest.approx(0.6)
    assert brightness(np.full_like(frame, np.nan), frame) == 1
    assert brightness(frame - 10, frame) == 1  # an offset that was not given: nothing can be said


def test_what_moved_is_seen_and_noise_is_not(rng: np.random.Generator) -> None:
    """A disc of radius 10 px that lost half of its electrons: its mean over the blur is off by twenty standard errors."""
    clean = np.full((SIDE, SIDE), DOSE, dtype=np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = np.hypot(y - 80, x - 60) < 10
    average = rng.poisson(clean, (8, SIDE, SIDE)).mean(axis=0).astype(np.float32)
    still = rng.poisson(clean).astype(np.float32)
    changed = rng.poisson(np.where(disc, clean / 2, clean)).astype(np.float32)
    assert moved(still, average).mean() < 2e-3
    found = moved(changed, average)
    assert found[np.hypot(y - 80, x - 60) < 5].all()
    assert found[np.hypot(y - 80, x - 60) > 30].mean() < 2e-3


def test_correlated_noise_is_not_taken_for_motion(rng: np.random.Generator) -> None:
    noise = gaussian_filter(rng.normal(size=(9, SIDE, SIDE)), (0, 0.7, 3.0))
    assert moved(noise[0].astype(np.float32), noise[1:].mean(axis=0).astype(np.float32)).mean() < 2e-3


def test_the_same_scene_is_told_from_another(rng: np.random.Generator) -> None:
    one, other = scene(rng, SIDE), scene(rng, SIDE)
    average = rng.poisson(one, (4, SIDE, SIDE)).mean(axis=0).astype(np.float32)
    assert not shows_another(one, average).any()
    assert shows_another(other, average).all()
    assert not shows_another(np.full((SIDE, SIDE), DOSE), average).any()  # nothing is seen that could be another thing


def test_a_part_that_is_another_scene_is_found(rng: np.random.Generator) -> None:
    """The left half changes from frame to frame; the window that is looked at is some 50 px wide."""
    side = 2 * SIDE
    one, other = scene(rng, side), scene(rng, side)
    mixed = np.where(np.arange(side) < SIDE, other, one)
    average = rng.poisson(mixed, (8, side, side)).mean(axis=0).astype(np.float32)
    found = shows_another(one, average)
    assert found[:, : SIDE - 50].mean() > 0.9
    assert not found[:, SIDE + 50 :].any()


def test_one_frame_has_no_next(dncnn: str, rng: np.random.Generator) -> None:
    with pytest.raises(SettingError, match="one frame.*give the series, or choose objective resampling"):
        denoise(rng.poisson(2.0, (64, 64)), model=dncnn, objective="next-frame")


def test_frames_of_other_places_are_not_learned_from(rng: np.random.Generator) -> None:
    frames = rng.poisson(np.stack([scene(rng, 256) for _ in range(3)]))
    result = denoise(frames, model="dncnn-hrtem", objective="next-frame", frames="1", steps=3, detector_gain=1)
    assert not result.frames[0].adapted
    assert "do not show what this one does" in result.frames[0].message


@pytest.mark.parametrize("mode", ["episodic", "shared"])
def test_the_frames_nearby_bring_the_result_nearer_to_the_truth(mode: str, rng: np.random.Generator) -> None:
    """On structure the model was not trained on, seen nine times; the pre-trained network and gains of thirty steps."""
    clean = scene(rng, 256)
    frames = rng.poisson(clean, (9, 256, 256))
    settings = {"model": "dncnn-hrtem", "frames": "4", "series": mode, "detector_gain": 1.0}
    before = denoise(frames, steps=0, **settings).image[0]
    result = denoise(frames, objective="next-frame", steps=30, crop_size_px=128, **settings)
    assert result.frames[0].adapted
    assert np.mean((result.image[0] - clean) ** 2) < 0.95 * np.mean((before - clean) ** 2)


def series_of(shape: tuple[int, ...], axes: str, rng: np.random.Generator) -> ArraySeries:
    unit = Calibration(axes, (1.0,) * len(shape), ("",) * len(shape))
    return ArraySeries(rng.poisson(np.broadcast_to(scene(rng, shape[-1]), shape)), "series", unit)


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((5, 128, 128), "TYX", "NextFrame"),
        ((5, 128, 128), "ZYX", "NoiseResampling"),  # planes of a volume show one thing after the other
        ((3, 5, 128, 128), "ZTYX", "NextFrame"),
        ((5, 3, 128, 128), "TZYX", "NoiseResampling"),
        ((1, 128, 128), "TYX", "NoiseResampling"),
        ((128, 128), "YX", "NoiseResampling"),
    ],
)
def test_auto_learns_from_frames_that_follow_one_another(
    shape: tuple[int, ...], axes: str, expected: str, rng: np.random.Generator
) -> None:
    settings = {"model": "dncnn-hrtem", "frames": "0", "steps": 1, "crop_size_px": 64, "detector_gain": 1}
    (frame,) = denoise(series_of(shape, axes, rng), **settings).frames
    assert frame.objective.startswith(expected)
    assert "nearby" not in frame.message


def test_auto_learns_from_the_frame_alone_where_others_show_another_scene(rng: np.random.Generator) -> None:
    """To the bit as the objective that it is for one frame."""
    frames = rng.poisson(np.stack([scene(rng, 256) for _ in range(3)]))
    settings = {"model": "dncnn-hrtem", "frames": "1", "steps": 12, "crop_size_px": 128, "detector_gain": 1}
    free, asked = denoise(frames, **settings), denoise(frames, objective="resampling", **settings)
    assert free.frames[0].message.startswith("the frames nearby do not show what this one does")
    assert "adapted to this one alone" in free.frames[0].message
    assert free.frames[0].objective == asked.frames[0].objective
    np.testing.assert_array_equal(free.image, asked.image)


def test_an_offset_of_each_pixel_does_not_learn_its_neighbours_by_heart(rng: np.random.Generator) -> None:
    series, settings = series_of((5, 128, 128), "TYX", rng), {"parameters": "input-offset", "model": "dncnn-hrtem"}
    (frame,) = denoise(series, frames="0", steps=1, crop_size_px=64, detector_gain=1, **settings).frames
    assert frame.objective.startswith("NoiseResampling")
    with pytest.raises(SettingError, match="learn the average of the frames nearby by heart"):
        denoise(series, objective="next-frame", **settings)


def test_auto_learns_no_lines_that_every_frame_may_have(rng: np.random.Generator) -> None:
    frames = rng.poisson(2.0, (3, 256, 256)) + rng.normal(scale=0.8, size=(256, 1))
    settings = {"model": "unet-tem", "detector_gain": 1, "frames": "1"}
    (frame,) = denoise(frames, steps=5, **settings).frames
    assert "the pre-trained result is kept" in frame.message
    assert not frame.adapted


@pytest.mark.parametrize("mode", ["episodic", "shared"])
def test_a_stop_is_heard_while_frames_are_compared(mode: str, rng: np.random.Generator) -> None:
    """Before the first step, of which a preview would tell; the frame is given as the network makes it by itself."""
    series = series_of((9, 128, 128), "TYX", rng)
    asked, reads = [0], []
    read = series.frame
    series.frame = lambda index: (reads.append(index), read(index))[1]  # type: ignore[method-assign]

    def stop() -> bool:
        asked[0] += 1
        return asked[0] > 6

    config = DenoiseConfig(model="dncnn-hrtem", frames="4:6", series=mode, steps=5, detector_gain=1)
    reports = list(DenoiseJob(series, config).run(stop))
    frames = [one for one in reports if isinstance(one, FrameReport)]
    assert [one.frame for one in frames] == [4]
    assert (frames[0].steps_run, frames[0].cut_short) == (0, True)
    hashed = len(series)  # at the end, for the recipe
    assert len(reads) - hashed < 9  # the frame itself, and those until the stop was heard
