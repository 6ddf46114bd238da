#include "chat.hpp"

#include <fmt/format.h>

#include <algorithm>
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

/// A conversation, and the tokens that the cache has of it. A template may write earlier turns in
/// another way once there are later ones (without their thoughts, for example), so that each turn
/// writes all of them and the cache keeps what is the same.
class conversation {
 public:
  conversation(engine& model, const rocmforge::tokenizer& tokenizer,
               const rocmforge::chat_writer& writer, const options& o)
      : model_(model),
        tokenizer_(tokenizer),
        writer_(writer),
        options_(o),
        chooser_(o.choice, tokenizer.vocab().suppressed) {
    clear();
  }

  void clear() {
    messages_.clear();
    if (options_.system) messages_.push_back({"system", *options_.system});
    keep(0);
  }

  /// Answers one turn on standard output.
  void answer(const std::string& text) {
    messages_.push_back({"user", text});
    const std::vector<int> tokens = writer_.encode(messages_, true);
    std::size_t num_same =
        static_cast<std::size_t>(std::ranges::mismatch(tokens, held_).in1 - tokens.begin());
    if (num_same > 0 && num_same == tokens.size()) --num_same;  // the last one's logits are wanted
    if (tokens.size() > static_cast<std::size_t>(model_.context())) {
      write_error(fmt::format(
          "the context is full: with this turn the conversation has {} tokens, expected "
          "at most {}; /clear starts anew\n",
          tokens.size(), model_.context()));
      messages_.pop_back();
      return;
    }
    keep(num_same);
    const stopwatch prompt_time;
    const auto added = std::span(tokens).subspan(num_same);
    if (!append_prompt(model_, added, num_choices_of(model_, tokenizer_))) {
      keep(num_same);
      messages_.pop_back();
      return;
    }
    held_ = tokens;
    times_.prompt_seconds += prompt_time.seconds();
    times_.prompt_tokens += added.size();
    chooser_.forget();
    chooser_.accept(tokens);
    const completion reply =
        complete(model_, tokenizer_, chooser_, {options_.max_tokens, options_.stops}, write_out);
    if (!reply.text.ends_with('\n')) write_out("\n");
    if (reply.reason == finish_reason::context_full) write_error(context_full_line(model_));
    held_.insert(held_.end(), reply.tokens.begin(), reply.tokens.begin() + reply.num_steps);
    messages_.push_back({"assistant", reply.text});
    times_.generated_tokens += reply.tokens.size();
    times_.steps += reply.num_steps;
    times_.step_seconds += reply.seconds;
  }

  [[nodiscard]] const timing& times() const { return times_; }

 private:
  /// Drops all but the first `num_tokens` from the cache.
  void keep(std::size_t num_tokens) {
    held_.resize(num_tokens);
    model_.truncate(static_cast<int>(num_tokens));
  }

  engine& model_;
  const rocmforge::tokenizer& tokenizer_;
  const rocmforge::chat_writer& writer_;
  const options& options_;
  token_chooser chooser_;
  std::vector<chat_message> messages_;
  std::vector<int> held_;
  timing times_;
};

}  // namespace

void chat(engine& model, const rocmforge::tokenizer& tokenizer,
          const rocmforge::chat_writer& writer, const options& o) {
  const interrupt_scope scope;
  const bool interactive = input_is_terminal();
  if (interactive) write_error("Ctrl-C stops a reply, /clear starts anew, Ctrl-D ends.\n");
  conversation turns(model, tokenizer, writer, o);
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
  if (!o.quiet) write_error(assumptions_line(tokenizer));
  if (!o.quiet) write_error(speed_line(turns.times(), model, o.choice));
}

}  // namespace decoder
