"""The check on the command line, of a real series and what was made of it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from napari_gaintune.cli.main import main

SERIES = str(files("napari_gaintune.examples") / "co_zno_40frames.ome.tif")


def test_a_denoised_frame_is_checked_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, picture = tmp_path / "frame.ome.tif", tmp_path / "frame.png"
    assert main(["denoise", SERIES, "-o", str(result), "--model", "dncnn-hrtem", "--steps", "0", "--frames", "5"]) == 0
    capsys.readouterr()
    asked = ["check", SERIES, str(result), "--picture", str(picture)]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frame"] == 5
    assert found["other_frames"] == 25  # 5 before it, and the 20 after it that are looked at
    assert found["upsnr_db"]["low"] < found["upsnr_db"]["mean"] < found["upsnr_db"]["high"]
    # 27.8 dB against the truth of this frame; the limits of one field are some 0.9 dB on either side
    assert found["upsnr_db"]["mean"] == pytest.approx(27.8, abs=2)
    assert len(found["columns"]) == len(found["columns_here"]) > 50
    assert {"place_px", "log_likelihood_ratio", "is_invented"} <= set(found["columns"][0])
    assert picture.stat().st_size > 10_000
    assert main(asked) == 2  # the picture is there
    assert "exists already" in capsys.readouterr().err
    assert main([*asked, "--overwrite"]) == 0
    page = capsys.readouterr().out
    assert "uPSNR" in page
    assert "columns of atoms" in page


def test_without_a_gain_it_asks_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", SERIES, SERIES]) == 2
    assert "give the detector gain" in capsys.readouterr().err
    # nothing was taken away: there is no residual
    assert main(["check", SERIES, SERIES, "--detector-gain", "1"]) == 2
    assert "no noise found" in capsys.readouterr().err
