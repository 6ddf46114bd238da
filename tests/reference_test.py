#!/usr/bin/env python3
"""Checks that docs/reference.md is what the headers give, and that scripts/reference reads them right."""

import collections
import importlib.machinery
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts/reference"


def import_script():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("reference", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", loader))
    loader.exec_module(module)
    return module


reference = import_script()

HEADER = """\
// Norms. Of rows.
#pragma once
#include "rocmforge/status.hpp"
#define ROCMFORGE_TWO(a) \\
  struct a {};

namespace rocmforge {
namespace kernels {
/// Hidden.
struct hidden_kernel { int x = '}'; };  // }
}  // namespace kernels

/// Options of `norm`.
struct norm_options {
  float epsilon = 1e-5f;  // 0 or more
  int list[2] = {1, 2};
};
ROCMFORGE_PLATFORM_NAMESPACE_BEGIN

/// Which. Not read.
enum class kind { one, two };

/// Divides rows, e.g. by 2. More about it.
///
/// @param y        [rows, dim]  output
/// @param options  see
///                 norm_options
/// @return invalid_shape if "{" the extents
///         disagree
///
/// Source: a paper.
template <class T, int N = 4>
[[nodiscard]] inline status norm(tensor_view<T, 2> y, identity_t<tensor_view<const T, 2>> x,
                                 const norm_options& options = {}, stream_ref stream = {}) {
  return {"}"};
}
/// The same of nothing.
[[nodiscard]] status norm();

/// Owns memory.
class owner {
 public:
  /// Makes it. Throws `error` if there is none.
  explicit owner(int size) : size_(size), list_{1, 2} {}
  owner(owner&& other) noexcept;
  ~owner() { release(); }
  owner& operator=(owner&&) = default;
  [[nodiscard]] int size() const { return size_; }

 private:
  /// Hidden.
  void release();
  int size_ = 0;
};

/// Bytes.
inline constexpr std::size_t limit = std::size_t{1} << 29;

ROCMFORGE_PLATFORM_NAMESPACE_END
}  // namespace rocmforge
"""

PAGE = """\
## norm.hpp

[include/rocmforge/norm.hpp](../include/rocmforge/norm.hpp)

### norm_options

Options of `norm`.

```cpp
float epsilon = 1e-5f;  // 0 or more
int list[2] = {1, 2};
```

### kind

Which.

```cpp
enum class kind { one, two };
```

### norm

```cpp
template <class T, int N = 4>
status norm(tensor_view<T, 2> y, tensor_view<const T, 2> x, const norm_options& options = {},
    stream_ref stream = {})
```

Divides rows, e.g. by 2.

- `y` [rows, dim] output
- `options` see norm_options
- Refuses with: invalid_shape if "{" the extents disagree

```cpp
status norm()
```

The same of nothing.

### owner

Owns memory.

- `owner(int size)`: Makes it. Throws: `error` if there is none.
- `int size() const`

### limit

```cpp
std::size_t limit = std::size_t{1} << 29
```

Bytes.
"""


class Page(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "norm.hpp").write_text(HEADER)

    def run_script(self, command):
        arguments = [sys.executable, SCRIPT, command, "--page", self.folder / "page.md", "--include", self.folder]
        result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout

    def test_of_a_header(self):
        page = reference.page(self.folder)
        self.assertIn("- [norm.hpp](#normhpp): Norms.\n", page)
        self.assertEqual(page[page.index("## norm.hpp"):], PAGE)

    def test_check_sees_a_changed_comment(self):
        self.assertEqual(self.run_script("check")[0], 1)
        self.assertEqual(self.run_script("update"), (0, ""))
        self.assertEqual(self.run_script("check"), (0, ""))
        (self.folder / "norm.hpp").write_text(HEADER.replace("[rows, dim]", "[rows, 2]"))
        status, output = self.run_script("check")
        self.assertEqual(status, 1)
        self.assertIn("'scripts/reference update' writes it", output)

    def test_a_name_that_a_part_lacks(self):
        with self.assertRaises(SystemExit):
            reference.header_lines(self.folder, "norm.hpp", ["norm", "unheard_of"])


class Committed(unittest.TestCase):

    def test_is_what_the_headers_give(self):
        result = subprocess.run([sys.executable, SCRIPT, "check"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_every_launcher_is_there_with_shapes_and_refusals(self):
        page = (ROOT / "docs/reference.md").read_text()
        sections = collections.defaultdict(str)
        for title, body in re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL):
            sections[title] += body
        launchers = {name for path in (ROOT / "include/rocmforge").glob("*.hpp")
                     for name in re.findall(r"\[\[nodiscard\]\] status (\w+)\(", path.read_text())}
        self.assertGreater(len(launchers), 30)
        for name in sorted(launchers):
            self.assertRegex(sections[name], r"(?m)^- `\w+(, \w+)*` \[", name)
            self.assertRegex(sections[name], r"(?m)^- (Refuses with|Returns): ", name)

    def test_every_weight_format_is_there(self):
        formats = re.findall(r"f\(([a-z]\w+)\{\}\)", (ROOT / "include/rocmforge/quant.hpp").read_text())
        self.assertGreater(len(formats), 20)
        page = (ROOT / "docs/reference.md").read_text()
        for name in formats:
            self.assertTrue(f"\n### {name}\n" in page, name)


if __name__ == "__main__":
    unittest.main()
