"""What may move moves, nothing else does, and the network comes back as it was."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_gaintune.adaptation.parameters import PARAMETERS, merge, tuned
from napari_gaintune.errors import SettingError
from napari_gaintune.models.card import ModelCard
from napari_gaintune.models.denoiser import Denoiser
from napari_gaintune.models.layers import Conv2d

from ..models.test_networks import SMALL, make

CARD = ModelCard(
    name="small", architecture="", modality="", trained_on="", objective="", recipe="", licence="", sha256=""
)  # fmt: skip
PRECISIONS = [torch.float32, torch.bfloat16]


@pytest.fixture(params=SMALL, ids=list(SMALL))
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    return Denoiser(CARD, make(request.param))


def some_gains(movable: list[torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for gain in movable:
            gain.copy_(0.7 + 0.6 * torch.rand(gain.shape, generator=generator))


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_at_the_start_the_output_is_bit_identical(denoiser: Denoiser, parameters: str, precision: torch.dtype) -> None:
    denoiser.network.compute_dtype = precision
    noisy = torch.rand(2, 1, 33, 26)
    before = denoiser.network(noisy)
    with tuned(denoiser, parameters) as handle:
        with torch.no_grad():
            assert torch.equal(handle.network(noisy), before)
        assert torch.equal(handle.network(noisy).detach(), before)  # the path with gradients is another one
    assert torch.equal(denoiser.network(noisy), before)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_only_what_may_move_moves_and_reset_is_exact(denoiser: Denoiser, parameters: str) -> None:
    noisy = torch.rand(1, 1, 24, 24)
    before, weights = denoiser.network(noisy), copy.deepcopy(denoiser.network.state_dict())
    with tuned(denoiser, parameters) as handle:
        optimiser = torch.optim.Adam(handle.movable, lr=0.05)
        for _ in range(3):
            optimiser.zero_grad()
            handle.network(noisy).square().mean().backward()
            optimiser.step()
        moved = handle.network(noisy).detach()
        assert not torch.allclose(moved, before, rtol=1e-3)
        state = handle.state()
        handle.reset()
        assert torch.equal(handle.network(noisy).detach(), before)
        handle.load(state)
        assert torch.equal(handle.network(noisy).detach(), moved)
    assert torch.equal(denoiser.network(noisy), before)
    after = denoiser.network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in weights.items())


def test_the_network_comes_back_after_an_error(denoiser: Denoiser) -> None:
    noisy = torch.rand(1, 1, 24, 24)
    before = denoiser.network(noisy)
    with pytest.raises(ZeroDivisionError), tuned(denoiser) as handle:  # noqa: PT012 - the error comes from inside
        some_gains(handle.movable)
        raise ZeroDivisionError
    assert torch.equal(denoiser.network(noisy), before)


def test_there_is_one_gain_per_output_channel_of_every_convolution(denoiser: Denoiser) -> None:
    channels = [p.shape[0] for p in denoiser.network.parameters() if p.ndim == 4]
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


@pytest.mark.parametrize("precision", PRECISIONS)
def test_merged_equals_tuned_bit_for_bit(denoiser: Denoiser, precision: torch.dtype) -> None:
    denoiser.network.compute_dtype = precision
    noisy = torch.rand(1, 1, 29, 24)
    with tuned(denoiser) as handle, torch.no_grad():
        some_gains(handle.movable)
        merged = merge(handle.network, handle.state())
        assert torch.equal(merged(noisy), handle.network(noisy))
    assert not torch.allclose(merged(noisy), denoiser.network(noisy), rtol=1e-3)


def test_the_gain_gradient_is_the_gradient(denoiser: Denoiser) -> None:
    """Against torch's own weight gradients: with W' = g W, dL/dg is the inner product of dL/dW' and W."""
    network, noisy = denoiser.network, torch.rand(2, 1, 23, 30)
    layers = [module for module in network.modules() if isinstance(module, Conv2d)]
    with tuned(denoiser) as handle:
        some_gains(handle.movable)
        ours = torch.autograd.grad((network(noisy) - 2 * noisy).square().mean(), handle.movable)
        merged = merge(network, handle.state()).requires_grad_(True)
    filters = [module.weight for module in merged.modules() if isinstance(module, Conv2d)]
    theirs = torch.autograd.grad((merged(noisy) - 2 * noisy).square().mean(), filters)
    for layer, gradient, weight_gradient in zip(layers, ours, theirs, strict=True):
        expected = (weight_gradient * layer.weight).sum(dim=(1, 2, 3))
        # float32 sums over n pixels taken in two orders differ by some 2**-24 * sqrt(n) of their size
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_the_gain_gradient_in_bfloat16_is_as_good_as_autograds(denoiser: Denoiser) -> None:
    """Rounding costs something; our formula may cost no more than autograd's weight gradients in the same precision."""
    network, noisy = denoiser.network, torch.rand(2, 1, 40, 40)
    with tuned(denoiser) as handle:
        some_gains(handle.movable)
        exact = torch.cat(torch.autograd.grad((network(noisy) - 2 * noisy).square().mean(), handle.movable))
        network.compute_dtype = torch.bfloat16
        ours = torch.cat(torch.autograd.grad((network(noisy) - 2 * noisy).square().mean(), handle.movable))
        merged = merge(network, handle.state()).requires_grad_(True)
    layers = [module for module in network.modules() if isinstance(module, Conv2d)]
    filters = [module.weight for module in merged.modules() if isinstance(module, Conv2d)]
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
