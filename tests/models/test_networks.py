"""Properties every network has, whatever its architecture."""

from __future__ import annotations

import pytest
import torch

from napari_gaintune.errors import ModelError
from napari_gaintune.models.networks import ARCHITECTURES, AINDNet, MultiTaskNetwork, Network, build_network
from napari_gaintune.models.networks.aindnet import NoiseLevels
from napari_gaintune.models.networks.normalisation import AdaptiveBlock, AdaptiveInstanceNorm
from napari_gaintune.models.networks.unet import local_mean, pad_to_multiple
from napari_gaintune.models.prediction import predict

SMALL: dict[str, tuple[str, dict[str, int | bool]]] = {
    "dncnn": ("dncnn", {"depth": 5, "width": 6, "bias": True}),
    "dncnn bias-free": ("dncnn", {"depth": 5, "width": 6, "bias": False}),
    "blind-spot, 2 poolings": ("blindspot-unet", {"width": 4, "levels": 2}),
    "blind-spot, 3 poolings": ("blindspot-unet", {"width": 4, "levels": 3}),
    "UNet": ("unet", {"width": 4, "levels": 2, "widest": 8}),
    "UNet, folded": ("unet", {"width": 6, "levels": 2, "fold": 2}),
    "UNet behind Bragg filters": ("unet", {"width": 6, "levels": 2, "widest": 8, "fold": 2, "bragg_px": 16}),
    "dilated UNet": ("dilated-unet", {"width": 4, "bias": True}),
    "dilated UNet, bias-free": ("dilated-unet", {"width": 4, "bias": False}),
    "multi-task": ("multi-task", {"width": 4, "levels": 2, "widest": 8}),
    "multi-task, folded": ("multi-task", {"width": 4, "levels": 2, "widest": 8, "fold": 2}),
    "dncnn, folded": ("dncnn", {"depth": 5, "width": 6, "bias": False, "fold": 2}),
    "dncnn behind Bragg filters": ("dncnn", {"depth": 5, "width": 6, "bias": False, "fold": 2, "bragg_px": 16}),
    "AINDNet": ("aindnet", {"width": 4, "blocks": 1, "condition_width": 4}),
    "AINDNet, folded": ("aindnet", {"width": 4, "blocks": 2, "condition_width": 4, "fold": 2}),
    "blind-spot behind Bragg filters": ("blindspot-unet", {"width": 4, "levels": 2, "bragg_px": 16}),
}


@pytest.fixture(params=SMALL, ids=list(SMALL))
def network(request: pytest.FixtureRequest) -> Network:
    return make(request.param)


def make(name: str) -> Network:
    torch.manual_seed(3)
    architecture, options = SMALL[name]
    network = build_network(architecture, **options).requires_grad_(False)
    for parameter in network.parameters():
        if parameter.ndim == 1:  # biases start at zero; a test of them needs others
            parameter.normal_(0, 0.1)
        elif not parameter.any():  # nor do the gates of a Bragg filter start at anything but the plain threshold
            parameter.normal_(0, 0.3)
    return network


def test_every_architecture_is_tested() -> None:
    assert {architecture for architecture, _ in SMALL.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (33, 18), (64, 64)])
def test_any_size_and_aspect_keeps_its_shape(network: Network, shape: tuple[int, int]) -> None:
    denoised = network(torch.rand(2, 1, *shape))
    assert denoised.shape == (2, 1, *shape)
    assert denoised.dtype == torch.float32
    assert torch.isfinite(denoised).all()


@pytest.mark.parametrize("name", [name for name in SMALL if name.startswith("blind-spot")])
@pytest.mark.parametrize("shape", [(19, 26), (24, 16)])
def test_a_blind_spot_output_never_sees_its_own_pixel(name: str, shape: tuple[int, int]) -> None:
    network = make(name)
    noisy = torch.rand(1, 1, *shape, requires_grad=True)
    denoised = network(noisy)
    own = []
    for y in range(shape[0]):
        for x in range(shape[1]):
            (gradient,) = torch.autograd.grad(denoised[0, 0, y, x], noisy, retain_graph=True)
            own.append(gradient[0, 0, y, x].item())
    assert network.is_blind
    assert own == [0.0] * len(own)


def test_what_is_trained_gives_its_part_of_what_the_whole_gives(network: Network) -> None:
    noisy = torch.rand(2, 1, 32, 44)
    part = network.trained
    # the same sums, in batches of another size: a few roundings of values around 1
    torch.testing.assert_close(part(noisy), part.part_of(network(noisy)), rtol=1e-4, atol=1e-4)


