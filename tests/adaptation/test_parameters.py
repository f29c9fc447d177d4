"""What may move moves, nothing else does, and the network comes back as it was."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_gaintune.adaptation.config import AdaptationConfig
from napari_gaintune.adaptation.objectives import Crop, Window
from napari_gaintune.adaptation.parameters import PARAMETERS, Handle, merge, step_size, tuned
from napari_gaintune.errors import SettingError
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.layers import Conv2d
from napari_gaintune.models.networks import Network

from ..models.test_networks import SMALL, make

CARD = ModelCard(
    name="small", architecture="", modality="", trained_on="", objective="", recipe="", licence="", sha256=""
)  # fmt: skip
PRECISIONS = [torch.float32, torch.bfloat16]


def fits(kind: str, parameters: str) -> bool:
    """Whether a small network has what may move by that name."""
    return {"heads": kind == "multi-task", "ain": kind.startswith("AINDNet")}.get(parameters, True)


CELLS = [(kind, name) for kind in SMALL for name in PARAMETERS if fits(kind, name)]


@pytest.fixture(params=SMALL, ids=list(SMALL))
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    return Denoiser(CARD, make(request.param))


def convolutions(network: Network) -> list[Conv2d]:
    """Those that the denoised image passes through."""
    aside = {module for part in network.aside for module in part.modules()}
    return [module for module in network.modules() if isinstance(module, Conv2d) and module not in aside]


def some_gains(movable: list[torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for gain in movable:
            gain.copy_(0.7 + 0.6 * torch.rand(gain.shape, generator=generator))


def shown(handle: Handle, noisy: torch.Tensor) -> torch.Tensor:
    """What the borrowed network makes of whole frames (b, 1, h, w), the b that it was borrowed for."""
    whole = [Window(index, slice(None), slice(None)) for index in range(len(noisy))]
    crop = handle.placed(Crop(noisy, torch.ones_like(noisy, dtype=torch.bool), windows=whole))
    denoised: torch.Tensor = handle.network(crop.shown(noisy))
    return denoised


def move(handle: Handle, noisy: torch.Tensor, steps: int = 3) -> None:
    optimiser = torch.optim.Adam(handle.movable, lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        shown(handle, noisy).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize(("kind", "parameters"), CELLS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_at_the_start_the_output_is_bit_identical(kind: str, parameters: str, precision: torch.dtype) -> None:
    denoiser = Denoiser(CARD, make(kind))
    denoiser.network.compute_dtype = precision
    noisy = torch.rand(2, 1, 33, 26)
    before = denoiser.network(noisy)
    with tuned(denoiser, parameters, [(33, 26)] * 2) as handle:
        with torch.no_grad():
            assert torch.equal(shown(handle, noisy), before)
        assert torch.equal(shown(handle, noisy).detach(), before)  # the path with gradients is another one
    assert torch.equal(denoiser.network(noisy), before)


@pytest.mark.parametrize(("kind", "parameters"), CELLS)
def test_only_what_may_move_moves_and_reset_is_exact(kind: str, parameters: str) -> None:
    denoiser = Denoiser(CARD, make(kind))
    noisy = torch.rand(1, 1, 24, 24)
    before, weights = denoiser.network(noisy), copy.deepcopy(denoiser.network.state_dict())
    with tuned(denoiser, parameters, [(24, 24)]) as handle:
        move(handle, noisy)
        moved = shown(handle, noisy).detach()
        assert not torch.allclose(moved, before, rtol=1e-3)
        within = denoiser.network.state_dict()
        changed = {key for key, value in weights.items() if not torch.equal(within[key], value)}
        assert changed <= set(handle.names)
        assert parameters.endswith(("weights", "layer", "heads", "ain")) == bool(changed)
        state = handle.state()
        handle.reset()
        assert torch.equal(shown(handle, noisy).detach(), before)
        handle.load(state)
        assert torch.equal(shown(handle, noisy).detach(), moved)
    assert torch.equal(denoiser.network(noisy), before)
    after = denoiser.network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in weights.items())
    assert not any(weight.requires_grad or weight.grad is not None for weight in denoiser.network.parameters())


def test_all_weights_are_all_and_the_first_and_last_layers_are_those_at_the_ends(denoiser: Denoiser) -> None:
    network = denoiser.network
    with tuned(denoiser, "all-weights") as handle:
        assert set(handle.names) == set(dict(network.named_parameters()))
    order: list[torch.nn.Module] = []
    prepared = network.whole_frame(torch.rand(1, 1, 24, 24))
    hooks = [m.register_forward_hook(lambda m, *_: order.append(m)) for m in network.modules() if isinstance(m, Conv2d)]
    network.local(prepared)
    for hook in hooks:
        hook.remove()
    for parameters, layer in (("first-layer", order[0]), ("last-layer", order[-1])):
        with tuned(denoiser, parameters) as handle:
            assert [id(weight) for weight in handle.movable] == [id(weight) for weight in layer.parameters()]


def test_an_offset_belongs_to_its_place_in_its_frame(denoiser: Denoiser) -> None:
    """A crop is shown the part of tanh(phi) it was cut from, also where an objective gives two images of it at once."""
    noisy = torch.rand(2, 24, 30)
    with tuned(denoiser, "input-offset", [(24, 30)] * 2) as handle:
        assert [tuple(offset.shape) for offset in handle.movable] == [(24, 30)] * 2
        with torch.no_grad():
            for offset in handle.movable:
                offset.normal_(0, 2, generator=torch.Generator().manual_seed(1))
        places = [Window(1, slice(3, 11), slice(20, 28)), Window(0, slice(16, 24), slice(0, 8))]
        cut = torch.stack([noisy[w.frame][w.rows, w.columns] for w in places])[:, None]
        crop = handle.placed(Crop(cut, torch.ones_like(cut, dtype=torch.bool), windows=places))
        expected = torch.stack([handle.seen(noisy[w.frame], w.frame)[w.rows, w.columns] for w in places])[:, None]
        assert torch.equal(crop.shown(cut), expected)
        assert crop.offset is not None
        twice = crop.shown(torch.cat([cut, 2 * cut]))
        assert torch.equal(twice, torch.cat([expected, 2 * cut + crop.offset]))
        assert (crop.shown(cut) - cut).abs().max() <= 1  # tanh
        assert torch.equal(crop.noisy, cut)  # what is compared with stays as it was measured


def test_an_offset_needs_frames_and_cannot_be_merged(denoiser: Denoiser) -> None:
    with pytest.raises(SettingError, match=r"'input-offset'.*shapes"), tuned(denoiser, "input-offset"):
        pass
    with tuned(denoiser, "input-offset", [(8, 8)]) as handle, pytest.raises(SettingError, match="cannot be merged"):
        handle.merged()


def test_the_network_comes_back_after_an_error(denoiser: Denoiser) -> None:
    noisy = torch.rand(1, 1, 24, 24)
    before = denoiser.network(noisy)
    with pytest.raises(ZeroDivisionError), tuned(denoiser) as handle:  # noqa: PT012 - the error comes from inside
        some_gains(handle.movable)
        raise ZeroDivisionError
    assert torch.equal(denoiser.network(noisy), before)


def test_there_is_one_gain_per_output_channel_of_every_convolution(denoiser: Denoiser) -> None:
    channels = [layer.weight.shape[0] for layer in convolutions(denoiser.network)]
    with tuned(denoiser) as handle:
        assert sorted(gain.numel() for gain in handle.movable) == sorted(channels)
        assert all(torch.equal(gain.detach(), torch.ones_like(gain)) for gain in handle.movable)


def test_biases_are_not_scaled() -> None:
    network = make("dncnn")
    with tuned(Denoiser(CARD, network)) as handle, torch.no_grad():
        for gain in handle.movable:
            gain.zero_()
        noisy = torch.rand(1, 1, 16, 16)
        last = network.convs[-1]  # type: ignore[index]
        assert torch.allclose(noisy - network(noisy), last.bias.expand(1, 1, 16, 16), atol=2**-22)


@pytest.mark.parametrize(("kind", "parameters"), [cell for cell in CELLS if not PARAMETERS[cell[1]].of_frame])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_merged_equals_tuned_bit_for_bit(kind: str, parameters: str, precision: torch.dtype) -> None:
    denoiser = Denoiser(CARD, make(kind))
    denoiser.network.compute_dtype = precision
    noisy = torch.rand(1, 1, 29, 24)
    with tuned(denoiser, parameters) as handle:
        move(handle, noisy)
        merged = handle.merged()
        assert torch.equal(merged(noisy), handle.network(noisy).detach())
    assert not torch.allclose(merged(noisy), denoiser.network(noisy), rtol=1e-3)
    assert not any(weight.requires_grad for weight in merged.parameters())


def test_the_gain_gradient_is_the_gradient(denoiser: Denoiser) -> None:
    """Against torch's own weight gradients: with W' = g W, dL/dg is the inner product of dL/dW' and W."""
    network, noisy = denoiser.network, torch.rand(2, 1, 23, 30)
    layers = convolutions(network)
    with tuned(denoiser) as handle:
        some_gains(handle.movable)
        ours = torch.autograd.grad((network(noisy) - 2 * noisy).square().mean(), handle.movable)
        merged = merge(network, handle.state()).requires_grad_(True)
    filters = [layer.weight for layer in convolutions(merged)]
    theirs = torch.autograd.grad((merged(noisy) - 2 * noisy).square().mean(), filters)
    expected = [(grad * layer.weight).sum(dim=(1, 2, 3)) for layer, grad in zip(layers, theirs, strict=True)]
    largest = max(float(one.abs().max()) for one in expected)
    for gradient, wanted in zip(ours, expected, strict=True):
        # float32 sums over n pixels taken in two orders differ by some 2**-24 * sqrt(n) of their size; where a layer's
        # input is off, its exact gradient is 0 and ours is the rounding of the sums that cancel
        atol = 1e-4 * float(wanted.abs().max()) + 2**-20 * largest
        torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=atol)


