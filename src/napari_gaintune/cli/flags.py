"""A settings model as command-line flags: names, bounds, defaults and help stand in the model alone."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, TypeVar

import pydantic
from cyclopts import CycloptsError, Group, MissingArgumentError, Parameter, UnusedCliTokensError

SETTINGS = Group("Settings", sort_key=1)
ADVANCED = Group("Advanced settings", sort_key=2)

Switch = Annotated[bool, Parameter(show_default=False)]
AsJson = Annotated[bool, Parameter(name="--json", show_default=False)]

Config = TypeVar("Config", bound=pydantic.BaseModel)


def as_flags(model: type[Config]) -> Any:
    """The type of a command's parameter whose flags are the fields of ``model``; its values are such models."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        group = ADVANCED if extra.get("advanced") else SETTINGS
        parameter = Parameter(group=group, show_default=partial(_shown_default, str(extra.get("zero", ""))))
        fields[name] = (Annotated[field.annotation, parameter], field)
    flags = pydantic.create_model(f"{model.__name__}Flags", __base__=model, **fields)
    return Annotated[flags, Parameter(name="*")]


def _shown_default(zero_means: str, value: Any) -> str:
    return f"{value:g}, {zero_means}" if zero_means and value == 0 else str(value)


def plain(model: type[Config], flags: Config) -> Config:
    """The settings given as flags, as the ``model`` itself."""
    return model(**flags.model_dump())


def usage_message(error: CycloptsError) -> str:
    """One line for a command line that is not understood: the flag, its value, the rule."""
    cause = error.__cause__
    if not isinstance(cause, pydantic.ValidationError):
        return _missing_or_superfluous(error) or " ".join(str(error).split()).rstrip(".").rstrip(", ")
    return "; ".join(
        f"--{'.'.join(map(str, problem['loc'])).replace('_', '-')} {problem['input']}: {problem['msg'].lower()}"
        for problem in cause.errors()
    )


def _missing_or_superfluous(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        cure = (
            "; several images in one go are given as their folder" if "denoise" in (error.command_chain or ()) else ""
        )
        return f"{' '.join(error.unused_tokens or ())}: more than the command takes{cure}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return f"{error.keyword} needs a value" if error.keyword is not None else f"{error.argument.name} is missing"
    return ""
