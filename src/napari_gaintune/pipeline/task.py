"""What an adaptation goes by, and what it learns from: the objective, and frames with what it wants beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from ..adaptation.config import ObjectiveName
from ..adaptation.crops import Frames
from ..adaptation.loop import CROP_MARGIN_PX
from ..adaptation.objectives import Objective, build_objective
from ..image import FrameSeries
from ..models.denoiser import Denoiser
from .config import DenoiseConfig
from .loading import Loaded
from .nearby import Nearby, is_in_time
from .range_check import correlation_notes, line_notes, other_scene_note
from .situation import Neighbours, situation_of

Look = Callable[[int], Tensor | None]
"""What the network makes of the so-many-th frame, (h, w) in the model's unit on the CPU; None: the job was stopped."""


@dataclass(frozen=True)
class Task:
    """An objective and what it learns from. ``to_do`` is None where nothing can be learned; ``notes`` say why, and more."""

    to_do: tuple[Objective, Frames] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Tasks:
    """How the adaptations of one job are chosen."""

    series: FrameSeries
    config: DenoiseConfig
    denoiser: Denoiser
    binning: int

    @property
    def objectives(self) -> Sequence[ObjectiveName]:
        """In the order in which they are tried.

        Frames that follow one another in time have each its own noise, whatever it is like, so that ``auto`` learns from
        those nearby; where they show another scene, from the one frame.
        """
        is_free = self.config.objective == "auto" and is_in_time(self.series)
        return ("next-frame", "auto") if is_free else (self.config.objective,)

    def of(self, loaded: Sequence[Loaded], look: Look, chance: Generator) -> Task | None:
        """The task of one adaptation to the loaded frames; None: the job was stopped."""
        notes: tuple[str, ...] = ()
        for name in self.objectives:
            first = look(0)
            if first is None:
                return None
            objective, said = self._objective(name, loaded[0], first)
            notes += said
            if objective is None:
                break
            seen = [look(place) for place in range(len(loaded))] if objective.beside != "nothing" else []
            denoised = [image for image in seen if image is not None]
            if len(denoised) < len(seen):
                return None
            frames = self._frames(objective, loaded, denoised, chance)
            if frames is not None:
                return Task((objective, frames), notes)
            notes += (other_scene_note(is_kept=name == self.objectives[-1]),)
        return Task(None, notes)

    def _objective(
        self, name: ObjectiveName, first: Loaded, denoised: Tensor
    ) -> tuple[Objective | None, tuple[str, ...]]:
        """What to tune by, None for nothing, from a frame and what the network makes of it, and what to say of that."""
        per_unit = first.scale.per_unit * self.binning  # a mean over binning**2 pixels has that much less noise
        neighbours = Neighbours.of(first.noisy, denoised)
        objective = build_objective(name, situation_of(first.noisy, per_unit, neighbours, self.config, self.denoiser))
        if objective.beside == "frames nearby":
            return objective, ()  # their noise is another
        if neighbours.share_lines and name == "auto":
            return None, tuple(line_notes(neighbours, is_kept=True))
        return objective, (*correlation_notes(neighbours, objective), *line_notes(neighbours, is_kept=False))

    def _frames(
        self, objective: Objective, loaded: Sequence[Loaded], denoised: Sequence[Tensor], chance: Generator
    ) -> Frames | None:
        """The frames with what the objective asks for beside them; None where there is none that can be learned from."""
        noisy = [frame.noisy for frame in loaded]
        if objective.beside != "frames nearby":
            return Frames.build(noisy, denoised if objective.beside == "pseudo-clean" else None, CROP_MARGIN_PX, chance)
        near = Nearby(self.series, self.config.nearby_frames, self.binning)
        found = [near.of(one.index, one.scale, one.noisy, image) for one, image in zip(loaded, denoised, strict=True)]
        usable = [(frame, shown) for frame, shown in zip(noisy, found, strict=True) if shown is not None]
        if not usable:
            return None
        return Frames.of_one_place([one for one, _ in usable], [one for _, one in usable], CROP_MARGIN_PX, chance)
