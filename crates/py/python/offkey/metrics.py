"""Scores and truth to numbers: AUC, partial AUC, and the official score of every year of DCASE Task 2.

Labels are 0 or ``"normal"``, and 1 or ``"anomaly"``. Larger scores are more anomalous.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._arrays import Path
from .errors import UsageError

__all__ = ["auc", "evaluate", "evaluate_files", "pauc", "roc"]

_WORDS = {
    "0": "normal",
    "normal": "normal",
    "1": "anomaly",
    "anomaly": "anomaly",
    "abnormal": "anomaly",
}


def auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the ROC curve, ties counted half. NaN where one condition is absent."""
    return _number(_core.auc(*_apart(labels, scores)))


def pauc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Partial AUC up to a false-positive rate of 0.1, standardised so that chance is 0.5 (McClish).

    The same as ``sklearn.metrics.roc_auc_score(labels, scores, max_fpr=0.1)``.
    """
    return _number(_core.pauc(*_apart(labels, scores)))


def roc(
    labels: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """False-positive rates, true-positive rates and thresholds, one per distinct score."""
    points = _core.roc(*_apart(labels, scores))
    thresholds = [np.inf if point["threshold"] is None else point["threshold"] for point in points]
    return (
        np.array([point["false_positive_rate"] for point in points]),
        np.array([point["true_positive_rate"] for point in points]),
        np.array(thresholds),
    )


def evaluate(
    scores: npt.ArrayLike,
    labels: Sequence[Any],
    *,
    machine: str | Sequence[str],
    section: str | Sequence[str] = "00",
    domain: str | Sequence[str] | None = None,
    decision: Sequence[bool] | None = None,
    name: Sequence[str] | None = None,
    group: Sequence[str] | None = None,
    year: int | None = None,
    intervals: bool = True,
) -> dict[str, Any]:
    """The metrics of scored clips, as ``metrics.json`` has them; ``official_score`` is the year's.

    One place per clip in every sequence; a single word stands for all clips. ``domain`` is ``source`` or
    ``target``. ``group`` names the recording session a clip was cut from: bootstrap intervals resample
    sessions. ``year`` is 2020 to 2026; without it the formula of 2022 to 2025 is used.
    """
    numbers = np.asarray(scores, dtype=np.float64)
    if numbers.ndim != 1:
        raise UsageError(f"the scores have the shape {numbers.shape}, expected one per clip")
    count = len(numbers)

    def column(what: str, given: Any, absent: str | None = "") -> list[Any]:
        if given is None:
            return [absent] * count
        values = [given] * count if isinstance(given, str) else list(given)
        if len(values) != count:
            raise UsageError(f"found {len(values)} values of {what} for {count} scores")
        return values

    columns = {
        "name": [
            str(value) for value in column("name", name or [f"clip {i:06}" for i in range(count)])
        ],
        "machine": [str(value) for value in column("machine", machine)],
        "section": [str(value) for value in column("section", section)],
        "domain": [str(value) for value in column("domain", domain)],
        "label": [_word(value) for value in column("label", labels)],
        "group": [str(value) for value in column("group", group)],
        "score": numbers.tolist(),
        "decision": [
            None if value is None else bool(value) for value in column("decision", decision, None)
        ],
    }
    return _core.evaluate_rows(columns, None if year is None else str(year), intervals)


def evaluate_files(
    scores: Path, truth: Path | None = None, *, year: int | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The metrics of score files in the challenge's form, and what of the files was not used:
    as ``offkey evaluate``."""
    return _core.evaluate_files(
        os.fspath(scores),
        None if truth is None else os.fspath(truth),
        None if year is None else str(year),
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _word(label: Any) -> str:
    """A label as the tables have it; empty where it is unknown."""
    if label is None or label == "":
        return ""
    if isinstance(label, (bool, np.bool_)):
        return "anomaly" if label else "normal"
    text = str(int(label)) if isinstance(label, (int, float, np.number)) else str(label)
    if text not in _WORDS:
        raise UsageError(f"a label is {label!r}, expected 0, 1, 'normal' or 'anomaly'")
    return _WORDS[text]


def _apart(
    labels: npt.ArrayLike, scores: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Scores of normal and of anomalous clips."""
    numbers = np.asarray(scores, dtype=np.float64)
    words = np.array([_word(label) for label in np.asarray(labels).tolist()])
    if numbers.shape != words.shape or numbers.ndim != 1:
        raise UsageError(f"found labels of the shape {words.shape} for scores of {numbers.shape}")
    return numbers[words == "normal"], numbers[words == "anomaly"]
