"""What an encoder in an ONNX file is worth, measured through the program.

    python through_offkey.py OFFKEY aisfx.toml aisfx.onnx OUT DATA/fold_*.csv
    python through_offkey.py OFFKEY aisfx.toml aisfx.onnx OUT DATA            # a folder of the challenge's form

Runs `offkey run` per manifest with the encoder beside four pooled spectra, and with these alone (`fusion`). The other
recipes have the same embeddings: a copy of the run is scored and evaluated again with another recipe, by
`offkey score` and `offkey evaluate`. Prints AUC per machine, mean over sections, then trials, and what each recipe
has more than `fusion`, paired by trial, by `offkey compare`.

With `--vectors` it prints how far the embeddings are from those of `measure.py`, which computes them in Python. They
agree to rounding where no clip is resampled; resamplers differ by far more. With `--learn` it learns a monitor per section of the first manifest, by `offkey learn`, and judges that section's
test clips by `offkey check`: pooled spectra, and the same with the encoder.

OFFKEY has to be built with the feature `onnx`; ORT_DYLIB_PATH says where ONNX Runtime is. Needs numpy and
scikit-learn.
"""

import argparse
import collections
import csv
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
from sklearn.metrics import roc_auc_score

BACKENDS = {"nearest": "[backend.knn]\n", "shrunk": "[backend.shrunk-mahalanobis]\nfloor = 0.05\n"}
SPECTRA = """
[fusion]
rule = "max"
members = [
    "mean",
    "mean-deviation",
    { gwrp = { r = 0.5, first = "loudest" } },
    { gwrp = { r = 0.97, first = "quietest" } },
]
"""
SPECTRA_ALONE = "four pooled spectra"
WHOLE = "four and encoder, shrunk"
"""The recipe that is run; the encoder's others are of its embeddings."""


