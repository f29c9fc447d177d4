"""What a training lowers: each loss against its formula, and whom it is refused to."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from napari_gaintune.errors import SettingError
from napari_gaintune.models.networks import AINDNet
from napari_gaintune.training.dataset import open_set, training_batch
from napari_gaintune.training.losses import LOSSES, Compared, check_losses, noise_level_error, weighted
from napari_gaintune.training.recipe import LossName, NoiseRecipe, TrainingRecipe
from napari_gaintune.training.supervised import averaged_network, local_part, new_state, training_step

from ..models.test_networks import make

CPU = torch.device("cpu")


def compared(noise_sd: torch.Tensor | float = 1.0, kind: str = "AINDNet") -> Compared:
    network, noisy = make(kind), torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    truth = torch.full_like(noisy, 0.5)
    sd = torch.as_tensor(noise_sd).expand_as(noisy)
    return Compared(network, network.whole_frame(noisy), network(noisy), truth, sd, torch.full((2, 1, 1, 1), 0.25))


def test_every_loss_can_be_asked_for() -> None:
    assert set(get_args(LossName)) == set(LOSSES)


@pytest.mark.parametrize("kind", ["AINDNet", "AINDNet, folded"])
def test_a_noise_level_too_low_costs_three_times_as_much(kind: str) -> None:
    """Truths far above and far below what is estimated: (1 - alpha) and alpha times the squares, shares 0.2 and 0.8."""
    for truth, factor in ((1000.0, 0.75), (-1000.0, 0.25)):
        given = compared(truth, kind)
        assert isinstance(given.network, AINDNet)
        levels = given.network.noise_levels(given.prepared)
        full, coarse = ((level - truth).square().mean() / 0.25 for level in levels)
        torch.testing.assert_close(noise_level_error(given), factor * (0.2 * full + 0.8 * coarse))


def test_a_noise_level_that_is_right_costs_nothing() -> None:
    given = compared()
    assert isinstance(given.network, AINDNet)
    level = 0.25
    for module in (given.network.estimator.coarse, given.network.estimator.full):
        module.weight.zero_()
        assert module.bias is not None
        module.bias.fill_(level)
    deviation = given.prepared[:, 2:]
    told = Compared(**(vars(given) | {"noise_sd": level * deviation}))
    assert float(noise_level_error(told)) < 1e-10  # the rounding of a mean of 16, squared
    assert float(noise_level_error(given)) > 0.01


def test_the_error_to_the_clean_image_is_a_mean_of_logarithms() -> None:
    """Errors of 0.1 and 0.2 over a variance of 0.25: 0.04 and 0.16, each with the floor, and not their sum."""
    given = compared()
    errors = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1)
    given = replace(given, denoised=given.truth + errors)
    expected = (math.log(0.04 + 3e-4) + math.log(0.16 + 3e-4)) / 2
    assert float(LOSSES["log-error"](given)) == pytest.approx(expected, rel=1e-5)
    assert float(LOSSES["absolute-error"](given)) == pytest.approx((0.2 + 0.4) / 2, rel=1e-5)


def test_losses_are_summed_by_weight() -> None:
    given = compared()
    expected = 2 * LOSSES["log-error"](given) + 0.5 * LOSSES["noise-level"](given)
    torch.testing.assert_close(weighted({"log-error": 2.0, "noise-level": 0.5}, given), expected)


def test_a_loss_that_is_not_for_a_network_is_refused_before_any_work() -> None:
    with pytest.raises(SettingError, match="'noise-level' is not for a DnCNN.*leave it out"):
        check_losses({"noise-level": 1.0}, make("dncnn"))
    with pytest.raises(SettingError, match="'second-task' is not for a AINDNet.*leave it out"):
        check_losses({"second-task": 1.0}, make("AINDNet"))
    values = AIND.model_dump()
    for losses, message in (({"log-error": 0.0}, "weighs 0; give more"), ({}, "at least 1"), ({"x": 1.0}, "log-error")):
        with pytest.raises(ValueError, match=message):
            TrainingRecipe.model_validate(values | {"losses": losses})


AIND = TrainingRecipe(
    name="small",
    architecture="aindnet",
    options={"width": 8, "blocks": 1, "condition_width": 8},
    images="rods",
    modality="rods",
    losses={"log-error": 1.0, "noise-level": 5.0},
    noise=NoiseRecipe(dose_range_e_per_px=(0.2, 20.0), sd_range=(0, 0.5)),
    crop_px=32,
    batch=4,
    steps=60,
    warm_up_steps=5,
    learning_rate=3e-3,
    precision="float32",
    held_out_objects=2,
    direct_start=True,
)


def test_a_training_learns_the_noise_level_where_it_is_asked_to(simulated: Path) -> None:
    """Without that loss the estimate becomes whatever helps the image."""
    data = open_set(simulated, AIND.held_out_objects)
    unseen = training_batch(data, AIND, AIND.steps)

    def trained(losses: dict[LossName, float], steps: int) -> dict[str, float]:
        recipe = AIND.model_copy(update={"losses": losses})
        state = new_state(recipe, CPU)
        for step in range(steps):
            training_step(state, training_batch(data, recipe, step), recipe)
        network = averaged_network(state, recipe)
        prepared = network.whole_frame(unseen.noisy)
        denoised = network.local(prepared)
        given = Compared(network, prepared, denoised, unseen.clean, unseen.noise_sd, unseen.divisor)
        return {name: float(LOSSES[name](given)) for name in AIND.losses}

    start = trained({"log-error": 1.0}, 0)
    without, both = trained({"log-error": 1.0}, AIND.steps), trained(AIND.losses, AIND.steps)
    assert both["noise-level"] < without["noise-level"] / 2
    assert both["log-error"] < start["log-error"] - 0.2


def test_the_noise_level_is_compared_where_the_convolutions_look(simulated: Path) -> None:
    data, recipe = open_set(simulated, AIND.held_out_objects), AIND.model_copy(update={"local_px": 16})
    recipe = recipe.model_copy(update={"losses": {"noise-level": 1.0}})
    state, batch = new_state(recipe, CPU), training_batch(data, recipe, 0)
    rows, columns = local_part(recipe, 0, state.network.stride)
    prepared = state.network.whole_frame(batch.noisy)[..., rows, columns]
    part, noise_sd = batch.clean[..., rows, columns], batch.noise_sd[..., rows, columns]
    expected = noise_level_error(Compared(state.network, prepared, part, part, noise_sd, batch.divisor)).detach()
    torch.testing.assert_close(training_step(state, batch, recipe), expected)
