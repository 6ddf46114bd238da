#!/usr/bin/env python3
"""Checks that scripts/support reads what kernel tests leave, and sees where the table is not that."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "scripts/support"


def import_script():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("support", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("support", loader))
    loader.exec_module(module)
    return module


support = import_script()


class Headers(unittest.TestCase):

    def test_launchers(self):
        launchers = support.launchers_of()
        self.assertEqual(launchers["rms_norm"], "norm.hpp")
        self.assertEqual(launchers["attention_scores"], "attention/parts.hpp")
        self.assertGreater(len(launchers), 30)

    def test_parameters(self):
        parameters = support.parameters_of()
        self.assertEqual(parameters["scaled_norm"], ["Scale", "T", "BlockSize", "WaveSize", "AddResidual"])
        self.assertEqual(parameters["paged"], ["T", "TCache"])


class Types(unittest.TestCase):
    """Of the kernels as g++, clang and nvcc write them."""

    def assert_types(self, kernel, **types):
        self.assertEqual(support.types_of(kernel, support.parameters_of()), types)

    def test_of_elements(self):
        self.assert_types("kernels::scaled_norm<kernels::rms_scale, rocmforge::half, 256, 32, false>", T="f16")
        self.assert_types("kernels::scaled_norm<rocmforge::kernels::l2_scale, float, 1, 1>", T="f32")
        self.assert_types("kernels::layer_norm<rocmforge::bfloat16, 256, 64, true>", T="bf16")

    def test_of_an_operation_are_not_those_of_the_elements(self):
        self.assert_types("kernels::map_scores<rocmforge::score_ops::add<rocmforge::half>, float, 256, 32>", T="f32")

    def test_of_weights_and_caches(self):
        self.assert_types("kernels::matvec<float, rocmforge::q4_0, 4, 256, 32>", T="f32", Type="q4_0")
        self.assert_types("kernels::embedding<rocmforge::iq2_xxs, rocmforge::half, 1, 1>", T="f16", Type="iq2_xxs")
        self.assert_types("kernels::dequantize<signed char, float, 1, 1>", T="f32", Type="i8")
        self.assert_types("kernels::kv_append<rocmforge::q8_0, rocmforge::bfloat16, 1, 1>", T="bf16", TCache="q8_0")

    def test_nested(self):
        self.assert_types("kernels::attention<attention_problem::paged<rocmforge::half, float>, "
                          "rocmforge::attention_config{64, 32, 32}, 256, 32>", T="f16", TCache="f32")
        self.assert_types("kernels::attention_product<rocmforge::attention_operands::scores<float, rocmforge::half>, "
                          "256, 32>", T="f32", TCache="f16")
        self.assert_types("kernels::softmax<rocmforge::row_access::softmax_rows<float>, 256, 32>", T="f32")

    def test_of_products(self):
        tail = "epilogue::chain<epilogue::bias<float> >, rocmforge::gemm_tile{128, 128, 16, 8, 8}, 256, 32>"
        self.assert_types(f"kernels::gemm<rocmforge::half, float, {tail}", T="f16", TC="f32")
        for instruction, t in (("wmma_f32_16x16x16_bf16", "bf16"), ("wmma_f32_16x16x16_f16_gfx12", "f16"),
                               ("mfma_f32_16x16x16_f16", "f16"), ("mma_f32_16x8x16_bf16", "bf16"),
                               ("host_tile<rocmforge::half, float, 16, 16, 16, 64>", "f16")):
            self.assert_types(f"kernels::gemm_mma<rocmforge::matrix::{instruction}, float, {tail}", T=t, TC="f32")

    def test_of_an_unknown_kernel(self):
        with self.assertRaises(SystemExit):
            support.types_of("kernels::unheard_of<float, 1, 1>", support.parameters_of())


class Commands(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.table = self.folder / "docs/support.md"
        self.everything = [f"host {op} kernels::rope<float, 1, 1>" for op in support.launchers_of()]
        self.write("host", *self.everything)
        self.assertEqual(self.run_script("update", "host"), (0, ""))

    def write(self, build, *lines):
        path = self.folder / build / "results/x_test.launches"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines))

    def run_script(self, command, *builds):
        arguments = [*(self.folder / build for build in builds), "--table", self.table, "--records", self.folder / "records"]
        result = subprocess.run([sys.executable, SCRIPT, command, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout

    def assert_violation(self, sentence, *builds):
        status, output = self.run_script("check", *builds or ["host"])
        self.assertEqual(status, 1, output)
        self.assertIn(sentence + "\n", output)
        self.assertIn("scripts/support update", output)

    def rows(self):
        return [line for line in self.table.read_text().splitlines() if line.startswith("| `")]

    def test_no_difference(self):
        self.assertEqual(self.run_script("check", "host"), (0, "support: the table is what ran on host\n"))
        self.assertIn("| `rope` | f32 | ✓ |", self.rows())

    def test_no_results(self):
        status, output = self.run_script("check", "amd")
        self.assertEqual(status, 2)
        self.assertIn("no kernel test ran", output)

    def test_what_did_not_run(self):
        self.write("host", *self.everything[1:])
        self.assert_violation(f"host: {self.everything[0].split()[1]}: f32 is in the record, but no test that passed ran it")

    def test_what_is_not_in_the_record(self):
        self.write("host", *self.everything, "host rope kernels::rope<rocmforge::half, 1, 1>")
        self.assert_violation("host: rope: f16 ran, but is not in the record")
        self.write("host", *self.everything, "host linear kernels::linear<float, rocmforge::q4_k, 1, 1>")
        self.assert_violation("host: linear with weights q4_k: f32 ran, but is not in the record")

    def test_a_tile_of_attention_belongs_to_the_op_of_its_problem(self):
        self.write("host", *self.everything,
                   "host attention_decode kernels::attention_decode<attention_problem::paged<float, rocmforge::q4_0>, 64, 1, 1>")
        self.assert_violation("host: paged_attention with cache q4_0: f32 ran, but is not in the record")

    def test_a_device_without_record(self):
        self.write("amd", "gfx942 rope kernels::rope<float, 256, 64>")
        self.assert_violation("gfx942: there is no record of it", "host", "amd")

    def test_edited_table(self):
        self.table.write_text(self.table.read_text() + "\n")
        self.assert_violation("support.md is not what the records give")

    def test_an_op_that_no_test_launches(self):
        self.write("host", *(line for line in self.everything if " rope " not in line))
        self.run_script("update", "host")
        self.assert_violation("rope.hpp: rope was launched on none of the devices")

    def test_kernels_that_a_test_launches_itself_are_left_out(self):
        self.write("host", *self.everything, "host my_op kernels::rope<rocmforge::half, 1, 1>")
        self.assertEqual(self.run_script("check", "host")[0], 0)

    def test_other_devices_stay(self):
        self.assertIn("No results are recorded of host, wave 32, ", self.table.read_text())
        self.write("amd", "gfx1100 rope kernels::rope<float, 256, 32>", "gfx1100 rope kernels::rope<rocmforge::half, 256, 32>")
        self.run_script("update", "amd")
        self.assertIn("| op | types | host, serial | gfx1100 |", self.table.read_text())
        self.assertIn("| `rope` | f32 f16 | f32 | ✓ |", self.rows())
        self.assertIn("| `qk_norm_rope` | f32 | ✓ | – |", self.rows())
        self.assertEqual(self.run_script("check", "host")[0], 0)

    def test_an_unknown_device_gets_a_column(self):
        self.write("amd", "gfx1030 rope kernels::rope<float, 256, 32>")
        self.run_script("update", "amd")
        self.assertIn("| op | types | host, serial | gfx1030 |", self.table.read_text())

    def test_weights_are_rows(self):
        weights = [f"host {op} kernels::embedding<rocmforge::{name}, {t}, 1, 1>" for op in ("embedding", "dequantize")
                   for name in ("q4_0", "float") for t in ("float", "rocmforge::half")]
        self.write("host", *self.everything, *weights)
        self.write("nvidia", *(line.replace("host", "sm_90") for line in weights[:-1] if "float, 1" in line))
        self.run_script("update", "host", "nvidia")
        self.assertIn("| weights | `dequantize` | `embedding` | host, serial | sm_90 |", self.table.read_text())
        rows = [line for line in self.rows() if line.startswith(("| `f32` |", "| `q4_0` |"))]
        self.assertEqual(rows, [f"| `{name}` | f32 f16 | f32 f16 | ✓ | `dequantize` f32; `embedding` f32 |"
                                for name in ("f32", "q4_0")])


if __name__ == "__main__":
    unittest.main()
