"""Golden scores of backends and detectors for few references, from numpy and their definitions.

Writes few_references.json beside itself."""

import json
import pathlib
import platform

import numpy as np

DIMS = 24


def rounded(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def ledoit_wolf(points):
    """Covariance of points, shrunk by the formula of Ledoit and Wolf (2004), sums written out."""
    count, dims = points.shape
    centred = points - points.mean(0)
    empirical = centred.T @ centred / count
    target = np.trace(empirical) / dims * np.eye(dims)
    away = ((empirical - target) ** 2).sum() / dims
    noise = sum(((np.outer(row, row) - empirical) ** 2).sum() for row in centred) / dims / count**2
    share = min(noise, away) / away
    return (1 - share) * empirical + share * target


def shrunk_mahalanobis(references, queries, floor=0.3):
    deviation = np.maximum(references.std(0), floor)
    standardised = (references - references.mean(0)) / deviation
    precision = np.linalg.inv(ledoit_wolf(standardised) + 1e-3 * np.eye(references.shape[1]))
    away = (queries - references.mean(0)) / deviation
    return np.sqrt(np.einsum("ij,jk,ik->i", away, precision, away) / references.shape[1])


def cosine(a, b):
    unit = lambda points: points / np.linalg.norm(points, axis=-1, keepdims=True)
    return 1 - unit(a) @ unit(b).T


def euclidean(a, b):
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def nearest(references, queries):
    return euclidean(queries, references).min(1)


def local_density(references, recordings, queries, neighbors):
    between = cosine(references, references)
    between[recordings[:, None] == recordings[None]] = np.inf
    density = np.sort(between, 1)[:, :neighbors].mean(1)
    return (cosine(queries, references) / density).min(1)


def bands_of(dims, spectra, bands):
    columns = np.arange(dims).reshape(spectra, -1)
    return [part.ravel() for part in np.array_split(columns, bands, axis=1)]


def sub_band(references, queries, spectra, bands):
    parts = bands_of(references.shape[1], spectra, bands)
    return np.mean([cosine(queries[:, p], references[:, p]).min(1) for p in parts], 0)


def variance_minimum(references, queries, neighbors, spectra, bands):
    scores = []
    for part in bands_of(references.shape[1], spectra, bands):
        between = cosine(references[:, part], references[:, part])
        np.fill_diagonal(between, np.inf)
        spread = np.sort(between, 1)[:, :neighbors].mean(1)
        distances, spreads = [], []
        for j in range(len(references)):
            i = between[j].argmin()
            distances.append(between[j, i])
            others = np.delete(between[i], j)
            spreads.append(np.sort(others)[:neighbors].mean())
        variance = np.var(spreads)
        slope = np.cov(distances, spreads, bias=True)[0, 1] / variance if variance >= 1e-12 else 0
        scores.append((cosine(queries[:, part], references[:, part]) - slope * spread).min(1))
    return np.mean(scores, 0)


def logarithm(distances):
    return np.log(np.maximum(distances, 1e-6))


def fused(members, recordings, queries, rule):
    """Joined z of queries, the scale of each member from one fold per recording."""
    z = []
    for references, score, queried in [(r, s, q) for (r, s), q in zip(members, queries)]:
        held_out = np.empty(len(references))
        for recording in np.unique(recordings):
            out = recordings == recording
            held_out[out] = logarithm(score(references[~out], references[out]))
        z.append(
            (logarithm(score(references, queried)) - np.median(held_out)) / max(held_out.std(), 0.1)
        )
    return rule(z, 0)


def margins(members, recordings, queries, rule):
    """[recordings, queries]: joined score of a query less the largest of the recording left out."""
    rows = []
    for recording in np.unique(recordings):
        out = recordings == recording
        kept = [(references[~out], score) for references, score in members]
        left = [references[out] for references, _ in members]
        farthest = fused(kept, recordings[~out], left, rule).max()
        rows.append(fused(kept, recordings[~out], queries, rule) - farthest)
    return np.array(rows)


def main():
    rng = np.random.default_rng(9)
    mixing = rng.normal(0, 1, (DIMS, DIMS)) * np.geomspace(2, 0.01, DIMS)[:, None]
    draw = lambda count: rounded(rng.normal(0, 1, (count, DIMS)) @ mixing.T)
    few, many, queries = draw(9), draw(40), rounded(draw(6) + rng.normal(0, 1, (6, DIMS)))
    recordings = np.repeat(np.arange(20), 2)
    lengths = [1, 2, 3, 1, 4, 2, 1, 2]
    owners = np.repeat(np.arange(8), lengths)
    centres = draw(8)
    windows = rounded(centres[owners] + rng.normal(0, 0.5, (len(owners), DIMS)))
    other = rounded(windows[:, :5] ** 2)
    judged = rounded(draw(5) + np.array([[0], [0], [1], [3], [20]]))
    judged_other = rounded(judged[:, :5] ** 2)
    members = [(windows, shrunk_mahalanobis), (other, nearest)]
    both = [judged, judged_other]
    golden = {
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "few": few.tolist(),
        "many": many.tolist(),
        "recordings": [f"recording {r:02}" for r in recordings],
        "queries": queries.tolist(),
        "shrunk_few": shrunk_mahalanobis(few, queries).tolist(),
        "shrunk_many": shrunk_mahalanobis(many, queries).tolist(),
        "shrunk_floor_2": shrunk_mahalanobis(many, queries, 2.0).tolist(),
        "local_density_3": local_density(many, recordings, queries, 3).tolist(),
        "sub_band_4": sub_band(many, queries, 2, 4).tolist(),
        "var_min_1": variance_minimum(many, queries, 4, 1, 1).tolist(),
        "var_min_4": variance_minimum(many, queries, 4, 2, 4).tolist(),
        "detector": {
            "groups": [f"recording {r}" for r in owners],
            "windows": windows.tolist(),
            "other": other.tolist(),
            "judged": judged.tolist(),
            "judged_other": judged_other.tolist(),
            "max_z": fused(members, owners, both, np.max).tolist(),
            "mean_z": fused(members, owners, both, np.mean).tolist(),
            "max_margins": np.sort(margins(members, owners, both, np.max), 0).T.tolist(),
            "mean_margins": np.sort(margins(members, owners, both, np.mean), 0).T.tolist(),
        },
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
