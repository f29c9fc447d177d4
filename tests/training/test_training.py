"""Training learns, is reproducible, and survives being killed at any step."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_gaintune.errors import SettingError
from napari_gaintune.models.catalogue import load_denoiser
from napari_gaintune.training import train as command
from napari_gaintune.training.dataset import open_set, training_batch
from napari_gaintune.training.recipe import RECIPES_FOLDER, Recipe, load_recipe
from napari_gaintune.training.start import start_direct
from napari_gaintune.training.supervised import CHECKPOINT, learning_rate, new_state, resume_or_start, train
from napari_gaintune.training.validation import ValidationSet, psnr_db

SMALL = Recipe(
    name="small",
    architecture="dncnn",
    options={"depth": 4, "width": 8},
    crop_px=32,
    batch=4,
    steps=20,
    warm_up_steps=5,
    learning_rate=3e-3,
    precision="float32",
    held_out_waves=2,
    direct_start=True,
)
BLIND = SMALL.model_copy(
    update={"architecture": "blindspot-unet", "options": {"width": 4, "levels": 2}, "direct_start": False}
)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def same_tensors(one: Iterable[torch.Tensor], two: Iterable[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("recipe", [SMALL, BLIND], ids=["dncnn", "blindspot"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_killed_and_resumed_training_is_bit_equal_to_an_unbroken_one(
    simulated: Path, tmp_path: Path, recipe: Recipe, precision: str
) -> None:
    recipe = recipe.model_copy(update={"precision": precision, "steps": 8})
    data = open_set(simulated, recipe.held_out_waves)
    unbroken = new_state(recipe)
    list(train(unbroken, data, recipe, tmp_path / "unbroken"))

    broken = train(new_state(recipe), data, recipe, tmp_path / "broken", seconds_between_checkpoints=0)
    for _ in itertools.islice(broken, 3):
        pass
    broken.close()  # after step 3, in the middle of nothing: as a kill would leave it
    (tmp_path / "broken" / f"{CHECKPOINT}.part").write_bytes(b"half a file")
    resumed, same = resume_or_start(recipe, tmp_path / "broken", resume=True)
    assert (resumed.step, same) == (3, recipe)
    list(train(resumed, data, recipe, tmp_path / "broken"))

    assert same_tensors(weights(resumed.network), weights(unbroken.network))
    assert all(torch.equal(resumed.average[name], value) for name, value in unbroken.average.items())


def test_a_checkpoint_of_another_recipe_is_refused(simulated: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"steps": 1})
    list(train(new_state(recipe), open_set(simulated, 2), recipe, tmp_path))
    with pytest.raises(SettingError, match="another recipe"):
        resume_or_start(recipe.model_copy(update={"seed": 99}), tmp_path, resume=True)


def test_a_short_training_beats_a_flat_image(simulated: Path, tmp_path: Path) -> None:
    """From a network that returns about nothing to one that beats the mean of each image, in some seconds."""
    recipe = SMALL.model_copy(update={"steps": 150, "options": {"depth": 6, "width": 12}, "average_decay": 0.9})
    data = open_set(simulated, recipe.held_out_waves)
    reports = list(train(new_state(recipe), data, recipe, tmp_path))
    losses = [report.loss for report in reports]
    assert np.mean(losses[-20:]) < 0.25 * np.mean(losses[:5])
    flat = ValidationSet.draw(data).baselines()["flat"]
    assert reports[-1].validation_db is not None
    assert reports[-1].validation_db > flat
    assert [report.step for report in reports] == list(range(1, 151))


def test_the_command_writes_a_model_that_loads(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.yaml"
    pytest.importorskip("yaml")
    recipe.write_text(
        "name: tiny\narchitecture: dncnn\noptions: {depth: 3, width: 4}\ncrop_px: 32\nbatch: 2\nsteps: 3\n"
        "held_out_waves: 2\n"
    )
    folders = ["--data", str(simulated), "--out", str(tmp_path / "run"), "--weights", str(tmp_path / "weights")]
    command.main([str(recipe), *folders])
    denoiser = load_denoiser(tmp_path / "weights" / "tiny.safetensors")
    assert denoiser.card.intensity_unit == "electrons"
    assert denoiser.card.pixel_size_range_nm == (0.006, 0.022)
    assert {"network", "flat", "noisy"} < set(denoiser.card.validation)
    first = capsys.readouterr().out
    command.main([str(recipe), *folders, "--resume"])  # a finished run, resumed, writes the same model again
    again = load_denoiser(tmp_path / "weights" / "tiny.safetensors")
    assert again.card.sha256 == denoiser.card.sha256
    assert "baselines" in first


def test_a_batch_depends_on_its_number_and_the_seed_alone(simulated: Path) -> None:
    data = open_set(simulated, 2)
    one, two = training_batch(data, SMALL, 5), training_batch(data, SMALL, 5)
    assert same_tensors(one, two)
    assert not torch.equal(one[1], training_batch(data, SMALL, 6)[1])
    clean, noisy, dose = one
    assert clean.shape == noisy.shape == (4, 1, 32, 32)
    assert dose.shape == (4, 1, 1, 1)
    assert ((dose >= 0.2) & (dose <= 2.0 + 1e-6)).all()


def test_binning_keeps_the_mean_intensity(simulated: Path) -> None:
    """A binned crop is in electrons per pixel of the larger pixel, at the dose drawn for it."""
    recipe = SMALL.model_copy(update={"binned_share": 1.0, "batch": 64, "crop_px": 48})
    clean, _, dose = training_batch(open_set(simulated, 2), recipe, 0)
    assert (clean / dose).mean().item() == pytest.approx(1, abs=0.02)  # the whole image: its mean is 1


def test_held_out_specimens_are_never_trained_on(simulated: Path) -> None:
    data = open_set(simulated, 2)
    assert (len(data.training), len(data.held_out), data.images) == (4, 2, 8)
    with pytest.raises(SettingError, match="6 simulated exit waves"):
        open_set(simulated, 6)


def test_the_direct_start_gives_a_small_image_and_not_the_noise() -> None:
    network = new_state(SMALL.model_copy(update={"options": {"depth": 8, "width": 8}})).network
    noisy = torch.poisson(torch.full((1, 1, 40, 40), 0.45), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert network(noisy).var() < 0.2 * noisy.var()
    with pytest.raises(SettingError, match="BlindSpotUNet"):
        start_direct(new_state(BLIND).network)  # type: ignore[arg-type]


def test_the_learning_rate_rises_once_and_falls_to_a_hundredth() -> None:
    rates = [learning_rate(SMALL, step) for step in range(SMALL.steps + 1)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(SMALL.learning_rate)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.01 * SMALL.learning_rate)


def test_psnr_of_half_an_electron_of_noise() -> None:
    """DESIGN of the figures: counts of 0.45 electrons per pixel score -10 log10 0.45 = 3.5 dB."""
    clean = torch.full((1, 1, 500, 500), 0.45)
    noisy = torch.poisson(clean, generator=torch.Generator().manual_seed(0))
    # relative standard error of the squared error: sqrt((0.45 + 2 * 0.45^2) / n) / 0.45 = 0.4 %, i.e. 0.018 dB
    assert psnr_db(noisy, clean) == pytest.approx(3.468, abs=5 * 0.018)


@pytest.mark.parametrize("path", sorted(RECIPES_FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_bundled_recipe_is_valid_and_carries_its_file_s_name(path: Path) -> None:
    pytest.importorskip("yaml")
    recipe = load_recipe(path.stem)
    assert recipe.name == path.stem
    new_state(recipe)


@pytest.mark.parametrize(
    "text",
    [
        "name: x",
        "name: x\narchitecture: dncnn\ncolour: red",
        "name: x\narchitecture: dncnn\ndose_range_e_per_px: [2, 1]",
    ],
)
def test_a_broken_recipe_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    pytest.importorskip("yaml")
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=r"broken.yaml: not a valid recipe"):
        load_recipe(str(path))
    with pytest.raises(SettingError, match="there are blindspot-hrtem, dncnn-hrtem"):
        load_recipe("no-such-recipe")
