"""Learning and judging: arrays, files and bytes give the same answer."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import RATE_HZ, hum

import offkey


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    """16-bit mono."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.round(samples * 32768).clip(-32768, 32767).astype("<i2").tobytes())
    return path


def test_a_fault_alarms_and_a_normal_recording_does_not(pump: offkey.Detector) -> None:
    normal, faulty = pump.score(hum(100), RATE_HZ), pump.score(hum(101, fault=0.2), RATE_HZ)
    assert normal.verdict == "normal" and normal.score < 0
    assert faulty.verdict == "alarm" and faulty.alarm and faulty.score > 0
    assert faulty.p_value < normal.p_value
    assert "Hz" in faulty.reason, "the reason names a frequency"
    assert faulty.reason.rsplit(": ", 1)[1].startswith("recording "), "arrays keep their names"


def test_what_the_members_hear_is_one_array_each(
    pump: offkey.Detector, machines: Path, run: offkey.Run, tmp_path: Path
) -> None:
    sound = hum(7, seconds=6.0)
    members = pump.embed(sound, RATE_HZ)
    windows = pump.score(sound, RATE_HZ).windows
    assert len(members) == 4 and all(len(rows) == len(windows) > 1 for rows in members)
    path = write_wav(tmp_path / "a.wav", sound)
    for of_bytes, of_array in zip(pump.embed_bytes(path.read_bytes()), members, strict=True):
        assert of_bytes.dtype == np.float32
        np.testing.assert_allclose(of_bytes, of_array, atol=1e-2, err_msg="16 bits apart")
    with pytest.raises(offkey.OffkeyError, match="record alike"):
        pump.embed(sound[:8000], 4_000)

    first = next(machines.rglob("*_test_*.wav"))
    (embedding,) = offkey.Detector.load(run.root).embed_bytes(first.read_bytes(), name=first)
    row = [Path(name).name for name in run.clips()["path"]].index(first.name)
    np.testing.assert_allclose(embedding[0], run.embeddings()[row], rtol=1e-5)


def test_arrays_files_and_bytes_give_the_same_numbers(
    pump: offkey.Detector, tmp_path: Path
) -> None:
    for rate_hz in (RATE_HZ, 48_000):
        sound = np.round(hum(7, fault=0.05, seconds=6.0 * rate_hz / RATE_HZ) * 32768)
        sound = sound.clip(-32768, 32767).astype(np.int16)
        path = write_wav(tmp_path / f"{rate_hz}.wav", sound / 32768, rate_hz)
        of_file = pump.check(path)
        for other in (
            pump.score(sound, rate_hz, name=path),
            pump.score((sound / 32768).astype(np.float32), rate_hz, name=path),
            pump.score_bytes(path.read_bytes(), name=path),
        ):
            assert (other.score, other.p_value, other.verdict) == (
                of_file.score,
                of_file.p_value,
                of_file.verdict,
            )
            assert other.windows == of_file.windows
        assert len(of_file.windows) == 3


def test_learning_from_arrays_is_learning_from_files(
    normals: list[np.ndarray], tmp_path: Path
) -> None:
    folder = tmp_path / "pump"
    folder.mkdir()
    exact = [np.round(x * 32768).astype(np.int16) for x in normals]
    for index, samples in enumerate(exact):
        write_wav(folder / f"{index:03}.wav", samples / 32768)
    of_files, report = offkey.learn(folder, name="pump")
    of_arrays, other = offkey.learn(exact, rate=RATE_HZ, name="pump")
    assert (report.recordings, report.windows) == (other.recordings, other.windows) == (20, 20)
    x = hum(55, fault=0.02)
    assert of_files.score(x, RATE_HZ).score == of_arrays.score(x, RATE_HZ).score
    assert of_files.about["false_alarms"] == of_arrays.about["false_alarms"]


