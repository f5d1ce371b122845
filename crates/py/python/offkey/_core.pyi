"""The compiled half of the package. Private: its functions take what `offkey` has checked."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]
_Doubles = npt.NDArray[np.float64]
_Heard = Callable[[str, int, int, str, str], None] | None
_Recipe = tuple[str, bool, list[str]]

VERSION: str
AUDIO_EXTENSIONS: list[str]

class Detector:
    @staticmethod
    def load(path: str) -> Detector: ...
    def score(
        self,
        samples: _Floats,
        rate_hz: int,
        name: str,
        machine: str | None = None,
        section: str | None = None,
    ) -> dict[str, Any]: ...
    def score_bytes(
        self,
        bytes: bytes,
        name: str,
        machine: str | None = None,
        section: str | None = None,
    ) -> dict[str, Any]: ...
    def embed(
        self,
        samples: _Floats,
        rate_hz: int,
        name: str,
        machine: str | None = None,
        section: str | None = None,
    ) -> list[_Floats]: ...
    def embed_bytes(
        self,
        bytes: bytes,
        name: str,
        machine: str | None = None,
        section: str | None = None,
    ) -> list[_Floats]: ...
    def check(
        self,
        paths: Sequence[str],
        machine: str | None = None,
        section: str | None = None,
        progress: _Heard = None,
    ) -> list[dict[str, Any]]: ...
    def save(self, path: str, force: bool) -> None: ...
    def about(self) -> dict[str, Any]: ...

class Backend:
    @staticmethod
    def fit(backend: str, embeddings: _Floats, groups: Sequence[str], seed: int) -> Backend: ...
    def score(self, embeddings: _Floats) -> _Doubles: ...
    def nearest(self, embeddings: _Floats) -> tuple[npt.NDArray[np.uintp], _Doubles]: ...
    def held_out(self) -> _Doubles: ...
    def warnings(self) -> list[str]: ...

class Sounds:
    @staticmethod
    def fit(waves: _Floats, rate_hz: int, groups: Sequence[str], seed: int) -> Sounds: ...
    def score(self, waves: _Floats) -> _Doubles: ...
    def held_out(self) -> _Doubles: ...

def backend_names() -> list[str]: ...
def learn(
    data: Sequence[str],
    arrays: Sequence[tuple[str, _Floats]],
    rate_hz: int | None,
    name: str,
    *,
    faults: Sequence[str] = ...,
    false_alarms: str | None = None,
    window_s: float | None = None,
    every_s: float | None = None,
    recipe: _Recipe | None = None,
    seed: int = 0,
    output: str | None = None,
    force: bool = False,
    progress: _Heard = None,
) -> tuple[Detector, dict[str, Any]]: ...
def read_sound(
    path: str, channel: int | None = None, rate_hz: int | None = None
) -> tuple[_Floats, int]: ...
def recordings(paths: Sequence[str]) -> list[str]: ...
def set_threads(threads: int) -> None: ...
def stft(samples: _Floats, window: int, hop: int) -> _Floats: ...
def log_mel(
    samples: _Floats,
    rate_hz: int,
    *,
    window: int,
    fft: int,
    hop: int,
    mels: int,
    fmin_hz: float,
    fmax_hz: float | None,
    decibels: bool,
    floor: float,
    add_floor: bool,
    centered: bool,
) -> _Floats: ...
def spectrum(samples: _Floats) -> _Floats: ...
def tsne(
    points: _Floats,
    *,
    perplexity: float,
    distance: str,
    exact: bool,
    seed: int,
    progress: _Heard = None,
) -> tuple[_Floats, float]: ...
def auc(normal: _Doubles, anomalous: _Doubles) -> float | None: ...
def pauc(normal: _Doubles, anomalous: _Doubles) -> float | None: ...
def roc(normal: _Doubles, anomalous: _Doubles) -> list[dict[str, Any]]: ...
def evaluate_rows(
    columns: dict[str, list[Any]], year: str | None = None, intervals: bool = True
) -> dict[str, Any]: ...
def evaluate_files(
    scores: str, truth: str | None = None, year: str | None = None
) -> tuple[dict[str, Any], list[str]]: ...
def recipe_names() -> list[str]: ...
def recipe_text(recipe: _Recipe) -> dict[str, Any]: ...
def synthesize(
    out: str,
    *,
    machines: int,
    sections: int,
    clips: int,
    clip_s: float,
    seed: int,
    snr_db: float | None = None,
    progress: _Heard = None,
) -> tuple[int, int]: ...
def run(
    data: Sequence[str],
    recipe: _Recipe,
    out: str,
    *,
    truth: Sequence[str] = ...,
    seeds: tuple[int, int | None] = ...,
    year: str | None = None,
    existing: str = "refuse",
    skip_bad: bool = False,
    cache_mb: int | None = None,
    progress: _Heard = None,
) -> dict[str, Any]: ...
def explain(
    detector: Detector,
    paths: Sequence[str],
    folder: str | None = None,
    *,
    machine: str | None = None,
    section: str | None = None,
    masks: int | None = None,
    grid: tuple[int, int] = ...,
    keep: float = 0.5,
    seed: int = 0,
    progress: _Heard = None,
) -> list[dict[str, Any]]: ...
