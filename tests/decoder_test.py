#!/usr/bin/env python3
"""Tests the decoder program from outside: decoder_test.py COMMAND... of the decoder

Needs nothing but Python. The models are made here: llamas of two layers with fixed random weights over the 256 bytes.
"""

import json
import math
import os
import pathlib
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

DECODER = None  # the command, set from the command line
ON_CARD = r"(; on (amd|nvidia):\d+, [^\n;]+)?"  # what the speed line says unless the host computes

CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
END_OF_TEXT, IM_START, IM_END = 0, 1, 2
CONTEXT = 256


# --- Making model files ---------------------------------------------------------------------------------------------

def byte_characters():
    """The character that stands for each byte in a byte-level vocabulary: itself if it shows, else U+0100 and up."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in shown]
    return {**{b: chr(b) for b in shown}, **{b: chr(0x100 + i) for i, b in enumerate(hidden)}}


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == "array":
        element, items = content
        body = b"".join(value(element, item)[4:] for item in items)
        return struct.pack("<IIQ", 9, struct.unpack("<I", value(element, items[0])[:4])[0], len(items)) + body
    if kind == "string":
        return struct.pack("<I", 8) + string(content)
    number, code = {"u32": (4, "<I"), "i32": (5, "<i"), "f32": (6, "<f"), "bool": (7, "<?")}[kind]
    return struct.pack("<I", number) + struct.pack(code, content)


def gguf(metadata, tensors):
    """The bytes of a file. tensors: {name: (extents, type, bytes)}"""
    data, infos = b"", b""
    for name, (extents, kind, content) in tensors.items():
        infos += string(name) + struct.pack(f"<I{len(extents)}QIQ", len(extents), *extents, kind, len(data))
        data += content + bytes(-len(content) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(string(key) + value(*content) for key, content in metadata.items()) + infos
    return head + bytes(-len(head) % 32) + data


def vocabulary(template=CHATML, pre="gpt-2", add_bos=False):
    characters = byte_characters()
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [characters[b] for b in range(256)] + ["he", "ll"]
    result = {
        "tokenizer.ggml.model": ("string", "gpt2"),
        "tokenizer.ggml.pre": ("string", pre),
        "tokenizer.ggml.tokens": ("array", ("string", tokens)),
        "tokenizer.ggml.token_type": ("array", ("i32", [3] * 3 + [1] * 258)),
        "tokenizer.ggml.merges": ("array", ("string", ["h e", "l l"])),
        "tokenizer.ggml.bos_token_id": ("u32", END_OF_TEXT),
        "tokenizer.ggml.eos_token_id": ("u32", IM_END),
        "tokenizer.ggml.add_bos_token": ("bool", add_bos),
    }
    if template:
        result["tokenizer.chat_template"] = ("string", template)
    return result


def byte_ids(text):
    """The ids of a text in which no merge applies."""
    return [byte + 3 for byte in text.encode()]


def text_of(ids):
    """The bytes of ids that are single bytes."""
    return bytes(id - 3 for id in ids)


def turn_ids(role, text):
    return [IM_START] + byte_ids(role + "\n" + text) + [IM_END] + byte_ids("\n")


def prompt_ids(text):
    return turn_ids("user", text) + [IM_START] + byte_ids("assistant\n")


LETTERS = byte_ids("abcdefgijkmnopqrstuvwxyz ABCDEFGHIJ.,!")  # no merge among them
BYTES = range(3, 259)


def model(says=LETTERS, context=CONTEXT, architecture="llama", damaged=False, key_scale=0.3, words=None, **options):
    """A model that says only some tokens when it is greedy, and with none ends every text at once: the logits of all others
    are 0, and the first id ends a text. `damaged`: the logits of the last two are NaN. `key_scale`: size of the weights of
    the second layer's keys. `words`: the keys of the vocabulary, instead of `vocabulary(**options)`."""
    hidden, ffn, kv, layers, num_words = 64, 128, 32, 2, 261
    source = random.Random(5)

    def weights(rows, columns, scale=0.3):
        numbers = [source.gauss(0, scale) for _ in range(rows * columns)]
        return [columns, rows], 0, struct.pack(f"<{len(numbers)}f", *numbers)

    def ones():
        return [hidden], 0, struct.pack(f"<{hidden}f", *[1.0] * hidden)

    tensors = {"token_embd.weight": weights(num_words, hidden), "output_norm.weight": ones()}
    extents, kind, content = weights(num_words, hidden)
    rows = [content[i * hidden * 4:(i + 1) * hidden * 4] if i in says else bytes(hidden * 4) for i in range(num_words)]
    if damaged:
        rows[-2:] = [struct.pack("<f", math.nan) * hidden] * 2
    tensors["output.weight"] = extents, kind, b"".join(rows)
    for layer in range(layers):
        for name, shape in {"attn_q": (hidden, hidden), "attn_k": (kv, hidden), "attn_v": (kv, hidden),
                            "attn_output": (hidden, hidden), "ffn_gate": (ffn, hidden), "ffn_up": (ffn, hidden),
                            "ffn_down": (hidden, ffn)}.items():
            scale = key_scale if (layer, name) == (1, "attn_k") else 0.3
            tensors[f"blk.{layer}.{name}.weight"] = weights(*shape, scale)
        for name in "attn_norm", "ffn_norm":
            tensors[f"blk.{layer}.{name}.weight"] = ones()
    metadata = {
        "general.architecture": ("string", architecture),
        f"{architecture}.block_count": ("u32", layers),
        f"{architecture}.context_length": ("u32", context),
        f"{architecture}.embedding_length": ("u32", hidden),
        f"{architecture}.feed_forward_length": ("u32", ffn),
        f"{architecture}.attention.head_count": ("u32", 2),
        f"{architecture}.attention.head_count_kv": ("u32", 1),
        f"{architecture}.attention.layer_norm_rms_epsilon": ("f32", 1e-5),
        f"{architecture}.rope.freq_base": ("f32", 10000.0),
        f"{architecture}.rope.dimension_count": ("u32", 32),
        **(words or vocabulary(**options)),
    }
    return gguf(metadata, tensors)


