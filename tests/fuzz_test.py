#!/usr/bin/env python3
"""Runs a libFuzzer target a fixed number of times from a fixed seed: fuzz_test.py RUNS RESULT PROGRAM

The line that says how many inputs were tried also goes into the file RESULT.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def main(runs, result, program):
    with tempfile.TemporaryDirectory() as folder:
        # No input that a file of 8 KiB can be may take 64 MiB in one piece, or 10 s.
        run = subprocess.run(
            [program, f"-runs={runs}", "-seed=1", "-max_len=8192", "-malloc_limit_mb=64", "-timeout=10",
             "-print_final_stats=1", f"-artifact_prefix={folder}/"], stderr=subprocess.PIPE, text=True, errors="replace", cwd=folder)
        inputs = [path.read_bytes() for path in pathlib.Path(folder).iterdir() if path.is_file()]
    executions = re.search(r"number_of_executed_units: (\d+)", run.stderr)
    count = int(executions[1]) if executions else 0
    line = f"{pathlib.Path(program).name}: {count} executions, {len(inputs)} findings"
    print(line)
    pathlib.Path(result).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(result).write_text(line + "\n")
    if run.returncode != 0 or inputs or count < runs:
        print(run.stderr[-20000:])
        for data in inputs:
            print(f"input: {data.hex()}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