def test_the_gain_gradient_in_bfloat16_is_as_good_as_autograds(denoiser: Denoiser) -> None:
    """Rounding costs something; our formula may cost no more than autograd's weight gradients in the same precision."""
    network, noisy = denoiser.network, torch.rand(2, 1, 40, 40)
    with tuned(denoiser) as handle:
        some_gains(handle.movable)
        exact = torch.cat(torch.autograd.grad((network(noisy) - 2 * noisy).square().mean(), handle.movable))
        network.compute_dtype = torch.bfloat16
        ours = torch.cat(torch.autograd.grad((network(noisy) - 2 * noisy).square().mean(), handle.movable))
        merged = merge(network, handle.state()).requires_grad_(True)
    layers = convolutions(network)
    filters = [layer.weight for layer in convolutions(merged)]
    gradients = torch.autograd.grad((merged(noisy) - 2 * noisy).square().mean(), filters)
    theirs = torch.cat([(g * layer.weight).sum(dim=(1, 2, 3)) for g, layer in zip(gradients, layers, strict=True)])
    assert (ours - exact).norm() < 2 * (theirs - exact).norm() + 2**-7 * exact.norm()


def test_a_channel_at_gain_zero_has_a_finite_gradient(denoiser: Denoiser) -> None:
    with tuned(denoiser) as handle:
        with torch.no_grad():
            handle.movable[1][0] = 0.0
        gradients = torch.autograd.grad(handle.network(torch.rand(1, 1, 20, 20)).square().sum(), handle.movable)
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_a_step_computes_no_weight_gradients() -> None:
    """Measured in multiplications: forward and input gradients, 2 convolutions a layer instead of 3."""
    noisy = torch.rand(1, 1, 32, 32)

    def flops(parameters: list[torch.Tensor]) -> int:
        with FlopCounterMode(display=False) as counter:
            loss = (network(noisy) - noisy).square().mean()
            if parameters:
                torch.autograd.grad(loss, parameters)
        counts = counter.get_flop_counts()["Global"]
        return sum(count for operation, count in counts.items() if "conv" in str(operation))

    network = make("dncnn").requires_grad_(True)
    naive = flops(list(network.parameters()))
    network.requires_grad_(False)
    forward = flops([])
    first = 2 * 32 * 32 * 9 * 6  # the first layer's input gradient, 1 channel to 6, is needed by nobody
    with tuned(Denoiser(CARD, network)) as handle:
        tuning = flops(handle.movable)
    assert tuning == 2 * forward - first
    assert naive == 3 * forward - first


