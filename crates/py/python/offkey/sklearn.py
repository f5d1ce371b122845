"""Estimators for scikit-learn: normal rows in, scores out.

:class:`EmbeddingDetector` takes embeddings of any width, :class:`SoundDetector` waveforms. Both follow
scikit-learn's outlier detectors: ``score_samples`` is larger the more **normal** a row is, ``predict`` is
1 for normal rows and -1 for anomalous ones. ``anomaly_score`` is larger the more anomalous a row is.

A row that the detector was fitted to is scored as a new one: by a detector fitted without it. Otherwise it
would find itself among the normal rows, and look far too normal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import UsageError

try:
    from sklearn.base import BaseEstimator, OutlierMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "offkey.sklearn needs scikit-learn 1.6 or newer: pip install scikit-learn"
    ) from error

__all__ = ["EmbeddingDetector", "SoundDetector"]

_Doubles = npt.NDArray[np.float64]


class _Detector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """What both estimators have in common: rows known from fitting, the threshold, the answers."""

    contamination: float
    seed: int

    def _fitted_to(self, rows: _core._Floats, groups: Sequence[str]) -> Any:
        """The compiled detector of these rows."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any = None, *, groups: Sequence[Any] | None = None) -> Any:
        """Fits the detector to normal rows.

        ``groups`` names the recording session of each row: rows of one session are left out together
        where training rows are scored. Equal rows always are. ``y`` is not used.
        """
        rows = self._checked(X, reset=True)
        if not 0.0 < self.contamination <= 0.5:
            raise UsageError(
                f"contamination is {self.contamination}, expected above 0 and at most 0.5"
            )
        keys = [row.tobytes() for row in rows]
        if groups is None:
            number: dict[bytes, int] = {}
            labels = [str(number.setdefault(key, len(number))) for key in keys]
        else:
            labels = [str(group) for group in groups]
            if len(labels) != len(rows):
                raise UsageError(f"found {len(labels)} groups for {len(rows)} rows")
        self.references_ = rows
        self.groups_ = np.array(labels)
        self._detector = self._fitted_to(rows, labels)
        own = self._detector.held_out()
        self._own = _of_rows(keys, own)
        self.training_scores_ = np.array([self._own[key] for key in keys])
        self.offset_ = float(np.percentile(-self.training_scores_, 100.0 * self.contamination))
        return self

    def anomaly_score(self, X: Any) -> _Doubles:
        """Anomaly scores: larger is more anomalous. Rows fitted to are scored as if they were not."""
        check_is_fitted(self, "offset_")
        rows = self._checked(X, reset=False)
        self._wake()
        scores = np.array(self._detector.score(rows), dtype=np.float64)
        for index, row in enumerate(rows):
            own = self._own.get(row.tobytes())
            if own is not None:
                scores[index] = own
        return scores

    def score_samples(self, X: Any) -> _Doubles:
        """The opposite of :meth:`anomaly_score`: larger is more normal, as in scikit-learn."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> _Doubles:
        """:meth:`score_samples` less the threshold: negative for anomalous rows."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """1 for normal rows, -1 for anomalous ones."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _checked(self, X: Any, reset: bool) -> _core._Floats:
        rows = validate_data(self, X, reset=reset, dtype=np.float64, ensure_min_samples=1)
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(rows, dtype=np.float32)
        if not np.isfinite(narrow).all():
            raise UsageError("a value is too large for float32, expected at most 3.4e38")
        return narrow

    def _wake(self) -> None:
        """Fits again to the same rows where only these were kept, as after unpickling."""
        if getattr(self, "_detector", None) is None:
            self._detector = self._fitted_to(self.references_, list(self.groups_))

    def __getstate__(self) -> dict[str, Any]:
        # Fitting is fast and gives the same numbers, so a pickle has the rows instead of the detector.
        state = dict(super().__getstate__())
        if "_detector" in state:
            state["_detector"] = None
        return state


class EmbeddingDetector(_Detector):
    """Scores embeddings of any width by a backend of offkey.

    Parameters
    ----------
    backend : str or dict, default="knn"
        A backend's name, or a dictionary of one name and its settings as in a recipe:
        ``{"knn": {"neighbors": 2, "distance": "euclidean"}}``.
    contamination : float, default=0.1
        Share of training rows that ``predict`` calls anomalous, when they are scored as new ones.
    seed : int, default=0
        Seed of random choices, where the backend makes any.

    Attributes
    ----------
    offset_ : float
        Rows whose ``score_samples`` lies below it are anomalous.
    training_scores_ : ndarray
        Anomaly score of each training row by a backend fitted without it. Nearest neighbours leave out
        one group at a time; other backends are fitted in 5 folds.
    """

    def __init__(
        self,
        backend: str | Mapping[str, Any] = "knn",
        *,
        contamination: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.backend = backend
        self.contamination = contamination
        self.seed = seed

    def _fitted_to(self, rows: _core._Floats, groups: Sequence[str]) -> _core.Backend:
        backend = self.backend
        table = {backend: {}} if isinstance(backend, str) else dict(backend)
        return _core.Backend.fit(json.dumps(table), rows, groups, self.seed)

    def nearest(self, X: Any) -> tuple[npt.NDArray[np.uintp], _Doubles]:
        """The nearest training row of each row, by its index, and how far it is."""
        check_is_fitted(self, "offset_")
        rows = self._checked(X, reset=False)
        self._wake()
        nearest: tuple[npt.NDArray[np.uintp], _Doubles] = self._detector.nearest(rows)
        return nearest


class SoundDetector(_Detector):
    """Scores waveforms, one recording per row: the detector that ``offkey.learn`` makes by default.

    Four pooled log-mel spectra are each compared by shrunk Mahalanobis distance, and the largest score
    counts. Rows have one length; those shorter than 1024 samples are repeated up to it.

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the rows.
    contamination : float, default=0.1
        Share of training rows that ``predict`` calls anomalous, when they are scored as new ones.
    seed : int, default=0
        Seed of random choices.
    """

    def __init__(
        self, sample_rate: int = 16_000, *, contamination: float = 0.1, seed: int = 0
    ) -> None:
        self.sample_rate = sample_rate
        self.contamination = contamination
        self.seed = seed

    def _fitted_to(self, rows: _core._Floats, groups: Sequence[str]) -> _core.Sounds:
        if len(set(groups)) < _LEAST_RECORDINGS:
            raise UsageError(
                f"n_samples = {len(set(groups))} different recordings, expected at least {_LEAST_RECORDINGS}"
            )
        return _core.Sounds.fit(rows, int(self.sample_rate), groups, self.seed)


_LEAST_RECORDINGS = 3


def _of_rows(keys: Sequence[bytes], scores: _Doubles) -> dict[bytes, float]:
    """The score of each different row; the largest, where equal rows are of different groups."""
    own: dict[bytes, float] = {}
    for key, score in zip(keys, scores):
        own[key] = max(float(score), own.get(key, -np.inf))
    return own
