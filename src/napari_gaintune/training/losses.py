"""What a training lowers, by name; a recipe gives each its weight. A new one is one entry more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from ..errors import SettingError
from ..models.networks import AINDNet, MultiTaskNetwork, Network
from ..models.networks.aindnet import COARSE
from ..models.networks.unet import pad_to_multiple
from .recipe import LossName

ERROR_FLOOR = 3e-4  # of the noise variance: a crop denoised as well as that is good enough
OVERESTIMATE = 0.25  # alpha of eq. 5: a noise level too low costs three times as much as one too high
KNEE = 0.3  # of the noise's standard deviation: below it an absolute error counts as its square does
FULL_SHARE, COARSE_SHARE = 0.2, 0.8  # w_1 and w_4 of eq. 5


@dataclass(frozen=True)
class Compared:
    """What a network made of a batch, beside the truth; (b, 1, h, w) each, float32, in the network's unit.

    ``prepared`` (b, c, h, w) is what ``Network.local`` was given, ``noise_sd`` the standard deviation of the noise at each
    pixel of it, and ``divisor`` (b, 1, 1, 1) the variance that squared errors are divided by.
    """

    network: Network
    prepared: Tensor
    denoised: Tensor
    truth: Tensor
    noise_sd: Tensor
    divisor: Tensor


def log_error(given: Compared) -> Tensor:
    """The mean of log(squared error / noise variance + floor), each crop's own error; a scalar.

    What is averaged is, up to a factor, the crops' PSNR. An error in plain squares would be that of the highest doses and
    the strongest contrasts alone; crops that are nearly flat would count for nothing under it, and for too much without
    the floor.
    """
    errors = (given.denoised - given.truth).square().mean(dim=(1, 2, 3)) / given.divisor.flatten()
    return (errors + ERROR_FLOOR).log().mean()


def absolute_error(given: Compared) -> Tensor:
    """The mean of |error| / noise standard deviation; a scalar (Kim 2020, eq. 6 and 7, there for one range of values)."""
    return ((given.denoised - given.truth).abs() / given.divisor.sqrt()).mean()


def noise_level_error(given: Compared) -> Tensor:
    """The asymmetric squared error of both estimates of the noise level, over the noise variance; a scalar.

    Kim 2020, eq. 5, which has no term of total variation as its model (CBDNet) has: the weight of the coarse estimate
    smooths. Squares of ``fold`` x ``fold`` pixels have the mean of their standard deviations, and so has the coarse one.
    """
    network = given.network
    assert isinstance(network, AINDNet)  # what check_losses is for
    levels = network.noise_levels(pad_to_multiple(given.prepared, network.stride))
    full = F.avg_pool2d(pad_to_multiple(given.noise_sd, network.stride), network.fold)
    coarse = F.avg_pool2d(full, COARSE)
    pairs = ((FULL_SHARE, levels.full - full), (COARSE_SHARE, levels.coarse - coarse))
    return sum(
        (share * (_asymmetric(error) / given.divisor).mean() for share, error in pairs), given.divisor.new_zeros(())
    )


def second_task_error(given: Compared) -> Tensor:
    """Masked reconstruction over the noise's standard deviation, with the mask as it is; a scalar (Gunawan 2022, eq. 2)."""
    network = given.network
    assert isinstance(network, MultiTaskNetwork)  # what check_losses is for
    again = network.auxiliary(network.second_input(given.denoised, given.prepared))
    return reconstruction_error(again, given.prepared, network.mask(given.prepared).detach(), given.divisor)


def reconstruction_error(again: Tensor, noisy: Tensor, mask: Tensor, divisor: Tensor) -> Tensor:
    """The mean of mask |noisy image told again - noisy image| / noise standard deviation, rounded at 0; a scalar.

    |e| has all its curvature in a kink, which gradients of second order do not see, and a step of descent goes where it
    goes by nothing else: without the rounding such gradients have the wrong sign (decision 015).
    """
    error = (again - noisy) / divisor.sqrt()
    return (mask * ((error.square() + KNEE**2).sqrt() - KNEE)).mean()


LOSSES: dict[str, Callable[[Compared], Tensor]] = {
    "log-error": log_error,
    "absolute-error": absolute_error,
    "noise-level": noise_level_error,
    "second-task": second_task_error,
}


def weighted(losses: Mapping[LossName, float], given: Compared) -> Tensor:
    """The sum of the losses by their weights; a scalar."""
    first, *rest = [weight * LOSSES[name](given) for name, weight in losses.items()]
    return sum(rest, first)


def check_losses(losses: Mapping[LossName, float], network: Network) -> None:
    """Raises SettingError where one is not for this network."""
    if "noise-level" in losses and not isinstance(network, AINDNet):
        raise SettingError(
            f"losses: 'noise-level' is not for a {type(network).__name__}, which estimates none; leave it out of the recipe"
        )
    if "second-task" in losses and not isinstance(network, MultiTaskNetwork):
        raise SettingError(
            f"losses: 'second-task' is not for a {type(network).__name__}, which has none; leave it out of the recipe"
        )


def _asymmetric(error: Tensor) -> Tensor:
    """|alpha - 1(error < 0)| error**2, elementwise."""
    return (OVERESTIMATE - (error < 0).to(error.dtype)).abs() * error.square()
