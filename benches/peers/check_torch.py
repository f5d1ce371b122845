"""Compares a run's embeddings with those of the PyTorch reader: `check_torch.py RUN` fails above 1e-4."""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from offkey_torch import Encoder  # noqa: E402


def main(run):
    encoder = Encoder(run / "model").eval()
    rows = list(csv.DictReader((run / "embeddings" / "rows.csv").open()))
    expected = np.load(run / "embeddings" / "embeddings.npy")
    worst = 0.0
    for row, own in zip(rows, expected):
        wave, rate_hz = soundfile.read(row["path"], dtype="float32")
        # Clips of another rate or length are resampled and cut before they enter; these are not.
        assert (rate_hz, len(wave)) == (encoder.rate_hz, encoder.samples), row["path"]
        with torch.no_grad():
            found = encoder(torch.from_numpy(wave)[None])[0].numpy()
        worst = max(worst, float(np.abs(found - own).max()))
    print(f"{len(rows)} clips of {run.name}: largest difference of any number {worst:.1e}")
    return worst < 1e-4 and len(rows) > 0


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1])) else 1)