def test_only_blind_networks_call_themselves_blind(network: Network) -> None:
    noisy = torch.rand(1, 1, 21, 21, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(noisy)[0, 0, 10, 10], noisy)
    assert (gradient[0, 0, 10, 10].item() == 0) == network.is_blind
    assert gradient.abs().sum() > 0


def test_the_receptive_field_is_as_large_as_it_says_and_no_larger(network: Network) -> None:
    """Of what comes after the whole frame was looked at."""
    radius = network.receptive_field_radius
    size = 2 * radius + 3 * network.stride + 8
    farthest = 0
    prepared = network.whole_frame(torch.rand(1, 1, size, size))
    with network.as_parts_of(prepared):
        prepared.requires_grad_()
        denoised = network.local(prepared)
    for shift in range(network.stride):  # a pooling network reaches farthest from one place in each period
        centre = size // 2 + shift
        (gradient,) = torch.autograd.grad(denoised[0, 0, centre, centre], prepared, retain_graph=True)
        reach = (gradient[0, 0].nonzero() - centre).abs().max().item()
        farthest = max(farthest, int(reach))
    assert farthest == radius


@pytest.mark.parametrize("name", [name for name, (_, options) in SMALL.items() if not options.get("bias")])
def test_a_bias_free_network_scales_with_its_input(name: str) -> None:
    network = make(name)
    noisy = torch.rand(1, 1, 24, 31)
    # a factor that is a power of two changes only exponents: the equality is exact
    assert torch.equal(network(8 * noisy), 8 * network(noisy))


def aindnet(name: str = "AINDNet") -> AINDNet:
    network = make(name)
    assert isinstance(network, AINDNet)
    return network


def test_the_adaptive_normalisation_is_that_of_its_equations() -> None:
    """gamma (h - mean) / sd + beta with the statistics of each channel; as in eq. 2 to 4, gamma about 1."""
    norm = next(module for module in aindnet().modules() if isinstance(module, AdaptiveInstanceNorm))
    features, level = 5 + 3 * torch.randn(2, 4, 12, 16), torch.rand(2, 1, 24, 32)
    condition = norm.condition(torch.nn.functional.avg_pool2d(level, 2))
    mean, variance = features.mean(dim=(2, 3), keepdim=True), features.var(dim=(2, 3), correction=0, keepdim=True)
    expected = (1 + norm.gamma(condition)) * (features - mean) / (variance + 1e-5).sqrt() + norm.beta(condition)
    torch.testing.assert_close(norm(features, level), expected)


def test_the_noise_level_is_the_weighted_mean_of_two_scales() -> None:
    full, coarse = torch.rand(1, 1, 16, 24), torch.full((1, 1, 4, 6), 2.0)
    # interpolating a constant is exact but for the rounding of its weights
    torch.testing.assert_close(NoiseLevels(full, coarse).combined(), 0.2 * full + 0.8 * 2.0)


