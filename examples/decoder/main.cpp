// Loads a language model from a GGUF file and generates text. docs/decoder.md describes its use.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <new>
#include <rocmforge/error.hpp>
#include <rocmforge/gguf.hpp>
#include <rocmforge/tokenizer.hpp>
#include <string>
#include <vector>

#include "bench.hpp"
#include "chat.hpp"
#include "generate.hpp"
#include "machine.hpp"
#include "options.hpp"
#include "report.hpp"
#include "stopwatch.hpp"
#include "terminal.hpp"

namespace decoder {
namespace {

constexpr int status_interrupted = 130;
constexpr int status_bad_input = 2;
constexpr int status_fault = 1;

/// What writes a conversation: the model's own template, or the one that --template chooses.
rocmforge::chat_writer make_writer(const rocmforge::tokenizer& tokenizer, const options& o) {
  if (!o.chat_template) {
    try {
      return rocmforge::chat_writer(tokenizer);
    } catch (const rocmforge::error& fault) {
      throw rocmforge::error(std::string(fault.what()) +
                             "; --template gives another, --raw needs none");
    }
  }
  const std::string& name = *o.chat_template;
  if (const auto known = find_chat_template(tokenizer, name))
    return {tokenizer, *known, "--template " + rocmforge::printable(name)};
  std::ifstream file(name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file || text.empty()) {
    throw rocmforge::error(
        fmt::format("--template {}: no file that can be read, expected one or {}",
                    rocmforge::printable(name), chat_template_names(tokenizer)));
  }
  return {tokenizer, text, rocmforge::printable(name)};
}

/// The tokens of the prompt: of the text itself with --raw or if the file has no chat template,
/// otherwise of one user turn.
std::vector<int> encode_prompt(const rocmforge::tokenizer& tokenizer, const options& o) {
  const std::string text = *o.prompt == "-" ? read_all_input() : *o.prompt;
  if (text.empty()) throw rocmforge::error("standard input: empty, expected a prompt");
  if (!o.raw && (o.chat_template || has_chat_template(tokenizer))) {
    std::vector<rocmforge::chat_message> messages;
    if (o.system) messages.push_back({"system", *o.system});
    messages.push_back({"user", text});
    return make_writer(tokenizer, o).encode(messages, true);
  }
  if (o.system)
    throw rocmforge::error("--system: expected a model with a chat template, or --template");
  std::vector<int> tokens;
  const int bos = tokenizer.vocab().bos;
  const auto body = tokenizer.encode(
      text, o.raw ? rocmforge::special_tokens::parse : rocmforge::special_tokens::as_text);
  const bool has_bos = !body.empty() && body.front() == bos;  // written in the text
  if (tokenizer.vocab().add_bos && !has_bos) tokens.push_back(bos);
  tokens.insert(tokens.end(), body.begin(), body.end());  // never eos: the model continues the text
  return tokens;
}

int print_tokens(const rocmforge::tokenizer& tokenizer, std::span<const int> tokens,
                 const options& o) {
  write_out(o.json ? tokens_json(tokens) : fmt::format("{}\n", fmt::join(tokens, " ")));
  if (!o.quiet) write_error(assumptions_line(tokenizer));
  return 0;
}

int generate(engine& model, const rocmforge::tokenizer& tokenizer, const std::vector<int>& prompt,
             const options& o) {
  const interrupt_scope scope;
  const bool scored = o.num_top_logits > 0;
  prompt_score score;
  timing times;
  const stopwatch prompt_time;
  const bool complete_prompt = scored
                                   ? append_scored_prompt(model, prompt, o.num_top_logits, score)
                                   : append_prompt(model, prompt, num_choices_of(model, tokenizer));
  if (!complete_prompt) return status_interrupted;
  times.prompt_tokens = prompt.size();
  times.prompt_seconds = prompt_time.seconds();

  token_chooser chooser(o.choice, tokenizer.vocab().suppressed);
  chooser.accept(prompt);
  const auto show = [&o](std::string_view text) {
    if (!o.json) write_out(text);
  };
  const completion result = complete(model, tokenizer, chooser, {o.max_tokens, o.stops}, show);
  times.generated_tokens = result.tokens.size();
  times.steps = result.num_steps;
  times.step_seconds = result.seconds;

  if (o.json) {
    write_out(completion_json(prompt, result, times, o.choice.seed, scored ? &score : nullptr));
  } else if (!result.text.empty() && !result.text.ends_with('\n')) {
    write_out("\n");
  }
  if (result.reason == finish_reason::context_full) write_error(context_full_line(model));
  if (!o.quiet) write_error(assumptions_line(tokenizer));
  if (!o.quiet && !o.json) write_error(speed_line(times, model, o.choice));
  return result.reason == finish_reason::interrupted ? status_interrupted : 0;
}

int bench(engine& model, const options& o) {
  const timing times = measure(model, o.bench_prompt_tokens, o.bench_steps);
  write_out(o.json ? bench_json(times)
                   : speed_line(times, model, {.sampling = {.temperature = 0}}));
  return 0;
}

int run(const options& o) {
  if (o.what == action::show_text || o.what == action::list_devices) {
    write_out(o.what == action::show_text ? o.text_to_show : device_list());
    return 0;
  }
  const machine_device device = find_device(o.device);
  const rocmforge::gguf::file file(o.model);
  if (o.what == action::bench) return bench(*load_model(file, o, device), o);

  const rocmforge::tokenizer tokenizer(rocmforge::load_vocabulary(file));
  if (o.what == action::chat) {
    const rocmforge::chat_writer writer = make_writer(tokenizer, o);
    chat(*load_model(file, o, device), tokenizer, writer, o);
    return 0;
  }
  const std::vector<int> prompt = encode_prompt(tokenizer, o);
  if (o.what == action::tokens_only) return print_tokens(tokenizer, prompt, o);
  return generate(*load_model(file, o, device), tokenizer, prompt, o);
}

/// Writes the message as one line: text from a path or a file may contain control characters.
int fail(std::string message, int status) {
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  write_error("decoder: " + message + "\n");
  return status;
}

int run_and_report(int num_arguments, const char* const* arguments) {
  try {
    return run(parse_options(num_arguments, arguments));
  } catch (const closed_output&) {
    return 0;
  } catch (const rocmforge::error& fault) {
    return fail(fault.what(), status_bad_input);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory for this model; a smaller --context needs less",
                status_bad_input);
  } catch (const std::exception& fault) {
    return fail(std::string("internal fault: ") + fault.what(), status_fault);
  }
}

}  // namespace
}  // namespace decoder

int main(int num_arguments, char** arguments) {
  signal(SIGPIPE, SIG_IGN);
  return decoder::run_and_report(num_arguments, arguments);
}
