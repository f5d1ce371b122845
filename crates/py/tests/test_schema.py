"""What the program prints as JSON has the shape that the reference states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import CommandLine

import offkey

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "schema"


def holds(name: str, found: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(found, schema)


def test_every_schema_is_one_and_is_named_in_the_reference() -> None:
    page = (SCHEMAS.parent / "files.md").read_text()
    found = sorted(path.stem for path in SCHEMAS.glob("*.json"))
    assert found == ["check", "compare", "event", "info", "metrics", "score"]
    for name in found:
        assert f"schema/{name}.json" in page


def test_a_schema_refuses_what_it_does_not_know() -> None:
    with pytest.raises(jsonschema.ValidationError):
        holds("check", {"expected_false_alarms": 0.1, "clips": [{"path": "a.wav"}]})
    with pytest.raises(jsonschema.ValidationError):
        holds("check", {"expected_false_alarms": 0.1, "clips": [], "more": 1})


def test_a_monitor_speaks_as_stated(cli: CommandLine, tmp_path: Path) -> None:
    model, log = tmp_path / "fan.offkey", tmp_path / "events.jsonl"
    # Faults that are heard: 10 dB above the noise.
    sounds = ("--machines", "1", "--clips", "24", "--clip-s", "2", "--snr", "10", "--seed", "3")
    cli("data", "synth", "--out", tmp_path / "data", *sounds, "--quiet")
    machine = tmp_path / "data" / "fan"
    cli("learn", machine / "train", "--output", model, "--quiet")
    state = tmp_path / "state"
    watch = ("watch", machine / "test", "--model", model, "--once", "--alarms", "1/1")
    cli(*watch, "--quiet", "--log", log, "--state", state, codes=(0, 3, 4))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines
    for line in lines:
        holds("event", line)
    holds("info", cli.json("info", model, "--state", state))
    cli("update", "--normal", machine / "test", "--model", model, "--force", "--quiet")
    holds("info", cli.json("info", model))
    holds("check", cli.json("check", machine / "test", "--model", model, "--windows", codes=(0, 3, 4)))


def test_a_run_speaks_as_stated(cli: CommandLine, machines: Path, run: offkey.Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    holds("metrics", cli.json("run", "--data", machines, "--recipe", "fusion", "--out", other, "--quiet"))
    holds("metrics", json.loads((Path(run.root) / "metrics.json").read_text()))
    holds("metrics", cli.json("evaluate", other, "--year", "2023"))
    seeds = tmp_path / "seeds"
    quick = ("--data", machines, "--recipe", "log-mel-statistics", "--seeds", "0..2", "--out", seeds)
    holds("metrics", cli.json("run", *quick, "--quiet"))
    machine = next(folder for folder in sorted(machines.iterdir()) if (folder / "test").is_dir())
    holds("score", cli.json("score", machine / "test", "--run", other))
    holds("compare", cli.json("compare", run.root, other))
