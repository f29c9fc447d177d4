"""What the frames nearby show: aligned, without this frame, and not where the scene is another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune import denoise
from napari_gaintune.errors import SettingError
from napari_gaintune.image import ArraySeries, Calibration, Float32
from napari_gaintune.pipeline.nearby import aligned_frames, shifted, window
from napari_gaintune.pipeline.same_scene import as_bright, mean_of_followers, moved, shows_another

SIDE, MARGIN, DOSE = 160, 20, 2.0


def scene(rng: np.random.Generator, side: int = SIDE + 2 * MARGIN) -> Float32:
    """Expected electrons per pixel, structure of some pixels."""
    rough = gaussian_filter(rng.normal(size=(side, side)), 4)
    return (DOSE * (1 + 0.25 * rough / rough.std()).clip(0.2, 2)).astype(np.float32)


def part(whole: Float32, y: int, x: int) -> Float32:
    return whole[MARGIN - y : MARGIN - y + SIDE, MARGIN - x : MARGIN - x + SIDE]


def test_the_average_is_of_the_others_aligned(rng: np.random.Generator) -> None:
    """Its error is that of the mean of its frames' noise, and it knows nothing of the frame's own noise."""
    whole, drifts = scene(rng), [(0, 0), (2, -1), (3, 1), (5, 0), (4, 2), (6, 3), (7, 3)]
    clean = np.stack([part(whole, *drift) for drift in drifts])
    counts = rng.poisson(clean)
    average = np.mean(list(aligned_frames(ArraySeries(counts), 3, 2)), axis=0)
    inner = (slice(MARGIN, -MARGIN),) * 2  # every frame is there
    error, noise = (average - clean[3])[inner], (counts[3] - clean[3])[inner]
    assert np.var(error) == pytest.approx(DOSE / 4, rel=6 * (2 / error.size) ** 0.5)
    assert abs(np.mean(error * noise)) < 6 * error.std() * noise.std() / error.size**0.5


def test_where_no_frame_overlaps_nothing_is_known(rng: np.random.Generator) -> None:
    whole = scene(rng)
    counts = rng.poisson(20 * np.stack([part(whole, 0, 0), part(whole, 12, 0)]))
    (other,) = aligned_frames(ArraySeries(counts), 1, 4)
    assert np.isnan(other[:12]).all()
    np.testing.assert_array_equal(other[12:], counts[0, :-12])


def test_blank_frames_are_left_out_and_a_lone_frame_has_none_nearby(rng: np.random.Generator) -> None:
    counts = rng.poisson(scene(rng, SIDE), (4, SIDE, SIDE)).astype(np.float32)
    counts[1], counts[3] = 7, np.nan
    assert not list(aligned_frames(ArraySeries(counts), 0, 1))
    np.testing.assert_array_equal(list(aligned_frames(ArraySeries(counts), 0, 3)), counts[2:3])


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -3), (-SIDE, 1), (SIDE + 5, 0)])
def test_a_frame_is_shifted_and_what_is_not_there_is_unknown(down: int, right: int, rng: np.random.Generator) -> None:
    frame = scene(rng, SIDE)
    moved_frame = shifted(frame, down, right)
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = (y - down >= 0) & (y - down < SIDE) & (x - right >= 0) & (x - right < SIDE)
    np.testing.assert_array_equal(np.isfinite(moved_frame), inside)
    np.testing.assert_array_equal(moved_frame[inside], frame[y[inside] - down, x[inside] - right])


def test_frames_are_left_out_where_they_show_another_scene_than_others(rng: np.random.Generator) -> None:
    """The left half is another in three frames of five; windows are 200 px wide, so that what is far is untouched."""
    side = 3 * SIDE
    one, other = scene(rng, side), scene(rng, side)
    mixed = np.where(np.arange(side) < SIDE, other, one)
    frames = [rng.poisson(truth).astype(np.float32) for truth in (one, one, mixed, mixed, mixed)]
    mean = mean_of_followers(one, frames)
    left, right = (slice(None), slice(0, SIDE - 50)), (slice(None), slice(SIDE + 100, None))
    error, plain = mean - one, np.mean(frames, axis=0) - one
    assert np.var(error[left]) == pytest.approx(DOSE / 2, rel=0.05)  # of the noise of two frames
    assert np.var(plain[left]) == pytest.approx(DOSE / 5 + 0.6**2 * np.var((other - one)[left]), rel=0.05)
    assert np.var(error[right]) == pytest.approx(DOSE / 5, rel=0.05)


def test_no_frame_is_left_out_for_what_the_network_invents(rng: np.random.Generator) -> None:
    """Choosing frames by how well they agree with the network would otherwise lead it to believe itself."""
    truth, invented = scene(rng, SIDE), scene(rng, SIDE)
    frames = [rng.poisson(truth).astype(np.float32) for _ in range(8)]
    mean = mean_of_followers(truth + invented - DOSE, frames)
    noise = mean - truth
    assert np.var(noise) == pytest.approx(DOSE / 8, rel=0.1)
    slope = float((noise * (invented - invented.mean())).sum() / ((invented - invented.mean()) ** 2).sum())
    assert abs(slope) < 4 * (DOSE / 8 / (SIDE**2 * np.var(invented))) ** 0.5


def test_without_frames_nothing_is_known() -> None:
    assert np.isnan(mean_of_followers(np.ones((SIDE, SIDE)), [])).all()


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


def test_a_fading_beam_is_not_the_scene(rng: np.random.Generator) -> None:
    frame = scene(rng, SIDE)
    faded = 0.6 * frame
    faded[:3] = np.nan
    np.testing.assert_allclose(as_bright(faded, frame)[3:], frame[3:], rtol=1e-5)


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
