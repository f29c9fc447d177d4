"""Meta-learning of a network with two tasks: it learns to be adapted by its second one (Gunawan et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call

from ..errors import SettingError
from ..models.networks import MultiTaskNetwork, Network
from .losses import Compared, reconstruction_error, weighted
from .recipe import LossName, MetaRecipe, TrainingRecipe

Weights = dict[str, Tensor]
SMALLEST_SQUARE = 1e-24  # of a gradient, on average, that a step is scaled by: a crop without a count has none


def check_meta(recipe: TrainingRecipe, network: Network) -> None:
    """Raises SettingError where meta-learning is not for this network."""
    if recipe.meta is not None and not isinstance(network, MultiTaskNetwork):
        raise SettingError(
            f"meta is not for a {type(network).__name__}, which has one task; leave it out of the recipe"
        )


def meta_backward(given: Compared, recipe: TrainingRecipe, step: int) -> Tensor:
    """Leave the gradients of ``step`` in the network of ``given``; returns what was lowered, a scalar.

    ``given.denoised`` is not looked at. Before ``transfer_from`` most steps are of both tasks, in which the mask
    stays, and one in ``mask_every`` is the mask's. From there on every step is one of meta-transfer learning.
    """
    network, meta = given.network, recipe.meta
    assert isinstance(network, MultiTaskNetwork)  # what check_meta is for
    assert meta is not None
    if recipe.transfers(step):
        loss = weighted(first_task(recipe.losses), replace(given, denoised=adapted(network, given, meta)))
        loss.backward()  # type: ignore[no-untyped-call]
    elif (step + 1) % meta.mask_every:
        loss = weighted(recipe.losses, replace(given, denoised=network.local(given.prepared)))
        loss.backward()  # type: ignore[no-untyped-call]
    else:
        loss = look_ahead(network, given, recipe.losses, meta)
        masks = list(network.mask.parameters())
        for weight, gradient in zip(masks, torch.autograd.grad(loss, masks), strict=True):
            weight.grad = gradient
    return loss


def look_ahead(
    network: MultiTaskNetwork, given: Compared, losses: Mapping[LossName, float], meta: MetaRecipe
) -> Tensor:
    """The first task's error after one step of descent on both tasks under the mask, a scalar that depends on the mask.

    Gunawan 2022, algorithm 1, with ``edge_weight`` times eq. 3 added. The step is as long as one of the adaptation.
    """
    noisy = given.prepared
    weights: Weights = {name: value for name, value in network.named_parameters() if not name.startswith("mask.")}
    mask = network.mask(noisy)
    denoised = network.local(noisy)
    again = network.auxiliary(network.second_input(denoised, noisy))
    first = weighted(first_task(losses), replace(given, denoised=denoised))
    both = first + losses["second-task"] * reconstruction_error(again, noisy, mask, given.divisor)
    answer: Tensor = functional_call(network, _stepped(both, weights, meta.inner_rate), (noisy,))
    return weighted(first_task(losses), replace(given, denoised=answer)) + meta.edge_weight * edge_error(mask, noisy)


def adapted(network: MultiTaskNetwork, given: Compared, meta: MetaRecipe) -> Tensor:
    """The clean images after ``inner_steps`` steps of the heads on each crop alone, (b, 1, h, w), with their whole graph.

    Gunawan 2022, algorithm 2: what is lowered in the steps is the masked reconstruction, and gradients of second order go
    through them to the body, the heads' start and the mask. A step moves each tensor of weights by ``inner_rate`` (root
    mean square) whatever the size of its gradient, as Adam's first steps do in an adaptation: so doses count alike.
    """
    features, base = network.features(given.prepared)
    masks = network.mask(given.prepared)
    parts = zip(*(part.split(1) for part in (features, base, given.prepared, masks, given.divisor)), strict=True)
    return torch.cat([_adapted_to_one(network, meta, *part) for part in parts])


def _adapted_to_one(
    network: MultiTaskNetwork, meta: MetaRecipe, features: Tensor, base: Tensor, noisy: Tensor, mask: Tensor,
    divisor: Tensor,
) -> Tensor:  # fmt: skip
    heads: Weights = dict(network.primary.named_parameters(prefix="primary"))
    heads |= dict(network.auxiliary.named_parameters(prefix="auxiliary"))
    for _ in range(meta.inner_steps):
        clean = network.clean(functional_call(network.primary, _of("primary", heads), (features,)), base)
        again = functional_call(network.auxiliary, _of("auxiliary", heads), (network.second_input(clean, noisy),))
        heads = _stepped(reconstruction_error(again, noisy, mask, divisor), heads, meta.inner_rate)
    return network.clean(functional_call(network.primary, _of("primary", heads), (features,)), base)


def _of(part: str, weights: Weights) -> Weights:
    return {name.removeprefix(f"{part}."): weight for name, weight in weights.items() if name.startswith(f"{part}.")}


def _stepped(error: Tensor, weights: Weights, rate: float) -> Weights:
    """One step of descent that moves each tensor by ``rate`` (root mean square), and can be differentiated."""
    gradients = torch.autograd.grad(error, list(weights.values()), create_graph=True)
    return {
        name: weight - rate * gradient / gradient.square().mean().clamp_min(SMALLEST_SQUARE).sqrt()
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


def edge_error(mask: Tensor, noisy: Tensor) -> Tensor:
    """The mean difference of the gradients of the mask and of the noisy images, these at most 1 (Gunawan 2022, eq. 3)."""
    scaled = noisy / noisy.amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(noisy.dtype).tiny)
    difference = mask - scaled
    return difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()


def first_task(losses: Mapping[LossName, float]) -> dict[LossName, float]:
    """Those that are of the image."""
    return {name: weight for name, weight in losses.items() if name != "second-task"}
