#!/usr/bin/env python3
"""Runs the cases made from public bug reports against a built program and says which hold.

    cases.py OFFKEY [--cases FOLDER] [--only NN ...] [--keep DIR]

FOLDER (default: ../shared/cases beside the checkout) has one folder per case with a `make.py` that writes its
inputs; it is copied before anything is made. What must hold is written below, one function per case. Needs numpy
and soundfile for the inputs. Exit code 0: all hold, or the folder is absent (said so); 1: at least one does not.
"""

import argparse
import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECIPE = ROOT / "testdata/monitor/recipe.toml"
SECONDS = 120  # no command on these small inputs may take longer


class Case:
    """One case: its folder, the program, and what held."""

    def __init__(self, program, root, name):
        self.program, self.root, self.folder, self.name = program, root, root / name, name
        self.out = root / "out"
        self.base = root / "00-base/base.offkey"
        self.failures = []

    def holds(self, law, condition, found=""):
        if not condition:
            self.failures.append(law)
        print(f"  {'ok' if condition else 'FAILED'}: {law}" + ("" if condition else f" ({str(found)[:300]})"))

    def run(self, *words, stdin=None, shell=None):
        """(exit code, output, errors); a command that takes too long has code `None`."""
        command = shell or [self.program, *map(str, words)]
        try:
            done = subprocess.run(command, cwd=self.folder, capture_output=True, stdin=stdin or subprocess.DEVNULL,
                                  timeout=SECONDS, shell=shell is not None, executable="/bin/bash" if shell else None)
        except subprocess.TimeoutExpired:
            return None, "", "takes too long"
        text = lambda raw: raw.decode("utf-8", "replace")
        return done.returncode, text(done.stdout), text(done.stderr)

    def check(self, *words, model=None):
        """Verdicts by file name, and the exit code."""
        code, output, errors = self.run("check", *words, "--model", model or self.base, "--json", "--threads", 1)
        try:
            clips = {pathlib.PurePath(clip["path"]).name: clip for clip in json.loads(output)["clips"]}
        except (ValueError, KeyError):
            clips = {}
            self.holds("check prints JSON", False, f"{code} {output[:100]} {errors[:200]}")
        return clips, code

    def pipe(self, path, *words):
        """Window rows that `watch -` prints for a file's bytes, exit code (4: the stream ended), errors."""
        with open(path, "rb") as file:
            code, output, errors = self.run("watch", "-", "--model", self.base, "--windows", "--threads", 1, *words, stdin=file)
        return windows_of(output), code, errors

    def learn(self, data, model, *words):
        return self.run("learn", data, "-o", model, "--force", "--recipe", RECIPE, "--every", "0.5s", "--threads", 1, *words)

    def alike(self, clips, reference, tolerance=0.05):
        for name, clip in sorted(clips.items()):
            same = clip["score"] is not None and abs(clip["score"] - clips[reference]["score"]) <= tolerance
            self.holds(f"{name} is heard as {reference}", same and clip["verdict"] == clips[reference]["verdict"],
                       (clip["verdict"], clip["score"], clip["reason"]))


def windows_of(output):
    """Rows about windows of what `watch` printed."""
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [row["window"] if isinstance(row.get("window"), dict) else row for row in rows
            if "window" in row or ("start_s" in row and "verdict" in row)]


def events_of(output):
    return [row for row in map(json.loads, filter(lambda l: l.startswith("{"), output.splitlines())) if "event" in row]


def base(case):
    code, _, errors = case.learn("normal", case.base)
    case.holds("the base model is learned", code == 0, errors)
    clips, code = case.check("fresh")
    case.holds("fresh normal recordings raise no alarm", code in (0, 4) and all(c["verdict"] != "alarm" for c in clips.values()), clips)
    clips, code = case.check("faulty")
    case.holds("every fault is an alarm", code == 3 and all(c["verdict"] == "alarm" for c in clips.values()), clips)


def zeros(case):
    clips, _ = case.check("in")
    case.alike(clips, "plain.wav")
    for words in (["in"], ["in/zoom.wav"]):
        code, output, errors = case.run("watch", *words, "--model", case.base, "--once", "--windows", "--threads", 1)
        case.holds(f"watch {words[0]} hears windows", code == 0 and windows_of(output), errors)
    rows, code, errors = case.pipe(case.folder / "in/zoom.wav")
    case.holds("the pipe hears six windows", code in (0, 4) and len(rows) == 6, (len(rows), errors))


