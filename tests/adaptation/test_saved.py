"""A state that was saved is the state, and nothing but what belongs to the model is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from napari_gaintune.adaptation.parameters import tuned
from napari_gaintune.adaptation.saved import SavedState
from napari_gaintune.errors import ModelError, SettingError
from napari_gaintune.models.denoiser import Denoiser

from ..models.test_networks import make
from .test_parameters import CARD, CELLS, move, shown


@pytest.mark.parametrize(("kind", "parameters"), CELLS)
def test_a_saved_state_comes_back_bit_for_bit(kind: str, parameters: str, tmp_path: Path) -> None:
    noisy, path = torch.rand(1, 1, 24, 24), tmp_path / "state.safetensors"
    with tuned(Denoiser(CARD, make(kind)), parameters, [(24, 24)]) as handle:
        move(handle, noisy)
        path.write_bytes(SavedState.of(handle, parameters, CARD).content())
        moved = shown(handle, noisy).detach()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    read = SavedState.read(path)
    read.check(parameters, CARD)
    with tuned(Denoiser(CARD, make(kind)), parameters, [(24, 24)]) as handle:
        read.put_into(handle)
        assert torch.equal(shown(handle, noisy).detach(), moved)
        assert SavedState.of(handle, parameters, CARD).sha256 == read.sha256
        handle.reset()
        assert SavedState.of(handle, parameters, CARD).sha256 != read.sha256


def test_gains_are_some_kilobytes(tmp_path: Path) -> None:
    from napari_gaintune.models.networks import build_network

    network = build_network("dncnn", depth=20, width=64)
    with tuned(Denoiser(CARD, network)) as handle:
        (tmp_path / "gains.safetensors").write_bytes(SavedState.of(handle, "channel-gains", CARD).content())
    numbers = 19 * 64 + 1
    assert 4 * numbers < (tmp_path / "gains.safetensors").stat().st_size < 4 * numbers + 4096


def test_a_state_of_another_model_or_of_other_parameters_is_refused() -> None:
    with tuned(Denoiser(CARD, make("dncnn"))) as handle:
        state = SavedState.of(handle, "channel-gains", CARD)
    with pytest.raises(SettingError, match="belongs to small .*the model is other .*choose that model"):
        state.check("channel-gains", CARD.model_copy(update={"name": "other", "sha256": "f" * 64}))
    with pytest.raises(SettingError, match="one of 'channel-gains', and parameters = 'all-weights'"):
        state.check("all-weights", CARD)


def test_a_state_of_other_shapes_is_refused_and_changes_nothing() -> None:
    with tuned(Denoiser(CARD, make("dncnn")), "input-offset", [(24, 24)]) as handle:
        state = SavedState.of(handle, "input-offset", CARD)
    with tuned(Denoiser(CARD, make("dncnn")), "input-offset", [(24, 30)]) as handle:
        before = handle.state()
        with pytest.raises(ModelError, match="frame 0 is 24 x 24 in it and 24 x 30 here"):
            state.put_into(handle)
        assert all(torch.equal(a, b) for a, b in zip(handle.state(), before, strict=True))


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a readable adapted state"):
        SavedState.read(tmp_path / "absent.safetensors")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not at all")
    with pytest.raises(ModelError, match="not a readable adapted state"):
        SavedState.read(other)
    safetensors.torch.save_file({"weight": torch.ones(2)}, other)
    with pytest.raises(ModelError, match="holds no adapted state"):
        SavedState.read(other)
