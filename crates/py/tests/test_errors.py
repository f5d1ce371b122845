"""Every error is an exception that says what was found and what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import RATE_HZ, hum

import offkey


def test_an_error_has_message_and_hint(tmp_path: Path) -> None:
    with pytest.raises(offkey.OffkeyError) as caught:
        offkey.Detector.load(tmp_path / "nothing.offkey")
    assert "nothing.offkey" in caught.value.message
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.message, again.hint) == (caught.value.message, caught.value.hint)


def test_what_the_caller_got_wrong_is_a_value_error(
    pump: offkey.Detector, tmp_path: Path, normals: list[np.ndarray]
) -> None:
    stereo = np.zeros((100, 2), np.float32)
    cases = [
        lambda: pump.score(stereo, RATE_HZ),
        lambda: pump.score(np.array([0.0, np.nan], np.float32), RATE_HZ),
        lambda: pump.score(hum(0), 16_000.5),
        lambda: pump.score(["a", "b"], RATE_HZ),
        lambda: offkey.learn(normals),
        lambda: offkey.learn([*normals, "pump/"], rate=RATE_HZ),
        lambda: offkey.learn(normals, rate=RATE_HZ, false_alarms="seldom"),
        lambda: offkey.recipes.resolve("no-such-recipe"),
        lambda: offkey.recipes.resolve({"base": "small", "nonsense": 1}),
        lambda: offkey.recipes.resolve("small", {"backend.knn.neighbours": 2}),
        lambda: offkey.features.stft(hum(0)[:10]),
        lambda: offkey.features.log_mel(hum(0), fmax_hz=9_000.0),
        lambda: offkey.metrics.auc([0, 1], [0.0, np.nan]),
        lambda: offkey.metrics.auc([0, 2], [0.0, 1.0]),
        lambda: offkey.metrics.evaluate([1.0], ["normal"], machine="fan", year=1999),
        lambda: offkey.tsne(np.zeros((10, 3)), perplexity=30.0),
        lambda: offkey.run("small", tmp_path, tmp_path / "run", existing="perhaps"),
    ]
    for case in cases:
        with pytest.raises(offkey.UsageError) as caught:
            case()
        assert isinstance(caught.value, ValueError) and len(caught.value.message) > 10


def test_hints_say_what_to_do(normals: list[np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(offkey.UsageError) as caught:
        offkey.learn(normals, rate=RATE_HZ, output=tmp_path / "pump.offkey")
        offkey.learn(normals, rate=RATE_HZ, output=tmp_path / "pump.offkey")
    assert "force" in caught.value.hint and "hint: " in str(caught.value)
    with pytest.raises(offkey.FailedError, match="windows"):
        offkey.learn(normals[:2], rate=RATE_HZ)
    with pytest.raises(offkey.FailedError, match="does not exist"):
        offkey.Detector.load(tmp_path / "pump.offkey").check(tmp_path / "absent.wav")


def test_a_closed_or_wrong_progress_is_refused(normals: list[np.ndarray]) -> None:
    with pytest.raises(TypeError, match="progress"):
        offkey.learn(normals, rate=RATE_HZ, progress="bar")  # type: ignore[arg-type]
