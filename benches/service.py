#!/usr/bin/env python3
"""What the service costs, and what faults do to it. Everything on this computer, bounded in count and time.

    service.py load  PROGRAM MODEL WAV [--sources 64] [--seconds 60] [--shared]
    service.py kills PROGRAM MODEL WAV [--kills 300] [--recordings 200] [--window-s 0.5]

`load`: growing files, fed in real time by one process; CPU, memory, bytes written, and the delay from sound to event: a loud tone begins
in one file after the other, and the time is taken until a page hears of the alarm (the window must be full before that). `kills`: a folder of recordings is heard while the service is killed at random moments; what was lost and what
is there twice. Every second recording has a loud tone, so that alarms begin and end; MODEL has windows of --window-s that do not overlap. Both fail where something was lost, doubled or not heard. Each machine has a model of its own, which differs from MODEL in its name alone; `--shared` gives all of them one file. WAV is a recording of the model's machine, 16-bit.
"""

import argparse
import array
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import math
import tempfile
import threading
import time
import urllib.request

STEP_S = 0.5
# Recordings of `kills` are at least so long.
LEAST_S = 10
CLOCK_HZ = os.sysconf("SC_CLK_TCK")


def start(program, folder):
    """The process and its address."""
    log = folder / "said.txt"
    with log.open("wb") as said:
        process = subprocess.Popen([program, "serve.toml"], cwd=folder, stderr=said, env={**os.environ, "NO_COLOR": "1"})
    end = time.monotonic() + 600
    while time.monotonic() < end:
        if found := re.search(r"listening on (http://\S+)", log.read_text()):
            return process, found[1]
        if process.poll() is not None:
            raise SystemExit(f"it ended at once:\n{log.read_text()}")
        time.sleep(0.02)
    raise SystemExit("it does not listen")


def samples(path):
    data = pathlib.Path(path).read_bytes()
    at = data.index(b"data")
    size = struct.unpack_from("<I", data, at + 4)[0]
    rate = struct.unpack_from("<I", data, 24)[0]
    return data[at + 8:at + 8 + size], rate


def metrics(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        return answer.read().decode()


def spent(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_HZ


def number(process, file, key):
    text = pathlib.Path(f"/proc/{process.pid}/{file}").read_text()
    return int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1])


def windows_of(text):
    return sum(int(count) for count in re.findall(r"^offkey_windows_total\{[^}]*\} (\d+)", text, re.M))


def wav_of(sound, rate):
    head = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(sound)) + sound


def fail_where(wrong):
    """Ends with the bounds that do not hold."""
    if failed := [what for what, is_wrong in wrong if is_wrong]:
        raise SystemExit("; ".join(failed))


def with_tone(piece, rate):
    """The same sound with a loud tone that the machine never made."""
    samples = array.array("h", piece)
    for index, sample in enumerate(samples):
        samples[index] = max(-32768, min(32767, sample + int(9000 * math.sin(2 * math.pi * 3100 * index / rate))))
    return samples.tobytes()


def hear_alarms(url, began):
    """Remembers when a page hears of the alarm of each machine."""
    try:
        with urllib.request.urlopen(f"{url}/api/live") as stream:
            for line in stream:
                if line.startswith(b"data:") and b'"alarm.began"' in line:
                    began.setdefault(json.loads(line[5:])["data"]["machine"], time.monotonic())
    except OSError:
        # The service ended.
        pass


