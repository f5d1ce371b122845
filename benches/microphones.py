#!/usr/bin/env python3
"""What a monitor says of the machine it knows behind another microphone or gain, and of other sounds
in its place. Prints the table of docs/alarms.md.

    microphones.py --out DIR [--binary offkey] [--data FOLDER]

Learns from normal recordings of each set of `alarms.py`, holds some of them out, and gives up to eight of
those to `check` as they are, filtered, louder, quieter, and with sounds of the same level instead of them;
and all anomalous recordings, whose alarms must not be lost. Needs numpy, scipy and soundfile
(`benches/peers/requirements.txt`).
"""

import argparse
import os
import pathlib
import types

import numpy
import soundfile
from scipy.signal import butter, sosfilt

from alarms import ROOT, SETS, check, learn, split_groups

WINDOW_S = 2
VERDICTS = ["normal", "suspicious", "alarm", "cannot_tell"]
SHOWN = ["slider_id_00", "bldc", "fan", "pump", "valve"]


def alterations(wave, rate, random):
    """The recording as something else would have given it."""
    band = lambda hz, order, kind: sosfilt(butter(order, hz, kind, fs=rate, output="sos"), wave)
    as_loud = lambda sound: sound * wave.std() / sound.std()
    noise = lambda: random.standard_normal(len(wave))
    slow = butter(1, 20, "high", fs=rate, output="sos")
    return {
        "6 dB louder": 2.0 * wave,
        "6 dB quieter": 0.5 * wave,
        "12 dB louder": 4.0 * wave,
        "nothing below 300 Hz": band(300, 2, "high"),
        "nothing below 1000 Hz": band(1000, 2, "high"),
        "nothing above 3000 Hz": band(3000, 4, "low"),
        "white noise": as_loud(noise()),
        "brown noise": as_loud(sosfilt(slow, numpy.cumsum(noise()))),
        "a siren": as_loud(siren(len(wave), rate)),
    }


def siren(samples, rate):
    """Harmonics that rise and fall, with pauses."""
    time = numpy.arange(samples) / rate
    phase = 2 * numpy.pi * 140 * time + 20 * numpy.sin(2 * numpy.pi * 0.5 * time)
    return sum(numpy.sin(k * phase) for k in (1, 2, 3, 5, 8)) * (numpy.sin(2 * numpy.pi * 1.3 * time) > -0.3)


def altered_clips(clips, folder):
    """Eight clips at most, altered, as files; one list an alteration."""
    random, found = numpy.random.default_rng(0), {}
    for number, clip in enumerate(clips[:8]):
        wave, rate = soundfile.read(clip.path)
        wave = wave if wave.ndim == 1 else wave.mean(axis=1)
        for name, sound in alterations(wave, rate, random).items():
            path = folder / name / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound, rate, "FLOAT")
            found.setdefault(name, []).append(types.SimpleNamespace(path=path, group=str(path)))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    default = os.environ.get("OFFKEY_TEST_DATA", ROOT.parent / "shared/data")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(default))
    args = parser.parse_args()
    rows = {}
    for name in SHOWN:
        normal, anomalous = SETS[name](args.data)
        test, pool = split_groups(normal, {"slider_id_00": 20}.get(name, 2), 0)
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = folder / "model.offkey"
        learn(args, pool, WINDOW_S, 0, model)
        clips = {"as it is": test, "anomalous": anomalous, **altered_clips(test, folder)}
        for what, those in clips.items():
            said = [verdict for clip in check(args, model, those) for verdict in clip["verdicts"]]
            shares = [round(100 * said.count(verdict) / len(said)) for verdict in VERDICTS]
            rows.setdefault(what, []).append(" / ".join(map(str, shares)))
    print(f"| recording | {' | '.join(SHOWN)} |\n|{'---|' * (1 + len(SHOWN))}")
    for what, cells in rows.items():
        print(f"| {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
