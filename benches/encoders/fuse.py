"""Whether an encoder's vectors help beside pooled spectra: the table of README.md.

    python fuse.py FOLDER VECTORS

FOLDER has the manifests `fold_*.csv` and their clips, VECTORS what `measure.py` wrote for them. Everything is
computed by the definitions of offkey's members: log-mel spectra pooled over time, shrunk Mahalanobis distance
or one nearest neighbour, logarithms on the scale of held-out normals, the largest score. Prints AUC, mean
over sections, then folds, and the difference from four pooled spectra, paired by fold, with its 95 % interval:
the corrected resampled t of Nadeau and Bengio (2003), since folds share clips. Needs numpy, scipy, soundfile and
scikit-learn.
"""

import collections
import csv
import pathlib
import sys

import numpy as np
import scipy.stats
import soundfile
from sklearn.metrics import roc_auc_score

RATE_HZ, SAMPLES, WINDOW, HOP, MELS = 16_000, 160_000, 1024, 512, 128
LEAST_DISTANCE, LEAST_DEVIATION, RIDGE = 1e-6, 0.1, 1e-3


def mel_filters():
    """Slaney's scale, triangles of area one."""
    step = np.log(6.4) / 27
    mel = lambda hz: hz * 3 / 200 if hz < 1000 else 15 + np.log(hz / 1000) / step
    of = lambda m: np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * step))
    edges = of(np.linspace(mel(0), mel(RATE_HZ / 2), MELS + 2))
    bins = np.arange(WINDOW // 2 + 1) * RATE_HZ / WINDOW
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall)) * 2 / (edges[2:] - edges[:-2])[:, None]


FILTERS = mel_filters()
HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def pooled(path):
    """Mean, mean and deviation, loudest and quietest moments of every band."""
    sound = np.resize(soundfile.read(path)[0], SAMPLES)
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP] * HANN
    levels = 10 * np.log10(np.abs(np.fft.rfft(frames)) ** 2 @ FILTERS.T + 1e-10)
    rising = np.sort(levels, 0)
    ranked = lambda rows, r: np.average(rows, axis=0, weights=r ** np.arange(len(rows)))
    mean = levels.mean(0)
    both = np.concatenate([mean, levels.std(0)])
    return [mean, both, ranked(rising[::-1], 0.5), ranked(rising, 0.97)]


def shrunk(floor):
    def distance(references, x):
        mean, deviation = references.mean(0), np.maximum(references.std(0), floor)
        points, x = (references - mean) / deviation, (x - mean) / deviation
        count, dims = points.shape
        products = points @ points.T
        scale = np.trace(products) / (count * dims)
        norm = (products**2).sum() / count**2
        away = norm - dims * scale**2
        fourth = ((points**2).sum(1) ** 2).mean()
        share = np.clip(min((fourth - norm) / count, away) / away, 0, 1) if away > 0 else 1
        ridge, kept = share * scale + RIDGE, (1 - share) / count
        inner = products + np.eye(count) * ridge / kept
        along = x @ points.T
        explained = (along * np.linalg.solve(inner, along.T).T).sum(1)
        return np.sqrt(np.maximum((x**2).sum(1) - explained, 0) / ridge / dims)

    return distance


def nearest(references, x):
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (1 - unit(x) @ unit(references).T).min(1)


def z(distance, references, groups, x):
    """Deviations from the median of normals that were held out with their recording."""
    held_out = [
        distance(references[groups != group], references[groups == group])
        for group in sorted(set(groups))
    ]
    logarithm = lambda values: np.log(np.maximum(values, LEAST_DISTANCE))
    held_out = logarithm(np.concatenate(held_out))
    deviation = max(held_out.std(), LEAST_DEVIATION)
    return (logarithm(distance(references, x)) - np.median(held_out)) / deviation


def interval(differences, test_per_train):
    """Mean over folds, and its 95 % interval."""
    count, mean = len(differences), np.mean(differences)
    spread = np.std(differences, ddof=1) * np.sqrt(1 / count + test_per_train)
    half = scipy.stats.t.ppf(0.975, count - 1) * spread
    return mean, mean - half, mean + half


def main():
    folder, vectors = map(pathlib.Path, sys.argv[1:])
    known, auc, folds, shares = {}, collections.defaultdict(list), collections.defaultdict(list), []
    for manifest in sorted(folder.glob("fold_*.csv")):
        with open(manifest, newline="") as file:
            table = list(csv.DictReader(file))
        for row in table:
            if row["path"] not in known:
                known[row["path"]] = pooled(folder / row["path"])
        spectra = [np.stack([known[row["path"]][member] for row in table]) for member in range(4)]
        encoder = np.load(vectors / f"{manifest.stem}.npy").astype(float)
        column = lambda name: np.array([row[name] for row in table])
        section = np.char.add(np.char.add(column("machine"), " "), column("section"))
        train, anomalous, group = column("split") == "train", column("label") != "normal", column("group")
        shares.append((~train).sum() / train.sum())
        of_fold = collections.defaultdict(list)
        for own in sorted(set(section)):
            known_rows, tested = (section == own) & train, (section == own) & ~train
            of = lambda member, distance: z(
                distance, member[known_rows], group[known_rows], member[tested]
            )
            four = [of(member, shrunk(0.3)) for member in spectra]
            by_nearest, by_shrunk = of(encoder, nearest), of(encoder, shrunk(0.05))
            scores = {
                "four pooled spectra": np.max(four, 0),
                "encoder, nearest": by_nearest,
                "encoder, shrunk Mahalanobis": by_shrunk,
                "four and encoder, nearest": np.max([*four, by_nearest], 0),
                "four and encoder, shrunk": np.max([*four, by_shrunk], 0),
            }
            for name, score in scores.items():
                found = roc_auc_score(anomalous[tested], score)
                auc[name, "all"].append(found)
                auc[name, own.split()[0]].append(found)
                of_fold[name].append(found)
        for name, found in of_fold.items():
            folds[name].append(np.mean(found))
    for (name, machine), values in auc.items():
        print(f"{name:28} {machine:8} AUC {np.mean(values):.3f} (n={len(values)})")
    plain = np.array(folds.pop("four pooled spectra"))
    for name, values in folds.items():
        mean, low, high = interval(np.array(values) - plain, np.mean(shares))
        print(f"{name:28} less four pooled spectra {mean:+.3f} ({low:.3f} to {high:.3f})")


main()
