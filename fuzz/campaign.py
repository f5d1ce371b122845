#!/usr/bin/env python3
"""Runs fuzz targets on a stable toolchain and adds up what was run in counts.toml.

    campaign.py [TARGET ...] [--seconds S] [--runs N]

Without targets all of those that need no training code. The corpus of earlier runs is unpacked from corpus.tar.xz,
and `campaign.py --pack` writes the smallest inputs that reach all of it back. A crash is left in `artifacts/` and
ends with exit code 1.
"""

import argparse
import datetime
import os
import pathlib
import re
import subprocess
import sys
import tarfile

FOLDER = pathlib.Path(__file__).resolve().parent
TARGET = "x86_64-unknown-linux-gnu"
TARGETS = ["wav", "stream", "model", "names", "tables"]
FLAGS = ["-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
         "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-pc-table",
         "-Ccodegen-units=1", "--cfg fuzzing"]
# Longest input of each: longer ones find nothing that these do not, and take their time.
LENGTH = {"wav": 4096, "stream": 4096, "model": 74, "names": 200, "tables": 1000}
ARCHIVE = FOLDER / "corpus.tar.xz"


def build(targets):
    names = [word for target in targets for word in ("--bin", target)]
    env = dict(os.environ, RUSTFLAGS=" ".join(FLAGS))
    subprocess.run(["cargo", "build", "--release", "--target", TARGET, *names], cwd=FOLDER, env=env, check=True)


def seed(target):
    """Files of every form behind two bytes that choose how they are read; for models, no edit."""
    folder = FOLDER / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if target in ("wav", "stream"):
        for path in [*FOLDER.glob("../testdata/wav/*"), *FOLDER.glob("../testdata/coded/*")]:
            (folder / path.name).write_bytes(b"\0\1" + path.read_bytes())
    elif target == "model":
        for file in (0, 1, 254):
            (folder / f"file {file}").write_bytes(bytes([file]))
    return folder


def program(target):
    return FOLDER / "target" / TARGET / "release" / target


def add(target, runs):
    """Adds runs to the counts; what a run of another day said stays."""
    path = FOLDER / "counts.toml"
    text = path.read_text() if path.exists() else ""
    found = re.search(rf"^{target} = (\d+)$", text, re.M)
    line = f"{target} = {runs + (int(found[1]) if found else 0)}"
    text = text.replace(found[0], line) if found else text + line + "\n"
    today = f'last = "{datetime.date.today()}"'
    text = re.sub(r'^last = ".*"$', today, text, flags=re.M) if 'last = "' in text else f"{today}\n{text}"
    path.write_text(text)  # comments at the top stay


def run(target, options):
    artifacts = FOLDER / "artifacts" / target
    artifacts.mkdir(parents=True, exist_ok=True)
    command = ["nice", "-n", "19", program(target), f"-max_len={LENGTH[target]}", "-rss_limit_mb=2048", "-timeout=20",
               "-print_final_stats=1", f"-artifact_prefix={artifacts}/", *options, seed(target)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    ran = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    runs = int(ran[1]) if ran else 0
    add(target, runs)
    print(f"{target}: {runs} executions" + ("" if done.returncode == 0 else f", ended with {done.returncode}"))
    if done.returncode:
        print(done.stderr[-3000:])
    return done.returncode == 0


def pack(targets):
    with tarfile.open(ARCHIVE, "w:xz") as archive:
        for target in targets:
            small = FOLDER / "corpus" / f"{target}.small"
            small.mkdir(parents=True, exist_ok=True)
            subprocess.run([program(target), "-merge=1", f"-max_len={LENGTH[target]}", small, FOLDER / "corpus" / target],
                           stderr=subprocess.DEVNULL, check=True)
            for path in sorted(small.iterdir()):
                archive.add(path, f"corpus/{target}/{path.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=[], help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--pack", action="store_true", help="write the corpus back and run nothing")
    args = parser.parse_args()
    targets = args.targets or TARGETS
    build(targets)
    if args.pack:
        return pack(targets)
    if ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(FOLDER, filter="data")
    options = [f"-max_total_time={args.seconds}", f"-runs={args.runs}"]
    return 0 if all([run(target, options) for target in targets]) else 1


if __name__ == "__main__":
    sys.exit(main())
