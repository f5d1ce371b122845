"""A peer's side of k-means (scikit-learn) and t-SNE (openTSNE) on an array of embeddings.

Prints `{"seconds": [...]}`, and what was reached: the inertia, or the Kullback-Leibler divergence.
"""

import argparse
import json
import time

import numpy as np


def k_means(points, threads):
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=16, n_init=10, random_state=0).fit(points)
    return {"inertia": float(fitted.inertia_)}


def tsne(points, threads):
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
    return {"kl": float(embedding.kl_divergence)}


WORK = {"kmeans": k_means, "tsne": tsne}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", choices=sorted(WORK), required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("points")
    arguments = parser.parse_args()
    points = np.load(arguments.points)
    seconds = []
    reached = WORK[arguments.work](points[:200], arguments.threads)
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        reached = WORK[arguments.work](points, arguments.threads)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, **reached}))


if __name__ == "__main__":
    main()
