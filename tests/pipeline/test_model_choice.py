"""The model that is chosen knows the frames, and the reason names what it was chosen by."""

from __future__ import annotations

import numpy as np
import pytest

from napari_gaintune.image import ArraySeries, Calibration
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.catalogue import list_models
from napari_gaintune.pipeline import model_choice
from napari_gaintune.pipeline.config import DenoiseConfig
from napari_gaintune.pipeline.model_choice import choose_model, promised_gain_db


def card(name: str, modality: str, sizes: tuple[float, float], doses: tuple[float, float], gain: float) -> ModelCard:
    figures = {f"{dose} e⁻/px, {what}": value for dose in ("0.45", "10") for what, value in
               (("network", 25 + gain), ("best Gaussian blur", 25.0), ("noisy", 3.0))}  # fmt: skip
    return ModelCard(
        name=name, architecture="unet", modality=modality, trained_on="", objective="", recipe="", licence="", sha256="",
        pixel_size_range_nm=sizes, dose_range_e_per_px=doses, validation=figures,
    )  # fmt: skip


CARDS = [
    card("wide", "HRTEM", (0.004, 0.06), (0.1, 10), 3.0),
    card("better, low dose", "HRTEM", (0.004, 0.06), (0.2, 2), 4.0),
    card("best, coarse", "HRTEM", (0.02, 0.06), (0.1, 10), 6.0),
    card("scan", "STEM", (0.004, 0.08), (0.1, 10), 2.0),
    card("low", "TEM", (0.06, 5), (0.1, 10), 2.0),
]


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list with known figures in place of the shipped one, whose figures change with every training."""
    monkeypatch.setattr(model_choice, "list_models", lambda: CARDS)


def series(dose: float, pixel_size_nm: float | None) -> ArraySeries:
    counts = np.random.default_rng(1).poisson(dose, (128, 128)).astype(np.uint8)
    unit, size = ("", 1.0) if pixel_size_nm is None else ("nm", pixel_size_nm)
    return ArraySeries(counts, "s", Calibration("YX", (size, size), (unit, unit)))


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("dose", "pixel_size_nm", "modality", "expected", "words"),
    [
        (0.5, 0.01, "auto", "better, low dose", "HRTEM"),
        (5.0, 0.01, "auto", "wide", "0.01 nm/px"),
        (5.0, 0.03, "auto", "best, coarse", "0.03 nm/px"),
        (0.3, 0.002, "auto", "better, low dose", "0.002 nm/px"),  # binned 2 x 2: 1.2 electrons in a pixel
        (0.05, 0.002, "auto", "better, low dose", "0.05 e⁻/px"),  # too few in a pixel as it is, enough in a binned one
        (1.0, 0.002, "auto", "wide", "0.002 nm/px"),  # 4 electrons in a binned pixel
        (5.0, 0.002, "auto", "better, low dose", "no model knows such frames"),  # 20 electrons in one
        (0.5, None, "auto", "better, low dose", "no pixel size is known"),
        (0.5, 0.01, "STEM", "scan", "STEM"),
        (0.5, 0.5, "auto", "low", "TEM at low magnification"),
        (0.5, 30.0, "auto", "low", "no model knows such frames"),
        (200.0, 0.03, "auto", "best, coarse", "no model knows such frames"),
    ],
)
def test_the_best_of_those_that_know_the_frames(
    dose: float, pixel_size_nm: float | None, modality: str, expected: str, words: str
) -> None:
    config = DenoiseConfig(modality=modality, detector_gain=1.0)  # type: ignore[arg-type]
    choice = choose_model(series(dose, pixel_size_nm), config, 0)
    assert choice.name == expected
    assert words in choice.reason
    assert choice.reason.startswith("chosen for")


def test_without_a_model_of_the_modality_the_nearest_is_taken_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_choice, "list_models", lambda: CARDS[:3])
    choice = choose_model(series(0.5, 3.0), DenoiseConfig(detector_gain=1.0), 0)
    assert choice.name in {card.name for card in CARDS[:3]}
    assert "TEM at low magnification" in choice.reason
    assert "no model knows such frames" in choice.reason


@pytest.mark.usefixtures("catalogue")
def test_what_is_not_binned_is_chosen_for_as_it_is() -> None:
    frames = series(1.0, 0.002)
    assert (
        "no model knows such frames" in choose_model(frames, DenoiseConfig(detector_gain=1.0, scale="none"), 0).reason
    )
    assert "no model knows" not in choose_model(frames, DenoiseConfig(detector_gain=1.0), 0).reason


@pytest.mark.usefixtures("catalogue")
def test_the_dose_is_estimated_where_no_detector_gain_is_given() -> None:
    """300 counts an electron: the dose is told by the noise, not by the counts."""
    counts = 300.0 * np.random.default_rng(1).poisson(0.5, (256, 256))
    frames = ArraySeries(counts, "s", Calibration("YX", (0.01, 0.01), ("nm", "nm")))
    assert choose_model(frames, DenoiseConfig(), 0).name == "better, low dose"


@pytest.mark.usefixtures("catalogue")
def test_a_file_that_says_it_was_scanned_gets_a_stem_model_unless_told_otherwise() -> None:
    frames = series(0.5, 0.01)
    frames.is_scanned = True
    choice = choose_model(frames, DenoiseConfig(), 0)
    assert choice.name == "scan"
    assert "STEM (as the file says)" in choice.reason
    assert choose_model(frames, DenoiseConfig(modality="HRTEM"), 0).name == "better, low dose"


def test_a_named_model_is_taken_without_a_look_at_the_frames() -> None:
    choice = choose_model(series(0.5, 0.01), DenoiseConfig(model="dncnn-hrtem"), 10**9)
    assert (choice.name, choice.reason) == ("dncnn-hrtem", "")


def test_a_card_without_figures_is_never_preferred() -> None:
    nothing = CARDS[0].model_copy(update={"validation": {}})
    assert promised_gain_db(nothing, 0.5) == float("-inf")
    assert promised_gain_db(CARDS[0], None) == pytest.approx(3.0)


@pytest.mark.parametrize("pixel_size_nm", [0.005, 0.01, 0.024])
def test_the_shipped_models_serve_hrtem(pixel_size_nm: float) -> None:
    choice = choose_model(series(0.45, pixel_size_nm), DenoiseConfig(), 0)
    assert choice.name in {card.name for card in list_models()}
    assert "no model knows" not in choice.reason