# --- Running the program --------------------------------------------------------------------------------------------

class Result:
    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr.decode()


def run(*arguments, stdin=b""):
    return Result(subprocess.run([*DECODER, *arguments], input=stdin, capture_output=True, timeout=120))


class DecoderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.model = cls.write("model.gguf", model())

    @classmethod
    def write(cls, name, content):
        path = os.path.join(cls.folder.name, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def ok(self, *arguments, stdin=b""):
        result = run("--model", self.model, *arguments, stdin=stdin)
        self.assertEqual(result.status, 0, result.err)
        return result

    def greedy(self, *arguments, stdin=b""):
        return json.loads(self.ok("--temperature", "0", "--json", *arguments, stdin=stdin).out)

    def assert_refused(self, result, *words):
        """Status 2, nothing on standard output, one line on standard error with all the words."""
        self.assertEqual(result.status, 2, result.err)
        self.assertEqual(result.out, b"")
        self.assertRegex(result.err, r"\Adecoder: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, result.err)


class BadInput(DecoderTest):
    def refused(self, arguments, *words):
        with self.subTest(arguments):
            self.assert_refused(run(*arguments), *words)

    def test_numbers(self):
        for option, least, bad in [
            ("--temperature", "0 or more", ["nan", "inf", "-1", "1e", "0x1", "1e999", "", "abc", "0.5x", " 1", "1,5"]),
            ("--top-k", "0", ["-1", "3.5", "99999999999", "1e3", "forty"]),
            ("--top-p", "above 0", ["0", "1.5", "-0.5", "nan"]),
            ("--min-p", "from 0 to 1", ["-0.1", "1.01", "inf"]),
            ("--repeat-penalty", "above 0", ["0", "-1", "inf", "nan"]),
            ("--repeat-last-n", "-1", ["-2", "1.0"]),
            ("--seed", "4294967295", ["-1", "4294967296", "random"]),
            ("-n", "0", ["-1", "1.5", "18446744073709551617", "ten"]),
            ("--threads", "from 1", ["0", "-2", "1e2", "100000"]),
            ("--context", "from 1", ["0", "-5", "0x10", "99999999999999999999"]),
        ]:
            for text in bad:
                self.refused(["--model", self.model, option, text, "hello"], option, text, "expected", least)

    def test_options(self):
        for arguments, *words in [
            (["hello", "--color"], "--color", "unknown option", "expected"),
            (["hello", "-x"], "-x", "expected"),
            (["The", "capital", "of"], "capital", "in quotes"),
            (["hello", "--prompt", "again"], "second prompt", "expected one"),
            (["hello", "--temperature"], "--temperature", "required"),
            (["hello", "--temperature="], "--temperature=", "expected a value"),
            (["hello", "--top-k", "1", "--top-k", "2"], "--top-k", "received 2"),
            (["hello", "--quiet=yes"], "quiet"),
            (["hello", "--stop", ""], "--stop", "empty", "expected text"),
            (["hello", "--stop", b"\xff"], "--stop", "expected UTF-8"),
            (["hello", "--system", ""], "--system", "empty", "expected text"),
            (["hello", "--cache-type", "q8_0"], "--cache-type q8_0", "expected f32, f16 or bf16"),
            (["hello", "--device", "gpu:7"], "gpu:7", "expected one of: ", "host"),
            (["hello", "--logits", "5"], "--logits", "expected --json"),
            (["hello", "--json", "--logits", "0"], "--logits", "expected an integer from 1"),
            (["hello", "--json", "--logits", "100000"], "--logits", "expected at most", "261"),
            (["hello", "--raw", "--system", "You"], "--system", "--raw"),
            (["hello", "--tokens-only", "--chat"], "--tokens-only", "--chat"),
            (["hello", "--chat"], "prompt", "--chat takes none"),
            (["hello", "--bench", "1,1"], "prompt", "--bench takes none"),
            (["--chat", "--json"], "--json", "--chat"),
            (["--chat", "--raw"], "--raw", "--chat"),
            (["--bench", "5"], "--bench", "expected two integers"),
            (["--bench", "0,5"], "--bench", "P 0", "expected an integer"),
            (["--bench", "5,x"], "--bench", "N x", "expected an integer"),
            (["--bench", "5,1,2"], "--bench", "N 1,2", "expected an integer"),
            (["--bench", "200,100"], "300 tokens", str(CONTEXT)),
            ([], "prompt: missing", "expected TEXT"),
            ([""], "prompt: empty", "expected text"),
            (["--prompt", ""], "--prompt: empty", "expected text"),
            (["-"], "standard input: empty", "expected a prompt"),
            (["hello", "--context", "10"], "expected at most the context of 10"),
            (["hello " * 100], "expected at most the context of 256"),
        ]:
            self.refused(["--model", self.model, *arguments], *words)
        self.refused(["hello"], "--model: missing", "expected")
        self.refused(["hello", "--model", ""], "--model: empty")

    def test_files(self):
        whole = model()
        not_a_type = model().replace(
            string("blk.0.attn_q.weight") + struct.pack("<IQQI", 2, 64, 64, 0),
            string("blk.0.attn_q.weight") + struct.pack("<IQQI", 2, 64, 64, 77))
        for name, content, *words in [
            ("text.gguf", b"Once upon a time there was a file that was no model at all.", "GGUF"),
            ("empty.gguf", b"", "expected"),
            ("head.gguf", whole[:20], "truncated"),
            ("metadata.gguf", whole[:500], "truncated"),
            ("data.gguf", whole[:-5000], "truncated"),
            ("version.gguf", b"GGUF" + struct.pack("<I", 9) + whole[8:], "version", "9"),
            ("type.gguf", not_a_type, "77"),
            ("architecture.gguf", model(architecture="rwkv9"), "rwkv9"),
            ("pre.gguf", model(pre="klingon"), "klingon"),
            ("line\nbreak.gguf", b"no model", "GGUF"),
        ]:
            path = self.write(name, content)
            self.refused(["hello", "--model", path], name.split("\n")[-1], *words)
        self.refused(["hello", "--model", self.folder.name], self.folder.name)
        self.refused(["hello", "--model", self.folder.name + "/none.gguf"], "none.gguf")

    def test_a_vocabulary_without_weights_generates_nothing(self):
        path = self.write("words.gguf", gguf({"general.architecture": ("string", "llama"), **vocabulary()}, {}))
        self.refused(["hello", "--model", path], "words.gguf")

    def test_damaged_weights(self):
        path = self.write("damaged.gguf", model(damaged=True))
        for temperature in "0", "0.8":
            self.refused(["--model", path, "--temperature", temperature, "hello"], "NaN", "expected")
            self.refused(["--model", path, "--json", "--logits", "3", "hello"], "logits", "expected a finite number")

    def test_keys_too_large_for_the_cache(self):
        path = self.write("large.gguf", model(key_scale=1e5))
        for arguments in [], ["--temperature", "0"], ["--json", "--logits", "3"]:
            self.refused(["--model", path, "--cache-type", "f16", *arguments, "hello"], "keys of layer 1", "65504", "f16",
                         "--cache-type f32 or bf16")
        for larger in "f32", "bf16":
            self.assertEqual(run("--model", path, "--cache-type", larger, "-n", "2", "hello").status, 0)

    def test_no_template(self):
        path = self.write("plain.gguf", model(template=None))
        self.refused(["--chat", "--model", path], "plain.gguf", "no chat template", "--template")
        self.refused(["hello", "--system", "You", "--model", path], "--system", "chat template")

    def test_a_template_that_fails(self):
        for template, reason in (("{% include 'x' %}", "line 1: tag 'include'"), ("\n{{ raise_exception('not so') }}", "line 2: the template says: not so"),
                                 ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "than are allowed")):
            path = self.write("odd.gguf", model(template=template))
            for arguments in ["hello"], ["hello", "--system", "You"]:
                self.refused([*arguments, "--model", path], "odd.gguf", "chat template", reason)
            self.assertEqual(run("--model", path, "--raw", "--tokens-only", "hi").status, 0)
        self.refused(["--chat", "--model", self.write("odd.gguf", model(template="{{"))], "odd.gguf", "line 1", "--template", "--raw")

    def test_a_chosen_template(self):
        words = vocabulary(template="{{ 0 }}")
        words["tokenizer.chat_template.other"] = ("string", "<{{ messages[-1].content }}>")
        path = self.write("named.gguf", gguf(words, {}))
        own = self.write("own.jinja", b"[{{ messages|length }}]")
        for name, text in ("default", "0"), ("other", "<hi>"), (own, "[1]"):
            result = run("--model", path, "--tokens-only", "--template", name, "hi")
            self.assertEqual([int(word) for word in result.out.split()], byte_ids(text), result.err)
        result = run("--model", path, "--tokens-only", "--template", "chatml", "Say it")
        self.assertEqual([int(word) for word in result.out.split()], prompt_ids("Say it"), result.err)
        self.refused(["hi", "--model", path, "--template", "nope"], "--template nope", "default, other, chatml, llama-2")
        self.refused(["hi", "--model", path, "--template", "llama-3"], "<|start_header_id|>", "llama-3")
        self.refused(["hi", "--model", path, "--template", "x", "--raw"], "--template", "--raw")


class Information(DecoderTest):
    def test_help_has_every_option(self):
        result = run("--help")
        self.assertEqual((result.status, result.err), (0, ""))
        for option in ("--prompt --model --system --template --chat --raw -n --temperature --top-k --top-p --min-p --repeat-penalty "
                       "--repeat-last-n --seed --stop --device --list-devices --threads --context --cache-type --quiet "
                       "--version --json --logits --tokens-only --bench --help").split():
            self.assertRegex(result.out.decode(), rf"(?m)^ +(-h,)?{option}\b")
        self.assertLessEqual(max(map(len, result.out.decode().split("\n"))), 110)
        for default in ("0.8", "40", "0.95", "0.05", "64", "f32"):
            self.assertIn("=" + default, result.out.decode())

    def test_version(self):
        result = run("--version")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.out.decode(), r"\Arocmforge \d+\.\d+\.\d+\n\Z")

    def test_devices(self):
        result = run("--list-devices")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertRegex(result.out.decode(), r"(?m)^host  [^\n]+\n\Z")
        self.assertEqual(self.greedy("--device", "host", "-n", "3", "Hi")["tokens"],
                         self.greedy("-n", "3", "Hi")["tokens"])


