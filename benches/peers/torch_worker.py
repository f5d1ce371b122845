"""The peer's side in PyTorch: one unit of work for each line read from standard input.

Prints `{"ready": ...}` once everything is built and warm, then for each line `{"ms": ...}`, and at
the end of the input `{"peak_mb": ...}`. `run.py` takes turns between such workers.
"""

import argparse
import json
import math
import resource
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testdata" / "golden"))
import encoder_torch  # noqa: E402

SAMPLES = 160_000
CLASSES = 342
SUBCENTRES = 16
L2_PENALTY = 1e-5


def waveforms(clips):
    generator = torch.Generator().manual_seed(7)
    return 0.1 * torch.randn(clips, SAMPLES, generator=generator)


def encoder(layout, device):
    torch.manual_seed(7)
    network = encoder_torch.Encoder(encoder_torch.PAPER, SAMPLES)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
    if layout == "channels-last":
        network = network.to(memory_format=torch.channels_last)
    return network.to(device)


class Training:
    """The complete step: features, encoder, sub-cluster AdaCos, L2 penalty, gradients, Adam."""

    def __init__(self, clips, layout, device):
        self.encoder = encoder(layout, device).train()
        dims = 256
        centres = CLASSES * SUBCENTRES
        bound = math.sqrt(6.0 / (dims + centres))
        self.centres = torch.empty(dims, centres, device=device).uniform_(-bound, bound).requires_grad_()
        self.scale = math.sqrt(2.0) * math.log(centres - 1)
        self.kernels = [p for p in self.encoder.parameters() if p.dim() > 1]
        self.adam = torch.optim.Adam(
            [*self.encoder.parameters(), self.centres], lr=1e-3, eps=1e-7
        )
        # As ours do, clips start in the processor's memory at every step.
        self.waves, self.device = waveforms(clips), device
        classes = torch.arange(clips) % CLASSES
        partners = classes.flip(0)
        share = torch.linspace(0.1, 0.9, clips).unsqueeze(1)
        one_hot = F.one_hot(classes, CLASSES).float()
        self.targets = (share * one_hot + (1.0 - share) * F.one_hot(partners, CLASSES).float()).to(device)

    def step(self):
        self.adam.zero_grad(set_to_none=True)
        unit = F.normalize(self.encoder(self.waves.to(self.device)))
        logits = self.scale * unit @ F.normalize(self.centres, dim=0)
        by_class = logits.unflatten(1, (CLASSES, SUBCENTRES)).logsumexp(2)
        log_share = by_class - logits.logsumexp(1, keepdim=True)
        loss = -(self.targets * log_share).sum(1).mean()
        penalty = L2_PENALTY * sum(kernel.square().sum() for kernel in self.kernels)
        (loss + penalty).backward()
        self.adam.step()
        return loss.item()


class Inference:
    """Waveforms to unit embeddings, evaluation mode, no gradients."""

    def __init__(self, clips, layout, device):
        self.encoder = encoder(layout, device).eval()
        self.waves, self.device = waveforms(clips), device

    @torch.inference_mode()
    def step(self):
        return F.normalize(self.encoder(self.waves.to(self.device)))[0, 0].item()


class Multiplication:
    """One large sgemm: the practical ceiling of this machine in this moment."""

    SIZE = 2048

    def __init__(self, *_):
        self.left = torch.rand(self.SIZE, self.SIZE)
        self.right = torch.rand(self.SIZE, self.SIZE)

    def step(self):
        return (self.left @ self.right)[0, 0].item()


WORK = {"train": Training, "infer": Inference, "sgemm": Multiplication}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", choices=sorted(WORK), required=True)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--layout", choices=["nchw", "channels-last"], default="nchw")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="encoder through torch.compile")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work = WORK[arguments.work](arguments.clips, arguments.layout, arguments.device)
    if arguments.compile:
        work.encoder = torch.compile(work.encoder)
    for _ in range(2):
        work.step()
    print(json.dumps({"ready": f"PyTorch {torch.__version__}"}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = work.step()
        ms = 1e3 * (time.perf_counter() - start)
        print(json.dumps({"ms": ms, "result": result}), flush=True)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": peak_mb}), flush=True)


if __name__ == "__main__":
    main()
