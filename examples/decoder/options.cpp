#include "options.hpp"

#include <CLI/CLI.hpp>
#include <functional>
#include <random>
#include <rocmforge/text/utf8.hpp>
#include <rocmforge/version.hpp>
#include <string_view>

#include "numbers.hpp"

namespace decoder {
namespace {

constexpr int max_threads = 1024;
constexpr int max_context = 1 << 24;

[[noreturn]] void refuse(const std::string& message) {
  throw rocmforge::error(message);
}

std::string not_empty(std::string_view name, const std::string& text) {
  if (text.empty()) refuse(fmt::format("{}: empty, expected text", name));
  return text;
}

/// The table of options: name, value and help of each, and how it changes `result`.
class command_line {
 public:
  explicit command_line(options& result) : result_(result) {
    app_.get_formatter()->column_width(30);
    app_.set_help_flag();
    app_.allow_extras();
    app_.footer(
        "Examples:\n"
        "  decoder --model model.gguf \"Name three primary colors.\"\n"
        "  decoder --model model.gguf --raw -n 20 --temperature 0 \"The capital of France is\"\n"
        "  echo \"What is a prime number?\" | decoder --model model.gguf --json -\n"
        "  decoder --model model.gguf --chat --system \"You answer in one sentence.\"\n"
        "\n"
        "Status: 0 when all went well, 2 for bad input (one line on standard error says what), 130 "
        "after Ctrl-C.");
    add_input();
    add_generation();
    add_machine();
    add_scripts();
  }

  void parse(int num_arguments, const char* const* arguments) {
    for (int i = 1; i < num_arguments && std::string_view(arguments[i]) != "--"; ++i) {
      // CLI11 would use the next argument as the value.
      const std::string_view argument = arguments[i];
      if (argument.starts_with("--") && argument.ends_with('=') &&
          argument.find('=') == argument.size() - 1) {
        refuse(fmt::format("{}: expected a value after '='", rocmforge::printable(argument)));
      }
    }
    try {
      app_.parse(num_arguments, arguments);
    } catch (const CLI::ParseError& fault) {
      refuse(fmt::format("{}; see --help", fault.what()));
    }
    auto unknown = app_.remaining();
    std::erase(unknown, "--");  // before a prompt that starts with a dash
    if (unknown.empty()) return;
    const std::string first = rocmforge::printable(unknown.front());
    if (first.starts_with('-')) {
      refuse(fmt::format("{}: unknown option, expected one of those that --help lists", first));
    }
    refuse(fmt::format(
        "{}: unexpected argument, expected one prompt, in quotes where it has spaces", first));
  }

 private:
  using reader = std::function<void(const std::string&)>;

  CLI::Option* value(const char* name, const char* type, const char* help, const reader& read) {
    return app_.add_option_function<std::string>(name, read, help)->type_name(type)->group(group_);
  }

  /// A number of type T at `target`, whose value now is the default that the help shows.
  template <class T, class Predicate>
  void number(const char* name, const char* help, T& target, const char* expected,
              const Predicate& in_range) {
    value(name, "X", help, [name, &target, expected, in_range](const std::string& text) {
      target = parse_number<T>(name, text, expected, in_range);
    })->default_str(fmt::format("{}", target));
  }

  CLI::Option* integer(const char* name, const char* help, int& target, int least, int most) {
    return value(name, "N", help, [name, &target, least, most](const std::string& text) {
      target = parse_integer<int>(name, text, least, most);
    });
  }

  void flag(const char* name, const char* help, const std::function<void()>& set) {
    app_.add_flag_callback(name, set, help)->group(group_)->disable_flag_override();
  }

  void action_flag(const char* name, const char* help, action what) {
    flag(name, help, [this, name, what] { choose(name, what); });
  }

  void choose(const char* name, action what) {
    if (!chosen_.empty()) refuse(fmt::format("{}: cannot be used with {}", name, chosen_));
    chosen_ = name;
    result_.what = what;
  }

  void set_prompt(const char* name, const std::string& text) {
    if (result_.prompt) refuse(fmt::format("{}: a second prompt, expected one", name));
    result_.prompt = not_empty(name, text);
  }

  void add_input() {
    group_ = "Input";
    value("prompt", "TEXT", "the prompt; - reads it from standard input",
          [this](const std::string& text) { set_prompt("prompt", text); });
    value("--prompt", "TEXT", "the same, as an option",
          [this](const std::string& text) { set_prompt("--prompt", text); });
    value("--model", "FILE", "the model, a GGUF file",
          [this](const std::string& text) { result_.model = not_empty("--model", text); });
    value("--system", "TEXT", "what the model is told before the conversation",
          [this](const std::string& text) { result_.system = not_empty("--system", text); });
    value(
        "--template", "NAME", "the chat template: a name (a wrong one lists them) or a file",
        [this](const std::string& text) { result_.chat_template = not_empty("--template", text); });
    action_flag("--chat", "a conversation: one line a turn; Ctrl-C stops a reply, Ctrl-D ends",
                action::chat);
    flag("--raw", "continue the text itself: no chat template, special tokens are read",
         [this] { result_.raw = true; });
  }

