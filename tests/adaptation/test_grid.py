"""Which cells of the grid are let through, and why the others are not."""

from __future__ import annotations

from typing import get_args

import pytest

from napari_gaintune.adaptation.config import NoiseName, ObjectiveName
from napari_gaintune.adaptation.grid import Cell, check_cell
from napari_gaintune.adaptation.objectives import NOISES, OBJECTIVES
from napari_gaintune.adaptation.parameters import PARAMETERS
from napari_gaintune.errors import SettingError

from .test_objectives import objectives_of


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Cell(objective="blind-spot-architectural"), "would learn to copy the noise; choose blind-spot-masked"),
        (
            Cell(objective="sure", noise="poisson-gaussian", intensity_unit="unit"),
            "'poisson-gaussian'.*'unit'.*gaussian",
        ),
        (Cell(objective="restored", noise="unknown"), "'unknown'.*counts electrons.*choose noise poisson"),
        (Cell(parameters="heads"), "one task.*choose a model of architecture multi-task"),
        (Cell(parameters="ain"), "no adaptive instance normalisation.*choose a model of architecture aindnet"),
        (Cell(has_layers=False), "'channel-gains'.*layers cannot be told apart.*--method lan"),
        (Cell("first-layer", has_layers=False), "'first-layer'.*choose --parameters all-weights"),
        (Cell("last-layer", has_layers=False), "'last-layer'.*choose --parameters all-weights"),
        (Cell("all-weights", has_layers=False, has_weights=False), "constants; choose --method lan"),
        (Cell(objective="masked-reconstruction"), "one task.*choose a model of architecture multi-task"),
        (Cell(parameters="input-offset", shared=True), "'input-offset' with series = 'shared'"),
        (Cell(parameters="input-offset", objective="next-frame"), "'input-offset'.*by heart; choose another objective"),
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
            if (parameters, name) == ("input-offset", "next-frame"):
                continue  # each pixel would learn the target by heart: refused above
            for unit in ("electrons", "unit"):
                check_cell(Cell(parameters, name, is_blind=True, has_heads=True, has_ain=True, intensity_unit=unit))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("unit", ["electrons", "unit"])
def test_a_noise_is_that_of_the_models_unit(noise: NoiseName, unit: str) -> None:
    """Counting needs counts; levels drawn of a grey range mean nothing in them; SURE of an unknown level draws none."""
    makes_sense = {"poisson": ("electrons",), "poisson-gaussian": ("electrons",), "unknown": ("unit",)}
    for objective in ("resampling", "restored") if noise == "unknown" else ("sure", "resampling", "restored"):
        cell = Cell(objective=objective, noise=noise, intensity_unit=unit)  # type: ignore[arg-type]
        if unit in makes_sense.get(noise, (unit,)):
            check_cell(cell)
        else:
            with pytest.raises(SettingError, match=f"'{noise}'.*choose"):
                check_cell(cell)


def test_which_objectives_a_network_takes() -> None:
    assert "masked-reconstruction" in objectives_of("multi-task")
    assert "blind-spot-architectural" in objectives_of("blind-spot, 2 poolings")
    assert set(OBJECTIVES) - set(objectives_of("dncnn")) == {"masked-reconstruction", "blind-spot-architectural"}
