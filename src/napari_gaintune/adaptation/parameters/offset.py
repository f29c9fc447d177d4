"""An offset added to the noisy input; the network stays as it is (Kim et al. 2024, LAN)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from ...errors import SettingError
from ...models.networks import Network
from ..objectives.base import Crop
from .handle import Handle, Shapes


class InputOffset(Handle):
    """phi of each frame, (h, w), all 0; the network is shown y + tanh(phi), in the model's unit.

    What an objective compares with stays y as it was measured: a target that may move has its least loss where it is flat.
    """

    def placed(self, crop: Crop) -> Crop:
        cut = [self.movable[window.frame][window.rows, window.columns] for window in crop.windows]
        return replace(crop, offset=torch.stack(cut)[:, None].tanh())

    def seen(self, frame: Tensor, index: int = 0) -> Tensor:
        return frame + self.movable[index].detach().tanh().to(frame.device)

    def merged(self) -> Network:
        raise SettingError(
            "parameters = 'input-offset': the offset belongs to one frame and is no part of the network, so that it cannot "
            "be merged; save the adapted state instead"
        )


@contextmanager
def input_offset(network: Network, shapes: Shapes = ()) -> Iterator[InputOffset]:
    """An offset for every pixel of every frame, of the given (h, w)."""
    if not shapes:
        raise SettingError("parameters = 'input-offset' belong to frames; give the frames' shapes, (h, w) each")
    offsets = {
        f"frame {index}": torch.zeros(shape, device=network.device, requires_grad=True)
        for index, shape in enumerate(shapes)
    }
    yield InputOffset(network, offsets)
