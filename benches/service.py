#!/usr/bin/env python3
"""What the service costs, and what faults do to it. Everything on this computer, bounded in count and time.

    service.py load  PROGRAM MODEL WAV [--sources 64] [--seconds 60]
    service.py kills PROGRAM MODEL WAV [--kills 300] [--recordings 200]

`load`: growing files, fed in real time by one process; CPU, memory, delay from the end of a window to its verdict, bytes
written. `kills`: a folder of recordings is heard while the service is killed at random moments; what was lost and what
is there twice. WAV is a recording of the model's machine, 16-bit.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import time
import urllib.request

STEP_S = 0.5
CLOCK_HZ = os.sysconf("SC_CLK_TCK")


def start(program, folder):
    """The process and its address."""
    log = folder / "said.txt"
    with log.open("wb") as said:
        process = subprocess.Popen([program, "serve.toml"], cwd=folder, stderr=said, env={**os.environ, "NO_COLOR": "1"})
    end = time.monotonic() + 60
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


def delays(text):
    """Delay that half, and 99 of 100, windows stay below."""
    buckets = re.findall(r'window_delay_seconds_bucket\{le="([^"]+)"\} (\d+)', text)
    total = int(buckets[-1][1])
    below = lambda share: next(le for le, count in buckets if int(count) >= share * total)
    return below(0.5), below(0.99), total


def load(args):
    sound, rate = samples(args.wav)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copy(args.model, folder / "model.offkey")
        lines = ['[web]\nlisten = "127.0.0.1:0"\n']
        for index in range(args.sources):
            lines.append(f'[machine.m{index}]\nmodel = "model.offkey"\nsource = {{ file = {{ path = "m{index}.raw", raw = {{ rate_hz = {rate} }} }} }}\n')
            (folder / f"m{index}.raw").touch()
        (folder / "serve.toml").write_text("".join(lines))
        process, url = start(args.program, folder)
        try:
            files = [(folder / f"m{index}.raw").open("ab", buffering=0) for index in range(args.sources)]
            step = int(STEP_S * rate) * 2
            begun, cpu, at = time.monotonic(), spent(process), 0
            memory = []
            while time.monotonic() - begun < args.seconds:
                piece = (sound + sound)[at:at + step]
                at = (at + step) % len(sound)
                for file in files:
                    file.write(piece)
                memory.append(number(process, "status", "VmRSS") / 1024)
                time.sleep(max(0, begun + len(memory) * STEP_S - time.monotonic()))
            wall, used = time.monotonic() - begun, spent(process) - cpu
            half, most, windows = delays(metrics(url))
            print(json.dumps({
                "sources": args.sources, "seconds": round(wall, 1), "cores_used": round(used / wall, 3), "windows": windows,
                "memory_mb_early": round(memory[len(memory) // 4], 1), "memory_mb_end": round(memory[-1], 1),
                "delay_s_median_below": half, "delay_s_99_below": most,
                "written_mb_per_day": round(number(process, "io", "write_bytes") / 2**20 / wall * 86400, 1),
            }))
        finally:
            process.terminate()
            process.wait(30)


def kills(args):
    whole = pathlib.Path(args.wav).read_bytes()
    random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copy(args.model, folder / "model.offkey")
        (folder / "in").mkdir()
        for index in range(args.recordings):
            (folder / "in" / f"{index:05}.wav").write_bytes(whole)
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
            (folder / "in" / f"{args.recordings + done:05}.wav").write_bytes(whole)
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
        print(json.dumps({
            "kills": done, "recordings": total, "windows": windows, "windows_per_recording": windows / total,
            "events": events, "events_twice": events - distinct, "told": len(lines), "told_twice": len(lines) - len(set(lines)), "should_be_told": sent,
        }))


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
    verbs.choices["kills"].add_argument("--kills", type=int, default=300)
    verbs.choices["kills"].add_argument("--recordings", type=int, default=200)
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    args.what(args)


if __name__ == "__main__":
    main()
