"""A network of any other architecture, as a TorchScript program: what it is made of is not ours to look into."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import ImageError, ModelError
from ..device import is_memory_error
from ..layers import Conv2d
from .base import Network


class ProgramNetwork(Network):
    """A ``torch.jit.ScriptModule``, (1, 1, h, w) float32 -> (1, 1, h, w) float32, as a network of ours.

    The numbers are those that ``measure_program`` finds. ``multiple``: the program takes sides that are multiples of it;
    to get there the last row and column are repeated. It computes in float32 whatever is wished for, and image by image:
    a traced program may know one batch size only. Its layers cannot be told apart; its weights can be moved.
    """

    place: Tensor

    def __init__(
        self, program: nn.Module, *, receptive_field_radius: int, stride: int, is_blind: bool, multiple: int
    ) -> None:
        super().__init__()
        self.program = program
        self.receptive_field_radius, self.stride = receptive_field_radius, stride
        self.is_blind, self.multiple = is_blind, multiple
        self.register_buffer("place", torch.zeros(()), persistent=False)  # a program may have no weights to tell where

    @property
    def compute_dtype(self) -> torch.dtype:
        """Float32: a program has its own precision."""
        return torch.float32

    @compute_dtype.setter
    def compute_dtype(self, wished: torch.dtype) -> None:
        """Changes nothing."""

    @property
    def device(self) -> torch.device:
        return self.place.device

    @property
    def has_layers(self) -> bool:
        return False

    @property
    def first_layer(self) -> Conv2d:
        raise ModelError("a TorchScript program has no first layer that could be told apart; move all-weights")

    @property
    def last_layer(self) -> Conv2d:
        raise ModelError("a TorchScript program has no last layer that could be told apart; move all-weights")

    def local(self, prepared: Tensor) -> Tensor:
        """Raises ImageError for a size that the program cannot compute, or gives back in another."""
        height, width = prepared.shape[-2:]
        padded = F.pad(prepared, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        try:
            # Unoptimised: the optimiser rewrites a program after its first runs, and the same input would no longer give
            # the same bits.
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                # not by calling the module, which would run its hooks
                out = torch.cat([self.program.forward(image) for image in padded.chunk(len(padded))])
        except RuntimeError as error:
            if is_memory_error(error):
                raise
            reason = str(error).strip().splitlines()[-1]
            raise ImageError(
                f"{height} x {width} px: the program cannot compute them ({reason}); give larger frames or crops, or, on a "
                "GPU, choose device cpu"
            ) from error
        if out.shape != padded.shape:
            raise ImageError(
                f"{height} x {width} px: of {tuple(padded.shape)} the program makes {tuple(out.shape)}; save one that keeps "
                "the shape"
            )
        return out[..., :height, :width]
