"""2,000 clips through S3 on a local cluster, while workers and executors are killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import offkey
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import BROKEN, CLIPS, ROOT
from obstore.store import S3Store
from pyspark.sql import SparkSession

from offkey_spark import ArchiveError, Scorer, score_archive
from offkey_spark.scorer import SPARK_SCHEMA, SPARK_WITH_EMBEDDING
from offkey_spark.store import AUDIO, fetch, open_store, read_table, recordings

SHARDS = 20


def table(results: Path, name: str) -> list[dict[str, Any]]:
    """Every row of a table of the results."""
    found = sorted((results / name).glob("shard=*/clips.parquet"))
    return pa.concat_tables(pq.ParquetFile(path).read() for path in found).to_pylist()


def is_the_plain_programs(row: dict[str, Any], clip: dict[str, Any]) -> bool:
    return all(row[key] == clip.get(key) for key in row)


def processes(words: bytes) -> list[int]:
    """Processes below this one whose command line has these words."""
    found, parents = [], {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid, parent = (
                int(folder.name),
                int((folder / "stat").read_text().rpartition(")")[2].split()[1]),
            )
            parents[pid] = parent
            if words in (folder / "cmdline").read_bytes():
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue

    def ours(pid: int) -> bool:
        while pid > 1:
            pid = parents.get(pid, 0)
            if pid == os.getpid():
                return True
        return False

    return [pid for pid in found if ours(pid)]


def workers() -> list[int]:
    """Python workers: the children of Spark's daemon, which has the same command line."""
    daemons = set(processes(b"pyspark.daemon"))
    parent = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in daemons}
    return [pid for pid in daemons if parent[pid] in daemons]


def killed_meanwhile(results: Path, kills: list[tuple[int, Callable[[], list[int]]]]) -> threading.Thread:
    """Kills one process each time that so many shards are done."""

    def watch() -> None:
        for shards, victims in kills:
            while len(list(results.glob("scores/shard=*/clips.parquet"))) < shards:
                time.sleep(0.05)
            os.kill(victims()[0], signal.SIGKILL)
            killed.append(shards)

    killed: list[int] = []
    thread = threading.Thread(target=watch, daemon=True)
    thread.killed = killed  # type: ignore[attr-defined]
    thread.start()
    return thread


