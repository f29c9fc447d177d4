"""Every kind of scene: seeded, in range, and with the physics it claims."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.training.hrtem import (
    WAVELENGTH_NM_300_KV,
    ImagingConditions,
    exit_wave,
    image_intensity,
    wavelength_nm,
)
from napari_gaintune.training.scenes import (
    HrtemScene,
    NaturalScene,
    PiecewiseScene,
    Scene,
    StemScene,
    TemScene,
    stem,
    tem,
)
from napari_gaintune.training.scenes.tem import OBJECTS
from napari_gaintune.training.specimen import SpecimenRecipe
from napari_gaintune.training.structures import random_specimen

ase = pytest.importorskip("ase")
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


def test_an_hrtem_image_is_its_specimen_s_in_the_recorded_microscope() -> None:
    """The same atoms and the recorded conditions, at that energy, with a sixteenth cut off on each side."""
    scene = HrtemScene(kind="hrtem", specimens=SPECIMENS, energies_kv=(80.0,))
    drawn = scene.draw(np.random.default_rng(6), 2, 96)
    atoms, width_nm = (specimen := random_specimen(np.random.default_rng(6), SPECIMENS)).atoms, specimen.width_nm
    assert drawn.record["energy_kv"] == 80
    assert drawn.pixel_size_nm == pytest.approx(width_nm / 108)
    wave = exit_wave(atoms, 108, 80.0)
    for image, setting in zip(drawn.images, drawn.record["conditions"], strict=True):
        again = image_intensity(wave, width_nm / 108, ImagingConditions(**setting), wavelength_nm(80.0))
        np.testing.assert_allclose(image, again[6:102, 6:102], atol=1e-6)


@pytest.mark.parametrize("defocus_nm", [-300.0, 100.0, 300.0])
def test_phase_contrast_at_low_magnification_is_that_of_a_weak_phase(defocus_nm: float) -> None:
    """-2 phase sin(pi wavelength defocus k^2), damped by the blur: underfocus shows what is thick dark."""
    pixel_size_nm, period_px, blur_px, phase = 0.3, 8, 0.7, 0.1
    wave = np.cos(2 * np.pi * np.arange(128) / period_px)
    setting = {"defocus_nm": defocus_nm, "blur_px": blur_px, "phase": phase}
    shown = tem._phase_contrast((wave * np.ones((128, 1))).astype(np.float32), setting, pixel_size_nm)
    k = 1 / (period_px * pixel_size_nm)
    expected = -2 * phase * np.sin(np.pi * WAVELENGTH_NM_300_KV * defocus_nm * k**2)
    expected *= np.exp(-2 * (np.pi * blur_px / period_px) ** 2)
    middle = shown[40:-40, 40:-40]  # the mirrored border breaks the wave
    np.testing.assert_allclose(middle, expected * wave[None, 40:-40] + 0 * middle, atol=0.02 * abs(expected))


def test_a_border_does_not_show_what_lies_at_the_other() -> None:
    thickness = np.zeros((128, 128), dtype=np.float32)
    thickness[:, :20] = 1
    setting = {"defocus_nm": 4 / WAVELENGTH_NM_300_KV, "blur_px": 0.3, "phase": 0.15}  # the strongest for 1 nm pixels
    shown = tem._phase_contrast(thickness, setting, 1.0)
    assert np.abs(shown[:, 18:22]).max() > 0.05
    assert np.abs(shown[:, 64:]).max() < 0.001


def test_scattering_grows_with_the_atomic_number_as_the_power_says() -> None:
    atoms = ase.Atoms("NeCa", [[2.5, 5, 1], [7.5, 5, 1]], cell=[10, 10, 2])
    for power in (0.7, 1.7):
        image = stem._projected(atoms, 64, power)
        assert image[:, 32:].sum() / image[:, :32].sum() == pytest.approx(2**power, rel=1e-5)


def test_an_atom_is_as_wide_as_the_probe_and_its_tail() -> None:
    """The variance of a mixture of two Gaussians is the mixture of theirs; undone first: background and saturation."""
    point = np.zeros((129, 129), dtype=np.float32)
    point[64, 64] = 1
    offset_px = np.arange(129) - 64
    for share in (0.0, 0.3):
        setting = {"mode": "ADF", "probe_nm": 0.05, "tail_nm": 0.2, "tail_share": share, "background": 0.25}
        signal = np.arctanh(np.minimum(stem._imaged(point, 0.02, setting).astype(float) - 0.25, 1 - 1e-7))
        variance_px = (signal * offset_px**2).sum() / signal.sum()
        expected = ((1 - share) * 0.05**2 + share * 0.2**2) / 0.02**2
        # a sampled Gaussian cut off at 4 sd is 0.1 % narrower; the brightest pixel, saturated, is clipped
        assert variance_px == pytest.approx(expected, rel=0.02)


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
