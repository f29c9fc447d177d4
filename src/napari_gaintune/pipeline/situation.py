"""What a frame and the settings say of the noise, in the model's unit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..adaptation.objectives import Situation
from ..errors import NoiseModelError
from ..models.denoiser import Denoiser
from ..noise.correlation import noise_correlation
from ..noise.level import noise_sd, read_noise_sd
from .config import DenoiseConfig

# Of neighbours, along x or y. What a network leaves of independent noise stayed below 0.012 on simulated frames of 0.1 to
# 10 e-/px; of a real camera it is 0.08, after a point spread of half a pixel 0.26.
CORRELATED_FROM = 0.05
# Of the variance. Under row noise of 0.08 resampling lost up to 3 dB, of 0.26 up to 20: a network that looks for lattices
# finds one in the rows. Under 0.01 it lost 0.2 dB at most; on a real camera, whose rows share below 0.003, it gained.
SHARED_BY_LINES_FROM = 0.03


@dataclass(frozen=True)
class Neighbours:
    """What pixels share of their noise: the correlation of neighbours along x and y; the part that whole lines share.

    That part, of the variance, is the larger one of rows and columns.
    """

    along_x: float = 0.0
    along_y: float = 0.0
    lines: float = 0.0

    @classmethod
    def of(cls, noisy: Tensor, denoised: Tensor) -> Neighbours:
        """From what the network took away of a frame; (h, w) each.

        The scene is gone from it in the main, which no filter would achieve without correlating the noise. Nothing is
        shared where nothing was taken away, or the frame is too small to tell.
        """
        try:
            found = noise_correlation((noisy - denoised).numpy())
        except NoiseModelError:
            return cls()
        return cls(found.along_x[0], found.along_y[0], max(found.shared_by_lines))

    @property
    def are_correlated(self) -> bool:
        """Whether neighbours share so much that they cannot be taken as independent."""
        # a network leaves neighbours of independent noise a little below 0; a camera or a scan shares, above it
        return max(self.along_x, self.along_y) > CORRELATED_FROM

    @property
    def share_lines(self) -> bool:
        """Whether rows or columns share so much that adapting would take them for scene."""
        return self.lines > SHARED_BY_LINES_FROM


def situation_of(
    noisy: Tensor, input_per_unit: float, neighbours: Neighbours, config: DenoiseConfig, denoiser: Denoiser
) -> Situation:
    """The situation of a frame (h, w) in the model's unit; a noise level that was given is one in the input's.

    ``input_per_unit`` is how much of the input's noise level is one of the model's unit.
    """
    given, frame = config.noise_sd / input_per_unit, noisy.numpy()
    return Situation(
        is_blind=denoiser.network.is_blind,
        intensity_unit=denoiser.card.intensity_unit,
        noise=config.noise,
        noise_sd=given or noise_sd(frame),
        compute_dtype=denoiser.network.compute_dtype,
        read_noise_sd=given or read_noise_sd(frame),
        is_correlated=neighbours.are_correlated,
    )
