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
        self.assertEqual(parameters["scaled_norm"], ["Scale", "T", "BlockSize", "WaveSize", "AddResidual", "TWeight"])
        self.assertEqual(parameters["paged"], ["T", "TCache"])
        self.assertEqual(parameters["attention_decode"], ["Problem", "HeadDim", "BlockSize", "WaveSize"])  # which has a base


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
        self.assert_types("kernels::merge_states<attention_results::paged<rocmforge::half>, float, 256, 32>", T="f16")

    def test_of_products(self):
        tail = "epilogue::chain<epilogue::bias<float> >, rocmforge::gemm_tile{128, 128, 16, 8, 8}, 256, 32>"
        self.assert_types(f"kernels::gemm<rocmforge::half, float, {tail}", T="f16", TC="f32")
        for instruction, t in (("wmma_f32_16x16x16_bf16", "bf16"), ("wmma_f32_16x16x16_f16_gfx12", "f16"),
                               ("mfma_f32_16x16x16_f16", "f16"), ("mma_f32_16x8x16_bf16", "bf16"),
                               ("host_tile<rocmforge::half, float, 16, 16, 16, 64>", "f16")):
            self.assert_types(f"kernels::gemm_mma<rocmforge::mma::{instruction}, float, {tail}", T=t, TC="f32")

    def test_of_an_unknown_kernel(self):
        with self.assertRaises(SystemExit):
            support.types_of("kernels::unheard_of<float, 1, 1>", support.parameters_of())


class Code(unittest.TestCase):
    """What of a header counts when it is asked whether a kernel has changed."""

    def code(self, text, platform="amd"):
        return support.code_of(text, platform)[0]

    def test_comments_and_layout_do_not(self):
        plain = "template <class T>\nint f(T a) { return a + 1; }"
        self.assertEqual(self.code("// f\ntemplate<class T> int f( T a ) {  // adds 1\n  return a /* T */ + 1;\n}\n"), self.code(plain))
        self.assertNotEqual(self.code(plain.replace("1", "2")), self.code(plain))
        self.assertNotEqual(self.code("int ab;"), self.code("int a b;"))

    def test_what_looks_like_a_comment_in_a_literal_does(self):
        for text in ('f("a//b"); g();', "f('\"'); g(); // \"", 'f(R"x(")" //)x"); g();', 'f("\\"//"); g();', "int a = 1'000; g();"):
            self.assertIn("g();", self.code(text), text)
        self.assertNotEqual(self.code('f("//b");'), self.code('f("//c");'))

    def test_branches_of_other_platforms_do_not(self):
        text = ("#if defined(ROCMFORGE_PLATFORM_HOST)\nint host;\n#if defined(__AVX__)\nint avx;\n#endif\n"
                "#elif defined(ROCMFORGE_PLATFORM_AMD)\nint amd;\n#else\nint nvidia;\n#endif\nint all;")
        self.assertEqual(self.code(text), "int amd;int all;")
        self.assertEqual(self.code(text, "nvidia"), "int nvidia;int all;")
        host = self.code(text, "host")
        self.assertIn("int avx;", host)
        self.assertNotIn("amd", host)
        self.assertNotEqual(host, self.code(text.replace("__AVX__", "__AVX2__"), "host"))
        self.assertNotEqual(host, self.code(text.replace("int avx;\n#endif\n", "#endif\nint avx;\n"), "host"))

    def test_conditions(self):
        for condition, expected in (("defined(__HIP__)", True), ("!defined(__HIP__) && defined(X)", False), ("X", None),
                                    ("defined(X) || (defined(__HIP__) && !defined(__CUDACC__))", True),
                                    ("defined(__HIP__) && X >= 2", None), ("__has_builtin(y)", None), ("1", True), ("0", False)):
            self.assertEqual(support.holds(condition, "amd"), expected, condition)

    def test_branches_after_an_unknown_one_are_all_kept(self):
        code = self.code("#if X\nint a;\n#elif defined(__HIP__)\nint b;\n#else\nint c;\n#endif")
        self.assertIn("int a;", code)
        self.assertIn("int b;", code)
        self.assertNotIn("int c;", code)

    def test_the_headers_of_this_library(self):
        """Each platform sees its own side and its own vendor's file, and none of the others'."""
        for platform, side, other in (("amd", "gpu", "host"), ("nvidia", "gpu", "host"), ("host", "host", "gpu")):
            _, includes = support.read_code(support.INCLUDE / "platform/platform.hpp", platform)
            self.assertIn(f"platform/{side}/launch.hpp", includes)
            self.assertEqual([name for name in includes if name.startswith(f"platform/{other}/")], [])
        for platform, other in (("amd", "nvidia"), ("nvidia", "amd")):
            _, includes = support.read_code(support.INCLUDE / "platform/gpu/runtime.hpp", platform)
            self.assertIn(f"platform/gpu/{platform}.hpp", includes)
            self.assertNotIn(f"platform/gpu/{other}.hpp", includes)


