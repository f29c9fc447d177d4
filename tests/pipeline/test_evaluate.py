"""Models are judged on fixed noise, in electrons, and counted under the right material."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_gaintune.cli.evaluate import columns_table, materials
from napari_gaintune.cli.main import main
from napari_gaintune.errors import ModelError, SettingError
from napari_gaintune.evaluation.metrics import ssim
from napari_gaintune.models.catalogue import load_denoiser
from napari_gaintune.pipeline.evaluate import (
    SIMPLE,
    TUNED,
    Method,
    Score,
    evaluate,
    material_of,
    pooled_columns,
    program_digest,
    read_scores,
    score,
    spread,
    trials,
)
from napari_gaintune.training.simulate import RECIPE_FILE

SIDE, OBJECTS = 64, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of columns, in the format that ``simulate`` writes."""
    recipe = {"name": "columns", "scene": {"kind": "tem"}, "images": OBJECTS, "images_per_object": 1, "size_px": SIDE}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    y, x = np.indices((SIDE, SIDE))
    for index in range(OBJECTS):
        image = 1 + 0.4 * np.cos(2 * np.pi * x / (14 + index)) * np.cos(2 * np.pi * y / 15)
        np.save(tmp_path / f"{index:05d}.npy", image[None].astype(np.float16))
        metal = {"particles": [{"metal": ("Fe", "Co", "W")[index]}]}
        (tmp_path / f"{index:05d}.json").write_text(json.dumps({"pixel_size_nm": 0.01, "specimen": metal}))
    return tmp_path


def test_the_noise_of_a_trial_is_fixed_and_poisson(folder: Path) -> None:
    one, two = (list(trials(folder, (0.5, 2.0))) for _ in range(2))
    assert len(one) == OBJECTS * 2
    for first, second in zip(one, two, strict=True):
        assert np.array_equal(first.noisy, second.noisy)
        assert np.array_equal(first.noisy, first.noisy.round())
        residual = first.noisy - first.truth
        assert abs(residual.mean()) < 5 * np.sqrt(first.dose_e_per_px) / SIDE
    assert not np.array_equal(one[0].noisy, one[2].noisy)
    assert {trial.material for trial in one} == {"Fe", "Co", "W"}


def test_every_method_is_scored_at_every_dose(folder: Path, dncnn: str) -> None:
    scores = list(evaluate(folder, [dncnn], (0.5, 2.0), steps=1, images=2, crop_size_px=32))
    methods = {*SIMPLE, dncnn, f"{dncnn}{TUNED}auto"}
    assert len(scores) == 2 * 2 * len(methods)
    assert {score.method for score in scores} == methods
    noisy = [score for score in scores if score.method == "noisy" and score.dose_e_per_px == 0.5]
    blur = [score for score in scores if score.method.startswith("Gaussian") and score.dose_e_per_px == 0.5]
    # the mean squared error of counts is the dose
    assert noisy[0].psnr_db == pytest.approx(-10 * np.log10(0.5), abs=0.5)
    assert blur[0].psnr_db > noisy[0].psnr_db + 10
    # the truth ranges over 1.6 to 0.4 of the dose: 0.8 electrons at 0.5
    assert noisy[0].psnr_own_range_db - noisy[0].psnr_db == pytest.approx(20 * np.log10(0.4), abs=0.1)
    assert all(score.columns_true is not None for score in scores)


