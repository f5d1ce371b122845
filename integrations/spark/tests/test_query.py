"""The queries of docs/howto/cluster.md on real results."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from conftest import BROKEN, CLIPS, ROOT
from pyspark.sql import SparkSession

from offkey_spark import score_archive

PAGE = ROOT / "docs/howto/cluster.md"


def test_the_queries_of_the_docs_answer(
    spark: SparkSession,
    bucket: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    score_archive(spark, model, bucket, "RESULTS", clips_per_shard=400)
    queries = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    verdicts, worst, folders, reasons = [duckdb.sql(query).fetchall() for query in queries]
    assert sum(clips for _, clips, _ in verdicts) == CLIPS - len(BROKEN)
    scores = [score for _, score, _, _ in worst]
    assert len(worst) == 10 and scores == sorted(scores, reverse=True)
    assert scores[0] == max(worst for _, _, worst in verdicts)
    assert [(folder, clips) for folder, clips, _ in folders] == [("fan", 998), ("pump", 998)]
    alarms = sum(clips * percent / 100 for _, clips, percent in folders)
    assert alarms == pytest.approx(dict((v, n) for v, n, _ in verdicts)["alarm"], abs=2)
    assert sum(clips for _, clips, _ in reasons) == len(BROKEN)
    by_spark = spark.read.parquet(str(tmp_path / "RESULTS/scores")).count()
    assert by_spark == CLIPS - len(BROKEN)
