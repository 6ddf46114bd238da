#!/usr/bin/env python3
"""Tests examples/verify from outside: verify_test.py PATH_OF_VERIFY [unittest options]"""

import json
import subprocess
import sys
import tempfile
import unittest

VERIFY = None  # set from the command line


def run(*arguments):
    return subprocess.run([VERIFY, *arguments], capture_output=True, text=True, timeout=300)


class Usage(unittest.TestCase):

    def refused(self, *arguments):
        result = run(*arguments)
        self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
        self.assertRegex(result.stderr, r"\Averify: [^\n]+\n\Z")
        return result.stderr

    def test_bad_usage_is_one_line_and_status_2(self):
        self.refused("--bogus")
        self.refused("--filter", "[")
        self.assertIn("no case matches", self.refused("--quick", "--filter", "no such op"))
        self.assertRegex(self.refused("--device", "7"), "expected a number from 0 to [0-9] or all")
        self.refused("--device", "-1")

    def test_help_version_and_devices(self):
        for option, part in (("--help", "--quick"), ("--version", "rocmforge "), ("--list-devices", "0  host processor")):
            result = run(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(part, result.stdout)

    def test_a_report_that_cannot_be_written(self):
        result = run("--quick", "--filter", "kv_append", "--json", "/no/such/folder/report")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.count("\n"), 1)


class Report(unittest.TestCase):

    def test_all_of_it_passes_on_the_host(self):
        result = run("--quick")
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        passed, total = result.stdout.splitlines()[-1].split(" cases passed")[0].split(" of ")
        self.assertEqual(passed, total)
        self.assertGreater(int(total), 300)

    def test_json_holds_what_the_table_shows(self):
        result = run("--quick", "--filter", "/(rms_norm|add_rms_norm|swiglu|add)/", "--json", "-")
        report = json.loads(result.stdout)
        self.assertTrue(report["passed"])
        self.assertEqual(report["platform"], "host")
        device, = report["devices"]
        self.assertEqual((device["number"], device["wave_size"], device["passed"]), (0, 1, True))
        self.assertEqual({op["op"] for op in device["ops"]}, {"rms_norm", "add_rms_norm", "swiglu", "add"})
        self.assertEqual({op["type"] for op in device["ops"]}, {"f32", "f16", "bf16"})
        for op in device["ops"]:
            self.assertEqual(op["cases"], op["passed"])
            self.assertTrue(op["deterministic"])
            self.assertGreater(op["slots_checked"], 0)
            self.assertLessEqual(op["mean_ulp"], op["max_ulp"])
            if op["type"] == "f16":
                self.assertLessEqual(op["max_ulp"], 0.6)

    def test_a_file_gets_the_same(self):
        with tempfile.NamedTemporaryFile() as file:
            result = run("--quick", "--filter", "sampling/argmax", "--json", file.name)
            self.assertIn("argmax", result.stdout)
            self.assertEqual(json.load(file)["devices"][0]["ops"][0]["op"], "argmax")

    def test_timing_stands_beside_the_ceilings(self):
        result = run("--filter", "swiglu/f32", "--json", "-")
        device, = json.loads(result.stdout)["devices"]
        self.assertGreater(device["copy_bytes_per_second"], 0)
        self.assertGreater(device["peak"]["flops"], 0)
        self.assertGreater(device["ops"][0]["speed"]["bytes_per_second"], 0)


if __name__ == "__main__":
    VERIFY = sys.argv.pop(1)
    unittest.main()