class Tokens(DecoderTest):
    def ids(self, *arguments, stdin=b""):
        return [int(word) for word in self.ok("--tokens-only", *arguments, stdin=stdin).out.split()]

    def test_a_plain_prompt_is_a_user_turn(self):
        self.assertEqual(self.ids("Say it"), prompt_ids("Say it"))
        self.assertEqual(self.ids("--prompt", "Say it"), prompt_ids("Say it"))
        self.assertEqual(self.ids("--prompt=-x"), prompt_ids("-x"))
        self.assertEqual(self.ids("--", "-x"), prompt_ids("-x"))

    def test_a_system_message_comes_first(self):
        self.assertEqual(self.ids("--system", "Be brief", "Say it"), turn_ids("system", "Be brief") + prompt_ids("Say it"))

    def test_text_in_a_turn_is_no_special_token(self):
        self.assertEqual(self.ids("<|im_end|>"), prompt_ids("<|im_end|>"))

    def test_raw_reads_special_tokens(self):
        self.assertEqual(self.ids("--raw", "a<|im_end|>b"), byte_ids("a") + [IM_END] + byte_ids("b"))

    def test_merges(self):
        self.assertEqual(self.ids("--raw", "hello"), [259, 260, *byte_ids("o")])

    def test_bos_where_the_file_asks_for_it(self):
        path = self.write("bos.gguf", gguf(vocabulary(add_bos=True), {}))
        result = run("--model", path, "--tokens-only", "--raw", "a")
        self.assertEqual(result.out.decode(), f"{END_OF_TEXT} {byte_ids('a')[0]}\n")

    def test_one_bos_whoever_writes_it(self):
        for add_bos in (False, True):
            path = self.write("bos.gguf", gguf(vocabulary(template="{{ bos_token }}" + CHATML, add_bos=add_bos), {}))
            for arguments, text in (["--raw", "<|endoftext|>a"], byte_ids("a")), (["a"], prompt_ids("a")):
                result = run("--model", path, "--tokens-only", *arguments)
                self.assertEqual([int(word) for word in result.out.split()], [END_OF_TEXT] + text)

    def test_no_template_is_plain_text(self):
        path = self.write("plain.gguf", gguf(vocabulary(template=None), {}))
        result = run("--model", path, "--tokens-only", "<|im_end|>")
        self.assertEqual([int(word) for word in result.out.split()], byte_ids("<|im_end|>"))

    def test_standard_input_loses_one_newline(self):
        self.assertEqual(self.ids("--raw", "-", stdin=b"ab\n"), byte_ids("ab"))
        self.assertEqual(self.ids("--raw", "-", stdin=b"ab\n\n"), byte_ids("ab\n"))
        self.assertEqual(self.ids("--raw", "-", stdin=b"ab"), byte_ids("ab"))

    def test_the_line_ends_of_other_systems_are_newlines(self):
        self.assertEqual(self.ids("--raw", "-", stdin=b"a\r\nb\r\n"), byte_ids("a\nb"))
        self.assertEqual(self.ids("--raw", "-", stdin=b"a\rb\r"), byte_ids("a\rb\r"))

    def test_a_file_without_weights_and_json(self):
        path = self.write("words.gguf", gguf({"general.architecture": ("string", "llama"), **vocabulary()}, {}))
        result = run("--model", path, "--tokens-only", "--json", "Say it")
        self.assertEqual((result.status, result.err), (0, ""))
        self.assertEqual(json.loads(result.out), {"prompt_tokens": prompt_ids("Say it")})


