// From tokens to a tree: expressions and statements with their lines. The grammar is that of
// Jinja2, its precedence included. No tree is deeper than `max_depth`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/lexer.hpp>
#include <rocmforge/text/jinja/value.hpp>

namespace rocmforge::jinja {

struct expression;
using expression_ptr = std::unique_ptr<expression>;

struct call_argument {
  std::string name;  // empty: by its place
  expression_ptr given;
};

struct expression {
  enum class kind {
    constant,
    name,
    captured,  // what a block wrote, for its filters
    tuple,
    list,
    dict,  // key, value, key, value, ...
    negative,
    positive,
    logical_not,
    logical_and,
    logical_or,
    binary,       // `text` is the operator
    comparison,   // a chain: `operators` has one less than there are children
    conditional,  // condition, then and perhaps else
    attribute,    // child.text
    item,         // child[child]
    slice,        // child[child:child:child], null where nothing is given
    call,         // child(arguments)
    filter,       // child | text(arguments)
    test          // child is text(arguments)
  };
  kind is = kind::constant;
  int line = 1;
  int depth = 1;
  value constant;
  std::size_t name = 0;  // its number in the template
  std::string text;
  std::vector<std::string> operators;
  std::vector<expression_ptr> children;
  std::vector<call_argument> arguments;
};

/// What an assignment assigns to: a name, an attribute of a namespace, or a tuple of these.
struct target {
  enum class kind { name, attribute, tuple };
  kind is = kind::name;
  std::size_t name = 0;
  std::string attribute;
  std::vector<target> parts;
};

/// Parameters of a macro.
struct signature {
  std::vector<std::size_t> names;
  std::vector<expression_ptr> defaults;  // of the last parameters
};

struct statement;
using block = std::vector<statement>;

struct statement {
  enum class kind {
    text,
    output,
    for_loop,   // expressions: over what, and perhaps a condition; bodies: its own, and else
    condition,  // bodies: one for each expression, and perhaps else
    set,
    set_block,  // expressions: the filters, if any
    macro,
    filter,  // expressions: the filters
    scope,   // a body with names of its own
    break_loop,
    continue_loop
  };
  kind is = kind::text;
  int line = 1;
  value text;
  std::vector<expression_ptr> expressions;
  std::vector<target> targets;
  std::vector<block> bodies;
  signature parameters;
  std::string name;
  bool uses_loop = false;
};

/// A template, parsed.
struct program {
  block body;
  std::vector<std::string> names;  // of variables
};

class parser {
 public:
  static constexpr int max_depth = 100;

  /// The number of the name `loop`, in every template.
  static constexpr std::size_t loop_name = 0;

  /// @throws error with the line, if the source is not a template
  static program parse(std::string_view source) { return parser(source).run(); }

 private:
  using expr = expression::kind;

  explicit parser(std::string_view source) : tokens_(lexer::tokenize(source)) { intern("loop"); }

  program run() {
    result_.body = parse_block({});
    return std::move(result_);
  }

  // Tokens.

  [[nodiscard]] const token& now() const { return tokens_[at_]; }
  [[nodiscard]] const token& after() const {
    return tokens_[std::min(at_ + 1, tokens_.size() - 1)];
  }
  void next() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }
  [[nodiscard]] bool is_symbol(std::string_view text) const {
    return now().is == token::kind::symbol && now().text == text;
  }
  [[nodiscard]] bool is_word(std::string_view text) const {
    return now().is == token::kind::name && now().text == text;
  }
  bool skip_symbol(std::string_view text) {
    if (!is_symbol(text)) return false;
    next();
    return true;
  }
  bool skip_word(std::string_view text) {
    if (!is_word(text)) return false;
    next();
    return true;
  }
  void expect_symbol(const std::string& text) {
    if (!skip_symbol(text)) fail_at("expected '" + text + "'");
  }
  void expect_word(const std::string& text) {
    if (!skip_word(text)) fail_at("expected '" + text + "'");
  }
  std::string expect_name() {
    if (now().is != token::kind::name) fail_at("expected a name");
    std::string name = now().text;
    next();
    return name;
  }
  void expect_end(token::kind end, const std::string& text) {
    if (now().is != end) fail_at("expected '" + text + "'");
    next();
  }
  void expect_statement_end() { expect_end(token::kind::statement_end, "%}"); }