def too_large(case):
    clips, _ = case.check("one")
    case.alike({name: clip for name, clip in clips.items() if name != "planned_60s.wav"}, "plain.wav")
    case.holds("a power cut leaves what was heard", clips["planned_60s.wav"]["score"] is not None, clips["planned_60s.wav"])
    code, _, errors = case.learn("bar", case.out / "bar.offkey")
    case.holds("a recorder's 44 surplus bytes do not stop learning", code == 0, errors)


def unfinished(case):
    clips, _ = case.check("in")
    case.alike(clips, "plain.wav")
    for path in sorted((case.folder / "in").iterdir()):
        rows, code, errors = case.pipe(path)
        case.holds(f"{path.name} through a pipe has six windows", code in (0, 4) and len(rows) == 6, (code, len(rows), errors))


def wrapped(case):
    clips, code = case.check("in")
    case.holds("the fault behind the announced end is found", clips["says_3s_has_12s.wav"]["verdict"] == "alarm"
               or "header" in clips["says_3s_has_12s.wav"]["reason"], clips["says_3s_has_12s.wav"])
    case.holds("a chunk behind the sound is no complaint", clips["3s_and_list.wav"]["verdict"] == clips["first_3s_only.wav"]["verdict"], clips)


def flac_tags(case):
    clips, _ = case.check("in")
    case.alike(clips, "plain.flac")


def flac_header(case):
    clips, _ = case.check("in")
    whole = ["plain.flac", "total_doubled.flac", "total_0.flac", "padding_16M.flac", "bits24.flac"]
    case.alike({name: clips[name] for name in whole if name in clips}, "plain.flac", 0.1)
    for name in ("last_frame_cut.flac", "bits32.flac", "rate_384k.flac"):
        told = clips[name]["score"] is not None or clips[name]["reason"]
        case.holds(f"{name} is heard or its trouble named", told, clips[name])


def alignment(case):
    clips, _ = case.check("in")
    for name, clip in sorted(clips.items()):
        if name == "plain24.wav":
            continue
        # Eight bits add noise of their own, which may be heard; the sound must be read all the same.
        close = clip["score"] is not None and (name == "u8.wav" or abs(clip["score"] - clips["plain24.wav"]["score"]) < 0.6)
        refused = clip["verdict"] == "cannot_tell"
        case.holds(f"{name} is read right or refused", close or refused, clip)
        rows, code, errors = case.pipe(case.folder / "in" / name)
        if refused:
            case.holds(f"{name} is refused through the pipe as well", code not in (0, 3) or not rows, (code, rows[:1], errors))
        else:
            worst = max((row["score"] for row in rows if row.get("score") is not None), default=None)
            case.holds(f"{name} has the same score through the pipe", worst is not None and abs(worst - clip["score"]) < 1e-6,
                       (worst, clip["score"], code, errors))


def containers(case):
    clips, _ = case.check("in")
    read = {"flac_in.wav", "wav_in.flac"}
    # Their coding may be heard, and is said.
    lossy = ("mp3.wav", "mp3_id3.wav", "ogg.wav", "msadpcm.wav")
    for name, clip in sorted(clips.items()):
        if name in read:
            case.holds(f"{name} is read by its content", clip["verdict"] in ("normal", "suspicious"), clip)
        else:
            case.holds(f"{name} is heard as the machine, or refused by name", clip["verdict"] != "alarm" or name in lossy, clip)
    for name in lossy:
        clip = clips[name]
        case.holds(f"{name}: that it is coded otherwise is said", clip.get("differs") and "coded as" in clip["reason"], clip)
    for path in sorted((case.folder / "in").iterdir()):
        if path.name == "raw.wav":
            continue  # raw samples are what a pipe is made for
        rows, code, errors = case.pipe(path)
        verdict = clips[path.name]["verdict"]
        both = (verdict == "cannot_tell") == (not any(row.get("score") is not None for row in rows))
        case.holds(f"{path.name}: pipe and file judge alike", both, (verdict, code, len(rows), errors))


def junk(case):
    clips, code = case.check("in/stick")
    case.holds("six recordings are judged, nothing else", sorted(clips) == [f"day{i}.WAV" for i in range(6)], sorted(clips))
    case.holds("a deleted recording raises no alarm", code != 3, code)
    shutil.copy(case.base, case.out / "junk.offkey")
    code, output, errors = case.run("update", "--model", case.out / "junk.offkey", "--normal", "in/stick", "--threads", 1)
    case.holds("update takes the six", code == 0, output + errors)


