"""Which cells of the grid are let through, and why the others are not."""

from __future__ import annotations

from typing import get_args

import pytest

from napari_gaintune.adaptation.config import NoiseName, ObjectiveName
from napari_gaintune.adaptation.grid import Cell, check_cell
from napari_gaintune.adaptation.objectives import NOISES, OBJECTIVES
from napari_gaintune.adaptation.parameters import PARAMETERS
from napari_gaintune.errors import SettingError


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Cell(objective="blind-spot-architectural"), "would learn to copy the noise; choose blind-spot-masked"),
        (
            Cell(objective="sure", noise="poisson-gaussian", intensity_unit="unit"),
            "'poisson-gaussian'.*'unit'.*gaussian",
        ),
        (Cell(objective="restored", noise="unknown"), "'unknown'.*counts electrons.*choose noise poisson"),
        (Cell(parameters="input-offset", shared=True), "'input-offset' with series = 'shared'"),
    ],
)
def test_a_cell_that_makes_no_sense_is_refused_with_the_reason(cell: Cell, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_cell(cell)


def test_every_other_cell_is_let_through() -> None:
    assert set(get_args(ObjectiveName)) == set(OBJECTIVES)
    assert set(get_args(NoiseName)) == {"auto", *NOISES}
    for name in get_args(ObjectiveName):
        for parameters in PARAMETERS:
            check_cell(Cell(parameters, name, is_blind=True))
            check_cell(Cell(parameters, name, is_blind=True, intensity_unit="unit"))
