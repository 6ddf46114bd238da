#!/usr/bin/env python3
"""Tests gguf_info from outside: gguf_info_test.py COMMAND... of gguf_info

The files are written, and their values decoded, by PyPI's `gguf`, which shares no code with this project:
scripts/fetch_gguf_package says where it lies.
"""

import hashlib
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

if "ROCMFORGE_GGUF_PACKAGE" not in os.environ:
    sys.exit("ROCMFORGE_GGUF_PACKAGE is not set; it is what scripts/fetch_gguf_package prints")
sys.path.insert(0, os.environ["ROCMFORGE_GGUF_PACKAGE"])
import gguf  # noqa: E402
import numpy as np  # noqa: E402

COMMAND = None  # set from the command line
Type = gguf.GGMLQuantizationType

PLAIN = {Type.F32: np.float32, Type.F16: np.float16, Type.I8: np.int8, Type.I16: np.int16, Type.I32: np.int32,
         Type.I64: np.int64, Type.F64: np.float64}
BLOCKS = [Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K,
          Type.Q6_K, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ3_XXS, Type.IQ1_S, Type.IQ4_NL, Type.IQ3_S, Type.IQ2_S, Type.IQ4_XS,
          Type.IQ1_M, Type.TQ1_0, Type.TQ2_0, Type.MXFP4, Type.NVFP4, Type.Q1_0]
Q2_0 = 42  # which the package does not know yet


def run(*arguments):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)


def sha256(values):
    return hashlib.sha256(np.ascontiguousarray(values, "<f4").tobytes()).hexdigest()


def bits(values):
    return np.ascontiguousarray(values, "<f4").view(np.uint32)


def random_numbers(source, kind, count):
    """Every bit pattern may come, but for those that are no finite number."""
    numbers = source.bytes(count * np.dtype(PLAIN[kind]).itemsize)
    numbers = np.frombuffer(numbers, PLAIN[kind]).copy()
    if numbers.dtype.kind == "f":
        with np.errstate(over="ignore"):
            numbers[~np.isfinite(numbers.astype(np.float32))] = -0.0
    return numbers


def decode(blocks, kind):
    """What `gguf` decodes blocks to. It lacks the two formats of a half and 16 bytes of equal fields, lowest bits first."""
    if kind not in (Type.Q1_0, Q2_0):
        return gguf.dequantize(blocks, kind)
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    shifts = np.arange(8, dtype=np.uint8) if kind == Type.Q1_0 else np.arange(0, 8, 2, dtype=np.uint8)
    fields = (blocks[:, 2:, None] >> shifts) & (1 if kind == Type.Q1_0 else 3)
    fields = fields.reshape(len(blocks), -1).astype(np.float32)
    return (fields * 2 - 1 if kind == Type.Q1_0 else fields - 1) * scales


