"""The package as a whole: what importing it loads, what installing it brings, what napari reads of it."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from importlib.metadata import distribution, packages_distributions, requires, version
from pathlib import Path

import npe2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import napari_gaintune

QT_BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}
SCREEN = ["napari", "vispy", "magicgui", "superqt", "qtpy", "pyqtgraph", "PyQt5", "PyQt6", "PySide2", "PySide6"]
GPL = ["abtem", "ase", "hyperspy", "rsciio"]


def run_python(code: str, *arguments: str) -> str:
    """Standard output of ``code`` in a fresh interpreter; fails with its standard error."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def direct(name: str, extras: Iterable[str]) -> list[Requirement]:
    """What the installed distribution ``name[extras]`` asks for on this platform."""
    requirements = map(Requirement, requires(name) or [])
    return [r for r in requirements if not r.marker or any(r.marker.evaluate({"extra": e}) for e in ("", *extras))]


def closure(root: str, extras: set[str]) -> set[str]:
    """Canonical names of all distributions that ``root[extras]`` brings to this platform, its own included."""
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [(canonicalize_name(root), frozenset(extras))]
    while queue:
        entry = queue.pop()
        if entry not in seen:
            seen.add(entry)
            queue += [(canonicalize_name(r.name), frozenset(r.extras)) for r in direct(*entry)]
    return {name for name, _ in seen}


def test_import_loads_no_heavy_library() -> None:
    loaded = json.loads(run_python("import json, sys, napari_gaintune; print(json.dumps(sorted(sys.modules)))"))
    heavy = {"torch", "numpy", "scipy", "skimage", "dask", "pydantic", *SCREEN, *GPL}
    assert "napari_gaintune" in loaded
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


def test_version_is_that_of_the_metadata() -> None:
    assert napari_gaintune.__version__ == version("napari-gaintune")
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = napari_gaintune.no_such_name


@pytest.mark.parametrize("blocked", [SCREEN, GPL], ids=["screen", "GPL"])
def test_core_imports_without(blocked: list[str], repository: Path) -> None:
    """No module outside ``widget`` needs the libraries of the screen, or those under the GPL, to be imported."""
    source = repository / "src"
    paths = [path.relative_to(source) for path in sorted(source.rglob("*.py"))]
    paths = [path for path in paths if path.parts[1] != "widget" and path.name not in {"__init__.py", "__main__.py"}]
    assert {path.parts[1] for path in paths} >= {"adaptation", "cli", "io", "models", "noise", "pipeline", "training"}
    code = """
        import importlib, sys

        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in blocked:
                    raise ModuleNotFoundError(f"{name} is blocked", name=name)

        blocked = sys.argv[1].split()
        sys.meta_path.insert(0, Blocker())
        for name in sys.argv[2:]:
            importlib.import_module(name)
        """
    run_python(code, " ".join(blocked), *(".".join(path.with_suffix("").parts) for path in paths))


def test_installation_brings_no_qt_binding_no_napari_and_nothing_under_the_gpl() -> None:
    brought = closure("napari-gaintune", set())
    assert {"torch", "superqt", "pyqtgraph"} <= brought
    assert brought.isdisjoint(QT_BINDINGS | {"napari", "abtem", "ase", "hyperspy", "rosettasciio"})


def test_every_imported_library_is_declared(repository: Path) -> None:
    used: set[str] = set()
    for path in (repository / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                used.add(str(node.module).partition(".")[0])
    used -= {*sys.stdlib_module_names, "napari_gaintune"}
    assert {"torch", "numpy"} <= used
    declared = {canonicalize_name(r.name) for r in direct("napari-gaintune", {"all", "em", "train"})}
    provided_by = packages_distributions()
    undeclared = {name for name in used if declared.isdisjoint(map(canonicalize_name, provided_by.get(name, [])))}
    assert undeclared == set()


def test_constraints_pin_all_that_the_tests_install(repository: Path) -> None:
    lines = [line for line in (repository / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    # one public version each: no local tag such as +cpu, no address, no file
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines}
    assert closure("napari-gaintune", {"test"}) - pinned == {"napari-gaintune"}


def test_every_module_and_data_file_is_packaged(repository: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(repository / "setup.cfg")
    patterns = setup["options.package_data"]["napari_gaintune"].split()
    package = repository / "src" / "napari_gaintune"
    packaged = {path for pattern in patterns for path in package.glob(pattern)}
    data = {path for path in package.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    folders = {path.parent for path in package.rglob("*.py")}
    assert {package / "napari.yaml", package / "py.typed"} <= packaged
    assert data - packaged == set()
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_manifest_is_found_and_every_python_name_in_it_leads_somewhere() -> None:
    manifest = npe2.PluginManifest.from_distribution("napari-gaintune")
    manifest.validate_imports()
    commands = {command.id: command for command in manifest.contributions.commands or []}
    assert all(command.python_name for command in commands.values())
    offered = [*(manifest.contributions.widgets or []), *(manifest.contributions.sample_data or [])]
    assert {contribution.command for contribution in offered} == set(commands)


def test_console_script_leads_somewhere() -> None:
    (script,) = (entry for entry in distribution("napari-gaintune").entry_points if entry.group == "console_scripts")
    assert script.name == "napari-gaintune"
    assert callable(script.load())
