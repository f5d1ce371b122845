"""Learning a monitor from recordings of normal sound."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from . import _arrays, _core
from ._arrays import Path
from .detector import Detector
from .errors import UsageError
from .progress import Progress, Reporting
from .recipes import choice

__all__ = ["LearnReport", "learn"]


@dataclass(frozen=True)
class LearnReport:
    """What learning found out, beside the detector."""

    recordings: int
    """Recordings learned from."""
    windows: int
    """Windows of them."""
    window_s: float
    """Length of a window in seconds."""
    odd: list[tuple[str, float]]
    """Recordings that lie far from all others, with how many deviations."""
    warnings: list[str]
    """What a person should know of the recordings."""
    left_out: list[tuple[str, str]]
    """Recordings left out in whole or in part, with the reason."""


def learn(
    recordings: Path | Iterable[Path | npt.ArrayLike] | Mapping[str, npt.ArrayLike],
    *,
    rate: float | None = None,
    output: Path | None = None,
    name: str | None = None,
    faults: Path | Iterable[Path] = (),
    false_alarms: str | None = None,
    window_s: float | None = None,
    every_s: float | None = None,
    recipe: str | Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
    seed: int = 0,
    force: bool = False,
    progress: Progress = None,
) -> tuple[Detector, LearnReport]:
    """Learns what a machine sounds like while it is healthy: as ``offkey learn``.

    ``recordings`` are files and folders; or arrays of samples at ``rate``, named by their keys in a
    mapping, else ``recording 0`` and so on. Each array counts as one recording session. ``output`` is the
    model file to write; without it the detector lives in memory until :meth:`Detector.save`.
    ``faults`` are recordings of known faults, files or folders: what comes near one scores higher.
    ``false_alarms`` is how many are acceptable, as ``"5%"`` or ``"1 per week"``.
    """
    files, arrays = _sorted_out(recordings, rate)
    if name is None:
        stem = os.path.splitext(os.path.basename(os.fspath(output)))[0] if output else ""
        name = stem or "machine"
    if changes and recipe is None:
        raise UsageError("changes were given without a recipe", "name the recipe they change")
    with Reporting(progress) as heard:
        inner, report = _core.learn(
            files,
            arrays,
            None if rate is None else _arrays.rate(rate),
            name,
            faults=_arrays.paths(faults),
            false_alarms=false_alarms,
            window_s=window_s,
            every_s=every_s,
            recipe=None if recipe is None else choice(recipe, changes),
            seed=seed,
            output=None if output is None else os.fspath(output),
            force=force,
            progress=heard,
        )
    return Detector(inner), LearnReport(**report)


def _sorted_out(
    recordings: Any, rate: float | None
) -> tuple[list[str], list[tuple[str, _arrays.Floats]]]:
    """Paths, or named arrays: never both."""
    if isinstance(recordings, (str, os.PathLike)):
        return [os.fspath(recordings)], []
    named: Sequence[tuple[str, Any]]
    if isinstance(recordings, Mapping):
        named = list(recordings.items())
    else:
        given = list(recordings)
        are_paths = [isinstance(item, (str, os.PathLike)) for item in given]
        if all(are_paths):
            return [os.fspath(item) for item in given], []
        if any(are_paths):
            raise UsageError(
                "paths and arrays are mixed", "give all recordings in one of the two forms"
            )
        named = [(f"recording {index}", item) for index, item in enumerate(given)]
    if rate is None:
        raise UsageError("arrays were given without their rate", "say rate=16000, or what it is")
    return [], [(str(key), _arrays.wave(item)) for key, item in named]