  [[nodiscard]] std::string describe() const {
    switch (now().is) {
      case token::kind::end:
        return "the end of the template";
      case token::kind::statement_end:
        return "'%}'";
      case token::kind::expression_end:
        return "'}}'";
      case token::kind::string:
        return "a string";
      case token::kind::text:
      case token::kind::statement_start:
      case token::kind::expression_start:
        return "text";
      default:
        return "'" + printable(now().text, 40) + "'";
    }
  }
  [[noreturn]] void fail_at(const std::string& what) const {
    fail(now().line, "found " + describe() + ", " + what);
  }

  /// Counts how deep the parser itself is in.
  class level {
   public:
    explicit level(parser& owner) : owner_(owner) {
      if (++owner_.depth_ > max_depth)
        fail(owner_.now().line, "nested deeper than " + std::to_string(max_depth) + " levels");
    }
    ~level() { --owner_.depth_; }
    level(const level&) = delete;
    level& operator=(const level&) = delete;

   private:
    parser& owner_;
  };

  std::size_t intern(const std::string& name) {
    const auto [found, is_new] = numbers_.try_emplace(name, result_.names.size());
    if (is_new) result_.names.push_back(name);
    return found->second;
  }

  // Expressions.

  [[nodiscard]] expression_ptr make(expr is, int line) const {
    auto made = std::make_unique<expression>();
    made->is = is;
    made->line = line;
    return made;
  }
  /// Adds a child; null is allowed for what is not given.
  static void adopt(expression& parent, expression_ptr child) {
    if (child) deepen(parent, *child);
    parent.children.push_back(std::move(child));
  }
  /// Chains such as a.b.c and a + b + c are trees as deep as they are long.
  static void deepen(expression& parent, const expression& child) {
    parent.depth = std::max(parent.depth, child.depth + 1);
    if (parent.depth > max_depth)
      fail(parent.line, "nested deeper than " + std::to_string(max_depth) + " levels");
  }
  expression_ptr make_constant(value constant, int line) const {
    expression_ptr made = make(expr::constant, line);
    made->constant = std::move(constant);
    return made;
  }
  expression_ptr make_binary(const std::string& text, int line, expression_ptr left,
                             expression_ptr right) const {
    expression_ptr made = make(expr::binary, line);
    made->text = text;
    adopt(*made, std::move(left));
    adopt(*made, std::move(right));
    return made;
  }

  expression_ptr parse_expression(bool with_condition = true) {
    const level inside(*this);
    const int line = now().line;
    expression_ptr result = parse_or();
    while (with_condition && skip_word("if")) {
      expression_ptr made = make(expr::conditional, line);
      adopt(*made, parse_or());
      adopt(*made, std::move(result));
      if (skip_word("else")) adopt(*made, parse_expression());
      result = std::move(made);
    }
    return result;
  }

  expression_ptr parse_or() {
    const int line = now().line;
    expression_ptr left = parse_and();
    while (skip_word("or")) {
      expression_ptr made = make(expr::logical_or, line);
      adopt(*made, std::move(left));
      adopt(*made, parse_and());
      left = std::move(made);
    }
    return left;
  }

  expression_ptr parse_and() {
    const int line = now().line;
    expression_ptr left = parse_not();
    while (skip_word("and")) {
      expression_ptr made = make(expr::logical_and, line);
      adopt(*made, std::move(left));
      adopt(*made, parse_not());
      left = std::move(made);
    }
    return left;
  }