@pytest.fixture(scope="module")
def results(spark: SparkSession, bucket: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Verdicts on the archive in S3; a worker and an executor were killed on the way."""
    out = tmp_path_factory.mktemp("results")
    kills = [(2, workers), (6, lambda: processes(b"CoarseGrainedExecutorBackend"))]
    thread = killed_meanwhile(out, kills)
    summary = score_archive(spark, model, bucket, str(out), clips_per_shard=CLIPS // SHARDS)
    thread.join(10)
    assert thread.killed == [2, 6]  # type: ignore[attr-defined]
    assert (summary.clips, summary.bad, summary.scored) == (CLIPS, 4, CLIPS - 4)
    assert (summary.shards, summary.shards_before) == (SHARDS, 0)
    assert summary.repeated >= 1, "what was killed was at work"
    return out


def test_every_clip_has_one_row_and_it_is_the_plain_programs(results: Path, plain: dict[str, dict[str, Any]]) -> None:
    scores, bad = table(results, "scores"), table(results, "bad")
    paths = [row["path"] for row in scores + bad]
    assert len(paths) == CLIPS
    assert set(paths) == set(plain)
    for row in scores + bad:
        assert is_the_plain_programs(row, plain[row["path"]]), row
    assert {row["verdict"] for row in scores} >= {"normal", "alarm"}


def test_bad_clips_are_quarantined_with_the_reason(results: Path) -> None:
    bad = {row["path"]: row for row in table(results, "bad")}
    assert set(bad) == set(BROKEN)
    assert "holds no samples" in bad["fan/0007.wav"]["reason"]
    assert "is text, which is not decoded" in bad["fan/0423.wav"]["reason"]
    assert "cut short" in bad["pump/1203.wav"]["reason"]
    assert all(row["verdict"] == "cannot_tell" and row["score"] is None for row in bad.values())
    assert all(row["score"] is not None for row in table(results, "scores"))


def test_what_is_done_is_not_done_again(spark: SparkSession, bucket: str, model: Path, results: Path) -> None:
    files = sorted(results.glob("*/shard=*/*.parquet"))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    lost = [results / f"scores/shard={shard:05}/clips.parquet" for shard in (3, 11)]
    for path in lost:
        path.unlink()
    again = score_archive(spark, model, bucket, str(results), clips_per_shard=77)
    assert (again.shards, again.shards_before) == (2, SHARDS - 2)
    assert again.scored + again.bad == 2 * CLIPS // SHARDS
    assert sorted(results.glob("*/shard=*/*.parquet")) == files
    redone = {f"shard={shard:05}" for shard in (3, 11)}
    for path, (content, time_ns) in before.items():
        assert path.read_bytes() == content, "the same clips give the same bytes"
        if path.parent.name not in redone:
            assert path.stat().st_mtime_ns == time_ns, "it was not touched"
    nothing = score_archive(spark, model, bucket, str(results))
    assert (nothing.shards, nothing.scored, nothing.bad) == (0, 0, 0)


def test_results_may_be_in_the_object_store(spark: SparkSession, bucket: str, model: Path, results: Path) -> None:
    part = f"{bucket}/fan"
    out = "s3://archive/results"
    summary = score_archive(spark, model, part, out, clips_per_shard=500)
    assert (summary.clips, summary.bad, summary.shards) == (1000, 2, 2)
    store = open_store(out)
    rows = [
        row for shard in range(2) for row in read_table(store, f"scores/shard={shard:05}/clips.parquet").to_pylist()
    ]
    judged = {row["path"]: row["score"] for row in table(results, "scores")}
    assert len(rows) == 998
    assert all(row["score"] == judged[f"fan/{row['path']}"] for row in rows)


def test_embeddings_are_a_column_of_the_results(
    spark: SparkSession, bucket: str, model: Path, results: Path, archive: Path, tmp_path: Path
) -> None:
    part, out = f"{bucket}/fan", tmp_path / "embedded"
    summary = score_archive(spark, model, part, str(out), clips_per_shard=250, embeddings=True)
    assert (summary.clips, summary.bad, summary.shards) == (1000, 2, 4)
    rows = table(out, "scores")
    judged = {row["path"]: row for row in table(results, "scores")}
    members = offkey.Detector.load(model).embed_bytes((archive / "fan/0001.wav").read_bytes())
    expected = sum(member.shape[1] for member in members)
    assert expected > 100
    for row in rows:
        embedding, plain = row.pop("embedding"), judged[f"fan/{row['path']}"]
        assert len(embedding) == expected and np.isfinite(embedding).all()
        assert all(row[key] == plain[key] for key in ("score", "p_value", "verdict"))
    frame = spark.read.parquet(str(out / "scores"))
    assert dict(frame.dtypes)["embedding"] == "array<float>"
    with pytest.raises(ArchiveError, match="its embeddings is True, this one's is False"):
        score_archive(spark, model, part, str(out), clips_per_shard=250)


def test_the_batch_function_works_in_a_job_of_ones_own(
    spark: SparkSession, model: Path, archive: Path, plain: dict[str, dict[str, Any]]
) -> None:
    paths = [f"fan/{number:04}.wav" for number in range(20)]
    clips = [(path, bytearray((archive / path).read_bytes())) for path in paths]
    frame = spark.createDataFrame(clips, "path string, content binary").repartition(2)
    content = model.read_bytes()
    found = {row["path"]: row.asDict() for row in frame.mapInArrow(Scorer(content), SPARK_SCHEMA).collect()}
    assert found.keys() == set(paths)
    for path, row in found.items():
        assert is_the_plain_programs(row, plain[path]) or path in BROKEN, row
    embedded = frame.mapInArrow(Scorer(content, embeddings=True), SPARK_WITH_EMBEDDING).collect()
    assert {row["path"] for row in embedded if row["embedding"]} == set(paths) - BROKEN.keys()
    assert all(row["score"] == found[row["path"]]["score"] for row in embedded)


def test_results_of_another_job_are_refused(
    spark: SparkSession, bucket: str, model: Path, results: Path, archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArchiveError, match="its archive is s3://archive/2026, this one's is .*another place"):
        score_archive(spark, model, str(archive), str(results))
    other = tmp_path / "other.offkey"
    other.write_bytes(model.read_bytes() + b"\n")
    with pytest.raises(ArchiveError, match="its model is"):
        score_archive(spark, other, bucket, str(results))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveError, match="holds no recordings"):
        score_archive(spark, model, str(tmp_path / "empty"), str(tmp_path / "out"))
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        score_archive(spark, model, str(tmp_path / "nowhere"), str(tmp_path / "out"))


def test_a_clip_that_is_gone_since_it_was_listed_is_bad(
    spark: SparkSession, model: Path, archive: Path, tmp_path: Path
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(archive / "fan", clips, ignore=lambda _, names: [n for n in names if n > "0004"])
    assert score_archive(spark, model, str(clips), str(out)).scored == 4
    (out / "scores/shard=00000/clips.parquet").unlink()
    (clips / "0001.wav").unlink()
    summary = score_archive(spark, model, str(clips), str(out))
    assert (summary.scored, summary.bad) == (3, 1)
    assert table(out, "bad")[0]["reason"] == "`0001.wav` does not exist"


def test_a_store_that_does_not_answer_blames_no_clip() -> None:
    nobody = S3Store(
        "archive", endpoint="http://127.0.0.1:9", client_options={"allow_http": True},
        access_key_id="test", secret_access_key="test", region="us-east-1", retry_config={"max_retries": 0},
    )  # fmt: skip
    with pytest.raises(obstore.exceptions.BaseError):
        fetch(nobody, "0001.wav", 1 << 20)


def test_the_same_names_are_recordings_as_for_the_program(archive: Path) -> None:
    text = (ROOT / "crates/core/src/names.rs").read_text()
    listed = re.search(r"AUDIO_EXTENSIONS: \[&str; \d+\] = \[(.*?)\]", text, re.DOTALL)
    assert listed and set(re.findall(r'"(\w+)"', listed[1])) == AUDIO
    found = recordings(open_store(str(archive)))
    assert len(found) == CLIPS and found == sorted(found)