def names(case):
    code, output, errors = case.run("run", "--data", "in", "--recipe", "log-mel-statistics", "--out", case.out / "names", "--force", "--threads", 1)
    case.holds("a run over all names ends well", code == 0, errors)
    code, output, _ = case.run("check", "in/pump/normal", "--model", case.base, "--csv", "--threads", 1)
    rows = list(csv.DictReader(io.StringIO(output)))
    files = os.listdir(os.fsencode(case.folder / "in/pump/normal"))
    case.holds("the table has one row per file", len(rows) == len(files), (len(rows), len(files)))
    read = {os.path.basename(row["path"]).lstrip("'") for row in rows}
    lost = [f for f in files if f.decode("utf-8", "replace") not in read and not f.startswith((b"=", b"-"))]
    case.holds("a CSV reader reads the names back", not lost, lost)
    code, _, errors = case.run("check", "--model", case.base, "--threads", 1, "--", "in/pump/normal/-rf.wav")
    case.holds("a name that begins with a dash is judged", code in (0, 3, 4), errors)
    smallest = os.fsencode(case.folder / "min")
    os.makedirs(smallest, exist_ok=True)
    shutil.copy(case.root / "00-base/fresh/normal_00.wav", os.path.join(smallest, b"good.wav"))
    shutil.copy(case.root / "00-base/faulty/whine_00.wav", os.path.join(smallest, b"fault_\xfc.wav"))
    for form in ("--csv", "--json"):
        code, output, errors = case.run("check", "min", "--model", case.base, form, "--threads", 1)
        case.holds(f"a name that is not UTF-8 does not lose the alarm ({form})", code == 3 and "alarm" in output, (code, errors))
    code, output, errors = case.run("watch", "min", "--once", "--model", case.base, "--windows", "--threads", 1)
    case.holds("watch hears it too", "alarm" in output, errors)


def channels(case):
    clips, _ = case.check("in")
    case.alike({n: clips[n] for n in ("mono.wav", "stereo_same.wav", "three_ch.wav")}, "mono.wav")
    inverted = clips["stereo_inverted.wav"]
    case.holds("inverted channels are named", "cancel" in inverted["reason"] or inverted["verdict"] == "normal", inverted)
    code, _, errors = case.learn("inverted", case.out / "inv.offkey")
    case.holds("learning from inverted channels names them", code == 0 or "cancel" in errors, errors)
    code, _, errors = case.learn("inverted", case.out / "inv0.offkey", "--set", "audio.channel={pick=0}")
    case.holds("one channel can be picked", code == 0, errors)


def short(case):
    words = ["run", "--data", "set", "--recipe", "log-mel-statistics", "--out", case.out / "short", "--force", "--threads", 1]
    code, output, errors = case.run(*words)
    case.holds("what has no sound is named", code in (0, 1) and ("zero_frames" in output + errors), (code, errors))
    code, output, errors = case.run(*words, "--skip-bad")
    case.holds("the rest runs", code == 0, errors)
    scored = "".join(p.read_text() for p in (case.out / "short/scores").glob("*.csv"))
    case.holds("no score for no sound", "zero_frames" not in scored, "")
    case.holds("it says that a minute is heard in part", "longer" in (output + errors) or "minute" in (output + errors), output + errors)


def unlabelled(case):
    code, output, errors = case.learn("eval_data/raw/pump", case.out / "eval.offkey")
    case.holds("learns from the training clips", code == 0 and re.search(r"\b12\b", output + errors), output + errors)
    clips, _ = case.check("eval_data/raw/pump/test", model=case.out / "eval.offkey")
    odd = [clips[f"section_00_{i:04}.wav"] for i in range(1, 12, 2)]
    case.holds("the faults among the test clips alarm", all(c["verdict"] == "alarm" for c in odd), [c["verdict"] for c in odd])


def dialects(case):
    code, output, errors = case.run(shell=f"{sys.executable} compare.py {case.program}")
    case.holds("no dialect gives other numbers", code == 0 and "OTHER NUMBERS" not in output, output + errors)


def copies(case):
    for name in ("copies", "half_copies", "pieces", "pure_tone"):
        code, output, errors = case.learn(name, case.out / f"{name}.offkey")
        text = output + errors
        if name == "copies":
            case.holds("copies: not twenty recordings", "20 recordings" not in text, text)
        if code == 0 and name != "pure_tone":
            clips, _ = case.check("../00-base/fresh", model=case.out / f"{name}.offkey")
            alarms = sum(clip["verdict"] == "alarm" for clip in clips.values())
            case.holds(f"{name}: not every fresh normal recording alarms", alarms < len(clips) or "recording" in text, (alarms, text))
        if code == 0 and name == "copies":
            info = json.loads(case.run("info", case.out / "copies.offkey", "--json")[1])
            case.holds("copies: nothing is promised from one recording", info["promise"].get("at_most") is None, info["promise"])


