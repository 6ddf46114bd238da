#!/usr/bin/env python3
"""Sources of one program that are compiled for different processors share no function that runs on one of them only.

    instruction_sets_test.py COMPILER

instruction_sets.cpp is compiled for a processor with AVX-512 and OpenMP, and for one with neither. Both parts are linked,
the wide one first, so that of a function that both have the linker keeps the wide one. Then the part that runs must not
reach a wide register: it is disassembled and run.
"""

import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
COMPILER = sys.argv.pop(1)
WIDE = re.compile(r"%[yz]mm")
MEMBER_THAT_CROSSES = r"rocmforge::(half|bfloat16|status|tensor_view<[^()>]*>)::"
WIDE_NAMESPACE = "::host_avx512"


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def symbols(path, *options):
    """The demangled name by the mangled one."""
    mangled = [line.split()[-1] for line in run("nm", *options, path).splitlines() if len(line.split()) > 1]
    plain = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True, check=True)
    return dict(zip(mangled, plain.stdout.splitlines()))


def functions(path):
    """The instructions of each function by its mangled name."""
    result, name = {}, None
    for line in run("objdump", "-d", "--no-show-raw-insn", path).splitlines():
        if (header := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line)) is not None:
            name = header[1].split(".")[0]
        elif name is not None:
            result[name] = result.get(name, "") + line + "\n"
    return result


@unittest.skipUnless(platform.machine() == "x86_64", "this machine's processor is of another kind")
class InstructionSets(unittest.TestCase):

    def link(self, folder, optimization):
        def compile_part(name, *flags):
            path = pathlib.Path(folder, f"{name}{optimization}.o")
            run(COMPILER, "-std=c++20", optimization, *flags, "-I", HERE.parent / "include", "-c",
                HERE / "instruction_sets.cpp", "-o", path)
            return path
        wide = compile_part("wide", "-march=skylake-avx512", "-fopenmp")
        baseline = compile_part("baseline", "-march=x86-64", "-DRUNS")
        program = pathlib.Path(folder, "program" + optimization)
        run(COMPILER, wide, baseline, "-fopenmp", "-o", program)
        return wide, baseline, program

    def check(self, optimization):
        with tempfile.TemporaryDirectory() as folder:
            wide, baseline, program = self.link(folder, optimization)
            names, linked = symbols(baseline), functions(program)
            both = {name for name in symbols(wide, "--defined-only") if name in names}
            self.assertTrue(any(WIDE.search(text) for text in functions(wide).values()), "the wide part is not wide")
            self.assertEqual([plain for plain in names.values() if WIDE_NAMESPACE in plain], [])
            self.assertTrue([plain for plain in names.values() if "::host_baseline::" in plain])
            # All that the baseline part has or calls, as it is in the program.
            reached = [plain for name, plain in names.items() if WIDE.search(linked.get(name, ""))]
            self.assertEqual(reached, [], f"{len(both)} functions are in both parts")
            # Members of the types that cross have no copy to exchange.
            members = [plain for name, plain in names.items() if re.match(MEMBER_THAT_CROSSES, plain)]
            self.assertEqual(members, [])
            run(program)

    def test_optimized(self):
        self.check("-O2")

    def test_not_optimized(self):
        self.check("-O0")


if __name__ == "__main__":
    unittest.main()
