#!/usr/bin/env python3
"""offkey against its peers on this machine, in one interleaved run.

    python3 benches/peers/run.py [--only train,infer,features,kmeans,tsne,tsne_large] [--json FILE]
    python3 benches/peers/run.py --only gpu [--examples FOLDER] [--python PROGRAM]
    python3 benches/peers/run.py --only infer --threads 1 --core 1 --processor-time

Keeps its own virtual environment beside this file and makes it from requirements.txt if needed.
`gpu` needs an NVIDIA card; its side of ours is built with the cargo feature `gpu`. Where the card's
machine can neither build nor install, `--examples` names a folder with the examples built elsewhere
and `--python` an interpreter that has PyTorch.
Every round gives each side one turn, in a rotating order; who has no turn is stopped (SIGSTOP), so
that neither spinning threads nor work ahead of time weigh on another. The comparison is with the
peer of the smallest median. `ratio` is the peer's median time divided by ours, above 1 we are
faster; `spread` is the interquartile range of the rounds' own ratios, divided by their median.
With `--processor-time` a turn counts the time that the process's threads were on a processor, so that other work on
the machine does not count. Use it with one thread, where it is the time of the clock of a machine that is free.
Of maps both sides' quality is measured by the same yardstick, see `points_worker.py`.
"""

import argparse
import functools
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
EXAMPLES = None
THREADS = 2
# One processor for every side, and processor time instead of the clock's; where asked for.
CORE = None
PROCESSOR_TIME = False

# Keeps what was allocated instead of giving it back to the kernel after every layer.
TUNED_MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "-1",
    "MALLOC_TOP_PAD_": str(256 << 20),
}
SYSTEM = "system malloc, no setting"
TUNED = "system malloc, " + " ".join(f"{key}={value}" for key, value in TUNED_MALLOC.items())


def main():
    global EXAMPLES, PYTHON, THREADS, CORE, PROCESSOR_TIME, LARGE
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="comma-separated kinds of rows", default=",".join(ON_CPU))
    parser.add_argument("--json", type=Path, help="file that receives one object per row")
    parser.add_argument("--markdown", type=Path, help="file that receives the table, with machine and commit")
    parser.add_argument("--rounds", type=int, default=9, help="at most; rows that take minutes have fewer")
    parser.add_argument("--large", type=int, default=17_000, help="points of the row tsne_large")
    parser.add_argument("--examples", type=Path, help="folder with our examples, built before")
    parser.add_argument("--python", help="interpreter with what requirements.txt names")
    parser.add_argument("--threads", type=int, default=THREADS, help="of every side")
    parser.add_argument("--core", type=int, help="run every side on this processor alone")
    parser.add_argument("--processor-time", action="store_true", help="count time on a processor, not the clock's")
    arguments = parser.parse_args()
    THREADS, CORE, PROCESSOR_TIME = arguments.threads, arguments.core, arguments.processor_time
    EXAMPLES = arguments.examples
    kinds = arguments.only.split(",")
    if unknown := set(kinds) - set(ROWS):
        parser.error(f"unknown rows {sorted(unknown)}, expected some of {list(ROWS)}")
    LARGE = arguments.large
    if arguments.python:
        PYTHON = arguments.python
    else:
        make_environment()
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for kind in kinds:
            for row in ROWS[kind](Path(scratch)):
                rows.append(measure(row, min(arguments.rounds, ROUNDS.get(kind, arguments.rounds))))
                print(line(rows[-1]), flush=True)
        ceiling = gflops() if arguments.markdown else None
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(report(rows, ceiling))


def make_environment():
    """Makes the environment, or brings it up to date with requirements.txt."""
    wanted = (HERE / "requirements.txt").read_text()
    made_from = VENV / "made-from.txt"
    if PYTHON.exists() and made_from.exists() and made_from.read_text() == wanted:
        return
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"]
    subprocess.run(pip, check=True)
    made_from.write_text(wanted)


@functools.cache
def built_examples(features=""):
    """Builds the project's examples in release mode, all in one selection, and tells where each is."""
    command = ["cargo", "build", "--release", "--workspace", "--examples", "--message-format=json"]
    if features:
        command += ["--features", features]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = map(json.loads, built.stdout.splitlines())
    return {
        message["target"]["name"]: message["executable"]
        for message in messages
        if message.get("reason") == "compiler-artifact" and message.get("executable")
    }


