"""``offkey-spark`` as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import HERE


def offkey_spark(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "offkey_spark", *map(str, words), "--master", "local[1]"]
    settings = {"PYTHONPATH": f"{HERE.parent}:{os.environ.get('PYTHONPATH', '')}", "PYSPARK_PYTHON": sys.executable}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | settings)


def test_the_program_says_what_it_has_done(archive: Path, model: Path, tmp_path: Path) -> None:
    done = offkey_spark(model, archive / "fan", tmp_path / "RESULTS", "--clips-per-shard", 400)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["clips"], said["scored"], said["bad"], said["shards"]) == (1000, 998, 2, 3)
    assert 0 < said["cpu_s"] and 50 < said["peak_mb"] < 500
    assert len(list((tmp_path / "RESULTS").glob("scores/shard=*/clips.parquet"))) == 3


def test_mistakes_end_with_a_sentence(archive: Path, model: Path, tmp_path: Path) -> None:
    done = offkey_spark(model, tmp_path / "nowhere", tmp_path / "RESULTS")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: cannot read `{tmp_path}/nowhere`: there is no such folder"
    done = offkey_spark(model, archive, tmp_path / "RESULTS", "--clips-per-shard", 0)
    assert done.returncode == 2 and "--clips-per-shard must be at least 1" in done.stderr
