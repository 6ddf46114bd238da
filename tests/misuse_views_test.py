#!/usr/bin/env python3
"""Compiles calls with views of the wrong type, and looks whether an error says what is wrong.

    misuse_views_test.py COMPILER FLAGS...

Each case is a call that compiles with `right` in it, and with `wrong` instead does not. A view of another element type than the call's is
one error; a vendor's half or a constant output in a kernel is more than one.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILER = [sys.argv.pop(1) for _ in range(len(sys.argv) - 1)]

HEADERS = """#pragma once
#include <rocmforge/rocmforge.hpp>
#include <rocmforge/platform/view_of.hpp>
"""

PROGRAM = """
#include "headers.hpp"
using namespace rocmforge;
struct foreign_half { unsigned short bits[1]; };
void call() {
  tensor_view<float, 1> f1; tensor_view<float, 2> f2; tensor_view<float, 3> f3; tensor_view<float, 4> f4;
  tensor_view<const float, 2> c2; tensor_view<const float, 4> c4;
  tensor_view<f16, 1> h1; tensor_view<f16, 2> h2; tensor_view<f16, 3> h3; tensor_view<f16, 4> h4;
  tensor_view<int, 1> i1; tensor_view<foreign_half, 2> o2; foreign_half* o; float* f;
  const device_buffer<float> constant(1); device_buffer<float> variable(1);
  static_cast<void>(CALL);
}
"""

# name: (call, right, wrong, the error)
CASES = {
    "norm of another type": ("rms_norm(f2, @, f1)", "c2", "h2", "rms_norm: x must have the element type of y"),
    "norm's weight": ("rms_norm(f2, f2, @)", "f1", "h1", "rms_norm: weight must have the element type of y"),
    "sum of another type": ("add_rms_norm(f2, @, c2, c2, f1)", "f2", "h2", "add_rms_norm: sum must have the element type of y"),
    "constant output": ("softmax(@, f2)", "f2", "c2", "this view is an output: its elements must not be const"),
    "softmax": ("softmax(f2, @)", "c2", "h2", "softmax: x must have the element type of y"),
    "activation": ("swiglu(f2, f2, @)", "c2", "h2", "swiglu: up must have the element type of y"),
    "queries": ("attention(f4, @, f4, f4)", "c4", "h4", "attention: q must have the element type of out"),
    "values": ("attention(f4, f4, f4, @)", "c4", "h4", "attention: v must have the element type of k"),
    "values of a page": ("paged_attention(f3, f3, f4, @, {})", "c4", "h4",
                         "paged_attention: v_pages must have the element type of k_pages"),
    "rotation": ("rope(f3, @, i1, {.layout = rope_layout::interleaved})", "f3", "h3", "rope: x must have the element type of y"),
    "rotation without a layout": ("rope(f3, f3, i1, rope_options{@.theta = 1})", ".layout = rope_layout::interleaved, ", "",
                                  "required_rope_layout"),
    "appended values": ("kv_append(f4, f4, f3, @, i1)", "f3", "h3", "kv_append: v must have the element type of k"),
    "cache of integers": ("kv_append(@, f4, f3, f3, i1)", "f4", "(tensor_view<int, 4>{})",
                          "kv_append: a cache is of float, half, bfloat16, q8_0 or q4_0"),
    "linear": ("linear(f2, @, f2)", "h2", "o2", "linear: x must be of float, half or bfloat16"),
    "look-up": ("embedding<float>(f2, @, i1)", "c2", "h2", "embedding: table must have the element type that the call names"),
    "another library's half everywhere": ("softmax(@)", "f2, f2", "o2, o2", "make it a view of rocmforge's with view_of"),
    "view_of an unknown type": ("view_of(@, 1)", "f", "o", "view_of: elements are float, half, bfloat16, or"),
    "output in a constant buffer": ("relu(@.view(1, 1), f2)", "variable", "constant",
                                    "this view is an output: its elements must not be const"),
    "block of 100": ("(relu<float, @>(f2, f2))", "96", "100", "BlockSize must be a multiple of 32, and at most 1024"),
    "block of 2048": ("(relu<float, @>(f2, f2))", "1024", "2048", "BlockSize must be a multiple of 32, and at most 1024"),
}


def run_compiler(folder, *arguments):
    command = [*COMPILER, "-std=c++20", "-I", ROOT / "include", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def compile_call(folder, call, *arguments):
    pathlib.Path(folder, "program.cpp").write_text(PROGRAM.replace("CALL", call))
    return run_compiler(folder, "-fsyntax-only", *arguments, "program.cpp")


class Misuses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        pathlib.Path(cls.folder, "headers.hpp").write_text(HEADERS)
        cls.flags = []
        if "hip" in COMPILER:
            return  # clang finds its own headers for HIP contradictory where they are precompiled
        # The headers are most of the work, and the same for all.
        status, messages = run_compiler(cls.folder, "-x", "c++-header", "headers.hpp", "-o", "headers.hpp.gch")
        if status != 0:
            raise AssertionError(f"the headers cannot be precompiled:\n{messages[:4000]}")
        cls.flags = ["-include", "headers.hpp"]

    def check(self, call, right, wrong, sentence):
        status, messages = compile_call(self.folder, call.replace("@", wrong), *self.flags)
        self.assertNotEqual(status, 0, f"the misuse compiles: {call}, {wrong}")
        errors = [line for line in messages.splitlines() if re.search(r"\berror: ", line)]
        self.assertTrue(any(sentence in line for line in errors), messages[:4000])
        if "must have the element type" in sentence:  # nothing follows from it
            self.assertEqual(len(errors), 1, messages[:4000])

    def test_right_calls_compile(self):
        calls = ", ".join(call.replace("@", right) for call, right, _, _ in CASES.values())
        status, messages = compile_call(self.folder, f"({calls})")
        self.assertEqual(status, 0, messages[:4000])


def add_test(name, case):
    setattr(Misuses, "test_" + re.sub(r"\W", "_", name), lambda self: self.check(*case))


for case_name, a_case in CASES.items():
    add_test(case_name, a_case)

if __name__ == "__main__":
    unittest.main()
