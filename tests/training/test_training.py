"""Training learns, is reproducible, and survives being killed at any step."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from skimage.io import imsave
from torch.nn import functional as F

from napari_gaintune.cli.main import main
from napari_gaintune.cli.outcome import DONE, FAILED
from napari_gaintune.errors import ModelError, SettingError
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.catalogue import load_denoiser, save_card
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.networks import Network, build_network
from napari_gaintune.training.checkpoint import save_checkpoint
from napari_gaintune.training.dataset import open_set, training_batch
from napari_gaintune.training.figures import disagreements, figures_again
from napari_gaintune.training.recipe import MetaRecipe, NoiseRecipe, TrainingRecipe, load_recipe
from napari_gaintune.training.run import TrainingRun
from napari_gaintune.training.start import start_direct, start_passing
from napari_gaintune.training.supervised import (
    CHECKPOINT,
    learning_rate,
    local_part,
    new_state,
    resume_or_start,
    train,
    training_step,
)
from napari_gaintune.training.validation import ValidationSet, levels, psnr_db

CPU = torch.device("cpu")
SMALL = TrainingRecipe(
    name="small",
    architecture="dncnn",
    options={"depth": 4, "width": 8},
    images="rods",
    modality="rods",
    noise=NoiseRecipe(dose_range_e_per_px=(0.2, 2.0)),
    crop_px=32,
    batch=4,
    steps=20,
    warm_up_steps=5,
    learning_rate=3e-3,
    precision="float32",
    held_out_objects=2,
    direct_start=True,
)
RECIPES = {
    "dncnn": SMALL,
    "blindspot": SMALL.model_copy(
        update={"architecture": "blindspot-unet", "options": {"width": 4, "levels": 2}, "direct_start": False}
    ),
    "unet": SMALL.model_copy(
        update={"architecture": "unet", "options": {"width": 4, "levels": 2}, "direct_start": False}
    ),
    "dncnn with a warm restart": SMALL.model_copy(update={"restarts": (3,)}),
    "unet behind Bragg filters, on a part of the crop": SMALL.model_copy(
        update={"architecture": "unet", "options": {"width": 4, "levels": 2, "fold": 2, "bragg_px": 16}, "local_px": 16}
    ),
    "two tasks, meta-learned": SMALL.model_copy(
        update={
            "architecture": "multi-task",
            "options": {"width": 4, "levels": 2, "fold": 2},
            "direct_start": False,
            "losses": {"log-error": 1.0, "second-task": 0.1},
            "meta": MetaRecipe(transfer_from=5),
            "restarts": (5,),
        }
    ),
}


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def same_tensors(one: Iterable[torch.Tensor], two: Iterable[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_stopped_and_resumed_training_is_bit_equal_to_an_unbroken_one(
    simulated: Path, tmp_path: Path, name: str, precision: str
) -> None:
    recipe = RECIPES[name].model_copy(update={"precision": precision, "steps": 8})
    data = open_set(simulated, recipe.held_out_objects)
    unbroken = new_state(recipe, CPU)
    list(train(unbroken, data, recipe, tmp_path / "unbroken"))

    broken = train(new_state(recipe, CPU), data, recipe, tmp_path / "broken", seconds_between_checkpoints=0)
    for _ in itertools.islice(broken, 3):
        pass
    broken.close()  # after step 3, in the middle of nothing: as a kill would leave it
    (tmp_path / "broken" / f"{CHECKPOINT}.part").write_bytes(b"half a file")
    resumed, same = resume_or_start(recipe, tmp_path / "broken", resume=True, device=CPU)
    assert (resumed.step, same) == (3, recipe)
    list(train(resumed, data, recipe, tmp_path / "broken"))

    assert same_tensors(weights(resumed.network), weights(unbroken.network))
    assert all(torch.equal(resumed.average[name], value) for name, value in unbroken.average.items())


def test_a_training_that_diverges_says_so_and_leaves_its_checkpoint(simulated: Path, tmp_path: Path) -> None:
    """Neither the network nor its average comes back from a number that is none."""
    recipe = SMALL.model_copy(update={"steps": 60})
    data, state = open_set(simulated, recipe.held_out_objects), new_state(recipe, CPU)
    reports = train(state, data, recipe, tmp_path, seconds_between_checkpoints=0)
    next(reports)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        next(state.network.parameters()).fill_(torch.nan)
    with pytest.raises(SettingError, match="the loss is nan in the steps up to 2.*lower learning_rate"):
        next(reports)
    with pytest.raises(SettingError, match="not finite after 2 steps.*left as it was"):
        save_checkpoint(tmp_path / CHECKPOINT, state, recipe)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_gradients_are_clipped_and_weights_averaged_as_the_recipe_says(simulated: Path) -> None:
    """A young average follows with (1 + age) / (10 + age), an old one with the recipe's decay."""
    recipe = SMALL.model_copy(update={"average_decay": 0.3, "largest_gradient_norm": 1e-3})
    data, state = open_set(simulated, recipe.held_out_objects), new_state(recipe, CPU)
    for step, decay in enumerate((2 / 11, 3 / 12, 0.3 * 13 / 13, 0.3)):
        before = {name: value.clone() for name, value in state.average.items()}
        training_step(state, training_batch(data, recipe, step), recipe)
        gradients = [parameter.grad for parameter in state.network.parameters() if parameter.grad is not None]
        norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients]))
        assert float(norm) == pytest.approx(1e-3, rel=1e-3)
        for name, parameter in state.network.named_parameters():
            expected = decay * before[name] + (1 - decay) * parameter.detach()
            torch.testing.assert_close(state.average[name], expected)


