#!/usr/bin/env python3
"""How well is one machine heard? `offkey learn` and `check` beside reference detectors, on real recordings.

    one_machine.py --out DIR [--binary offkey] [--data FOLDER] [--sets mimii uavmix bldc slider vectors]
                   [--folds 0 1 2 3 4] [--learn NAME=ARGUMENTS ...] [--only references|learn] [--curve FILE.svg]

Every split is one machine: normal recordings to learn from, other normal recordings and anomalies to tell apart.
`references` are the detectors of f3.py on the same splits. `--learn` adds a row per set of arguments of
`offkey learn`, as in `--learn "network=--recipe small"`; the default is `learn=` without arguments. What DIR
already contains is not computed again. The recordings are looked for in $OFFKEY_TEST_DATA, else ../shared/data.
Needs numpy and soundfile, and matplotlib for --curve.

`vectors` is not sound but time-averaged log-mel spectra of 15,174 recordings: they go through `offkey score
--embeddings`, beside the same formulas in numpy. They have a table of their own. --curve draws the AUC over the
number of normal recordings, of every set that has more than one number.

Printed per detector: AUC (mean over the sets, each set of equal weight), its standard error over splits, the
paired difference to F3 with its standard error, false alarms and anomalies found at the alarm line, seconds.
"""

import argparse
import csv
import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import time

import numpy as np
import soundfile

import f3

ROOT = pathlib.Path(__file__).resolve().parent.parent
UAV_SIZES, SLIDER_SIZES, VECTOR_SIZES = (10, 30, 100), (10, 30, 60), (10, 30, 100)
LEVELS = {"p6": "+6 dB", "0": "0 dB", "m6": "-6 dB"}
CURVES = {"learn", "F3", "A", "log-mel 1-NN", "shrunk-mahalanobis", "knn"}  # what a picture has room for
BACKENDS = ("shrunk-mahalanobis", "knn")


class Split:
    """One machine: clips to learn from and to test, each a (path, recording, anomalous) triple."""

    def __init__(self, name, normals, tests):
        self.set, self.name, self.normals, self.tests = name.split("/")[0], name, normals, tests

    def measure(self, args, features):
        stem, found = self.stem(), {}
        if args.only != "learn":
            found.update(once(args.out / f"references/{stem}.json", lambda: references(self, features)))
        if args.only != "references":
            for entry in args.learn or ["learn="]:
                name, _, words = entry.partition("=")
                found[name] = once(args.out / f"{name}/{stem}.json", lambda: learned(args, self, shlex.split(words)))
        return found

    def stem(self):
        return self.name.replace("/", "_").replace(" ", "_")


class VectorSplit(Split):
    """One machine as spectra in decibels, one row per recording: normals to learn from, then others and anomalies."""

    def __init__(self, name, normals, others, anomalies):
        super().__init__(name, normals, np.concatenate([others, anomalies]))
        self.anomalous = np.arange(len(self.tests)) >= len(others)

    def measure(self, args, features):
        return once(args.out / f"vectors/{self.stem()}.json", lambda: of_vectors(args, self))


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def mimii(data, folds):
    """Each unit with 8 normals (one microphone) and 16 (two), tested on other recordings."""
    for fold in folds:
        rows = rows_of(data / f"mimii_dev/fold_{fold}.csv")
        for unit in sorted({(row["machine"], row["section"]) for row in rows}):
            own = [row for row in rows if (row["machine"], row["section"]) == unit]
            clip = lambda row: (data / "mimii_dev" / row["path"], row["group"], row["label"] != "normal")
            tests = [clip(row) for row in own if row["split"] == "test"]
            for microphones in (("mic_0",), ("mic_0", "mic_4")):
                train = [clip(r) for r in own if r["split"] == "train" and r["attributes"] in microphones]
                yield Split(f"mimii {unit[0]} {len(train)}/{unit[1]}/fold {fold}", train, tests)


def drawn(clips, size, seed):
    order = np.random.default_rng(seed).permutation(len(clips))
    return [clips[i] for i in sorted(order[:size])]