  expression_ptr parse_not() {
    if (!is_word("not")) return parse_comparison();
    const level inside(*this);
    expression_ptr made = make(expr::logical_not, now().line);
    next();
    adopt(*made, parse_not());
    return made;
  }

  expression_ptr parse_comparison() {
    const int line = now().line;
    expression_ptr first = parse_sum();
    expression_ptr made;
    for (;;) {
      std::string what;
      for (const char* symbol : {"==", "!=", "<", "<=", ">", ">="})
        if (is_symbol(symbol)) what = symbol;
      if (is_word("in")) what = "in";
      if (is_word("not") && after().is == token::kind::name && after().text == "in") {
        what = "not in";
        next();
      }
      if (what.empty()) break;
      next();
      if (!made) {
        made = make(expr::comparison, line);
        adopt(*made, std::move(first));
      }
      made->operators.push_back(what);
      adopt(*made, parse_sum());
    }
    return made ? std::move(made) : std::move(first);
  }

  expression_ptr parse_sum() {
    const int line = now().line;
    expression_ptr left = parse_concatenation();
    while (is_symbol("+") || is_symbol("-")) {
      const std::string text = now().text;
      next();
      left = make_binary(text, line, std::move(left), parse_concatenation());
    }
    return left;
  }

  expression_ptr parse_concatenation() {
    const int line = now().line;
    expression_ptr left = parse_product();
    while (skip_symbol("~")) left = make_binary("~", line, std::move(left), parse_product());
    return left;
  }

  expression_ptr parse_product() {
    const int line = now().line;
    expression_ptr left = parse_power();
    while (is_symbol("*") || is_symbol("/") || is_symbol("//") || is_symbol("%")) {
      const std::string text = now().text;
      next();
      left = make_binary(text, line, std::move(left), parse_power());
    }
    return left;
  }

  expression_ptr parse_power() {
    const int line = now().line;
    expression_ptr left = parse_unary(true);
    while (skip_symbol("**")) left = make_binary("**", line, std::move(left), parse_unary(true));
    return left;
  }

  expression_ptr parse_unary(bool with_filters) {
    expression_ptr result;
    if (is_symbol("-") || is_symbol("+")) {
      const level inside(*this);
      expression_ptr made = make(is_symbol("-") ? expr::negative : expr::positive, now().line);
      next();
      adopt(*made, parse_unary(false));
      result = std::move(made);
    } else {
      result = parse_primary();
    }
    result = parse_postfix(std::move(result));
    return with_filters ? parse_filters_and_tests(std::move(result)) : std::move(result);
  }

  expression_ptr parse_primary() {
    const token& first = now();
    const int line = first.line;
    if (first.is == token::kind::name) {
      const std::string name = expect_name();
      if (name == "true" || name == "True") return make_constant(true, line);
      if (name == "false" || name == "False") return make_constant(false, line);
      if (name == "none" || name == "None") return make_constant(none{}, line);
      expression_ptr made = make(expr::name, line);
      made->name = intern(name);
      note_use(made->name);
      return made;
    }
    if (first.is == token::kind::string) {
      std::string text;
      for (; now().is == token::kind::string; next()) text += now().text;
      return make_constant(std::move(text), line);
    }
    if (first.is == token::kind::integer || first.is == token::kind::real) {
      value number = first.is == token::kind::real ? value(first.real) : value(first.integer);
      next();
      return make_constant(std::move(number), line);
    }
    if (skip_symbol("(")) {
      expression_ptr made = parse_tuple(true, true);
      expect_symbol(")");
      return made;
    }
    if (skip_symbol("[")) {
      expression_ptr made = make(expr::list, line);
      while (!is_symbol("]")) {
        if (!made->children.empty()) expect_symbol(",");
        if (is_symbol("]")) break;
        adopt(*made, parse_expression());
      }
      next();
      return made;
    }
    if (skip_symbol("{")) {
      expression_ptr made = make(expr::dict, line);
      while (!is_symbol("}")) {
        if (!made->children.empty()) expect_symbol(",");
        if (is_symbol("}")) break;
        adopt(*made, parse_expression());
        expect_symbol(":");
        adopt(*made, parse_expression());
      }
      next();
      return made;
    }
    fail_at("expected an expression");
  }

