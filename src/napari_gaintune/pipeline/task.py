"""What an adaptation goes by, and what it learns from: the objective, and frames with what it wants beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from ..adaptation.config import ObjectiveName
from ..adaptation.crops import Frames
from ..adaptation.loop import CROP_MARGIN_PX
from ..adaptation.objectives import Objective, build_objective
from ..adaptation.parameters import choice_of
from ..image import FrameSeries
from ..models.denoiser import Denoiser
from ..models.prediction import Halt
from .config import DenoiseConfig
from .loading import Loaded
from .nearby import Nearby, is_in_time
from .range_check import correlation_notes, line_notes, other_scene_note
from .situation import Neighbours, situation_of

Look = Callable[[int], Tensor]
"""What the network makes of the so-many-th frame, (h, w) in the model's unit on the CPU; raises where the job is stopped."""


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
        those nearby; where they show another scene, from the one frame. What belongs to the pixels of a frame would be
        painted with what its neighbours show.
        """
        of_frame = choice_of(self.config.parameters).of_frame
        is_free = self.config.objective == "auto" and is_in_time(self.series) and not of_frame
        return ("next-frame", "auto") if is_free else (self.config.objective,)

    def of(self, loaded: Sequence[Loaded], look: Look, chance: Generator, halt: Halt) -> Task:
        """The task of one adaptation to the loaded frames."""
        notes: tuple[str, ...] = ()
        for name in self.objectives:
            objective, said = self._objective(name, loaded[0], look(0))
            notes += said
            if objective is None:
                break
            frames = self._frames(objective, loaded, look, chance, halt)
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
        if neighbours.share_lines and self.config.objective == "auto":
            return None, tuple(line_notes(neighbours, is_kept=True))  # frames nearby may have the same lines
        if objective.beside == "frames nearby":
            return objective, ()  # their noise is another
        return objective, (*correlation_notes(neighbours, objective), *line_notes(neighbours, is_kept=False))

    def _frames(
        self, objective: Objective, loaded: Sequence[Loaded], look: Look, chance: Generator, halt: Halt
    ) -> Frames | None:
        """The frames with what the objective asks for beside them; None where there is none that can be learned from."""
        noisy = [frame.noisy for frame in loaded]
        if objective.beside != "frames nearby":
            wanted = range(len(loaded)) if objective.beside == "pseudo-clean" else ()
            return Frames.build(noisy, [look(place) for place in wanted] or None, CROP_MARGIN_PX, chance)
        near = Nearby(self.series, self.config.nearby_frames, self.binning, halt)
        found = [near.of(one.index, one.scale, one.noisy, look(place)) for place, one in enumerate(loaded)]
        usable = [(frame, shown) for frame, shown in zip(noisy, found, strict=True) if shown is not None]
        if not usable:
            return None
        frames, references = zip(*usable, strict=True)
        learned, judging, every = ([one for one in of if one is not None] for of in zip(*references, strict=True))
        if len(learned) == len(judging) == len(frames):
            return Frames.judged_by(judging, frames, learned, CROP_MARGIN_PX)
        return Frames.of_one_place(frames, every, CROP_MARGIN_PX, chance)
