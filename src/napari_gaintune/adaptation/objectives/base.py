"""What every objective is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from torch import Generator, Tensor

Denoise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Crop:
    """A batch of crops, each (b, 1, h, w), in the model's unit.

    ``targets`` (bool) are the pixels whose error may count; ``pseudo_clean`` is what the untouched network made of the
    frame, for the objectives that ask for it.
    """

    noisy: Tensor
    targets: Tensor
    pseudo_clean: Tensor | None = None


@dataclass(frozen=True)
class PixelLoss:
    """The objective pixel by pixel, (b, 1, h, w), and which pixels count."""

    values: Tensor
    counted: Tensor

    def mean(self) -> Tensor:
        """The objective: the mean over the counted pixels, a scalar."""
        counted = self.counted.to(self.values.dtype)
        return (self.values * counted).sum() / counted.sum().clamp_min(1)


class JudgesItself:
    """An objective that looks at the frame: on pixels held out of it, it tells a better state from a worse one."""

    @property
    def judge(self) -> Self:
        return self


class Objective(Protocol):
    """A loss computed from the noisy image alone.

    ``generator`` (on the CPU) is the only source of chance: the same state gives the same loss, which is how two states
    of a network are compared on held-out pixels. With ``every_target`` all targets are counted, not a drawn part of them.
    ``repr`` is what recipes keep of it: the class and the noise it takes for granted.
    """

    @property
    def name(self) -> str: ...

    @property
    def needs_pseudo_clean(self) -> bool: ...

    @property
    def judge(self) -> Objective:
        """What states are judged by: the objective itself, on held-out pixels, or another one, on all of them."""
        ...

    def pixel_loss(
        self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False
    ) -> PixelLoss: ...
