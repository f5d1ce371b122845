"""The batch function without Spark: bytes or paths in, rows out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import offkey
import pyarrow as pa
from conftest import BREAKS_OFF, BROKEN

from offkey_spark import SCHEMA, Scorer


def rows(scorer: Scorer, *batches: pa.RecordBatch) -> list[dict[str, Any]]:
    return [row for batch in scorer(iter(batches)) for row in batch.to_pylist()]


def test_bytes_and_paths_give_the_plain_programs_rows(
    archive: Path, model: Path, plain: dict[str, dict[str, Any]]
) -> None:
    paths = [f"fan/{number:04}.wav" for number in range(300, 449)] + [BREAKS_OFF]
    scorer = Scorer(model.read_bytes(), str(archive))
    halves = [pa.record_batch({"path": half}) for half in (paths[:70], paths[70:])]
    by_path = rows(scorer, *halves)
    assert [row["path"] for row in by_path] == paths, "one row per clip, in order"
    contents = [(archive / path).read_bytes() for path in paths]
    by_bytes = rows(Scorer(model.read_bytes()), pa.record_batch({"path": paths, "content": contents}))
    assert by_bytes == by_path
    for row in by_path:
        assert all(row[key] == plain[row["path"]].get(key) for key in SCHEMA.names)
    assert sum(row["score"] is None for row in by_path) == 1, BROKEN
    assert by_path[-1]["score"] is not None and "cut short" in by_path[-1]["damage"]


def test_embeddings_are_a_column_beside_the_same_verdicts(archive: Path, model: Path) -> None:
    content = model.read_bytes()
    asked = pa.record_batch({"path": ["fan/0001.wav", "fan/none.wav", BREAKS_OFF]})
    plain = rows(Scorer(content, str(archive)), asked)
    scorer = Scorer(content, str(archive), embeddings=True)
    embedded = rows(scorer, asked)
    heard = [row.pop("embedding") for row in embedded]
    assert embedded == plain
    assert heard[1:] == [None, None], "neither what is absent nor what breaks off"
    detector = offkey.Detector.load(model)
    members = detector.embed_bytes((archive / "fan/0001.wav").read_bytes())
    assert len(heard[0]) == sum(rows.shape[1] for rows in members) > 100
    assert len(members[0]) == len(detector.check(archive / "fan/0001.wav").windows)
    assert scorer.schema.names == [*SCHEMA.names, "embedding"]


def test_what_cannot_be_had_is_a_row_with_the_reason(archive: Path, model: Path) -> None:
    content = model.read_bytes()
    asked = pa.record_batch({"path": ["fan/0001.wav", "fan/none.wav"]})
    judged, missing = rows(Scorer(content, str(archive)), asked)
    assert judged["score"] is not None
    assert (missing["score"], missing["verdict"]) == (None, "cannot_tell")
    assert missing["reason"] == "`fan/none.wav` does not exist"
    (large, _) = rows(Scorer(content, str(archive), most_bytes=1000), asked)
    assert "more than the 1000 that are allowed" in large["reason"]
    (empty,) = rows(Scorer(content), pa.record_batch({"path": ["a"], "content": pa.array([None], pa.binary())}))
    assert empty["reason"] == "there are no bytes"