def example(name, features=""):
    return EXAMPLES / name if EXAMPLES else built_examples(features)[name]


class Worker:
    """A process that does one unit of work for each line we send it."""

    def __init__(self, name, command, allocator=SYSTEM, environment=None, threads=None):
        self.name = name
        self.allocator = allocator
        self.process = subprocess.Popen(
            [*on_core(), *(str(part) for part in command)],
            env={**os.environ, **single_or_all(threads or THREADS), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer("ready")
        self.process.send_signal(signal.SIGSTOP)

    def answer(self, key):
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"{self.name} ended without an answer")
        return json.loads(text)[key]

    def turn(self):
        """Milliseconds of one unit of work."""
        before = self.processor_ms()
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        ms = self.answer("ms")
        self.process.send_signal(signal.SIGSTOP)
        return self.processor_ms() - before if PROCESSOR_TIME else ms

    def processor_ms(self):
        """Milliseconds that its threads have been on a processor."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def finish(self):
        """Ends the process and returns its peak memory in MB."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        peak = self.answer("peak_mb")
        self.process.wait()
        return peak


class Program:
    """A program that is run anew for every turn and prints its seconds."""

    def __init__(self, name, command, key, threads=None, result=None):
        self.name = name
        self.allocator = SYSTEM
        self.command = [str(part) for part in command]
        self.key = key
        self.threads = threads or THREADS
        self.result = result
        self.peak_mb = 0.0

    def turn(self):
        process = subprocess.Popen(
            self.command,
            env={**os.environ, **single_or_all(self.threads)},
            stdout=subprocess.PIPE,
            text=True,
        )
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise RuntimeError(f"{self.name} failed: {' '.join(self.command)}")
        self.peak_mb = max(self.peak_mb, usage.ru_maxrss / 1024)
        seconds = json.loads(text)[self.key]
        return 1e3 * (statistics.median(seconds) if isinstance(seconds, list) else seconds)

    def finish(self):
        return self.peak_mb


def on_core():
    """What a command begins with that is to stay on one processor."""
    return [] if CORE is None else ["taskset", "-c", str(CORE)]


def single_or_all(threads):
    """The settings by which every library here is told its number of threads."""
    names = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"]
    return {name: str(threads) for name in names}


def torch_workers(work, clips):
    command = [PYTHON, HERE / "torch_worker.py", "--work", work, "--clips", clips, "--threads", THREADS]
    last = [*command, "--layout", "channels-last"]
    peers = [
        Worker("PyTorch, as installed", command),
        Worker("PyTorch, channels_last", last),
        Worker("PyTorch, channels_last, tuned malloc", last, TUNED, TUNED_MALLOC),
    ]
    if shutil.which("c++") is None:
        print("no C++ compiler, so torch.compile is left out", file=sys.stderr)
        return peers
    compiled = [*last, "--compile"]
    return [*peers, Worker("PyTorch, torch.compile, tuned malloc", compiled, TUNED, TUNED_MALLOC)]


def train_rows(_scratch):
    ours = example("peer_step")
    yield "train_step_64", Worker("offkey", [ours, "train", 64]), torch_workers("train", 64)


def onnx_workers(clips, model):
    command = [PYTHON, HERE / "onnx_worker.py", "--model", model, "--clips", clips, "--threads", THREADS, "--runtime"]
    runtimes = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
    return [
        Worker(f"{name}{words}", [*command, runtime], allocator, environment)
        for name, runtime in runtimes.items()
        for words, allocator, environment in [("", SYSTEM, None), (", tuned malloc", TUNED, TUNED_MALLOC)]
    ]


def infer_rows(scratch):
    ours = example("peer_step")
    model = scratch / "encoder.onnx"
    subprocess.run([PYTHON, HERE / "onnx_worker.py", "--export", model], check=True, stdout=subprocess.DEVNULL)
    for clips in (64, 1):
        peers = [*torch_workers("infer", clips), *onnx_workers(clips, model)]
        yield f"infer_{clips}", Worker("offkey", [ours, "infer", clips]), peers


def gpu_rows(_scratch):
    """The same step and the same inference on one NVIDIA card, clips coming from the processor's memory."""
    ours = example("peer_step", "offkey-train/gpu")
    command = [PYTHON, HERE / "torch_worker.py", "--device", "cuda", "--threads", os.cpu_count()]
    for work, clips in (("train", 64), ("infer", 64), ("infer", 1)):
        name = f"train_step_{clips}_gpu" if work == "train" else f"infer_{clips}_gpu"
        this = [*command, "--work", work, "--clips", clips]
        peers = [
            Worker("PyTorch CUDA, as installed", this, threads=os.cpu_count()),
            Worker("PyTorch CUDA, channels_last", [*this, "--layout", "channels-last"], threads=os.cpu_count()),
        ]
        yield name, Worker("offkey", [ours, work, clips, "gpu"], threads=os.cpu_count()), peers


def feature_rows(scratch):
    """Decoding, STFT and spectrum of 16 clips of 10 s, on one core."""
    ours = example("peer_features")
    files = noise_files(scratch, clips=16, seconds=10)
    key = "decode_stft_spectrum_s"
    script = HERE / "features_worker.py"
    peers = [
        Program(library, [PYTHON, script, "--library", library, *files], key, threads=1)
        for library in ("scipy", "torch", "librosa")
    ]
    yield "features", Program("offkey", [ours, *files], key, threads=1), peers
    # Once more against librosa alone, whose users the factor of five is promised to.
    yield "features_librosa", Program("offkey", [ours, *files], key, threads=1), peers[2:]


def kmeans_rows(scratch):
    """16 means of 990 embeddings, 10 restarts."""
    ours = example("peer_kmeans")
    points = embeddings(scratch / "section.npy", 990)
    script = [PYTHON, HERE / "points_worker.py", "--work", "kmeans", "--repeats", 5, points]
    yield "kmeans", Program("offkey", [ours, points], "seconds"), [Program("scikit-learn", script, "seconds")]


def tsne_rows(scratch):
    """750 steps on 2,000 embeddings, perplexity 30."""
    yield tsne_row("tsne", scratch, 2000)


def tsne_large_rows(scratch):
    """The same on as many embeddings as a year of the challenge has clips."""
    yield tsne_row(f"tsne_{LARGE}", scratch, LARGE)


def tsne_row(name, scratch, count):
    points = embeddings(scratch / f"{name}.npy", count)
    maps = [scratch / f"{name}_{side}.npy" for side in ("ours", "peer")]
    script = [PYTHON, HERE / "points_worker.py", "--work", "tsne", "--positions", maps[1], points]
    ours = Program("offkey", [example("peer_tsne"), points, maps[0]], "seconds", result=(points, maps[0]))
    return name, ours, [Program("openTSNE", script, "seconds", result=(points, maps[1]))]


def quality(side):
    """How good the map is that a side made last; empty where it makes none."""
    result = getattr(side, "result", None)
    if result is None:
        return {}
    points, positions = result
    command = [PYTHON, HERE / "points_worker.py", "--work", "judge", "--positions", positions, points]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


ROWS = {
    "train": train_rows,
    "infer": infer_rows,
    "gpu": gpu_rows,
    "features": feature_rows,
    "kmeans": kmeans_rows,
    "tsne": tsne_rows,
    "tsne_large": tsne_large_rows,
}
ROUNDS = {"tsne_large": 3}
LARGE = 17_000
# What a run measures that asks for nothing in particular.
ON_CPU = [kind for kind in ROWS if kind != "gpu"]


def noise_files(folder, clips, seconds):
    random = Random(7)
    paths = []
    for clip in range(clips):
        path = folder / f"clip_{clip}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(random.randbytes(2 * 16_000 * seconds))
        paths.append(path)
    return paths


def embeddings(path, count):
    """Unit vectors of 256 numbers around 24 directions, as an encoder would make them."""
    code = """if True:
        import sys, numpy as np
        random = np.random.default_rng(7)
        centres = random.standard_normal((24, 256))
        count = int(sys.argv[2])
        points = centres[random.integers(24, size=count)] + 0.7 * random.standard_normal((count, 256))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        np.save(sys.argv[1], points.astype(np.float32))"""
    subprocess.run([PYTHON, "-c", code, path, str(count)], check=True)
    return path


def measure(row, rounds):
    name, ours, peers = row
    sides = [ours, *peers]
    times = {side.name: [] for side in sides}
    for turn in range(rounds):
        # Rotated, so that nobody always follows the same neighbour.
        for place in range(len(sides)):
            side = sides[(turn + place) % len(sides)]
            times[side.name].append(side.turn())
    peaks = {side.name: side.finish() for side in sides}
    medians = {side: statistics.median(values) for side, values in times.items()}
    best = min(peers, key=lambda peer: medians[peer.name])
    ratios = [peer / our for peer, our in zip(times[best.name], times[ours.name])]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "name": name,
        "unit": "ms",
        "ours": round(medians[ours.name], 3),
        "peer": round(medians[best.name], 3),
        "peer_name": best.name,
        "ratio": round(medians[best.name] / medians[ours.name], 3),
        "spread": round((high - low) / middle, 3),
        "rounds": rounds,
        "ours_allocator": ours.allocator,
        "peer_allocator": best.allocator,
        "ours_peak_mb": round(peaks[ours.name]),
        "peer_peak_mb": round(peaks[best.name]),
        "all_peers": {peer.name: round(medians[peer.name], 3) for peer in peers},
        "ours_quality": quality(ours),
        "peer_quality": quality(best),
    }


