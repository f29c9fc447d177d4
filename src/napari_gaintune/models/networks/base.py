"""What every denoising network has: its reach, its pooling step, and the precision it computes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..layers import Conv2d


class Network(nn.Module):
    """A denoiser (b, 1, h, w) float32 -> (b, 1, h, w) float32, for any height and width.

    ``receptive_field_radius`` is the farthest an input pixel can be from an output pixel that it changes, in px along
    an axis; ``stride`` the period in px with which the network is shift-equivariant (2**levels with pooling, else 1);
    ``frame_window_px`` is the side of the windows in which ``whole_frame`` looks at the frame, 0 where it does not;
    ``fold`` is the side of the squares of pixels that it gives as channels of one, 1 where it gives pixels one by one;
    ``is_blind`` says that an output pixel never depends on the input pixel at its own place. ``compute_dtype`` bfloat16
    computes the inner layers in bfloat16, channels last; input, output and weights stay float32.
    """

    receptive_field_radius: int
    stride: int = 1
    fold: int = 1
    is_blind: bool = False
    frame_window_px: int = 0
    compute_dtype: torch.dtype = torch.float32

    def whole_frame(self, noisy: Tensor) -> Tensor:
        """What depends on all of the frame at once: (b, 1, h, w) -> (b, c, h, w), as ``local`` takes it."""
        return noisy

    def local(self, prepared: Tensor) -> Tensor:
        """The rest: an output pixel depends on what was prepared within ``receptive_field_radius`` of it."""
        raise NotImplementedError

    @contextmanager
    def as_parts_of(self, prepared: Tensor) -> Iterator[None]:
        """Within it ``local`` takes what it is given for tiles of one image, (1, c, h, w), prepared by ``whole_frame``."""
        yield

    @property
    def first_layer(self) -> Conv2d:
        """The convolution that sees the frame first, of those in ``local``."""
        raise NotImplementedError

    @property
    def last_layer(self) -> Conv2d:
        """The convolution that gives the result."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    @property
    def has_layers(self) -> bool:
        """Whether its convolutions are ours: they can have channel gains, and a first and a last one are known."""
        return True

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """The primary and the auxiliary head of a network that has two tasks; none of another."""
        return ()

    @property
    def noise_parts(self) -> tuple[nn.Module, ...]:
        """What a transfer to another noise moves in a network with adaptive normalisation; nothing in another."""
        return ()

    @property
    def aside(self) -> tuple[nn.Module, ...]:
        """Parts that the denoised image does not pass through, or whose channel gains cannot change it."""
        return ()

    @property
    def trained(self) -> Network:
        """The part that learns in a training; what it gives is compared with ``part_of`` the truth."""
        return self

    def part_of(self, image: Tensor) -> Tensor:
        """The pixels of an image that this network gives: all of them."""
        return image

    def forward(self, noisy: Tensor) -> Tensor:
        return self.local(self.whole_frame(noisy))

    def inner(self, x: Tensor) -> Tensor:
        """The input as the inner layers take it."""
        return x.to(self.compute_dtype, memory_format=torch.channels_last)
