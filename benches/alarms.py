#!/usr/bin/env python3
"""Are promises about false alarms kept? Runs the command line on real recordings and prints the
tables of docs/alarms.md.

    alarms.py coverage --out DIR [--binary offkey] [--data FOLDER] [--seeds 0 1 2] [--set NAME ...] [--window 10 2]
    alarms.py change   --out DIR [...]

`coverage` learns from 10, 30, 100 and 300 windows of normal recordings, as far as there are so many, and
checks held-out normal and anomalous ones; with windows of 10 s, one a recording, and of 2 s, five a
recording. `change` learns under one condition, checks under another, updates with a few recordings of it,
and checks again. What DIR holds already is not run again. Only `learn`, `info`, `check` and `update` are
used; no score or threshold is touched here. The recordings are looked for in $OFFKEY_TEST_DATA, else
../shared/data.
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
CLIP_S = 10
STEPS = 80  # of training, fewer than the default 200, since many models are learned; does not touch the promise
TRAINED_SHARE = 0.7  # `learn` holds out the rest for calibration
SIZES = [10, 30, 100, 300]
TYPES = ["fan", "pump", "slider", "valve"]


class Clip:
    """A recording: its file, what tells recordings apart, and the machine it is of."""

    def __init__(self, path, group, machine="machine"):
        self.path, self.group, self.machine = pathlib.Path(path), group, machine


def mimii(data, kinds):
    """Normal and anomalous clips of the four machines of each type, as microphone 0 heard them."""
    normal, anomalous = [], []
    for kind in kinds:
        for path in sorted((data / "mimii_dev" / kind).rglob("*_mic_0.flac")):
            label, number = re.match(r"(\w+?)_(\d+)_mic_0", path.name).groups()
            machine = f"{kind}_{path.parent.name}"
            clip = Clip(path, f"{machine}_{label}_{number}", machine)
            (anomalous if label == "anomaly" else normal).append(clip)
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


SETS = {
    **{kind: lambda data, kind=kind: mimii(data, [kind]) for kind in TYPES},
    "sixteen": lambda data: mimii(data, TYPES),
    "slider_id_00": slider,
    "bldc": bldc,
}


def offkey(args, *words, ok=(0, 3)):
    """Output of a command, which may end with the code of an alarm."""
    done = subprocess.run([args.binary, *map(str, words)], capture_output=True, text=True)
    if done.returncode not in ok:
        raise SystemExit(f"{words[0]} failed:\n{done.stderr}")
    return done.stdout


def learn(args, clips, window_s, seed, model):
    """Learns from clips listed in a manifest, which says of what machine each is."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "machine", "section", "domain", "split", "label", "attributes", "group"])
        rows.writerows([c.path.resolve(), c.machine, "00", "", "", "normal", "", c.group] for c in clips)
        file.flush()
        offkey(args, "learn", file.name, "-o", model, "--seed", seed, "--quiet", "--force",
               "--every", f"{window_s}s", "--set", f"model.network.encoder.clip_s={float(window_s)}",
               "--set", f"model.network.training.length={{steps={STEPS}}}")
    return card(args, model)


def card(args, model):
    """What the model promises, and on what."""
    found = json.loads(offkey(args, "info", model, "--json"))
    promise = found["promise"]
    return {
        "training": len(found["references"]),
        "calibration": promise["calibration_windows"],
        "recordings": promise["calibration_recordings"],
        "promise": promise["per_window"],  # none: nothing is promised
    }


def check(args, model, clips):
    """Verdicts of every window of each clip; the third motor has no anomalous ones."""
    if not clips:
        return []
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


