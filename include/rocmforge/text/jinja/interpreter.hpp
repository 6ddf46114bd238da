// Runs a template's tree. As in Jinja2 the bodies of for, macro, filter, generation and of set have
// names of their own, and those of if have not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/builtins.hpp>
#include <rocmforge/text/jinja/filters.hpp>
#include <rocmforge/text/jinja/methods.hpp>
#include <rocmforge/text/jinja/operators.hpp>
#include <rocmforge/text/jinja/parser.hpp>
#include <rocmforge/text/jinja/runtime.hpp>

namespace rocmforge::jinja {

class interpreter {
 public:
  /// @param names_seen  values for names of the conversation
  interpreter(const program& tree, const mapping& context, const limits& limit,
              std::function<std::tm()> clock)
      : tree_(tree), run_(limit, std::move(clock)) {
    for (const std::string& name : tree.names) {
      const value* given = context.find(value(name));
      globals_.push_back(given != nullptr ? std::optional(*given) : find_function(run_, name));
    }
  }

  /// @throws error with the line
  marked_text run() {
    scope_ = std::make_shared<scope>(nullptr);
    try {
      run_block(tree_.body);
    } catch (const error& what) {
      fail(run_.line, what.what());
    }
    return std::move(output_);
  }

 private:
  using expr = expression::kind;
  enum class flow { normal, break_loop, continue_loop };

  /// A body's own names, for as long as it runs.
  class inner_scope {
   public:
    inner_scope(interpreter& owner, std::shared_ptr<scope> names)
        : owner_(owner), outer_(std::exchange(owner.scope_, std::move(names))) {}
    ~inner_scope() { owner_.scope_ = std::move(outer_); }
    inner_scope(const inner_scope&) = delete;
    inner_scope& operator=(const inner_scope&) = delete;

   private:
    interpreter& owner_;
    std::shared_ptr<scope> outer_;
  };

  /// Keeps what is written, for as long as it lives.
  class capture {
   public:
    explicit capture(interpreter& owner)
        : owner_(owner), outer_(std::exchange(owner.out_, &text)) {}
    ~capture() { owner_.out_ = outer_; }
    capture(const capture&) = delete;
    capture& operator=(const capture&) = delete;
    marked_text text;

   private:
    interpreter& owner_;
    marked_text* outer_;
  };

  /// Names for a body, inside of those that are there now.
  [[nodiscard]] std::shared_ptr<scope> new_scope() { return std::make_shared<scope>(scope_); }

  // Statements.

  flow run_block(const block& body) {
    const runtime::level inside(run_);
    for (const statement& s : body) {
      run_.line = s.line;
      run_.work.take_steps();
      const flow what = run_statement(s);
      if (what != flow::normal) return what;
    }
    return flow::normal;
  }

  flow run_statement(const statement& s) {
    // Through a table, so that no frame is as large as those of all statements together.
    using runner = flow (interpreter::*)(const statement&);
    static constexpr runner runners[] = {
        &interpreter::run_text,  &interpreter::run_output,  &interpreter::run_for,
        &interpreter::run_if,    &interpreter::run_set,     &interpreter::run_set_block,
        &interpreter::run_macro, &interpreter::run_filter,  &interpreter::run_own_scope,
        &interpreter::run_break, &interpreter::run_continue};
    return (this->*runners[static_cast<std::size_t>(s.is)])(s);
  }

  void write(const marked_text& text) {
    if (out_ == &output_) {
      run_.work.take_output_bytes(text.size());
    } else {
      run_.work.take_value_bytes(text.size());
    }
    *out_ += text;
  }

  flow run_text(const statement& s) {
    write(s.text.text());
    return flow::normal;
  }

  flow run_output(const statement& s) {
    const value v = evaluate(*s.expressions[0]);
    write(string_of(run_, v).text());
    return flow::normal;
  }

  flow run_if(const statement& s) {
    for (std::size_t i = 0; i < s.expressions.size(); ++i)
      if (evaluate(*s.expressions[i]).truth()) return run_block(s.bodies[i]);
    return s.bodies.size() > s.expressions.size() ? run_block(s.bodies.back()) : flow::normal;
  }

  /// The condition is asked before each turn, but if the body asks for `loop`, which has to know
  /// how many turns there are: then for all items at first.
  flow run_for(const statement& s) {
    std::vector<value> items = items_of(run_, evaluate(*s.expressions[0]));
    const expression* condition = s.expressions[1].get();
    std::shared_ptr<loop_state> loop;
    if (s.uses_loop) {
      loop = std::make_shared<loop_state>();
      run_.keep(loop);
      for (value& item : items)
        if (condition == nullptr || passes(s, item, *condition))
          loop->items.push_back(std::move(item));
      condition = nullptr;
    }
    const std::vector<value>& turns = loop ? loop->items : items;
    bool some = false;
    std::shared_ptr<scope> names;
    for (std::size_t i = 0; i < turns.size(); ++i) {
      run_.work.take_steps();
      if (condition != nullptr && !passes(s, turns[i], *condition)) continue;
      if (!names || names.use_count() > 1) {
        names = new_scope();
      } else {
        names->values.clear();
      }
      const inner_scope inner(*this, names);
      if (loop) {
        loop->index = i;
        names->set(parser::loop_name, value(loop));
      }
      assign(s.targets[0], turns[i]);
      // As jinja2: a turn that ends by break or continue does not keep else from running.
      const flow what = run_block(s.bodies[0]);
      if (what == flow::break_loop) break;
      some = some || what == flow::normal;
    }
    if (some || s.bodies.size() == 1) return flow::normal;
    const inner_scope inner(*this, new_scope());
    return run_block(s.bodies[1]);
  }

