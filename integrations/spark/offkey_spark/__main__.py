"""``offkey-spark MODEL CLIPS OUT``: judges an archive on the cluster that Spark is configured for."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from pyspark.sql import SparkSession

from . import ArchiveError, score_archive


def main() -> int:
    parser = argparse.ArgumentParser(prog="offkey-spark", description=__doc__)
    parser.add_argument("model", help="the model file, as `offkey learn` writes it")
    parser.add_argument("clips", help="a folder or an object store: s3://bucket/prefix, gs://..., az://...")
    parser.add_argument("out", help="where results go; what is done there is not done again")
    parser.add_argument("--clips-per-shard", type=int, default=1000, help="clips of one task [default: 1000]")
    parser.add_argument("--embeddings", action="store_true", help="what the detector heard as a column, for twice the work")
    parser.add_argument("--master", help="the cluster, as in spark://host:7077 or local[4] [default: Spark's own]")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark")
    arguments = parser.parse_args()
    # The allocator otherwise keeps memory per thread that fetches, and a worker grows for hours.
    builder = SparkSession.builder.appName("offkey").config("spark.executorEnv.MALLOC_ARENA_MAX", "2")
    if arguments.master:
        builder = builder.master(arguments.master)
    for setting in arguments.conf:
        key, _, value = setting.partition("=")
        builder = builder.config(key, value)
    if arguments.clips_per_shard < 1:
        parser.error("--clips-per-shard must be at least 1")
    spark = builder.getOrCreate()
    try:
        summary = score_archive(
            spark,
            arguments.model,
            arguments.clips,
            arguments.out,
            clips_per_shard=arguments.clips_per_shard,
            embeddings=arguments.embeddings,
        )
    except (ArchiveError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        spark.stop()
    print(json.dumps(asdict(summary)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
