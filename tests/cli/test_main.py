"""The program as a whole: help, version, entry points, command lines that are not understood."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from napari_gaintune.cli.main import main
from napari_gaintune.pipeline.config import DenoiseConfig


def words(text: str) -> str:
    """Text without the frames and line breaks of the help page."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("arguments", [["--help"], ["denoise", "--help"], ["models", "-h"], ["demo", "--help"]])
def test_help_comes_without_heavy_libraries(arguments: list[str]) -> None:
    code = """
        import json, sys
        from napari_gaintune.cli.main import main
        code = main(sys.argv[1:])
        print(json.dumps(sorted(sys.modules)))
        sys.exit(code)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *page, modules = done.stdout.splitlines()
    assert "Usage: napari-gaintune" in "\n".join(page)
    heavy = {"torch", "scipy", "skimage", "tifffile", "dask", "napari", "qtpy", "PIL"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in json.loads(modules))


def test_every_setting_is_a_flag_with_its_default_and_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["denoise", "--help"]) == 0
    page = words(capsys.readouterr().out)
    for name, field in DenoiseConfig.model_fields.items():
        assert f"--{name.replace('_', '-')} " in page
        assert words(field.description or "no description") in page, name
    assert f"[default: {DenoiseConfig().steps}]" in page
    assert "[default: 0, estimated]" in page
    assert "[choices: auto, poisson, gaussian, poisson-gaussian, unknown]" in page
    assert "--no-overwrite" not in page
    assert "False" not in page


def test_version_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("napari-gaintune")


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    page = capsys.readouterr().out
    assert all(name in page for name in ("denoise", "models", "demo"))


def test_module_and_console_script_are_one_program(repository: Path) -> None:
    (script,) = entry_points(group="console_scripts", name="napari-gaintune")
    assert script.load() is main
    done = subprocess.run(
        [sys.executable, "-m", "napari_gaintune", "denoise", "--stepz", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "--stepz" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["denoize", "a.tif"], ["denoize", "denoise"]),
        (["denoise"], ["IMAGE"]),
        (["denoise", "a.tif"], ["--output is missing"]),
        (["denoise", "a.tif", "b.tif", "-o", "c.tif"], ["error: b.tif: ", "given as their folder"]),
        (["denoise", "a.tif", "-o"], ["-o needs a value"]),
        (["denoise", "a.tif", "-o", "b.tif", "--stpes", "3"], ["--stpes", "--steps"]),
        (["denoise", "a.tif", "-o", "b.tif", "--steps", "-1"], ["--steps -1", "greater than or equal to 0"]),
        (["denoise", "a.tif", "-o", "b.tif", "--steps", "many"], ["--steps many", "integer"]),
        (["denoise", "a.tif", "-o", "b.tif", "--learning-rate", "2"], ["--learning-rate 2", "less than or equal to 1"]),
        (["denoise", "a.tif", "-o", "b.tif", "--objective", "magic"], ["--objective magic", "'sure'"]),
        (["denoise", "a.tif", "-o", "b.tif", "--steps", "1", "--steps", "2"], ["--steps"]),
        (["denoise", "a.tif", "-o", "b.tif", "--dataset", "x"], ["--dataset", "x"]),
        (["models", "extra"], ["extra"]),
        (["demo", "--output"], ["--output needs a value"]),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert all(part in printed.err for part in said), printed.err


def test_a_console_without_the_letters_still_lists_the_models() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "napari_gaintune", "models"],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"DOSE e?/px" in done.stdout