def test_the_same_arrays_give_the_same_bytes(normals: list[np.ndarray], tmp_path: Path) -> None:
    for name in ("one", "two"):
        detector, _ = offkey.learn(normals[:6], rate=RATE_HZ, name="pump", output=tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    detector.save(tmp_path / "three")
    assert (tmp_path / "three").read_bytes() == (tmp_path / "one").read_bytes()
    loaded = offkey.Detector.load(tmp_path / "three")
    assert loaded.about == detector.about and loaded.kind == "monitor"
    assert loaded.score(normals[0], RATE_HZ) == detector.score(normals[0], RATE_HZ)


def test_arrays_have_the_names_of_their_keys(normals: list[np.ndarray]) -> None:
    sounds = {f"monday {index}": x for index, x in enumerate(normals)}
    sounds["silence"] = np.zeros(2 * RATE_HZ, np.float32)
    detector, report = offkey.learn(sounds, rate=RATE_HZ)
    assert [name for name, _ in report.left_out] == ["silence"]
    assert "monday" in detector.score(hum(3, fault=0.3), RATE_HZ).reason


def test_a_contiguous_float32_array_is_not_copied(pump: offkey.Detector) -> None:
    from offkey import _arrays

    x = hum(0)
    assert _arrays.wave(x) is x or _arrays.wave(x).ctypes.data == x.ctypes.data
    readonly = hum(1)
    readonly.flags.writeable = False
    strided = np.repeat(hum(2), 2)[::2]
    for form in (readonly, strided, hum(1).astype(np.float64), hum(1).tolist()):
        assert pump.score(form, RATE_HZ).score is not None


def test_what_cannot_be_judged_is_said(pump: offkey.Detector, tmp_path: Path) -> None:
    assert pump.score(np.zeros(2 * RATE_HZ, np.float32), RATE_HZ).verdict == "cannot_tell"
    short = pump.score(hum(0)[:100], RATE_HZ)
    assert short.verdict == "cannot_tell" and "lasts" in short.reason and short.score is None
    assert pump.score(hum(0), 8_000).verdict == "cannot_tell"
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF and no more")
    assert pump.check(broken).verdict == "cannot_tell"


def test_folders_are_searched_and_progress_is_heard(pump: offkey.Detector, tmp_path: Path) -> None:
    for index in range(3):
        write_wav(tmp_path / f"{index}.wav", hum(index))
    steps: list[offkey.Step] = []
    results = pump.check_all(tmp_path, progress=steps.append)
    assert [Path(result.path).name for result in results] == ["0.wav", "1.wav", "2.wav"]
    assert steps[0] == ("score", 0, 3, "recordings", "") and steps[-1].done == 3
    assert pump.check_all(tmp_path, progress="tqdm") == results


def test_an_exception_in_the_callback_stops_the_work_and_comes_out(
    normals: list[np.ndarray],
) -> None:
    class Enough(Exception):
        pass

    def stop(step: offkey.Step) -> None:
        raise Enough(step.stage)

    with pytest.raises(Enough):
        offkey.learn(normals, rate=RATE_HZ, progress=stop)


def test_other_threads_run_while_a_detector_works(pump: offkey.Detector) -> None:
    long, counted, done = hum(0, seconds=240.0), 0, threading.Event()

    def work() -> None:
        pump.score(long, RATE_HZ)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not done.is_set():
        counted += 1
        time.sleep(0.001)
    worker.join()
    assert counted > 10, "the interpreter's lock was held"


def test_the_detector_says_what_it_is(pump: offkey.Detector, run: offkey.Run) -> None:
    assert pump.about["recordings"] == 20 and pump.about["window_s"] == pytest.approx(2.0)
    assert "pump" in repr(pump)
    detector = offkey.Detector.load(run.root)
    assert detector.kind == "run" and len(detector.about["sections"]) == 2


def test_a_run_judges_as_its_sections_do(run: offkey.Run, machines: Path) -> None:
    detector = offkey.Detector.load(run.root)
    scores = run.scores()
    row = scores.iloc[0]
    result = detector.check(row["path"])
    assert result.score == row["score"] and result.alarm == row["decision"]
    samples, rate_hz = offkey.read_sound(row["path"])
    assert detector.score(samples, rate_hz, name=row["path"]).score == row["score"]
    assert result.p_value is None and result.threshold > 0 and "nearest normal" in result.reason


def test_memory_stays_flat_over_many_calls(pump: offkey.Detector) -> None:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("memory is read from /proc")

    def resident_mb() -> float:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    x = hum(99)
    for _ in range(50):
        pump.score(x, RATE_HZ)
    before = resident_mb()
    for _ in range(500):
        pump.score(x, RATE_HZ)
    # One recording of 128 kB kept per call would be 64 MB.
    assert resident_mb() - before < 8.0
