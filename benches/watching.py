#!/usr/bin/env python3
"""What `offkey watch` costs: processor and memory of several sources at once in real time, and memory
over an hour of sound at full speed. Linux only, since it reads /proc.

    watching.py realtime --model FILE CLIP... [--sources 1 4 8] [--seconds 60]
    watching.py hour     --model FILE CLIP... [--hours 1]

Each source is a process of its own that reads raw samples from a pipe. The clips (16-bit WAV of one
channel at 16 kHz) are repeated for as long as sound is needed.
"""

import argparse
import os
import pathlib
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATE_HZ = 16_000
BLOCK_S = 0.1


def sound(clips):
    """Raw samples of the clips, one after the other."""
    files = [clip.read_bytes() for clip in clips]
    return b"".join(data[data.index(b"data") + 8:] for data in files)


def start(args):
    command = [args.binary, "watch", "-", "--model", args.model, "--raw-rate-hz", str(RATE_HZ)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, field="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def feed(process, data, seconds):
    """Writes sound as fast as it would come from a microphone; returns how late the last block was."""
    size, begun, late = int(2 * RATE_HZ * BLOCK_S), time.monotonic(), 0.0
    for block in range(int(seconds / BLOCK_S)):
        ahead = begun + block * BLOCK_S - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        late = max(late, -ahead)
        at = block * size % (len(data) - size)
        process.stdin.write(data[at:at + size])
        process.stdin.flush()
    process.late = late


def realtime(args):
    data = sound(args.clips)
    print("| sources | processor, share of one core per source % | memory per source MB | a block was late by at most s |")
    print("|---|---|---|---|")
    for count in args.sources:
        processes = [start(args) for _ in range(count)]
        time.sleep(3)  # so that loading the model is not counted as listening
        before = [cpu_s(process.pid) for process in processes]
        feeders = [threading.Thread(target=feed, args=(p, data, args.seconds)) for p in processes]
        for feeder in feeders:
            feeder.start()
        for feeder in feeders:
            feeder.join()
        spent = [cpu_s(process.pid) - cpu for process, cpu in zip(processes, before)]
        most = [memory_mb(process.pid, "VmHWM") for process in processes]
        for process in processes:
            process.stdin.close()
            process.wait()
        late = max(process.late for process in processes)
        print(f"| {count} | {100 * sum(spent) / count / args.seconds:.1f} | {sum(most) / count:.0f} | {late:.2f} |", flush=True)


def hour(args):
    data = sound(args.clips)
    process = start(args)
    begun, steps = time.monotonic(), 12
    total = int(3600 * args.hours) * 2 * RATE_HZ
    print("| minutes of sound | memory MB |")
    print("|---|---|")
    written = 0
    for step in range(steps):
        while written < total * (step + 1) // steps:
            at = written % len(data)
            written += process.stdin.write(data[at:at + (1 << 16)])
        process.stdin.flush()
        print(f"| {written / 2 / RATE_HZ / 60:.0f} | {memory_mb(process.pid):.1f} |", flush=True)
    spent = cpu_s(process.pid)
    process.stdin.close()
    process.wait()
    wall = time.monotonic() - begun
    print(f"\n{args.hours} h of sound in {wall:.0f} s, {spent:.0f} processor seconds")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["realtime", "hour"])
    parser.add_argument("clips", nargs="+", type=pathlib.Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--binary", default=str(ROOT / "target/release/offkey"))
    parser.add_argument("--sources", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hours", type=float, default=1)
    args = parser.parse_args()
    {"realtime": realtime, "hour": hour}[args.what](args)


if __name__ == "__main__":
    main()
