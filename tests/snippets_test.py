#!/usr/bin/env python3
"""Compiles and runs the C++ of README.md and docs/: snippets_test.py FOLDER COMPILER... -- LINKED...

A block ```cpp is one of

- a whole program, which has a main: it is compiled, and has to end with status 0;
- a fragment, after a line `<!-- snippet: NAME -->` or `<!-- snippet: NAME PART -->`: it becomes the body of a function of
  `prelude` or `PART_prelude` in tests/snippets/NAME.hpp, which declares what the fragment uses. Every call at its outer
  level has to return success where it returns a status, and one of the prelude's outputs has to be written if it has any.
  Classes, templates and #include lines are moved in front of the function;
- an excerpt, after a line `<!-- excerpt: FILE -->`: its text is in that file, but for spaces.

Anything else is an error, and so are blocks with no language. The fragments of one prelude are one source; sources and
programs are left in FOLDER.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRELUDES = ROOT / "tests/snippets"
LANGUAGES = {"cpp", "cmake", "sh", "text", "json"}
FOLDER, COMPILER, LINKED = None, [], []  # set from the command line


class Block:
    """One ```cpp of a page."""

    def __init__(self, page, line, marker, text):
        self.where = f"{page}:{line}"
        self.page, self.line, self.text = page, line, text
        self.is_program = re.search(r"^int main\(", text, re.M) is not None
        kind, _, name = marker.partition(": ")
        self.name, _, part = name.partition(" ")
        self.prelude = f"{part}_prelude" if part else "prelude"
        if self.is_program:
            kind = "program"
        elif kind not in ("snippet", "excerpt"):
            raise ValueError(f"{self.where}: the block is no whole program, and there is no `<!-- snippet: NAME -->` before it")
        self.kind = kind


def blocks_of(page, text):
    """The C++ blocks of a page. Raises ValueError where a block cannot be told."""
    result, lines, at = [], text.splitlines(), 0
    while at < len(lines):
        fence = re.fullmatch(r"```(\S*)", lines[at])
        if not fence:
            at += 1
            continue
        if fence[1] not in LANGUAGES:
            raise ValueError(f"{page}:{at + 1}: the block's language is '{fence[1]}', expected one of {', '.join(sorted(LANGUAGES))}")
        end = lines.index("```", at + 1)
        if fence[1] == "cpp":
            marker = re.fullmatch(r"<!-- (.*) -->", lines[at - 1]) if at else None
            result.append(Block(page, at + 2, marker[1] if marker else "", "\n".join(lines[at + 1:end]) + "\n"))
        at = end + 1
    return result


def without_comments(text):
    """Comments become spaces; line numbers stay."""
    def replace(match):
        return match[0] if match[0][0] in "\"'" else re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|//[^\n]*|/\*.*?\*/', replace, text, flags=re.S)


def statements(text):
    """(line, statement) at the outer level of a fragment; an #include is a statement too."""
    text = without_comments(text)
    depth, begin, at = 0, 0, 0
    while at < len(text):
        if not text[begin:at].strip() and text[at] == "#":
            at = text.index("\n", at)
            yield text.count("\n", 0, begin) + 1, text[begin:at].strip()
            begin = at
        elif text[at] in '"\'':
            at = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'').match(text, at).end() - 1
        elif text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
        block = text[at] == "}" and re.match(r"\s*(for|if|while)\b", text[begin:at])
        if depth == 0 and (text[at] == ";" or block):
            yield text.count("\n", 0, begin + len(text[begin:]) - len(text[begin:].lstrip())) + 1, text[begin:at + 1].strip()
            begin = at + 1
        at += 1
    if text[begin:].strip():
        raise ValueError(f"a statement does not end: {text[begin:].strip()[:40]}")


def source_of(name, blocks):
    """One source of all fragments with the same prelude."""
    includes, outside, bodies, calls = [], [], [], []
    for number, block in enumerate(blocks):
        body = []
        for line, statement in statements(block.text):
            here = f'#line {block.line + line - 1} "{block.page}"\n'
            if statement.startswith("#include"):
                includes.append(statement)
            elif re.match(r"(struct|class|template|using namespace)\b", statement):
                outside.append(here + statement)
            elif re.match(r"(?!for\b|if\b|while\b|return\b)[a-z_]\w*((::|\.)[a-z_]\w*)*(<[^;()]*>)?\(", statement):
                body.append(here + statement[:-1] + ", must_succeed{};")
            else:
                body.append(here + statement)
        bodies.append(f"struct fragment_{number} : {block.prelude} {{\nvoid run() {{\n" + "\n".join(body) + "\n}\n};\n")
        calls.append(f'  passed &= run<fragment_{number}>("{block.where}");\n')
    return "\n".join([*dict.fromkeys(includes), f'#include "{name}.hpp"', "using namespace rocmforge;", *outside, *bodies,
                      "int main() {\n  bool passed = true;\n" + "".join(calls) + "  return passed ? 0 : 1;\n}\n"])


