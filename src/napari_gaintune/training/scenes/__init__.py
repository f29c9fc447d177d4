"""Kinds of scenes to simulate; a new kind is a class with ``kind`` and ``draw``, and its place in ``AnyScene``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Drawn, Scene
from .hrtem import HrtemScene
from .natural import NaturalScene, PiecewiseScene
from .stem import StemScene
from .tem import TemScene

AnyScene = Annotated[HrtemScene | StemScene | TemScene | NaturalScene | PiecewiseScene, Field(discriminator="kind")]

__all__ = ["AnyScene", "Drawn", "HrtemScene", "NaturalScene", "PiecewiseScene", "Scene", "StemScene", "TemScene"]
