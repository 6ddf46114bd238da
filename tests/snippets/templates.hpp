// A chat template, and what a user says.
#pragma once

#include <rocmforge/text/jinja.hpp>

#include "snippet.hpp"

struct prelude : rocmforge::testing::snippet {
  void show(const std::string&) {}
  const std::string source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}";
  const std::string said = "Name three primary colors.";
};
