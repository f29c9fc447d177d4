"""When to stop and which state to keep: best so far, judged against the pre-trained start pixel by pixel, or the last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from .crops import VALIDATION_CROPS
from .objectives import Crop, Denoise, Objective
from .parameters import Handle, State

STANDARD_ERRORS = 1.0  # how clearly the kept state must beat the start in the end
CONFIRMING_DRAWS = 4  # more lower the uncertainty little: what is left is the noise of the pixels
OWN_NOISE = 2**0.5  # decision 019: by how much more a judge wanders that knows each pixel by its own noise
CONFIRMING_STREAM = 1  # keeps the chance of the confirmation apart from that of the choice


class Stopping(Protocol):
    """What a run keeps: ``state`` of ``step``."""

    state: State
    step: int

    def consider(self, step: int, state: State) -> float | None:
        """Look at ``state`` and leave it in the handle; returns its change against the start, if it is judged."""
        ...

    def is_over(self, step: int) -> bool:
        """Whether to end the run after ``step``."""
        ...

    def confirm(self) -> None:
        """A last look at what is kept, at the end of the run."""
        ...


class BestState:
    """Keeps the state with the lowest ``objective.judge`` on the pixels of ``crops``, in the end only if clearly better.

    At less than one electron per pixel the noise of the pixels swamps the objective. It is the same noise for every
    state, so states are compared by the pixel-wise difference to the start's loss, in which most of it cancels. Which state
    is lowest is decided with the same draw of chance every time; whether it is better than the start, by fresh ones, since
    of many states some look good by chance. A frame with fewer crops to judge by is judged by more draws.
    """

    def __init__(
        self, objective: Objective, crops: Sequence[Crop], handle: Handle, start: State, generator: Generator
    ) -> None:
        self._judge, self._crops, self._handle, self._start = objective.judge, crops, handle, start
        # what does not look at the frame is judged by SURE on all of its pixels, others by noise they have not seen
        self._spread = 1.0 if objective.looks_at_frame else OWN_NOISE
        self._seed = int(torch.randint(2**62, (1,), generator=generator))
        self._draws = max(1, VALIDATION_CROPS // len(crops))
        self._start_losses = self._losses(start, self._seed, self._draws)
        self.state, self.step, self.change = start, 0, 0.0

    def consider(self, step: int, state: State) -> float:
        """Judge ``state`` and leave it in the handle; returns the mean change against the start."""
        change = float((self._losses(state, self._seed, self._draws) - self._start_losses).mean())
        if change < self.change:
            self.state, self.step, self.change = state, step, change
        return change

    def is_over(self, step: int) -> bool:
        return False

    def confirm(self) -> None:
        """Go back to the start unless what is kept beats it by ``STANDARD_ERRORS`` standard errors under fresh draws."""
        if self.step == 0:
            return
        draws = CONFIRMING_DRAWS * self._draws
        chance = self._seed + CONFIRMING_STREAM
        differences = self._losses(self.state, chance, draws) - self._losses(self._start, chance, draws)
        if not float(differences.mean()) < -STANDARD_ERRORS * self._spread * standard_error(differences):
            self.state, self.step, self.change = self._start, 0, 0.0

    def _losses(self, state: State, seed: int, draws: int) -> Tensor:
        """The objective of ``state`` on every held-out pixel, the mean over draws of chance, 1-D float64 on the CPU."""
        self._handle.load(state)
        generator = Generator().manual_seed(seed)
        with torch.no_grad():
            return torch.cat([self._loss(crop, draws, generator) for crop in self._crops])

    def _loss(self, crop: Crop, draws: int, generator: Generator) -> Tensor:
        losses = []
        denoise, placed = SeenOnce(self._handle.network, len(crop.noisy)), self._handle.placed(crop)
        for _ in range(draws):
            chance = generator.get_state()
            loss = self._judge.pixel_loss(denoise, placed, generator, every_target=True)
            losses.append(loss.values[loss.counted].double().cpu())
            if torch.equal(generator.get_state(), chance):  # nothing was drawn: the next look would be the same
                break
        return torch.stack(losses).mean(dim=0)


def standard_error(differences: Tensor) -> float:
    """Of the mean of what pixels say, 1-D, each taken to be independent of the others.

    They are, where a pixel is judged by noise that the network has not seen: held-out pixels, another frame. SURE judges
    each by its own noise, which the network has seen and spread over the neighbours.
    """
    return float(differences.std()) / math.sqrt(max(1, differences.numel()))


class SeenOnce:
    """A network in one state, for many looks at a crop of ``count`` images: what it makes of the crop is computed once.

    An objective shows it the crop first and then, with it or not, the crop with something drawn by chance.
    """

    def __init__(self, network: Denoise, count: int) -> None:
        self._network, self._count = network, count
        self._shown: Tensor | None = None
        self._answer: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        first, others = images[: self._count], images[self._count :]
        if self._answer is None or self._shown is None or not torch.equal(first, self._shown):
            self._shown, self._answer = first, self._network(first)
        return torch.cat([self._answer, self._network(others)]) if len(others) else self._answer


@dataclass(frozen=True)
class Rule:
    """A way to stop; it keeps an average over about the last ``averaged_steps`` iterates, with 1 the iterate itself."""

    build: Callable[[Objective, Sequence[Crop], Handle, Generator, int], Stopping]
    averaged_steps: int


class PatientBestState(BestState):
    """The best state, and an end of the run ``patience`` steps after it."""

    def __init__(
        self, objective: Objective, crops: Sequence[Crop], handle: Handle, generator: Generator, patience: int
    ) -> None:
        super().__init__(objective, crops, handle, handle.state(), generator)
        self._patience = patience

    def is_over(self, step: int) -> bool:
        return step - self.step >= self._patience


class LastState:
    """A fixed number of steps, whatever comes of them: what the papers other than GainTuning do."""

    def __init__(self, handle: Handle) -> None:
        self.state, self.step = handle.state(), 0

    def consider(self, step: int, state: State) -> float | None:
        self.state, self.step = state, step
        return None

    def is_over(self, step: int) -> bool:
        return False

    def confirm(self) -> None:
        """There is nothing to be sure of."""


AVERAGED_STEPS = 10

STOPPING: dict[str, Rule] = {
    "best": Rule(
        lambda objective, crops, handle, chance, patience: BestState(objective, crops, handle, handle.state(), chance),
        AVERAGED_STEPS,
    ),
    "patience": Rule(PatientBestState, AVERAGED_STEPS),
    "fixed": Rule(lambda objective, crops, handle, chance, patience: LastState(handle), 1),
}
