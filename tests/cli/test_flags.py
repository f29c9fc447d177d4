"""The flags of a settings model mean what the model means."""

from __future__ import annotations

import pytest
from cyclopts import App

from napari_gaintune.adaptation.methods import METHODS
from napari_gaintune.cli.flags import as_flags, plain
from napari_gaintune.pipeline.config import DenoiseConfig

Settings = as_flags(DenoiseConfig)
DEFAULTS = DenoiseConfig()


def parsed(*arguments: str) -> DenoiseConfig:
    app = App()

    @app.default
    def command(*, settings: Settings = DEFAULTS) -> DenoiseConfig:  # type: ignore[valid-type]
        return plain(DenoiseConfig, settings)

    config = app(list(arguments), result_action="return_value", exit_on_error=False)
    assert isinstance(config, DenoiseConfig)
    return config


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_its_settings_and_what_is_given_wins(method: str) -> None:
    config = parsed("--method", method)
    assert {name: getattr(config, name) for name in METHODS[method]} == METHODS[method]
    assert parsed("--steps", "7", "--method", method).steps == 7
    assert parsed() == DenoiseConfig()
