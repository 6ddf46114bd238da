#include "chat.hpp"

#include <fmt/format.h>

#include <rocmforge/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "generate.hpp"
#include "report.hpp"
#include "sampler.hpp"
#include "stopwatch.hpp"
#include "terminal.hpp"

namespace decoder {
namespace {

using rocmforge::chat_message;

/// The turns that the model holds, and the end of the last reply that it does not hold yet.
class conversation {
 public:
  conversation(engine& model, const rocmforge::tokenizer& tokenizer, const options& o)
      : model_(model), tokenizer_(tokenizer), options_(o), choose_(o.sampling) {}

  void clear() {
    model_.truncate(0);
    not_held_.clear();
    choose_.forget();
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
    std::vector<float> logits(static_cast<std::size_t>(model_.vocab_size()));
    const stopwatch prompt_time;
    if (!append_prompt(model_, tokens, logits)) {
      model_.truncate(length_before);
      return;
    }
    times_.prompt_seconds += prompt_time.seconds();
    times_.prompt_tokens += tokens.size();
    choose_.accept(tokens);
    const completion reply = complete(model_, tokenizer_, choose_, logits,
                                      {options_.max_tokens, options_.stops}, write_out);
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
  sampler choose_;
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
  if (!o.quiet) write_error(speed_line(turns.times(), model, o.sampling));
}

}  // namespace decoder
