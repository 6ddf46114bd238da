#!/usr/bin/env python3
"""Injects faults into the kernels, one at a time, and expects examples/verify to see each of them.

mutation_test.py PROGRAM BUILD_FOLDER OBJECTS... [--only REGEX] [--jobs N] [--table FILE]

PROGRAM is verify_emulated as it was built, which must pass. With MUTATION_SUBSET=N in the environment N faults of all families are
taken in turn. For each fault of mutations.py the headers are copied, the fault is
put in, the one source that is to see it is compiled as the build compiled it, linked with OBJECTS (what no fault concerns), and
run on all devices of the host: the serial one and the emulated waves of 32 and 64. It must end with status 1, or crash. Text that is not
where the fault expects it, or a fault that does not compile, is an error of this test and not a catch.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from mutations import MUTATIONS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = ROOT / "include"
RUN_SECONDS = 300  # a fault may make a kernel endless
BASELINE_SECONDS = 900  # without one, every case runs, beside the first faults


class SuiteError(Exception):
    """The suite itself is wrong, not the library."""


def compile_command(build, family):
    """Arguments that compile verify_FAMILY.cpp for the emulated devices, as the build does."""
    source = str(ROOT / "examples" / "verify" / f"verify_{family}.cpp")
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] == source and "verify_emulated.dir" in entry["command"]:
            arguments = shlex.split(entry["command"])
            # A fault may leave a parameter unused.
            return [a for a in arguments if a not in ("-Werror", "-Wall", "-Wextra", "-Wshadow")], entry["directory"]
    raise SuiteError(f"{build}/compile_commands.json does not compile {source} for the emulated devices")


def mutated_include(mutation, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(INCLUDE, folder)
    header = folder / "rocmforge" / mutation.file
    text = header.read_text()
    if text.count(mutation.old) != 1:
        raise SuiteError(f"{mutation.name}: expected its text once in {mutation.file}, found it {text.count(mutation.old)} times")
    header.write_text(text.replace(mutation.old, mutation.new))


def build_mutant(mutation, build, objects, folder):
    """The path of a verify with the fault in it and only the family that is to see it."""
    mutated_include(mutation, folder / "include")
    arguments, directory = compile_command(build, mutation.family)
    compiler = arguments[0]
    arguments = [a.replace(str(INCLUDE), str(folder / "include")) if a.startswith("-I") else a for a in arguments]
    arguments[arguments.index("-o") + 1] = str(folder / "family.o")
    launcher = [shutil.which("ccache")] if shutil.which("ccache") else []
    made = subprocess.run(launcher + arguments, cwd=directory, capture_output=True, text=True,
                          env={**os.environ, "CCACHE_SLOPPINESS": "pch_defines,time_macros"})
    if made.returncode != 0:
        raise SuiteError(f"{mutation.name}: does not compile:\n{made.stderr[:2000]}")
    program = folder / "verify"
    link = [compiler, "-fopenmp", str(folder / "family.o"), *objects, "-o", str(program), "-lboost_context", "-lfmt"]
    made = subprocess.run(link, cwd=directory, capture_output=True, text=True)
    if made.returncode != 0:
        raise SuiteError(f"{mutation.name}: does not link:\n{made.stderr[:2000]}")
    return program


def run_verify(program, report, *arguments, seconds=RUN_SECONDS):
    """(status, devices that failed, the first case that did)"""
    report.unlink(missing_ok=True)
    try:
        status = subprocess.run([str(program), "--quick", "--device", "all", "--json", str(report), *arguments], capture_output=True,
                                timeout=seconds, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode
    except subprocess.TimeoutExpired:
        return "timeout", [], ""
    devices, first = [], ""
    if report.exists():
        for device in json.loads(report.read_text())["devices"]:
            failures = [f for op in device["ops"] for f in op.get("failures", [])]
            if failures:
                devices.append("serial" if device["wave_size"] == 1 else f"wave {device['wave_size']}")
                first = first or failures[0]["case"]
    return status, devices, first


def try_mutation(mutation, build, objects):
    folder = build / "mutation" / re.sub(r"\W+", "_", mutation.name)
    program = build_mutant(mutation, build, objects, folder)
    result = run_verify(program, folder / "report.json", "--fail-fast")
    shutil.rmtree(folder)
    return result


def subset(mutations, size):
    """The first of every family, then the second of every family, and so on, up to `size`; in the order of the list."""
    def turn(mutation):
        return [m for m in mutations if m.family == mutation.family].index(mutation)
    taken = sorted(mutations, key=turn)[:size]
    return [m for m in mutations if m in taken]


def markdown(rows):
    lines = ["| fault | file | family | seen on | first case that saw it | design.md, section 8 |", "|---|---|---|---|---|---|"]
    lines += [f"| {m.name} | {m.file} | {m.family} | {', '.join(devices)} | `{case}` | {m.design} |" for m, devices, case in rows]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("objects", nargs="*")
    parser.add_argument("--only", default="", help="faults whose family or name matches")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", os.cpu_count() or 1)))
    parser.add_argument("--table", type=pathlib.Path, help="where to write what was found, as Markdown")
    options = parser.parse_args()
    started = time.monotonic()

    if len({m.name for m in MUTATIONS}) != len(MUTATIONS):
        sys.exit("mutation_test: two faults have one name")

    chosen = subset([m for m in MUTATIONS if re.search(options.only, f"{m.family}/{m.name}")],
                    int(os.environ.get("MUTATION_SUBSET", len(MUTATIONS))))
    rows, survivors, errors = [], [], []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        baseline = pool.submit(run_verify, options.program, options.build / "mutation_baseline.json", seconds=BASELINE_SECONDS)
        for mutation, future in [(m, pool.submit(try_mutation, m, options.build, options.objects)) for m in chosen]:
            try:
                status, devices, first = future.result()
            except SuiteError as fault:
                errors.append(str(fault))
                print(f"ERROR    {mutation.family:16} {fault}", flush=True)
                continue
            if isinstance(status, int) and status < 0:
                devices = [f"all, by signal {-status}"]
            if devices:
                rows.append((mutation, devices, first))
                print(f"caught   {mutation.family:16} {mutation.name}: {first} ({', '.join(devices)})", flush=True)
            else:
                survivors.append(mutation.name)
                print(f"SURVIVED {mutation.family:16} {mutation.name}: status {status}", flush=True)
        status, devices, first = baseline.result()
        if status != 0:
            errors.append("verify fails without a fault")
            print(f"ERROR    without a fault verify ends with status {status}: {first} ({', '.join(devices)})")
    print(f"caught {len(rows)} of {len(chosen)}, {len(errors)} errors, {time.monotonic() - started:.0f} s")
    if options.table and not survivors and not errors:
        options.table.write_text(f"caught {len(rows)} of {len(chosen)}\n\n{markdown(rows)}")
    sys.exit(1 if survivors or errors else 0)


if __name__ == "__main__":
    main()
