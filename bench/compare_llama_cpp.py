#!/usr/bin/env python3
"""Speed of the decoder beside llama.cpp's: same machine, same file, same threads, in turn.

    bench/compare_llama_cpp.py [--model FILE] [--threads 2] [--rounds 5] [--prefill 512] [--decode 128]

Installs PyPI's llama-cpp-python (compiled here, for this processor) into a virtual environment in the cache folder if it is
not there: about five minutes. Measured are the prefill, the decoding from an empty context, and the decoding that follows the
prefill. Each round runs both programs, one after the other, each in processes of its own that warm up first. Printed are
the medians, and the ratio of each round's pair. llama.cpp runs with its defaults (a cache of halves, activations rounded to 8
bits); ours too (a cache of floats, nothing rounded).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "rocmforge"

# Runs in the virtual environment. Calls llama.cpp's C functions, so that no Python stands between the steps.
PEER = r"""
import json, sys, time
import llama_cpp
model, threads, prefill, decode = sys.argv[1], *map(int, sys.argv[2:])
llm = llama_cpp.Llama(model_path=model, n_ctx=prefill + decode + 8, n_batch=prefill, n_ubatch=prefill, n_threads=threads,
                      n_threads_batch=threads, verbose=False)
context, vocabulary = llm.ctx, llm.n_vocab()
tokens = [(7919 * i + 13) % vocabulary for i in range(prefill)]
def feed(ids):
    array = (llama_cpp.llama_token * len(ids))(*ids)
    if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(ids))) != 0:
        sys.exit("llama_decode failed")
    llama_cpp.llama_get_logits(context)  # waits
def clear():
    if hasattr(llama_cpp, "llama_memory_clear"):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    else:
        llama_cpp.llama_kv_self_clear(context)
feed(tokens); feed([1]); clear()
start = time.perf_counter(); feed(tokens); middle = time.perf_counter()
for i in range(decode): feed([tokens[i % prefill]])
end = time.perf_counter()
print(json.dumps({"prefill": prefill / (middle - start), "decode": decode / (end - middle)}))
"""


def peer_python():
    """The Python of a virtual environment that has llama-cpp-python, made if need be."""
    if os.environ.get("ROCMFORGE_LLAMA_CPP_PYTHON"):
        return os.environ["ROCMFORGE_LLAMA_CPP_PYTHON"]
    environment = CACHE / "llama_cpp"
    python = environment / "bin" / "python3"
    marker = environment / "installed"
    if not marker.exists():
        print("installing llama-cpp-python (compiles; about five minutes)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "llama-cpp-python"], check=True,
                       env={**os.environ, "CMAKE_ARGS": "-DGGML_NATIVE=ON"}, stdout=sys.stderr)
        marker.touch()
    return str(python)


def last_json(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[0]} ended with status {result.returncode}: {result.stderr.strip()[-400:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=os.environ.get("ROCMFORGE_TEST_MODEL"), help="a GGUF file; the default model if absent")
    parser.add_argument("--decoder", default=str(ROOT / "examples/decoder/run"), help="our program, or the script that starts it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=128)
    options = parser.parse_args()
    if options.model is None:
        options.model = subprocess.run([str(ROOT / "scripts/fetch_model")], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    python = peer_python()

    def ours(prefill, decode):
        result = last_json([options.decoder, "--model", options.model, "--threads", str(options.threads), "--json",
                            "--bench", f"{prefill},{decode}"])
        return result["prefill_tokens_per_second"], result["decode_tokens_per_second"]

    def theirs(prefill, decode):
        result = last_json([python, "-c", PEER, options.model, str(options.threads), str(prefill), str(decode)])
        return result["prefill"], result["decode"]

    rates = {"prefill": [], "decode": [], f"decode after {options.prefill}": []}
    for number in range(options.rounds):
        long = [program(options.prefill, options.decode) for program in (ours, theirs)]
        short = [program(1, options.decode) for program in (ours, theirs)]
        for what, pair in zip(rates, ([p for p, _ in long], [d for _, d in short], [d for _, d in long])):
            rates[what].append(pair)
        print(f"round {number + 1} of {options.rounds}: " + ", ".join(
            f"{what} {pairs[-1][0]:.0f} and {pairs[-1][1]:.0f}" for what, pairs in rates.items()), file=sys.stderr)

    version = subprocess.run([python, "-c", "import llama_cpp; print(llama_cpp.__version__)"], stdout=subprocess.PIPE, text=True).stdout
    print(f"{pathlib.Path(options.model).name}, {options.threads} threads, {options.prefill} tokens of prefill, {options.decode} of decode, "
          f"median of {options.rounds}; llama-cpp-python {version.strip()}")
    print(f"{'tokens/s':18}{'rocmforge':>12}{'llama.cpp':>12}{'ratio':>8}{'lowest':>8}{'highest':>9}")
    for what, pairs in rates.items():
        ratios = [mine / other for mine, other in pairs]
        print(f"{what:18}{statistics.median(p[0] for p in pairs):12.1f}{statistics.median(p[1] for p in pairs):12.1f}"
              f"{statistics.median(ratios):8.2f}{min(ratios):8.2f}{max(ratios):9.2f}")


if __name__ == "__main__":
    main()
