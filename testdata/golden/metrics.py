"""Golden AUC, pAUC, precision, recall and F1 from scikit-learn. Writes metrics.json beside itself."""

import json
import pathlib
import platform

import numpy as np
import sklearn
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score


def case(name, normal, anomalous, threshold):
    truth = np.r_[np.zeros(len(normal)), np.ones(len(anomalous))]
    scores = np.r_[normal, anomalous]
    decisions = scores > threshold
    return {
        "name": name,
        "normal": [float(score) for score in normal],
        "anomalous": [float(score) for score in anomalous],
        "threshold": float(threshold),
        "auc": roc_auc_score(truth, scores),
        "pauc": roc_auc_score(truth, scores, max_fpr=0.1),
        "precision": precision_score(truth, decisions, zero_division=0),
        "recall": recall_score(truth, decisions, zero_division=0),
        "f1": f1_score(truth, decisions, zero_division=0),
    }


def main():
    rng = np.random.default_rng(0)
    cases = [
        case("separated", rng.normal(0, 1, 50), rng.normal(9, 1, 30), 4.5),
        case("overlapping", rng.normal(0, 1, 200), rng.normal(1, 1, 100), 1.0),
        case("worse than chance", rng.normal(1, 1, 37), rng.normal(0, 1, 53), 0.5),
        case("heavy ties", rng.integers(0, 5, 100), rng.integers(1, 7, 100), 3),
        case("all equal", np.ones(10), np.ones(7), 1.0),
        case("two normals", rng.normal(0, 1, 2), rng.normal(1, 1, 5), 0.0),
        case("one of each", [0.3], [0.2], 0.25),
        case("nothing decided", rng.normal(0, 1, 20), rng.normal(0, 1, 20), 99.0),
        case("a tie across the limit", np.r_[np.zeros(12), np.ones(8)], np.r_[0, 1, 1, 2], 0.5),
        case("tiny differences", 1 + 1e-12 * rng.integers(0, 9, 40), 1 + 1e-12 * rng.integers(3, 12, 40), 1),
    ]
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__}
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
