"""The loop: Adam on what may move, one small report a step, best so far at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .config import AdaptationConfig
from .crops import Frames, crop_size
from .objectives import Crop, Objective
from .parameters import Handle, State, step_size
from .step_size import PACES
from .stopping import STOPPING

VALIDATE_EVERY = 10
CROP_MARGIN_PX = 16


@dataclass(frozen=True)
class Step:
    """One step: ``loss`` on its crops, ``change`` on held-out pixels against the start (None: not judged here).

    ``cut_short``: it was the last, because of ``stop``.
    """

    step: int
    loss: float | None
    change: float | None
    best_step: int
    cut_short: bool = False


def adapt(
    handle: Handle,
    frames: Frames,
    objective: Objective,
    config: AdaptationConfig,
    generator: Generator,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Adapt ``handle`` to ``frames``; yields after every step, and first a step 0.

    Adam's steps m / sqrt(v) are short by the root of the signal's share already, down to a floor of noise; by another root
    they become the sign of the gradient times that share (Balles and Hennig 2018). The first step only listens.
    What is judged, and left in the handle at the end, is an average over the last iterates, as many as the stopping rule
    says (Polyak and Juditsky 1992): single iterates wander with the noise of their crops. While the loop is suspended in a
    yield the handle holds that average, so that a preview shows what is judged; in the last one it holds what is kept.
    ``stop`` is read every step; stopped, the last step is told of once more, with what is kept.
    """
    device = handle.movable[0].device
    size_px = crop_size(config.crop_size_px, handle.network)
    # in a crop smaller than the network looks at in a frame, harm to the frame cannot be seen
    judged_px = max(size_px, crop_size(0, handle.network))
    crops = frames.validation_crops(judged_px, generator, device, held_out=objective.looks_at_frame)
    rule = STOPPING[config.stopping]
    best = rule.build(objective, crops, handle, generator, config.patience)
    optimiser, share = torch.optim.Adam(handle.movable), PACES[config.pace]()
    learning_rate = step_size(config.parameters, config.learning_rate)
    average = RunningAverage(handle.state(), rule.averaged_steps)
    judged = step = 0
    loss = change = None
    yield Step(0, None, 0.0, 0)
    while not (is_done := step >= config.steps or best.is_over(step)) and not stop():
        step += 1
        handle.load(average.iterate)
        crop = frames.random_crops(size_px, config.crops_per_step, generator, device, handle.network.fold)
        optimiser.zero_grad(set_to_none=True)
        loss = _backward(handle, objective.at(step / config.steps), crop, generator)
        clear = share.update([moved.grad for moved in handle.movable if moved.grad is not None])
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * clear**0.5
        optimiser.step()
        average.update(handle.state())
        handle.load(average.state)
        change = None
        if step % VALIDATE_EVERY == 0 or step == config.steps or best.is_over(step):
            change, judged = best.consider(step, average.state), step
        if step < config.steps:
            yield Step(step, loss, change, best.step)
    if judged < step:  # stopped between two judgements
        change = best.consider(step, average.state)
    if step:
        best.confirm()
        handle.load(best.state)
    if step or not is_done:
        yield Step(step, loss, change, best.step, cut_short=not is_done)


class RunningAverage:
    """Exponential average of iterates, without the bias towards the first one."""

    def __init__(self, start: State, steps: int) -> None:
        self.iterate = start
        self.state = start
        self._keep = 1 - 1 / steps
        self._sum = [torch.zeros_like(value) for value in start]
        self._weight = 0.0

    def update(self, iterate: State) -> None:
        keep = self._keep
        self.iterate = iterate
        self._weight = keep * self._weight + 1 - keep
        self._sum = [keep * total + (1 - keep) * value for total, value in zip(self._sum, iterate, strict=True)]
        self.state = [total / self._weight for total in self._sum]


def _backward(handle: Handle, objective: Objective, crop: Crop, generator: Generator) -> float:
    loss: Tensor = objective.pixel_loss(handle.network, handle.placed(crop), generator).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())
