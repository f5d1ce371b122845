"""Metrics are scikit-learn's, and every year's formula is its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

import offkey
from offkey import metrics


def scored(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    # Rounded, so that there are ties.
    return labels, np.round(random.normal(labels * 0.8, 1.0), 1)


def test_areas_are_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    for seed in range(5):
        labels, scores = scored(seed=seed)
        assert metrics.auc(labels, scores) == pytest.approx(
            sklearn.roc_auc_score(labels, scores), abs=1e-12
        )
        expected = sklearn.roc_auc_score(labels, scores, max_fpr=0.1)
        assert metrics.pauc(labels, scores) == pytest.approx(expected, abs=1e-12)
        fpr, tpr, thresholds = metrics.roc(labels, scores)
        assert np.trapezoid(tpr, fpr) == pytest.approx(metrics.auc(labels, scores), abs=1e-12)
        assert thresholds[0] == math.inf and (np.diff(thresholds) < 0).all()


def test_labels_may_be_words_and_one_condition_alone_has_no_area() -> None:
    assert metrics.auc(["normal", "anomaly"], [0.0, 1.0]) == 1.0
    assert metrics.auc([True, False], [0.0, 1.0]) == 0.0
    assert math.isnan(metrics.auc([0, 0], [0.0, 1.0]))


def harmonic(values: list[float]) -> float:
    return len(values) / sum(1.0 / max(value, np.finfo(float).eps) for value in values)


def test_official_scores_of_every_year() -> None:
    random = np.random.default_rng(1)
    count = 400
    machine = np.repeat(["fan", "pump"], count // 2)
    section = np.tile(["00", "01"], count // 2)
    domain = random.choice(["source", "target"], count)
    labels = random.integers(0, 2, count)
    scores = random.normal(labels * 0.7, 1.0)

    def of(year: int) -> float:
        found = metrics.evaluate(
            scores,
            list(labels),
            machine=list(machine),
            section=list(section),
            domain=list(domain),
            year=year,
            intervals=False,
        )
        assert found["year"] == year
        return found["official_score"]

    terms: dict[str, list[float]] = {"2020": [], "2021": [], "2022": []}
    for m in ("fan", "pump"):
        aucs, paucs = [], []
        for s in ("00", "01"):
            here = (machine == m) & (section == s)
            aucs.append(metrics.auc(labels[here], scores[here]))
            paucs.append(metrics.pauc(labels[here], scores[here]))
            for d in ("source", "target"):
                of_domain = here & (domain == d)
                terms["2021"].append(metrics.auc(labels[of_domain], scores[of_domain]))
                terms["2021"].append(metrics.pauc(labels[of_domain], scores[of_domain]))
                against_all = here & ((domain == d) | (labels == 1))
                terms["2022"].append(metrics.auc(labels[against_all], scores[against_all]))
            terms["2022"].append(paucs[-1])
        terms["2020"] += [float(np.mean(aucs)), float(np.mean(paucs))]
    assert of(2020) == pytest.approx(float(np.mean(terms["2020"])), abs=1e-12)
    assert of(2021) == pytest.approx(harmonic(terms["2021"]), abs=1e-12)
    for year in (2022, 2023, 2024, 2025, 2026):
        assert of(year) == pytest.approx(harmonic(terms["2022"]), abs=1e-12)


def test_intervals_and_decisions_are_there_when_asked_for() -> None:
    labels, scores = scored()
    found = metrics.evaluate(scores, labels, machine="fan", decision=list(scores > 0.4))
    (row,) = found["per_section"]
    assert row["normal"] + row["anomalous"] == 200 and 0.0 < row["f1"] < 1.0
    low, high = row["auc_interval"]["low"], row["auc_interval"]["high"]
    assert low < row["auc"] < high
    without = metrics.evaluate(scores, labels, machine="fan", intervals=False)
    assert without["intervals"] is None and without["per_section"][0]["f1"] is None


def test_a_map_keeps_clusters_apart_and_is_the_same_again() -> None:
    random = np.random.default_rng(0)
    points = np.concatenate([random.normal(4 * k, 0.3, (30, 8)) for k in range(3)])
    found = offkey.tsne(points, perplexity=10.0, distance="euclidean")
    assert found.shape == (90, 2) and found.dtype == np.float32
    assert (found == offkey.tsne(points, perplexity=10.0, distance="euclidean")).all()
    centres = found.reshape(3, 30, 2).mean(axis=1)
    spread = found.reshape(3, 30, 2).std(axis=1).max()
    apart = min(np.linalg.norm(centres[a] - centres[b]) for a in range(3) for b in range(a))
    assert apart > 3 * spread
