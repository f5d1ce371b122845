#!/usr/bin/env python3
"""What the cluster costs beside the plain program: processor seconds on the same clips, and memory while it runs.

    python bench/cost.py OFFKEY FOLDER [--recipe small] [--clips 10000] [--cores 2] [--embeddings]

FOLDER takes synthetic clips of ten seconds, each under many names, so that it stays small.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import offkey
from pyspark.sql import SparkSession

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from offkey_spark import score_archive  # noqa: E402

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def make(folder: Path, clips: int) -> Path:
    """A folder of clips: hard links to the few that were made."""
    made = folder / "made"
    if not made.exists():
        offkey.synthesize(made, machines=1, clips=60, clip_s=10.0)
    sounds = sorted(made.rglob("*.wav"))
    archive = folder / f"clips_{clips}"
    archive.mkdir()
    for number in range(clips):
        os.link(sounds[number % len(sounds)], archive / f"{number:06}.wav")
    return archive


def learned(program: str, folder: Path, recipe: str | None) -> Path:
    model = folder / f"{recipe or 'default'}.offkey"
    if not model.exists():
        train = next((folder / "made").rglob("train"))
        words = [program, "learn", str(train), "-o", str(model), "--quiet"]
        subprocess.run(words + (["--recipe", recipe] if recipe else []), check=True)
    return model


def plain(program: str, archive: Path, model: Path) -> tuple[float, float, dict[str, float]]:
    """Wall seconds, processor seconds, and the scores."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    words = [program, "check", str(archive), "--model", str(model), "--json", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode in (0, 3, 4), done.stderr
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    clips = json.loads(done.stdout)["clips"]
    return wall, cpu, {Path(clip["path"]).name: clip["score"] for clip in clips}


def descendants() -> dict[int, tuple[float, float, str]]:
    """Processes below this one: processor seconds, those of their own ended children among them, MB, and name."""
    stats = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu = sum(map(int, fields[11:15])) * TICK_S
        memory = int(fields[21]) * resource.getpagesize() / 2**20
        name = "python" if b"pyspark" in words and b"java" not in words.split(b"\0")[0] else "java"
        stats[int(folder.name)] = (int(fields[1]), cpu, memory, name)

    def ours(pid: int) -> bool:
        while pid in stats:
            pid = stats[pid][0]
            if pid == os.getpid():
                return True
        return False

    return {pid: stat[1:] for pid, stat in stats.items() if ours(pid)}


def on_spark(spark: SparkSession, archive: Path, model: Path, out: Path, embeddings: bool) -> dict[str, object]:
    memory: list[tuple[float, float]] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(1.0):
            found = [mb for _, mb, name in descendants().values() if name == "python"]
            done = len(list(out.glob("scores/shard=*/clips.parquet")))
            memory.append((done, max(found, default=0.0)))

    def cpu() -> dict[str, float]:
        found = descendants().values()
        return {kind: sum(c for c, _, name in found if name == kind) for kind in ("python", "java")}

    before, began = cpu(), time.monotonic()
    thread = threading.Thread(target=sample)
    thread.start()
    summary = score_archive(spark, model, str(archive), str(out), clips_per_shard=500, embeddings=embeddings)
    stop.set()
    thread.join()
    after = cpu()
    quarters = [[mb for done, mb in memory if done >= summary.shards * q / 4] for q in (1, 2, 3)]
    return {
        "wall": time.monotonic() - began,
        "workers": summary.cpu_s,
        "python": after["python"] - before["python"],
        "java": after["java"] - before["java"],
        "memory": [round(q[0]) for q in quarters if q] + [round(memory[-1][1])] if memory else [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe")
    parser.add_argument("--clips", type=int, nargs="+", default=[2500, 5000, 10_000])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--embeddings", action="store_true")
    arguments = parser.parse_args()
    folder, program = arguments.folder, str(Path(arguments.program).resolve())
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    spark = (
        SparkSession.builder.master(f"local-cluster[{arguments.cores},1,512]")
        .config("spark.executor.memory", "512m")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.executorEnv.MALLOC_ARENA_MAX", "2")
        .getOrCreate()
    )
    measured = []
    for clips in arguments.clips:
        archive = make(folder, clips)
        model = learned(program, folder, arguments.recipe)
        results = folder / f"results_{model.stem}_{clips}{'_embeddings' if arguments.embeddings else ''}"
        run = on_spark(spark, archive, model, results, arguments.embeddings)
        wall, cpu, scores = plain(program, archive, model)
        table = spark.read.parquet(str(results / "scores")).select("path", "score").toArrow()
        found = dict(zip(table["path"].to_pylist(), table["score"].to_pylist()))
        assert found == scores, "the scores are those of the plain program"
        line = {"clips": clips, "plain_wall": wall, "plain_cpu": cpu, **run}
        print(
            json.dumps({k: round(v, 1) if isinstance(v, float) else v for k, v in line.items()}),
            flush=True,
        )
        measured.append((clips, cpu, run["workers"], run["python"], run["java"]))
        subprocess.run(["rm", "-r", str(archive)], check=True)
    spark.stop()
    if len(measured) > 1:
        columns = np.array(measured, dtype=float).T
        for name, seconds in zip(("plain", "workers", "python", "java"), columns[1:]):
            slope, start = np.polyfit(columns[0], seconds, 1)
            print(f"{name}: {slope * 1e3:.2f} ms per clip, {start:+.1f} s; 10^7: {slope * 1e7 / 3600:.1f} core hours")


if __name__ == "__main__":
    main()