  /// One expression, or several with commas between them.
  /// @param may_be_empty  () is a tuple
  expression_ptr parse_tuple(bool with_condition, bool may_be_empty) {
    const int line = now().line;
    std::vector<expression_ptr> items;
    bool is_tuple = false;
    for (;;) {
      if (!items.empty()) {
        if (!skip_symbol(",")) break;
        is_tuple = true;
      }
      if (now().is == token::kind::expression_end || now().is == token::kind::statement_end ||
          is_symbol(")"))
        break;
      items.push_back(parse_expression(with_condition));
    }
    if (!is_tuple && items.size() == 1) return std::move(items[0]);
    if (items.empty() && !may_be_empty) fail_at("expected an expression");
    expression_ptr made = make(expr::tuple, line);
    for (expression_ptr& item : items) adopt(*made, std::move(item));
    return made;
  }

  expression_ptr parse_postfix(expression_ptr base) {
    for (;;) {
      const int line = now().line;
      if (skip_symbol(".")) {
        if (now().is == token::kind::integer) {
          expression_ptr made = make(expr::item, line);
          adopt(*made, std::move(base));
          adopt(*made, make_constant(now().integer, line));
          next();
          base = std::move(made);
        } else {
          expression_ptr made = make(expr::attribute, line);
          adopt(*made, std::move(base));
          made->text = expect_name();
          base = std::move(made);
        }
      } else if (skip_symbol("[")) {
        base = parse_subscript(std::move(base), line);
      } else if (is_symbol("(")) {
        base = parse_call(std::move(base));
      } else {
        return base;
      }
    }
  }

  expression_ptr parse_subscript(expression_ptr base, int line) {
    expression_ptr parts[3];
    int num_colons = 0;
    const auto parse_part = [&] {
      if (!is_symbol(":") && !is_symbol("]") && !is_symbol(","))
        parts[num_colons] = parse_expression();
    };
    parse_part();
    while (num_colons < 2 && skip_symbol(":")) {
      ++num_colons;
      parse_part();
    }
    if (num_colons == 0 && !parts[0]) fail_at("expected an expression");
    expression_ptr made = make(num_colons == 0 ? expr::item : expr::slice, line);
    adopt(*made, std::move(base));
    if (num_colons == 0 && is_symbol(",")) {  // a tuple
      expression_ptr tuple = make(expr::tuple, line);
      adopt(*tuple, std::move(parts[0]));
      while (skip_symbol(",") && !is_symbol("]")) adopt(*tuple, parse_expression());
      parts[0] = std::move(tuple);
    }
    for (int i = 0; i < (num_colons == 0 ? 1 : 3); ++i) adopt(*made, std::move(parts[i]));
    expect_symbol("]");
    return made;
  }

  expression_ptr parse_call(expression_ptr base) {
    expression_ptr made = make(expr::call, now().line);
    adopt(*made, std::move(base));
    parse_arguments(*made);
    return made;
  }

  void parse_arguments(expression& call) {
    expect_symbol("(");
    bool only_named = false;
    while (!is_symbol(")")) {
      if (!call.arguments.empty()) {
        expect_symbol(",");
        if (is_symbol(")")) break;
      }
      call_argument argument;
      if (now().is == token::kind::name && after().is == token::kind::symbol &&
          after().text == "=") {
        argument.name = expect_name();
        next();
      } else if (only_named) {
        fail_at("expected no argument without a name after those with one");
      }
      only_named = !argument.name.empty();
      argument.given = parse_expression();
      deepen(call, *argument.given);
      call.arguments.push_back(std::move(argument));
    }
    next();
  }