  void add_generation() {
    group_ = "Generation";
    choice_options& c = result_.choice;
    rocmforge::sampling_options& s = c.sampling;
    integer("-n", "tokens to generate at most; absent: until the text or the context ends",
            result_.max_tokens, 0, INT_MAX);
    number("--temperature", "randomness; 0: always the likeliest token", s.temperature,
           "a number, 0 or more", [](float x) { return std::isfinite(x) && x >= 0; });
    integer("--top-k", "choose among the N likeliest; 0: off", s.top_k, 0, INT_MAX)
        ->default_str(std::to_string(s.top_k));
    number("--top-p", "choose among the likeliest that have this probability together", s.top_p,
           "a number above 0, 1 at most", [](float x) { return x > 0 && x <= 1; });
    number("--min-p", "drop what is less likely than this times the likeliest", s.min_p,
           "a number from 0 to 1", [](float x) { return x >= 0 && x <= 1; });
    number("--repeat-penalty", "above 1: what was said lately gets less likely", c.repeat_penalty,
           "a number above 0", [](float x) { return std::isfinite(x) && x > 0; });
    integer("--repeat-last-n", "how many tokens count as lately; 0: none, -1: all", c.repeat_last_n,
            -1, INT_MAX)
        ->default_str(std::to_string(c.repeat_last_n));
    value("--seed", "N", "start of the random numbers; absent: random, and then shown",
          [&c](const std::string& text) {
            c.seed = parse_integer<std::uint32_t>("--seed", text, 0, UINT32_MAX);
          });
    c.seed = std::random_device()();
    app_.add_option("--stop", CLI::callback_t([this](const CLI::results_t& texts) {
                      for (const auto& text : texts) check_stop(text);
                      result_.stops = texts;
                      return true;
                    }),
                    "end before this text; may be given several times")
        ->type_name("TEXT")
        ->group(group_)
        ->take_all();
  }

  void add_machine() {
    group_ = "Machine";
    value("--device", "NAME", "where to compute; --list-devices names them",
          [this](const std::string& text) { result_.device = not_empty("--device", text); });
    action_flag("--list-devices", "show the devices and end", action::list_devices);
    integer("--threads", "threads of the host; absent: all", result_.engine.num_threads, 1,
            max_threads);
    integer("--context", "tokens to make room for; absent: the file's, 4096 at most",
            result_.engine.context, 1, max_context);
    value("--cache-type", "TYPE", "keys and values in f32, f16 or bf16",
          [this](const std::string& text) { result_.engine.cache = parse_cache_type(text); })
        ->default_str("f32");
    flag("--quiet", "no progress bar, no speed line, no notes on the file",
         [this] { result_.quiet = true; });
    flag("--help,-h", "show this text and end", [this] { result_.text_to_show = app_.help(); });
    flag("--version", "show the version and end",
         [this] { result_.text_to_show = "rocmforge " ROCMFORGE_VERSION_STRING "\n"; });
  }

  void add_scripts() {
    group_ = "For scripts";
    flag("--json", "print one JSON object", [this] { result_.json = true; });
    integer("--logits", "with --json: also the N largest logits after the prompt, and its mean_nll",
            result_.num_top_logits, 1, INT_MAX);
    action_flag("--tokens-only", "print the prompt's token ids and end; needs no weights",
                action::tokens_only);
    value("--bench", "P,N", "measure a prompt of P tokens and N steps of one token",
          [this](const std::string& text) {
            choose("--bench", action::bench);
            parse_bench(text);
          });
  }

  static void check_stop(const std::string& text) {
    not_empty("--stop", text);
    if (rocmforge::replace_invalid_utf8(text) != text) {
      refuse(fmt::format("--stop {}: expected UTF-8", rocmforge::printable(text)));
    }
  }

  static cache_type parse_cache_type(const std::string& text) {
    if (text == "f32") return cache_type::f32;
    if (text == "f16") return cache_type::f16;
    if (text == "bf16") return cache_type::bf16;
    refuse(fmt::format("--cache-type {}: expected f32, f16 or bf16", rocmforge::printable(text)));
  }

  void parse_bench(const std::string& text) {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos) {
      refuse(fmt::format("--bench {}: expected two integers, P,N", rocmforge::printable(text)));
    }
    const std::string_view all = text;
    result_.bench_prompt_tokens =
        parse_integer<int>("--bench P,N: P", all.substr(0, comma), 1, max_context);
    result_.bench_steps =
        parse_integer<int>("--bench P,N: N", all.substr(comma + 1), 1, max_context);
  }

  options& result_;
  CLI::App app_{"Loads a language model from a GGUF file and writes text with it.", "decoder"};
  std::string group_;
  std::string chosen_;  // the option that selected the action
};

void check_combination(const options& o) {
  const bool takes_prompt = o.what == action::generate || o.what == action::tokens_only;
  if (o.model.empty()) refuse("--model: missing, expected the path of a GGUF file");
  if (takes_prompt && !o.prompt) {
    refuse("prompt: missing, expected TEXT, --prompt TEXT, - for standard input, or --chat");
  }
  if (!takes_prompt && o.prompt) {
    refuse(fmt::format("prompt: unexpected, {} takes none",
                       o.what == action::chat ? "--chat" : "--bench"));
  }
  if (o.raw && o.system) refuse("--system: cannot be used with --raw, which applies no template");
  if (o.raw && o.chat_template)
    refuse("--template: cannot be used with --raw, which applies no template");
  if (o.what == action::chat && o.raw)
    refuse("--raw: cannot be used with --chat, which needs a template");
  if (o.what == action::chat && o.json) refuse("--json: cannot be used with --chat");
  if (o.what == action::bench && (o.raw || o.system || o.chat_template)) {
    refuse("--bench: takes no text, so that --raw, --system and --template cannot be used with it");
  }
  if (o.num_top_logits > 0 && (!o.json || o.what != action::generate)) {
    refuse("--logits: expected --json and a prompt to generate from");
  }
}

}  // namespace

options parse_options(int num_arguments, const char* const* arguments) {
  options result;
  command_line(result).parse(num_arguments, arguments);
  if (!result.text_to_show.empty()) result.what = action::show_text;
  if (result.what != action::show_text && result.what != action::list_devices) {
    check_combination(result);
  }
  return result;
}

}  // namespace decoder