def test_a_checkpoint_of_another_recipe_is_refused(simulated: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"steps": 1})
    list(train(new_state(recipe, CPU), open_set(simulated, 2), recipe, tmp_path))
    for change in ({"seed": 99}, {"steps": 2}, {"steps": 2, "restarts": (1,)}):
        with pytest.raises(SettingError, match="another recipe"):
            resume_or_start(recipe.model_copy(update=change), tmp_path, resume=True, device=CPU)


def test_a_checkpoint_of_an_earlier_version_is_refused(simulated: Path, tmp_path: Path) -> None:
    """Adam's steps of each weight were not kept then."""
    recipe = SMALL.model_copy(update={"steps": 1})
    list(train(new_state(recipe, CPU), open_set(simulated, 2), recipe, tmp_path))
    with safe_open(tmp_path / CHECKPOINT, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys() if not name.startswith("step/")}  # noqa: SIM118
        record = file.metadata()
    save_file(kept, tmp_path / CHECKPOINT, metadata=record)
    with pytest.raises(SettingError, match="by an earlier version.*begin anew in an empty folder"):
        resume_or_start(recipe, tmp_path, resume=True, device=CPU)


def test_a_short_training_beats_a_flat_image(simulated: Path, tmp_path: Path) -> None:
    """From a network that returns about nothing to one that beats the mean of each image, in some seconds."""
    recipe = SMALL.model_copy(update={"steps": 160, "options": {"depth": 6, "width": 12}, "average_decay": 0.9})
    data = open_set(simulated, recipe.held_out_objects)
    reports = list(train(new_state(recipe, CPU), data, recipe, tmp_path))
    assert [report.step for report in reports] == list(range(20, 161, 20))
    assert reports[-1].loss < reports[0].loss
    assert all(0 <= report.waiting_share <= 1 for report in reports)
    flat = ValidationSet.draw(data, levels(recipe)[0]).baselines()["flat mean"]
    assert reports[-1].validation_db is not None
    assert reports[-1].validation_db > flat


