// Chat templates: the part of Jinja2 that the `tokenizer.chat_template` of GGUF files is written
// in, as transformers runs it. A template comes from an untrusted file: what it may cost is
// limited, and it can reach nothing but the values that it is given.
#pragma once

#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rocmforge/text/jinja/interpreter.hpp>
#include <rocmforge/text/jinja/parser.hpp>
#include <rocmforge/text/jinja/value.hpp>

namespace rocmforge::jinja {

/// A piece of a rendered text.
struct segment {
  std::string text;
  bool is_data = false;  // said by a message, not by the template: no special token may come of it
};

struct render_options {
  limits limit;
  /// The time for strftime_now; the local time if there is none.
  std::function<std::tm()> clock;
};

/// A template, parsed. Rendering does not change it; several threads may render at once.
class chat_template {
 public:
  /// @throws error "chat template: line N: ..." if the source is not a template, or uses what is
  ///         not supported
  explicit chat_template(std::string_view source) : tree_(parser::parse(source)) {}

  /// Renders the template.
  ///
  /// @param context  values of names: `messages`, `add_generation_prompt`, `bos_token`, ... Texts
  ///                 that are data (`marked_text(text, true)`) stay so through all that the
  ///                 template does with them.
  /// @return the text in pieces, of which neighbors differ in `is_data`
  /// @throws error "chat template: line N: ..." where the template fails, by its own
  /// raise_exception
  ///         too, or asks for more than the limits allow
  [[nodiscard]] std::vector<segment> render(const mapping& context,
                                            const render_options& options = {}) const {
    const marked_text text = interpreter(tree_, context, options.limit, options.clock).run();
    std::vector<segment> segments;
    for (std::size_t first = 0; first < text.size();) {
      const bool is_data = text.is_data(first);
      std::size_t last = first;
      while (last < text.size() && text.is_data(last) == is_data) ++last;
      segments.push_back({text.bytes().substr(first, last - first), is_data});
      first = last;
    }
    return segments;
  }

 private:
  program tree_;
};

}  // namespace rocmforge::jinja
