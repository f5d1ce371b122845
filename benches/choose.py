#!/usr/bin/env python3
"""How much is lost by choosing a detector without anomalies? `offkey choose` against the truth, on real recordings.

    choose.py --out DIR [--binary offkey] [--data FOLDER] [--sets mimii uavmix bldc slider] [--folds 0]

Each split of one_machine.py is one machine. `offkey choose` ranks its candidates on the normals alone; then every
candidate is learned and checked, which gives its AUC on the anomalies. Regret: the AUC of the best candidate of a
split less that of the one taken; beside it the regret of always taking the fusion, of taking what is best on all
other sets, and of drawing one at random. What DIR already contains is not computed again.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import tempfile

import numpy as np

import one_machine

ALONE = {
    "mean spectrum alone": '"mean"',
    "spectrum and its variation alone": '"mean-deviation"',
    "loudest moments alone": '{ gwrp = { r = 0.5, first = "loudest" } }',
    "quietest moments alone": '{ gwrp = { r = 0.97, first = "quietest" } }',
}
RECIPE = """name = "{name}"
[model.pooled]
pooling = {pooling}
[backend.shrunk-mahalanobis]
"""


def candidates(folder):
    """Arguments of `learn` for every candidate, by the name that `choose` prints."""
    words = {"fusion": [], "fusion by the mean": ["--recipe", "fusion", "--set", 'fusion.rule="mean"']}
    for name, pooling in ALONE.items():
        path = folder / f"{name.replace(' ', '-')}.toml"
        path.write_text(RECIPE.format(name=name, pooling=pooling))
        words[name] = ["--recipe", str(path)]
    for name in ("log-mel-statistics", "spectrogram-statistics"):
        words[name] = ["--recipe", name]
    return words


def chosen(binary, split):
    """What `choose` says: the estimated AUC of each candidate, and the one taken."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = pathlib.Path(folder) / "normals.csv"
        lines = ["path,machine,section,domain,split,label,attributes,group"]
        lines += [f"{path.resolve()},machine,00,,,normal,,{group}" for path, group, _ in split.normals]
        manifest.write_text("\n".join(lines) + "\n")
        done = subprocess.run([binary, "choose", manifest, "--quiet"], capture_output=True, text=True)
    if "cannot be compared on" in done.stderr:
        return {"estimated": {}, "taken": "fusion"}  # too few recordings: the default
    if done.returncode != 0:
        raise SystemExit(f"{split.name}: {done.stderr}")
    rows = re.findall(r"^(.+?)\s{2,}(0\.\d+|1\.000)\s+\S+\s+\S+$", done.stdout, re.M)
    taken = re.search(r"^taken: (.+?): ", done.stdout, re.M).group(1)
    return {"estimated": {name: float(area) for name, area in rows}, "taken": taken}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(one_machine.ROOT / "target/release/offkey"))
    parser.add_argument("--data", type=pathlib.Path,
                        default=os.environ.get("OFFKEY_TEST_DATA") or one_machine.ROOT.parent / "shared/data")
    parser.add_argument("--sets", nargs="+", default=list(one_machine.SETS), choices=list(one_machine.SETS))
    parser.add_argument("--folds", nargs="+", type=int, default=[0])
    args = parser.parse_args()
    splits = [split for name in args.sets for split in one_machine.SETS[name](args.data, args.folds)]
    args.out.mkdir(parents=True, exist_ok=True)
    words = candidates(args.out)
    truth, said = {}, {}
    for split in splits:
        stem = split.name.replace("/", "_").replace(" ", "_")
        said[split.name] = one_machine.once(args.out / f"chosen/{stem}.json", lambda: chosen(args.binary, split))
        truth[split.name] = {
            name: one_machine.once(args.out / f"{name}/{stem}.json", lambda: one_machine.learned(args, split, rest))["auc"]
            for name, rest in words.items()
        }
    sets = list(dict.fromkeys(split.set for split in splits))
    of_set = {name: [split.name for split in splits if split.set == name] for name in sets}
    mean_in = lambda chosen_set, candidate: np.mean([truth[s][candidate] for s in of_set[chosen_set]])
    # Sets of one kind of machine are left out together: `mimii fan 8` says much of `mimii fan 16`.
    kind = lambda name: name.rstrip("0123456789 ")
    elsewhere = {
        name: max(words, key=lambda c: np.mean([mean_in(o, c) for o in sets if kind(o) != kind(name)] or [0]))
        for name in sets
    }
    takes = {
        "choose": lambda split: said[split.name]["taken"],
        "always the fusion": lambda split: "fusion",
        "the best on other sets": lambda split: elsewhere[split.set],
    }
    best = {split.name: max(truth[split.name].values()) for split in splits}

    def over_sets(values):
        per_set = [np.mean([values[s] for s in of_set[name]]) for name in sets]
        errors = [np.std([values[s] for s in of_set[name]], ddof=1) / np.sqrt(len(of_set[name]))
                  if len(of_set[name]) > 1 else 0.0 for name in sets]
        return np.mean(per_set), np.sqrt(np.sum(np.square(errors))) / len(sets)

    print(f"{len(splits)} splits of {len(sets)} sets; mean over sets (standard error over splits)\n")
    print("| way to take a candidate | AUC | regret |\n| --- | --- | --- |")
    for way, take in takes.items():
        auc, _ = over_sets({s.name: truth[s.name][take(s)] for s in splits})
        regret, error = over_sets({s.name: best[s.name] - truth[s.name][take(s)] for s in splits})
        print(f"| {way} | {auc:.3f} | {regret:.3f} ({error:.3f}) |")
    auc, _ = over_sets({s.name: np.mean(list(truth[s.name].values())) for s in splits})
    regret, error = over_sets({s.name: best[s.name] - np.mean(list(truth[s.name].values())) for s in splits})
    print(f"| one at random | {auc:.3f} | {regret:.3f} ({error:.3f}) |")
    print("\n| candidate | AUC | AUC that `choose` estimates | taken |\n| --- | --- | --- | --- |")
    for name in words:
        auc, _ = over_sets({s.name: truth[s.name][name] for s in splits})
        guesses = [said[s.name]["estimated"][name] for s in splits if name in said[s.name]["estimated"]]
        guess = np.mean(guesses) if guesses else np.nan
        taken = sum(said[s.name]["taken"] == name for s in splits)
        print(f"| {name} | {auc:.3f} | {guess:.3f} | {taken} of {len(splits)} |")


if __name__ == "__main__":
    main()
