"""The batch function: Arrow batches of clips in, Arrow batches of verdicts out. It needs no Spark."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import offkey
import pyarrow as pa

from .store import Unfit, fetch_ahead, open_store

SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("score", pa.float64()),
        pa.field("p_value", pa.float64()),
        pa.field("p_kind", pa.string()),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("damage", pa.string()),
    ]
)
"""One row per clip, with the columns of ``offkey check``. Without a score the clip could not be judged."""

WITH_EMBEDDING = SCHEMA.append(pa.field("embedding", pa.list_(pa.float32())))
"""The same, and what the detector heard of the worst window: the embeddings of its members side by side."""

SPARK_SCHEMA = ", ".join(
    f"{field.name} {'double' if pa.types.is_floating(field.type) else 'string'}" for field in SCHEMA
)
"""``SCHEMA`` as ``mapInArrow`` takes it."""

SPARK_WITH_EMBEDDING = f"{SPARK_SCHEMA}, embedding array<float>"
"""``WITH_EMBEDDING`` as ``mapInArrow`` takes it."""

MOST_BYTES = 256 << 20
"""Larger files are not fetched, so that one wrong object cannot take a worker's memory."""

ROWS = 64
"""Rows of a batch of verdicts."""

_loaded: dict[str, offkey.Detector] = {}


def _detector(model: bytes) -> offkey.Detector:
    """The detector of a model file, loaded once per process."""
    key = hashlib.sha256(model).hexdigest()
    if key not in _loaded:
        # One thread: the cluster runs one worker per core. Threads that are there already stay.
        with contextlib.suppress(offkey.OffkeyError):
            offkey.set_threads(1)
        with tempfile.NamedTemporaryFile(suffix=".offkey") as file:
            file.write(model)
            file.flush()
            _loaded.clear()
            _loaded[key] = offkey.Detector.load(file.name)
    return _loaded[key]


class Scorer:
    """Judges clips: ``frame.mapInArrow(Scorer(model, clips), SPARK_SCHEMA)``.

    Batches have a column ``path``, and ``content`` where the bytes of the files are at hand; without it the
    files are fetched from ``clips``, a folder or the address of an object store. Every clip gives one row.
    One that cannot be read or judged has the verdict ``cannot_tell``, no score, and the reason.

    With ``embeddings`` rows are of ``WITH_EMBEDDING``, and every clip is heard twice. Clips that break off have none.
    """

    def __init__(
        self, model: bytes, clips: str | None = None, *, most_bytes: int = MOST_BYTES, embeddings: bool = False
    ) -> None:
        self.model = model
        self.clips = clips
        self.most_bytes = most_bytes
        self.embeddings = embeddings

    @property
    def schema(self) -> pa.Schema:
        """Of the batches that come out."""
        return WITH_EMBEDDING if self.embeddings else SCHEMA

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        detector = _detector(self.model)
        rows = (judge(detector, path, found, self.embeddings) for path, found in self._found(batches))
        while some := list(islice(rows, ROWS)):
            yield pa.RecordBatch.from_pylist(some, schema=self.schema)

    def _found(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[str, bytes | Unfit]]:
        if self.clips is None:
            for batch in batches:
                for path, content in zip(batch["path"], batch["content"]):
                    # Each is copied out alone, so a batch of many clips is in memory once.
                    yield (
                        path.as_py(),
                        content.as_py() if content.is_valid else Unfit("there are no bytes"),
                    )
        else:
            paths = (path.as_py() for batch in batches for path in batch["path"])
            yield from fetch_ahead(open_store(self.clips), paths, self.most_bytes)


def judge(
    detector: offkey.Detector, path: str, found: bytes | Unfit, embeddings: bool = False
) -> dict[str, object]:
    """One clip's row: what ``offkey check`` says of the file."""
    if isinstance(found, Unfit):
        return {"path": path, "verdict": "cannot_tell", "reason": str(found)}
    try:
        result = detector.score_bytes(found, name=path)
        row = _row(result)
        if embeddings and result.score is not None:
            row["embedding"] = _embedding(detector, result, found)
        return row
    except offkey.FailedError:
        # Of a file that breaks off, what lies before is judged; that is for files alone.
        with tempfile.NamedTemporaryFile(suffix=Path(path).suffix) as file:
            file.write(found)
            file.flush()
            row = _row(detector.check(file.name))
        return {
            name: value.replace(file.name, path) if isinstance(value, str) else value for name, value in row.items()
        }


def _embedding(detector: offkey.Detector, result: offkey.Result, content: bytes) -> np.ndarray:
    """What each member heard of the window that decides, side by side."""
    members = detector.embed_bytes(content, name=result.path)
    scores = [window.score for window in result.windows]
    worst = scores.index(result.score) if scores else 0
    return np.concatenate([rows[worst] for rows in members])


def _row(result: offkey.Result) -> dict[str, object]:
    return {name: getattr(result, name) for name in SCHEMA.names}
