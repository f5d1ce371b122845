"""What the tests share: synthetic sound, and the command line where it is built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offkey

RATE_HZ = 16_000


def hum(seed: int, seconds: float = 2.0, fault: float = 0.0) -> np.ndarray:
    """A machine: a hum with overtones in noise; a fault is a squeal of that amplitude."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch = 100.0 + random.normal(0.0, 0.3)
    sound = sum(
        0.1 / n * np.sin(2 * np.pi * n * pitch * time + random.uniform(0, 6)) for n in range(1, 9)
    )
    sound = sound + 0.02 * random.standard_normal(len(time))
    return (sound + fault * np.sin(2 * np.pi * 3150.0 * time)).astype(np.float32)


@pytest.fixture(scope="session")
def normals() -> list[np.ndarray]:
    return [hum(seed) for seed in range(20)]


@pytest.fixture(scope="session")
def pump(normals: list[np.ndarray]) -> offkey.Detector:
    return offkey.learn(normals, rate=RATE_HZ, name="pump")[0]


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two synthetic machines with known faults, as the challenge names its files."""
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    offkey.synthesize(folder, machines=2, clips=8, clip_s=2.0)
    return folder


@pytest.fixture(scope="session")
def run(machines: Path, tmp_path_factory: pytest.TempPathFactory) -> offkey.Run:
    """A run of a recipe without training."""
    out = tmp_path_factory.mktemp("runs") / "statistics"
    return offkey.run("log-mel-statistics", machines, out)


class CommandLine:
    """The program, which every number is compared with."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __call__(self, *arguments: object, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [self.program, *map(str, arguments)], capture_output=True, text=True, timeout=600
        )
        assert done.returncode in codes, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: object, codes: tuple[int, ...] = (0,)) -> Any:
        return json.loads(self(*arguments, "--json", codes=codes))


@pytest.fixture(scope="session")
def cli() -> CommandLine:
    program = os.environ.get("OFFKEY_CLI") or shutil.which("offkey")
    if program is None:
        pytest.skip("the program is not built: say where it is with OFFKEY_CLI")
    return CommandLine(program)
