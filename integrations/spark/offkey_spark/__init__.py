"""An archive of recordings judged by offkey on a Spark cluster: one row per clip, as Parquet files."""

from .archive import ArchiveError, Summary, score_archive
from .scorer import SCHEMA, WITH_EMBEDDING, Scorer

__all__ = ["SCHEMA", "WITH_EMBEDDING", "ArchiveError", "Scorer", "Summary", "score_archive"]