  bool passes(const statement& s, const value& item, const expression& condition) {
    const inner_scope inner(*this, new_scope());
    assign(s.targets[0], item);
    return evaluate(condition).truth();
  }

  flow run_break(const statement&) { return flow::break_loop; }
  flow run_continue(const statement&) { return flow::continue_loop; }

  void assign(const target& to, const value& v) {
    if (to.is == target::kind::name) {
      run_.work.take_steps(1 + scope_->values.size() / 8);
      scope_->set(to.name, v);
      return;
    }
    if (to.is == target::kind::attribute) {
      const value space = look_up(to.name);
      if (!space.is_mapping() || space.is_dict())
        throw error("'" + printable(tree_.names[to.name], 40) +
                    "' is no namespace, its attributes cannot be set");
      detail::set_item(run_, space.dict(), value(to.attribute), v);
      return;
    }
    if (v.is_undefined()) throw error(v.why_undefined());
    const std::vector<value> items = items_of(run_, v);
    if (items.size() != to.parts.size())
      throw error(std::to_string(items.size()) + " values cannot be assigned to " +
                  std::to_string(to.parts.size()) + " names");
    for (std::size_t i = 0; i < items.size(); ++i) assign(to.parts[i], items[i]);
  }

  flow run_set(const statement& s) {
    const value v = evaluate(*s.expressions[0]);
    assign(s.targets[0], v);
    return flow::normal;
  }

  /// What a body writes, with names of its own, through filters if there are any.
  value captured_body(const statement& s, const expression* filters) {
    value text;
    {
      const inner_scope inner(*this, new_scope());
      capture written(*this);
      run_block(s.bodies[0]);
      text = value(std::move(written.text));
    }
    if (filters == nullptr) return text;
    captured_ = text;
    return evaluate(*filters);
  }

  flow run_set_block(const statement& s) {
    const value v = captured_body(s, s.expressions.empty() ? nullptr : s.expressions[0].get());
    assign(s.targets[0], v);
    return flow::normal;
  }

  flow run_filter(const statement& s) {
    const value v = captured_body(s, s.expressions[0].get());
    write(string_of(run_, v).text());
    return flow::normal;
  }

  flow run_own_scope(const statement& s) {
    const inner_scope inner(*this, new_scope());
    return run_block(s.bodies[0]);
  }

  /// A macro sees the names around the place where it was made.
  flow run_macro(const statement& s) {
    run_.keep(scope_);
    assign(s.targets[0],
           run_.function(s.name, [this, &s, around = scope_](runtime&, arguments& given) {
             return call_macro(s, around, given);
           }));
    return flow::normal;
  }

