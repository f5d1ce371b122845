"""Losses and their gradients by PyTorch autograd in double precision, written from the published
formulas and independent of the Rust code.

Run: python losses.py > losses.json
"""

import json
import math
import sys

import torch

torch.set_default_dtype(torch.float64)

DIMS, CLASSES, SUB, CLIPS = 4, 3, 2, 4
W = torch.tensor([[math.sin(1 + 0.7 * i + 1.3 * j + 0.11 * i * j) for j in range(CLASSES * SUB)] for i in range(DIMS)])
X = torch.tensor([[math.cos(0.3 + 0.9 * b + 0.5 * i + 0.07 * b * i) for i in range(DIMS)] for b in range(CLIPS)])
Y = torch.tensor([[1, 0, 0], [0, 1, 0], [0.25, 0, 0.75], [0, 0.6, 0.4]])
W1 = W[:, ::SUB]


def unit(v, dim):
    return torch.nn.functional.normalize(v, dim=dim)


def soft(losses_of_class):
    """Weights the loss each class would give by its soft label."""
    return (torch.stack(losses_of_class, dim=1) * Y).sum(1)


def cross_entropy_of(logits_for):
    """Cross-entropy of every class taken as the true one; the logits may depend on it."""
    rows = []
    for c in range(CLASSES):
        target = torch.full((CLIPS,), c)
        rows.append(torch.nn.functional.cross_entropy(logits_for(c), target, reduction="none"))
    return soft(rows)


def compactness(x, normalized):
    c = unit(W[:, 0], 0)
    return ((unit(x, 1) if normalized else x) - c).square().sum(1)


def intra_class(x, normalized):
    e, c = (unit(x, 1) if normalized else x), unit(W1, 0)
    return soft([(e - c[:, k]).square().sum(1) for k in range(CLASSES)])


def linear(x):
    return cross_entropy_of(lambda _: x @ W1)


def aam(x, s, m):
    cos = unit(x, 1) @ unit(W1, 0)

    def logits(c):
        one_hot = torch.nn.functional.one_hot(torch.tensor(c), CLASSES)
        return s * torch.cos(torch.arccos(cos) + m * one_hot)

    return cross_entropy_of(logits)


def noisy_arcmix(x, s, m):
    cos = unit(x, 1) @ unit(W1, 0)
    main = torch.nn.functional.one_hot(Y.argmax(1), CLASSES)
    return cross_entropy_of(lambda _: s * torch.cos(torch.arccos(cos) + m * main))


def cosface(x, s, m):
    cos = unit(x, 1) @ unit(W1, 0)
    return cross_entropy_of(lambda c: s * (cos - m * torch.nn.functional.one_hot(torch.tensor(c), CLASSES)))


def adacos(x, s):
    return cross_entropy_of(lambda _: s * unit(x, 1) @ unit(W1, 0))


def sub_cluster(x, s):
    p = torch.softmax(s * unit(x, 1) @ unit(W, 0), 1).reshape(CLIPS, CLASSES, SUB).sum(2)
    return -(Y * p.log()).sum(1)


def adaproj(x, s):
    e, w = unit(x, 1), unit(W, 0).reshape(DIMS, CLASSES, SUB)
    projected = torch.einsum("bd,dcm,ecm->bce", e, w, w)
    cos = torch.einsum("bd,bcd->bc", e, unit(projected, 2))
    return cross_entropy_of(lambda _: s * cos)


S0 = math.sqrt(2) * math.log(CLASSES * SUB - 1)
CASES = {
    "compactness": lambda x: compactness(x, True),
    "compactness-unnormalized": lambda x: compactness(x, False),
    "intra-class-compactness": lambda x: intra_class(x, True),
    "intra-class-compactness-unnormalized": lambda x: intra_class(x, False),
    "intra-class-compactness-cross-entropy": lambda x: intra_class(x, True) + 0.5 * linear(x),
    "cross-entropy": linear,
    "aam": lambda x: aam(x, 64.0, 0.5),
    "aam-small": lambda x: aam(x, 8.0, 0.2),
    "noisy-arcmix": lambda x: noisy_arcmix(x, 30.0, 0.7),
    "cosface": lambda x: cosface(x, 64.0, 0.35),
    "cosface-small": lambda x: cosface(x, 8.0, 0.2),
    "adacos": lambda x: adacos(x, math.sqrt(2) * math.log(CLASSES - 1)),
    "sub-cluster-adacos": lambda x: sub_cluster(x, S0),
    "adaproj": lambda x: adaproj(x, S0),
}

golden = {"versions": {"python": sys.version.split()[0], "torch": torch.__version__}, "cases": {}}
for name, loss in CASES.items():
    x = X.clone().requires_grad_()
    per_clip = loss(x)
    per_clip.mean().backward()
    golden["cases"][name] = {"losses": per_clip.tolist(), "gradient_of_mean": x.grad.tolist()}
json.dump(golden, sys.stdout, indent=1)
print()
