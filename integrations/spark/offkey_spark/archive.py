"""A whole archive: listed once, cut into shards, each shard one task and one idempotent file.

In the results' place::

    job.json                          model, clips, shards; written when the listing is whole
    listing/shard=00017/paths.parquet the clips of a shard
    bad/shard=00017/clips.parquet     clips that could not be read or judged, with the reason
    scores/shard=00017/clips.parquet  all others; written last, so its being there says that the shard is done

A task that is lost, repeated, or run twice at once writes the same files again. So every clip of the listing has
exactly one row in ``scores`` and ``bad`` together, whatever happens to workers, executors or the driver.
"""

from __future__ import annotations

import hashlib
import json
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import obstore
import offkey
import pyarrow as pa
import pyarrow.compute as pc
from obstore.store import ObjectStore
from pyspark import TaskContext
from pyspark.sql import SparkSession

from .scorer import MOST_BYTES, Scorer
from .store import absolute, names, open_store, read_table, recordings, write_table

DONE = "shard long, attempt long, clips long, bad long, cpu_s double, peak_mb double"
"""What a task says of its shard."""


class ArchiveError(Exception):
    """What was asked for cannot be done as it is."""


@dataclass(frozen=True)
class Job:
    """What results belong to. Another model or archive needs another place for its results."""

    model: str
    """SHA-256 of the model file."""
    offkey: str
    """Version of the package that judged."""
    archive: str
    """Where the clips are."""
    clips: int
    shards: int
    embeddings: bool = False
    """Whether rows have what the detector heard."""


@dataclass(frozen=True)
class Summary:
    """What a call has done."""

    clips: int
    """Clips of the archive, all with a row now."""
    scored: int
    """Clips judged by this call."""
    bad: int
    """Clips that this call could not judge."""
    shards: int
    """Shards done by this call."""
    shards_before: int
    """Shards that were done already."""
    repeated: int
    """Shards of this call that were begun more than once, since a worker or an executor was lost."""
    cpu_s: float
    """Processor seconds of the Python workers, for what this call has done."""
    peak_mb: float
    """Largest memory of one Python worker."""


def shard_path(table: str, shard: int) -> str:
    """Where a shard's part of a table is."""
    file = "paths" if table == "listing" else "clips"
    return f"{table}/shard={shard:05}/{file}.parquet"


def score_archive(
    spark: SparkSession,
    model: str | Path,
    clips: str,
    out: str,
    *,
    clips_per_shard: int = 1000,
    most_bytes: int = MOST_BYTES,
    embeddings: bool = False,
) -> Summary:
    """Judges every recording below ``clips`` and writes verdicts below ``out``; both are folders or object stores.

    Started again, it goes on with the shards that are missing. The clips are those that were there at the first
    start. With ``embeddings`` every row has what the detector heard of the worst window, for twice the work.
    """
    content = Path(model).read_bytes()
    clips, out = absolute(clips), absolute(out)
    results = open_store(out, create=True)
    job = _job(results, content, clips, clips_per_shard, embeddings)
    done = names(results, "scores")
    todo = [shard for shard in range(job.shards) if shard_path("scores", shard) not in done]
    said = []
    if todo:
        task = _task(todo, Scorer(content, clips, most_bytes=most_bytes, embeddings=embeddings), out)
        # One partition per shard, so that a shard is what is lost and repeated.
        said = spark.range(0, len(todo), 1, len(todo)).mapInArrow(task, DONE).collect()
    bad = sum(row.bad for row in said)
    return Summary(
        clips=job.clips,
        scored=sum(row.clips for row in said) - bad,
        bad=bad,
        shards=len(todo),
        shards_before=job.shards - len(todo),
        repeated=sum(row.attempt > 0 for row in said),
        cpu_s=sum(row.cpu_s for row in said),
        peak_mb=max((row.peak_mb for row in said), default=0.0),
    )


def _job(results: ObjectStore, model: bytes, clips: str, clips_per_shard: int, embeddings: bool) -> Job:
    """The job whose results these are: the one that is there, or a new one with its listing."""
    digest = hashlib.sha256(model).hexdigest()
    try:
        job = Job(**json.loads(bytes(obstore.get(results, "job.json").bytes())))
    except FileNotFoundError:
        found = recordings(open_store(clips))
        if not found:
            raise ArchiveError(f"`{clips}` holds no recordings") from None
        starts = range(0, len(found), clips_per_shard)
        for shard, start in enumerate(starts):
            paths = pa.table({"path": found[start : start + clips_per_shard]})
            write_table(results, shard_path("listing", shard), paths)
        job = Job(digest, offkey.__version__, clips, len(found), len(starts), embeddings)
        obstore.put(results, "job.json", json.dumps(asdict(job), indent=2).encode())
        return job
    asked = {"model": digest, "offkey": offkey.__version__, "archive": clips, "embeddings": embeddings}
    for name, value in asked.items():
        there = getattr(job, name)
        if there != value:
            raise ArchiveError(
                f"results are there already, of another job: its {name} is {there}, this one's is {value}; "
                "name another place for the results"
            )
    return job


def _task(todo: list[int], scorer: Scorer, out: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a worker does: numbers of shards in, one row of ``DONE`` per shard out."""

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        results = open_store(out)
        for batch in batches:
            for index in batch["id"].to_pylist():
                yield pa.RecordBatch.from_pylist([_score_shard(results, todo[index], scorer)])

    return task


def _score_shard(results: ObjectStore, shard: int, scorer: Scorer) -> dict[str, float]:
    began, context = time.process_time(), TaskContext.get()
    listing = read_table(results, shard_path("listing", shard))
    rows = pa.Table.from_batches(scorer(iter(listing.to_batches())), scorer.schema)
    if rows["path"] != listing["path"]:
        raise AssertionError(f"shard {shard}: rows and clips differ")
    judged = pc.is_valid(rows["score"])
    write_table(results, shard_path("bad", shard), rows.filter(pc.invert(judged)))
    write_table(results, shard_path("scores", shard), rows.filter(judged))
    return {
        "shard": shard,
        "attempt": context.attemptNumber() if context else 0,
        "clips": len(rows),
        "bad": len(rows) - pc.sum(judged, min_count=0).as_py(),
        "cpu_s": time.process_time() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
