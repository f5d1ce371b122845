"""An archive of recordings judged by offkey on a Spark cluster: one row per clip, as Parquet files."""

from .archive import ArchiveError, Summary, score_archive
from .scorer import SCHEMA, Scorer

__all__ = ["SCHEMA", "ArchiveError", "Scorer", "Summary", "score_archive"]
