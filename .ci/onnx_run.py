"""Exports real runs and a monitor, and holds docs/onnx.md to what it says of them.

usage: onnx_run.py OFFKEY FOLDER

Makes synthetic recordings in FOLDER, runs and learns from them, exports, and runs the Python programs of
docs/onnx.md: the first must find small differences, the second must print what `offkey score` prints.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Cosine distance to one reference loses digits where it is small: 1e-8 of a distance of 1e-3.
SCORE_DIGITS = 2e-4
MOST_DIFFERENCE = 5e-5
QUICK = [
    "--set", "model.network.encoder.clip_s=2.0",
    "--set", "model.network.training.length={ steps = 20 }",
    "--set", "model.network.training.batch_clips=8",
]


def programs():
    text = (ROOT / "docs/onnx.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.S)


def run(*words):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"`{' '.join(words)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main():
    offkey, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    check, score = folder / "check.py", folder / "score.py"
    for path, program in zip((check, score), programs()):
        path.write_text(program)
    data = folder / "set"
    run(offkey, "data", "synth", "--out", data, "--machines", 2, "--clips", 12, "--clip-s", 2)
    recipes = [("tiny", QUICK), ("fusion", ["--set", "model.pooled.clip_s=2.0"])]
    for recipe, settings in recipes:
        out = folder / recipe
        run(offkey, "run", "--data", data, "--out", out, "--recipe", recipe, "--quiet", *settings)
        file = folder / f"{recipe}.onnx"
        for line in (run(offkey, "export", out, "--onnx", file), differences(check, file)):
            print(line, end="")
        compare(offkey, out, score, file, data)
    model = folder / "machine.offkey"
    normals = sorted(path for path in data.rglob("train") if path.is_dir())[0]
    run(offkey, "learn", normals, "--output", model, "--quiet")
    file = folder / "monitor.onnx"
    print(run(offkey, "export", model, "--onnx", file), end="")
    print(differences(check, file), end="")


def differences(check, file):
    text = run(sys.executable, check, file, file.with_suffix(".npz"))
    for line in text.splitlines():
        name, difference = line.rsplit(maxsplit=1)
        if float(difference) > MOST_DIFFERENCE:
            sys.exit(f"{file}: {name} differs by {difference}")
    return text


def compare(offkey, out, score, file, data):
    clips = sorted(path for path in data.rglob("test/*") if path.suffix in (".wav", ".flac"))[::2]
    worst = 0.0
    for clip in clips:
        (told,) = json.loads(run(offkey, "score", clip, "--run", out, "--json"))
        section = f"{told['machine']} {told['section']}"
        found = run(sys.executable, score, file, file.with_suffix(".npz"), clip, section).split()
        for found, expected in zip(map(float, found), (told["score"], told["threshold"])):
            worst = max(worst, abs(found - expected) / max(1.0, abs(expected)))
    if not clips or worst > SCORE_DIGITS:
        sys.exit(f"{file}: scores of {len(clips)} clips differ by {worst:.1e}")
    print(f"{file.name}: scores of {len(clips)} clips differ by {worst:.1e} at most")


main()
