"""Object stores and folders: where clips come from, and where results go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import offkey
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore, from_url

if TYPE_CHECKING:
    from obstore.store import ClientConfig

AUDIO = frozenset(offkey.AUDIO_EXTENSIONS)
"""Endings of names that are taken for recordings, as by the program itself."""


class Unfit(Exception):
    """Why a clip cannot be fetched, and never will be: it is quarantined."""


def absolute(place: str) -> str:
    """A folder's full path, since workers run elsewhere; addresses stay."""
    return place if "://" in place else str(Path(place).resolve())


def open_store(place: str, *, create: bool = False) -> ObjectStore:
    """A store for ``s3://bucket/prefix``, ``gs://``, ``az://``, ``https://`` or a folder.

    Credentials and the address of the store come from the environment, as ``AWS_ACCESS_KEY_ID`` and
    ``AWS_ENDPOINT_URL``.
    """
    if "://" in place:
        # Whether S3 is spoken to in the clear is what its address in the environment says.
        options: ClientConfig = {"allow_http": place.startswith("s3")}
        return from_url(place, client_options=options)
    folder = Path(absolute(place))
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise FileNotFoundError(f"cannot read `{place}`: there is no such folder")
    return from_url(folder.as_uri())


def recordings(store: ObjectStore) -> list[str]:
    """The path of every recording of a store, sorted."""
    found = (entry["path"] for entries in obstore.list(store) for entry in entries)
    return sorted(path for path in found if path.lower().rpartition(".")[2] in AUDIO)


def fetch(store: ObjectStore, path: str, most_bytes: int) -> bytes | Unfit:
    """A clip's whole file, or why there is none.

    A store that does not answer or refuses is an error: the task is then tried again, and no clip is blamed.
    """
    try:
        found = obstore.get(store, path)
    except FileNotFoundError:
        return Unfit(f"`{path}` does not exist")
    size = found.meta["size"]
    if size > most_bytes:
        return Unfit(f"`{path}` has {size} bytes, more than the {most_bytes} that are allowed")
    return bytes(found.bytes())


def fetch_ahead(
    store: ObjectStore, paths: Iterable[str], most_bytes: int, ahead: int = 8
) -> Iterator[tuple[str, bytes | Unfit]]:
    """Clips in the order of their paths, while the next ``ahead`` are on their way."""
    waiting: deque[tuple[str, Future[bytes | Unfit]]] = deque()
    with ThreadPoolExecutor(ahead) as pool:
        for path in paths:
            waiting.append((path, pool.submit(fetch, store, path, most_bytes)))
            if len(waiting) > ahead:
                path, found = waiting.popleft()
                yield path, found.result()
        for path, found in waiting:
            yield path, found.result()


def read_table(store: ObjectStore, path: str) -> pa.Table:
    """A Parquet file of a store."""
    return pq.read_table(pa.BufferReader(bytes(obstore.get(store, path).bytes())))


def write_table(store: ObjectStore, path: str, table: pa.Table) -> None:
    """Writes a Parquet file that is there whole or not at all. The same table gives the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    obstore.put(store, path, sink.getvalue().to_pybytes())


def names(store: ObjectStore, prefix: str) -> set[str]:
    """Every path below a prefix."""
    return {entry["path"] for entries in obstore.list(store, prefix) for entry in entries}
