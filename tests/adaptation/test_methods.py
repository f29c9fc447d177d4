"""Named methods, and the ways to walk and to stop that they choose among."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from napari_gaintune.adaptation.config import AdaptationConfig, checked
from napari_gaintune.adaptation.grid import Cell, check_cell
from napari_gaintune.adaptation.methods import METHODS
from napari_gaintune.adaptation.parameters import merge
from napari_gaintune.adaptation.step_size import PACES
from napari_gaintune.adaptation.stopping import STOPPING
from napari_gaintune.errors import SettingError
from napari_gaintune.models.networks import Network

from ..models.test_networks import make
from .test_loop import noisy_frame, run

FIELDS = AdaptationConfig.model_fields


@pytest.mark.parametrize(("field", "table"), [("method", METHODS), ("pace", PACES), ("stopping", STOPPING)])
def test_every_entry_can_be_asked_for(field: str, table: dict[str, Any]) -> None:
    assert set(get_args(FIELDS[field].annotation)) == set(table)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_its_settings_where_none_are_given(method: str) -> None:
    config = checked(AdaptationConfig, {"method": method})
    for name, value in METHODS[method].items():
        assert getattr(config, name) == value
    assert METHODS[method].keys() == METHODS["gaintuning"].keys()  # so that one method leaves nothing of another's
    mine = checked(AdaptationConfig, {"method": method, "steps": 7, "objective": "sure"})
    assert (mine.steps, mine.objective, mine.parameters) == (7, "sure", config.parameters)
    assert AdaptationConfig(**config.model_dump()) == config
    check_cell(Cell(config.parameters, config.objective, has_heads=True, has_ain=True))


def test_the_default_is_gaintuning_and_an_unknown_method_is_refused() -> None:
    assert METHODS["gaintuning"] == {name: FIELDS[name].default for name in METHODS["gaintuning"]}
    with pytest.raises(SettingError, match="method = 'magic'.*gaintuning"):
        checked(AdaptationConfig, {"method": "magic"})


@pytest.fixture(scope="module")
def settled() -> Network:
    """A network that is right for the frame already: hard steps only make it worse."""
    state, _, _ = run(make("dncnn"), "sure", noisy_frame(), steps=400, crop_size_px=60, learning_rate=0.1)
    return merge(make("dncnn"), state)


def test_a_fixed_number_keeps_the_last_state_whatever_it_is(settled: Network) -> None:
    """A learning rate that ruins the network: the best state is the start, the last one is not."""
    noisy = noisy_frame()
    harmful = {"steps": 23, "learning_rate": 1.0, "pace": "plain"}
    kept, best, _ = run(settled, "sure", noisy, stopping="best", **harmful)
    last, steps, _ = run(settled, "sure", noisy, stopping="fixed", **harmful)
    assert best[-1].best_step == 0
    assert (steps[-1].step, steps[-1].best_step) == (23, 23)
    assert all(step.change is None for step in steps[1:])  # nothing was judged
    assert not any(torch.equal(a, b) for a, b in zip(kept, last, strict=True))
    assert steps == run(settled, "sure", noisy, stopping="fixed", **harmful)[1]


def test_what_a_fixed_number_keeps_is_the_last_iterate_and_no_average() -> None:
    """One step of plain Adam moves every gain that has a gradient by the learning rate."""
    state, _, _ = run(make("dncnn"), "sure", noisy_frame(), steps=1, stopping="fixed", pace="plain", learning_rate=0.01)
    moved = torch.cat([(gain - 1).abs() for gain in state])
    torch.testing.assert_close(moved[moved > 0], torch.full_like(moved[moved > 0], 0.01), rtol=1e-3, atol=0)


@pytest.mark.parametrize("patience", [1, 3, 20, 25])
def test_patience_ends_where_nothing_better_came_for_so_long(patience: int, settled: Network) -> None:
    settings = {"steps": 200, "learning_rate": 1.0, "stopping": "patience", "patience": patience}
    _, steps, _ = run(settled, "sure", noisy_frame(), **settings)
    waited = steps[
        -2
    ]  # the last step of the run, told of before the best state is looked at once more and may be given up
    assert waited.step == steps[-1].step < 200
    assert waited.step - waited.best_step == patience


@pytest.mark.parametrize("patience", [3, 9])
def test_a_short_patience_does_not_end_a_run_that_gets_better(patience: int) -> None:
    """A network three times too strong, which every step mends."""
    network = make("dncnn")
    network.last_layer.weight.mul_(3)
    settings = {"steps": 40, "stopping": "patience", "patience": patience}
    _, steps, _ = run(network, "sure", noisy_frame(), **settings)
    assert steps[-1].best_step > 2 * patience


def test_at_a_plain_pace_the_first_step_is_walked() -> None:
    for pace, walked in (("clear", False), ("plain", True)):
        state, _, _ = run(make("dncnn"), "sure", noisy_frame(), steps=1, stopping="fixed", pace=pace)
        assert any(not torch.equal(gain, torch.ones_like(gain)) for gain in state) == walked
