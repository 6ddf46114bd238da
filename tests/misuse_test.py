#!/usr/bin/env python3
"""Compiles programs that misuse the headers, and looks whether the compiler says what is wrong, in so many errors.

    misuse_test.py PLATFORM COMPILER FLAGS...

Each case is a program that compiles, and a change of its text or of the flags after which it does not: then every line
of the compiler that has an error must match one of the expected messages, and each message must come once.
"""

import dataclasses
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLATFORM, *COMPILER = sys.argv.pop(1), *[sys.argv.pop(1) for _ in range(len(sys.argv) - 1)]
SYNTAX_ONLY = [] if PLATFORM == "nvidia" else ["-fsyntax-only"]
EVERYWHERE = ("host", "amd", "nvidia")
CPP20 = ("-std=c++20",)
STOPS = r"fatal error: .*rocmforge/see_the_error_above|could not open source file .*rocmforge/see_the_error_above"


@dataclasses.dataclass(frozen=True)
class Misuse:
    program: str  # compiles with `flags`
    errors: tuple  # one regular expression for each error of the misuse
    change: tuple = ("", "")  # a text that the program has once, and what stands there in the misuse
    flags: tuple = CPP20
    wrong_flags: tuple = CPP20
    platforms: tuple = EVERYWHERE


KERNEL = """
#include <rocmforge/dispatch.hpp>
using namespace rocmforge;
template <int BlockSize, int WaveSize>
struct functor {
  static constexpr int block_size = BlockSize;
  static constexpr int wave_size = WaveSize;
  struct shared_storage {};
  ROCMFORGE_DEVICE void operator()(block_context<BlockSize, WaveSize>, shared_storage&) const {}
};
status call() {
  return dispatch_wave_size<64>("op", {}, [](auto wave) {
    return launch("op", functor<wave, wave>{}, {}, {});
  });
}
"""


def kernel_without(text, message, instead=""):
    return Misuse(KERNEL, (re.escape(message),), (text, instead))


MISUSES = {
    "kernel without block_size": kernel_without(
        "static constexpr int block_size = BlockSize;", "launch: the kernel has no 'static constexpr int block_size'"),
    "kernel without wave_size": kernel_without(
        "static constexpr int wave_size = WaveSize;", "launch: the kernel has no 'static constexpr int wave_size'"),
    "kernel without shared_storage": Misuse(
        KERNEL.replace(", shared_storage&", ", auto&"),
        (r"launch: the kernel has no type 'shared_storage'; 'struct shared_storage \{\};' if it needs none",),
        ("struct shared_storage {};", "")),
    "kernel that is not const": kernel_without(
        ") const {}", "launch: the kernel has no 'void operator()(block_context<block_size, wave_size>, shared_storage&) const'",
        ") {}"),
    "kernel of half a wave": Misuse(
        KERNEL.replace("(block_context<BlockSize, WaveSize>", "(block_context<block_size, wave_size>"),
        (r"launch: a kernel's block_size is a multiple of its wave_size",),
        ("block_size = BlockSize;", "block_size = 3 * WaveSize / 2;")),
}
# On the serial host half a wave is a whole one.
MISUSES["kernel of half a wave"] = dataclasses.replace(MISUSES["kernel of half a wave"], platforms=("amd", "nvidia"))

PUBLIC_HEADERS = sorted(path.name for path in (ROOT / "include" / "rocmforge").glob("*.hpp"))
OWNS_MEMORY = {"memory.hpp", "rocmforge.hpp"}
HOST_ONLY = {"gguf.hpp", "tokenizer.hpp", "model.hpp"}
KERNEL_HEADERS = [h for h in PUBLIC_HEADERS if h not in OWNS_MEMORY | HOST_ONLY]


def including(headers):
    return "".join(f"#include <rocmforge/{header}>\n" for header in headers)


NO_EXCEPTIONS = (*CPP20, *(("-Xcompiler", "-fno-exceptions") if PLATFORM == "nvidia" else ("-fno-exceptions",)))
# The right program: all headers that only launch, without exceptions.
MISUSES["memory.hpp without exceptions"] = Misuse(
    including(KERNEL_HEADERS), (r"this header of rocmforge reports by exceptions", STOPS),
    ("<rocmforge/norm.hpp>", "<rocmforge/memory.hpp>"), NO_EXCEPTIONS, NO_EXCEPTIONS)
for macro in ("__HIP_PLATFORM_AMD__", "__HIP_PLATFORM_NVIDIA__", "__CUDA_RUNTIME_H__", "CUDART_VERSION"):
    MISUSES[f"{macro} in a plain C++ source"] = Misuse(
        including(["norm.hpp"]), (r"a source of a HIP or CUDA program is compiled for the processor alone", STOPS),
        flags=(*CPP20, f"-D{macro}=1", "-DROCMFORGE_PLATFORM_IS_HOST"), wrong_flags=(*CPP20, f"-D{macro}=1"),
        platforms=("host",))


def compile_source(source, flags):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "program.cpp")
        path.write_text(source)
        command = [*COMPILER, *flags, *SYNTAX_ONLY, "-I", ROOT / "include", "-c", path, "-o", path.with_suffix(".o")]
        done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def errors_of(messages):
    """The lines with an error, without those that a compiler counts or repeats for another pass or wave size."""
    lines = [line for line in messages.splitlines() if re.search(r"\berror: ", line) or "catastrophic error" in line]
    lines = [re.sub(r"functor<\d+, \d+>", "functor", line) for line in lines]
    return list(dict.fromkeys(lines))


class Misuses(unittest.TestCase):
    maxDiff = None

    def check(self, name, misuse):
        wrong = misuse.program
        if misuse.change != ("", ""):
            self.assertEqual(misuse.program.count(misuse.change[0]), 1, name)
            wrong = misuse.program.replace(*misuse.change)
        status, messages = compile_source(misuse.program, misuse.flags)
        self.assertEqual(status, 0, f"{name}: the right program does not compile:\n{messages}")
        self.check_errors(name, wrong, misuse.wrong_flags, misuse.errors)

    def check_errors(self, name, source, flags, expected):
        status, messages = compile_source(source, flags)
        self.assertNotEqual(status, 0, f"{name}: the misuse compiles")
        found = errors_of(messages)
        self.assertEqual([sum(re.search(e, line) is not None for line in found) for e in expected],
                         [1] * len(expected), f"{name}:\n{messages}")
        self.assertEqual(len(found), len(expected), f"{name}: more errors than expected:\n" + "\n".join(found))

    def test_every_header_stops_where_the_language_is_older(self):
        headers = [h for h in PUBLIC_HEADERS if PLATFORM == "host" or h not in HOST_ONLY]
        for header in [h for h in headers if h != "version.hpp"]:
            self.check_errors(header, including([header]), ("-std=c++17",), (r"rocmforge needs C\+\+20: -std=c\+\+20", STOPS))


def add_test(name, misuse):
    setattr(Misuses, "test_" + re.sub(r"\W", "_", name), lambda self: self.check(name, misuse))


for misuse_name, a_misuse in MISUSES.items():
    if PLATFORM in a_misuse.platforms:
        add_test(misuse_name, a_misuse)

if __name__ == "__main__":
    unittest.main()