def trial(args, name, window_s, size, seed):
    """Learns from about so many windows; nothing where there are so few recordings that it was done before."""
    normal, anomalous = SETS[name](args.data)
    test, pool = split_groups(normal, {"slider_id_00": 20}.get(name, 2), seed)
    clips_for = lambda windows: round(windows / TRAINED_SHARE / (CLIP_S // window_s))
    smaller = [s for s in SIZES if s < size]
    wanted = clips_for(size)
    one_each = len({clip.machine for clip in pool})
    if wanted < one_each or smaller and clips_for(smaller[-1]) > 0.8 * len(pool):
        return None
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.offkey"
        result = learn(args, pool[:wanted], window_s, seed, model)
        result |= {"normal": check(args, model, test), "anomalous": check(args, model, anomalous)}
    return result


def row(name, results):
    """One line of the table; false alarms are held against what is promised and what is true of new recordings."""
    normal = [clip for result in results for clip in result["normal"]]
    anomalous = [clip for result in results for clip in result["anomalous"]]
    mean = lambda key: sum(r[key] for r in results) / len(results)
    low, high = interval(normal)
    promised = [r for r in results if r["promise"]]
    percent = lambda of: f"{100 * sum(of(r) for r in promised) / len(promised):.1f}" if len(promised) == len(results) else "none"
    print(f"| {name} | {len(results)} | {mean('training'):.0f} | {mean('calibration'):.0f} of {mean('recordings'):.0f} | "
          f"{percent(lambda r: r['promise'])} | {percent(lambda r: 1 / (r['recordings'] + 1))} | "
          f"{100 * share(normal):.1f} ({100 * low:.1f} to {100 * high:.1f}) | {100 * share(anomalous):.1f} | "
          f"{100 * clips_alarmed(anomalous):.0f} | {100 * clips_alarmed(normal):.0f} | "
          f"{100 * share(normal + anomalous, 'cannot_tell'):.1f} |")


def coverage(args):
    results = {}
    for seed in args.seeds:
        for window_s in args.window:
            for name in args.set:
                for size in SIZES:
                    work = lambda: trial(args, name, window_s, size, seed)
                    found = once(args, f"coverage_{window_s}s_{name}_{size}_{seed}", work)
                    if found:
                        results.setdefault((window_s, name, size), []).append(found)
    for window_s in args.window:
        print(f"\nWindows of {window_s} s\n\n| set | models | training windows | calibration windows of recordings | promise % | "
              "at most % | false alarms % (95 %) | anomalous windows found % | anomalous clips found % | "
              "normal clips with an alarm % | cannot tell % |\n" + "|---" * 11 + "|")
        for name in args.set:
            for size in SIZES:
                if (window_s, name, size) in results:
                    row(name, results[window_s, name, size])
        for size in SIZES:
            promised = [r for name in args.set for r in results.get((window_s, name, size), []) if r["promise"]]
            if promised:
                row("all that promise", promised)


def unit(kind, changed):
    """Learn three machines of a type, then listen to a fourth, as when a machine is replaced by its like."""
    def choose(args, seed):
        normal, anomalous = mimii(args.data, [kind])
        new = lambda clips, is_new: [c for c in clips if c.machine.endswith(changed) == is_new]
        usual, before = split_groups(new(normal, False), 2, seed)
        test, after = split_groups(new(normal, True), 5, seed)
        return before, after, usual, test, new(anomalous, False), new(anomalous, True)
    return choose


def motor(changed):
    """Learn two brushless motors, then listen to the third."""
    def choose(args, seed):
        normal, anomalous = bldc(args.data)
        new = lambda clips, is_new: [c for c in clips if (c.machine == changed) == is_new]
        usual, before = split_groups(new(normal, False), 1, seed)
        test, after = split_groups(new(normal, True), 3, seed)
        return before, after, usual, test, new(anomalous, False), new(anomalous, True)
    return choose


def faster(args, seed):
    """Learn slow motors, then listen to fast ones. There are few recordings: one of each motor and speed."""
    normal, anomalous = bldc(args.data)
    speed = lambda clip: int(clip.path.stem)
    of = lambda *speeds: [clip for clip in normal if speed(clip) in speeds]
    fast = lambda is_fast: [clip for clip in anomalous if (speed(clip) > 1750) == is_fast]
    return of(1400, 1450, 1550, 1750), of(1950), of(1650), of(1850, 2000), fast(False), fast(True)


CHANGES = {
    "another unit (MIMII)": [unit(kind, f"id_0{number}") for kind in TYPES for number in (0, 2, 4, 6)],
    "another motor (brushless)": [motor(name) for name in ("M1", "M2", "M3")],
    "faster (brushless)": [faster],
}


def change_trial(args, choose, seed):
    before, after, usual, changed, anomalous, changed_anomalous = choose(args, seed)
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder) / "model.offkey"
        look = lambda: {"usual": check(args, model, usual), "changed": check(args, model, changed),
                        "anomalous": check(args, model, anomalous),
                        "changed_anomalous": check(args, model, changed_anomalous)}
        stages = {"as learned": learn(args, before, 2, seed, model) | look()}
        for count in (1, 3, 5):
            if count <= len(after):
                chosen = random.Random(seed).sample(after, count)
                offkey(args, "update", "--model", model, "--force", "--quiet", "--normal", *[c.path for c in chosen])
                stages[f"updated with {count}"] = card(args, model) | look()
                offkey(args, "update", "--model", model, "--undo", "--quiet")
    return stages


def change(args):
    print("| change | models | state | promise % | at most % | false alarms, usual % | false alarms, changed % (95 %) | "
          "faults found, usual % | faults found, changed % | cannot tell, changed % |\n" + "|---" * 10 + "|")
    for name, choices in CHANGES.items():
        words = "_".join(re.findall(r"\w+", name))
        trials = [once(args, f"change_{words}_{index}_{seed}", lambda: change_trial(args, choose, seed))
                  for seed in args.seeds for index, choose in enumerate(choices)]
        for stage in trials[0]:
            of = lambda key: [clip for t in trials for clip in t[stage][key]]
            mean = lambda value: 100 * sum(value(t[stage]) for t in trials) / len(trials)
            low, high = interval(of("changed"))
            print(f"| {name} | {len(trials)} | {stage} | {mean(lambda t: t['promise']):.1f} | "
                  f"{mean(lambda t: 1 / (t['recordings'] + 1)):.1f} | {100 * share(of('usual')):.1f} | "
                  f"{100 * share(of('changed')):.1f} ({100 * low:.1f} to {100 * high:.1f}) | "
                  f"{100 * share(of('anomalous')):.1f} | {100 * share(of('changed_anomalous')):.1f} | "
                  f"{100 * share(of('changed'), 'cannot_tell'):.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["coverage", "change"])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    default = os.environ.get("OFFKEY_TEST_DATA", ROOT.parent / "shared/data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--window", type=int, nargs="+", default=[10, 2])
    parser.add_argument("--set", nargs="+", default=list(SETS), choices=list(SETS))
    args = parser.parse_args()
    {"coverage": coverage, "change": change}[args.what](args)


if __name__ == "__main__":
    main()
