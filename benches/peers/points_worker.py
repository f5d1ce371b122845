"""A peer's side of k-means (scikit-learn) and t-SNE (openTSNE) on an array of embeddings.

Prints `{"seconds": [...]}`, and what was reached: the inertia, or the Kullback-Leibler divergence as
the peer estimates it. `--work judge` makes nothing: it measures a map in the file `--positions` by a
yardstick that is the same for everyone: the divergence from openTSNE's affinities on exact cosine
neighbours, with the map's own normalisation summed over all pairs, and the share of each point's 10
and 30 nearest neighbours that are still among its 10 and 30 nearest on the map.
"""

import argparse
import json
import time

import numpy as np


def k_means(points, threads, positions):
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=16, n_init=10, random_state=0).fit(points)
    return {"inertia": float(fitted.inertia_)}


def tsne(points, threads, positions):
    import openTSNE

    embedding = openTSNE.TSNE(
        perplexity=30,
        metric="cosine",
        early_exaggeration=12,
        early_exaggeration_iter=250,
        n_iter=500,
        n_jobs=threads,
        random_state=0,
    ).fit(points)
    if positions:
        np.save(positions, np.asarray(embedding, dtype=np.float32))
    return {"kl": float(embedding.kl_divergence)}


def judge(points, threads, positions):
    from openTSNE.affinity import PerplexityBasedNN

    places = np.load(positions).astype(np.float64)
    affinities = PerplexityBasedNN(points, perplexity=30, metric="cosine", method="exact", n_jobs=threads)
    rows, columns = affinities.P.nonzero()
    wanted = np.asarray(affinities.P[rows, columns]).ravel()
    distances = ((places[rows] - places[columns]) ** 2).sum(axis=1)
    # Every place is at distance 0 from itself, which the normalisation leaves out.
    normalisation = sum((1 / (1 + square)).sum() for square in squares(places)) - len(places)
    kl = (wanted * (np.log(wanted) + np.log1p(distances) + np.log(normalisation))).sum()
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    before = nearest(-part @ unit.T for part in parts(unit))
    after = nearest(squares(places))
    kept = {f"kept_{k}": shared(before[:, :k], after[:, :k]) for k in (10, 30)}
    return {"kl": float(kl), **kept}


def parts(rows, size=1000):
    return (rows[first:first + size] for first in range(0, len(rows), size))


def squares(places):
    """Squared distances of some places to all, part by part."""
    norms = (places**2).sum(axis=1)
    for part in parts(places):
        yield np.maximum((part**2).sum(axis=1)[:, None] + norms - 2 * part @ places.T, 0)


def nearest(distances, most=30):
    """The nearest of each row, the nearest first, the row itself left out."""
    found, first = [], 0
    for part in distances:
        part[np.arange(len(part)), first + np.arange(len(part))] = np.inf
        first += len(part)
        near = np.argpartition(part, most, axis=1)[:, :most]
        found.append(np.take_along_axis(near, np.take_along_axis(part, near, 1).argsort(1), 1))
    return np.concatenate(found)


def shared(before, after):
    """The mean share of the rows' entries that both have."""
    both = sum(len(np.intersect1d(*pair)) for pair in zip(before, after))
    return both / before.size


WORK = {"kmeans": k_means, "tsne": tsne, "judge": judge}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", choices=sorted(WORK), required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--positions", help="file of a map: written by tsne, measured by judge")
    parser.add_argument("points")
    arguments = parser.parse_args()
    points = np.load(arguments.points)
    if arguments.work == "judge":
        print(json.dumps(judge(points, arguments.threads, arguments.positions)))
        return
    seconds = []
    reached = WORK[arguments.work](points[:200], arguments.threads, None)
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        reached = WORK[arguments.work](points, arguments.threads, arguments.positions)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, **reached}))


if __name__ == "__main__":
    main()