def slow_writer(case):
    for source, pause, chunk in (("one_bad_window.wav", "1.0", "32000"), ("first_window_bad.wav", "0.7", "1600")):
        code, output, errors = case.run(shell=f"bash run.sh {case.program} {source} {pause} {chunk}")
        told = re.search(r"windows told: (\d+), distinct: (\d+)", output)
        case.holds(f"{source}: each window is told once", bool(told) and told[1] == told[2] and int(told[1]) > 0, output + errors)
        case.holds(f"{source}: one odd window is no event", '"event":"alarm' not in output.replace(" ", "") and '"alarm_begins"' not in output, output)


def io_error(case):
    code, output, errors = case.run(shell=f"bash run.sh {case.program}")
    told = re.search(r"came back: (\d+)", output)
    case.holds("the recording is heard when the share is back", bool(told) and int(told[1]) > 0, output + errors)


def piped(case):
    heard = {"raw.pcm", "raw_odd.pcm", "u8.wav", "float64.wav", "rf64.wav", "odd_list_unpadded.wav", "two_files", "rifx.wav", "aiff.aiff", "w64.w64", "mp3.mp3"}
    for path in sorted((case.folder / "in").iterdir()):
        rows, code, errors = case.pipe(path)
        scores = [row for row in rows if row.get("score") is not None]
        if path.name in {"empty", "three_bytes", "head_only.wav", "m4a.m4a"}:
            case.holds(f"{path.name} is refused", code not in (0, 3) and not scores, (code, len(rows), errors))
        elif path.name in heard:
            right = all(row["verdict"] != "alarm" for row in scores) or path.name in ("mp3.mp3", "u8.wav")
            case.holds(f"{path.name} is judged as the machine, or refused", (scores and right) or code not in (0, 3), (code, rows[:2], errors))


def damaged(case):
    clips, code = case.check("in")
    case.holds("exit code 3", code == 3, code)
    for name, clip in sorted(clips.items()):
        case.holds(f"{name} keeps its alarm", clip["verdict"] == "alarm", clip)
    for name in ("fault_last_frame_cut.flac", "fault_power_cut.wav", "fault_last_sample_nan.wav"):
        words = clips[name]["reason"].lower() + " " + json.dumps(clips[name]).lower()
        case.holds(f"{name} names its damage", re.search(r"damage|cut|ends|missing|finite|number", words), clips[name])


CASES = {"00-base": base, "01-zoom-list-zeros": zeros, "02-size-too-large": too_large, "04-unfinalised-headers": unfinished,
         "05-size-wrapped": wrapped, "06-flac-trailing-tag": flac_tags, "07-flac-streaminfo": flac_header, "08-block-align": alignment,
         "10-renamed-containers": containers, "11-junk-files": junk, "12-names": names, "13-channels": channels, "16-short-and-empty": short,
         "18-learn-unlabelled": unlabelled, "21-score-file-dialects": dialects, "28-learn-copies": copies, "29-watch-slow-writer": slow_writer,
         "30-watch-io-error": io_error, "35-pipe-input": piped, "37-alarm-then-damage": damaged}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--cases", type=pathlib.Path, default=ROOT.parent / "shared/cases")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--keep", type=pathlib.Path, help="work in this folder and leave it")
    args = parser.parse_args()
    if not args.cases.is_dir():
        print(f"skipped: no cases in {args.cases}")
        return 0
    work = args.keep or pathlib.Path(tempfile.mkdtemp())
    root = work / "cases"
    shutil.copytree(args.cases, root, dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "u+w", root], check=True)
    (root / "out").mkdir(exist_ok=True)
    known = sorted(folder.name for folder in root.iterdir() if (folder / "make.py").exists())
    failed = []
    for name in known:
        if args.only and name != "00-base" and not any(name.startswith(only) for only in args.only):
            continue
        print(name)
        made = subprocess.run([sys.executable, "make.py"], cwd=root / name, capture_output=True, text=True)
        case = Case(args.program.resolve(), root, name)
        case.holds("its inputs are made", made.returncode == 0, made.stderr)
        if name not in CASES:
            case.holds("the script knows what must hold", False, name)
        elif made.returncode == 0:
            try:
                CASES[name](case)
            except Exception as error:  # a changed output form is a failure of this case, not of the others
                case.holds("its output has the expected form", False, repr(error))
        failed += [f"{name}: {law}" for law in case.failures]
    if not args.keep:
        shutil.rmtree(work)
    print(f"{len(failed)} failed" + "".join(f"\n  {line}" for line in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
