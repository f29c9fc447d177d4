"""A network of the user's own stands in the list after it was added, or is refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from napari_gaintune.errors import ModelError
from napari_gaintune.models.additions import add_model, parse_options
from napari_gaintune.models.catalogue import USER_FOLDER_VARIABLE, list_models, load_denoiser, user_folder

from .test_catalogue import saved
from .test_networks import SMALL, make

ARCHITECTURE, OPTIONS = SMALL["dncnn"]
TOLD: dict[str, Any] = {"architecture": ARCHITECTURE, "options": OPTIONS, "intensity_unit": "unit"}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "mine"))
    return tmp_path / "mine"


def weights_file(folder: Path, name: str = "my-net", kind: str = "dncnn") -> Path:
    file = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in make(kind).state_dict().items()}, file)
    return file


def test_an_added_model_is_listed_and_loaded_by_its_name(tmp_path: Path) -> None:
    before = [card.name for card in list_models()]
    card = add_model(weights_file(tmp_path), TOLD | {"dose_range_e_per_px": (0.5, 2.0)})
    assert [card.name for card in list_models()] == [*before, "my-net"]
    assert (card.intensity_unit, card.dose_range_e_per_px, card.modality) == ("unit", (0.5, 2.0), "any")
    noisy = torch.rand(1, 1, 30, 40)
    assert torch.equal(load_denoiser("my-net").network(noisy), make("dncnn")(noisy))


@pytest.mark.parametrize("kind", SMALL)
def test_a_card_beside_the_file_tells_everything_but_what_is_told_otherwise(kind: str, tmp_path: Path) -> None:
    file = saved(tmp_path, kind)
    assert add_model(file, {}).name == "small"
    card = add_model(file, {"name": "smaller", "modality": "STEM"})
    assert (card.name, card.modality, card.architecture) == ("smaller", "STEM", SMALL[kind][0])
    assert load_denoiser("smaller").card == card


def test_a_name_is_given_once(tmp_path: Path) -> None:
    file = weights_file(tmp_path)
    first = add_model(file, TOLD)
    with pytest.raises(ModelError, match="'my-net' is in your list already"):
        add_model(file, TOLD)
    assert add_model(file, TOLD | {"modality": "TEM"}, overwrite=True).modality != first.modality
    for name, message in (("unet-hrtem", "comes with the program"), ("../x", "make a name"), ("auto", "is taken")):
        with pytest.raises(ModelError, match=message):
            add_model(file, TOLD | {"name": name}, overwrite=True)


def test_what_cannot_be_used_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    file, broken = weights_file(tmp_path), tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    (tmp_path / "net.pt").write_bytes(b"")
    damaged = weights_file(tmp_path, "damaged")
    save_file({k: torch.full(v.shape, float("nan")) for k, v in make("dncnn").state_dict().items()}, damaged)
    for path, told, message in (
        (file, {}, "its architecture is not known"),
        (file, {"architecture": "dncnn"}, "its intensity_unit is not known"),
        (file, TOLD | {"options": {"depth": 4}}, "do not fit dncnn"),
        (file, TOLD | {"architecture": "transformer"}, "'transformer' is unknown"),
        (file, TOLD | {"intensity_unit": "photons"}, "intensity_unit = 'photons'"),
        (broken, TOLD, "not a readable safetensors file"),
        (tmp_path / "net.pt", TOLD, "a pickle .* runs code"),
        (damaged, TOLD, "gives NaN"),
        (tmp_path / "absent.safetensors", TOLD, "not a readable"),
    ):
        with pytest.raises(ModelError, match=message):
            add_model(path, told)
    assert not user_folder().exists()


def test_options_are_whole_numbers_and_truths() -> None:
    assert parse_options(["width=32", "bias=false", "guided=True"]) == {"width": 32, "bias": False, "guided": True}
    for wrong in ("width", "width=", "width=wide", "width=1.5"):
        with pytest.raises(ModelError, match="write NAME=VALUE"):
            parse_options([wrong])