def test_a_run_ends_in_a_model_that_loads_with_its_own_table(sets: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"steps": 3, "pixel_size_range_nm": (0.006, 0.02)})
    run = TrainingRun(recipe, sets, tmp_path, CPU, resume=False)
    said: list[str] = []
    run.describe(said.append)
    list(run.train())
    card = run.finish()
    denoiser = load_denoiser(tmp_path / "small.safetensors")
    assert denoiser.card == card
    assert (card.intensity_unit, card.crop_px) == ("electrons", 32)
    assert (card.dose_range_e_per_px, card.pixel_size_range_nm) == ((0.2, 2.0), (0.006, 0.02))
    named = {f"{level}, {what}" for level in ("0.45 e⁻/px", "2 e⁻/px")
             for what in ("network", "noisy", "flat mean", "best Gaussian blur")}  # fmt: skip
    assert set(card.validation) == named  # 0.1 and 10 e⁻/px lie outside the recipe's range
    assert "best Gaussian blur" in said[1]

    with pytest.raises(SettingError, match="--resume"):
        TrainingRun(recipe, sets, tmp_path, CPU, resume=False)
    again = TrainingRun(recipe, sets, tmp_path, CPU, resume=True)  # a finished run gives the same model again
    assert list(again.train()) == []
    assert again.finish().sha256 == card.sha256


def test_a_training_goes_on_with_the_objects_it_began_with(sets: Path, tmp_path: Path) -> None:
    """Of a larger set other objects would be the last, and those held out so far be trained on."""
    run = TrainingRun(SMALL.model_copy(update={"steps": 2}), sets, tmp_path / "run", CPU, resume=False)
    list(run.train())
    run.finish()
    fewer = tmp_path / "fewer"
    shutil.copytree(sets, fewer, ignore=shutil.ignore_patterns("00005.*"))
    with pytest.raises(SettingError, match="rods: 5 objects, but the training began with 6"):
        TrainingRun(run.recipe, fewer, tmp_path / "run", CPU, resume=True)
    longer = SMALL.model_copy(update={"steps": 4, "restarts": (2,)})
    with pytest.raises(SettingError, match="5 objects, but the training began with 6"):
        TrainingRun(
            longer, fewer, tmp_path / "other", CPU, resume=False,
            begin_with=str(tmp_path / "run" / "small.safetensors"),
        )  # fmt: skip


def test_minutes_decide_the_number_of_steps(sets: Path, tmp_path: Path) -> None:
    restarted = SMALL.model_copy(update={"restarts": (19,), "warm_up_steps": 0})
    run = TrainingRun(restarted, sets, tmp_path, CPU, resume=False, minutes=1e-4)
    assert 1 <= run.recipe.steps < 19
    TrainingRecipe.model_validate(run.recipe.model_dump())
    assert learning_rate(run.recipe, run.recipe.steps) == pytest.approx(0.01 * SMALL.learning_rate)
    run.save()
    for minutes in (0.0, 1e-4, 1.0):
        again = TrainingRun(restarted, sets, tmp_path, CPU, resume=True, minutes=minutes)
        assert again.recipe == run.recipe
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(tmp_path / CHECKPOINT, begun)
    other = restarted.model_copy(update={"seed": 99})
    with pytest.raises(SettingError, match="another recipe"):
        TrainingRun(other, sets, begun, CPU, resume=True)
    counted = TrainingRun(SMALL, sets, tmp_path / "counted", CPU, resume=False)
    list(itertools.islice(counted.train(0), 1))
    with pytest.raises(SettingError, match="was not begun with a model; leave --begin-with out"):
        TrainingRun(SMALL, sets, tmp_path / "counted", CPU, resume=True, begin_with="unet-hrtem")
    with pytest.raises(SettingError, match="begun with 20 steps and not with minutes; leave --minutes out"):
        TrainingRun(SMALL, sets, tmp_path / "counted", CPU, resume=True, minutes=1.0)
    with pytest.raises(SettingError, match="do not go together"):
        TrainingRun(restarted, sets, tmp_path, CPU, resume=False, minutes=1, begin_with="unet-hrtem")
    with pytest.raises(SettingError, match="cannot shorten meta-learning"):
        TrainingRun(RECIPES["two tasks, meta-learned"], sets, tmp_path / "meta", CPU, resume=False, minutes=1)


