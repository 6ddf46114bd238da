#!/usr/bin/env python3
"""Runs the small examples and looks at what they print: examples_test.py PROGRAM... -- LAUNCHER...

Each file of examples/ itself has a program, and a test of that name here; those with `.hip` exist where they are compiled.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import decoder_test

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
PROGRAMS, LAUNCHER = {}, []  # set from the command line
MEANS = "0 0.5 1 1.5 2 2.5 3 3.5\n"


def run(name, *arguments):
    return subprocess.run([*LAUNCHER, PROGRAMS[name], *arguments], capture_output=True, text=True, timeout=600)


class Examples(unittest.TestCase):

    def expect(self, name, output, *arguments):
        result = run(name, *arguments)
        self.assertEqual((result.returncode, result.stdout), (0, output), result.stderr)

    def test_there_is_a_test_for_each(self):
        names = {path.stem for path in EXAMPLES.glob("*.cpp")} | {path.stem for path in EXAMPLES.glob("*.hip")}
        tests = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        self.assertEqual(names - tests, set())
        self.assertEqual({path.stem for path in EXAMPLES.glob("*.cpp")} - set(PROGRAMS), set())

    def test_they_are_short(self):
        for name in "hello_rms_norm.cpp", "attention.cpp", "attention_hip.hip", "own_kernel.cpp", "gguf_linear.cpp":
            self.assertLess(len((EXAMPLES / name).read_text().splitlines()), 65, name)

    def test_hello_rms_norm(self):
        self.expect("hello_rms_norm", "0.365148 0.730296 1.09544 1.46059\n0.758098 0.909718 1.06134 1.21296\n")

    def test_attention(self):
        self.expect("attention", MEANS)

    def test_attention_hip(self):
        if "attention_hip" not in PROGRAMS:
            self.skipTest("this is no build for AMD GPUs")
        self.expect("attention_hip", MEANS)

    def test_own_kernel(self):
        self.expect("own_kernel", "0.25 -0.5 1 \n1 0.5 0 \n")

    def test_custom_block_size(self):
        result = run("custom_block_size")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual([line.split()[-1] for line in result.stdout.splitlines()], ["same"] * 4)

    def test_transformer_layer(self):
        result = run("transformer_layer")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("four of eight tokens alone: the same\n", result.stdout)

    def test_gguf_linear(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/weights.gguf"
            rows = [[1, 2, 3], [4, 5, 6]]
            blocks = b"".join(struct.pack("<e32b", scale, *range(32)) for scale in (0.5, 2, 1))  # q8_0: scale, 32 numbers
            tensors = {"dense": ([3, 2], 0, struct.pack("<6f", *sum(rows, []))), "blocks": ([32, 3], 8, blocks),
                       "integers": ([2, 2], 26, bytes(16))}
            pathlib.Path(path).write_bytes(decoder_test.gguf({}, tensors))
            self.expect("gguf_linear", "6\n15\n", path, "dense")
            self.expect("gguf_linear", "248\n992\n496\n", path, "blocks")
            for tensor, message in [("integers", "there is no kernel for weights of GGUF type 26"), ("none", "has no tensor 'none'")]:
                result = run("gguf_linear", path, tensor)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertIn(message, result.stderr)


if __name__ == "__main__":
    split = sys.argv.index("--")
    PROGRAMS = {pathlib.Path(program).name: program for program in sys.argv[1:split]}
    LAUNCHER = sys.argv[split + 1:]
    unittest.main(argv=sys.argv[:1])