GOLDEN = pathlib.Path(__file__).resolve().parent / "data" / "golden_smollm2.json"


@unittest.skipUnless(os.path.isfile(os.environ.get("ROCMFORGE_TEST_MODEL", "")),
                     "ROCMFORGE_TEST_MODEL does not name SmolLM2-135M-Instruct.Q4_1.gguf")
class Golden(DecoderTest):
    """The whole program against logits and continuations computed elsewhere in double."""

    def complete(self, prompt, *arguments):
        result = run("--model", os.environ["ROCMFORGE_TEST_MODEL"], "--raw", "--temperature", "0", "--json", "--logits", "10",
                     "-n", str(len(prompt["greedy"])), *arguments, prompt["text"])
        self.assertEqual(result.status, 0, result.err)
        return json.loads(result.out)

    def expect_prompt(self, found, prompt, logit_limit, nll_limit):
        self.assertEqual(found["prompt_tokens"], prompt["tokens"])
        logits = dict(found["top_logits"])
        for token, expected in prompt["top10"][:5]:  # further down, neighbors may change places
            self.assertAlmostEqual(logits[token], expected, delta=logit_limit)
        self.assertAlmostEqual(found["mean_nll"], prompt["mean_nll"], delta=nll_limit)

    def test_logits_and_text(self):
        for prompt in json.loads(GOLDEN.read_text())["prompts"]:
            with self.subTest(prompt=prompt["text"]):
                found = self.complete(prompt)
                self.expect_prompt(found, prompt, 2e-3, 1e-4)
                self.assertEqual(found["tokens"], prompt["greedy"])

    def test_logits_with_an_f16_cache(self):
        for prompt in json.loads(GOLDEN.read_text())["prompts"]:
            with self.subTest(prompt=prompt["text"]):
                self.expect_prompt(self.complete(prompt, "--cache-type", "f16"), prompt, 3e-2, 2e-3)