def test_no_card_shows_a_blur_that_a_flat_image_beats(simulated: Path) -> None:
    """A wide blur is next to flat, and the best one is chosen among them."""
    data = open_set(simulated, 2)
    for dose in (0.1, 1.0, 10.0):
        figures = ValidationSet.draw(data, replace(levels(SMALL)[0], dose=dose)).baselines()
        assert figures["best Gaussian blur"] > figures["flat mean"]
        assert figures["best Gaussian blur"] > figures["noisy"]


def test_a_training_does_not_go_on_with_another_set_of_as_many_objects(sets: Path, tmp_path: Path) -> None:
    run = TrainingRun(SMALL.model_copy(update={"steps": 1}), sets, tmp_path / "run", CPU, resume=False)
    list(run.train())
    other = tmp_path / "other"
    shutil.copytree(sets, other)
    record = other / "rods" / "00001.json"
    record.write_text(record.read_text().replace("0.", "1.", 1))
    with pytest.raises(SettingError, match="not those that the training began with; give that set"):
        TrainingRun(run.recipe, other, tmp_path / "run", CPU, resume=True)


@pytest.mark.parametrize("kept_bytes", [0, 100, 5000])
def test_a_checkpoint_that_is_cut_off_is_refused(sets: Path, tmp_path: Path, kept_bytes: int) -> None:
    run = TrainingRun(SMALL.model_copy(update={"steps": 1}), sets, tmp_path / "run", CPU, resume=False)
    list(run.train())
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(SettingError, match=f"{CHECKPOINT}: not a whole checkpoint .*; begin anew in an empty folder"):
        TrainingRun(run.recipe, sets, tmp_path / "run", CPU, resume=True)


