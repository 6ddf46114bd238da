#!/usr/bin/env python3
"""Checks the scripts that find out what this machine is."""

import pathlib
import subprocess
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
