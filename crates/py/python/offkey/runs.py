"""Runs: training from a recipe, and reading what a run wrote."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _arrays, _core
from ._arrays import Path
from .errors import FailedError, UsageError
from .progress import Progress, Reporting
from .recipes import Recipe, choice

__all__ = ["Run", "read_run", "run"]


def run(
    recipe: Recipe,
    data: Path | Iterable[Path],
    out: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    truth: Path | Iterable[Path] = (),
    seed: int = 0,
    seeds: tuple[int, int] | None = None,
    year: int | None = None,
    existing: str = "refuse",
    skip_bad: bool = False,
    cache_mb: int | None = None,
    progress: Progress = None,
) -> Run:
    """Trains, embeds, scores, evaluates and reports: as ``offkey run``, the same files and bytes.

    ``recipe`` is a built-in name, a TOML file or a dictionary; ``changes`` are single values by their dotted
    key, as ``{"model.network.training.length.steps": 20}``. ``seeds=(0, 4)`` runs five seeds. ``existing``
    says what happens where ``out`` holds a run already: ``refuse``, ``resume`` or ``replace``.
    """
    with Reporting(progress) as heard:
        _core.run(
            _arrays.paths(data),
            choice(recipe, changes),
            os.fspath(out),
            truth=_arrays.paths(truth),
            seeds=(seed, None) if seeds is None else seeds,
            year=None if year is None else str(year),
            existing=existing,
            skip_bad=skip_bad,
            cache_mb=cache_mb,
            progress=heard,
        )
    return read_run(out)


def read_run(path: Path) -> Run:
    """The run in a folder."""
    root = os.fspath(path)
    if not os.path.isfile(os.path.join(root, "recipe.toml")):
        raise FailedError(f"`{root}` holds no run", "name the folder that --out named")
    return Run(root)


@dataclass(frozen=True)
class Run:
    """A run on disk. Everything is read when it is asked for; tables are data frames of pandas, or of polars
    where ``engine="polars"`` is said."""

    root: str
    """The folder."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of a folder with several runs; empty for a single run."""
        found = []
        for name in os.listdir(self.root):
            digits = name.removeprefix("seed_")
            if digits != name and digits.isdecimal():
                found.append(int(digits))
        return sorted(found)

    def of_seed(self, seed: int) -> Run:
        """The run of one seed among several."""
        return read_run(os.path.join(self.root, f"seed_{seed}"))

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the model and of the baselines."""
        return dict(self._json("metrics.json"))

    @property
    def manifest(self) -> dict[str, Any]:
        """Version, seed, device, data fingerprint, what each stage took."""
        return dict(self._json("manifest.json"))

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe as resolved, every default spelled out."""
        return _core.recipe_text((self._file("recipe.toml"), False, []))

    def embeddings(self) -> npt.NDArray[np.float32]:
        """The embeddings, ``[clips, dims]``; rows as in :meth:`clips`."""
        array: npt.NDArray[np.float32] = np.load(self._file("embeddings", "embeddings.npy"))
        return array

    def clips(self, engine: str = "pandas") -> Any:
        """The clips in the order of :meth:`embeddings`."""
        return frame(_rows(self._file("embeddings", "rows.csv")), engine)

    def scores(self, engine: str = "pandas") -> Any:
        """The test clips with score and decision, all machines and sections."""
        rows: list[dict[str, Any]] = []
        folder = self._file("scores")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".csv"):
                rows.extend(_rows(os.path.join(folder, name)))
        return frame(rows, engine)

    def thresholds(self, engine: str = "pandas") -> Any:
        """Machines and sections with their thresholds."""
        kept = ("machine", "section", "threshold", "references", "expected_false_alarms")
        rows = [{key: section.get(key) for key in kept} for section in self._thresholds()]
        return frame(rows, engine)

    def losses(self, engine: str = "pandas") -> Any:
        """The training curve, one row per step."""
        return frame(_rows(self._file("losses.csv")), engine)

    def per_section(self, engine: str = "pandas") -> Any:
        """The metrics of every machine and section."""
        rows = []
        for section in self.metrics["per_section"]:
            plain = {k: v for k, v in section.items() if not isinstance(v, (dict, list))}
            rows.append(plain)
        return frame(rows, engine)

    def _thresholds(self) -> list[dict[str, Any]]:
        return list(self._json("scores", "thresholds.json"))

    def _json(self, *names: str) -> Any:
        with open(self._file(*names), encoding="utf-8") as file:
            return json.load(file)

    def _file(self, *names: str) -> str:
        path = os.path.join(self.root, *names)
        if os.path.exists(path):
            return path
        if self.seeds:
            hint = f"name one seed: run.of_seed({self.seeds[0]})"
        else:
            hint = "go on with the run: offkey.run(..., existing='resume')"
        raise FailedError(f"`{path}` is not there", hint)


def frame(rows: list[dict[str, Any]], engine: str) -> Any:
    """Rows as a data frame."""
    if engine == "pandas":
        import pandas

        return pandas.DataFrame(rows)
    if engine == "polars":
        import polars

        return polars.DataFrame(rows, infer_schema_length=None)
    raise UsageError(f"engine is {engine!r}, expected 'pandas' or 'polars'")


_TEXTS = {
    "path", "name", "machine", "section", "domain", "split", "label", "attributes", "group", "reason"
}  # fmt: skip


def _rows(path: str) -> list[dict[str, Any]]:
    """A table's rows. Empty cells are None; a `'` that guards a text from spreadsheets is taken off."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {key: _cell(key, value) for key, value in row.items()} for row in csv.DictReader(file)
        ]


def _cell(column: str, text: str) -> Any:
    if text == "":
        return None
    if column == "decision":
        return text == "1"
    if column not in _TEXTS:
        try:
            return float(text)
        except ValueError:
            pass
    return text[1:] if text.startswith("'") else text
