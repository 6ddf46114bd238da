#!/usr/bin/env python3
"""Speed of matrix-vector products in every weight format beside llama.cpp's: same machine, same file, same threads, in turn.

    bench/compare_weight_types.py DECODER [--types q4_0,q6_k] [--threads 2] [--rounds 5] [--decode 48]

with a Python that has llama-cpp-python and gguf (as compare_architectures.py). For each type a model of random blocks is
written whose layers are larger than caches, 243 million weights; decoding it from an empty context is reading all of them once
a token. Each round runs both programs, one after the other, each in a process of its own that warms up first. llama.cpp
rounds activations to 8 bits, this library does not. Prints a table for docs/generated/weight_types.md.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

from compare_llama_cpp import PEER, last_json

HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 2048, 8192, 4, 16, 4, 128
NUM_WEIGHTS = LAYERS * (HIDDEN * HEAD_DIM * (2 * HEADS + 2 * KV_HEADS) + 3 * HIDDEN * FFN)

# Where the half lies that scales a block; formats without one have code below.
SCALE_AT = {"q4_0": 0, "q4_1": 0, "q5_0": 0, "q5_1": 0, "q8_0": 0, "q2_k": 80, "q3_k": 108, "q4_k": 0, "q5_k": 0, "q6_k": 208,
            "iq4_nl": 0, "iq4_xs": 0, "tq1_0": 52, "tq2_0": 64, "iq1_s": 0, "iq2_xxs": 0, "iq2_xs": 0, "iq2_s": 0, "iq3_xxs": 0,
            "iq3_s": 0}
OFFSET_AT = {"q4_1": 2, "q5_1": 2, "q2_k": 82, "q4_k": 2, "q5_k": 2}
TYPES = [*SCALE_AT, "mxfp4", "nvfp4", "iq1_m", "f16", "bf16"]


def set_scale(blocks, name, scale):
    """Gives all blocks, [number, bytes], one scale."""
    half = np.array([scale], np.float16).view(np.uint8)
    if name in SCALE_AT:
        blocks[:, SCALE_AT[name]:SCALE_AT[name] + 2] = half
    elif name == "iq1_m":  # four bits in each of four words
        bits = int(np.float16(scale).view(np.uint16))
        for i in range(4):
            blocks[:, 49 + 2 * i] = blocks[:, 49 + 2 * i] & 15 | (bits >> 4 * i & 15) << 4
    elif name == "mxfp4":
        blocks[:, 0] = 127 + round(np.log2(scale))
    else:
        blocks[:, :4] = max(1, 7 + round(np.log2(scale))) << 3
    if name in OFFSET_AT:
        blocks[:, OFFSET_AT[name]:OFFSET_AT[name] + 2] = 0


def matrix(rng, name, rows, columns):
    """Random weights of about the size columns**-0.5; 4096 blocks over and over, so that it does not take long."""
    if name in ("f16", "bf16"):
        values = np.tile(rng.standard_normal(65536).astype(np.float32) * columns**-0.5, rows * columns // 65536)
        return (values.astype(np.float16) if name == "f16" else (values.view(np.uint32) >> 16).astype(np.uint16)).reshape(rows, columns)
    kind = gguf.GGMLQuantizationType[name.upper()]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (4096, size), dtype=np.uint8)
    set_scale(blocks, name, 2**-6)
    deviation = gguf.quants.dequantize(blocks, kind).std()
    set_scale(blocks, name, 2**-6 * columns**-0.5 / deviation)
    count = rows * columns // elements
    return np.tile(blocks, (count // 4096 + 1, 1))[:count].reshape(rows, columns // elements * size)


def write_model(path, name):
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD_DIM)
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    text = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*(text[b] for b in range(256)), "th", "<end>"])
    writer.add_token_types([1] * 257 + [3])
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(257)
    writer.add_bos_token_id(257)
    writer.add_add_bos_token(False)

    def add(tensor, rows, columns):
        kind = None if name == "f16" else gguf.GGMLQuantizationType[name.upper()]
        data = matrix(rng, name, rows, columns)
        writer.add_tensor(tensor + ".weight", data if name != "bf16" else data.view(np.uint8), raw_dtype=kind)

    ones = np.ones(HIDDEN, np.float32)
    embedding = rng.standard_normal((258, HIDDEN)).astype(np.float32)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", embedding)
    writer.add_tensor("output_norm.weight", ones)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", ones)
        writer.add_tensor(block + "ffn_norm.weight", ones)
        add(block + "attn_q", HEADS * HEAD_DIM, HIDDEN)
        add(block + "attn_k", KV_HEADS * HEAD_DIM, HIDDEN)
        add(block + "attn_v", KV_HEADS * HEAD_DIM, HIDDEN)
        add(block + "attn_output", HIDDEN, HEADS * HEAD_DIM)
        add(block + "ffn_gate", FFN, HIDDEN)
        add(block + "ffn_up", FFN, HIDDEN)
        add(block + "ffn_down", HIDDEN, FFN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("decoder")
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decode", type=int, default=48)
    options = parser.parse_args()
    print(f"Decoding, {NUM_WEIGHTS / 1e6:.0f} million weights a token, {options.threads} threads, median of {options.rounds} rounds; "
          f"llama-cpp-python {llama_cpp.__version__}.\n")
    print("| weights | bits a weight | rocmforge, G weights/s | GB/s | llama.cpp, G weights/s | ratio | of the rounds |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.types.split(","):
            path = Path(folder) / "model.gguf"
            write_model(path, name)
            pairs = []
            for _ in range(options.rounds):
                mine = last_json([options.decoder, "--model", str(path), "--threads", str(options.threads), "--json",
                                  "--bench", f"1,{options.decode}"])["decode_tokens_per_second"]
                other = last_json([sys.executable, "-c", PEER, str(path), str(options.threads), "1", str(options.decode)])["decode"]
                pairs.append((mine, other))
            elements, size = (1, 2) if name in ("f16", "bf16") else gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name.upper()]]
            ratios = [mine / other for mine, other in pairs]
            speeds = [statistics.median(column) * NUM_WEIGHTS / 1e9 for column in zip(*pairs)]
            print(f"| {name} | {8 * size / elements:.2f} | {speeds[0]:.1f} | {speeds[0] * size / elements:.1f} | {speeds[1]:.1f} | "
                  f"{statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |", flush=True)


if __name__ == "__main__":
    main()
