"""Every kind of scene: seeded, in range, and with the physics it claims."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.training.scenes import HrtemScene, NaturalScene, PiecewiseScene, Scene, StemScene, TemScene
from napari_gaintune.training.scenes.tem import OBJECTS
from napari_gaintune.training.specimen import SpecimenRecipe

pytest.importorskip("ase")
pytest.importorskip("abtem")

SPECIMENS = SpecimenRecipe(
    kinds={"supported": 1},
    metals={"Pt": 1},
    supports={"MgO": 1},
    width_range_nm=(2.5, 3.5),
    thickness_range_nm=(2, 3),
)
SCENES: dict[str, Scene] = {
    "hrtem": HrtemScene(kind="hrtem", specimens=SPECIMENS),
    "stem": StemScene(kind="stem", specimens=SPECIMENS),
    "tem": TemScene(kind="tem"),
    **{f"tem, {name}": TemScene(kind="tem", objects=(name,)) for name in OBJECTS},
    "natural": NaturalScene(kind="natural"),
    "piecewise": PiecewiseScene(kind="piecewise"),
}


@pytest.mark.parametrize("kind", SCENES)
def test_a_scene_is_decided_by_its_seed_and_fills_its_size(kind: str) -> None:
    one, two, other = (SCENES[kind].draw(np.random.default_rng(seed), 2, 96) for seed in (1, 1, 2))
    assert one.images.shape == (2, 96, 96)
    assert one.images.dtype == np.float32
    assert np.array_equal(one.images, two.images)
    assert one.record == two.record
    assert not np.array_equal(one.images, other.images)
    assert SCENES[kind].kind == kind.split(",")[0]


@pytest.mark.parametrize("kind", SCENES)
def test_intensities_are_in_the_unit_the_scene_promises(kind: str) -> None:
    drawn = [SCENES[kind].draw(np.random.default_rng([4, seed]), 2, 96) for seed in range(4)]
    images = np.concatenate([scene.images for scene in drawn])
    assert np.isfinite(images).all()
    assert images.min() >= 0
    assert all(image.std() > 0 for image in images)
    if kind in ("natural", "piecewise"):
        assert images.max() <= 1
        assert all(scene.pixel_size_nm is None for scene in drawn)
    else:
        assert all(scene.pixel_size_nm is not None and scene.pixel_size_nm > 0 for scene in drawn)
        assert 0.2 < images.mean() < 1.1
    if kind == "stem":
        assert images.mean(axis=(1, 2)) == pytest.approx(1, abs=1e-4)


def test_one_exit_wave_serves_several_conditions() -> None:
    drawn = SCENES["hrtem"].draw(np.random.default_rng(6), 3, 96)
    assert len(drawn.record["conditions"]) == 3
    assert len({condition["defocus_nm"] for condition in drawn.record["conditions"]}) == 3
    # one specimen: the three images differ, and none of them is the negative of nothing
    assert np.abs(np.diff(drawn.images, axis=0)).max() > 0.01


def test_dark_field_atoms_are_bright_and_bright_field_atoms_dark() -> None:
    for share, sign in ((1.0, 1), (0.0, -1)):
        scene = StemScene(kind="stem", specimens=SPECIMENS, dark_field_share=share, largest_jitter_px=0)
        image = scene.draw(np.random.default_rng(3), 1, 96).images[0].astype(float)
        skew = ((image - image.mean()) ** 3).mean() / image.std() ** 3
        assert np.sign(skew) == sign


def test_scan_jitter_moves_rows_and_leaves_rows_whole() -> None:
    """Without jitter and drift the rows are those of the object; with them, the same object read elsewhere."""
    settings = {"kind": "stem", "specimens": SPECIMENS, "largest_shear_px": 0.0}
    still = StemScene(**settings, largest_jitter_px=0.0).draw(np.random.default_rng(3), 1, 96).images[0]
    moved = StemScene(**settings, largest_jitter_px=2.0).draw(np.random.default_rng(3), 1, 96).images[0]
    assert not np.array_equal(still, moved)
    # rows are moved as a whole: neighbours within a row stay alike, neighbours across rows less so
    along, across = (np.square(np.diff(moved, axis=axis)).mean() for axis in (1, 0))
    along_still, across_still = (np.square(np.diff(still, axis=axis)).mean() for axis in (1, 0))
    assert across / across_still > along / along_still


def test_piecewise_constant_means_few_grey_values() -> None:
    image = SCENES["piecewise"].draw(np.random.default_rng(2), 1, 128).images[0]
    assert len(np.unique(image)) <= 41


def test_natural_scenes_have_the_falling_spectrum_of_natural_images() -> None:
    """Power falls about as f**-2 (Lee, Mumford and Huang 2001): the slope over a decade lies between -1.2 and -3.2."""
    size = 256
    images = NaturalScene(kind="natural").draw(np.random.default_rng(2), 4, size).images
    window = np.hanning(size)[:, None] * np.hanning(size)
    power = np.mean([np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 for image in images], axis=0)
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size)] * 2))
    rings = [(0.02, 0.03), (0.04, 0.06), (0.08, 0.12), (0.16, 0.24)]
    means = [power[(radius >= low) & (radius < high)].mean() for low, high in rings]
    slope = np.polyfit(np.log([low for low, _ in rings]), np.log(means), 1)[0]
    assert -3.2 < slope < -1.2
