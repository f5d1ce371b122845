"""What the tests share: small synthetic clips, a model, the plain program, a local S3 server and a local cluster."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import offkey
import pytest
from pyspark.sql import SparkSession

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CLIPS = 2000
BROKEN = {
    "fan/0007.wav": b"",
    "fan/0423.wav": b"not a sound at all",
    "pump/1203.wav": None,
    "pump/1999.wav": bytes(44),
}
"""Clips that are no recordings; None is one cut short within its first window."""
BREAKS_OFF = "pump/1500.wav"
"""A recording of three windows that is cut short in the last one: the others are judged."""


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic machine with healthy and faulty clips of one second."""
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    offkey.synthesize(folder, machines=1, clips=40, clip_s=1.0)
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def model(machine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "fan.offkey"
    offkey.learn(machine / "train", output=path)
    return path


@pytest.fixture(scope="session")
def archive(machine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 clips, four of them broken, and a file that is no clip."""
    folder = tmp_path_factory.mktemp("archive")
    sounds = [path.read_bytes() for path in sorted(machine.rglob("*.wav"))]
    for part in ("fan", "pump"):
        (folder / part).mkdir()
    for number in range(CLIPS):
        name = f"{'fan' if number < CLIPS // 2 else 'pump'}/{number:04}.wav"
        sound = sounds[number % len(sounds)]
        broken = BROKEN.get(name, sound)
        (folder / name).write_bytes(sound[:9000] if broken is None else broken)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as long:
        with wave.open(io.BytesIO(sounds[0])) as short:
            long.setparams(short.getparams())
            long.writeframes(3 * short.readframes(short.getnframes()))
    (folder / BREAKS_OFF).write_bytes(buffer.getvalue()[:-10_000])
    (folder / "notes.txt").write_text("no clip\n")
    return folder


@pytest.fixture(scope="session")
def plain(archive: Path, model: Path) -> dict[str, dict[str, Any]]:
    """What the plain program says of the archive, by path."""
    program = os.environ.get("OFFKEY_CLI") or shutil.which("offkey")
    if program is None:
        pytest.skip("the program is not built: say where it is with OFFKEY_CLI")
    done = subprocess.run(
        [program, "check", "fan", "pump", "--model", str(model), "--json", "--quiet"],
        cwd=archive, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode in (0, 3, 4), done.stderr
    clips = json.loads(done.stdout)["clips"]
    rows = {clip["path"]: clip for clip in clips}
    assert len(rows) == len(clips) == CLIPS
    return rows


@pytest.fixture(scope="session")
def bucket(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The archive in a local S3 server, whose address the environment tells."""
    import boto3

    log = (tmp_path_factory.mktemp("moto") / "log").open("w")
    server = subprocess.Popen(
        [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", "0"],
        stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        address = _address_in(Path(log.name))
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
        client.create_bucket(Bucket="archive")
        for path in sorted(path for path in archive.rglob("*") if path.is_file()):
            client.put_object(Bucket="archive", Key=f"2026/{path.relative_to(archive)}", Body=path.read_bytes())
        yield "s3://archive/2026"
    finally:
        server.kill()
        server.wait()
        log.close()


def _address_in(log: Path) -> str:
    """Where the server listens, as its log says."""
    for _ in range(600):
        for word in log.read_text().split():
            if word.startswith("http://127.0.0.1:"):
                urllib.request.urlopen(word, timeout=10).close()
                return word.rstrip("/")
        time.sleep(0.1)
    raise AssertionError(f"the S3 server did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def spark(bucket: str) -> Iterator[SparkSession]:
    """Two executors, each a process of its own. The environment with the store's address reaches them."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ["PYTHONPATH"] = path
    session = (
        SparkSession.builder.master("local-cluster[2,1,512]")
        .appName("offkey-tests")
        .config("spark.executor.memory", "512m")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.executorEnv.PYTHONPATH", path)
        .getOrCreate()
    )
    yield session
    session.stop()
