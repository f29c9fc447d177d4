"""Meta-learning: the gradients go through the steps of an adaptation, and reach what each step is for."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from napari_gaintune.errors import SettingError
from napari_gaintune.models.networks import MultiTaskNetwork
from napari_gaintune.training.losses import Compared, log_error, reconstruction_error, second_task_error
from napari_gaintune.training.meta import adapted, edge_error, look_ahead, meta_backward
from napari_gaintune.training.recipe import LossName, MetaRecipe, NoiseRecipe, TrainingRecipe, load_recipe
from napari_gaintune.training.supervised import learning_rate, new_state

CPU = torch.device("cpu")
LOSSES: dict[LossName, float] = {"log-error": 1.0, "second-task": 0.5}
META = MetaRecipe(transfer_from=6, mask_every=3, inner_steps=2, inner_rate=0.02)
RECIPE = TrainingRecipe(
    name="small", architecture="multi-task", options={"width": 4, "levels": 2, "widest": 8, "fold": 2}, images="rods",
    modality="rods", noise=NoiseRecipe(dose_range_e_per_px=(0.2, 20.0)), losses=LOSSES, meta=META, restarts=(6,), steps=9,
    warm_up_steps=0, crop_px=32, batch=2, precision="float32", held_out_objects=2,
)  # fmt: skip


@pytest.fixture
def given() -> Compared:
    network = new_state(RECIPE, CPU).network
    generator = torch.Generator().manual_seed(5)
    truth = 1 + 0.5 * torch.sin(torch.arange(32.0) / 3).expand(2, 1, 32, 32)
    noisy = torch.poisson(truth, generator=generator)
    return Compared(network, noisy, noisy, truth, truth.sqrt(), torch.tensor([0.7, 2.5]).view(2, 1, 1, 1))


def network_of(given: Compared) -> MultiTaskNetwork:
    assert isinstance(given.network, MultiTaskNetwork)
    return given.network


def test_what_is_adapted_is_what_the_steps_make_of_each_crop_alone(given: Compared) -> None:
    """Against an adaptation in place, of one crop after the other."""
    steps = []
    for one in range(2):
        network = deepcopy(network_of(given))
        noisy, divisor = given.prepared[one : one + 1], given.divisor[one : one + 1]
        heads = [weight for head in network.heads for weight in head.parameters()]
        for _ in range(META.inner_steps):
            tasks = network.tasks(noisy)
            error = reconstruction_error(tasks.noisy_again, noisy, tasks.mask, divisor)
            with torch.no_grad():
                for weight, gradient in zip(heads, torch.autograd.grad(error, heads), strict=True):
                    weight -= META.inner_rate * gradient / gradient.square().mean().sqrt()
        steps.append(network(noisy))
    result = adapted(network_of(given), given, META)
    torch.testing.assert_close(result, torch.cat(steps))
    assert not torch.allclose(result, given.network(given.prepared), rtol=1e-2)


@pytest.mark.parametrize("part", ["entry", "body", "primary", "auxiliary", "mask"])
def test_gradients_go_through_the_steps_to_every_part(given: Compared, part: str) -> None:
    """Of second order: against a difference quotient along themselves, by as many steps of the length that recipes have."""
    network, meta = network_of(given), MetaRecipe(transfer_from=1)

    def lowered() -> torch.Tensor:
        return log_error(replace(given, denoised=adapted(network, given, meta)))

    assert_is_a_gradient(lowered, list(getattr(network, part).parameters()))


def test_the_masks_gradient_is_that_of_the_look_ahead(given: Compared) -> None:
    network = network_of(given)
    assert_is_a_gradient(lambda: look_ahead(network, given, LOSSES, META), list(network.mask.parameters()))


def assert_is_a_gradient(lowered: Callable[[], torch.Tensor], weights: list[torch.nn.Parameter]) -> None:
    gradients = torch.autograd.grad(lowered(), weights)
    length = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    assert length > 0
    reach = min(0.01, 0.003 / float(length))  # short beside the weights, and what is lowered changes by thousandths
    ends = []
    for step in (1, -2):
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight += step * reach * gradient / length
        ends.append(lowered().item())
    # rectifiers that switch on the way, and what is left of the kink in |error|, make up the rest
    assert (ends[0] - ends[1]) / (2 * reach) == pytest.approx(float(length), rel=0.1)


def test_a_look_ahead_is_a_step_down_on_both_tasks(given: Compared) -> None:
    """Against a step in place."""
    network = deepcopy(network_of(given))
    mask = network.mask(given.prepared)
    tasks = network.tasks(given.prepared)
    both = log_error(replace(given, denoised=tasks.clean))
    both = both + 0.5 * reconstruction_error(tasks.noisy_again, given.prepared, mask, given.divisor)
    weights = [weight for name, weight in network.named_parameters() if not name.startswith("mask.")]
    with torch.no_grad():
        for weight, gradient in zip(weights, torch.autograd.grad(both, weights), strict=True):
            weight -= META.inner_rate * gradient / gradient.square().mean().sqrt()
        expected = log_error(replace(given, denoised=network(given.prepared))) + 0.01 * edge_error(mask, given.prepared)
    torch.testing.assert_close(look_ahead(network_of(given), given, LOSSES, META), expected)


def test_a_transfer_lowers_the_images_error_alone(given: Compared) -> None:
    expected = log_error(replace(given, denoised=adapted(network_of(given), given, META)))
    torch.testing.assert_close(meta_backward(given, RECIPE, 6), expected)


def test_a_crop_without_a_count_leaves_the_gradients_finite(given: Compared) -> None:
    empty = given.prepared * torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    for step in (0, 2, 6):
        meta_backward(replace(given, prepared=empty), RECIPE, step)
        assert all(weight.grad is None or weight.grad.isfinite().all() for weight in given.network.parameters())


@pytest.mark.parametrize(
    ("step", "moves"), [(0, "tasks"), (1, "tasks"), (2, "mask"), (5, "mask"), (6, "all"), (8, "all")]
)
def test_each_step_moves_what_it_is_for(given: Compared, step: int, moves: str) -> None:
    meta_backward(given, RECIPE, step)
    with_gradient = {
        name for name, weight in given.network.named_parameters() if weight.grad is not None and weight.grad.any()
    }
    masks = {name for name, _ in given.network.named_parameters() if name.startswith("mask.")}
    everything = {name for name, _ in given.network.named_parameters()}
    expected = {"tasks": everything - masks, "mask": masks, "all": everything}[moves]
    quiet = {"mask.last.bias"} if moves == "mask" else set()
    assert expected - quiet <= with_gradient <= expected


def test_a_step_against_the_gradient_makes_the_adapted_image_better(given: Compared) -> None:
    before = meta_backward(given, RECIPE, 7)
    with torch.no_grad():
        for weight in given.network.parameters():
            assert weight.grad is not None
            weight -= 1e-3 * weight.grad
    after = log_error(replace(given, denoised=adapted(network_of(given), given, META)))
    assert after < before


def test_the_second_task_is_compared_under_a_mask_that_stays(given: Compared) -> None:
    network = network_of(given)
    told = replace(given, denoised=network.local(given.prepared))
    tasks = network.tasks(given.prepared)
    error = second_task_error(told)
    expected = (tasks.mask * (tasks.noisy_again - given.prepared).abs() / given.divisor.sqrt()).mean()
    # an absolute value rounded below 0.3 is less by that at most
    assert expected - 0.3 <= error <= expected
    error.backward()  # type: ignore[no-untyped-call]
    moved = {name for name, weight in network.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert moved == {name for name, _ in network.named_parameters() if not name.startswith("mask.")}


def test_a_mask_is_the_same_at_every_dose(given: Compared) -> None:
    network = network_of(given)
    torch.testing.assert_close(network.mask(10 * given.prepared), network.mask(given.prepared))


def test_a_mask_with_the_edges_of_the_noisy_image_costs_nothing() -> None:
    noisy = torch.rand(2, 1, 9, 7, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 7.0]).view(
        2, 1, 1, 1
    )
    scaled = noisy / noisy.amax(dim=(1, 2, 3), keepdim=True)
    assert float(edge_error(0.3 + scaled, noisy)) < 1e-6
    ramp = torch.arange(4.0).expand(1, 1, 3, 4)  # from 0 to 1 after scaling, in thirds along a row
    assert float(edge_error(torch.zeros(1, 1, 3, 4), ramp)) == pytest.approx(1 / 3)


def test_meta_transfer_has_a_rate_of_its_own() -> None:
    assert learning_rate(RECIPE, 0) == pytest.approx(RECIPE.learning_rate)
    assert learning_rate(RECIPE, 6) == pytest.approx(META.transfer_learning_rate)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meta": META.model_dump() | {"transfer_from": 5}}, r"transfer_from is 5.*restarts are \(6,\)"),
        ({"losses": {"log-error": 1.0}}, "losses are log-error; give second-task"),
        ({"losses": {"second-task": 1.0}}, "losses are second-task; give second-task and one of the image"),
        ({"meta": META.model_dump() | {"mask_every": 1}}, "greater than or equal to 2"),
    ],
)
def test_a_recipe_that_cannot_be_learned_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingRecipe.model_validate(RECIPE.model_dump() | changes)


def test_a_network_with_one_task_is_refused() -> None:
    one_task = RECIPE.model_copy(update={"architecture": "dncnn", "options": {"depth": 3, "width": 4}})
    with pytest.raises(SettingError, match="'second-task' is not for a DnCNN"):
        new_state(one_task, CPU)
    with pytest.raises(SettingError, match="meta is not for a DnCNN, which has one task"):
        new_state(one_task.model_copy(update={"losses": {"log-error": 1.0}}), CPU)


def test_both_settings_of_the_recipe_are_valid() -> None:
    recipe = load_recipe(TrainingRecipe, "multitask-tem")
    for one in (recipe.in_full(), recipe.as_reduced()):
        assert one.meta is not None
        assert one.meta.transfer_from < one.steps
