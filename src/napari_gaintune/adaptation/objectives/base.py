"""What every objective is given and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, Self

from torch import Generator, Tensor

Denoise = Callable[[Tensor], Tensor]
Beside = Literal["nothing", "pseudo-clean", "frames nearby"]  # what a crop's second image is to be


class Window(NamedTuple):
    """Where a crop was cut: which of the frames, and where in it."""

    frame: int
    rows: slice
    columns: slice


@dataclass(frozen=True)
class Crop:
    """A batch of crops, each (b, 1, h, w), in the model's unit.

    ``targets`` (bool) are the pixels whose error may count; ``pseudo_clean`` is what the untouched network made of the
    frame, or what other frames show there (NaN where it is not known), for the objectives that ask for it. ``windows``
    are the b places the crops come from, and ``offset`` (b, 1, h, w) is what the network is shown on top of an image
    there, where the adaptation has such a thing.
    """

    noisy: Tensor
    targets: Tensor
    pseudo_clean: Tensor | None = None
    windows: Sequence[Window] = ()
    offset: Tensor | None = None

    def shown(self, image: Tensor) -> Tensor:
        """An image of this crop, (b, 1, h, w), or several of them one after the other, as the network is to see it."""
        if self.offset is None:
            return image
        return image + self.offset.repeat(len(image) // len(self.offset), 1, 1, 1)


@dataclass(frozen=True)
class PixelLoss:
    """The objective pixel by pixel, (b, 1, h, w), and which pixels count."""

    values: Tensor
    counted: Tensor

    def mean(self) -> Tensor:
        """The objective: the mean over the counted pixels, a scalar."""
        counted = self.counted.to(self.values.dtype)
        return (self.values * counted).sum() / counted.sum().clamp_min(1)


class Steady:
    """An objective that is the same from the first step to the last, and content with the one frame."""

    beside: ClassVar[Beside] = "nothing"

    def at(self, progress: float) -> Self:
        return self


class JudgesItself(Steady):
    """An objective that looks at the frame: on pixels held out of it, it tells a better state from a worse one."""

    looks_at_frame = True

    @property
    def judge(self) -> Self:
        return self


class Objective(Protocol):
    """A loss computed from the noisy image alone.

    ``generator`` (on the CPU) is the only source of chance: the same state gives the same loss, which is how two states
    of a network are compared on held-out pixels. Whatever the network is given passes
    through ``crop.shown``. With ``every_target`` all targets are counted, not a drawn part of them.
    ``repr`` is what recipes keep of it: the class and the noise it takes for granted.
    """

    @property
    def name(self) -> str: ...

    @property
    def beside(self) -> Beside: ...

    @property
    def judge(self) -> Objective:
        """What states are judged by: the objective itself, or another one."""
        ...

    @property
    def looks_at_frame(self) -> bool:
        """Whether it learns from the frame's own pixels, so that states must be judged on others, held out of it."""
        ...

    def at(self, progress: float) -> Objective:
        """The objective as it is where ``progress`` of the steps, 0 to 1, are done: some have a schedule."""
        ...

    def pixel_loss(
        self, denoise: Denoise, crop: Crop, generator: Generator, every_target: bool = False
    ) -> PixelLoss: ...
