"""ONNX files as the encoder of a recipe, with the library of the package ``onnxruntime``."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine

import offkey

pytest.importorskip("onnxruntime")
CLIP = {"model.network.encoder.clip_s": 2.0, "model.network.training.length.steps": 4}


def encoder(file: Path) -> dict[str, object]:
    """A recipe whose encoder is a file."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    onnx = {"file": str(file), "sha256": digest, "rate_hz": 16_000, "clip_s": 2.0}
    audio = {"length": "loop"}
    return {"name": "foreign", "audio": audio, "model": {"onnx": onnx}, "backend": {"knn": {}}}


def test_an_exported_network_is_an_encoder(cli: CommandLine, machines: Path, tmp_path: Path) -> None:
    trained = offkey.run("tiny", machines, tmp_path / "tiny", changes=CLIP)
    cli("export", trained.root, "--onnx", tmp_path / "tiny.onnx")
    recipe = encoder(tmp_path / "tiny.onnx")
    foreign = offkey.run(recipe, machines, tmp_path / "foreign")
    # Rounding of another runtime; embeddings have length one.
    assert np.abs(foreign.embeddings() - trained.embeddings()).max() < 1e-5
    # A monitor keeps the encoder inside its file.
    normal = sorted(path for path in machines.iterdir() if path.is_dir())[0]
    detector, _ = offkey.learn(normal / "train", output=tmp_path / "m.offkey", recipe=recipe)
    again = offkey.Detector.load(tmp_path / "m.offkey")
    scores = [result.score for result in detector.check_all(normal / "test")]
    assert scores == [result.score for result in again.check_all(normal / "test")]
    recipe["model"]["onnx"]["sha256"] = "0" * 64  # type: ignore[index]
    with pytest.raises(offkey.FailedError, match="SHA-256"):
        offkey.run(recipe, machines, tmp_path / "changed")


def test_a_lower_rate_is_refused_until_it_is_said(
    cli: CommandLine, machines: Path, tmp_path: Path
) -> None:
    trained = offkey.run("tiny", machines, tmp_path / "tiny", changes=CLIP)
    cli("export", trained.root, "--onnx", tmp_path / "tiny.onnx")
    recipe = encoder(tmp_path / "tiny.onnx")
    # Takes what is one second of 32 kHz: the recordings have 16 kHz.
    recipe["model"]["onnx"] |= {"rate_hz": 32_000, "clip_s": 1.0}  # type: ignore[index, operator]
    with (
        pytest.warns(offkey.OffkeyWarning, match="the model takes 32000 Hz"),
        pytest.raises(offkey.FailedError, match="nothing above 8000 Hz") as caught,
    ):
        offkey.run(recipe, machines, tmp_path / "refused")
    assert "clip_hz=16000" in caught.value.hint
    normal = sorted(path for path in machines.iterdir() if path.is_dir())[0] / "train"
    with pytest.raises(offkey.FailedError, match="nothing above 8000 Hz"):
        offkey.learn(normal, recipe=recipe)
    said = offkey.run(recipe, machines, tmp_path / "said", changes={"model.onnx.clip_hz": 16_000})
    assert np.isfinite(said.embeddings()).all()


def test_the_library_that_the_user_names_stays() -> None:
    program = "import json, os, offkey; print(json.dumps(os.environ['ORT_DYLIB_PATH']))"
    for named in (None, "/another/library.so"):
        environment = {name: value for name, value in os.environ.items() if name != "ORT_DYLIB_PATH"}
        if named:
            environment["ORT_DYLIB_PATH"] = named
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        assert found == named if named else "onnxruntime" in found