HEADERS = {
    "rope.hpp": """#include "rocmforge/platform/all.hpp"
template <class T, int BlockSize, int WaveSize>
struct rope {};
[[nodiscard]] status rope(stream_ref stream);
[[nodiscard]] status qk_norm_rope(stream_ref stream);""",
    "weights.hpp": """#include "rocmforge/platform/all.hpp"
template <class Type, class T, int BlockSize, int WaveSize>
struct embedding {};
[[nodiscard]] status embedding(stream_ref stream);
[[nodiscard]] status dequantize(stream_ref stream);""",
    "attention.hpp": """template <class T, class TCache>
struct paged {};
template <class Problem, int HeadDim, int BlockSize, int WaveSize>
struct attention_decode {};
template <class Results, class State, int BlockSize, int WaveSize>
struct merge_states {};
template <class T>
struct contiguous {};
[[nodiscard]] status paged_attention(stream_ref stream);
[[nodiscard]] status merge_states(stream_ref stream);""",
    "platform/all.hpp": """#if defined(ROCMFORGE_PLATFORM_HOST)
#include "rocmforge/platform/host.hpp"
#else
int gpu = 1;
#endif""",
    "platform/host.hpp": "int host = 1;",
}


class Commands(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.include = self.folder / "include"
        for name, text in HEADERS.items():
            self.write_header(name, text)
        self.table = self.folder / "docs/support.md"
        self.everything = [f"host {op} kernels::rope<float, 1, 1>" for op in support.launchers_of(self.include)]
        self.write("host", *self.everything)
        self.assertEqual(self.run_script("update", "host"), (0, ""))

    def write_header(self, name, text):
        path = self.include / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write(self, build, *lines, about=None):
        """What tests/run leaves after the launches `lines`."""
        path = self.folder / build / "results/x_test.launches"
        path.parent.mkdir(parents=True, exist_ok=True)
        devices = sorted({line.split(" ")[0] for line in lines})
        if about is None:
            about = [f"device\t{device}\t{'host' if device == 'host' else 'emulator'}\tname of {device}\truntime 1" for device in devices]
        path.write_text("".join(line + "\n" for line in [*lines, *about]))
        self.assertEqual(self.run_script("stamp", build), (0, ""))

    def run_script(self, command, *builds):
        arguments = [*(self.folder / build for build in builds), "--table", self.table, "--records", self.folder / "records",
                     "--include", self.include]
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
        self.write("host", *self.everything, "host embedding kernels::embedding<rocmforge::q4_k, float, 1, 1>")
        self.assert_violation("host: embedding with weights q4_k: f32 ran, but is not in the record")

    def test_a_tile_of_attention_belongs_to_the_op_of_its_problem(self):
        self.write("host", *self.everything,
                   "host attention_decode kernels::attention_decode<attention_problem::paged<float, rocmforge::q4_0>, 64, 1, 1>")
        self.assert_violation("host: paged_attention with cache q4_0: f32 ran, but is not in the record")

    def test_a_merge_within_attention_is_no_type_of_its_own(self):
        merge = "kernels::merge_states<attention_results::contiguous<rocmforge::half>, float, 1, 1>"
        self.write("host", *self.everything, f"host paged_attention {merge}")
        self.assertEqual(self.run_script("check", "host")[0], 0)
        self.write("host", *self.everything, f"host merge_states {merge}")
        self.assert_violation("host: merge_states: f16 ran, but is not in the record")

    def test_a_device_without_record(self):
        self.write("amd", "gfx942 rope kernels::rope<float, 256, 64>")
        self.assert_violation("gfx942: there is no record of it", "host", "amd")

    def test_edited_table(self):
        self.table.write_text(self.table.read_text() + "\n")
        self.assert_violation("support.md is not what the records and the headers give")

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

    def runs(self):
        lines = self.table.read_text().splitlines()
        start = lines.index(next(line for line in lines if line.startswith("| column |")))
        return [line.strip("| ").split(" | ") for line in lines[start + 2:lines.index("", start)]]

    def launch_on_gfx1100(self):
        self.write("amd", "gfx1100 rope kernels::rope<float, 256, 32>", "gfx1100 paged_attention kernels::attention_decode"
                   "<attention_problem::paged<float, rocmforge::q4_0>, 64, 256, 32>")
        self.run_script("update", "amd")

    def test_when_and_where(self):
        self.launch_on_gfx1100()
        host, gfx1100 = self.runs()
        self.assertEqual(gfx1100[:4], ["gfx1100", "emulator", "name of gfx1100", "runtime 1"])
        self.assertRegex(gfx1100[4], r"^20\d\d-\d\d-\d\d$")
        self.assertEqual(gfx1100[6], "nothing")
        self.assertEqual(host[1:4], ["host", "name of host", "runtime 1"])

    def test_a_changed_kernel_loses_its_ticks(self):
        self.launch_on_gfx1100()
        self.write_header("rope.hpp", HEADERS["rope.hpp"] + "int changed;")
        self.write("host", *self.everything)
        self.assert_violation("support.md is not what the records and the headers give")
        self.assertEqual(self.run_script("update", "host")[0], 0)
        self.assertEqual(self.run_script("check", "host")[0], 0)
        self.assertIn("| `rope` | f32 | ✓ | ○ |", self.rows())
        self.assertIn("| `paged_attention`, cache q4_0 | f32 | – | ✓ |", self.rows())
        self.assertEqual([row[6] for row in self.runs()], ["nothing", "rope.hpp"])
        self.launch_on_gfx1100()
        self.assertIn("| `rope` | f32 | ✓ | ✓ |", self.rows())

    def test_the_table_alone(self):
        self.launch_on_gfx1100()
        self.write_header("rope.hpp", HEADERS["rope.hpp"] + "int changed;")
        self.assertEqual(self.run_script("table"), (0, ""))
        self.assertIn("| `rope` | f32 | ○ | ○ |", self.rows())

    def test_comments_change_nothing(self):
        self.write_header("rope.hpp", "// RoPE.\n" + HEADERS["rope.hpp"].replace("{}", "{\n}"))
        self.assertEqual(self.run_script("check", "host")[0], 0)

    def test_a_platform_does_not_depend_on_the_files_of_another(self):
        self.launch_on_gfx1100()
        self.write_header("platform/host.hpp", "int host = 2;")
        self.run_script("table")
        self.assertEqual([row[6] for row in self.runs()], ["rope.hpp, weights.hpp", "nothing"])
        self.write_header("platform/host.hpp", HEADERS["platform/host.hpp"])
        self.write_header("platform/all.hpp", HEADERS["platform/all.hpp"].replace("gpu = 1", "gpu = 2"))
        self.run_script("table")
        self.assertEqual([row[6] for row in self.runs()], ["nothing", "rope.hpp"])

    def test_results_without_stamp(self):
        (self.folder / "host" / support.STAMP).unlink()
        status, output = self.run_script("update", "host")
        self.assertEqual(status, 1)
        self.assertIn("sources.json is missing", output)

    def test_results_of_two_devices_of_one_kind(self):
        about = [f"device\tgfx942\t{where}\tMI300X\truntime 1" for where in ("card", "emulator")]
        self.write("amd", "gfx942 rope kernels::rope<float, 256, 64>", about=about)
        status, output = self.run_script("update", "amd")
        self.assertEqual(status, 1)
        self.assertIn("are of more than one gfx942: MI300X (card), MI300X (emulator)", output)

    def test_launches_on_nothing_that_is_known(self):
        self.write("amd", "gfx942 rope kernels::rope<float, 256, 64>", about=[])
        status, output = self.run_script("update", "amd")
        self.assertEqual(status, 1)
        self.assertIn("does not say which device that is", output)

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