def run(*words, codes=(0,)):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode not in codes:
        sys.exit(f"`{' '.join(words)}` failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def recipes(recipe, onnx, out):
    """Files of recipes by name: the encoder alone and beside four pooled spectra, by two backends."""
    text = recipe.read_text()
    digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    text = re.sub(r'(?m)^file = "[^"]*"', f'file = "{onnx}"', text)
    text = re.sub(r'(?m)^sha256 = "[^"]*"', f'sha256 = "{digest}"', text)
    bare, found = re.sub(r"(?m)^\[(backend|fusion)[^\[]*", "", text), {}
    for spectra in ("", SPECTRA):
        for backend, table in BACKENDS.items():
            name = f"{'four and ' if spectra else ''}encoder, {backend}"
            found[name] = out / f"{name}.toml"
            found[name].write_text(f"{bare}\n{table}{spectra}")
    return found


def made(offkey, name, recipe, data, whole, folder):
    """A run of a recipe; of the encoder's from the embeddings of one."""
    if (folder / "metrics.json").is_file():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    if whole is None or not whole.is_dir():
        words = ["--recipe", recipe, "--out", folder, "--force", "--quiet"]
        run(offkey, "run", "--data", data, *words)
        return
    shutil.copytree(whole, folder)
    (folder / "metrics.json").unlink()
    shutil.copy(recipe, folder / "recipe.toml")
    run(offkey, "score", folder, "--quiet")
    run(offkey, "evaluate", folder, "--quiet")


def trial(data):
    return data.stem if data.is_file() else data.name


def learnt(offkey, name, options, manifest, out):
    """AUC per section of a monitor, and how many normals and anomalies alarm."""
    with manifest.open(newline="") as file:
        table = list(csv.DictReader(file))
    found = {}
    for section in sorted({(row["machine"], row["section"]) for row in table}):
        here = [row for row in table if (row["machine"], row["section"]) == section]
        folder = out / "_".join([name.replace(" ", "-").replace(",", ""), *section])
        folder.mkdir(parents=True, exist_ok=True)
        train = folder / "train.csv"
        with train.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "group"])
            for row in here:
                if row["split"] == "train" and row["label"] == "normal":
                    writer.writerow([(manifest.parent / row["path"]).resolve(), row["group"]])
        tested = [row for row in here if row["split"] == "test"]
        labels = {row["label"] for row in tested}
        if len(labels) < 2:
            continue
        model = folder / "model.offkey"
        run(offkey, "learn", train, "-o", model, "--force", "--quiet", *options)
        paths = [manifest.parent / row["path"] for row in tested]
        said = json.loads(run(offkey, "check", *paths, "--model", model, "--json", codes=(0, 3, 4)))["clips"]
        score = [one["score"] for one in said]
        anomalous = np.array([row["label"] != "normal" for row in tested])
        alarms = np.array([one["verdict"] == "alarm" for one in said])
        found[section] = (roc_auc_score(anomalous, score), alarms[~anomalous].mean(), alarms[anomalous].mean())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("offkey", type=pathlib.Path)
    parser.add_argument("recipe", type=pathlib.Path)
    parser.add_argument("onnx", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path, nargs="+")
    parser.add_argument("--vectors", type=pathlib.Path, help="what measure.py wrote with --out")
    parser.add_argument("--learn", action="store_true")
    parser.add_argument("--only-learn", action="store_true")
    args = parser.parse_args()
    offkey, onnx = args.offkey.resolve(), args.onnx.resolve()
    if "ORT_DYLIB_PATH" not in os.environ:
        sys.exit("say where ONNX Runtime is with ORT_DYLIB_PATH, see docs/onnx.md")
    args.out.mkdir(parents=True, exist_ok=True)
    files = recipes(args.recipe, onnx, args.out.resolve())
    names = [SPECTRA_ALONE, WHOLE, *(name for name in files if name != WHOLE)]
    auc = collections.defaultdict(list)
    for data in args.data if not args.only_learn else ():
        for name in names:
            folder = args.out / name / trial(data)
            whole = args.out / WHOLE / trial(data) if name not in (SPECTRA_ALONE, WHOLE) else None
            made(offkey, name, files.get(name, "fusion"), data, whole, folder)
            for row in json.loads((folder / "metrics.json").read_text())["per_section"]:
                if row["auc"] is not None:
                    auc[name, row["machine"]].append(row["auc"])
                    auc[name, "all"].append(row["auc"])
        if args.vectors:
            print(f"{trial(data)}: {difference(args.out / WHOLE / trial(data), args.vectors / f'{trial(data)}.npy')}")
        print(f"{trial(data)} is done", flush=True)
    for (name, machine), values in auc.items():
        print(f"{name:28} {machine:8} AUC {np.mean(values):.3f} (n={len(values)})")
    if not args.only_learn:
        folders = [args.out / name for name in names]
        if len(args.data) == 1:
            folders = [folder / trial(args.data[0]) for folder in folders]
        print(run(offkey, "compare", *folders))
    for name in (SPECTRA_ALONE, "encoder, nearest", WHOLE) if args.learn or args.only_learn else ():
        options = [] if name == SPECTRA_ALONE else ["--recipe", files[name]]
        found = learnt(offkey, name, options, args.data[0], args.out / "learn")
        if not found:
            sys.exit(f"{args.data[0]} has no column `split` with normal and anomalous test clips")
        area, false, caught = np.array(list(found.values())).mean(0)
        print(f"learn, {name}: AUC {area:.3f} over {len(found)} machines; alarms of normals {false:.2f}, of anomalies {caught:.2f}")


def difference(folder, vectors):
    """How far a run's embeddings are from Python's, clip by clip."""
    ours, theirs = np.load(folder / "embeddings/embeddings.npy"), np.load(vectors)
    with (folder / "embeddings/rows.csv").open(newline="") as file:
        names = [row["path"] for row in csv.DictReader(file)]
    with vectors.with_suffix(".rows.csv").open(newline="") as file:
        rows = {row["path"]: index for index, row in enumerate(csv.DictReader(file))}
    found = {name: index for name in names for path, index in rows.items() if name.endswith(path)}
    theirs = np.stack([theirs[found[name]] for name in names])
    cosine = 1 - (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    largest = abs(ours - theirs).max() / abs(theirs).max()
    return f"{len(ours)} clips, largest difference {largest:.1e} of the largest number, cosine distance {cosine.max():.1e}"


if __name__ == "__main__":
    main()