def uavmix(data, folds):
    """The quadcopter with some of its training clips, drawn per fold."""
    folder = data / "uavmix_dev"
    truth = {row["file"]: row for row in rows_of(folder / "truth.csv")}
    train = [(path, path.stem, False) for path in sorted((folder / "UAV/train").glob("*.flac"))]
    tests = [(path, truth[path.name]["flight"], truth[path.name]["label"] == "1")
             for path in sorted((folder / "UAV/test").glob("*.flac"))]
    for fold in folds:
        for size in UAV_SIZES:
            yield Split(f"uavmix {size}/fold {fold}", drawn(train, size, fold), tests)


def bldc(data, folds):
    """Two motors: every third healthy recording is tested, by fold; the others are learned."""
    rows = [row for row in rows_of(data / "bldc/manifest.csv") if row["group"] != "M1_healthy_1400"]
    for motor in ("M1", "M2"):
        own = [row for row in rows if row["section"] == motor]
        clip = lambda row: (data / "bldc" / row["path"], row["group"], row["label"] != "normal")
        healthy = [clip(row) for row in own if row["label"] == "normal"]
        faulty = [clip(row) for row in own if row["label"] == "anomaly"]
        for fold in [fold for fold in folds if fold < 3]:
            held = [c for i, c in enumerate(healthy) if i % 3 == fold]
            yield Split(f"bldc/{motor}/fold {fold}", [c for c in healthy if c not in held], held + faulty)


def slider(data, folds):
    """One slider of DCASE 2020 with few and many normals."""
    rows = [row for row in rows_of(data / "dcase_samples/manifest.csv")
            if (row["machine"], row["section"]) == ("slider", "00") and row["path"].startswith("dcase2020")]
    clip = lambda row: (data / "dcase_samples" / row["path"], row["group"], row["label"] != "normal")
    train = [clip(row) for row in rows if row["split"] == "train"]
    tests = [clip(row) for row in rows if row["split"] == "test"]
    for fold in folds:
        for size in SLIDER_SIZES:
            chosen = drawn(train, size, fold)
            others = [c for c in train if c not in chosen][:15]
            yield Split(f"slider {size}/fold {fold}", chosen, tests + others)