  value call_macro(const statement& s, const std::shared_ptr<scope>& around, arguments& given) {
    const signature& takes = s.parameters;
    const std::size_t count = takes.names.size();
    if (given.positional.size() > count)
      throw error("the macro takes at most " + std::to_string(count) + " arguments, not " +
                  std::to_string(given.positional.size()));
    std::vector<std::optional<value>> values(given.positional.begin(), given.positional.end());
    values.resize(count);
    for (auto& [name, item] : given.named) {
      std::size_t i = 0;
      while (i < count && tree_.names[takes.names[i]] != name) ++i;
      if (i == count) throw error("the macro has no argument '" + printable(name, 40) + "'");
      if (values[i]) throw error("argument '" + printable(name, 40) + "' is given twice");
      values[i] = item;
    }
    const inner_scope inner(*this, std::make_shared<scope>(around));
    const std::size_t first_default = count - takes.defaults.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!values[i])
        values[i] =
            i >= first_default
                ? evaluate(*takes.defaults[i - first_default])
                : value(undefined{"parameter '" + printable(tree_.names[takes.names[i]], 40) +
                                  "' was not given"});
      scope_->set(takes.names[i], *values[i]);
    }
    capture written(*this);
    run_block(s.bodies[0]);
    return value(std::move(written.text));
  }

  // Expressions.

  value look_up(std::size_t name) {
    for (scope* names = scope_.get(); names != nullptr; names = names->parent.get()) {
      run_.work.take_steps(names->values.size() / 16);
      if (const value* found = names->find(name)) return *found;
    }
    if (globals_[name]) return *globals_[name];
    return undefined{"'" + printable(tree_.names[name], 40) + "' is undefined"};
  }

  value evaluate(const expression& e) {
    using evaluator = value (interpreter::*)(const expression&);
    static constexpr evaluator evaluators[] = {
        &interpreter::evaluate_constant,   &interpreter::evaluate_name,
        &interpreter::evaluate_captured,   &interpreter::evaluate_list,
        &interpreter::evaluate_list,       &interpreter::evaluate_dict,
        &interpreter::evaluate_negative,   &interpreter::evaluate_positive,
        &interpreter::evaluate_not,        &interpreter::evaluate_and,
        &interpreter::evaluate_or,         &interpreter::evaluate_binary,
        &interpreter::evaluate_comparison, &interpreter::evaluate_conditional,
        &interpreter::evaluate_attribute,  &interpreter::evaluate_item,
        &interpreter::evaluate_slice,      &interpreter::evaluate_call,
        &interpreter::evaluate_filter,     &interpreter::evaluate_test};
    const runtime::level inside(run_);
    run_.work.take_steps();
    return (this->*evaluators[static_cast<std::size_t>(e.is)])(e);
  }

  value child(const expression& e, std::size_t i) {
    value v = evaluate(*e.children[i]);
    run_.line = e.line;
    return v;
  }

  value evaluate_constant(const expression& e) { return e.constant; }
  value evaluate_name(const expression& e) { return look_up(e.name); }
  value evaluate_captured(const expression&) { return captured_; }

  value evaluate_list(const expression& e) {
    std::vector<value> items;
    items.reserve(e.children.size());
    for (const expression_ptr& item : e.children) items.push_back(evaluate(*item));
    return run_.list(std::move(items), e.is == expr::tuple);
  }

  value evaluate_dict(const expression& e) {
    mapping items;
    for (std::size_t i = 0; i < e.children.size(); i += 2) {
      const value key = child(e, i);
      detail::set_item(run_, items, key, child(e, i + 1));
    }
    return run_.dict(std::move(items));
  }

  value evaluate_negative(const expression& e) { return negate(child(e, 0)); }
  value evaluate_positive(const expression& e) {
    const value v = child(e, 0);
    if (v.is_undefined()) throw error(v.why_undefined());
    if (v.is_whole()) return v.integer();
    if (!v.is_real()) throw error(std::string("'+' is not defined for ") + v.type_name());
    return v;
  }
  value evaluate_not(const expression& e) { return !child(e, 0).truth(); }
  value evaluate_and(const expression& e) {
    value left = child(e, 0);
    return left.truth() ? child(e, 1) : left;
  }
  value evaluate_or(const expression& e) {
    value left = child(e, 0);
    return left.truth() ? left : child(e, 1);
  }
  value evaluate_binary(const expression& e) {
    const value left = child(e, 0), right = child(e, 1);
    return apply_binary(run_, e.text, left, right);
  }

  value evaluate_comparison(const expression& e) {
    value left = child(e, 0);
    for (std::size_t i = 0; i < e.operators.size(); ++i) {
      value right = child(e, i + 1);
      if (!compare(run_, e.operators[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  value evaluate_conditional(const expression& e) {
    if (child(e, 0).truth()) return child(e, 1);
    if (e.children.size() == 3) return child(e, 2);
    return undefined{"the condition of an if without else is false"};
  }

  value evaluate_attribute(const expression& e) { return get_attribute(run_, child(e, 0), e.text); }
  value evaluate_item(const expression& e) {
    const value base = child(e, 0);
    return get_item(run_, base, child(e, 1));
  }
  value evaluate_slice(const expression& e) {
    const value base = child(e, 0);
    value parts[3] = {none{}, none{}, none{}};
    for (std::size_t i = 0; i < 3; ++i)
      if (e.children[i + 1]) parts[i] = child(e, i + 1);
    return slice_of(run_, base, parts[0], parts[1], parts[2]);
  }

  void evaluate_arguments(const expression& e, arguments& given) {
    for (const call_argument& argument : e.arguments) {
      value v = evaluate(*argument.given);
      if (argument.name.empty()) {
        given.positional.push_back(std::move(v));
      } else {
        given.named.emplace_back(argument.name, std::move(v));
      }
    }
    run_.line = e.line;
  }

  value evaluate_call(const expression& e) {
    const expression& callee = *e.children[0];
    arguments given;
    if (callee.is == expr::attribute) {
      const value base = child(callee, 0);
      const detail::method found = find_method(base, callee.text);
      const value f = found == nullptr ? get_attribute(run_, base, callee.text) : value();
      evaluate_arguments(e, given);
      return found != nullptr ? found(run_, base, given) : run_.call(f, given);
    }
    const value f = child(e, 0);
    evaluate_arguments(e, given);
    return run_.call(f, given);
  }

  value evaluate_filter(const expression& e) {
    arguments given;
    given.positional.push_back(child(e, 0));
    evaluate_arguments(e, given);
    return apply_filter(run_, e.text, given);
  }

  value evaluate_test(const expression& e) {
    arguments given;
    given.positional.push_back(child(e, 0));
    evaluate_arguments(e, given);
    return apply_test(run_, e.text, given);
  }

  const program& tree_;
  runtime run_;
  std::vector<std::optional<value>> globals_;
  std::shared_ptr<scope> scope_;
  marked_text output_;
  marked_text* out_ = &output_;
  value captured_;
};

}  // namespace rocmforge::jinja
