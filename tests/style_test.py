#!/usr/bin/env python3
"""Checks the rules that a compiler does not: only platform/ knows compilers and vendors, and words are spelled as the field greps for them."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include" / "rocmforge"

# Comments and literals, which the rules do not concern.
SKIPPED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)

GENERIC_CODE_HAS_NO = {
    "a preprocessor condition": re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif|else|endif)\b.*", re.MULTILINE),
    "a name of HIP or CUDA": re.compile(r"\b_*(?:hip|cuda)\w*", re.IGNORECASE),
    "a built-in variable of HIP or CUDA": re.compile(r"\b(?:threadIdx|blockIdx|blockDim|gridDim|warpSize)\b"),
    "a launch in triple brackets": re.compile(r"<<<"),
}

# What ROCm changed, deprecated or took away between 5.2 and 7.1: used nowhere, in platform/ neither.
CHANGED_IN_ROCM = {
    "warpSize, no constant since ROCm 7 (wave sizes are template parameters; the member of the device's properties is another)":
        re.compile(r"(?<![.>\w])(?<!->)warpSize\b"),
    "the compiler's wave size, gone with ROCm 7": re.compile(r"\b(?:__AMDGCN_WAVEFRONT_SIZE(?:__)?|WAVEFRONT_SIZE)\b"),
    "rocPRIM's warp_size, deprecated": re.compile(r"\brocprim::warp_size\b"),
    "gcnArch, gone from the device's properties since ROCm 6 (gcnArchName is there)":
        re.compile(r"\bgcnArch\b|\bhipDeviceAttribute(?:GcnArch(?:Name)?|Arch|Name|Uuid)\b"),
    "a versioned name of the device's properties, which the plain ones stand for":
        re.compile(r"\bhip(?:DeviceProp_t|GetDeviceProperties|ChooseDevice)R\d+\b"),
    "memoryType of a pointer's attributes, renamed to type in ROCm 6": re.compile(r"(?:\.|->)\s*memoryType\b"),
    "a texture reference, deprecated": re.compile(r"\btextureReference\b|\btexture\s*<"),
    "an error code or a node type that ROCm 7 lacks": re.compile(
        r"\bhip(?:ErrorDeInitialized|ErrorMemoryFree|ErrorTooManyPeers|ErrorDeviceAlreadyInUse|GraphNodeTypeMemcpy1D)\b"),
    "a context of HIP, deprecated": re.compile(r"\bhip(?:Ctx[A-Z]\w*|DevicePrimaryCtx\w*)\b"),
    "pinned memory by a deprecated name": re.compile(r"\bhip(?:MallocHost|MemAllocHost|HostAlloc|FreeHost)\b"),
}


def without_comments(text):
    """The text with comments and literals blanked out and the lines kept."""
    return SKIPPED.sub(lambda match: " " + "\n" * match[0].count("\n"), text)


def violations(path, text):
    """What is wrong with a header: a list of `path:line: sentence`. `path` is relative to include/rocmforge."""
    found = []
    if not without_comments(text).lstrip().startswith("#pragma once\n"):
        found.append(f"{path}:1: does not start with #pragma once")
    code = without_comments(text)
    generic = path.split("/")[0] != "platform"
    for what, pattern in {**CHANGED_IN_ROCM, **(GENERIC_CODE_HAS_NO if generic else {})}.items():
        for match in pattern.finditer(code):
            line = code.count("\n", 0, match.start() + len(match[0]) - len(match[0].lstrip())) + 1
            found.append(f"{path}:{line}: has {what}: {match[0].strip()}")
    return found


class Headers(unittest.TestCase):

    def test_follow_the_rules(self):
        headers = sorted(INCLUDE.rglob("*.hpp"))
        self.assertGreater(len(headers), 10)
        found = [v for h in headers for v in violations(str(h.relative_to(INCLUDE)), h.read_text())]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_are_all_named_hpp(self):
        self.assertEqual([p for p in INCLUDE.rglob("*") if p.is_file() and p.suffix != ".hpp"], [])


# American spelling, which is that of the field's own names: dequantize, normalize, initialize.
BRITISH = re.compile(
    r"(?:quanti|normali|initiali|synchroni|recogni|optimi|seriali|tokeni|vectori|parallell?i|memori|organi|minimi|maximi|summari|"
    r"speciali|generali|materiali)s(?:e[ds]?|er|ing|ation)(?![a-z])|(?:behavi|col|neighb|fav|hon)our|\bfibre|\bcentre|\bgrey\b|"
    r"(?:label|cancel|model|signal)l(?:ed|ing)\b", re.IGNORECASE)
SPELLED = (".hpp", ".cpp", ".hip", ".py", ".md", ".txt", ".cmake", "")
# Prompts, words and templates of others, which are compared letter by letter.
QUOTED = ("tests/data/", "tests/chat_test.cpp")


class Spelling(unittest.TestCase):

    def test_is_american(self):
        folders = ("include", "docs", "examples", "bench", "tests", "scripts", "cmake")
        files = [p for folder in folders for p in sorted((ROOT / folder).rglob("*")) if p.is_file() and p.suffix in SPELLED]
        files += sorted(ROOT.glob("*.md")) + [ROOT / "CMakeLists.txt"]
        found = []
        for path in files:
            name = str(path.relative_to(ROOT))
            if not name.startswith(QUOTED) and "__pycache__" not in name:
                found += [f"{name}:{i}: {match[0]}" for i, line in enumerate(path.read_text().splitlines(), 1)
                          for match in BRITISH.finditer(line)]
        self.assertGreater(len(files), 300)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_finds_what_it_is_for(self):
        for word in ("dequanti" + "se", "Normali" + "sation", "synchroni" + "sed_at", "neighb" + "ours", "col" + "our", "fib" + "res"):
            self.assertTrue(BRITISH.search(word), word)
        for word in ("dequantize", "precise", "otherwise", "four", "your", "fiber", "modeled", "tokenizer", "summaries"):
            self.assertFalse(BRITISH.search(word), word)


class Faults(unittest.TestCase):
    """mutation_test injects a part of the faults at a time; a fault whose text has changed must not wait until it is chosen."""

    def test_each_has_its_text_once(self):
        sys.path.insert(0, str(ROOT / "tests" / "mutation"))
        from mutations import MUTATIONS
        counts = {m.name: (INCLUDE / m.file).read_text().count(m.old) for m in MUTATIONS}
        self.assertEqual({name: count for name, count in counts.items() if count != 1}, {})


class Violations(unittest.TestCase):
    """The rules above find what they are for, and nothing else."""

    def found(self, code, path="norm.hpp", head="// About.\n#pragma once\n"):
        return violations(path, head + code)

    def test_conditions(self):
        for code in ("#if X\n#endif\n", "  # ifdef X\n#endif\n", "#ifndef X\n"):
            self.assertTrue(self.found(code), code)
        self.assertEqual(self.found("\n#if X\n"), ["norm.hpp:4: has a preprocessor condition: #if X"])

    def test_vendor_names(self):
        for code in ("hipMalloc(&p, 1);", "cudaStream_t s;", "#include <hip/hip_runtime.h>\n", "__hip_bfloat16 x;",
                     "#include <cuda_fp16.h>\n", "HIP_CHECK(x);", "int i = threadIdx.x;", "k<<<1, 2>>>(p);"):
            self.assertTrue(self.found(code), code)

    def test_platform_may(self):
        self.assertEqual(self.found("#if X\nhipMalloc(threadIdx.x);\n#endif\n", path="platform/amd.hpp"), [])

    def test_what_rocm_changed_is_nowhere(self):
        for code in ("int w = warpSize;", "f(-warpSize);", "static_assert(__AMDGCN_WAVEFRONT_SIZE == 64);",
                     "int w = __AMDGCN_WAVEFRONT_SIZE__;", "rocprim::warp_size();", "p.gcnArch;", "hipDeviceAttributeGcnArch;",
                     "hipDeviceProp_tR0600 p;", "a.memoryType;", "a->memoryType;", "texture<float, 2> t;", "hipErrorTooManyPeers;",
                     "hipCtxCreate(&c);", "hipMallocHost(&p, 1);", "hipHostAlloc(&p, 1, 0);"):
            self.assertTrue(self.found(code, path="platform/amd.hpp"), code)
        for code in ("int w = properties.warpSize;", "p->warpSize;", "p.gcnArchName;", "hipDeviceProp_t p;", "hipHostMalloc(&p, 1, 0);",
                     "int memoryType;", "int my_warpSize;", "hipHostFree(p);", "// warpSize"):
            self.assertEqual(self.found(code, path="platform/amd.hpp"), [], code)

    def test_comments_literals_and_longer_names_are_no_violation(self):
        code = "\n".join((
            "// hipMalloc, threadIdx, #if", "/* cuda\n#if X\n*/", 'auto s = "hip <<< \\" cuda";', "int chip, my_cuda, threadIdx_of;",
            "const int i = 1'000'000; // '", 'auto r = R"x(\n#if hip)x";', "char c = '\"'; // \" cuda"))
        self.assertEqual(self.found(code), [])

    def test_code_after_a_literal_is_seen(self):
        self.assertTrue(self.found("char c = '\"'; cudaFree(p);"))

    def test_pragma_once(self):
        for head in ("", "#include <vector>\n#pragma once\n", "// #pragma once\n"):
            self.assertTrue(self.found("int x;\n", head=head), head)
        self.assertEqual(self.found("int x;\n", head="/* a\n b */\n\n#pragma once\n"), [])


class TestsNamedInDocs(unittest.TestCase):
    """docs/gguf.md names a test for every rule of the format and for every published finding."""

    def test_exist(self):
        rows = re.findall(r"^\| ([RS][^|]*) \|.*\| ([^|]*) \|$", (ROOT / "docs" / "gguf.md").read_text(), re.MULTILINE)
        rules = {number for numbers, _ in rows for number in numbers.split(", ")}
        self.assertEqual({f"R{i}" for i in range(1, 21)} - rules, set())
        cases = {".".join(case) for path in (ROOT / "tests").glob("gguf*_test.cpp")
                 for case in re.findall(r"^TEST(?:_F)?\((\w+), (\w+)\)", path.read_text(), re.MULTILINE)}
        programs = {path.stem for path in (ROOT / "tests").glob("*_test.cpp")}
        for numbers, named in rows:
            found = re.findall(r"\bgguf_\w+\.\w+|\b\w+_test\b", named)
            self.assertTrue(found, f"{numbers} names no test")
            self.assertEqual(set(found) - cases - programs, set(), numbers)


if __name__ == "__main__":
    unittest.main()
