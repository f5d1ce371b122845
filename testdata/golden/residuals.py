"""Mahalanobis scores of reconstruction errors in numpy, written from the published description of
the challenge's baseline and independent of the Rust code.

The official score is computed as the baseline does, over all pairs of frames; the covariance of
frames is summed over all frames of all windows and divided by the number of windows less one.

Run: python residuals.py > residuals.json    (numpy 2.4)
"""

import json
import sys

import numpy as np

MELS, FRAMES = 4, 3
rng = np.random.default_rng(20231)


def errors(windows, offset):
    mixing = np.linspace(0.2, 1.5, (MELS * FRAMES) ** 2).reshape(MELS * FRAMES, -1) % 0.7
    values = rng.normal(size=(windows, MELS * FRAMES)) @ (np.eye(MELS * FRAMES) + mixing) + offset
    return values.astype(np.float32)


training = [errors(windows, 0.1) for windows in (9, 14, 11)]
test = errors(7, 0.6)

windows = np.concatenate(training).astype(np.float64)
d = windows.reshape(-1, MELS)
deviations = d - d.mean(axis=0)
precision = np.linalg.inv(deviations.T @ deviations / (len(windows) - 1))
delta = test.astype(np.float64).reshape(-1, MELS)
pairs = delta @ precision @ delta.T
official = pairs.mean(axis=1).sum() / len(delta)

covariance = np.cov(windows.T, bias=True)
ridge = 1e-6 * np.trace(covariance) / len(covariance)
precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
full = test.astype(np.float64)
windowed = np.einsum("wi,ij,wj->w", full, precision, full).mean()

json.dump(
    {
        "numpy": np.__version__,
        "mels": MELS,
        "training": [clip.tolist() for clip in training],
        "test": test.tolist(),
        "official": official,
        "windowed": windowed,
    },
    sys.stdout,
)
