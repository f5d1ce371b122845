"""Golden numbers for t-SNE: what openTSNE reaches on a small set of clustered points.

Writes tsne.json: the points (rounded, so that both sides read the same numbers), openTSNE's
Kullback-Leibler divergence, and how many of the ten nearest neighbours its maps keep.
"""

import json
import pathlib

import numpy
import openTSNE
import sklearn
from sklearn.neighbors import NearestNeighbors

POINTS, DIMS, GROUPS, PERPLEXITY = 360, 16, 6, 20


def neighbors(points, metric):
    search = NearestNeighbors(n_neighbors=11, metric=metric).fit(points)
    return search.kneighbors(points, return_distance=False)[:, 1:]


def kept(before, after):
    return float(numpy.mean([len(set(a) & set(b)) / 10 for a, b in zip(before, after)]))


def main():
    rng = numpy.random.default_rng(20)
    centers = rng.normal(size=(GROUPS, DIMS))
    groups = rng.integers(0, GROUPS, POINTS)
    points = numpy.round(centers[groups] + 0.6 * rng.normal(size=(POINTS, DIMS)), 3)
    runs = {}
    for metric in ("cosine", "euclidean"):
        settings = dict(perplexity=PERPLEXITY, metric=metric, neighbors="exact", n_jobs=1,
                        negative_gradient_method="bh", theta=0.5)
        maps = [openTSNE.TSNE(random_state=seed, **settings).fit(points) for seed in range(3)]
        before = neighbors(points, metric)
        runs[metric] = {
            "kl": float(min(of.kl_divergence for of in maps)),
            "kept": max(kept(before, neighbors(numpy.asarray(of), "euclidean")) for of in maps),
        }
    versions = {module.__name__: module.__version__ for module in (numpy, sklearn, openTSNE)}
    golden = {"versions": versions, "perplexity": PERPLEXITY, "groups": groups.tolist(),
              "points": points.tolist(), "runs": runs}
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