def test_scores_are_kept_as_they_come_and_made_once(
    folder: Path, dncnn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off in a line, the same command goes on; scores of other weights or of other steps are made beside them."""
    kept = tmp_path / "scores.jsonl"
    command = ["evaluate", dncnn, "--images", str(folder), "--dose", "0.5", "--steps", "0", "--scores", str(kept)]
    assert main([*command, "--limit", "2"]) == 0
    half = read_scores(kept)
    assert len(half) == 2 * (len(SIMPLE) + 1)
    kept.write_text(kept.read_text()[:-20])
    assert main(command) == 0
    good = kept.read_text()
    for wrong in ('{"no": "score"}', "hello world", "[]", "7"):
        kept.write_text(f"{good}\n{wrong}")
        with pytest.raises(SettingError, match=r"scores.jsonl, line \d+: not a score"):
            read_scores(kept)
    cut = good.splitlines()[-1]
    for length in (1, 5, 20, len(cut) - 1):
        kept.write_text(f"{good}\n{cut[:length]}")
        assert len(read_scores(kept)) == OBJECTS * (len(SIMPLE) + 1)
    kept.write_text(good)
    whole = read_scores(kept)
    assert whole[: len(half) - 1] == half[:-1]
    assert len({score.key for score in whole}) == len(whole) == OBJECTS * (len(SIMPLE) + 1)
    capsys.readouterr()
    before = kept.read_bytes()
    assert main([*command, "--json"]) == 0
    again = [Score(**score) for score in json.loads(capsys.readouterr().out)]
    assert {score.key: score for score in again} == {score.key: score for score in whole}
    assert kept.read_bytes() == before
    assert {score.weights for score in whole if score.method == dncnn} == {load_denoiser(dncnn).card.sha256[:12]}


def test_impossible_requests_are_refused_before_any_work(folder: Path) -> None:
    with pytest.raises(SettingError, match="above 0"):
        next(evaluate(folder, [], (0.0,)))
    with pytest.raises(ModelError, match="unknown"):
        next(evaluate(folder, ["no-such-model"], (0.5,)))
    with pytest.raises(SettingError, match="no simulated images"):
        next(evaluate(folder / "nothing", [], (0.5,)))


@pytest.mark.parametrize(
    ("facts", "material"),
    [
        ({"specimen": {"particles": [{"metal": "Ru"}], "support": "ZnO"}}, "Ru"),
        ({"specimen": {"crystal": "GaN"}}, "GaN"),
        ({"objects": ["film", "wedge"]}, "film, wedge"),
        ({}, "all"),
    ],
)
def test_an_image_is_counted_under_its_material(facts: dict, material: str) -> None:
    assert material_of(facts) == material


def test_an_image_of_two_kinds_counts_for_both(folder: Path) -> None:
    """The worst kind is told by its own images: rods gain 1 and 3 dB, wedges 3 dB."""
    one = next(evaluate(folder, [], (0.5,), steps=0, images=1))
    scores = [
        replace(one, image=image, material=material, method=method, psnr_db=db)
        for image, material, gain in (("0", "rods", 1.0), ("1", "rods, wedge", 3.0))
        for method, db in (("Gaussian blur, best", 20.0), ("net", 20.0 + gain))
    ]
    assert "| net | rods +2.00, wedge +3.00 |" in materials(scores)


def test_settings_and_versions_are_told_apart(folder: Path, dncnn: str) -> None:
    """A score that was made under other settings, or by another version, is made again."""
    known = list(evaluate(folder, [dncnn], (0.5,), steps=0, images=1))
    asked = list(evaluate(folder, [dncnn], (0.5,), steps=0, images=1, known=known, averaging="orientations"))
    differ = {score.method for score, before in zip(asked, known, strict=True) if score != before}
    assert differ == {dncnn}
    assert {score.program for score in known} == {program_digest()}
    older = [replace(score, psnr_db=0.0, program="0.1.0+other code") for score in known]
    assert list(evaluate(folder, [dncnn], (0.5,), steps=0, images=1, known=older)) == known


@pytest.mark.parametrize("wrong", [{"averaging": "some"}, {"objectives": ("best",)}, {"steps": -1}])
def test_wrong_settings_are_refused_before_the_first_score(folder: Path, dncnn: str, wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=r"(averaging|objective|steps) = "):
        next(evaluate(folder, [dncnn], (0.5,), **wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(("doses", "images"), [((), 0), ((0.5, 0.0), 0), ((np.nan,), 0), ((np.inf,), 0), ((0.5,), -1)])
def test_doses_and_numbers_that_mean_nothing_are_refused(folder: Path, doses: tuple[float, ...], images: int) -> None:
    with pytest.raises(SettingError, match="give one or more, above 0 electrons|limit -1: give how many"):
        next(evaluate(folder, [], doses, images=images))


def test_the_similarity_is_that_of_the_truth_s_own_range(folder: Path) -> None:
    """Nothing but the scale of an image tells a dose of 1 from one of 100 here: figures in the own range do not change."""
    trial = next(trials(folder, (1.0,), 1))
    louder = replace(trial, truth=100 * trial.truth)
    blurred = SIMPLE["Gaussian blur, best"](trial.noisy, trial.truth)
    method = Method("net", lambda trial: blurred)
    one, two = score(trial, method, blurred, "0"), score(louder, method, 100 * blurred, "0")
    assert two.ssim == pytest.approx(one.ssim, abs=1e-6)
    assert two.psnr_own_range_db == pytest.approx(one.psnr_own_range_db, abs=1e-4)
    assert two.psnr_db == pytest.approx(one.psnr_db - 40, abs=1e-4)
    assert one.ssim == pytest.approx(ssim(blurred, trial.truth, float(np.ptp(trial.truth))))


def test_every_object_and_dose_has_a_draw_of_its_own(folder: Path) -> None:
    """Objects of one image: their residuals, over the root of the dose, are as good as independent."""
    shutil.copy(folder / "00000.npy", folder / "00001.npy")
    counts = [(t.noisy - t.truth) / np.sqrt(t.dose_e_per_px) for t in trials(folder, (0.5, 2.0))][:4]
    for one, two in itertools.combinations(counts, 2):
        # the standard error of the correlation of 4096 independent pixels is 1/64
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 5 / SIDE


def test_columns_are_pooled_and_an_image_in_which_none_is_found_is_no_merit(folder: Path) -> None:
    """Three of four right in one image, none found in another: precision 3/4 and not (3/4 + 1) / 2; recall 3 of 14."""
    scores = list(evaluate(folder, [], (0.5,), steps=0, images=1))
    some = replace(scores[0], columns_matched=3, columns_found=4, columns_true=6)
    nothing = replace(scores[0], columns_matched=0, columns_found=0, columns_true=8)
    unseen = replace(scores[0], columns_matched=None, columns_found=None, columns_true=None)
    assert pooled_columns([some, nothing, unseen], "columns_found") == (0.75, 0.0)
    assert pooled_columns([some, nothing, unseen], "columns_true") == (3 / 14, 0.25)
    assert np.isnan(pooled_columns([unseen], "columns_found")[0])
    assert "| none found |" in columns_table([unseen], "columns_found")


def test_scores_of_another_set_in_the_same_folder_are_not_taken(folder: Path) -> None:
    known = list(evaluate(folder, [], (0.5,), steps=0, images=1))
    recipe = json.loads((folder / RECIPE_FILE).read_text())
    (folder / RECIPE_FILE).write_text(json.dumps(recipe | {"seed": 1}))
    again = list(evaluate(folder, [], (0.5,), steps=0, images=1, known=known))
    assert not {score.key for score in known} & {score.key for score in again}
    np.save(folder / "00000.npy", 1.1 * np.load(folder / "00000.npy"))  # the same recipe, by another version
    drawn_anew = list(evaluate(folder, [], (0.5,), steps=0, images=1, known=again))
    assert not {score.key for score in again} & {score.key for score in drawn_anew}


def test_spread_leaves_out_what_was_not_measured() -> None:
    assert spread([1.0, None, 3.0]) == (2.0, 1.0)
    assert all(np.isnan(value) for value in spread([None]))
