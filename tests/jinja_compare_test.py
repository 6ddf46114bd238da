#!/usr/bin/env python3
"""Renders the same templates with PyPI's jinja2 and with this library, and demands equal bytes: jinja_compare_test.py JINJA_RENDER

jinja2 is set up as transformers does: scripts/fetch_jinja says where it lies. Templates are snippets for each feature, and the
published ones that scripts/fetch_chat_templates and data/chat_templates.json have, each with many conversations. The time that
hostile templates take is measured here too, where the interpreter is optimized.
"""

import copy
import datetime
import functools
import json
import os
import pathlib
import resource
import subprocess
import sys
import unittest
import warnings

for variable, script in ("ROCMFORGE_JINJA_PACKAGE", "fetch_jinja"), ("ROCMFORGE_CHAT_TEMPLATES", "fetch_chat_templates"):
    if variable not in os.environ:
        sys.exit(f"{variable} is not set; it is what scripts/{script} prints")
sys.path.insert(0, os.environ["ROCMFORGE_JINJA_PACKAGE"])
import jinja2  # noqa: E402
import jinja2.ext  # noqa: E402
import jinja2.sandbox  # noqa: E402

warnings.filterwarnings("ignore")  # Python's own, about the code that jinja2 makes of a template

PROGRAM = None  # set from the command line


