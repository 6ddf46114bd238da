// Jinja2 decides before a template runs where each name comes from. A body that assigns to a name
// before it reads it has the name to itself from the start: bodies inside it find it undefined
// until then, even where the conversation has a value of this name.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/parser.hpp>

namespace rocmforge::jinja {

/// Finds for every body with names of its own those that hide values from outside.
class hidden_names {
 public:
  static void find(program& tree) {
    hidden_names finder;
    names root;
    finder.read_block(root, tree.body);
    tree.hidden = list_hidden(root);
    finder.enter_block(root, tree.body);
  }

 private:
  /// Names of a body, or of a branch in it.
  struct names {
    const names* before = nullptr;                // what the body had before the branch
    const names* around = nullptr;                // of the body around this one, complete
    std::unordered_map<std::size_t, bool> known;  // whether it hides what is outside
    std::unordered_set<std::size_t> stored;

    [[nodiscard]] bool has(std::size_t name) const {
      for (const names* n = this; n != nullptr; n = n->before)
        if (n->known.contains(name)) return true;
      return false;
    }
    [[nodiscard]] bool has_stored(std::size_t name) const {
      for (const names* n = this; n != nullptr; n = n->before)
        if (n->stored.contains(name)) return true;
      return false;
    }
    [[nodiscard]] bool is_outside(std::size_t name) const {
      const names* n = this;
      while (n->before != nullptr) n = n->before;
      for (n = n->around; n != nullptr; n = n->around)
        if (n->has(name)) return true;
      return false;
    }
    void load(std::size_t name) {
      if (!has(name) && !is_outside(name)) known[name] = false;
    }
    void store(std::size_t name) {
      stored.insert(name);
      if (!has(name)) known[name] = !is_outside(name);
    }
    void declare(std::size_t name) { known[name] = false; }
  };

  static std::vector<std::size_t> list_hidden(const names& of) {
    std::vector<std::size_t> result;
    for (const auto& [name, is_hidden] : of.known)
      if (is_hidden) result.push_back(name);
    return result;
  }

  static void read(names& into, const expression* e) {
    if (e == nullptr) return;
    if (e->is == expression::kind::name) into.load(e->name);
    for (const expression_ptr& child : e->children) read(into, child.get());
    for (const call_argument& argument : e->arguments) read(into, argument.given.get());
  }

  static void store(names& into, const target& to, bool as_parameter = false) {
    if (to.is == target::kind::tuple) {
      for (const target& part : to.parts) store(into, part, as_parameter);
    } else if (to.is == target::kind::attribute) {
      into.load(to.name);
    } else if (as_parameter) {
      into.declare(to.name);
    } else {
      into.store(to.name);
    }
  }

  // What a body itself reads and assigns to, in its order, without the bodies in it that have names
  // of their own.

  void read_block(names& into, const block& body) {
    for (const statement& s : body) read_statement(into, s);
  }

  void read_statement(names& into, const statement& s) {
    using kind = statement::kind;
    if (s.is == kind::condition) {
      read_condition(into, s, 0);
    } else if (s.is == kind::for_loop) {
      read(into, s.expressions[0].get());
    } else if (s.is == kind::macro || s.is == kind::set_block) {
      store(into, s.targets[0]);
    } else if (s.is == kind::set) {
      read(into, s.expressions[0].get());
      store(into, s.targets[0]);
    } else {
      for (const expression_ptr& e : s.expressions) read(into, e.get());
    }
    if (s.is == kind::set_block)
      for (const expression_ptr& e : s.expressions) read(into, e.get());
  }

  /// Three branches: the body, every elif, and else. What not all of them assign to comes from
  /// outside where it is not assigned.
  void read_condition(names& into, const statement& s, std::size_t first) {
    read(into, s.expressions[first].get());
    names branches[3];
    for (names& branch : branches) branch.before = &into;
    read_block(branches[0], s.bodies[first]);
    for (std::size_t i = first + 1; i < s.expressions.size(); ++i) {
      // Each elif is an if of its own, with one branch.
      read(branches[1], s.expressions[i].get());
      names only;
      only.before = &branches[1];
      read_block(only, s.bodies[i]);
      const names* all[] = {&only};
      merge(branches[1], all, 3);
    }
    if (s.bodies.size() > s.expressions.size()) read_block(branches[2], s.bodies.back());
    const names* all[] = {&branches[0], &branches[1], &branches[2]};
    merge(into, all, 3);
  }

  template <std::size_t Count>
  static void merge(names& into, const names* const (&branches)[Count], int num_branches) {
    std::unordered_map<std::size_t, int> counts;
    for (const names* branch : branches)
      for (const std::size_t name : branch->stored)
        if (!into.has_stored(name)) ++counts[name];
    for (const names* branch : branches) {
      for (const auto& [name, is_hidden] : branch->known) into.known[name] = is_hidden;
      into.stored.insert(branch->stored.begin(), branch->stored.end());
    }
    for (const auto& [name, count] : counts)
      if (count != num_branches) into.known[name] = false;
  }

  // The bodies with names of their own, once the one around them is complete.

  void enter_block(const names& around, block& body) {
    for (statement& s : body) enter_statement(around, s);
  }

  void enter_statement(const names& around, statement& s) {
    using kind = statement::kind;
    if (s.is == kind::condition) {
      for (block& branch : s.bodies) enter_block(around, branch);
      return;
    }
    for (std::size_t i = 0; i < s.bodies.size(); ++i) {
      names inside;
      inside.around = &around;
      if (s.is == kind::for_loop && i == 0) {
        store(inside, s.targets[0], true);
        if (s.uses_loop) inside.declare(parser::loop_name);
      }
      if (s.is == kind::with)
        for (const target& to : s.targets) store(inside, to, true);
      if (s.is == kind::macro || s.is == kind::call) {
        for (const std::size_t name :
             {parser::caller_name, parser::varargs_name, parser::kwargs_name})
          inside.declare(name);
        for (const std::size_t name : s.parameters.names) inside.declare(name);
        for (const expression_ptr& e : s.parameters.defaults) read(inside, e.get());
      }
      read_block(inside, s.bodies[i]);
      s.hidden.push_back(list_hidden(inside));
      enter_block(inside, s.bodies[i]);
    }
  }
};

}  // namespace rocmforge::jinja
