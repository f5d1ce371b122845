"""Vectors of an ONNX encoder for every clip of a manifest, and how well they tell faults.

    python measure.py aisfx.onnx FOLDER fold_*.csv --rate 44100 --out vectors

Each manifest is a fold with the columns path, machine, section, split and label. Writes per fold
`NAME.npy` and `NAME.rows.csv` for `offkey score --embeddings NAME.npy --table NAME.rows.csv`, and prints
the AUC per machine (mean over its sections, then over the folds) by one nearest neighbour.

Needs numpy, scipy, soundfile, onnxruntime and scikit-learn.
"""

import argparse
import collections
import csv
import pathlib

import numpy as np
import onnxruntime
import scipy.signal
import soundfile
from sklearn.metrics import roc_auc_score


def wave(path, rate, samples):
    sound, own = soundfile.read(path, dtype="float32", always_2d=True)
    sound = sound.mean(1)
    if own != rate:
        common = np.gcd(own, rate)
        sound = scipy.signal.resample_poly(sound, rate // common, own // common)
    return np.resize(sound, samples).astype(np.float32)


def pooled(rows, pooling):
    """`[clips, rows, dims]` to one vector a clip."""
    if pooling == "mean":
        return rows.mean(1)
    return np.concatenate([rows.mean(1), rows.std(1)], 1)


def nearest(vectors, references, distance):
    if distance == "cosine":
        unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        return (1 - unit(vectors) @ unit(references).T).min(1)
    centre, deviation = references.mean(0), np.maximum(references.std(0), 1e-6)
    a, b = (vectors - centre) / deviation, (references - centre) / deviation
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(2)).min(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("onnx")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("manifests", nargs="+")
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="32768 for sound as 16-bit integers")
    parser.add_argument("--clip-s", type=float, default=10.0, help="where the file takes any length")
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.onnx, options)
    samples = session.get_inputs()[0].shape[1]
    if not isinstance(samples, int):
        samples = round(args.rate * args.clip_s)
    args.out.mkdir(parents=True, exist_ok=True)
    known = {}

    def rows_of(path):
        if path not in known:
            sound = wave(args.folder / path, args.rate, samples) * np.float32(args.scale)
            known[path] = session.run(None, {session.get_inputs()[0].name: sound[None]})[0][0]
        return known[path]

    auc = collections.defaultdict(list)
    for name in args.manifests:
        with open(args.folder / name, newline="") as file:
            table = list(csv.DictReader(file))
        rows = np.stack([np.atleast_2d(rows_of(row["path"])) for row in table])
        vectors = pooled(rows, "mean")
        stem = pathlib.Path(name).stem
        np.save(args.out / f"{stem}.npy", vectors.astype(np.float32))
        (args.out / f"{stem}.rows.csv").write_text((args.folder / name).read_text())
        section = np.array([f"{row['machine']} {row['section']}" for row in table])
        train = np.array([row["split"] == "train" for row in table])
        anomalous = np.array([row["label"] in ("anomaly", "abnormal") for row in table])
        for pooling in ("mean", "mean and deviation"):
            vectors = pooled(rows, pooling)
            for own in sorted(set(section)):
                here = section == own
                tested = here & ~train
                for distance in ("cosine", "standardised"):
                    score = nearest(vectors[tested], vectors[here & train], distance)
                    found = roc_auc_score(anomalous[tested], score)
                    auc[pooling, distance, own.split()[0]].append(found)
                    auc[pooling, distance, "all"].append(found)
        print(f"{stem}: {len(table)} clips", flush=True)
    for (pooling, distance, machine), values in auc.items():
        print(f"{pooling:20} {distance:13} {machine:8} AUC {np.mean(values):.3f} (n={len(values)})")


if __name__ == "__main__":
    main()