class Generation(jinja2.ext.Extension):
    """{% generation %}, which marks what the model itself wrote."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("write"), [], [], body).set_lineno(line)

    def write(self, caller):
        return caller()


def environment(kind):
    env = kind(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])

    def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.TemplateError(message)

    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = datetime.datetime(2024, 7, 1, 9, 5, 3).strftime  # jinja_render's clock
    return env


IMMUTABLE = environment(jinja2.sandbox.ImmutableSandboxedEnvironment)
MUTABLE = environment(jinja2.sandbox.SandboxedEnvironment)  # for `append` and its kin, which llama.cpp allows


@functools.lru_cache(maxsize=1)
def compiled(env, template):
    return env.from_string(template)


def expected(env, template, context):
    """The text, or None for an error."""
    try:
        return compiled(env, template).render(**copy.deepcopy(context))
    except Exception:  # jinja2 lets every error of Python through
        return None


def render(cases):
    lines = "".join(json.dumps({"template": template, "context": context}) + "\n" for template, context in cases)
    run = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(f"{PROGRAM} ended with {run.returncode}: {run.stderr[-2000:]}")
    return [json.loads(line) for line in run.stdout.splitlines()]


CONTEXT = {
    "a": 7, "b": -3, "x": 2.5, "z": 0, "t": True, "f": False, "n": None, "s": "Hello World", "e": "", "u": "äÖß 漢字 😀",
    "text": "  The quick\tbrown fox\n jumps over\n\nthe lazy dog.  ", "l": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"],
    "nested": [[1, 2], [3, [4, 5]]], "d": {"one": 1, "two": 2, "three": {"deep": [1, "x", None, True, 1.5]}},
    "people": [{"name": "Bo", "age": 30, "tags": ["x"]}, {"name": "al", "age": 25}, {"name": "Cy", "age": 30, "boss": {"name": "Bo"}}],
    "quotes": "it's \"quoted\" \\ back\nslash", "html": "<b>bold</b> & <i>it</i>", "bos_token": "<s>", "eos_token": "</s>",
    "message": {"role": "user", "content": "  Hi  ", "items": [1]}, "big": 9007199254740993, "empty": [], "none_dict": {},
}

# Each line is a template; where a line holds several expressions they are joined by " ; ".
EXPRESSIONS = r"""
a + b ; a - b ; a * b ; a / b ; a // b ; a % b ; a ** 2 ; a ** b ; 2 ** 10 ; 2 ** -1 ; -a ** 2 ; -7 // 2 ; -7 % 3 ; 7 % -3 ; 7 // -3
x * 2 ; x + a ; x // 2 ; x % 2 ; -x // 2 ; -x % 2 ; x ** 2 ; 1 / 3 ; 1e3 ; 1.5e-7 ; 1e16 ; 123456789.123 ; 1e100 ; 0.1 + 0.2 ; 3.0
t + t ; t * 3 ; f / 1 ; t == 1 ; t is sameas 1 ; 1 == 1.0 ; 0 == false ; "1" == 1 ; none == none ; [] == [] ; {} == {} ; (1,) == [1]
"a" ~ 1 ~ none ~ true ~ 1.5 ~ [1, "x"] ~ {"k": "v"} ; "a" "b" 'c' ; "ab" * 3 ; 2 * "xy" ; [1] * 3 ; [1] + [2] ; (1, 2) + (3,) ; "x" * -1
1 < 2 < 3 ; 1 < 3 < 2 ; 3 > 2 >= 2 ; 1 != 2 ; "a" < "b" ; [1, 2] < [1, 3] ; "B" < "a" ; 1 < 2 == true ; not 1 == 2 ; 1 in [1, 2] in [[1, 2]]
1 in l ; 9 not in l ; "ell" in s ; "one" in d ; "zz" not in d ; "" in s ; none in [none] ; 1.0 in [1] ; a in (7, 8)
t and 5 ; f and 5 ; f or "x" ; e or n or "last" ; t and e ; not e ; not not a ; not a in l ; (not a) in l ; f or f ; a and b and x
1 if t else 2 ; 1 if f else 2 ; 1 if f ; (1 if f) is undefined ; 1 if f else 2 if f else 3 ; "y" if a > 3 and b < 0 else "n"
a is odd ; a is even ; a is divisibleby 7 ; a is divisibleby(3) ; a is not divisibleby 7 ; missing is defined ; a is defined ; missing is undefined
a is number ; x is number ; t is number ; a is integer ; t is integer ; x is float ; t is boolean ; s is string ; l is sequence ; s is sequence
d is mapping ; l is mapping ; d is sequence ; d is iterable ; a is iterable ; s is iterable ; n is none ; range is callable ; a is callable ; missing is iterable
t is true ; f is false ; a is true ; "abc" is lower ; "ABC" is upper ; "Abc" is lower ; e is lower ; a is eq 7 ; a is equalto 7 ; a is ne 7 ; a is lt 8
a is gt 6 ; a is ge 7 ; a is le 7 ; a is in [7] ; a is greaterthan 3 ; a is lessthan(3) ; s is in ["Hello World"]
a is sameas a ; n is sameas none ; missing is string ; missing is none ; missing is mapping
s[0] ; s[-1] ; s[1:4] ; s[::-1] ; s[::2] ; s[-3:] ; s[:-3] ; s[5:2] ; s[100:] ; s[-100:2] ; u[0] ; u[1:3] ; u[::-1] ; u[-1] ; s[4:1:-1] ; s[100] is undefined
l[0] ; l[-1] ; l[::-1] ; l[1:] ; l[:1] ; l[5:] ; l[::2] ; l[-2:] ; l[2:0:-1] ; l.0 ; nested[1][1][0] ; nested.1.1.0 ; (1, 2, 3)[1:] ; l[9] is undefined ; l[none:2]
d.one ; d["two"] ; d.three.deep[1] ; d["three"]["deep"][-1] ; d.missing is undefined ; d["missing"] is undefined ; d.get("one") ; d.get("no") ; d.get("no", 5)
d.keys()|list ; d.values()|list ; d.items()|list ; d|items|list ; d|length ; d|list ; d|first ; d.items()|list|length ; message["items"] ; message.items()|list|length
message.role ; message['content'] ; message.content|trim ; message.nope ; message.nope.deeper is undefined
s.upper() ; s.lower() ; s.title() ; s.capitalize() ; u.upper() ; u.lower() ; u.title() ; "ß".upper() ; "they're bill's".title()
text.strip() ; text.lstrip() ; text.rstrip() ; "xxhixx".strip("x") ; "xyhixy".strip("yx") ; "xxhi".lstrip("x") ; "hixx".rstrip("x") ; "hi".strip("") ; u.strip("ä😀")
text.split() ; "a,b,,c".split(",") ; "a,b,c".split(",", 1) ; "a,b,c".rsplit(",", 1) ; " a  b c ".split(none, 1) ; " a  b c ".rsplit(none, 1) ; "".split() ; "".split(",") ; "aXXbXXc".split("XX")
"a b c".split(" ", maxsplit=1) ; "abc".split("") ; "<think>x</think>y".split("</think>")[-1] ; "a".split("a") ; "   ".split() ; "a  b".split(" ")
text.splitlines() ; "a\r\nb\rc\n".splitlines() ; "a\nb".splitlines(true) ; "".splitlines() ; "\n".splitlines()
s.startswith("Hell") ; s.startswith(("x", "H")) ; s.endswith("d") ; s.endswith(("a", "b")) ; s.startswith("")
s.replace("l", "L") ; s.replace("l", "L", 1) ; s.replace("", "-") ; "aaa".replace("a", "aa") ; s.replace("zz", "y") ; "".replace("", "x") ; s.replace("l", "") ; "abc".replace("", "-", 2)
s.find("o") ; s.find("zz") ; s.rfind("o") ; s.count("l") ; s.count("") ; u.find("字") ; "aaaa".count("aa") ; s.rfind("")
"-".join(["a", "b"]) ; "".join("abc") ; ", ".join(d) ; s.removeprefix("Hello ") ; s.removesuffix("World") ; s.removeprefix("x")
"12".isdigit() ; "1a".isdigit() ; "".isdigit()
"{} {}".format(1, "x") ; "{0}{1}{0}".format("a", "b") ; "{n}".format(n=5) ; "{{}}".format()
"%s and %s" % ("a", 1) ; "%d%%" % 5 ; "%s" % [1]
"%s" % none
s|upper ; s|lower ; s|title ; "foo-bar (baz) it's".title() ; "foo-bar (baz) it's"|title ; "hELLO wORLD"|capitalize ; u|upper ; a|upper ; n|lower ; missing|upper
text|trim ; "xxhixx"|trim("x") ; s|length ; u|length ; l|count ; missing|length ; e|length ; 12|string ; s|replace("l", "L") ; s|replace("l", "L", 1) ; 121|replace(1, "x")
l|sort ; words|sort ; words|sort(case_sensitive=true) ; l|sort(reverse=true) ; people|sort(attribute="age")|map(attribute="name")|list ; people|sort(attribute="age,name")|map(attribute="name")|list ; people|sort(reverse=true, attribute="age")|map(attribute="name")|list
l|min ; l|max ; words|min ; words|max ; people|max(attribute="age") ; empty|max is undefined ; l|sum ; people|sum(attribute="age") ; l|sum(start=10) ; [1.5, 2]|sum ; ["a", "B"]|max(case_sensitive=true)
l|first ; l|last ; s|first ; s|last ; empty|first is undefined ; d|first ; l|reverse|list ; s|reverse ; l|join ; l|join("-") ; people|join(", ", attribute="name") ; [1, none, true]|join("|") ; "abc"|join(".")
words|unique|list ; words|unique(case_sensitive=true)|list ; people|unique(attribute="age")|map(attribute="name")|list ; [1, 1.0, true, "1"]|unique|list
l|map("string")|list ; words|map("upper")|list ; words|map("replace", "p", "b")|list ; people|map(attribute="boss.name", default="-")|list ; nested|map("first")|list ; nested|map(attribute=0)|list ; nested|map(attribute="1")|list ; words|map("length")|map("string")|join
l|select("odd")|list ; l|reject("odd")|list ; l|select("gt", 1)|list ; [0, 1, "", "x", none]|select|list ; [0, 1, "", "x"]|reject|list ; l|select("in", [1, 2])|list ; words|select("equalto", "fig")|list
people|selectattr("boss")|map(attribute="name")|list ; people|selectattr("age", "equalto", 30)|map(attribute="name")|list ; people|rejectattr("age", "gt", 26)|list|length ; people|selectattr("boss", "defined")|list|length ; people|rejectattr("tags")|list|length ; people|selectattr("boss.name", "eq", "Bo")|list|length
-5|abs ; (-5)|abs ; -2.5|abs ; "42"|int ; "x"|int ; "x"|int(7) ; 3.9|int ; -3.9|int ; " 12 "|int ; "3.7"|int ; "1e3"|int ; none|int ; true|int
"2.5"|float ; "x"|float ; "x"|float(1.5) ; 3|float ; "1e3"|float ; " -4 "|float ; "inf"|float ; "nan"|float ; ".5"|float ; "5."|float ; "- 4"|float ; ""|float
missing|default("x") ; n|default("x") ; n|default("x", true) ; e|d("x", true) ; e|d("x") ; a|default("x") ; missing|default ; d.nope|d(5) ; f|default(boolean=true, default_value=3)
d|tojson ; d|tojson(indent=2) ; l|tojson ; u|tojson ; u|tojson(ensure_ascii=true) ; quotes|tojson ; n|tojson ; t|tojson ; x|tojson ; empty|tojson(indent=4) ; none_dict|tojson(indent=4) ; d|tojson(sort_keys=true) ; d|tojson(separators=(",", ":")) ; nested|tojson(indent=1) ; html|tojson ; d|tojson(indent="--")
{"b": 1, "a": [1, {"c": 2}]}|tojson(sort_keys=true, indent=2) ; {1: 2, none: 3, true: 4, 1.5: 5}|tojson ; (1, 2)|tojson ; 1e16|tojson ; "\u0001\u007f\b\f"|tojson ; "\u0001\u007f\u2028"|tojson(ensure_ascii=true) ; "a/b"|tojson
d|dictsort ; {"b": 1, "A": 2}|dictsort ; {"b": 1, "A": 2}|dictsort(true) ; {"b": 1, "A": 2}|dictsort(false, "value") ; {"b": 1, "A": 2}|dictsort(reverse=true) ; {"b": 2, "a": 2}|dictsort(by="value")
"a\nb\n\nc"|indent ; "a\nb\n\nc"|indent(2, true) ; "a\nb\n\nc"|indent(2, false, true) ; "a\nb"|indent("> ") ; "a\nb\n"|indent ; ""|indent(first=true) ; "\n"|indent
s|safe ; "%s-%s"|format(1, "x")
"abc"|list ; d|list ; (1, 2)|list ; missing|list ; range(3)|list ; range(1, 4)|list ; range(5, 0, -2)|list ; range(0)|list
dict(a=1, b="x") ; dict({"a": 1}, b=2) ; dict([("k", "v")]) ; {"a": 1, "a": 2} ; {1: "x"}[1] ; {true: "x"}[1] ; {none: 1}[none] ; {"a": {"b": [1]}}.a.b ; (1,) ; () ; [] ; {} ; (1, "a", none) ; [1, 2,] ; {"a": 1,}
namespace(a=1).a ; namespace(a=1) ; namespace({"k": 2}).k ; namespace().x is undefined ; namespace(a=1)["a"]
strftime_now("%Y-%m-%d") ; strftime_now("%d %B %Y, %A %H:%M:%S %p %I %j %y %b %a") ; strftime_now("%-d %-m %e %%") ; strftime_now("")
missing ; missing ~ "x" ; [missing] ; missing == missing2 ; missing == "" ; not missing ; missing or 5 ; missing|list ; missing in [1] ; 1 in missing ; missing|join ; missing|default(missing2)|default("z") ; missing|string
quotes ; [quotes] ; ["it's"] ; ['"'] ; ["'\""] ; ["\n\t\\\u0007é漢"] ; ["\u200b\xa0"] ; {"k": quotes}|string ; [1.0, 1e20, 1e-5, -0.0] ; [true, none]
big ; big + 1 ; big * 2 ; -big ; 9223372036854775807 ; 1e2|int ; 5|float ; 10 // 4 * 4 + 10 % 4 ; 2 ** 3 ** 2 ; (2 ** 3) ** 2 ; -2 ** 2 ; 2 * -3 ; 2 - -3 ; - - 3 ; +3 ; 10 - 2 - 3 ; 100 / 10 / 2 ; 7 - 2 * 3 ; 1 + 2 ~ 3 + 4 ; 1 ~ 2 * 3
a|string|length + 1 ; -a|abs ; s|upper|lower|title ; (a, b)|max ; a if a is odd else b ; not a is odd ; a is odd and b is odd ; a + 1 is even ; l|length > 2 ; l|length == 3 and s|length == 11 ; d.one + l[0] * 2 ; "a" in "abc" and "z" not in "abc" ; [a, b, x]|map("abs")|list
namespace.__class__ ; s.__class__ ; d.__len__ is undefined ; s.join is callable ; s.nope ; l.nope ; (5).nope is undefined ; range(3)[1] ; [1, 2, 3].index(2) ; (1, 2).index(2)
x ; x|string ; 100.0 ; 1e15 ; 1e16 ; 123456789012345678.0 ; 1.1 ; 5e-324 ; 1.7976931348623157e308 ; 0.0001 ; 0.00001 ; 2.5e10
[3, 1]|sort|first ; [[2, "b"], [1, "a"]]|sort ; [true, false, 2]|sort ; [(1, "b"), (1, "a")]|sort ; ["b", "A", "c"]|sort(true, true) ; [2.5, 1, true]|max ; {"a": 1}|length
""|first is undefined ; ""|last is undefined ; "abc"|first ; "abc"[1] ; "abc".1 ; ("a", "b").0 ; [1, [2, 3]][1][0] ; "äb"[1] ; "äb"|reverse ; "äb"[0]|upper
dict(a=1).a ; dict(a=1)|tojson ; dict().items()|list
"%s" % missing ; "%s" % ("a",) ; "a%sb" % u ; "{}".format(missing) ; "{}".format(none) ; "{}".format([1, "a"]) ; "{}".format(1.0)
"a" < "b" < "c" ; 1 == 1 == 1 ; 1 < 2 > 1 ; [1] != [1] ; (1, 2) < (1, 2, 3) ; "Z" < "a" ; "" < "a" ; 1 <= 1.0 ; true < 2 ; "é" > "z" ; [1, "a"] == [1, "a"] ; {"a": 1, "b": 2} == {"b": 2, "a": 1}
"""

# Templates that are an error in both.
ERRORS = r"""
{{ missing.x }} ~~ {{ missing["x"] }} ~~ {{ missing() }} ~~ {{ missing + 1 }} ~~ {{ 1 + missing }} ~~ {{ -missing }} ~~ {{ missing < 1 }} ~~ {{ d.nope.x }}
{{ 1 + "a" }} ~~ {{ "a" + 1 }} ~~ {{ "a" - "b" }} ~~ {{ [] + () }} ~~ {{ 1 / 0 }} ~~ {{ 1 // 0 }} ~~ {{ 1 % 0 }} ~~ {{ 1.5 % 0 }} ~~ {{ 1 < "a" }} ~~ {{ none < 1 }} ~~ {{ {} < {} }} ~~ {{ none + 1 }} ~~ {{ 0 ** -1 }}
{{ 1 in 5 }} ~~ {{ 1 in "abc" }} ~~ {{ s|nope }} ~~ {{ s is nope }} ~~ {{ nope(1) }} ~~ {{ s() }} ~~ {{ 5() }} ~~ {{ s.nope() }} ~~ {{ a.x.y }} ~~ {{ none.x.y }} ~~ {{ 5|length }} ~~ {{ none|length }} ~~ {{ none|list }}
{% for x in 5 %}{% endfor %} ~~ {% for x in none %}{% endfor %} ~~ {% for x, y in [1] %}{% endfor %} ~~ {% for x, y in [[1, 2, 3]] %}{% endfor %} ~~ {% set x, y = 1, 2, 3 %} ~~ {% set n.x = 1 %} ~~ {% set d.x = 1 %} ~~ {% set missing.x = 1 %}
{% if %}{% endif %} ~~ {% if a %} ~~ {% for %}{% endfor %} ~~ {% for x in %}{% endfor %} ~~ {{ }} ~~ {{ 1 + }} ~~ {{ (1 }} ~~ {{ 1) }} ~~ {{ [1 }} ~~ {{ "a }} ~~ {{ a ~~ {% a %} ~~ {# a ~~ {% endif %} ~~ {% else %} ~~ {{ a b }} ~~ {{ a.5b }} ~~ {{ ! }} ~~ {{ a ? b }}
{% raw %}x ~~ {% break %} ~~ {% continue %} ~~ {% macro %}{% endmacro %} ~~ {% macro f( %}{% endmacro %} ~~ {% macro f(a=1, b) %}{% endmacro %} ~~ {{ f(a=1, 2) }} ~~ {% set true = 1 %} ~~ {% set 5 = 1 %} ~~ {% for true in [1] %}{% endfor %} ~~ {% set x %} ~~ {% call a %}{% endcall %}
{% macro f(a) %}{% endmacro %}{{ f(1, 2) }} ~~ {% macro f(a) %}{% endmacro %}{{ f(b=2) }} ~~ {% macro f(a) %}{{ a.x }}{% endmacro %}{{ f() }} ~~ {% macro f() %}{{ caller() }}{% endmacro %}{{ f() }} ~~ {% macro f() %}{% endmacro %}{% call f() %}{% endcall %}
{{ raise_exception("no") }} ~~ {{ range(0, 1, 0) }} ~~ {{ range(100001) }} ~~ {{ range("a") }} ~~ {{ range(1.5) }} ~~ {{ "{}".format() }} ~~ {{ "{a}".format() }} ~~ {{ "{".format() }} ~~ {{ "%d" % "a" }} ~~ {{ "%s %s" % "a" }} ~~ {{ "%s" % (1, 2) }} ~~ {{ "a" % 1 }} ~~ {{ "%q" % 1 }} ~~ {{ "%" % 1 }}
{{ [1, "a"]|sort }} ~~ {{ [none, 1]|max }} ~~ {{ "x".index("y") }} ~~ {{ l.index(99) }} ~~ {{ "a".join([1]) }} ~~ {{ "a".split(1) }} ~~ {{ s.startswith(1) }} ~~ {{ s.strip(1) }} ~~ {{ s.zfill() }} ~~ {{ s.replace("a") }} ~~ {{ {[]: 1} }} ~~ {{ {{}: 1} }} ~~ {{ s.upper(1) }} ~~ {{ d.get() }}
{{ missing|tojson }} ~~ {{ missing|int }} ~~ {{ missing|float }} ~~ {{ missing|abs }} ~~ {{ missing|round }} ~~ {{ "a"|abs }} ~~ {{ "a"|round }} ~~ {{ range|tojson }} ~~ {{ namespace()|tojson }} ~~ {{ l|tojson(foo=1) }} ~~ {{ l|join(1, 2, 3) }} ~~ {{ l|first(1) }} ~~ {{ l|map|list }} ~~ {{ l|map("nope")|list }} ~~ {{ l|select("nope")|list }} ~~ {{ l[::0] }} ~~ {{ a[1:2] }} ~~ {{ missing[1:] }} ~~ {{ d[1:] }} ~~ {{ l["a":] }}
{{ "\x4" }} ~~ {{ "\u12" }} ~~ {{ "\U00110000" }} ~~ {{ a is divisibleby }} ~~ {{ a is divisibleby 0 }} ~~ {{ a is odd is even }} ~~ {{ a.b. }} ~~ {{ a|}} ~~ {{ a is }} ~~ {{ *a }} ~~ {{ f(**5) }} ~~ {{ dict(**{1: 2}) }} ~~ {{ dict(1) }} ~~ {{ "a"|format(1) }} ~~ {{ l.append(1) }}
"""

# Templates as they are, one after each line of ----.
TEMPLATES = r"""
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {{ loop.previtem }}-{{ i }}-{{ loop.nextitem }}{{ loop.cycle("odd", "even") }}
{% endfor %}
----
{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(a=5, c=6) }} {{ f() }}{{ f(1)|length }}{{ f(1) ~ "x" }}
----
{% for i in empty %}x{% else %}none{% endfor %}{% for i in l %}{{ i }}{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}
----
{% for i in l if i > 1 %}{{ loop.index }}/{{ loop.length }}:{{ i }} {% else %}none{% endfor %}{% for i in l if i > 10 %}{{ i }}{% else %}none{% endfor %}{% for i in l if i is odd %}{{ i }}{% endfor %}
----
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }},{% endfor %}{% for c in u %}[{{ c }}]{% endfor %}{% for a, (b, c) in [(1, (2, 3)), (4, (5, 6))] %}{{ a }}{{ b }}{{ c }} {% endfor %}
----
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}
----
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}{% for i in [1] %}{{ i }}{% endfor %}{{ i }}
----
{% set ns = namespace(n=0, s="") %}{% for i in l %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }} {{ ns.s }} {{ ns }}{% set ns.new = 5 %}{{ ns.new }}
----
{% set a, b = b, a %}{{ a }} {{ b }}{% set (c, d) = (1, 2) %}{{ c }}{{ d }}{% set p = 1, 2 %}{{ p }}{% set q = 1, %}{{ q }}
----
{% set x %}  hello {{ s }}  {% endset %}[{{ x }}]{% set y | trim | upper %}  hi {{ s }} {% endset %}[{{ y }}]{% set z %}{% set inner = 5 %}{{ inner }}{% endset %}{{ z }}{{ inner }}
----
{% macro fact(n) %}{% if n < 2 %}1{% else %}{{ n * (fact(n - 1)|int) }}{% endif %}{% endmacro %}{{ fact(10) }}{% macro schema(p, depth=0) %}{{ "  " * depth }}{{ p.name }}
{% if p.boss %}{{ schema(p.boss, depth + 1) }}{% endif %}{% endmacro %}{% for p in people %}{{ schema(p) }}{% endfor %}
----
{% set outer = "o" %}{% macro f() %}{{ outer }}{{ later }}{% endmacro %}{{ f() }}{% set later = "l" %}{{ f() }}{% set outer = "p" %}{{ f() }}
----
{% filter upper %}abc {{ s }}{% set q = 1 %}{% endfilter %}{{ q }}{% filter replace("l", "L") | trim %}  {{ s }} {% endfilter %}
----
{% generation %}{{ s }}{% set g = 1 %}{% endgeneration %}{{ g }}
----
{# comment #}a{# multi
line #}
b
  {# indented #}
c {#- strip -#} d
----
  {% if true %}
    indented
  {% endif %}
text {% if true %} inline {% endif %}
  {%- if true %}

  left
  {%- endif -%}

  right
  {%+ if true %}
kept
  {%+ endif +%}
end
----
a
  {{- " x " -}}
  b {{ 1 }}
 {{ 2 }} c
{%- set q = 1 %}

d {%- set q = 1 -%} e
	{% set tab = 1 %}
f
----
{{ "a" -}}   {{ "b" }}  {{- "c" }}
{{- "d" }}
{%- if true -%}  e  {%- endif %}   f
----
{% if a > 100 %}1{% elif a > 5 %}2{% elif a > 1 %}3{% else %}4{% endif %}{% if missing %}y{% else %}n{% endif %}{% if l %}l{% endif %}{% if not l %}e{% endif %}{% if missing is not defined %}{% set missing = "now" %}{% endif %}{{ missing }}
----
{%- for m in people -%}
{%- if m.tags is defined and m.tags -%}
{{- m.name ~ ":" ~ m.tags|join -}}
{%- elif m.boss is defined -%}
{{- m.boss["name"] -}}
{%- else -%}
{{- m.get("nope", "-") -}}
{%- endif -%}
{%- endfor -%}
----
{{ "multi
line" }}{{ {"a":
1}.a }}{{ [1,
2] }}{{ s
| upper }}
----
{% for i in range(3) %}{% set x = i %}{% for j in range(2) %}{{ loop.index }}{{ x }}{{ j }} {% endfor %}{{ loop.index }}{% endfor %}
----
{% macro outer() %}{% macro inner(x) %}<{{ x }}>{% endmacro %}{{ inner(1) }}{{ inner(2) }}{% endmacro %}{{ outer() }}{{ inner is defined }}
----
{% set loop_result = [] %}{% for i in l %}{% set loop_result = loop_result + [i] %}{% endfor %}{{ loop_result }}
----
{% for v in l if v > 1 %}{{ v }}{% continue %}{% else %}else{% endfor %}{% for v in l %}{{ v }}{% break %}{% else %}else{% endfor %}{% for v in l %}{{ v }}{% if v == 1 %}{% break %}{% endif %}{% else %}else{% endfor %}
----
{{ 1, 2 }}{{ (1) }}{{ a, }}{% if (a, b) %}x{% endif %}{% for x in 1, 2, 3 %}{{ x }}{% endfor %}{% for x in (1, 2) %}{{ x }}{% endfor %}
----
{% set f = "upper" %}{% set m = s.upper %}{{ m() }}{% set g = d.get %}{{ g("one") }}{% set r = range %}{{ r(2)|list }}
----
line one
{% set x = 1 %}
line two

----
{% for message in [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "<think>\nx\n</think>\n\nHello"}] %}
{%- set content = message.content %}
{%- if '</think>' in content %}
{%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
{%- set content = content.split('</think>')[-1].lstrip('\n') %}
{{- '[' + reasoning + ']' }}
{%- endif %}
{{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
{%- endfor %}
{%- if true %}{{- '<|im_start|>assistant\n' }}{%- endif %}
"""

# With lists and dicts that may be changed.
CHANGES = r"""
{% set q = [1] %}{% set _ = q.append(2) %}{{ q }}{% set _ = q.extend([3, 4]) %}{{ q }}{{ q.pop() }}{{ q.pop(0) }}{{ q }}{{ q.insert(1, "x") }}{{ q }}{{ q.insert(-1, "y") }}{{ q.insert(99, "z") }}{{ q }}
----
{% set q = {"a": 1} %}{{ q.update({"b": 2}) }}{{ q }}{{ q.update(c=3) }}{{ q.pop("a") }}{{ q.pop("zz", 5) }}{{ q }}
----
{% set q = [] %}{% for i in l %}{{ q.append(i * 2) or "" }}{% endfor %}{{ q }}{% set r = q %}{{ r.append(1) }}{{ q }}
"""

def lines_of(text, separator):
    return [part.strip() for line in text.strip().split("\n") for part in line.split(separator)]


def templates_of(text):
    return [part[:-1] if part.endswith("\n") else part for part in text[1:].split("----\n")]


def conversations():
    """Conversations by what is in them; all begin with a user's turn or a system message before it."""
    system, hi = {"role": "system", "content": " You are helpful.\n"}, {"role": "user", "content": "  Hi <|im_end|> \"there\"\n"}
    plain, more = {"role": "assistant", "content": "Hello! "}, {"role": "user", "content": "漢字?"}
    thinks = {"role": "assistant", "content": "<think>\nhmm, <b>\n</think>\n\nHello!"}
    split = {"role": "assistant", "content": "Hello!", "reasoning_content": "hmm"}
    open_end = {"role": "assistant", "content": "hm</think>\n\nHello! </think> "}
    for turns in [hi], [hi, plain, more], [hi, thinks, more], [hi, thinks, more, thinks, hi], [hi, split, more], [hi, open_end, more, plain, hi], \
            [hi, plain], [hi, thinks], [{"role": "user", "content": ""}], [hi, plain, more, plain, more, plain, more]:
        yield turns
        yield [system, *turns]
    yield [hi, hi]
    yield [system]
    yield [system, system, hi]
    yield [hi, plain, system, more]
    yield [{"role": "developer", "content": "Obey."}, hi]
    yield []


def published_templates():
    for path in sorted(pathlib.Path(os.environ["ROCMFORGE_CHAT_TEMPLATES"]).glob("*.jinja")):
        yield path.name, path.read_text(encoding="utf-8")
    with open(pathlib.Path(__file__).parent / "data" / "chat_templates.json", encoding="utf-8") as file:
        for entry in json.load(file)["templates"]:
            yield entry["origin"], entry["template"]


# Each ends with an error of one line within a second, under the limits that hold where nobody sets others.
GROW = "{% set ns = namespace(x='ab', y=[1]) %}{% for i in range(9999) %}"
HOSTILE = [
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% for i in range(9) %}{{ f(n + 1) if n < 20 }}{% endfor %}{% endmacro %}{{ f(0) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ " + "(" * 99999 + "1" + ")" * 99999 + " }}", "{% if 1 %}" * 99999, "{{ [" * 99999,
    "{% set x = 'a' * 10**6 %}{% for i in range(100000) %}{{ x }}{% endfor %}", "{{ 'a' * 10**9 }}", "{{ range(10**9) }}", "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ [1] * 10**9 }}", "{% for i in range(100000) %}{% set x = range(100000)|list %}{% endfor %}", GROW + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    GROW + "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.y }}", GROW + "{% set ns.x = ns.x.replace('a', 'aab') %}{% endfor %}",
    "{% for i in range(100000) %}{% set x = range(100000)|map('string')|join|tojson|list|sort|unique|join %}{% endfor %}",
    "{% set x = 'a' * 10**7 %}{% for i in range(100000) %}{{ x.rfind('b') ~ x.count('b') ~ x.strip('b')|length }}{% endfor %}",
    "{% set x = 'ä ' * 10**6 %}{% for i in range(100000) %}{{ x.upper().title().split() == x.split(' ') }}{% endfor %}",
    "{% set x = 'a' * 10**6 %}{% for i in range(100000) %}{% set y = x[::-1] ~ x[1:] %}{% endfor %}",
    "{% set d = {} %}{% for i in range(100000) %}{% set _ = d.update({'k' ~ i: d}) %}{% endfor %}",
]


class Compare(unittest.TestCase):

    def compare(self, cases, env=IMMUTABLE):
        """How many of the cases render and are equal; that the others are errors in both."""
        rendered = 0
        wrong = []
        for (template, context), got in zip(cases, render(cases), strict=True):
            want = expected(env, template, context)
            if got.get("text") != want:
                wrong.append(f"{template!r}\n  jinja2: {want!r}\n  here:   {got}")
            rendered += want is not None
        self.assertEqual(len(wrong), 0, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:20]))
        return rendered

    def test_expressions(self):
        cases = [("{{ " + part + " }}", CONTEXT) for part in lines_of(EXPRESSIONS, " ; ")]
        self.assertGreater(self.compare(cases), len(cases) - 20)

    def test_errors(self):
        cases = [(part, CONTEXT) for part in lines_of(ERRORS, " ~~ ")]
        self.assertEqual(self.compare(cases), 0)
        for (template, _), got in zip(cases, render(cases), strict=True):
            self.assertRegex(got["error"], r"\Achat template: line \d+: [ -~]+\Z", template)

    def test_templates(self):
        cases = [(template, CONTEXT) for template in templates_of(TEMPLATES)]
        self.assertEqual(self.compare(cases), len(cases))

    def test_changes(self):
        cases = [(template, CONTEXT) for template in templates_of(CHANGES)]
        self.assertEqual(self.compare(cases, MUTABLE), len(cases))

    def test_published(self):
        cases = [(template, {"messages": messages, "add_generation_prompt": prompt, "bos_token": "<s>", "eos_token": "</s>",
                             "tools": None, "documents": None, **more})
                 for _, template in published_templates() for messages in conversations() for prompt in (True, False)
                 for more in ({}, {"enable_thinking": False}) if not more or "enable_thinking" in template]
        rendered = self.compare(cases)
        print(f"{sum(1 for _ in published_templates())} published templates, {len(cases)} renderings: {rendered} texts equal to jinja2's, "
              f"{len(cases) - rendered} refused by both", file=sys.stderr)
        self.assertGreater(rendered, len(cases) // 2)

    def test_hostile(self):
        for template in HOSTILE:
            start = resource.getrusage(resource.RUSAGE_CHILDREN)
            error = render([(template, CONTEXT)])[0]["error"]
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.assertLess(used.ru_utime + used.ru_stime - start.ru_utime - start.ru_stime, 1, template[:100])
            self.assertRegex(error, r"\Achat template: line \d+: [ -~]+\Z", template[:100])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