def line(row):
    others = ", ".join(f"{name} {ms:.1f}" for name, ms in row["all_peers"].items())
    return (
        f"{row['name']:18} ours {row['ours']:9.1f} ms  best peer {row['peer']:9.1f} ms "
        f"({row['peer_name']})  ratio {row['ratio']:.2f}  spread {row['spread']:.2f}  "
        f"peak {row['ours_peak_mb']} against {row['peer_peak_mb']} MB  [{others}]{quality_words(row)}"
    )


def quality_words(row):
    if not row["ours_quality"]:
        return ""
    ours, peer = row["ours_quality"], row["peer_quality"]
    return "; ours and peer: " + ", ".join(f"{name} {ours[name]:.3f} and {peer[name]:.3f}" for name in ours)


def gflops():
    """Single-precision speed of one large matrix product: the practical ceiling just now."""
    size = 2048
    worker = Worker("sgemm", [PYTHON, HERE / "torch_worker.py", "--work", "sgemm", "--threads", THREADS])
    best = min(worker.turn() for _ in range(7))
    worker.finish()
    return 2.0 * size**3 / best / 1e6


def report(rows, ceiling):
    """The table, with what it was measured on."""
    commit = output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    cpu = next(
        (entry.split(":")[1].strip() for entry in Path("/proc/cpuinfo").read_text().splitlines()
         if entry.startswith("model name")),
        platform.processor(),
    )
    if (card := output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")) not in ("", "unknown"):
        cpu = f"{card}, {cpu}"
    flags = "AVX-512" if "avx512f" in Path("/proc/cpuinfo").read_text() else "no AVX-512"
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    table = "\n".join(
        f"| {row['name']} | {row['ours']:.1f} | {row['peer']:.1f} | {row['peer_name']} | "
        f"**{row['ratio']:.2f}** | {100 * row['spread']:.0f} % | "
        f"{row['ours_peak_mb']} / {row['peer_peak_mb']} |"
        for row in rows
    )
    counted = ", processor time" if PROCESSOR_TIME else ""
    rounds = ", ".join(f"{row['name']} {row['rounds']}" for row in rows)
    details = "\n".join(
        f"* {row['name']}: "
        + ", ".join(f"{name} {ms:.1f} ms" for name, ms in row["all_peers"].items())
        + f"; ours with {row['ours_allocator']}, peer with {row['peer_allocator']}{quality_words(row)}."
        for row in rows
    )
    return f"""# Against the peers

Written by `run.py`; every number is a median of interleaved rounds in one run ({rounds}).
`ratio` is the best peer's time divided by ours; `spread` the interquartile range of the rounds' ratios.

Machine: {cpu}, {os.cpu_count()} cores, {flags}, {THREADS} threads (features: 1){counted}. Commit {commit}.
Large sgemm at the end of the run: {ceiling:.0f} GFLOP/s. Load averages then: {load}.

| row | ours, ms | best peer, ms | peer | ratio | spread | peak MB, ours / peer |
| --- | --- | --- | --- | --- | --- | --- |
{table}

{details}
"""


def output(*command):
    if shutil.which(command[0]) is None:
        return "unknown"
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