def random_blocks(source, kind, num_blocks):
    """Blocks of random bits and what `gguf` decodes them to; those that hold an infinity or a NaN are drawn again."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.zeros((num_blocks, size), np.uint8)
    values = np.full((num_blocks, elements), np.nan, np.float32)
    with np.errstate(all="ignore"):
        while (bad := ~np.isfinite(values).all(axis=1)).any():
            blocks[bad] = np.frombuffer(source.bytes(int(bad.sum()) * size), np.uint8).reshape(-1, size)
            values[bad] = decode(blocks[bad], kind).reshape(-1, elements)
    return blocks, values


def as_q2_0(file, name):
    """The file with a tensor of q4_0, whose blocks take as many bytes, turned into one of q2_0."""
    at = file.index(struct.pack("<Q", len(name)) + name.encode()) + 8 + len(name)
    rank, row = struct.unpack_from("<IQ", file, at)
    assert struct.unpack_from("<I", file, at + 4 + 8 * rank) == (Type.Q4_0,)
    result = bytearray(file)
    struct.pack_into("<Q", result, at + 4, row * 2)
    struct.pack_into("<I", result, at + 4 + 8 * rank, Q2_0)
    return bytes(result)


class Folder(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, fill, name="model.gguf", **options):
        path = self.folder / name
        writer = gguf.GGUFWriter(path, "llama", **options)
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def report(self, path, *arguments):
        result = run(str(path), "--json", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.count("\n"), 1)
        return json.loads(result.stdout)


class Check(Folder):

    def test_every_type_equals_pypi_gguf(self):
        """Three rows of a few blocks of each type, of random bits."""
        known = {kind for kind in Type if kind not in (Type.Q8_1, Type.Q8_K)}
        self.assertEqual(known, {*PLAIN, *BLOCKS}, "a type is in neither list")
        source = np.random.default_rng(20261123)
        expected = {}

        def fill(writer):
            for kind in PLAIN:
                numbers = random_numbers(source, kind, 3 * 1234).reshape(3, 1234)
                writer.add_tensor(kind.name, numbers)
                expected[kind.name] = kind.name, [1234, 3], sha256(numbers.astype(np.float32))
            for kind in BLOCKS:
                elements, size = gguf.GGML_QUANT_SIZES[kind]
                blocks, values = random_blocks(source, kind, 3 * 40)
                writer.add_tensor(kind.name, blocks.reshape(3, 40 * size), raw_dtype=kind)
                expected[kind.name] = kind.name, [40 * elements, 3], sha256(values)
            blocks, _ = random_blocks(source, Type.Q4_0, 3 * 40)
            writer.add_tensor("Q2_0", blocks.reshape(3, 40 * 18), raw_dtype=Type.Q4_0)
            expected["Q2_0"] = "Q2_0", [40 * 64, 3], sha256(decode(blocks, Q2_0))

        path = self.write(fill)
        path.write_bytes(as_q2_0(path.read_bytes(), "Q2_0"))
        report = self.report(path, "--check")
        found = {tensor["name"]: tensor for tensor in report["tensors"]}
        self.assertEqual(set(found), set(expected))
        for name, (kind, extent, checksum) in expected.items():
            with self.subTest(name):
                self.assertEqual(found[name]["type"], kind.lower())
                self.assertEqual(found[name]["extent"], extent)
                self.assertEqual(found[name]["sha256"], checksum)

    def test_large_tensors_are_decoded_in_pieces(self):
        source = np.random.default_rng(1)
        blocks, values = random_blocks(source, Type.Q4_0, 30_001)  # 960,032 values
        numbers = random_numbers(source, Type.F16, 600_001)

        def fill(writer):
            writer.add_tensor("q4_0", blocks.reshape(1, -1), raw_dtype=Type.Q4_0)
            writer.add_tensor("f16", numbers)

        tensors = self.report(self.write(fill), "--check")["tensors"]
        self.assertEqual([tensor["sha256"] for tensor in tensors], [sha256(values), sha256(numbers)])

    def test_bits_of_f32_are_taken_as_they_are(self):
        numbers = np.array([0x7fc12345, 0xff800001, 0x80000000, 1, 0x7f800000], np.uint32).view(np.float32)
        numbers_16 = np.array([0x8000, 0x0001, 0x83ff, 0x7c00, 0xfc00, 0x7e00], np.uint16).view(np.float16)

        def fill(writer):
            writer.add_tensor("f32", numbers)
            writer.add_tensor("f16", numbers_16)

        tensors = self.report(self.write(fill), "--check")["tensors"]
        self.assertEqual([tensor["sha256"] for tensor in tensors], [sha256(numbers), sha256(numbers_16)])

    def test_as_text(self):
        path = self.write(lambda writer: writer.add_tensor("t", np.zeros((2, 3), np.float32)))
        result = run("--check", str(path))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, rf"\nt +f32 +3 x 2 +24 +{hashlib.sha256(bytes(24)).hexdigest()}\n")


class Report(Folder):

    def fill(self, writer):
        writer.add_uint8("u8", 255)
        writer.add_int8("i8", -128)
        writer.add_uint64("u64", 2**64 - 1)
        writer.add_int64("i64", -2**63)
        writer.add_float32("f32", 1e-5)
        writer.add_float64("f64", 1e-5)
        writer.add_float32("nan", math.nan)
        writer.add_bool("yes", True)
        writer.add_string("escape", "a\x1b[31m\nü")
        writer.add_array("numbers", [1, -2, 300])
        writer.add_array("strings", ["", "b", "c", "d", "e", "f"])
        writer.add_tensor("weights", np.arange(10, dtype=np.float32).reshape(2, 5))

    def test_bytes_after_the_model_are_said(self):
        path = self.write(self.fill)
        self.assertEqual(self.report(path)["trailing_bytes"], 0)
        self.assertNotIn("after the last tensor", run(str(path)).stdout)
        with open(path, "ab") as file:
            file.write(bytes(2**20))
        size = self.report(path)["trailing_bytes"]
        self.assertTrue(2**20 - 32 < size <= 2**20, size)
        self.assertIn(f"{size} bytes after the last tensor are no part of the model\n", run(str(path)).stdout)

    def test_json_is_complete(self):
        path = self.write(self.fill)
        report = self.report(path)
        self.assertEqual(report["files"], [str(path)])
        self.assertEqual((report["version"], report["alignment"]), (3, 32))
        self.assertEqual(report["metadata"], {
            "general.architecture": {"type": "string", "value": "llama"},
            "u8": {"type": "u8", "value": 255},
            "i8": {"type": "i8", "value": -128},
            "u64": {"type": "u64", "value": 2**64 - 1},
            "i64": {"type": "i64", "value": -2**63},
            "f32": {"type": "f32", "value": float(np.float32(1e-5))},
            "f64": {"type": "f64", "value": 1e-5},
            "nan": {"type": "f32", "value": None},
            "yes": {"type": "bool", "value": True},
            "escape": {"type": "string", "value": "a\x1b[31m\nü"},
            "numbers": {"type": "array of i32", "value": [1, -2, 300]},
            "strings": {"type": "array of string", "value": ["", "b", "c", "d", "e", "f"]},
        })
        offset = report["tensors"][0].pop("offset")
        self.assertEqual(report["tensors"], [
            {"name": "weights", "type": "f32", "extent": [5, 2], "file": 0, "num_bytes": 40}])
        self.assertEqual(path.read_bytes()[offset:offset + 40], struct.pack("<10f", *range(10)))

    def test_text_is_one_line_each(self):
        result = run(str(self.write(self.fill)))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 2 + 1 + 12 + 1 + 1)
        for line in (r"f32 +f32 +1e-05", r"nan +f32 +nan", r"yes +bool +true", r"numbers +array of i32 +\[1, -2, 300\]",
                     r'escape +string +"a\\x1b\[31m\\x0a\\xc3\\xbc"',
                     r'strings +array of string +\["", "b", "c", "d", \.\.\. \(6 in all\)\]', r"weights +f32 +5 x 2 +40"):
            self.assertRegex(result.stdout, rf"(?m)^{line}$")

    def test_split_model(self):
        def fill(writer):
            for i in range(3):
                writer.add_tensor(f"t{i}", np.full(8, i, np.float32))

        self.write(fill, split_max_tensors=1)
        first = self.folder / "model-00001-of-00003.gguf"
        report = self.report(first, "--check")
        self.assertEqual([pathlib.Path(path).name for path in report["files"]],
                         [f"model-0000{i}-of-00003.gguf" for i in (1, 2, 3)])
        self.assertEqual([(tensor["name"], tensor["file"], tensor["sha256"]) for tensor in report["tensors"]],
                         [(f"t{i}", i, sha256(np.full(8, i))) for i in range(3)])
        self.assertRegex(run(str(first)).stdout, r"\nt2 +f32 +8 +32  file 3\n$")


class Refusals(Folder):

    def assert_refused(self, result, *words):
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertRegex(result.stderr, r"\Agguf_info: [^\n]*\n\Z")
        for word in words:
            self.assertIn(word, result.stderr)

    def test_arguments(self):
        self.assert_refused(run(), "FILE is required")
        self.assert_refused(run("a", "b"), "b")
        self.assert_refused(run("--chek", "a"), "--chek")

    def test_files(self):
        self.assert_refused(run(str(self.folder / "no\nsuch")), "no such file, expected a GGUF file")
        self.assert_refused(run(str(self.folder)), "is a directory")
        path = self.write(lambda writer: writer.add_tensor("t", np.zeros(8, np.float32)))
        path.write_bytes(path.read_bytes()[:-1])
        self.assert_refused(run("--json", "--check", str(path)), str(path), "truncated")

    def test_help(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for option in "FILE", "--check", "--json":
            self.assertIn(option, result.stdout)

    def test_output_that_cannot_be_written(self):
        path = self.write(self.fill_nothing)
        with open("/dev/full", "w") as full:
            result = subprocess.run([*COMMAND, str(path)], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("standard output", result.stderr)

    @staticmethod
    def fill_nothing(writer):
        writer.add_string("general.name", "nothing")


if __name__ == "__main__":
    COMMAND = sys.argv[1:]
    if not COMMAND:
        sys.exit(__doc__)
    unittest.main(argv=sys.argv[:1])
