#!/usr/bin/env python3
"""Are promises about false alarms kept? Runs the command line on real recordings and prints the
tables of docs/alarms.md.

    alarms.py coverage --out DIR [--binary offkey] [--data FOLDER] [--seeds 0 1] [--set NAME ...]
    alarms.py change   --out DIR [...]

`coverage` learns from 10, 30, 100 and more windows of normal recordings and checks held-out normal
and anomalous ones. `change` learns under one condition, checks under another, updates with a few
recordings of it, and checks again. What DIR holds already is not run again. Only `learn`, `info`,
`check` and `update` are used; no score or threshold is touched here. The recordings are looked for in
$OFFKEY_TEST_DATA, else ../shared/data.
"""

import argparse
import csv
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WINDOW_S = 2.0
STEPS = 80
# Shorter windows than the default ten seconds, since the sets are small; and fewer steps than the
# default 200, since many models are learned. Neither touches the promise.
SETTINGS = [
    "--every", f"{WINDOW_S}s", "--set", f"model.network.encoder.clip_s={WINDOW_S}",
    "--set", f"model.network.training.length={{steps={STEPS}}}",
]
TRAINED_SHARE = 0.7  # `learn` holds out the rest for calibration
SIZES = [10, 30, 100, 300]
TYPES = ["fan", "pump", "slider", "valve"]


class Clip:
    """A recording: its file, what tells recordings apart, and the machine it is of."""

    def __init__(self, path, group, machine="machine"):
        self.path, self.group, self.machine = pathlib.Path(path), group, machine


def mimii(data, kind, microphones=("0", "4")):
    """Normal and anomalous clips of the four machines of a type."""
    normal, anomalous = [], []
    for path in sorted((data / "mimii_dev" / kind).rglob("*.flac")):
        label, number, microphone = re.match(r"(\w+?)_(\d+)_mic_(\d)", path.name).groups()
        machine = f"{kind}_{path.parent.name}"
        clip = Clip(path, f"{machine}_{label}_{number}", machine)
        clip.microphone = microphone
        if label == "anomaly":
            anomalous.append(clip)
        elif microphone in microphones:
            normal.append(clip)
    return normal, anomalous


def slider(data):
    """One machine of DCASE 2020, every clip a recording of its own."""
    folder = data / "dcase_samples/dcase2020/slider"
    clips = [Clip(path, path.name) for path in sorted(folder.rglob("*id_00*.flac"))]
    return [c for c in clips if "normal" in c.path.name], [c for c in clips if "anomaly" in c.path.name]


