#include "chat.hpp"

#include <fmt/format.h>

#include <rocmforge/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "generate.hpp"
#include "report.hpp"
#include "stopwatch.hpp"
#include "terminal.hpp"
#include "token_chooser.hpp"

namespace decoder {
namespace {

using rocmforge::chat_message;

/// A conversation: the turns in the cache, and the end of the last reply, which is not there yet.
class conversation {
 public:
  conversation(engine& model, const rocmforge::tokenizer& tokenizer, const options& o)
      : model_(model), tokenizer_(tokenizer), options_(o), chooser_(o.choice) {}

  void clear() {
    model_.truncate(0);
    not_held_.clear();
    chooser_.forget();
  }

  /// Answers one turn on standard output.
  void answer(const std::string& text) {
    const std::vector<int> tokens = tokens_of(text);
    const int length_before = model_.length();
    if (tokens.size() > static_cast<std::size_t>(model_.context() - length_before)) {
      write_error(
          fmt::format("the context is full: {} of {} tokens are taken and this turn needs {}; "
                      "/clear starts anew\n",
                      length_before, model_.context(), tokens.size()));
      return;
    }
    const stopwatch prompt_time;
    if (!append_prompt(model_, tokens, num_choices_of(model_, tokenizer_))) {
      model_.truncate(length_before);
      return;
    }
    times_.prompt_seconds += prompt_time.seconds();
    times_.prompt_tokens += tokens.size();
    chooser_.accept(std::span(tokens).subspan(not_held_.size()));  // it has those
    const completion reply =
        complete(model_, tokenizer_, chooser_, {options_.max_tokens, options_.stops}, write_out);
    if (!reply.text.ends_with('\n')) write_out("\n");
    if (reply.reason == finish_reason::context_full) write_error(context_full_line(model_));
    not_held_.assign(reply.tokens.begin() + reply.num_steps, reply.tokens.end());
    times_.generated_tokens += reply.tokens.size();
    times_.steps += reply.num_steps;
    times_.step_seconds += reply.seconds;
  }

  [[nodiscard]] const timing& times() const { return times_; }

 private:
  std::vector<int> tokens_of(const std::string& text) const {
    if (model_.length() == 0) {
      std::vector<chat_message> messages;
      if (options_.system) messages.push_back({"system", *options_.system});
      messages.push_back({"user", text});
      return rocmforge::encode_chat(tokenizer_, messages, true);
    }
    std::vector<int> tokens = not_held_;
    const chat_message message = {"user", text};
    const auto turn = rocmforge::continue_chat(tokenizer_, std::span(&message, 1), true);
    tokens.insert(tokens.end(), turn.begin(), turn.end());
    return tokens;
  }

  engine& model_;
  const rocmforge::tokenizer& tokenizer_;
  const options& options_;
  token_chooser chooser_;
  std::vector<int> not_held_;
  timing times_;
};

}  // namespace

void chat(engine& model, const rocmforge::tokenizer& tokenizer, const options& o) {
  const interrupt_scope scope;
  const bool interactive = input_is_terminal();
  if (interactive) write_error("Ctrl-C stops a reply, /clear starts anew, Ctrl-D ends.\n");
  conversation turns(model, tokenizer, o);
  line_reader input;
  for (;;) {
    forget_interrupt();
    if (interactive) write_error("> ");
    const auto line = input.next();
    if (!line) break;
    if (*line == "/clear") {
      turns.clear();
    } else if (!line->empty()) {
      turns.answer(*line);
    }
  }
  if (interactive) write_error("\n");
  if (!o.quiet) write_error(speed_line(turns.times(), model, o.choice));
}

}  // namespace decoder
