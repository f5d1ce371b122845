"""Python and the command line give the same bytes and numbers on the same input."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

from conftest import CommandLine

import offkey


def files(folder: Path) -> dict[str, str]:
    """The digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_synthetic_machines(cli: CommandLine, machines: Path, tmp_path: Path) -> None:
    cli("data", "synth", "--out", tmp_path / "data", "--machines", 2, "--clips", 8, "--clip-s", 2)
    assert files(tmp_path / "data") == files(machines)


def test_a_monitor(cli: CommandLine, machines: Path, tmp_path: Path) -> None:
    machine = sorted(path for path in machines.iterdir() if path.is_dir())[0]
    train, test = machine / "train", machine / "test"
    cli("learn", train, "-o", tmp_path / "cli.offkey", "--name", "x")
    detector, _ = offkey.learn(train, output=tmp_path / "python.offkey", name="x")
    assert (tmp_path / "cli.offkey").read_bytes() == (tmp_path / "python.offkey").read_bytes()
    printed = cli.json(
        "check", test, "--model", tmp_path / "cli.offkey", "--windows", codes=(0, 3, 4)
    )["clips"]
    results = detector.check_all(test)
    assert len(results) == len(printed) >= 4
    for result, clip in zip(results, printed):
        for key in ("path", "score", "p_value", "verdict", "reason"):
            assert getattr(result, key) == clip[key]
        assert [(w.start_s, w.score, w.reason) for w in result.windows] == [
            (w["start_s"], w["score"], w["reason"]) for w in clip["windows"]
        ]


def test_a_run(cli: CommandLine, machines: Path, tmp_path: Path) -> None:
    options = {"model.network.training.length.steps": 4, "model.network.encoder.clip_s": 2.0}
    sets = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    cli("run", "--data", machines, "--recipe", "tiny", "--out", tmp_path / "cli", *sets)
    run = offkey.run("tiny", machines, tmp_path / "python", changes=options)
    of_cli, of_python = files(tmp_path / "cli"), files(tmp_path / "python")
    assert of_cli.keys() == of_python.keys()
    # What it took is of the moment: clocks and memory, and the page that shows them.
    of_the_moment = ("manifest.json", "metrics.json", "report.html")
    for name, digest in of_cli.items():
        if name not in of_the_moment:
            assert of_python[name] == digest, name
    costs = ("train_seconds", "clips_per_second", "peak_memory_bytes")
    metrics = [
        json.loads((tmp_path / who / "metrics.json").read_text()) for who in ("cli", "python")
    ]
    for cost in costs:
        for each in metrics:
            each.pop(cost)
    assert metrics[0] == metrics[1]
    detector, clip = offkey.Detector.load(run.root), run.scores().iloc[0]["path"]
    (scored,) = cli.json("score", clip, "--run", tmp_path / "cli")
    assert scored["score"] == detector.check(clip).score == run.scores().iloc[0]["score"]


def test_backends_on_embeddings(cli: CommandLine, run: offkey.Run, tmp_path: Path) -> None:
    from offkey.sklearn import EmbeddingDetector

    embeddings, clips = run.embeddings(), run.clips()
    cli(
        "score",
        "--embeddings", Path(run.root) / "embeddings" / "embeddings.npy",
        "--table", Path(run.root) / "embeddings" / "rows.csv",
        "--backend", "knn",
        "--out", tmp_path / "scores",
    )  # fmt: skip
    compared = 0
    for machine in sorted(set(clips["machine"])):
        here = (clips["machine"] == machine).to_numpy()
        train = here & (clips["split"] == "train").to_numpy()
        test = here & (clips["split"] == "test").to_numpy()
        detector = EmbeddingDetector("knn").fit(embeddings[train])
        of_python = dict(zip(clips["name"][test], detector.anomaly_score(embeddings[test])))
        for path in (tmp_path / "scores").glob(f"*{machine}*.csv"):
            with path.open(newline="") as table:
                for row in csv.DictReader(table):
                    assert float(row["score"]) == of_python[row["name"]]
                    compared += 1
    assert compared == int((clips["split"] == "test").sum())
