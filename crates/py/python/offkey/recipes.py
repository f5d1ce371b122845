"""Recipes: every choice of a run, by name, as a TOML file, or as a dictionary."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Union

from . import _core

__all__ = ["Recipe", "names", "resolve"]

Recipe = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""A built-in name, a TOML file, or a dictionary with what such a file has. A dictionary may start from
another recipe: ``{"base": "small", "name": "mine", ...}``."""


def names() -> list[str]:
    """The names of the built-in recipes."""
    return _core.recipe_names()


def resolve(recipe: Recipe, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A recipe as a dictionary, every default spelled out, ``changes`` applied."""
    return _core.recipe_text(choice(recipe, changes))


def choice(recipe: Recipe, changes: Mapping[str, Any] | None) -> tuple[str, bool, list[str]]:
    """A recipe as the compiled half takes it: name or JSON, and single changes."""
    set_ = [f"{key}={_toml(value)}" for key, value in (changes or {}).items()]
    if isinstance(recipe, Mapping):
        table = dict(recipe)
        base = table.get("base")
        if isinstance(base, (str, os.PathLike)) and os.path.isfile(base):
            table["base"] = os.path.abspath(base)
        return json.dumps(table), True, set_
    return os.fspath(recipe), False, set_


def _toml(value: Any) -> str:
    """A value in TOML's syntax."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # JSON and TOML write text, numbers and truth values alike.
    return json.dumps(value)
