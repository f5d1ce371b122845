"""Exports real runs and a monitor, and holds docs/onnx.md to what it says of them.

usage: onnx_run.py OFFKEY FOLDER

Makes synthetic recordings in FOLDER, runs and learns from them, exports, and runs the Python programs of
docs/onnx.md: the first must find small differences, the second must print what `offkey score` prints.

Then ONNX files stand in for the model of a recipe, in `run`, `learn` and `check`: the exported network has to give
the embeddings and scores of the run it is from, and an encoder that only averages spectrograms those of `fusion`.
OFFKEY needs the feature `onnx`, and ORT_DYLIB_PATH.
"""

import csv
import hashlib
import json
import pathlib
import re
import subprocess
import sys

import numpy
import onnx
from onnx import TensorProto, helper

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


def run(*words, codes=(0,)):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode not in codes:
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
    as_encoder(offkey, folder, data, normals)


FOREIGN = """
name = "foreign"
[audio]
length = "loop"
[model.onnx]
file = "{file}"
sha256 = "{digest}"
rate_hz = 16000
clip_s = 2.0
{front}
[backend.knn]
[threshold.percentile]
q = 0.9
"""
AVERAGING = """
layout = "channel-transposed"
subtract = -30.0
divide = 4.0
blocks = { size = 1, hop = 1 }
output = "mean"
[model.onnx.front.log-mel]
floor_rule = "add"
"""


def recipe_of(path, file, front):
    digest = hashlib.sha256((path.parent / file).read_bytes()).hexdigest()
    path.write_text(FOREIGN.format(file=file, digest=digest, front=front))
    return path


def as_encoder(offkey, folder, data, normals):
    """ONNX files as the model of a recipe."""
    network = recipe_of(folder / "network.toml", "tiny.onnx", 'front = "waveform"')
    averaging(folder / "averaging.onnx")
    spectra = recipe_of(folder / "averaging.toml", "averaging.onnx", AVERAGING)
    for recipe, like in ((network, "tiny"), (spectra, "fusion")):
        out = folder / recipe.stem
        run(offkey, "run", "--data", data, "--out", out, "--recipe", recipe, "--quiet")
        found, expected = (numpy.load(of / "embeddings/embeddings.npy") for of in (out, folder / like))
        difference = abs(found - expected).max() / abs(expected).max()
        if found.shape != expected.shape or difference > MOST_DIFFERENCE:
            sys.exit(f"{recipe}: embeddings differ from those of `{like}` by {difference:.1e}")
        print(f"{recipe.name}: embeddings of {len(found)} clips are those of `{like}`, {difference:.1e} apart at most")
    found, expected = scores(folder / "network"), scores(folder / "tiny")
    worst = max(abs(found[clip] - expected[clip]) / max(1.0, abs(expected[clip])) for clip in expected)
    if found.keys() != expected.keys() or worst > SCORE_DIGITS:
        sys.exit(f"network.toml: scores differ from those of `tiny` by {worst:.1e}")
    print(f"network.toml: scores of {len(found)} clips are those of `tiny`, {worst:.1e} apart at most")
    for recipe in (network, spectra):
        model = folder / f"{recipe.stem}.offkey"
        run(offkey, "learn", normals, "-o", model, "--recipe", recipe, "--quiet")
        test = normals.parent / "test"
        said = json.loads(run(offkey, "check", test, "--model", model, "--json", codes=(0, 3, 4)))["clips"]
        if len(said) < 4 or any(clip["score"] is None for clip in said):
            sys.exit(f"{recipe.name}: a monitor cannot judge all of {said}")
        # A network after twenty steps hears little; a mean spectrum hears these faults.
        worst = {label: max(clip["score"] for clip in said if label in clip["path"]) for label in ("normal", "anomaly")}
        if recipe == spectra and worst["anomaly"] <= worst["normal"]:
            sys.exit(f"{recipe.name}: the largest scores of a monitor are {worst}")
        print(f"{recipe.name}: a monitor judges {len(said)} clips")
    changed = (folder / "averaging.onnx").read_bytes() + b"\0"
    (folder / "averaging.onnx").write_bytes(changed)
    words = [offkey, "run", "--data", data, "--out", folder / "changed", "--recipe", spectra, "--quiet"]
    refused = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if refused.returncode == 0 or "SHA-256" not in refused.stderr:
        sys.exit(f"an encoder with another content is not refused: {refused.stderr}")


def averaging(path):
    """An encoder that gives the mean over time of a spectrogram, `[batch, 1, mels, frames]`, beside another output."""
    number = lambda name, value: helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
    nodes = [
        helper.make_node("Mul", ["spectrogram", "divide"], ["whole"]),
        helper.make_node("Add", ["whole", "subtract"], ["levels"]),
        helper.make_node("ReduceMean", ["levels"], ["mean"], axes=[1, 3], keepdims=0),
        helper.make_node("ReduceMax", ["levels"], ["loudest"], axes=[1, 2, 3], keepdims=0),
    ]
    port = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
    graph = helper.make_graph(
        nodes,
        "averaging",
        [port("spectrogram", 1, 128, "frames")],
        [port("loudest"), port("mean", 128)],
        [number("divide", 4.0), number("subtract", -30.0)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def scores(run_folder):
    found = {}
    for path in sorted((run_folder / "scores").glob("*.csv")):
        with path.open(newline="") as file:
            found |= {row["path"]: float(row["score"]) for row in csv.DictReader(file)}
    return found


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
