"""Reads a run's event files with TensorBoard's own reader and compares them with the run's tables: `check_events.py RUN`."""

import csv
import math
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def column(path, name):
    return [float(row[name]) for row in csv.DictReader(path.open()) if row[name]]


def same(found, expected):
    return len(found) == len(expected) and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(found, expected))


def main(run):
    events = EventAccumulator(str(run / "events"), size_guidance={"scalars": 0})
    events.Reload()
    pairs = [
        ("step/loss", "losses.csv", "loss"),
        ("epoch/loss", "compactness.csv", "loss"),
        ("train/accuracy", "compactness.csv", "train_accuracy"),
        ("held out/loss", "compactness.csv", "held_out_loss"),
        ("held out/accuracy", "compactness.csv", "held_out_accuracy"),
        ("test, for looking only/AUC", "watched.csv", "auc"),
    ]
    good = True
    for tag, table, name in pairs:
        found = [event.value for event in events.Scalars(tag)]
        fits = same(found, column(run / table, name))
        print(f"{tag}: {len(found)} events, {'as' if fits else 'NOT as'} `{name}` of {table}")
        good &= fits and len(found) > 0
    rates = [event.value for event in events.Scalars("step/learning rate")]
    print(f"step/learning rate: from {rates[0]:.1e} over {max(rates):.1e} to {rates[-1]:.1e}")
    return good and rates[0] < max(rates) and rates[-1] < 0.1 * max(rates)


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1])) else 1)