class Generation(DecoderTest):
    def test_json(self):
        result = self.ok("--json", "-n", "7", "--seed", "12", "Say it")
        self.assertEqual(result.err, "")
        self.assertEqual(result.out.count(b"\n"), 1)
        found = json.loads(result.out)
        self.assertEqual(set(found), {"prompt_tokens", "tokens", "text", "finish_reason", "seed",
                                      "prefill_tokens_per_second", "decode_tokens_per_second"})
        self.assertEqual(found["prompt_tokens"], prompt_ids("Say it"))
        self.assertLessEqual(len(found["tokens"]), 7)
        self.assertEqual(found["seed"], 12)
        self.assertGreater(found["prefill_tokens_per_second"], 0)
        self.assertGreater(found["decode_tokens_per_second"], 0)

    def test_invalid_utf8_is_replaced(self):
        path = self.write("bytes.gguf", model(says=BYTES))
        found = json.loads(run("--model", path, "--temperature", "0", "--json", "-n", "150", "Say it").out)
        self.assertEqual(found["text"], text_of(found["tokens"]).decode(errors="replace"))
        self.assertIn("\ufffd", found["text"])

    def test_plain_output_is_the_text_and_a_newline(self):
        found = self.greedy("-n", "20", "Say it")
        plain = self.ok("--temperature", "0", "-n", "20", "Say it")
        self.assertEqual(plain.out.decode(), found["text"] + "\n")
        self.assertRegex(plain.err, r"\Aprompt: 25 tokens, [\d.]+ tokens/s; generation: 20 tokens, [\d.]+ tokens/s" + ON_CARD + r"\n\Z")
        self.assertEqual(self.ok("--temperature", "0", "-n", "20", "--quiet", "Say it").err, "")

    def test_seeds(self):
        first = self.ok("-n", "20", "Say it")
        seed = first.err.strip().rpartition("seed ")[2]
        self.assertEqual(self.ok("-n", "20", "--seed", seed, "Say it").out, first.out)
        texts = {self.ok("-n", "20", "--temperature", "5", "--top-k", "0", "--top-p", "1", "--min-p", "0",
                         "Say it").out for _ in range(3)}
        self.assertGreater(len(texts), 1)

    def test_none_and_one(self):
        nothing = self.greedy("-n", "0", "Say it")
        self.assertEqual((nothing["tokens"], nothing["text"], nothing["decode_tokens_per_second"]), ([], "", None))
        one = self.greedy("-n", "1", "Say it")
        self.assertEqual((len(one["tokens"]), one["decode_tokens_per_second"]), (1, None))
        self.assertEqual(self.ok("-n", "0", "Say it").out, b"")

    def test_the_end_of_the_text(self):
        path = self.write("silent.gguf", model(says=[]))
        result = run("--model", path, "--temperature", "0", "--json", "Say it")
        found = json.loads(result.out)
        self.assertEqual((found["tokens"], found["text"], found["finish_reason"]), ([], "", "end_of_text"))

    def test_suppressed_tokens_are_not_said(self):
        spoken = self.greedy("-n", "40", "Say it")["tokens"]
        content = {**vocabulary(), "tokenizer.ggml.suppress_tokens": ("array", ("i32", [-1, spoken[0], spoken[0], 5000]))}
        path = self.write("suppressed.gguf", model(words=content))
        for temperature in "0", "2":
            arguments = "--model", path, "--temperature", temperature, "--json", "-n", "40", "--logits", "1"
            found = json.loads(run(*arguments, "Say it").out)
            self.assertNotIn(spoken[0], found["tokens"])
            self.assertEqual(found["top_logits"][0][0], spoken[0])  # the model's own
        chat = run("--model", path, "--temperature", "0", "--quiet", "--chat", "-n", "40", stdin=b"Say it\n").out
        self.assertNotIn(text_of(spoken[:1]), chat)

    def test_a_file_that_names_no_pre_tokenizer(self):
        content = vocabulary()
        del content["tokenizer.ggml.pre"]
        path = self.write("unnamed.gguf", model(words=content))
        note = r"the file names no pre-tokenizer \(tokenizer.ggml.pre\): took \"default\", [^\n]+\n"
        for arguments, rest in (["-n", "3", "hello"], r"prompt: [^\n]+\n"), (["-n", "3", "--json", "hello"], ""), (["--tokens-only", "hello"], ""):
            result = run("--model", path, *arguments)
            self.assertEqual(result.status, 0, result.err)
            self.assertRegex(result.err, r"\A" + note + rest + r"\Z")
            self.assertEqual(run("--model", path, "--quiet", *arguments).err, "")
        result = run("--model", path, "--chat", "-n", "3", stdin=b"Say it\n")
        self.assertRegex(result.err, r"\A" + note + r"prompt: [^\n]+\n\Z")
        result = run("--model", path, "--tokens-only", "--raw", "hello")
        self.assertEqual([int(word) for word in result.out.split()], [259, 260, *byte_ids("o")])

    def test_a_full_context_is_said(self):
        result = self.ok("--temperature", "0", "--json", "--context", "60", "Say it")
        found = json.loads(result.out)
        self.assertEqual(found["finish_reason"], "context_full")
        self.assertEqual(len(found["prompt_tokens"]) + len(found["tokens"]), 61)  # the last needs no room
        self.assertRegex(result.err, r"\A[^\n]*context of 60 tokens is full[^\n]*\n\Z")

    def test_stop_texts(self):
        whole = self.greedy("-n", "60", "Say it")["text"]
        stop = whole[10:13]
        end = whole.index(stop)
        found = self.greedy("-n", "60", "--stop", "never said", "--stop", stop, "Say it")
        self.assertEqual((found["text"], found["finish_reason"]), (whole[:end], "stop_text"))
        plain = self.ok("--temperature", "0", "-n", "60", "--stop", stop, "Say it").out.decode()
        self.assertEqual(plain, whole[:end] + "\n")
        for odd in ("{}", "[a,b]"):
            self.assertEqual(self.greedy("-n", "60", "--stop", odd, "Say it")["text"], whole)

    def test_the_repeat_penalty(self):
        path = self.write("bytes.gguf", model(says=BYTES))

        def num_different(*arguments):
            result = run("--model", path, "--temperature", "0", "--json", "-n", "100", *arguments, "--raw", "a")
            return len(set(json.loads(result.out)["tokens"]))

        self.assertEqual(num_different("--repeat-penalty", "1e9", "--repeat-last-n", "-1"), 100)
        self.assertLess(num_different(), 100)
        self.assertEqual(num_different(), num_different("--repeat-penalty", "1e9", "--repeat-last-n", "0"))

    def test_logits(self):
        found = self.greedy("-n", "1", "--logits", "5", "Say it")
        logits = [logit for _, logit in found["top_logits"]]
        self.assertEqual(len(logits), 5)
        self.assertEqual(logits, sorted(logits, reverse=True))
        self.assertEqual(found["tokens"], [found["top_logits"][0][0]])
        self.assertGreater(found["mean_nll"], 0)

    def test_mean_nll_is_that_of_the_logits(self):
        text = "Say it: 5 o'clock"
        ids = byte_ids(text)

        def logits(prefix):
            top = self.greedy("--raw", "-n", "0", "--logits", "261", text[:prefix])["top_logits"]
            return dict(top)

        total = 0.0
        for at in range(1, len(ids)):
            row = logits(at)
            largest = max(row.values())
            total += largest + math.log(sum(math.exp(x - largest) for x in row.values())) - row[ids[at]]
        found = self.greedy("--raw", "-n", "0", "--logits", "1", text)["mean_nll"]
        self.assertAlmostEqual(found, total / (len(ids) - 1), places=4)
        self.assertIsNone(self.greedy("--raw", "-n", "0", "--logits", "1", "x")["mean_nll"])

    def test_a_scored_prompt_in_chunks_gives_the_same_text(self):
        text = "I say it again. " * 10  # 160 tokens: three chunks
        plain = self.greedy("--raw", "-n", "30", text)
        scored = self.greedy("--raw", "-n", "30", "--logits", "1", text)
        self.assertEqual(plain["tokens"], scored["tokens"])

    def test_bench(self):
        found = json.loads(self.ok("--bench", "100,20", "--json").out)
        self.assertEqual(set(found), {"prefill_tokens_per_second", "decode_tokens_per_second"})
        self.assertTrue(all(rate > 0 for rate in found.values()))
        self.assertRegex(self.ok("--bench", "100,20").out.decode(),
                         r"\Aprompt: 100 tokens, [\d.]+ tokens/s; generation: 20 tokens, [\d.]+ tokens/s" + ON_CARD + r"\n\Z")


