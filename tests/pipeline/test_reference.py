"""Drift is found on noisy frames, nothing wraps around, and a frame is not in its own average."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_gaintune.errors import ImageError
from napari_gaintune.image import ArraySeries, Float32
from napari_gaintune.pipeline.reference import DRIFT_STEP_PX, ReferenceStack, RunningReference, averaged_reference

HEIGHT, WIDTH, FRAMES, MARGIN = 96, 112, 24, 40


def scene(rng: np.random.Generator) -> Float32:
    """Expected electrons per pixel, 0.2 to 4, aperiodic, with structure of a few pixels."""
    rough = gaussian_filter(rng.normal(size=(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)), 3)
    return (1.5 + rough / rough.std() * 0.6).clip(0.2, 4).astype(np.float32)


def drifting(rng: np.random.Generator) -> tuple[Float32, np.ndarray, np.ndarray]:
    """Clean frames (n, h, w), Poisson counts of them, and the drift of each against the first."""
    drifts = np.vstack([[0, 0], rng.integers((-1, -3), (4, 2), (FRAMES - 1, 2))]).cumsum(axis=0)
    drifts = drifts.clip(-MARGIN, MARGIN)
    whole = scene(rng)
    clean = np.stack(
        [whole[MARGIN - y : MARGIN - y + HEIGHT, MARGIN - x : MARGIN - x + WIDTH] for y, x in drifts.tolist()]
    )
    return clean, rng.poisson(clean).astype(np.uint8), drifts


def test_known_drift_is_recovered_on_poisson_frames(rng: np.random.Generator) -> None:
    _, counts, drifts = drifting(rng)
    assert np.abs(drifts).max() > 15
    reference = averaged_reference(ArraySeries(counts), 0)
    np.testing.assert_array_equal(reference.drifts_px, drifts)


def test_drift_is_recovered_on_a_lattice_at_low_dose(rng: np.random.Generator) -> None:
    """0.45 electrons per pixel, lattice fringes of 9 px all over: nothing but spots in the spectrum tells the shift."""
    drifts = np.vstack([[0, 0], rng.integers(-2, 3, (FRAMES - 1, 2))]).cumsum(axis=0)
    frames = []
    for drift in drifts:
        y, x = np.mgrid[:192, :192] - drift[:, None, None]
        fringes = 1 + 0.3 * (np.cos(2 * np.pi * x / 9.3) + np.cos(2 * np.pi * (y + 0.3 * x) / 9.3))
        frames.append(rng.poisson(0.45 * fringes))
    np.testing.assert_array_equal(averaged_reference(ArraySeries(np.stack(frames)), 0).drifts_px, drifts)


def test_a_jump_far_beyond_the_expected_drift_is_found_where_the_evidence_is_strong(rng: np.random.Generator) -> None:
    whole = scene(rng)
    frames = rng.poisson(10 * np.stack([whole[y : y + HEIGHT, 20 : 20 + WIDTH] for y in (40, 10)]))
    np.testing.assert_array_equal(averaged_reference(ArraySeries(frames), 0).drifts_px, [[0, 0], [30, 0]])


def test_frames_without_structure_stay_near_their_place(rng: np.random.Generator) -> None:
    for frames in (np.ones((3, 64, 64)), np.zeros((3, 64, 64)), rng.poisson(1.0, (3, 64, 64))):
        drifts = averaged_reference(ArraySeries(frames), 0).drifts_px
        assert np.abs(drifts).max() <= 5 * DRIFT_STEP_PX


@pytest.mark.parametrize("without_nearby", [0, 4])
def test_a_frame_is_not_in_its_own_average(rng: np.random.Generator, without_nearby: int) -> None:
    """Equal to the plain mean over the other frames, pixel by pixel, and empty where there are none."""
    _, counts, drifts = drifting(rng)
    index = 17
    others = [i for i in range(FRAMES) if abs(i - index) > without_nearby]
    total, number = np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH), dtype=int)
    for i in others:
        dy, dx = drifts[i] - drifts[index]
        y, x = np.mgrid[:HEIGHT, :WIDTH] + np.array([dy, dx])[:, None, None]
        inside = (y >= 0) & (y < HEIGHT) & (x >= 0) & (x < WIDTH)
        total[inside] += counts[i][y[inside], x[inside]]
        number += inside
    expected = np.divide(total, number, out=np.zeros_like(total), where=number > 0)
    reference = averaged_reference(ArraySeries(counts), index, without_nearby=without_nearby)
    # float64 sums of small integers are exact; one division and one rounding to float32 remain
    np.testing.assert_allclose(reference.image, expected, rtol=2**-23)


def test_average_is_unbiased_and_has_the_variance_of_its_count(rng: np.random.Generator) -> None:
    """Where all other frames overlap: variance of a mean of n - 1 Poisson counts, within six standard errors."""
    clean, counts, drifts = drifting(rng)
    index = FRAMES // 2
    image = averaged_reference(ArraySeries(counts), index).image
    reach = np.abs(drifts - drifts[index]).max(axis=0)
    middle = (slice(reach[0], HEIGHT - reach[0]), slice(reach[1], WIDTH - reach[1]))
    normed = (image - clean[index])[middle] / np.sqrt(clean[index][middle] / (FRAMES - 1))
    pixels = normed.size
    assert pixels > 1000
    assert abs(normed.mean()) < 6 / np.sqrt(pixels)
    # the kurtosis of a Poisson mean adds 1 / (n mean) <= 1 / (23 * 0.2) to the 2 of a normal variable
    assert abs(normed.var() - 1) < 6 * np.sqrt((2 + 1 / (23 * 0.2)) / pixels)


def test_no_wrap_around(rng: np.random.Generator) -> None:
    """Two frames 10 px apart: ten rows of each see no other frame."""
    whole = scene(rng)
    frames = np.stack([whole[20 : 20 + HEIGHT, 20 : 20 + WIDTH], whole[10 : 10 + HEIGHT, 20 : 20 + WIDTH]])
    reference = averaged_reference(ArraySeries(frames), 0)
    np.testing.assert_array_equal(reference.drifts_px, [[0, 0], [10, 0]])
    np.testing.assert_array_equal(reference.image[-10:], 0)
    np.testing.assert_array_equal(reference.image[:-10], frames[0, :-10])


def test_dead_pixels_are_left_out(rng: np.random.Generator) -> None:
    frames = np.stack([scene(rng)] * 3)
    frames[1, 50, 60] = np.nan
    frames[2, 50, 60] = np.inf
    running = RunningReference(frames.shape[1:])
    for frame in frames:
        running.add(frame)
    assert running.without(0, frames[0])[50, 60] == 0
    assert running.without(1, frames[1])[50, 60] == frames[0, 50, 60]
    assert np.isfinite(running.without(2, frames[2])).all()


def test_a_reference_of_no_frame_is_refused(rng: np.random.Generator) -> None:
    series = ArraySeries(rng.poisson(1.0, (5, 64, 64)), "s")
    averaged_reference(series, 0, without_nearby=3)
    with pytest.raises(ImageError, match="s: no frame of 5 is farther than 4 from frame 0; leave fewer out"):
        averaged_reference(series, 0, without_nearby=4)


def test_one_frame_has_no_reference() -> None:
    with pytest.raises(ImageError, match="at least 2 frames"):
        averaged_reference(ArraySeries(np.zeros((1, 32, 32), dtype=np.uint8)), 0)


@pytest.mark.parametrize("leading", [(6,), (2, 3)])
def test_stack_shows_each_frame_its_own_reference(leading: tuple[int, ...], rng: np.random.Generator) -> None:
    _, counts, _ = drifting(rng)
    series = ArraySeries(counts[:6].reshape(*leading, HEIGHT, WIDTH))
    running = RunningReference(series.shape[-2:])
    for index in range(len(series)):
        running.add(series.frame(index))
    stack = ReferenceStack(series, running)
    whole = np.asarray(stack)
    assert whole.shape == stack.shape == series.shape
    assert whole.dtype == stack.dtype == np.float32
    for index in range(6):
        place = np.unravel_index(index, leading)
        np.testing.assert_array_equal(whole[place], averaged_reference(series, index).image)
    for where in (
        (*(n - 1 for n in leading), slice(None), slice(None)),
        (*(slice(1, None) for _ in leading), slice(3, 9), 5),
        (*(slice(0, 1) for _ in leading), 7, slice(None, None, 2)),
        0,
        (..., slice(2, 5)),
        (-1, ..., 4),
    ):
        np.testing.assert_array_equal(stack[where], whole[where])