def bldc(data):
    """Three brushless motors at many speeds; the one file of another rate is left out."""
    with open(data / "bldc/manifest.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] != "M1_healthy_1400"]
    clips = [(row, Clip(data / "bldc" / row["path"], row["group"], row["section"])) for row in rows]
    normal = [clip for row, clip in clips if row["label"] == "normal"]
    return normal, [clip for row, clip in clips if row["label"] == "anomaly"]


SETS = {**{kind: lambda data, kind=kind: mimii(data, kind) for kind in TYPES}, "slider_id_00": slider, "bldc": bldc}


def offkey(args, *words, ok=(0, 3)):
    """Output of a command, which may end with the code of an alarm."""
    done = subprocess.run([args.binary, *map(str, words)], capture_output=True, text=True)
    if done.returncode not in ok:
        raise SystemExit(f"{words[0]} failed:\n{done.stderr}")
    return done.stdout


def learn(args, clips, seed, model):
    """Learns from clips laid out as a manifest, so that two microphones of one recording stay together."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "machine", "section", "domain", "split", "label", "attributes", "group"])
        rows.writerows([c.path.resolve(), c.machine, "00", "", "", "normal", "", c.group] for c in clips)
        file.flush()
        offkey(args, "learn", file.name, "-o", model, "--seed", seed, "--quiet", "--force", *SETTINGS)
    return card(args, model)


def card(args, model):
    """What the model promises, and on what."""
    found = json.loads(offkey(args, "info", model, "--json"))
    promise = found["promise"]
    return {
        "training": len(found["references"]),
        "calibration": promise["calibration_windows"],
        "promise": promise["per_window"] or 1 / (promise["calibration_windows"] + 1),
    }


def check(args, model, clips):
    """Verdicts of every window of each clip."""
    text = offkey(args, "check", *[c.path for c in clips], "--model", model, "--json", "--windows")
    found = json.loads(text)["clips"]
    return [
        {"group": clip.group, "verdicts": [window["verdict"] for window in verdict["windows"]]}
        for clip, verdict in zip(clips, found)
    ]


def split_groups(clips, held_out, seed):
    """Clips of so many recordings of every machine; and the rest, shuffled by recording, the machines taking
    turns, so that a beginning of it has as much of every machine."""
    chosen, turns = [], []
    for machine in sorted({clip.machine for clip in clips}):
        groups = sorted({clip.group for clip in clips if clip.machine == machine})
        random.Random(f"{seed} {machine}").shuffle(groups)
        for turn, group in enumerate(groups):
            members = [clip for clip in clips if (clip.machine, clip.group) == (machine, group)]
            if turn < held_out:
                chosen += members
            else:
                turns += [(turn, machine, clip) for clip in members]
    return chosen, [clip for _, _, clip in sorted(turns, key=lambda entry: entry[:2])]


def once(args, name, work):
    """The stored result of a piece of work, done where it is absent."""
    path = args.out / f"{name}.json"
    if not path.is_file():
        args.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(work()))
        print(f"did {name}", flush=True)
    return json.loads(path.read_text())


def share(clips, verdict="alarm"):
    windows = [w for clip in clips for w in clip["verdicts"]]
    return sum(w == verdict for w in windows) / max(1, len(windows))


def interval(clips, draws=2000):
    """95 % interval of the share of alarms, resampling recordings."""
    groups = {}
    for clip in clips:
        groups.setdefault(clip["group"], []).append(clip)
    names, chance = sorted(groups), random.Random(0)
    counts = {name: (sum(w == "alarm" for c in groups[name] for w in c["verdicts"]),
                     sum(len(c["verdicts"]) for c in groups[name])) for name in names}
    shares = []
    for _ in range(draws):
        drawn = [counts[name] for name in chance.choices(names, k=len(names))]
        shares.append(sum(a for a, _ in drawn) / max(1, sum(n for _, n in drawn)))
    shares.sort()
    return shares[int(0.025 * draws)], shares[int(0.975 * draws)]


def clips_alarmed(clips):
    return sum("alarm" in clip["verdicts"] for clip in clips) / max(1, len(clips))


def trial(args, name, size, seed):
    normal, anomalous = SETS[name](args.data)
    held_out = {"slider_id_00": 20, "bldc": 2}.get(name, 2)
    test, pool = split_groups(normal, held_out, seed)
    per_clip = int(10 // WINDOW_S)
    wanted = max(3, round(size / TRAINED_SHARE / per_clip))
    if size != SIZES[0] and wanted > len(pool) and SIZES[SIZES.index(size) - 1] / TRAINED_SHARE / per_clip >= len(pool):
        return None
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.offkey"
        result = learn(args, pool[:wanted], seed, model)
        result |= {"normal": check(args, model, test), "anomalous": check(args, model, anomalous)}
    return result


def row(name, size, results):
    normal = [clip for result in results for clip in result["normal"]]
    anomalous = [clip for result in results for clip in result["anomalous"]]
    mean = lambda key: sum(r[key] for r in results) / len(results)
    low, high = interval(normal)
    print(f"| {name} | {mean('training'):.0f} | {mean('calibration'):.0f} | {100 * mean('promise'):.1f} | "
          f"{100 * share(normal):.1f} ({100 * low:.1f} to {100 * high:.1f}) | {100 * share(anomalous):.1f} | "
          f"{100 * clips_alarmed(anomalous):.0f} | {100 * clips_alarmed(normal):.0f} | "
          f"{100 * share(normal + anomalous, 'cannot_tell'):.1f} |")


def coverage(args):
    results = {}
    for seed in args.seeds:
        for size in [30, 100, 300, 10]:
            for name in args.set:
                found = once(args, f"coverage_{name}_{size}_{seed}", lambda: trial(args, name, size, seed))
                if found:
                    results.setdefault((name, size), []).append(found)
    print("| set | training windows | calibration windows | promise % | false alarms % (95 %) | anomalous windows found % | "
          "anomalous clips found % | normal clips with an alarm % | cannot tell % |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in args.set:
        for size in SIZES:
            if (name, size) in results:
                row(name, size, results[name, size])
    for size in SIZES:
        types = [r for name in TYPES for r in results.get((name, size), [])]
        if types:
            row("MIMII, all four", size, types)


def microphone(args, seed):
    """Learn with microphone 0, then listen with microphone 4, which hears the machine from elsewhere."""
    clips = [clip for kind in TYPES for clip in mimii(args.data, kind)[0]]
    test, pool = split_groups(clips, 3, seed)
    before = [clip for clip in pool if clip.microphone == "0"]
    after = [clip for clip in pool if clip.microphone == "4"]
    anomalous = [clip for kind in TYPES for clip in mimii(args.data, kind)[1]]
    usual = [clip for clip in test if clip.microphone == "0"]
    return before, after, usual, [clip for clip in test if clip.microphone == "4"], anomalous


def mission(args, seed):
    """Learn one flight mission and its noises, then listen to another mission in other noises."""
    folder = args.data / "uavmix_dev/UAV"
    with open(args.data / "uavmix_dev/truth.csv") as file:
        flight = {row["file"]: row["flight"] for row in csv.DictReader(file)}
    of = lambda pattern: [Clip(p, flight.get(p.name, p.name)) for p in sorted(folder.glob(pattern))]
    before = of("train/*source*normal*")
    random.Random(seed).shuffle(before)
    return (before[:60], of("train/*target*normal*"), of("test/*source*normal*"), of("test/*target*normal*"),
            of("test/*source*anomaly*"))


def change_trial(args, choose, seed):
    before, after, usual, changed, anomalous = choose(args, seed)
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.offkey"
        stages = {"as learned": learn(args, before, seed, model)}
        look = lambda: {"usual": check(args, model, usual), "changed": check(args, model, changed),
                        "anomalous": check(args, model, anomalous)}
        stages["as learned"] |= look()
        for count in (5, len(after)):
            chosen = random.Random(seed).sample(after, count)
            offkey(args, "update", "--model", model, "--force", "--quiet", "--normal", *[c.path for c in chosen])
            stages[f"updated with {count}"] = card(args, model) | look()
            offkey(args, "update", "--model", model, "--undo", "--quiet")
    return stages


def change(args):
    print("| change | model | promise % | false alarms, usual condition % | false alarms, changed condition % (95 %) | "
          "anomalous windows found, usual condition % | cannot tell, changed condition % |")
    print("|---|---|---|---|---|---|---|")
    for name, choose in (("microphone moved (MIMII)", microphone), ("mission and noise (UAV)", mission)):
        trials = [once(args, f"change_{choose.__name__}_{seed}", lambda: change_trial(args, choose, seed)) for seed in args.seeds]
        for stage in trials[0]:
            of = lambda key: [clip for t in trials for clip in t[stage][key]]
            promise = sum(t[stage]["promise"] for t in trials) / len(trials)
            low, high = interval(of("changed"))
            print(f"| {name} | {stage} | {100 * promise:.1f} | {100 * share(of('usual')):.1f} | "
                  f"{100 * share(of('changed')):.1f} ({100 * low:.1f} to {100 * high:.1f}) | "
                  f"{100 * share(of('anomalous')):.1f} | {100 * share(of('changed'), 'cannot_tell'):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["coverage", "change"])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    default = os.environ.get("OFFKEY_TEST_DATA", ROOT.parent / "shared/data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--set", nargs="+", default=list(SETS), choices=list(SETS))
    args = parser.parse_args()
    {"coverage": coverage, "change": change}[args.what](args)


if __name__ == "__main__":
    main()