def test_a_denoiser_is_lent_once_and_by_known_names(denoiser: Denoiser) -> None:
    with tuned(denoiser), pytest.raises(SettingError, match="already being adapted"), tuned(denoiser):
        pass
    with (
        pytest.raises(SettingError, match="'everything' are unknown; there are channel-gains"),
        tuned(denoiser, "everything"),
    ):
        pass
    with tuned(denoiser):  # given back
        pass


def test_every_choice_can_be_asked_for_and_has_a_step_size_of_its_own() -> None:
    assert set(get_args(AdaptationConfig.model_fields["parameters"].annotation)) == set(PARAMETERS)
    for name, choice in PARAMETERS.items():
        assert step_size(name, 0.0) == choice.learning_rate > 0
        assert step_size(name, 0.25) == 0.25


def test_heads_are_the_two_of_a_network_with_two_tasks() -> None:
    with (
        pytest.raises(SettingError, match=r"'heads'.*choose a model of architecture multi-task"),
        tuned(Denoiser(CARD, make("dncnn")), "heads"),
    ):
        pass
    with tuned(Denoiser(CARD, make("multi-task")), "heads") as handle:
        assert {name.partition(".")[0] for name in handle.names} == {"primary", "auxiliary"}
        assert len(handle.names) == 4


def test_a_transfer_moves_normalisations_estimator_and_last_convolution() -> None:
    with (
        pytest.raises(SettingError, match=r"'ain'.*no adaptive instance normalisation.*architecture aindnet"),
        tuned(Denoiser(CARD, make("dncnn")), "ain"),
    ):
        pass
    network = make("AINDNet")
    with tuned(Denoiser(CARD, network), "ain") as handle:
        moving = {name for name in dict(network.named_parameters()) if name in handle.names}
    rest = set(dict(network.named_parameters())) - moving
    assert {"last.weight", "last.bias", "estimator.coarse.weight", "up.1.0.norms.1.gamma.bias"} <= moving
    assert all(name.startswith(("entry.", "widen.", "narrow.")) or ".convs." in name for name in rest)


def test_a_gain_before_a_normalisation_would_change_nothing() -> None:
    """Which is why those convolutions have none: their gradient would be rounding, and Adam's steps chance."""
    network, noisy = make("AINDNet"), torch.rand(1, 1, 40, 40)
    before = network(noisy)
    (left_out, *_) = network.aside
    with torch.no_grad():
        for weight in left_out.parameters():
            weight.mul_(3)
    # what is left is the part of epsilon, 1e-5, in the variance of features of about 1
    torch.testing.assert_close(network(noisy), before, rtol=1e-3, atol=1e-3)
