"""What a TorchScript program is like, found by trying it: its reach, its period, its multiple, and whether it is blind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import ImageError, ModelError
from .networks.program import ProgramNetwork

MULTIPLES = (1, 2, 4, 8, 16, 32)
LONGEST_PERIOD_PX = 32
SIDES_PX = (96, 192, 384, 768)  # of the frames in which the reach is looked for, multiples of the longest period
SIZES_FROM_PX = 64
SAME = 1e-4  # of the output's range: roundings of another order of sums are smaller, another phase of pooling is larger
SCALES = (
    1.0,
    20.0,
)  # of the random frames: grey values and counts, so that what a rectifier shuts in one is open in other


@dataclass(frozen=True)
class Measured:
    """What a ProgramNetwork is built with; px."""

    receptive_field_radius: int
    stride: int
    is_blind: bool
    multiple: int


def measure_program(program: torch.jit.ScriptModule, name: str) -> Measured:
    """Try ``program`` on random frames; some seconds for a small network, minutes for a large one.

    The reach and what is blind are read from gradients, at each place of a period, and confirmed by changing pixels.
    Raises ModelError, with the reason, for one that takes no frames of any size, gives another shape, is not repeatable,
    lets no gradient through, looks farther than the largest frame tried shows, or whose result depends on where in the
    frame a pixel lies.
    """
    smallest = _multiple(program, name)
    trial = _Trial(program, name, Measured(0, smallest, False, smallest))
    trial.check_repeatable()
    trial = trial.knowing(receptive_field_radius=trial.reach(smallest))
    trial.check_reach()  # what depends on all of the frame has no period either, and this is the better reason
    trial = _with_period(trial)
    trial = trial.knowing(receptive_field_radius=trial.reach(trial.measured.stride))
    trial.check_reach()
    return replace(trial.measured, is_blind=trial.is_blind())


def _multiple(program: torch.jit.ScriptModule, name: str) -> int:
    reason = ""
    for multiple in MULTIPLES:
        network = ProgramNetwork(program, receptive_field_radius=0, stride=1, is_blind=False, multiple=multiple)
        first = SIZES_FROM_PX // multiple
        shapes = [((first + k) * multiple, (first + k + 1) * multiple) for k in (0, 2, 5, 8)]
        wrong = [problem for problem in (_problem(network, shape) for shape in shapes) if problem]
        if not wrong:
            return multiple
        reason = wrong[0]
    raise ModelError(
        f"{name}: takes no frames whose sides are any multiples of {MULTIPLES[-1]} px ({reason}); save a network that takes "
        "(b, 1, h, w) float32 of any h and w, and gives the same: one that was traced may need torch.jit.script"
    )


def _with_period(trial: _Trial) -> _Trial:
    """With the smallest multiple at which there is a period; what interpolates may take all sizes and stretch in some."""
    for multiple in MULTIPLES[MULTIPLES.index(trial.measured.multiple) :]:
        padding = trial.knowing(multiple=multiple)
        if period := padding.period():
            return padding.knowing(stride=period)
    raise ModelError(
        f"{trial.name}: a frame shifted by up to {LONGEST_PERIOD_PX} px gives another result, not the same one shifted; "
        "frames are denoised in tiles, which would show: save a network whose result does not depend on the place"
    )


def _problem(network: ProgramNetwork, shape: tuple[int, int]) -> str:
    """Why a frame of that shape cannot be denoised, "" where it can."""
    noisy = _frame(1, *shape)
    try:
        with torch.no_grad():
            denoised = network(noisy)
    except (ImageError, TypeError, AttributeError, NotImplementedError) as error:
        return str(error)
    if denoised.dtype != torch.float32:
        return f"its result is {denoised.dtype}"
    return "" if denoised.isfinite().all() else f"NaN or infinite values for {shape[0]} x {shape[1]} px"


@dataclass(frozen=True)
class _Trial:
    program: torch.jit.ScriptModule
    name: str
    measured: Measured

    @property
    def network(self) -> ProgramNetwork:
        known = self.measured
        return ProgramNetwork(
            self.program, receptive_field_radius=known.receptive_field_radius, stride=known.stride,
            is_blind=known.is_blind, multiple=known.multiple,
        )  # fmt: skip

    def knowing(self, **found: Any) -> _Trial:
        return replace(self, measured=replace(self.measured, **found))

    def check_repeatable(self) -> None:
        """Same frame, same bits."""
        noisy = _frame(SCALES[0], SIZES_FROM_PX, SIZES_FROM_PX)
        if not torch.equal(self._denoised(noisy), self._denoised(noisy)):
            raise ModelError(
                f"{self.name}: gives another result for the same frame; save it after eval(), without dropout or noise"
            )

    def reach(self, places: int) -> int:
        """The farthest input pixel, along an axis, that moves one of ``places`` pixels in the middle of a frame."""
        for side in SIDES_PX:
            reaches = [self._reach(side, place, scale) for scale in SCALES for place in range(places)]
            if None not in reaches:
                return max(reach for reach in reaches if reach is not None)
        raise ModelError(
            f"{self.name}: a pixel of the result depends on all of a frame of {SIDES_PX[-1]} px; frames are denoised in "
            "tiles, and whole-frame statistics, such as a mean over the frame or an instance norm, would leave seams; save "
            "a network without them"
        )

    def _reach(self, side: int, place: int, scale: float) -> int | None:
        """None where it comes to the frame's edge, and may go beyond it."""
        centre = side // 2 + place - LONGEST_PERIOD_PX // 2
        moved = self._gradient(_frame(scale, side, side), [(centre, centre)])[0].nonzero()
        if not len(moved):
            raise ModelError(f"{self.name}: its result does not depend on the frame, or lets no gradient through to it")
        return None if moved.min() == 0 or moved.max() == side - 1 else int((moved - centre).abs().max())

    def _gradient(self, noisy: Tensor, pixels: list[tuple[int, int]]) -> list[Tensor]:
        """Of each of those pixels of the result with respect to the frame, (h, w)."""
        noisy.requires_grad_()
        denoised = self.network(noisy)
        if not denoised.requires_grad:
            raise ModelError(
                f"{self.name}: lets no gradient through from result to frame (no_grad or detach), so that it cannot be "
                "adapted; save it without"
            )
        return [torch.autograd.grad(denoised[0, 0, y, x], noisy, retain_graph=True)[0][0, 0] for y, x in pixels]

    def period(self) -> int:
        """The smallest shift of the frame that shifts the result and does nothing else, in multiples; 0 for none."""
        multiple = self.measured.multiple
        for shift in range(multiple, LONGEST_PERIOD_PX + 1, multiple):
            if self._shifts_by(shift, 0) and self._shifts_by(shift, multiple):
                return shift
        return 0

    def _shifts_by(self, shift: int, more: int) -> bool:
        """In a frame of even sides that are ``more`` px longer."""
        margin = self.measured.receptive_field_radius + LONGEST_PERIOD_PX
        side = 2 * margin + 3 * LONGEST_PERIOD_PX
        side += -side % LONGEST_PERIOD_PX + more
        noisy = _frame(SCALES[0], side, side)
        whole = self._denoised(noisy)
        lower, right = self._denoised(noisy[..., shift:, :]), self._denoised(noisy[..., shift:])
        inner = slice(margin, margin + 2 * LONGEST_PERIOD_PX)
        seen = slice(inner.start + shift, inner.stop + shift)
        same_below = _is_same(lower[..., inner, inner], whole[..., seen, inner])
        return same_below and _is_same(right[..., inner, inner], whole[..., inner, seen])

    def check_reach(self) -> None:
        """What lies outside of the reach may not matter, whether a gradient tells of it or not."""
        radius, period = self.measured.receptive_field_radius, self.measured.stride
        side = 2 * radius + 3 * LONGEST_PERIOD_PX
        block = slice(radius + LONGEST_PERIOD_PX, radius + LONGEST_PERIOD_PX + period)
        within = slice(block.start - radius, block.stop + radius)
        noisy, other = _frame(SCALES[0], side, side), _frame(SCALES[1], side, side)
        other[..., within, within] = noisy[..., within, within]
        if not _is_same(self._denoised(other)[..., block, block], self._denoised(noisy)[..., block, block]):
            raise ModelError(
                f"{self.name}: pixels more than {radius} px away change its result without a gradient that would tell; "
                "save a network without statistics of the whole frame, rounding or detach"
            )

    def is_blind(self) -> bool:
        """Whether no pixel of the result depends on the frame's pixel at its place, in the middle and at the edges."""
        side = (
            2 * (self.measured.receptive_field_radius // 2) + LONGEST_PERIOD_PX + 1
        )  # odd: repeated pixels count, too
        middle = [side // 2 + place for place in range(self.measured.stride)]
        places = [0, 1, *middle, side - 2, side - 1]
        pixels = [(y, x) for y in places for x in places]
        for scale in SCALES:
            noisy = _frame(scale, side, side)
            for start in range(0, len(pixels), len(places)):
                row = pixels[start : start + len(places)]
                if any(gradient[pixel] != 0 for gradient, pixel in zip(self._gradient(noisy, row), row, strict=True)):
                    return False
        return self._is_deaf(_frame(SCALES[0], side, side), [(place, place) for place in places])

    def _is_deaf(self, noisy: Tensor, pixels: list[tuple[int, int]]) -> bool:
        """Whether the result stays at each pixel when that pixel of the frame is changed."""
        before = self._denoised(noisy)
        for y, x in pixels:
            changed = noisy.clone()
            changed[0, 0, y, x] += SCALES[1]
            if self._denoised(changed)[0, 0, y, x] != before[0, 0, y, x]:
                return False
        return True

    def _denoised(self, noisy: Tensor) -> Tensor:
        with torch.no_grad():
            denoised: Tensor = self.network(noisy)
        return denoised


def _frame(scale: float, height: int, width: int) -> Tensor:
    """The same for the same size: a program added twice gets the same card."""
    generator = torch.Generator().manual_seed(height * 10_000 + width)
    return scale * torch.rand(1, 1, height, width, generator=generator)


def _is_same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= SAME * (other.max() - other.min()))
