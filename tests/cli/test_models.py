"""The list of models, for people and for programs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from napari_gaintune.cli.main import main
from napari_gaintune.models.catalogue import WEIGHTS_FOLDER


def test_json_lists_every_card_and_hashes_are_those_of_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    printed = capsys.readouterr()
    cards = json.loads(printed.out)
    assert printed.err == ""
    assert [card["name"] for card in cards] == sorted(path.stem for path in WEIGHTS_FOLDER.glob("*.json"))
    for card in cards:
        assert {"name", "architecture", "sha256", "modality", "licence"} <= set(card)
        weights = WEIGHTS_FOLDER / f"{card['name']}.safetensors"
        assert hashlib.sha256(weights.read_bytes()).hexdigest() == card["sha256"]


def test_the_table_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("NAME")
    assert all(path.stem in page for path in WEIGHTS_FOLDER.glob("*.json"))


def test_a_table_row_shows_the_limits_of_use(tiny_model: Path) -> None:
    from napari_gaintune.cli.models import table
    from napari_gaintune.models.catalogue import read_card

    card = read_card(tiny_model.with_suffix(".json"))
    limited = card.model_copy(update={"dose_range_e_per_px": (0.1, 20.0), "name": "other"})
    header, row, other = table([card, limited]).splitlines()[:3]
    assert row.split() == ["tiny", "none", "any", "any", "dncnn", card.sha256[:12]]
    assert other.index("0.1 to 20") == header.index("DOSE")


def test_a_name_shows_its_card_with_the_doses_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "unet-hrtem"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "unet-hrtem: unet, HRTEM"
    assert [line.split(" e⁻/px")[0] for line in lines if "flat mean" in line] == ["0.1", "0.45", "2", "10"]


def test_the_list_says_how_far_a_model_is_ahead_of_a_blur(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    figures = next(c["validation"] for c in json.loads(capsys.readouterr().out) if c["name"] == "unet-stem")
    assert main(["models"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("unet-stem"))
    ahead = figures["0.45 e⁻/px, network"] - figures["0.45 e⁻/px, best Gaussian blur"]
    assert float(row.split()[-1]) == pytest.approx(ahead, abs=0.051)


def test_a_mistyped_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "unet-htem"]) == 2
    assert "did you mean unet-hrtem?" in capsys.readouterr().err
