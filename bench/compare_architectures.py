#!/usr/bin/env python3
"""Logits of small random models of every architecture, beside llama.cpp's.

Writes a GGUF file of each architecture with all matrices in f32 or in q4_k, gives the same prompt to the decoder and to
llama.cpp (PyPI llama-cpp-python) and compares the logits of the next token. llama.cpp rounds the activations that meet
q4_k to 8 bits; the limits are those of docs/model.md. Prints a table for docs/generated/architectures.md; status 1 if a
limit is exceeded.

usage: compare_architectures.py DECODER    with a Python that has llama-cpp-python and gguf
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM, CONTEXT = 256, 512, 4, 2, 64, 256
PROMPT = "Sphinx of black quartz, judge my vow: 0123456789"
# Largest difference of logits of size about 1, in float and against activations of 8 bits.
LIMITS = {"f32": 1e-2, "q4_k": 0.35}

# name: (layers, what the architecture has)
ARCHITECTURES = {
    "llama 1": ("llama", 2, {}),
    "llama 3 (rope_freqs)": ("llama", 2, {"rope_freqs": True}),
    "mistral": ("llama", 2, {"window": 4096}),
    "qwen2": ("qwen2", 2, {"bias": True}),
    "qwen3": ("qwen3", 2, {"qk_norm": True}),
    "gemma": ("gemma", 2, {}),
    "gemma2": ("gemma2", 2, {"post_norms": True, "window": 8, "caps": True}),
    "gemma3": ("gemma3", 7, {"post_norms": True, "qk_norm": True, "window": 8, "linear": 8.0}),
    "phi3": ("phi3", 2, {"fused": True}),
}


def q4_k_blocks(rng, rows, columns, size):
    """Random blocks with weights of mean 0 and standard deviation `size`."""
    blocks = rng.integers(0, 256, size=(rows, columns // 256, 144), dtype=np.uint8)

    def decoded(d, dmin):
        scales = np.array([d, dmin], dtype=np.float16).view(np.uint8)
        blocks[:, :, :4] = scales
        return gguf.quants.dequantize(blocks.reshape(rows, -1), gguf.GGMLQuantizationType.Q4_K)

    ratio = decoded(1, 0).mean() / -decoded(0, 1).mean()
    d = size / decoded(1, ratio).std()
    decoded(d, d * ratio)
    return blocks.reshape(rows, -1)


class Model:
    def __init__(self, path, architecture, layers, traits, kind, seed):
        self.rng = np.random.default_rng(seed)
        self.writer = gguf.GGUFWriter(path, architecture)
        self.kind = kind
        self.metadata(architecture, layers, traits)
        self.vocabulary()
        # Gemma multiplies rows of the embedding by sqrt(hidden_dim).
        self.matrix("token_embd", self.vocab_size, HIDDEN, HIDDEN**-0.5 if architecture.startswith("gemma") else 1.0)
        for layer in range(layers):
            self.layer(f"blk.{layer}.", architecture, traits)
        self.vector("output_norm.weight", HIDDEN)
        if not architecture.startswith("gemma"):
            self.matrix("output", self.vocab_size, HIDDEN)
        if traits.get("rope_freqs"):
            self.writer.add_tensor("rope_freqs.weight", np.linspace(1, 8, HEAD_DIM // 2, dtype=np.float32))
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()

    def metadata(self, architecture, layers, traits):
        w = self.writer
        w.add_context_length(CONTEXT)
        w.add_embedding_length(HIDDEN)
        w.add_block_count(layers)
        w.add_feed_forward_length(FFN)
        w.add_head_count(HEADS)
        w.add_head_count_kv(KV_HEADS)
        w.add_key_length(HEAD_DIM)
        w.add_value_length(HEAD_DIM)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_dimension_count(HEAD_DIM)
        w.add_rope_freq_base(1e6 if architecture == "gemma3" else 1e4)
        if "window" in traits:
            w.add_sliding_window(traits["window"])
        if traits.get("caps"):
            w.add_attn_logit_softcapping(5.0)
            w.add_final_logit_softcapping(3.0)
        if "linear" in traits:
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(traits["linear"])

    def vocabulary(self):
        """Every byte is a token."""
        printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
        others = [b for b in range(256) if b not in printable]
        text = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
        tokens = [text[b] for b in range(256)] + ["th", "<end>"]
        self.vocab_size = len(tokens)
        w = self.writer
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre("gpt-2")
        w.add_token_list(tokens)
        w.add_token_types([1] * (len(tokens) - 1) + [3])
        w.add_token_merges(["t h"])
        w.add_eos_token_id(len(tokens) - 1)
        w.add_bos_token_id(len(tokens) - 1)
        w.add_add_bos_token(False)

    def matrix(self, name, out_dim, in_dim, size=None):
        size = size or in_dim**-0.5
        if self.kind == "f32":
            values = (size * self.rng.standard_normal((out_dim, in_dim))).astype(np.float32)
            self.writer.add_tensor(name + ".weight", values)
        else:
            blocks = q4_k_blocks(self.rng, out_dim, in_dim, size)
            self.writer.add_tensor(name + ".weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_K)

    def vector(self, name, size, low=0.5, high=1.5):
        self.writer.add_tensor(name, self.rng.uniform(low, high, size).astype(np.float32))

    def layer(self, block, architecture, traits):
        q_dim, kv_dim = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        self.vector(block + "attn_norm.weight", HIDDEN)
        if traits.get("fused"):
            self.matrix(block + "attn_qkv", q_dim + 2 * kv_dim, HIDDEN)
        else:
            for part, size in (("q", q_dim), ("k", kv_dim), ("v", kv_dim)):
                self.matrix(f"{block}attn_{part}", size, HIDDEN)
                if traits.get("bias"):
                    self.vector(f"{block}attn_{part}.bias", size, -0.5, 0.5)
        if traits.get("qk_norm"):
            self.vector(block + "attn_q_norm.weight", HEAD_DIM)
            self.vector(block + "attn_k_norm.weight", HEAD_DIM)
        self.matrix(block + "attn_output", HIDDEN, q_dim)
        self.vector(block + "ffn_norm.weight", HIDDEN)
        if traits.get("fused"):
            self.matrix(block + "ffn_up", 2 * FFN, HIDDEN)
        else:
            self.matrix(block + "ffn_gate", FFN, HIDDEN)
            self.matrix(block + "ffn_up", FFN, HIDDEN)
        self.matrix(block + "ffn_down", HIDDEN, FFN)
        if traits.get("post_norms"):
            self.vector(block + "post_attention_norm.weight", HIDDEN)
            self.vector(block + "post_ffw_norm.weight", HIDDEN)


def theirs(path):
    # f32 for keys and values, as the decoder has them; 0 is ggml's number of the type.
    model = llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_threads=1, logits_all=False, verbose=False, type_k=0, type_v=0)
    tokens = model.tokenize(PROMPT.encode(), add_bos=False, special=False)
    model.eval(tokens)
    logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),)).copy()
    return tokens, logits


def ours(decoder, path, vocab_size):
    command = [decoder, "--model", path, "--raw", "--quiet", "--json", "-n", "0", "--logits", str(vocab_size), "--temperature", "0", PROMPT]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    logits = np.full(vocab_size, np.nan)
    for token, logit in result["top_logits"]:
        logits[token] = logit
    return result["prompt_tokens"], logits


def main():
    decoder = sys.argv[1]
    failed = False
    print("| architecture | weights | largest difference of logits | largest logit | same top token |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for seed, (name, (architecture, layers, traits)) in enumerate(ARCHITECTURES.items()):
            for kind in ("f32", "q4_k"):
                path = Path(folder) / "model.gguf"
                model = Model(path, architecture, layers, traits, kind, seed)
                their_tokens, expected = theirs(path)
                our_tokens, actual = ours(decoder, path, model.vocab_size)
                assert our_tokens == their_tokens, (name, our_tokens, their_tokens)
                difference = np.max(np.abs(actual - expected))
                same = np.argmax(actual) == np.argmax(expected)
                wrong = not (difference <= LIMITS[kind]) or (kind == "f32" and not same)
                failed |= wrong
                print(f"| {name} | {kind} | {difference:.2e}{' **too large**' if wrong else ''} | "
                      f"{np.max(np.abs(expected)):.2f} | {'yes' if same else 'no'} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