def compile_and_run(name, source):
    """What is wrong with a program, or nothing."""
    path = FOLDER / f"{name}.cpp"
    path.write_text(source)
    flags = ["-std=c++20", "-O0", "-w", f"-I{ROOT}/include", f"-I{ROOT}/tests", f"-I{PRELUDES}", f"-I{FOLDER}"]
    # Two steps: a compiler cache keeps objects, not programs.
    for command in [[*COMPILER, *flags, "-c", str(path), "-o", f"{path}.o"],
                    [*COMPILER, f"{path}.o", "-o", str(FOLDER / name), *LINKED]]:
        built = subprocess.run(command, capture_output=True, text=True)
        if built.returncode:
            break
    if built.returncode:
        errors = [line for line in built.stderr.splitlines() if "error" in line]
        return f"{name}: does not compile\n" + "\n".join(errors[:20]) + f"\n{built.stderr[-4000:]}"
    place = FOLDER / f"{name}.files"
    place.mkdir(exist_ok=True)
    ran = subprocess.run([str(FOLDER / name)], capture_output=True, text=True, cwd=place, timeout=300)
    return f"{name}: status {ran.returncode}\n{ran.stdout}{ran.stderr}" if ran.returncode else ""


def pages():
    """All but the reference, whose declarations reference_test compares with the headers."""
    return [ROOT / "README.md", *sorted(set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs/reference.md"})]


class Pages(unittest.TestCase):

    def test_all(self):
        programs, fragments, wrong = {}, {}, []
        for page in pages():
            name = str(page.relative_to(ROOT))
            try:
                blocks = blocks_of(name, page.read_text())
            except ValueError as error:
                wrong.append(str(error))
                continue
            for block in blocks:
                if block.kind == "program":
                    programs[f"program_{re.sub('[^a-z0-9]', '_', block.where.lower())}"] = block.text
                elif block.kind == "snippet":
                    self.assertTrue((PRELUDES / f"{block.name}.hpp").exists(), f"{block.where}: no tests/snippets/{block.name}.hpp")
                    fragments.setdefault(block.name, []).append(block)
                elif "".join(block.text.split()) not in "".join((ROOT / block.name).read_text().split()):
                    wrong.append(f"{block.where}: the text is not in {block.name}")
        self.assertGreater(len(programs), 0)
        self.assertGreater(len(fragments), 5)
        programs.update({f"fragments_{name}": source_of(name, blocks) for name, blocks in fragments.items()})
        jobs = int(os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or os.cpu_count() or 1)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            wrong += [message for message in pool.map(compile_and_run, programs, programs.values()) if message]
        self.assertFalse(wrong, "\n" + "\n".join(wrong))
        print(f"{sum(map(len, fragments.values()))} fragments in {len(fragments)} sources, {len(programs) - len(fragments)} programs")


class TheTestItself(unittest.TestCase):
    """Sees what it has to see."""

    def test_blocks_that_nothing_would_check(self):
        for text, message in [("```cpp\nadd(y, x);\n```\n", "no whole program"),
                              ("<!-- snippet: rows -->\n\n```cpp\nadd(y, x);\n```\n", "no whole program"),
                              ("```c++\nint main() {}\n```\n", "language"),
                              ("```\nint main() {}\n```\n", "language")]:
            with self.assertRaisesRegex(ValueError, message):
                blocks_of("page.md", text)

    def test_statements(self):
        text = "#include <a>\nint x = f(1);  // f(2);\ng(\"a;b\");\nfor (;;) { h(); }\nauto l = [&] { k(); };\nstruct s { int i; };\n"
        self.assertEqual(list(statements(text)), [
            (1, "#include <a>"), (2, "int x = f(1);"), (3, 'g("a;b");'), (4, "for (;;) { h(); }"),
            (5, "auto l = [&] { k(); };"), (6, "struct s { int i; };")])

    def test_faults_in_fragments(self):
        (FOLDER / "faulty.hpp").write_text("""
            #include "snippet.hpp"
            struct prelude : rocmforge::testing::snippet {
              rocmforge::tensor_view<float, 1> y = out<float>(4);
              rocmforge::status refuse() { return {rocmforge::status_code::unsupported, "refuse", "", "it is refused", {}}; }
              rocmforge::status nothing() { return {}; }
              rocmforge::status write() { y(0) = 1; return {}; }
            };
        """)
        for number, (text, message) in enumerate([("refuse();", "it is refused"), ("nothing();", "nothing was written"),
                                                  ("no_such_call();", "page.md:7"), ("write();", "")]):
            block = Block("page.md", 7, "snippet: faulty", text + "\n")
            found = compile_and_run(f"faulty_{number}", source_of("faulty", [block]))
            self.assertIn(message, found)
            self.assertEqual(bool(message), bool(found))

    def test_program_that_fails(self):
        self.assertIn("status 3", compile_and_run("faulty_program", "int main() { return 3; }\n"))


if __name__ == "__main__":
    split = sys.argv.index("--")
    FOLDER = pathlib.Path(sys.argv[1]).resolve()
    FOLDER.mkdir(parents=True, exist_ok=True)
    COMPILER, LINKED = sys.argv[2:split], sys.argv[split + 1:]
    unittest.main(argv=sys.argv[:1])
