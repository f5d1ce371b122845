"""The estimators keep scikit-learn's rules."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from conftest import RATE_HZ, hum

pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from offkey.sklearn import EmbeddingDetector, SoundDetector  # noqa: E402

ESTIMATORS = [
    EmbeddingDetector(),
    EmbeddingDetector({"knn": {"neighbors": 2, "distance": "euclidean"}}),
    EmbeddingDetector("shrunk-mahalanobis"),
    SoundDetector(),
]


# No check is expected to fail.
@parametrize_with_checks(ESTIMATORS)
def test_every_check_of_scikit_learn(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def rows(count: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 12))


def test_training_rows_are_scored_without_themselves() -> None:
    X = rows()
    detector = EmbeddingDetector({"knn": {"neighbors": 1, "distance": "euclidean"}}).fit(X)
    x = X.astype(np.float32).astype(np.float64)
    distances = np.linalg.norm(x[:, None] - x[None], axis=2) + np.diag(np.full(len(X), np.inf))
    assert np.allclose(detector.anomaly_score(X), distances.min(axis=1), rtol=1e-5)
    assert (detector.training_scores_ == detector.anomaly_score(X)).all()
    assert (detector.anomaly_score(X[::-1][:7]) == detector.training_scores_[::-1][:7]).all()
    # Equal rows are left out together: a copy does not make a row look normal.
    doubled = EmbeddingDetector({"knn": {"distance": "euclidean"}}).fit(np.concatenate([X, X]))
    assert (doubled.anomaly_score(X) == detector.anomaly_score(X)).all()


def test_groups_are_left_out_together() -> None:
    X = rows(20)
    near = X + 1e-3
    groups = list(range(20)) * 2
    alone = EmbeddingDetector({"knn": {"distance": "euclidean"}}).fit(np.concatenate([X, near]))
    together = clone(alone).fit(np.concatenate([X, near]), groups=groups)
    assert alone.training_scores_.max() < 0.1 < together.training_scores_.min()


@pytest.mark.parametrize(
    "name", ["knn", "k-means", "mahalanobis", "gmm", "local-density", "centre"]
)
def test_every_backend_tells_far_rows_from_near_ones(name: str) -> None:
    X = rows(80) + 3.0
    detector = EmbeddingDetector(name, contamination=0.05).fit(X)
    near, far = rows(40, seed=1) + 3.0, -3.0 * rows(40, seed=2) - 6.0
    assert detector.anomaly_score(near).mean() < detector.anomaly_score(far).mean()
    assert (detector.predict(far) == -1).mean() > 0.9


def test_a_pickled_detector_gives_the_same_numbers() -> None:
    X = rows()
    detector = EmbeddingDetector("gmm").fit(X)
    again = pickle.loads(pickle.dumps(detector))
    new = rows(seed=3)
    assert (again.decision_function(new) == detector.decision_function(new)).all()
    pipeline = make_pipeline(StandardScaler(), EmbeddingDetector()).fit(X)
    assert pipeline.predict(new).shape == (60,)


def test_nearest_names_training_rows() -> None:
    X = rows()
    detector = EmbeddingDetector({"knn": {"distance": "euclidean"}}).fit(X)
    index, distance = detector.nearest(X[10:13] + 1e-4)
    assert index.tolist() == [10, 11, 12] and (distance < 1e-2).all()


def test_unknown_backends_are_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="knn") as caught:
        EmbeddingDetector("nearest").fit(rows())
    assert "k-means" in str(caught.value)


def test_waveforms_with_a_fault_are_anomalous() -> None:
    X = np.stack([hum(seed) for seed in range(30)])
    detector = SoundDetector(RATE_HZ).fit(X)
    normal = np.stack([hum(seed) for seed in range(100, 110)])
    faulty = np.stack([hum(seed, fault=0.1) for seed in range(100, 110)])
    assert detector.anomaly_score(faulty).min() > detector.anomaly_score(normal).max()
    assert (detector.predict(faulty) == -1).all()
    again = pickle.loads(pickle.dumps(detector))
    assert (again.anomaly_score(faulty) == detector.anomaly_score(faulty)).all()