class ProcessTest(DecoderTest):
    def patient_model(self):
        """A model that goes on for minutes."""
        return self.write("patient.gguf", model(context=100000))

    def start(self, *arguments, model=None, **streams):
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        process = subprocess.Popen([*DECODER, "--model", model or self.model, "--temperature", "0", *arguments], **streams)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for stream in process.stdin, process.stdout, process.stderr:
            if stream:
                stream.close()


class Streams(ProcessTest):
    def test_a_closed_pipe_ends_quietly(self):
        process = self.start("--context", "100000", "Say it", model=self.patient_model())
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(process.stderr.read(), b"")

    def test_a_pipe_that_was_closed_before(self):
        reader, writer = os.pipe()
        os.close(reader)
        process = self.start("Say it", stdout=writer)
        os.close(writer)
        err = process.communicate(timeout=60)[1]
        self.assertEqual((process.returncode, err), (0, b""))

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "wb") as full:
            process = self.start("Say it", stdout=full)
            err = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, 2)
        self.assertRegex(err, r"\Adecoder: standard output: [^\n]+\n\Z")

    def test_interrupt_stops_the_text(self):
        process = self.start("--context", "100000", "Say it", model=self.patient_model())
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertTrue((first + out).endswith(b"\n"))
        self.assertRegex(err.decode(), r"\Aprompt: 25 tokens, [^\n]+\n\Z")

    def test_a_progress_bar_on_a_terminal_only(self):
        self.assertNotIn("\r", self.ok("-n", "1", "Say it").err)


