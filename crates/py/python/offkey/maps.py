"""Embeddings to a map of the plane, by t-SNE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import _arrays, _core
from .progress import Progress, Reporting

__all__ = ["tsne"]


def tsne(
    embeddings: npt.ArrayLike,
    *,
    perplexity: float = 30.0,
    distance: str = "cosine",
    exact: bool = False,
    seed: int = 0,
    progress: Progress = None,
) -> npt.NDArray[np.float32]:
    """Positions on a map, ``[clips, 2]``: the same bytes for the same seed, whatever the threads.

    ``distance`` is ``cosine`` or ``euclidean``. ``exact`` sums the forces of every pair; without it
    Barnes-Hut does.
    """
    points = _arrays.matrix(embeddings, "embeddings")
    with Reporting(progress) as heard:
        positions, _ = _core.tsne(
            points, perplexity=perplexity, distance=distance, exact=exact, seed=seed, progress=heard
        )
    return positions
