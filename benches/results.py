#!/usr/bin/env python3
"""Runs recipes on the real sets, five trials each, and prints the tables of docs/RESULTS.md.

    results.py --out DIR [--binary offkey] [--data FOLDER] [--recipe NAME ...] [--set NAME ...]

A trial of mimii_dev is fold k with seed k; of uavmix_dev it is seed k. What DIR holds already is not
run again. The recordings are looked for in $OFFKEY_TEST_DATA, else ../shared/data.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRIALS = 5
RECIPES = ["log-mel-statistics", "spectrogram-statistics", "paper", "small", "medium", "default"]
SETS = {"mimii_dev": "mimii_dev/fold_{trial}.csv", "uavmix_dev": "uavmix_dev"}


def trial(args, recipe, name, number):
    """Metrics and manifest of one trial, run where it is absent."""
    run = args.out / f"{name}_{recipe}" / str(number)
    if not (run / "metrics.json").is_file():
        data = args.data / SETS[name].format(trial=number)
        command = [args.binary, "run", "--quiet", "--force", "--data", data, "--recipe", recipe]
        subprocess.run([*command, "--out", run, "--seed", str(number)], check=True, stdout=subprocess.DEVNULL)
    return [json.loads((run / file).read_text()) for file in ("metrics.json", "manifest.json")]


def spread(values, factor=100.0, digits=1):
    """Mean and sample deviation as text, or a dash."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{factor * statistics.fmean(values):.{digits}f} ± {factor * deviation:.{digits}f}"


def table(args, name):
    machines = None
    for recipe in args.recipe:
        results = [trial(args, recipe, name, number) for number in range(TRIALS)]
        metrics = [metric for metric, _ in results]
        if machines is None:
            machines = [row["machine"] for row in metrics[0]["per_machine"]]
            head = ["recipe", "AUC", "pAUC", "AUC source", "AUC target", "official", *machines, "train s", "CPU s", "clips/s", "peak MB"]
            print(f"\n## {name}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
        row = [recipe]
        row += [spread([m[key] for m in metrics]) for key in ("auc", "pauc", "auc_source", "auc_target", "official_score")]
        for machine in machines:
            row.append(spread([r["arithmetic"]["auc"] for m in metrics for r in m["per_machine"] if r["machine"] == machine]))
        row.append(spread([m["train_seconds"] for m in metrics], 1.0, 0))
        row.append(spread([manifest["cpu_seconds"].get("train") for _, manifest in results], 1.0, 0))
        row.append(spread([m["clips_per_second"] for m in metrics], 1.0, 0))
        row.append(f"{max(m['peak_memory_bytes'] or 0 for m in metrics) / 1e6:.0f}")
        print(f"| {' | '.join(row)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    default = os.environ.get("OFFKEY_TEST_DATA", ROOT.parent / "shared/data")
    parser.add_argument("--data", type=pathlib.Path, default=default)
    parser.add_argument("--recipe", nargs="+", default=RECIPES)
    parser.add_argument("--set", nargs="+", default=list(SETS), choices=list(SETS))
    args = parser.parse_args()
    for name in args.set:
        table(args, name)


if __name__ == "__main__":
    main()