class Chat(ProcessTest):
    def chat(self, lines, *arguments):
        return self.ok("--temperature", "0", "--chat", *arguments, stdin=lines.encode())

    def test_the_first_reply_is_that_to_a_plain_prompt(self):
        for options in ([], ["--system", "Be brief"]):
            plain = self.ok("--temperature", "0", "-n", "12", *options, "Say it").out
            result = self.chat("Say it\n", "-n", "12", *options)
            self.assertEqual(result.out, plain)
            self.assertRegex(result.err, r"\Aprompt: \d+ tokens, [^\n]+\n\Z")
            self.assertEqual(self.chat("Say it", "-n", "12", "--quiet", *options).err, "")

    def test_the_turns_are_remembered(self):
        both = self.chat("Say it\n\nAnd now\n", "-n", "12", "--quiet").out
        first = self.greedy("-n", "12", "Say it")
        turn = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
        text = turn.format("Say it") + first["text"] + "<|im_end|>\n" + turn.format("And now")
        again = self.greedy("-n", "12", "--raw", "-", stdin=text.encode() + b"\n")
        self.assertEqual(both.decode(), first["text"] + "\n" + again["text"] + "\n")

    def test_clear_forgets(self):
        once = self.chat("Say it\n", "-n", "12", "--quiet").out
        self.assertEqual(self.chat("Say it\n/clear\nSay it\n", "-n", "12", "--quiet").out, once * 2)
        self.assertNotEqual(self.chat("Say it\nSay it\n", "-n", "12", "--quiet").out, once * 2)
        self.assertEqual(self.chat("Say it\r\n/clear\r\nSay it\r\n", "-n", "12", "--quiet").out, once * 2)

    def test_a_full_context_ends_the_reply_and_refuses_the_next_turn(self):
        result = self.chat("Say it\nSay it\n/clear\nSay it\n", "--context", "60")
        lines = result.err.split("\n")
        self.assertIn("context of 60 tokens is full", lines[0])
        self.assertRegex(lines[1], r"with this turn the conversation has \d+ tokens, expected at most 60; /clear")
        self.assertIn("context of 60 tokens is full", lines[2])
        self.assertEqual(len(lines), 5)
        plain = self.ok("--temperature", "0", "--context", "60", "Say it").out
        self.assertEqual(result.out, plain * 2)

    def test_a_turn_too_long_leaves_the_conversation_as_it_was(self):
        result = self.chat("Say it\n" + "long " * 60 + "\nSay it\n", "-n", "12")
        self.assertEqual(result.out, self.chat("Say it\nSay it\n", "-n", "12").out)
        self.assertIn("/clear", result.err)

    def test_ctrl_c_stops_a_reply_and_not_the_program(self):
        process = self.start("--chat", "--context", "100000", model=self.patient_model(), stdin=subprocess.PIPE)
        for _ in range(2):
            process.stdin.write(b"Say it\n")
            process.stdin.flush()
            self.read_until(process.stdout, lambda shown: len(shown) > 10)
            process.send_signal(signal.SIGINT)
            self.read_until(process.stdout, lambda shown: shown.endswith(b"\n"))  # the model says no newline
            time.sleep(0.2)
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)  # at the prompt: the end
        self.assertEqual(process.wait(60), 0)

    def read_until(self, stream, enough, seconds=60):
        data, end = b"", time.monotonic() + seconds
        while not enough(data):
            descriptor = stream if isinstance(stream, int) else stream.fileno()
            self.assertTrue(select.select([descriptor], [], [], max(0, end - time.monotonic()))[0], data)
            block = os.read(descriptor, 65536)
            self.assertTrue(block, data)
            data += block

    def test_a_terminal_shows_a_prompt_and_ctrl_d_ends(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        process = self.start("--chat", "-n", "5", stdin=slave, stderr=slave)
        os.close(slave)
        self.read_until(master, lambda shown: shown.endswith(b"> "))
        os.write(master, b"Say it\n")
        self.read_until(master, lambda shown: shown.endswith(b"> "))
        os.write(master, b"\x04")
        out = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 0)
        self.assertEqual(out, self.ok("--temperature", "0", "-n", "5", "Say it").out)


if __name__ == "__main__":
    DECODER, sys.argv[1:] = sys.argv[1:], []
    unittest.main(verbosity=1)