def renamed(model, name):
    """The same model under another name, with the checksum that belongs to it."""
    size = struct.unpack("<Q", model[:8])[0]
    header, data = json.loads(model[8:8 + size]), model[8 + size:]
    about = header.pop("__metadata__")
    card = json.loads(about["card"])
    about["card"] = about["card"].replace(json.dumps(card["name"]), json.dumps(name), 1)
    digest = hashlib.sha256()
    for key in sorted(about.keys() - {"sha256"}):
        digest.update(f"{key}\0{about[key]}\0".encode())
    for key in sorted(header):
        begin, end = header[key]["data_offsets"]
        digest.update(f"{key}{header[key]['dtype']}{header[key]['shape']}".encode() + data[begin:end])
    text = json.dumps({"__metadata__": {**about, "sha256": digest.hexdigest()}, **header}, ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + data


def load(args):
    sound, rate = samples(args.wav)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = pathlib.Path(args.model).read_bytes()
        for index in range(args.sources):
            if index == 0 or not args.shared:
                (folder / f"m{index}.offkey").write_bytes(renamed(model, f"m{index}"))
        lines = ['[web]\nlisten = "127.0.0.1:0"\n']
        for index in range(args.sources):
            lines.append(f'[machine.m{index}]\nmodel = "m{0 if args.shared else index}.offkey"\nsource = {{ file = {{ path = "m{index}.raw", raw = {{ rate_hz = {rate} }} }} }}\n[machine.m{index}.alarm]\nalarms = 1\nwindows = 1\n')
            (folder / f"m{index}.raw").touch()
        (folder / "serve.toml").write_text("".join(lines))
        started = time.monotonic()
        process, url = start(args.program, folder)
        started = time.monotonic() - started
        silent = number(process, "status", "VmRSS") / 1024
        try:
            files = [(folder / f"m{index}.raw").open("ab", buffering=0) for index in range(args.sources)]
            step = int(STEP_S * rate) * 2
            begun, cpu, at = time.monotonic(), spent(process), 0
            memory, began, faults, written = [], {}, {}, 0
            threading.Thread(target=hear_alarms, args=(url, began), daemon=True).start()
            # The tone begins in one machine after the other, in the second half of the time.
            every = max(1, int(args.seconds / 2 / STEP_S / min(args.sources, 20)))
            while time.monotonic() - begun < args.seconds:
                piece = (sound + sound)[at:at + step]
                at = (at + step) % len(sound)
                if len(memory) >= args.seconds / 2 / STEP_S and len(memory) % every == 0 and len(faults) < args.sources:
                    faults[f"m{len(faults)}"] = time.monotonic()
                if not faults:
                    # Alarms and their sounds come after that.
                    written = number(process, "io", "write_bytes") / (time.monotonic() - begun)
                odd = with_tone(piece, rate) if faults else piece
                for index, file in enumerate(files):
                    file.write(odd if f"m{index}" in faults else piece)
                memory.append(number(process, "status", "VmRSS") / 1024)
                time.sleep(max(0, begun + len(memory) * STEP_S - time.monotonic()))
            wall, used = time.monotonic() - begun, spent(process) - cpu
            windows = windows_of(metrics(url))
            waits = sorted(began[name] - at for name, at in faults.items() if name in began and began[name] > at)
            early = [name for name in began if name not in faults or began[name] <= faults[name]]
            print(json.dumps({
                "sources": args.sources, "shared_model": args.shared, "seconds": round(wall, 1), "cores_used": round(used / wall, 3), "windows": windows,
                "s_until_it_answers": round(started, 1), "memory_mb_without_sound": round(silent, 1), "memory_mb_early": round(memory[len(memory) // 4], 1), "memory_mb_end": round(memory[-1], 1),
                "cpu_ms_per_window": round(1000 * used / max(1, windows), 2),
                "tones": len(faults), "heard": len(waits), "alarms_before_a_tone": len(early),
                "s_from_tone_to_page_median": round(waits[len(waits) // 2], 2) if waits else None, "s_from_tone_to_page_max": round(waits[-1], 2) if waits else None,
                "written_mb_per_day_without_alarms": round(written / 2**20 * 86400, 1),
            }), flush=True)
            fail_where([("a tone was not heard", len(waits) < len(faults)), ("something alarmed without a tone", early), ("memory grew by a tenth", memory[-1] > 1.1 * memory[len(memory) // 2])])
        finally:
            process.terminate()
            process.wait(30)


def kills(args):
    sound, rate = samples(args.wav)
    sound *= max(1, math.ceil(LEAST_S * 2 * rate / len(sound)))
    # By number: normal sound, then the same with a tone.
    kinds = [wav_of(sound, rate), wav_of(with_tone(sound, rate), rate)]
    windows_each = int(len(sound) / 2 / rate / args.window_s)
    random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copy(args.model, folder / "model.offkey")
        (folder / "in").mkdir()
        for index in range(args.recordings):
            (folder / "in" / f"{index:05}.wav").write_bytes(kinds[index % 2])
        (folder / "serve.toml").write_text(
            '[web]\nlisten = "127.0.0.1:0"\n[store]\ncommit_every = "100ms"\n[machine.m]\nmodel = "model.offkey"\nsource = { folder = "in" }\n'
            '[machine.m.alarm]\nalarms = 2\nwindows = 3\ncalm_windows = 3\n[sink.file]\njsonl = { path = "events.jsonl" }\n')
        done = 0
        for _ in range(args.kills):
            process, _ = start(args.program, folder)
            time.sleep(random.uniform(0.0, 0.5))
            process.kill()
            process.wait()
            done += 1
            # More to hear, so that every kill hits something.
            number = args.recordings + done
            (folder / "in" / f"{number:05}.wav").write_bytes(kinds[number % 2])
        process, _ = start(args.program, folder)
        total = args.recordings + done
        ask = lambda sql: sqlite3.connect(f"file:{folder}/offkey-data/offkey.db?mode=ro", uri=True).execute(sql).fetchone()
        end = time.monotonic() + 600
        while time.monotonic() < end and ask("SELECT count(*) FROM position WHERE key LIKE 'heard/%'")[0] < total:
            time.sleep(0.2)
        while time.monotonic() < end and ask("SELECT count(*) FROM outbox")[0] > 0:
            time.sleep(0.2)
        windows, = ask("SELECT count(*) FROM score")
        events, distinct = ask("SELECT count(*), count(DISTINCT id) FROM event")
        process.terminate()
        process.wait(30)
        lines = (folder / "events.jsonl").read_text().splitlines() if (folder / "events.jsonl").exists() else []
        sent, = ask("SELECT count(*) FROM event WHERE kind IN ('alarm.began', 'alarm.returned', 'alarm.cleared')")
        doubled = events - distinct
        print(json.dumps({
            "kills": done, "recordings": total, "windows": windows, "windows_per_recording": windows / total,
            "events": events, "events_twice": doubled, "told": len(lines), "told_twice": len(lines) - len(set(lines)), "should_be_told": sent,
        }), flush=True)
        fail_where([
            ("windows were lost or doubled", windows != total * windows_each), ("an event is there twice", doubled), ("a message was told twice", len(lines) != len(set(lines))),
            ("a message was not told", len(lines) < sent), ("nothing alarmed, so that nothing was shown", sent < total / 4),
        ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for verb, what in (("load", load), ("kills", kills)):
        sub = verbs.add_parser(verb)
        sub.set_defaults(what=what)
        for word in ("program", "model", "wav"):
            sub.add_argument(word)
    verbs.choices["load"].add_argument("--sources", type=int, default=64)
    verbs.choices["load"].add_argument("--seconds", type=float, default=60)
    verbs.choices["load"].add_argument("--shared", action="store_true")
    verbs.choices["kills"].add_argument("--kills", type=int, default=300)
    verbs.choices["kills"].add_argument("--recordings", type=int, default=200)
    verbs.choices["kills"].add_argument("--window-s", type=float, default=0.5)
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    args.what(args)


if __name__ == "__main__":
    main()