  expression_ptr parse_filters_and_tests(expression_ptr base) {
    for (;;) {
      if (is_symbol("|")) {
        next();
        base = parse_filter(std::move(base));
      } else if (is_word("is")) {
        base = parse_test(std::move(base));
      } else if (is_symbol("(")) {
        base = parse_call(std::move(base));
      } else {
        return base;
      }
    }
  }

  expression_ptr parse_filter(expression_ptr base) {
    expression_ptr made = make(expr::filter, now().line);
    adopt(*made, std::move(base));
    made->text = expect_name();
    if (is_symbol("(")) parse_arguments(*made);
    return made;
  }

  /// Filters of a block: name(...) | name(...).
  expression_ptr parse_filters() {
    expression_ptr result = parse_filter(make(expr::captured, now().line));
    while (skip_symbol("|")) result = parse_filter(std::move(result));
    return result;
  }

  expression_ptr parse_test(expression_ptr base) {
    const int line = now().line;
    next();
    const bool negated = skip_word("not");
    expression_ptr made = make(expr::test, line);
    adopt(*made, std::move(base));
    made->text = expect_name();
    const token::kind is = now().is;
    if (is_symbol("(")) {
      parse_arguments(*made);
    } else if ((is == token::kind::name && !is_word("else") && !is_word("or") && !is_word("and")) ||
               is == token::kind::string || is == token::kind::integer || is == token::kind::real ||
               is_symbol("[") || is_symbol("{")) {
      if (is_word("is")) fail_at("expected one test; several are joined by 'and'");
      call_argument argument;
      argument.given = parse_postfix(parse_primary());
      deepen(*made, *argument.given);
      made->arguments.push_back(std::move(argument));
    }
    if (!negated) return made;
    expression_ptr opposite = make(expr::logical_not, line);
    adopt(*opposite, std::move(made));
    return opposite;
  }

  void note_use(std::size_t name) {
    if (name == loop_name && !loops_.empty()) *loops_.back() = true;
  }

  // Statements.

  /// Statements up to one of the words, which stay the next tokens, after {%.
  block parse_block(const std::vector<std::string_view>& ends) {
    const level inside(*this);
    const int first_line = now().line;
    block body;
    for (;;) {
      statement made;
      made.line = now().line;
      switch (now().is) {
        case token::kind::text:
          made.text = value(now().text);
          next();
          break;
        case token::kind::expression_start:
          next();
          made.is = statement::kind::output;
          made.expressions.push_back(parse_tuple(true, false));
          expect_end(token::kind::expression_end, "}}");
          break;
        case token::kind::statement_start:
          next();
          if (std::ranges::any_of(ends, [&](std::string_view end) { return is_word(end); }))
            return body;
          parse_statement(made);
          break;
        default:
          if (now().is == token::kind::end && ends.empty()) return body;
          fail(first_line, "a block has no end, expected {% " + std::string(ends.back()) + " %}");
      }
      body.push_back(std::move(made));
    }
  }

  /// A body with its end, which is skipped with what ends the tag.
  block parse_body(std::string_view end) {
    expect_statement_end();
    block body = parse_block({end});
    next();
    return body;
  }

  void parse_statement(statement& made) {
    const int line = now().line;
    const std::string word = expect_name();
    if (word == "if") {
      parse_condition(made);
    } else if (word == "for") {
      parse_for(made);
    } else if (word == "set") {
      parse_set(made);
    } else if (word == "macro") {
      parse_macro(made);
    } else if (word == "filter") {
      made.is = statement::kind::filter;
      made.expressions.push_back(parse_filters());
      made.bodies.push_back(parse_body("endfilter"));
    } else if (word == "generation") {
      made.is = statement::kind::scope;
      made.bodies.push_back(parse_body("endgeneration"));
    } else if (word == "break" || word == "continue") {
      if (loops_.empty()) fail(line, "'" + word + "' outside of a loop");
      made.is = word == "break" ? statement::kind::break_loop : statement::kind::continue_loop;
    } else {
      fail(line, "tag '" + printable(word, 40) +
                     "', expected if, for, set, macro, filter, generation, break or continue");
    }
    expect_statement_end();
  }

