"""What may move, by name. The denoiser is borrowed: within ``tuned`` some of it moves, after it nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from weakref import WeakSet

from ...errors import SettingError
from ...models.denoiser import Denoiser
from ...models.networks import Network
from .gains import channel_gains, merge
from .handle import Handle, Shapes, State, no_layers
from .offset import input_offset
from .weights import NO_WEIGHTS, ain, all_weights, first_layer, heads, last_layer


@dataclass(frozen=True)
class Choice:
    """What may move: how it is lent, and Adam's step size where none is given.

    ``of_frame``: what moves belongs to the frames it was adapted to and serves no other.
    """

    lend: Callable[[Network, Shapes], AbstractContextManager[Handle]]
    learning_rate: float
    of_frame: bool = False


# The rate of the gains is that of decision 005. Restore-from-Restored states 1e-5 for all weights (Lee 2020), LAN 5e-4 for
# the offset (Kim 2024); for single layers no paper has one, and they are weights like the others. For AINDNet (Kim 2020)
# none is stated: a little more for what was made to be moved. That of the heads is what recipes train them for.
PARAMETERS: dict[str, Choice] = {
    "channel-gains": Choice(channel_gains, 4e-2),
    "all-weights": Choice(all_weights, 1e-5),
    "first-layer": Choice(first_layer, 1e-5),
    "last-layer": Choice(last_layer, 1e-5),
    "heads": Choice(heads, 5e-4),
    "ain": Choice(ain, 1e-4),
    "input-offset": Choice(input_offset, 5e-4, of_frame=True),
}

_lent: WeakSet[Network] = WeakSet()


@contextmanager
def tuned(denoiser: Denoiser, parameters: str = "channel-gains", shapes: Shapes = ()) -> Iterator[Handle]:
    """Borrow ``denoiser`` with some of its parameters free to move, for frames of the given (h, w).

    At the start the output is bit-identical to the pre-trained one; after the block, also after an error in it, the
    network is as it was. Raises SettingError for an unknown choice of parameters, or if the denoiser is already lent.
    """
    choice, network = choice_of(parameters), denoiser.network
    if network in _lent:
        raise SettingError("this denoiser is already being adapted; load it a second time for a second adaptation")
    _lent.add(network)
    try:
        with choice.lend(network, shapes) as handle:
            yield handle
    finally:
        _lent.discard(network)


def choice_of(parameters: str) -> Choice:
    """What ``PARAMETERS`` has by that name. Raises SettingError for an unknown one."""
    if parameters not in PARAMETERS:
        raise SettingError(f"parameters {parameters!r} are unknown; there are {', '.join(PARAMETERS)}")
    return PARAMETERS[parameters]


def step_size(parameters: str, wished: float) -> float:
    """Adam's step size: the one wished for, or, for 0, the choice's own."""
    return wished or choice_of(parameters).learning_rate


__all__ = [
    "NO_WEIGHTS",
    "PARAMETERS",
    "Choice",
    "Handle",
    "State",
    "choice_of",
    "merge",
    "no_layers",
    "step_size",
    "tuned",
]
