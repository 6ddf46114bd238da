#!/usr/bin/env python3
"""ledger_test.py OBJECTS... -- COMPILER FLAGS...: no kernel spills or grows, none is forgotten, and scripts/ledger would notice.

OBJECTS are those of tests/ledger, the command compiles a HIP source."""

import importlib.machinery
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts/ledger"
SOURCES = ROOT / "tests/ledger"
INCLUDE = ROOT / "include/rocmforge"

OBJECTS = []
COMPILE = []


def import_script():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("ledger", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ledger", loader))
    sys.modules["ledger"] = module
    loader.exec_module(module)
    return module


ledger = import_script()


def run_ledger(*arguments):
    """Exit status and output."""
    command = [sys.executable, SCRIPT, *arguments, "--compiler", COMPILE[0]]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return result.returncode, result.stdout


def compile_source(name, *arguments):
    command = [*COMPILE, "-std=c++20", f"-I{ROOT / 'include'}", *map(str, arguments), SOURCES / name]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Kernels(unittest.TestCase):

    def test_keep_within_the_limits_and_the_baseline(self):
        status, output = run_ledger("check", *OBJECTS)
        print(output)
        self.assertEqual(status, 0, "\n" + output)


class Sources(unittest.TestCase):
    """What include/ has is in the ledger."""

    @classmethod
    def setUpClass(cls):
        cls.sources = "".join(path.read_text() for path in SOURCES.glob("*.?pp"))
        cls.kernels = json.loads((SOURCES / "baseline/gfx1100.json").read_text())["kernels"]

    def found_in_headers(self, pattern, glob="**/*.hpp"):
        headers = [path for path in INCLUDE.glob(glob) if "platform" not in path.relative_to(INCLUDE).parts]
        found = {name for path in headers for name in re.findall(pattern, path.read_text())}
        self.assertGreater(len(found), 2, pattern)
        return found

    def test_call_every_launcher(self):
        launchers = self.found_in_headers(r"\[\[nodiscard\]\] status (\w+)\(", "*.hpp")
        self.assertEqual([name for name in sorted(launchers) if not re.search(rf"\(\s*{name}[<(]", self.sources)], [])

    def test_hold_every_kernel(self):
        # Those for waves of 1 are the host's.
        kernels = self.found_in_headers(r"struct (\w+)(?: : [^;{}]*)? \{[^}]*?static constexpr int block_size = \w+;"
                                        r"\s+static constexpr int wave_size = (?!1;)")
        self.assertEqual(kernels, {name.split("<")[0] for name in self.kernels})

    def test_hold_every_type(self):
        types = self.found_in_headers(r"struct block_format<(\w+)> \{") | {"float", "half", "bfloat16"}
        for kernel in ("embedding", "linear"):
            names = " ".join(name for name in self.kernels if name.startswith(kernel + "<"))
            self.assertEqual([t for t in sorted(types) if not re.search(rf"\b{t}\b", names)], [], kernel)


class Violations(unittest.TestCase):
    """scripts/ledger finds what it is for, on a kernel whose size is chosen here."""

    good = "spilling<8, 256, 32>"

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.object = cls.compile_kernel(num_values=8)

    @classmethod
    def compile_kernel(cls, num_values, shared_bytes=256):
        path = cls.folder / f"{num_values}_{shared_bytes}.o"
        if path.exists():
            return path
        result = compile_source("spilling_kernel.cpp", "-O3", "--offload-arch=gfx1100", f"-DNUM_VALUES={num_values}",
                                f"-DSHARED_BYTES={shared_bytes}", "-c", "-o", path)
        if result.returncode != 0:
            raise RuntimeError(result.stdout)
        return path

    def setUp(self):
        # Each test begins with a baseline and a table that are right.
        self.files = "--baseline", self.folder / "baseline", "--table", self.folder / "table.md"
        self.baseline = self.folder / "baseline/gfx1100.json"
        self.assertEqual(run_ledger("update", self.object, *self.files)[0], 0)

    def edit(self, **columns):
        """Changes numbers of the kernel in the baseline."""
        content = json.loads(self.baseline.read_text())
        for column, value in columns.items():
            content["kernels"][self.good][content["columns"].index(column)] = value
        self.baseline.write_text(json.dumps(content))
        self.rewrite_table()

    def rewrite_table(self):
        self.files[3].write_text(ledger.table_text(ledger.read_baseline(self.baseline.parent)))

    def record(self):
        content = json.loads(self.baseline.read_text())
        return dict(zip(content["columns"], content["kernels"][self.good]))

    def check(self, *objects):
        return run_ledger("check", *(objects or [self.object]), *self.files)

    def assert_violation(self, sentence, result):
        status, output = result
        self.assertEqual(status, 1, output)
        self.assertIn("gfx1100: " + sentence + "\n", output)

    def test_none(self):
        status, output = self.check()
        self.assertEqual(status, 0, output)
        self.assertEqual(self.record()["lds"], 256)

    def test_spills_and_scratch(self):
        result = self.check(self.compile_kernel(num_values=300))
        self.assertRegex(result[1], r"gfx1100: spilling<300, 256, 32>: spills is \d+, must be 0\n")
        self.assertRegex(result[1], r"gfx1100: spilling<300, 256, 32>: scratch is \d+, must be 0\n")
        self.assertEqual(result[0], 1)

    def test_spills_are_no_baseline(self):
        status, output = run_ledger("update", self.compile_kernel(num_values=300), *self.files)
        self.assertEqual(status, 1, output)
        self.assertIn(self.good, self.baseline.read_text())

    def test_too_much_lds(self):
        self.assert_violation(f"{self.good}: is a trap, its shared memory is over the limit of 65536 bytes",
                              self.check(self.compile_kernel(num_values=8, shared_bytes=70000)))

    def test_rise(self):
        vgprs, code = self.record()["vgprs"], self.record()["code"]
        self.edit(vgprs=int(vgprs / 1.11), code=int(code / 1.11))
        self.assert_violation(f"{self.good}: vgprs was {int(vgprs / 1.11)}, is {vgprs}", self.check())
        self.assert_violation(f"{self.good}: code was {int(code / 1.11)}, is {code}", self.check())

    def test_less_than_a_rise_asks_for_an_update(self):
        code = self.record()["code"]
        for was in (code - 4, code + 4):
            self.edit(code=was)
            result = self.check()
            self.assert_violation(f"{self.good}: code was {was}, is {code}", result)
            self.assertIn("scripts/ledger update", result[1])

    def test_new_and_missing_kernel(self):
        self.assert_violation("spilling<16, 256, 32>: is not in the baseline",
                              self.check(self.compile_kernel(num_values=16)))
        self.assert_violation(f"{self.good}: is in the baseline, but in none of the objects",
                              self.check(self.compile_kernel(num_values=16)))

    def test_missing_baseline(self):
        self.baseline.unlink()
        self.assert_violation("there is no baseline for it", self.check())

    def test_edited_table(self):
        self.files[3].write_text(self.files[3].read_text() + "\n")
        status, output = self.check()
        self.assertEqual(status, 1, output)
        self.assertIn("table.md is not what the baseline gives", output)

    def test_of_another_compiler_count_only_where_they_are_absolute(self):
        content = json.loads(self.baseline.read_text())
        content["compiler"] = "another clang version 1.2.3"
        content["kernels"][self.good] = [0] * len(content["columns"])
        self.baseline.write_text(json.dumps(content))
        self.rewrite_table()
        status, output = self.check()
        self.assertEqual(status, 0, output)
        self.assertIn("another clang version 1.2.3", output)
        self.assertEqual(self.check(self.compile_kernel(num_values=300))[0], 1)


class Refusals(unittest.TestCase):
    """Configurations that cannot be good do not compile."""

    sentence = "attention: this block_q x head_dim keeps more accumulators in a lane than a lane has registers"

    def test_registers(self):
        # In the pass of a GPU with other waves too, so that all passes agree.
        for gpu in ("gfx1100", "gfx90a"):
            def compile_with(block_q):
                return compile_source("register_hungry_attention.cpp", "-fsyntax-only", f"--offload-arch={gpu}",
                                      "--offload-device-only", f"-DBLOCK_Q={block_q}")
            fits, hungry = compile_with(32), compile_with(64)
            self.assertEqual(fits.returncode, 0, fits.stdout)
            self.assertNotEqual(hungry.returncode, 0)
            self.assertIn(self.sentence, hungry.stdout)


class Occupancy(unittest.TestCase):

    def test_is_what_llvm_reports(self):
        # -Rpass-analysis=kernel-resource-usage: GPU, VGPRs, SGPRs, LDS of a block of 256, waves on a SIMD.
        for gpu, vgprs, sgprs, lds, waves in (
                ("gfx1030", 47, 28, 0, 16), ("gfx1030", 81, 42, 0, 10), ("gfx1030", 58, 41, 18432, 14),
                ("gfx1201", 93, 46, 0, 16), ("gfx1201", 58, 42, 18432, 14), ("gfx90a", 54, 34, 0, 8),
                ("gfx90a", 98, 52, 0, 4), ("gfx90a", 70, 50, 18432, 3)):
            with self.subTest(gpu=gpu, vgprs=vgprs, lds=lds):
                self.assertEqual(ledger.occupancy(ledger.GPUS[gpu], vgprs, sgprs, lds, 256), waves)

    def test_is_limited_by_scalar_registers_on_cdna(self):
        self.assertEqual(ledger.occupancy(ledger.GPUS["gfx90a"], 32, 100, 0, 256), 7)
        self.assertEqual(ledger.occupancy(ledger.GPUS["gfx1100"], 32, 106, 0, 256), 16)


class HotLoop(unittest.TestCase):

    @staticmethod
    def body(*lines):
        """An instruction each 4 bytes; `name -> 2` is a branch to the third."""
        parts = [line.split(" -> ") for line in lines]
        return [ledger.Instruction(4 * i, part[0], 4 * int(part[1]) if len(part) > 1 else None, 1)
                for i, part in enumerate(parts)]

    def test_is_the_innermost_with_most_work(self):
        body = self.body("v_mov_b32", "global_load_b32", "v_add_f32", "s_cbranch_scc1 -> 1",  # 1 to 3: staging
                         "v_fma_f32", "ds_load_b32", "s_cbranch_scc1 -> 4",  # 4 to 6: multiply-adds
                         "s_cbranch_scc1 -> 0", "s_endpgm")
        self.assertEqual(ledger.loops_of(body), [(0, 7), (1, 3), (4, 6)])
        self.assertEqual(ledger.hot_loop(body), body[4:7])

    def test_is_the_whole_body_where_there_is_no_loop(self):
        body = self.body("v_mov_b32", "s_cbranch_scc1 -> 3", "v_add_f32", "s_endpgm")
        self.assertEqual(ledger.hot_loop(body), body)

    def test_mix(self):
        names = ("v_wmma_f32_16x16x16_f16", "v_mfma_f32_16x16x16f16", "v_fma_f32", "ds_load_b128", "global_load_b32",
                 "buffer_load_dword", "s_waitcnt", "s_barrier", "s_add_i32", "s_nop", "s_delay_alu")
        self.assertEqual(ledger.mix_of(self.body(*names)), {
            "matrix": 2, "valu": 1, "lds_access": 1, "memory": 2, "waits": 2, "salu": 1, None: 2})


if __name__ == "__main__":
    separator = sys.argv.index("--")
    OBJECTS, COMPILE = sys.argv[1:separator], sys.argv[separator + 1:]
    unittest.main(argv=sys.argv[:1])