  void parse_condition(statement& made) {
    made.is = statement::kind::condition;
    for (;;) {
      made.expressions.push_back(parse_tuple(false, false));
      expect_statement_end();
      made.bodies.push_back(parse_block({"elif", "else", "endif"}));
      if (!skip_word("elif")) break;
    }
    if (skip_word("else")) {
      made.bodies.push_back(parse_body("endif"));
    } else {
      next();
    }
  }

  void parse_for(statement& made) {
    made.is = statement::kind::for_loop;
    made.targets.push_back(parse_target(false));
    expect_word("in");
    made.expressions.push_back(parse_tuple(false, false));
    made.expressions.push_back(skip_word("if") ? parse_expression() : nullptr);
    expect_statement_end();
    loops_.push_back(&made.uses_loop);
    made.bodies.push_back(parse_block({"else", "endfor"}));
    loops_.pop_back();
    if (skip_word("else")) {
      made.bodies.push_back(parse_body("endfor"));
    } else {
      next();
    }
  }

  void parse_set(statement& made) {
    made.targets.push_back(parse_target(true));
    if (skip_symbol("=")) {
      made.is = statement::kind::set;
      made.expressions.push_back(parse_tuple(true, false));
      return;
    }
    made.is = statement::kind::set_block;
    if (skip_symbol("|")) made.expressions.push_back(parse_filters());
    made.bodies.push_back(parse_body("endset"));
  }

  void parse_macro(statement& made) {
    made.is = statement::kind::macro;
    made.name = now().text;
    made.targets.push_back(parse_name_target());
    parse_signature(made.parameters);
    // A loop around it cannot be left from inside.
    const auto loops = std::exchange(loops_, {});
    made.bodies.push_back(parse_body("endmacro"));
    loops_ = loops;
  }

  void parse_signature(signature& parameters) {
    expect_symbol("(");
    while (!is_symbol(")")) {
      if (!parameters.names.empty()) expect_symbol(",");
      if (is_symbol(")")) break;
      parameters.names.push_back(parse_name_target().name);
      if (skip_symbol("=")) {
        parameters.defaults.push_back(parse_expression());
      } else if (!parameters.defaults.empty()) {
        fail_at("expected a default for every parameter after the first that has one");
      }
    }
    next();
  }

  target parse_name_target() {
    const int line = now().line;
    const std::string name = expect_name();
    for (const char* constant : {"true", "True", "false", "False", "none", "None"})
      if (name == constant) fail(line, "'" + name + "' cannot be assigned to");
    target made;
    made.name = intern(name);
    return made;
  }

  target parse_one_target(bool with_attributes) {
    if (skip_symbol("(")) {
      const level inside(*this);
      target made = parse_target(with_attributes);
      expect_symbol(")");
      return made;
    }
    target made = parse_name_target();
    if (with_attributes && skip_symbol(".")) {
      made.is = target::kind::attribute;
      made.attribute = expect_name();
    }
    return made;
  }

  target parse_target(bool with_attributes) {
    target first = parse_one_target(with_attributes);
    if (!is_symbol(",")) return first;
    target made;
    made.is = target::kind::tuple;
    made.parts.push_back(std::move(first));
    while (skip_symbol(",") && (now().is == token::kind::name || is_symbol("(")) && !is_word("in"))
      made.parts.push_back(parse_one_target(with_attributes));
    return made;
  }

  std::vector<token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::vector<bool*> loops_;  // around this place, in the same macro: whether `loop` is used
  std::map<std::string, std::size_t> numbers_;
  program result_;
};

}  // namespace rocmforge::jinja
