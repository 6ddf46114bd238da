// libFuzzer target: a chat template, parsed and rendered over a small conversation, under limits
// that are small so that it is fast. What follows a zero byte is what the user says.
#include <rocmforge/text/jinja.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace rocmforge::jinja {
namespace {

value message(const char* role, const std::string& content) {
  mapping items;
  items.set("role", value(marked_text(role, true)));
  items.set("content", value(marked_text(content, true)));
  return items;
}

mapping conversation(const std::string& said) {
  sequence messages;
  messages.items = {message("system", "Be brief."), message("user", said),
                    message("assistant", "<think>\nhm\n</think>\n\nH\xc3\xa4llo"),
                    message("user", "a b,c")};
  mapping tool;
  tool.set("name", "weather");
  tool.set("days", 3);
  tool.set("share", 0.5);
  tool.set("parameters", sequence{{value("x"), value(none{}), value(true)}});
  mapping context;
  context.set("messages", messages);
  context.set("tools", sequence{{value(tool)}});
  context.set("bos_token", "<s>");
  context.set("add_generation_prompt", true);
  return context;
}

[[noreturn]] void fail_run(const char* what, const std::string& text) {
  std::fputs((std::string(what) + ": " + text + "\n").c_str(), stderr);
  std::abort();
}

void exercise(std::string_view input) {
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string said(input.substr(std::min(end + 1, input.size())));
  render_options options;
  options.limit.steps = 20'000;
  options.limit.value_bytes = std::size_t{1} << 20;
  options.limit.output_bytes = std::size_t{1} << 16;
  options.clock = [] { return std::tm{}; };
  std::string first;
  for (int turn = 0; turn < 2; ++turn) {  // rendering changes neither template nor conversation
    std::string result;
    try {
      const chat_template source(input.substr(0, end));
      for (const segment& part : source.render(conversation(said), options)) {
        if (part.text.empty()) fail_run("an empty segment", result);
        result += (part.is_data ? "D" : "T") + part.text;
      }
    } catch (const error& what) {
      result = what.what();
      const bool is_line =
          std::all_of(result.begin(), result.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
      if (!result.starts_with("chat template: line ") || !is_line)
        fail_run("not one line with its place", result);
    }
    if (turn == 0) first = result;
    if (result != first) fail_run("two renderings differ", first + " / " + result);
  }
}

constexpr std::string_view seeds[] = {
    "{% for m in messages %}{{ bos_token + m.role ~ '\\n' + m['content']|trim }}{% endfor %}",
    "{% set ns = namespace(x=1) %}{% for m in messages[1:] if m.role != 'x' %}{% set ns.x = "
    "ns.x + loop.index %}{{ loop.cycle(1, 2) }}{% else %}e{% endfor %}{{ ns.x }}",
    "{% macro f(a, b=2) %}{{ a }}{{ b }}{{ f(a - 1) if a > 0 }}{% endmacro %}{{ f(3, b=4) }}",
    "{{ tools|tojson(indent=2) }}{{ tools[0].items()|list }}{{ '%s|%d%%'|format(1.5, 9) }}"
    "{{ '{}{0}{n}{{}}'.format('ab', n=1) }}",
    "{% if messages[0].role == 'system' and not tools %}a{% elif x is defined %}b{% else %}c{% "
    "endif %}{# c #}",
    "{% set l = [3, 1, 2] %}{% set _ = l.append(4) %}{{ l|sort(reverse=true)|join(',') }}{{ "
    "l[::-1] }}{{ l|map('string')|select('in', ['1'])|list }}",
    "{{ 2 ** 10 // 3 % 7 - -1 * 1.5 / 2 }}{{ 1 < 2 < 3 and 'a' in 'abc' or none }}{{ (1, 2) + (3,) "
    "}}",
    "{{ messages[2].content.split('</think>')[-1].lstrip('\\n')|replace('l', 'LL')|upper }}",
    "{% set x %}a{% endset %}{% filter upper|trim %}{{ x }}{% endfilter %}"
    "{% generation %}g{% endgeneration %}",
    "{{ messages|map(attribute='content')|join }}{{ "
    "messages|selectattr('role', 'eq', 'user')|list|length }}"};

constexpr std::string_view pieces[] = {"{{ ",
                                       " }}",
                                       "{% ",
                                       " %}",
                                       "{%- ",
                                       " -%}",
                                       "{% if x %}",
                                       "{% endif %}",
                                       "{% else %}",
                                       "{% for i in range(9) %}",
                                       "{% endfor %}",
                                       "{% break %}",
                                       "{% continue %}",
                                       "{% set x = ",
                                       "{% set ns.x = ",
                                       "{% macro f(a) %}",
                                       "{% endmacro %}",
                                       "{% set x %}",
                                       "{% endset %}",
                                       "{% filter upper %}",
                                       "{% endfilter %}",
                                       "{# ",
                                       " #}",
                                       "messages",
                                       "tools",
                                       "loop",
                                       "loop.index",
                                       "namespace()",
                                       "range(99999)",
                                       "dict(a=1)",
                                       "x",
                                       "ns",
                                       "f(1)",
                                       "[1, 2]",
                                       "{'a': 1}",
                                       "(1, 2)",
                                       "'a'",
                                       "\"\\u00e9\"",
                                       "'%s'",
                                       "'{}'",
                                       "1",
                                       "-1",
                                       "0",
                                       "9999999999",
                                       "1.5",
                                       "1e308",
                                       "none",
                                       "true",
                                       " + ",
                                       " - ",
                                       " * ",
                                       " / ",
                                       " // ",
                                       " % ",
                                       " ** ",
                                       " ~ ",
                                       " == ",
                                       " < ",
                                       " in ",
                                       " not in ",
                                       " and ",
                                       " or ",
                                       "not ",
                                       " if ",
                                       " else ",
                                       " is ",
                                       "(",
                                       ")",
                                       "[",
                                       "]",
                                       "{",
                                       "}",
                                       ".",
                                       ",",
                                       ":",
                                       "[::-1]",
                                       "[1:]",
                                       "[-1]",
                                       ".append(x)",
                                       ".items()",
                                       ".split()",
                                       ".strip('a')",
                                       ".replace('a', 'aa')",
                                       ".format(x)",
                                       ".join(x)",
                                       ".update(x)",
                                       ".pop()",
                                       ".upper()",
                                       ".find('a')",
                                       ".splitlines()",
                                       ".startswith('a')",
                                       ".insert(0, x)",
                                       "|tojson",
                                       "|tojson(indent=2)",
                                       "|list",
                                       "|join(',')",
                                       "|length",
                                       "|map('upper')",
                                       "|sort",
                                       "|select",
                                       "|first",
                                       "|last",
                                       "|reverse",
                                       "|unique",
                                       "|indent(2)",
                                       "|int",
                                       "|float",
                                       "|abs",
                                       "|sum",
                                       "|max",
                                       "|min",
                                       "|format(x)",
                                       "|replace('a', 'b')",
                                       "|default('d', true)",
                                       "|title",
                                       "|capitalize",
                                       "|dictsort",
                                       "|items",
                                       "|string",
                                       "is defined",
                                       "is odd",
                                       "is divisibleby 2",
                                       "is mapping",
                                       "is in x",
                                       "* 9999"};

}  // namespace
}  // namespace rocmforge::jinja

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// A seed, a piece of the language put somewhere, or one of libFuzzer's own changes.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  using namespace rocmforge::jinja;
  std::mt19937 random(seed);
  if (size < 8 || random() % 64 == 0) {
    const std::string_view chosen = seeds[random() % std::size(seeds)];
    size = std::min(chosen.size(), max_size);
    std::memcpy(data, chosen.data(), size);
  }
  if (random() % 3 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string text(reinterpret_cast<const char*>(data), size);
  for (unsigned int i = 0; i <= random() % 3; ++i) {
    const std::size_t at = random() % (text.size() + 1);
    const std::size_t cut =
        std::min<std::size_t>(text.size() - at, random() % 2 == 0 ? 0 : random() % 12);
    text.replace(at, cut, pieces[random() % std::size(pieces)]);
  }
  size = std::min(text.size(), max_size);
  std::memcpy(data, text.data(), size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocmforge::jinja::exercise(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