def vectors(data, folds):
    """Each fan and pump at each level; a fold begins its third of test normals elsewhere."""
    for machine in ("fan", "pump"):
        for unit in ("00", "02"):
            for level, words in LEVELS.items():
                of = lambda label: np.load(data / f"mimii_vectors/{machine}_id_{unit}_snr_{level}db_{label}.npy") * (10.0 / np.log(10.0))
                normal, anomalies = of("normal"), of("anomaly")
                for fold in folds:
                    turned = np.roll(np.arange(len(normal)), -fold * len(normal) // len(folds))
                    cut = 2 * len(normal) // 3
                    for size in VECTOR_SIZES:
                        rows = drawn(turned[:cut], size, fold)
                        name = f"{machine} {words} {size}/{unit}/fold {fold}"
                        yield VectorSplit(name, normal[rows], normal[turned[cut:]], anomalies)


SETS = {"mimii": mimii, "uavmix": uavmix, "bldc": bldc, "slider": slider, "vectors": vectors}


def auc(scores, anomalous):
    scores, anomalous = np.asarray(scores, float), np.asarray(anomalous)
    normal, odd = scores[~anomalous], scores[anomalous]
    wins = (odd[:, None] > normal[None]).sum() + 0.5 * (odd[:, None] == normal[None]).sum()
    return wins / (len(normal) * len(odd))


class Features:
    """Pooled spectra, each clip read once."""

    def __init__(self):
        self.known = {}

    def of(self, clips):
        for path, _, _ in clips:
            if path not in self.known:
                wave, rate_hz = soundfile.read(path, dtype="float64", always_2d=True)
                assert rate_hz == f3.RATE_HZ, path
                self.known[path] = f3.pooled(wave[:, 0])
        return [self.known[path] for path, _, _ in clips]


def references(split, features):
    started = time.perf_counter()
    normals, tests = features.of(split.normals), features.of(split.tests)
    scores = f3.fit_score(normals, [group for _, group, _ in split.normals], tests)
    anomalous = [odd for _, _, odd in split.tests]
    seconds = time.perf_counter() - started
    return {name: {"auc": auc(values, anomalous), "seconds": seconds} for name, values in scores.items()}


def learned(args, split, words):
    """`learn` and `check` on the split."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, model = pathlib.Path(folder) / "normals.csv", pathlib.Path(folder) / "model.offkey"
        with open(manifest, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["path", "machine", "section", "domain", "split", "label", "attributes", "group"])
            rows.writerows([path.resolve(), "machine", "00", "", "", "normal", "", group] for path, group, _ in split.normals)
        run = lambda *words: subprocess.run([args.binary, *map(str, words)], capture_output=True, text=True)
        started = time.perf_counter()
        done = run("learn", manifest, "-o", model, "--quiet", *words)
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise SystemExit(f"{split.name}: {done.stderr}")
        promise = json.loads(run("info", model, "--json").stdout)["promise"]
        size = model.stat().st_size
        checked = run("check", *[path for path, _, _ in split.tests], "--model", model, "--json")
        clips = json.loads(checked.stdout)["clips"]
    anomalous = np.array([odd for _, _, odd in split.tests])
    score = [clip["score"] if clip["score"] is not None else np.nan for clip in clips]
    alarm = np.array([clip["verdict"] == "alarm" for clip in clips])
    untold = np.isnan(score)
    # What cannot be judged is noticed, though not as a fault: it ranks above all.
    filled = np.where(untold, np.inf, score)
    return {"auc": auc(filled, anomalous), "seconds": seconds, "false_alarms": alarm[~anomalous].mean(),
            "found": alarm[anomalous].mean(), "untold": untold.mean(), "at_most": promise.get("at_most"), "bytes": size}


def of_vectors(args, split):
    """Backends of the program, and the same formulas in numpy, on the split's vectors."""
    normals, tests = split.normals.astype(np.float64), split.tests.astype(np.float64)
    found = {"A, numpy": {"auc": auc(f3.shrunk_mahalanobis(normals)(tests), split.anomalous)},
             "1-NN, numpy": {"auc": auc(f3.nearest(normals)(tests), split.anomalous)}}
    with tempfile.TemporaryDirectory() as folder:
        table, rows = pathlib.Path(folder) / "rows.csv", pathlib.Path(folder) / "rows.npy"
        np.save(rows, np.concatenate([split.normals, split.tests]).astype(np.float32))
        with open(table, "w", newline="") as file:
            write = csv.writer(file)
            write.writerow(["path", "machine", "section", "split", "label"])
            write.writerows([f"{i}.wav", "m", "00", "train", "normal"] for i in range(len(normals)))
            write.writerows([f"t{i}.wav", "m", "00", "test", "anomaly" if odd else "normal"] for i, odd in enumerate(split.anomalous))
        for backend in BACKENDS:
            words = ["score", "--embeddings", rows, "--table", table, "--backend", backend, "--json"]
            started = time.perf_counter()
            done = subprocess.run([args.binary, *map(str, words)], capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{split.name}: {done.stderr}")
            found[backend] = {"auc": json.loads(done.stdout)["auc"], "seconds": time.perf_counter() - started}
    return found


def once(path, work):
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(work(), default=float))
    return json.loads(path.read_text())


def table(splits, results):
    """One row per detector; sets weigh the same."""
    detectors = list(dict.fromkeys(name for found in results.values() for name in found))
    sets = list(dict.fromkeys(split.set for split in splits))

    def mean(detector, key):
        values = []
        for name in sets:
            of_set = [results[s.name][detector].get(key) for s in splits if s.set == name and detector in results[s.name]]
            of_set = [value for value in of_set if value is not None]
            if of_set:
                values.append(np.mean(of_set))
        return float(np.mean(values)) if values else None

    base = "F3" if "F3" in detectors else detectors[0]

    def paired(detector):
        """Mean over sets of the difference to the base, and its standard error over splits."""
        means, variances = [], []
        for name in sets:
            both = [results[s.name] for s in splits if s.set == name]
            gaps = [r[detector]["auc"] - r[base]["auc"] for r in both if detector in r and base in r]
            if gaps:
                means.append(np.mean(gaps))
                variances.append(np.var(gaps, ddof=1) / len(gaps) if len(gaps) > 1 else 0.0)
        return (np.mean(means), np.sqrt(np.sum(variances)) / len(means)) if means else (None, None)

    show = lambda value, digits=3: "" if value is None else f"{value:.{digits}f}"
    print(f"| detector | AUC | difference to {base} (standard error) | false alarms | anomalies found | bound | seconds | {' | '.join(sets)} |")
    print("| --- " * (7 + len(sets)) + "|")
    for detector in detectors:
        difference, error = paired(detector)
        columns = [np.mean([results[s.name][detector]["auc"] for s in splits if s.set == name and detector in results[s.name]] or [np.nan])
                   for name in sets]
        cells = [show(mean(detector, "auc")), f"{show(difference)} ({show(error)})", show(mean(detector, "false_alarms")),
                 show(mean(detector, "found")), show(mean(detector, "at_most")), show(mean(detector, "seconds"), 2)]
        print(f"| {detector} | {' | '.join(cells)} | {' | '.join(show(c) for c in columns)} |")


def curve(path, splits, results):
    """AUC over the number of normals: a panel per set, a line per detector, bars of one standard error over splits."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "offkey", "font.size": 9})
    from matplotlib import pyplot

    panels = {}
    for split in splits:
        name, _, size = split.set.rpartition(" ")
        if size.isdigit() and "mimii" not in name:
            for detector in sorted(CURVES & results[split.name].keys()):
                found = results[split.name][detector]
                panels.setdefault(name, {}).setdefault(detector, {}).setdefault(int(size), []).append(found["auc"])
    rows = -(-len(panels) // 4)
    figure, axes = pyplot.subplots(rows, 4, figsize=(12, 2.6 * rows), sharey=True, squeeze=False)
    print("\n| set | detector | normals: AUC (standard error over splits) |\n| --- | --- | --- |")
    for axis, (name, lines) in zip(axes.flat, panels.items()):
        for detector, points in lines.items():
            sizes = sorted(points)
            mean = [np.mean(points[size]) for size in sizes]
            error = [np.std(points[size], ddof=1) / np.sqrt(len(points[size])) if len(points[size]) > 1 else 0 for size in sizes]
            print(f"| {name} | {detector} | " + ", ".join(f"{n}: {m:.3f} ({e:.3f})" for n, m, e in zip(sizes, mean, error)) + " |")
            axis.errorbar(sizes, mean, yerr=error, marker="o", markersize=3, linewidth=2 if detector == "learn" else 1, label=detector)
        axis.set(title=name, xscale="log", xticks=sizes, xticklabels=sizes)
        axis.minorticks_off()
        axis.legend(fontsize=6, loc="lower right")
    for axis in axes.flat[len(panels):]:
        axis.axis("off")
    figure.supylabel("AUC")
    figure.supxlabel("normal recordings")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("OFFKEY_TEST_DATA") or ROOT.parent / "shared/data")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--learn", action="append", metavar="NAME=ARGUMENTS")
    parser.add_argument("--only", choices=["references", "learn"])
    parser.add_argument("--curve", type=pathlib.Path)
    args = parser.parse_args()
    data = pathlib.Path(args.data)
    if not data.is_dir():
        raise SystemExit(f"no recordings in {data}: set OFFKEY_TEST_DATA")
    splits = [split for name in args.sets for split in SETS[name](data, args.folds)]
    features = Features()
    results = {split.name: split.measure(args, features) for split in splits}
    print(f"{len(splits)} splits of {len({split.set for split in splits})} sets")
    for kind in (Split, VectorSplit):
        of_kind = [split for split in splits if type(split) is kind]
        if of_kind:
            table(of_kind, {split.name: results[split.name] for split in of_kind})
    if args.curve:
        curve(args.curve, splits, results)


if __name__ == "__main__":
    main()
