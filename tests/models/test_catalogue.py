"""Models are loaded as their cards say, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from napari_gaintune.errors import ModelError
from napari_gaintune.models.catalogue import WEIGHTS_FOLDER, list_models, load_denoiser, load_network, save_model
from napari_gaintune.models.networks import build_network

from ..pipeline.conftest import small_model
from .test_networks import SMALL, make

FIELDS = {"modality": "test", "trained_on": "nothing", "objective": "none", "recipe": "none", "licence": "BSD-3-Clause"}


def saved(folder: Path, kind: str = "dncnn") -> Path:
    architecture, options = SMALL[kind]
    save_model(make(kind), {**FIELDS, "name": "small", "architecture": architecture, "options": options}, folder)
    return folder / "small.safetensors"


@pytest.mark.parametrize("kind", SMALL)
def test_a_saved_model_loads_bit_identical(tmp_path: Path, kind: str) -> None:
    denoiser = load_denoiser(saved(tmp_path, kind))
    noisy = torch.rand(1, 1, 30, 40)
    assert torch.equal(denoiser.network(noisy), make(kind)(noisy))
    assert not any(parameter.requires_grad for parameter in denoiser.network.parameters())
    assert [card.name for card in list_models(tmp_path)] == ["small"]


@pytest.mark.parametrize("name", [card.name for card in list_models() if card.architecture.startswith("blindspot")])
def test_a_shipped_blind_spot_model_is_blind_after_its_training(name: str) -> None:
    """At the precision it was trained in and at full precision, on counts of every dose that it knows."""
    network = load_denoiser(name).network
    for dose, dtype in ((0.1, torch.float32), (0.45, torch.bfloat16), (10.0, torch.float32)):
        network.compute_dtype = dtype
        noisy = torch.poisson(torch.full((1, 1, 150, 131), dose), generator=torch.Generator().manual_seed(1))
        denoised = network(noisy.requires_grad_())
        for y, x in ((0, 0), (149, 130), (0, 130), (77, 64), (78, 64), (31, 97), (148, 5)):
            (gradient,) = torch.autograd.grad(denoised[0, 0, y, x], noisy, retain_graph=True)
            assert gradient[0, 0, y, x].item() == 0
            assert gradient.abs().sum() > 0


def test_one_flipped_bit_in_the_weights_is_noticed(tmp_path: Path) -> None:
    weights = saved(tmp_path)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256.*damaged"):
        load_denoiser(weights)


def test_weights_that_do_not_fit_the_architecture_are_refused(tmp_path: Path) -> None:
    weights = saved(tmp_path)
    card = json.loads(weights.with_suffix(".json").read_text())
    card["options"]["width"] = 7
    weights.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="do not fit dncnn"):
        load_denoiser(weights)


@pytest.mark.parametrize("card", ["", "{}", '{"name": "x"', "[1, 2]"])
def test_a_broken_card_is_refused(tmp_path: Path, card: str) -> None:
    weights = saved(tmp_path)
    weights.with_suffix(".json").write_text(card)
    with pytest.raises(ModelError, match=r"small.json: not a readable model card"):
        load_denoiser(weights)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    import hashlib
    import pickle  # noqa: TID251 - to show that it is refused

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "exploded",))  # type: ignore[return-value]

    weights = saved(tmp_path)
    weights.write_bytes(pickle.dumps(Bomb()))
    card = json.loads(weights.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_denoiser(weights)
    assert not (tmp_path / "exploded").exists()


def test_unknown_names_and_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'no-such-model' is unknown; there are .*blindspot-hrtem"):
        load_denoiser("no-such-model")
    with pytest.raises(ModelError, match="no such file"):
        load_denoiser(tmp_path / "absent.safetensors")


def test_missing_weights_are_named() -> None:
    with pytest.raises(ModelError, match="do not fit"):
        load_network("dncnn", {"depth": 5}, build_network("dncnn", depth=4).state_dict(), "short")


@pytest.mark.parametrize("card", list_models(), ids=lambda card: card.name)
def test_every_shipped_model_matches_its_card(card: object) -> None:
    from napari_gaintune.models.card import ModelCard

    assert isinstance(card, ModelCard)
    weights = WEIGHTS_FOLDER / f"{card.name}.safetensors"
    denoiser = load_denoiser(card.name)
    assert weights.stat().st_size <= 6_000_000
    assert denoiser.network(torch.full((1, 1, 64, 64), 0.45)).isfinite().all()


def test_the_first_models_are_shipped() -> None:
    assert {"blindspot-hrtem", "dncnn-hrtem"} <= {card.name for card in list_models()}


def test_a_model_is_written_over_a_card_that_cannot_be_read_and_no_other_file_goes(tmp_path: Path) -> None:
    """A training of hours must not end at what lies in its folder."""
    weights = Path(small_model(tmp_path, "dncnn"))
    weights.with_suffix(".json").write_text("no card")
    program = weights.with_suffix(".torchscript")
    program.write_text("mine")
    assert load_denoiser(small_model(tmp_path, "dncnn")).card.name == "small"
    assert program.read_text() == "mine"
