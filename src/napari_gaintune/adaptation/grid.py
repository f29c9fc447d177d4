"""The grid of what may move, objective and network: which of its cells make no sense, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import GaintuneError, SettingError
from ..models.networks import Network
from .config import AdaptationConfig, NoiseName, ObjectiveName
from .objectives import Situation, build_objective
from .parameters import NO_WEIGHTS, choice_of, no_layers


@dataclass(frozen=True)
class Cell:
    """One adaptation that is asked for; ``shared``: one state is to serve frames it was not adapted to.

    ``has_layers``: the network's layers are known one by one; ``has_weights``: it has weights that can move.
    """

    parameters: str = "channel-gains"
    objective: ObjectiveName = "auto"
    noise: NoiseName = "auto"
    is_blind: bool = False
    has_heads: bool = False
    has_ain: bool = False
    intensity_unit: str = "electrons"
    shared: bool = False
    has_layers: bool = True
    has_weights: bool = True

    @classmethod
    def of(cls, network: Network, intensity_unit: str, config: AdaptationConfig, shared: bool) -> Cell:
        """What ``config`` asks of ``network``, which computes in that unit."""
        return cls(
            config.parameters,
            config.objective,
            config.noise,
            network.is_blind,
            bool(network.heads),
            bool(network.noise_parts),
            intensity_unit,
            shared,
            network.has_layers,
            any(True for _ in network.parameters()),
        )


def of_one_frame(cell: Cell) -> str:
    """What belongs to the pixels of a frame cannot serve another one."""
    if not (cell.shared and choice_of(cell.parameters).of_frame):
        return ""
    return (
        f"parameters = {cell.parameters!r} with series = 'shared': what moves belongs to one frame and cannot serve the "
        "others; choose series episodic, or other parameters"
    )


def of_own_pixels(cell: Cell) -> str:
    """An offset for each pixel would be what the neighbours' average shows there, and no denoising."""
    if not (cell.objective == "next-frame" and choice_of(cell.parameters).of_frame):
        return ""
    return (
        f"parameters = {cell.parameters!r} with objective = 'next-frame': each pixel would learn the average of the frames "
        "nearby by heart; choose another objective, or parameters channel-gains"
    )


def blind_by_make(cell: Cell) -> str:
    """A network that sees its own pixel learns to copy it when it is asked to predict it."""
    if cell.objective != "blind-spot-architectural" or cell.is_blind:
        return ""
    return (
        "objective = 'blind-spot-architectural' with a model that sees the pixel it predicts: it would learn to copy the "
        "noise; choose blind-spot-masked, or a blindspot model"
    )


def two_tasks(cell: Cell) -> str:
    """Heads, and what they are compared by, belong to a network with two tasks."""
    if cell.has_heads or not (cell.parameters == "heads" or cell.objective == "masked-reconstruction"):
        return ""
    return (
        f"parameters = {cell.parameters!r}, objective = {cell.objective!r}: this model has one task, and no heads for a "
        "second; choose a model of architecture multi-task, or another method"
    )


def adaptive_normalisation(cell: Cell) -> str:
    """What a transfer moves belongs to a network that normalises by the noise level."""
    if cell.has_ain or cell.parameters != "ain":
        return ""
    return (
        "parameters = 'ain': this model has no adaptive instance normalisation and no noise-level estimator; choose a "
        "model of architecture aindnet, or other parameters"
    )


def layers_of_ours(cell: Cell) -> str:
    """Gains, and the first and the last layer, are those of layers that can be told apart."""
    needs_layers = cell.parameters in ("channel-gains", "first-layer", "last-layer")
    return no_layers(cell.parameters) if needs_layers and not cell.has_layers else ""


def weights_that_move(cell: Cell) -> str:
    """A frozen program has none."""
    return NO_WEIGHTS if cell.parameters == "all-weights" and not cell.has_weights else ""


def noise_that_can_be(cell: Cell) -> str:
    """Some noises mean nothing in some units; the objective itself says so."""
    try:
        build_objective(cell.objective, Situation(cell.is_blind, cell.intensity_unit, cell.noise, noise_sd=1.0))
    except GaintuneError as error:
        return str(error)
    return ""


RULES: tuple[Callable[[Cell], str], ...] = (
    of_one_frame,
    of_own_pixels,
    blind_by_make,
    two_tasks,
    adaptive_normalisation,
    layers_of_ours,
    weights_that_move,
    noise_that_can_be,
)


def check_cell(cell: Cell) -> None:
    """Raises SettingError, with the value, the rule and the cure, for a cell that makes no sense."""
    for rule in RULES:
        if reason := rule(cell):
            raise SettingError(reason)
