"""Golden scores of backends from scikit-learn and scipy. Writes backends.json beside itself."""

import json
import pathlib
import platform

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.covariance import LedoitWolf
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

CLIPS, DIMS, QUERIES = 120, 6, 8


def rounded(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def main():
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 3, (4, DIMS))
    references = rounded(centres[rng.integers(0, 4, CLIPS)] + rng.normal(0, 1, (CLIPS, DIMS)))
    queries = rounded(rng.normal(0, 3, (QUERIES, DIMS)))
    unit = lambda points: points / np.linalg.norm(points, axis=1, keepdims=True)
    inertias = {
        str(k): KMeans(k, n_init=10, random_state=0).fit(references).inertia_ for k in (2, 4, 16)
    }
    covariance = LedoitWolf().fit(references)
    neighbors = NearestNeighbors(n_neighbors=3, metric="cosine").fit(references)
    one = GaussianMixture(1, reg_covar=1e-3).fit(references)
    four = GaussianMixture(4, reg_covar=1e-3, n_init=5, random_state=0, tol=1e-3).fit(references)
    scores = rng.gamma(3.0, 2.0, 400) + 1.0
    shape, location, scale = stats.gamma.fit(scores)
    golden = {
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "references": references.tolist(),
        "queries": queries.tolist(),
        "k_means_inertia": inertias,
        "k_means_cosine_inertia": KMeans(16, n_init=10, random_state=0).fit(unit(references)).inertia_,
        "mahalanobis": np.sqrt(covariance.mahalanobis(queries)).tolist(),
        "knn_cosine_1": neighbors.kneighbors(queries, 1)[0].mean(1).tolist(),
        "knn_cosine_3": neighbors.kneighbors(queries, 3)[0].mean(1).tolist(),
        "gmm_1": (-one.score_samples(queries)).tolist(),
        "gmm_4_mean_log_likelihood": four.score(references),
        "gmm_4": (-four.score_samples(queries)).tolist(),
        "gamma_scores": scores.tolist(),
        "gamma_fit": {"shape": shape, "location": location, "scale": scale},
        "gamma_quantile_90": stats.gamma.ppf(0.9, shape, location, scale),
        "percentile_90": np.percentile(scores, 90),
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
