#!/usr/bin/env python3
"""How cost grows with the amount of sound, with the length of clips and with threads; and how many times
faster than real time files are scored. Prints the tables of docs/performance.md.

    scaling.py --out DIR [--binary offkey] [--hours 1 5 20] [--threads 1 2] [--lengths 5 10 20]

Trains the paper's encoder for one pass over synthetic machines, made in DIR where they are absent, and
scores the test clips. Processor seconds and peak memory are those of the run's own manifest; memory
includes the cache of decoded clips, whose bound is 512 MiB.
"""

import argparse
import csv
import json
import pathlib
import resource
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ONE_PASS = "model.network.training.length={epochs=1}"


def offkey(args, *words):
    subprocess.run([args.binary, *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def sound(args, hours):
    folder = args.out / f"sound_{hours}h"
    if not folder.is_dir():
        part = args.out / f"part_{hours}h"
        offkey(args, "data", "synth", "--hours", hours, "--seed", 0, "--out", part)
        part.rename(folder)
    return folder


def run(args, name, hours, threads, length=10):
    """Manifest and metrics of a run, done where it is absent."""
    out = args.out / name
    if not (out / "metrics.json").is_file():
        settings = ["--set", ONE_PASS, "--set", f"model.network.encoder.clip_s={length}.0", "--set", "audio.length='loop'"]
        words = ["--data", sound(args, hours), "--recipe", "paper", *settings, "--threads", threads, "--seed", 0]
        offkey(args, "run", *words, "--quiet", "--force", "--out", out)
    return [json.loads((out / file).read_text()) for file in ("manifest.json", "metrics.json")]


def row(args, name, hours, threads, length=10):
    manifest, metrics = run(args, name, hours, threads, length)
    train_s, cpu_s = metrics["train_seconds"], manifest["cpu_seconds"]["train"]
    with open(args.out / name / "clips.csv", newline="") as file:
        clips = sum(clip["split"] == "train" for clip in csv.DictReader(file))
    peak = metrics["peak_memory_bytes"] / 1e6
    print(f"| {hours} h | {length} s | {threads} | {clips} | {train_s:.1f} | {cpu_s:.1f} | {1e3 * cpu_s / clips:.1f} | {peak:.0f} |", flush=True)


def real_time(args, threads):
    """Scores the test clips of the smallest set as files, and tells seconds of sound per second."""
    hours = min(args.hours)
    name = f"{hours}h_{max(args.threads)}"
    run(args, name, hours, max(args.threads))
    clips = sorted(sound(args, hours).rglob("test/*.wav"))
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    offkey(args, "score", *clips, "--model", args.out / name, "--threads", threads, "--json")
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"| {len(clips)} | {threads} | {wall:.2f} | {cpu:.2f} | {10 * len(clips) / wall:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    parser.add_argument("--hours", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--lengths", type=int, nargs="+", default=[5, 10, 20])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    print("| sound | clip | threads | clips trained on | train s | CPU s | CPU ms a clip | peak MB |\n|" + " --- |" * 8)
    for hours in args.hours:
        for threads in args.threads:
            row(args, f"{hours}h_{threads}", hours, threads)
    for length in args.lengths:
        if length != 10:
            row(args, f"length_{length}", min(args.hours), max(args.threads), length)
    print("\n| files of 10 s | threads | s | CPU s | times real time |\n|" + " --- |" * 5)
    for threads in args.threads:
        real_time(args, threads)


if __name__ == "__main__":
    main()
