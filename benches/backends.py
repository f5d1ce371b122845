#!/usr/bin/env python3
"""Scores averaged log-mel vectors of four real machines by every backend, through the command line,
and prints the table of docs/backends.md.

    backends.py --out DIR [--binary offkey] [--data FOLDER] [--rotations N] [--name WORD ...]

A rotation splits the normal recordings of each machine (rows of `mimii_vectors/*.npy`): two thirds
train, all but ten of them as recorded at +6 dB (source), ten at -6 dB (target); the rest and all
anomalies test, at both. Rotation r of five starts at row r/5. Labels reach nothing but the metrics of
`offkey score --embeddings`. What DIR holds already is not scored again. The vectors are looked for in
$OFFKEY_TEST_DATA, else ../shared/data.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
MACHINES = [("fan", "00"), ("fan", "02"), ("pump", "00"), ("pump", "02")]
ROTATIONS = 5
TARGETS = 10
SOURCE, TARGET = "p6db", "m6db"
DISTANCES = ["cosine", "euclidean", "standardized", "whitened"]
METRICS = ["auc_source", "auc_target", "auc"]


class Vectors:
    """A float32 `.npy` of two dimensions as bytes, row by row."""

    def __init__(self, path):
        content = path.read_bytes()
        start = 10 + int.from_bytes(content[8:10], "little")
        header = content[10:start].decode()
        rows, dims = re.search(r"'shape': \((\d+), (\d+)\)", header).groups()
        if "'<f4'" not in header or "'fortran_order': False" not in header:
            raise ValueError(f"{path} is not float32, row by row")
        self.rows, self.dims = int(rows), int(dims)
        width = 4 * self.dims
        self.row = [content[start + width * i:start + width * (i + 1)] for i in range(self.rows)]


def write_vectors(path, rows, dims):
    """Rows of bytes as an `.npy`."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {dims}), }}"
    header = header.ljust(117) + "\n"
    length = len(header).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\x01\x00" + length + header.encode() + b"".join(rows))


def split(folder, rotation, out):
    """Writes vectors and table of one rotation; returns their paths."""
    array, table = out / f"rotation_{rotation}.npy", out / f"rotation_{rotation}.csv"
    vectors, rows, dims = [], [], 0
    for machine, section in MACHINES:
        read = {
            (level, label): Vectors(folder / f"{machine}_id_{section}_snr_{level}_{label}.npy")
            for level in (SOURCE, TARGET) for label in ("normal", "anomaly")
        }
        normals, dims = read[SOURCE, "normal"].rows, read[SOURCE, "normal"].dims
        order = [(row + rotation * normals // ROTATIONS) % normals for row in range(normals)]
        train, test = order[:2 * normals // 3], order[2 * normals // 3:]
        anomalies = range(read[SOURCE, "anomaly"].rows)
        parts = [("train", "normal", SOURCE, train[TARGETS:]), ("train", "normal", TARGET, train[:TARGETS])]
        parts += [("test", "normal", level, test) for level in (SOURCE, TARGET)]
        parts += [("test", "anomaly", level, anomalies) for level in (SOURCE, TARGET)]
        for part, label, level, numbers in parts:
            domain = "source" if level == SOURCE else "target"
            for number in numbers:
                vectors.append(read[level, label].row[number])
                name = f"{machine}_{section}_{level}_{label}_{number:05}"
                rows.append([name, machine, section, domain, part, label, f"{label}_{number:05}"])
    write_vectors(array, vectors, dims)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "machine", "section", "domain", "split", "label", "group"])
        writer.writerows(rows)
    return array, table


def backends():
    """Name, distance and TOML of every backend of the table."""
    def inline(name, distance, more=""):
        return f'{{ {name} = {{ distance = "{distance}"{more} }} }}'

    def domain_norm(of, distance):
        return inline("domain-norm", distance, f', fitted_to = "source", of = {inline(of, distance)}')

    found = []
    plain = ["k-means", "knn", "knn-smote", "local-density", "mahalanobis", "gmm", "centre"]
    for distance in DISTANCES:
        found += [(name, distance, inline(name, distance)) for name in plain]
        of = f", of = {inline('knn', distance)}"
        found.append(("domain-norm of knn", distance, inline("domain-norm", distance, of)))
        members = ", ".join(inline(name, distance) for name in ["k-means", "knn", "local-density", "mahalanobis"])
        found.append(("fusion", distance, inline("fusion", distance, f", members = [{members}]")))
    for distance in DISTANCES[2:]:
        variants = {
            "mahalanobis, covariance each": inline("mahalanobis", distance, ', covariance = "each"'),
            "local-density, ratio, 1": inline("local-density", distance, ", neighbors = 1"),
            "local-density, ratio, 16": inline("local-density", distance, ", neighbors = 16"),
            "local-density, difference, 4": inline("local-density", distance, ', norm = "difference"'),
            "domain-norm of mahalanobis": inline(
                "domain-norm", distance, f", of = {inline('mahalanobis', distance)}"),
            "domain-norm of source knn": domain_norm("knn", distance),
            "domain-norm of source mahalanobis": domain_norm("mahalanobis", distance),
            "fusion of mahalanobis and source domain-norms": inline(
                "fusion", distance, f", members = [{inline('mahalanobis', distance)}, "
                f"{domain_norm('mahalanobis', distance)}, {domain_norm('knn', distance)}]"),
        }
        found += [(name, distance, toml) for name, toml in variants.items()]
    return sorted(found, key=lambda row: (row[0], DISTANCES.index(row[1])))


def score(args, number, backend, array, table):
    """Metrics of one backend on one rotation, scored where they are absent."""
    name, distance, toml = backend
    slug = re.sub(r"[^a-z0-9]+", "-", f"{name} {distance}")
    result = args.out / f"{slug}_{number}.json"
    if not result.is_file():
        config = args.out / f"{slug}.toml"
        config.write_text(f"backend = {toml}\n")
        command = [args.binary, "score", "--quiet", "--json", "--embeddings", array, "--table", table]
        made = subprocess.run([*command, "--backend", config], check=True, stdout=subprocess.PIPE)
        result.write_bytes(made.stdout)
    return json.loads(result.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/offkey")
    data = os.environ.get("OFFKEY_TEST_DATA", ROOT / "../shared/data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(data))
    parser.add_argument("--rotations", type=int, default=ROTATIONS)
    parser.add_argument("--name", nargs="*", default=[""], help="only backends whose name begins with one of these")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    splits = [split(args.data / "mimii_vectors", number, args.out) for number in range(args.rotations)]
    names = ", ".join(f"{machine} {section}" for machine, section in MACHINES)
    print(f"| backend | distance | source | target | both | target: {names} |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for backend in backends():
        if not backend[0].startswith(tuple(args.name)):
            continue
        trials = [score(args, number, backend, *files) for number, files in enumerate(splits)]
        cells = []
        for metric in METRICS:
            values = [trial[metric] for trial in trials]
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.fmean(values):.3f} ± {deviation:.3f}")
        sections = zip(*(trial["per_section"] for trial in trials))
        targets = [statistics.fmean(row["auc_target"] for row in rows) for rows in sections]
        cells.append(", ".join(f"{target:.2f}" for target in targets))
        print(f"| {backend[0]} | {backend[1]} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