@pytest.mark.parametrize("name", ["AINDNet", "AINDNet, folded"])
def test_the_noise_levels_have_the_sizes_and_the_unit_they_say(name: str) -> None:
    network, noisy = aindnet(name), torch.rand(2, 1, 32, 48)
    levels, scaled = (network.noise_levels(network.whole_frame(a * noisy)) for a in (1, 4))
    assert levels.full.shape == (2, 1, 32 // network.fold, 48 // network.fold)
    assert levels.coarse.shape == (2, 1, 32 // network.fold // 4, 48 // network.fold // 4)
    assert torch.equal(scaled.full, 4 * levels.full)
    assert torch.equal(scaled.coarse, 4 * levels.coarse)


def test_a_block_adds_to_what_it_is_given() -> None:
    """With gamma = -1 and beta = 0 nothing is left of the normalised branch."""
    block = next(module for module in aindnet().modules() if isinstance(module, AdaptiveBlock))
    for norm in block.norms:
        for conv, value in ((norm.gamma, -1.0), (norm.beta, 0.0)):
            conv.weight.zero_()
            conv.bias.fill_(value)
    features, level = torch.randn(1, 4, 12, 16), torch.rand(1, 1, 12, 16)
    assert torch.equal(block(features, level), features)


def test_the_full_noise_level_sees_detail_past_the_pooling() -> None:
    """Whatever comes up from below silenced, it still differs from pixel to pixel."""
    estimator = aindnet().estimator
    for conv in estimator.up:
        conv.weight.zero_()
        conv.bias.zero_()
    full = estimator(torch.rand(1, 2, 16, 16)).full
    neighbours = full.unfold(2, 2, 2).unfold(3, 2, 2)
    assert float(neighbours.std(dim=(-2, -1)).min()) > 0


def test_of_a_large_frame_the_middle_1024_px_say_how_it_is_normalised() -> None:
    """So a change in them is felt everywhere, and one outside of them nowhere but near it."""
    network, frame = aindnet(), torch.rand(1232, 24)
    before, far = predict(network, frame), slice(600, 632)
    for row, is_felt in ((20, False), (1210, False), (150, True), (1080, True)):
        changed = frame.clone()
        changed[row : row + 4] += 20
        assert torch.equal(predict(network, changed)[far], before[far]) != is_felt


def test_the_statistics_of_an_image_are_given_back() -> None:
    network, noisy = aindnet(), torch.rand(1, 1, 40, 44)
    before, other = network(noisy), network.whole_frame(2 + torch.rand(1, 1, 40, 44))
    with pytest.raises(ZeroDivisionError), network.as_parts_of(other):  # noqa: PT012 - the error comes from inside
        assert not torch.equal(network(noisy), before)
        raise ZeroDivisionError
    assert torch.equal(network(noisy), before)


@pytest.mark.parametrize("frame", [torch.zeros(24, 30), torch.full((24, 30), 7.0)])
def test_a_flat_frame_stays_flat(frame: torch.Tensor) -> None:
    denoised = aindnet()(frame[None, None])
    # rounding of the local mean, some 2**-23 of the value, and the smallest deviation, 1e-6, times what a network gives
    torch.testing.assert_close(denoised[0, 0], frame, rtol=1e-4, atol=1e-4)


def test_small_options_make_a_small_network() -> None:
    small = build_network("aindnet", width=32, blocks=1, condition_width=32, fold=2)
    assert 4 * sum(weight.numel() for weight in small.parameters()) < 6e6


def test_a_bias_moves_the_output() -> None:
    network = make("dncnn")
    assert not torch.allclose(network(torch.zeros(1, 1, 16, 16)), torch.zeros(1, 1, 16, 16))


def test_bfloat16_rounds_and_no_more(network: Network) -> None:
    noisy = torch.rand(1, 1, 40, 40)
    exact = network(noisy)
    network.compute_dtype = torch.bfloat16
    rounded = network(noisy)
    assert rounded.dtype == torch.float32
    # 2**-9 is half a unit in the last place of bfloat16; each layer rounds its input, filters and output once, at random
    layers = sum(1 for parameter in network.parameters() if parameter.ndim == 4)
    tolerance = 6 * 2**-9 * (3 * layers) ** 0.5 * exact.std()
    assert (rounded - exact).square().mean().sqrt() < tolerance


def test_windows_that_do_not_overlap_by_half_are_refused() -> None:
    with pytest.raises(ModelError, match="bragg_px is 12.*multiple of 16"):
        build_network("unet", bragg_px=12)


def test_an_unknown_architecture_or_option_is_refused() -> None:
    with pytest.raises(ModelError, match="transformer.*blindspot-unet"):
        build_network("transformer")
    with pytest.raises(ModelError, match="does not take.*heads"):
        build_network("dncnn", heads=3)


def test_the_second_task_tells_the_noisy_image_from_the_first_ones_result() -> None:
    """The auxiliary head sees the clean image and the residual and nothing else; the mask sees the noisy image alone."""
    network = make("multi-task")
    assert isinstance(network, MultiTaskNetwork)
    noisy = torch.rand(1, 1, 24, 29)
    tasks = network.tasks(noisy)
    assert torch.equal(tasks.clean, network(noisy))
    assert all(image.shape == noisy.shape for image in tasks)
    assert (tasks.mask > 0).all()
    assert (tasks.mask < 1).all()
    for weight in network.primary.parameters():
        weight.zero_()  # then the clean image is the local mean
    idle = network.tasks(noisy)
    torch.testing.assert_close(
        idle.clean, local_mean(pad_to_multiple(noisy, network.stride), network.stride)[..., :24, :29]
    )
    assert torch.equal(idle.mask, tasks.mask)
    assert not torch.equal(idle.noisy_again, tasks.noisy_again)