def test_a_recipe_of_images_that_is_cut_off_is_refused(sets: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(sets, other)
    path = other / "rods" / "recipe.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(SettingError, match=r"recipe.json: not a recipe of images .*; simulate into an empty folder"):
        TrainingRun(SMALL, other, tmp_path / "run", CPU, resume=False)


def test_missing_images_are_asked_for_by_their_recipe(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"rods.*napari-gaintune simulate"):
        TrainingRun(SMALL, tmp_path, tmp_path / "run", CPU, resume=False)


def test_held_out_objects_are_never_trained_on(simulated: Path, tmp_path: Path) -> None:
    """The last ones are made ten times as bright as any other: no crop of 200 steps is."""
    marked = tmp_path / "rods"
    shutil.copytree(simulated, marked)
    for index in (4, 5):
        images = np.load(marked / f"{index:05d}.npy")
        np.save(marked / f"{index:05d}.npy", np.full_like(images, 20.0))
    data = open_set(marked, 2)
    assert (len(data.training), len(data.held_out), data.images) == (4, 2, 8)
    recipe = SMALL.model_copy(update={"noise": NoiseRecipe(dose_range_e_per_px=(1.0, 1.0)), "steps": 200})
    assert all(float(training_batch(data, recipe, step).clean.max()) < 10 for step in range(recipe.steps))
    with pytest.raises(SettingError, match="6 objects, of which 6"):
        open_set(simulated, 6)


def test_a_set_with_an_object_missing_in_between_is_refused(simulated: Path, tmp_path: Path) -> None:
    """The last two of it are not those that its size says: a card would name objects that were trained on."""
    gap = tmp_path / "rods"
    shutil.copytree(simulated, gap, ignore=shutil.ignore_patterns("00003.json"))
    with pytest.raises(SettingError, match="object 3 is missing and later ones are there.*simulate rods --output"):
        open_set(gap, 2)


@pytest.mark.parametrize(
    ("noise", "names"),
    [
        (NoiseRecipe(sd_range=(0, 0.2157)), ["sigma 30/255", "sigma 15/255", "sigma 50/255"]),
        (NoiseRecipe(sd_range=(0, 0.1)), ["sigma 15/255"]),
        (NoiseRecipe(sd_range=(0, 0.02)), ["sigma 5.1/255"]),
        (NoiseRecipe(sd_range=(0.15, 0.3)), ["sigma 50/255"]),
        (NoiseRecipe(), ["sigma 0.5/255"]),
        (NoiseRecipe(dose_range_e_per_px=(20, 50)), ["20 e⁻/px"]),
    ],
)
def test_every_recipe_is_validated_at_a_level_within_its_range(noise: NoiseRecipe, names: list[str]) -> None:
    there = levels(SMALL.model_copy(update={"noise": noise}))
    assert [level.name for level in there] == names


@pytest.mark.parametrize("name", RECIPES)
def test_the_direct_start_gives_an_image_and_not_the_noise(name: str) -> None:
    recipe = RECIPES[name].model_copy(update={"direct_start": True})
    network = new_state(recipe, CPU).network
    noisy = torch.poisson(torch.full((1, 1, 64, 64), 0.45), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        denoised = network(noisy)[..., 16:-16, 16:-16]
    assert denoised.var() < 0.3 * noisy.var()
    if not name.startswith("dncnn"):  # which gives what its other channels predict, about nothing
        assert denoised.mean().item() == pytest.approx(0.45, rel=0.4)


def test_a_deep_network_that_passes_on_starts_from_its_input_with_its_channels_alive() -> None:
    """Fifteen plain random layers end in a residual as large as the image and, after a few steps, in dead channels."""
    network = new_state(load_recipe(TrainingRecipe, "dncnn-general"), CPU).network
    noisy = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    features = F.pixel_unshuffle(noisy, 2)
    with torch.no_grad():
        assert (network(noisy) - noisy).var() < 0.3 * noisy.var()
        for conv in list(network.convs)[:-1]:  # type: ignore[arg-type]
            features = conv(features)
            assert (features.amax(dim=(0, 2, 3)) > 0).float().mean() > 0.9


def test_the_starts_are_not_for_every_network_nor_both_at_once() -> None:
    class Other(Network):
        pass

    for start in (start_direct, start_passing):
        with pytest.raises(SettingError, match="not for a Other"):
            start(Other())
    with pytest.raises(ValueError, match="both set; give one"):
        TrainingRecipe.model_validate(RECIPES["dncnn"].model_dump() | {"direct_start": True, "passing_start": True})


def test_the_learning_rate_rises_once_and_falls_to_a_hundredth() -> None:
    rates = [learning_rate(SMALL, step) for step in range(SMALL.steps + 1)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(SMALL.learning_rate)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.01 * SMALL.learning_rate)


def test_a_restarted_schedule_begins_anew() -> None:
    """Step for step that of a training of its own length, from each restart to the next."""
    recipe = SMALL.model_copy(update={"restarts": (8,)})
    rates = [learning_rate(recipe, step) for step in range(recipe.steps)]
    parts = [SMALL.model_copy(update={"steps": length}) for length in (8, 12)]
    assert rates == [learning_rate(part, step) for part in parts for step in range(part.steps)]
    with pytest.raises(ValueError, match=r"restarts are \(8, 20\).*below steps 20"):
        TrainingRecipe.model_validate(recipe.model_dump() | {"restarts": (8, 20)})


def test_a_finished_model_can_be_trained_on_as_if_it_had_never_stopped(sets: Path, tmp_path: Path) -> None:
    """The model of the first steps, begun with at the restart, ends bit-equal to one training through both."""
    whole = SMALL.model_copy(update={"steps": 9, "restarts": (5,)})
    cards = {}
    for name, recipe, begin_with in (
        ("whole", whole, None),
        ("first", SMALL.model_copy(update={"steps": 5}), None),
        ("second", whole, str(tmp_path / "first" / "small.safetensors")),
    ):
        run = TrainingRun(recipe, sets, tmp_path / name, CPU, resume=False, begin_with=begin_with)
        list(run.train())
        cards[name] = run.finish()
    assert cards["second"].sha256 == cards["whole"].sha256 != cards["first"].sha256
    assert "from step 5 on" in cards["second"].note

    def begun(**changes: object) -> TrainingRun:
        recipe = whole.model_copy(update=changes)
        first = str(tmp_path / "first" / "small.safetensors")
        return TrainingRun(recipe, sets, tmp_path / "other", CPU, resume=False, begin_with=first)

    card = load_denoiser(str(tmp_path / "first" / "small.safetensors")).card
    by_minutes = TrainingRecipe.model_validate_json(card.recipe).model_copy(update={"minutes": 0.1})
    save_card(card.model_copy(update={"recipe": by_minutes.model_dump_json()}), tmp_path / "first" / "small.json")
    assert begun().state.step == 5
    with pytest.raises(SettingError, match="not made by the first 5 steps of small: seed differ"):
        begun(seed=99)
    with pytest.raises(SettingError, match="no restarts to begin at"):
        begun(restarts=())


def test_psnr_of_half_an_electron_of_noise() -> None:
    """DESIGN of the figures: counts of 0.45 electrons per pixel score -10 log10 0.45 = 3.5 dB."""
    clean = torch.full((1, 1, 500, 500), 0.45)
    noisy = torch.poisson(clean, generator=torch.Generator().manual_seed(0))
    # relative standard error of the squared error: sqrt((0.45 + 2 * 0.45^2) / n) / 0.45 = 0.4 %, i.e. 0.018 dB
    assert psnr_db(noisy, clean) == pytest.approx(3.468, abs=5 * 0.018)


@pytest.mark.parametrize("stride", [1, 8])
def test_the_part_that_the_convolutions_see_lies_in_the_crop_and_moves(stride: int) -> None:
    recipe = SMALL.model_copy(update={"crop_px": 64, "local_px": 24})
    starts = set()
    for step in range(60):
        for part in local_part(recipe, step, stride):
            assert part.stop - part.start == 24
            assert part.start % stride == 0
            starts.add(part.start)
    assert (min(starts), max(starts)) == (0, 40)
    whole = SMALL.model_copy(update={"crop_px": 64})
    assert local_part(whole, 5, stride) == (slice(0, 64), slice(0, 64))


def test_photographs_are_counted_in_the_recipe(sets: Path, tmp_path: Path) -> None:
    imsave(tmp_path / "grey.png", np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8))
    run = TrainingRun(SMALL, sets, tmp_path / "run", CPU, resume=False, photographs=tmp_path)
    assert run.recipe.photographs == 1
    for _ in run.train():
        pass
    assert "8 simulated images of 4 objects" in (card := run.finish()).trained_on
    assert "and 1 photographs" in card.trained_on


def test_a_cards_figures_can_be_made_again_and_a_wrong_one_is_found(sets: Path, tmp_path: Path) -> None:
    run = TrainingRun(SMALL, sets, tmp_path, CPU, resume=False)
    for _ in run.train():
        pass
    card = run.finish()
    assert card.objects == 6
    again = figures_again(load_denoiser(str(tmp_path / "small.safetensors")), sets, 1)
    assert again == card.validation
    assert disagreements(card.validation, again) == []
    figure = "0.45 e⁻/px, network"
    assert disagreements(card.validation | {figure: card.validation[figure] + 0.1}, again) == [figure]
    assert disagreements({}, {figure: 20.0}) == [figure]

    weights_path = str(tmp_path / "small.safetensors")
    command = ["figures", weights_path, "--data", str(sets), "--processes", "1"]
    assert main(command) == DONE
    save_card(card.model_copy(update={"validation": {figure: 20.0}}), tmp_path / "small.json")
    assert main(command) == FAILED
    assert load_denoiser(weights_path).card.validation == {figure: 20.0}
    assert main([*command, "--write"]) == DONE
    assert load_denoiser(weights_path).card == card


def test_a_card_without_held_out_objects_is_refused(sets: Path) -> None:
    network = build_network("dncnn", depth=2, width=2)
    card = ModelCard(
        name="foreign",
        architecture="dncnn",
        modality="?",
        trained_on="?",
        objective="?",
        recipe="?",
        licence="?",
        sha256="",
    )
    with pytest.raises(ModelError, match="does not say which objects were held out"):
        figures_again(Denoiser(card, network), sets, 1)
