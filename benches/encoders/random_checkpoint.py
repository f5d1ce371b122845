"""A checkpoint with random weights in the authors' form and size, to try `torch_to_onnx.py` without theirs.

    python random_checkpoint.py beats --code unilm/beats random.pt
    python random_checkpoint.py eat --code EAT-base random.safetensors
    python random_checkpoint.py echo --code echo-small random.safetensors

Needs what the authors' files import, torch and safetensors.
"""

import argparse
import pathlib
import types

import torch
from safetensors.torch import save_file

from torch_to_onnx import Code, Eat

# The settings of BEATs, third iteration.
BEATS = {
    "input_patch_size": 16, "embed_dim": 512, "conv_bias": False, "encoder_layers": 12, "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072, "encoder_attention_heads": 12, "activation_fn": "gelu",
    "layer_wise_gradient_decay_ratio": 0.6, "layer_norm_first": False, "deep_norm": True, "dropout": 0.0,
    "attention_dropout": 0.0, "activation_dropout": 0.0, "encoder_layerdrop": 0.05, "dropout_input": 0.0,
    "conv_pos": 128, "conv_pos_groups": 16, "relative_position_embedding": True, "num_buckets": 320,
    "max_distance": 800, "gru_rel_pos": True,
}  # fmt: skip


def shaken(network):
    """Norms and biases too are random, so that a lost one shows."""
    with torch.no_grad():
        for name, values in network.named_parameters():
            if values.ndim == 1 and "pos" not in name:
                values.add_(0.05 * torch.randn_like(values))
    return {name: values.contiguous() for name, values in network.state_dict().items()}


def beats(code, path):
    authors = code.load("BEATs", "beats")
    config = authors.BEATsConfig()
    for key, value in BEATS.items():
        setattr(config, key, value)
    torch.save({"cfg": BEATS, "model": shaken(authors.BEATs(config))}, path)


def eat(code, path):
    network = code.load("eat_model").EAT(types.SimpleNamespace(**Eat.defaults))
    save_file({f"model.{name}": values for name, values in shaken(network).items()}, path)


def echo(code, path):
    authors = code.load("audioMAE_band_upgrade", "models.ECHO.audioMAE_band_upgrade")
    sizes = {"embed_dim": 384, "encoder_depth": 12, "num_heads": 6, "freq_pos_emb_dim": 384}
    save_file(shaken(authors.AudioMAEWithBand(spec_len=2000, **sizes)), path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoder", choices=("beats", "eat", "echo"))
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--code", type=pathlib.Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(3)
    {"beats": beats, "eat": eat, "echo": echo}[args.encoder](Code(args.code), args.path)


if __name__ == "__main__":
    main()
