// Prints what is in a GGUF model: its metadata, its tensors, and a sum of each tensor's values.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <rocmforge/error.hpp>
#include <rocmforge/gguf.hpp>
#include <string>
#include <vector>

#include "report.hpp"
#include "values.hpp"

namespace gguf_info {
namespace {

constexpr int status_bad_input = 2;
constexpr int status_fault = 1;

int print(const std::string& path, bool check, bool json) {
  const rocmforge::gguf::file model(path);
  std::vector<std::string> sums;
  if (check) {
    for (const auto& tensor : model.tensors()) sums.push_back(sha256_of_values(tensor));
  }
  const std::string text = json ? json_report(model, sums) : text_report(model, sums);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw rocmforge::error("standard output: cannot be written");
  }
  return 0;
}

/// Ends with one line on standard error, whatever a path or a file put into the message.
int fail(std::string message, int status) {
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  std::fprintf(stderr, "gguf_info: %s\n", message.c_str());
  return status;
}

int run(int num_arguments, const char* const* arguments) {
  std::string path;
  bool check = false, json = false;
  CLI::App app("Prints the metadata and the tensors of a GGUF model.", "gguf_info");
  app.add_option("FILE", path, "the model; of a split model, its first file")->required();
  app.add_flag("--check", check, "with the SHA-256 of each tensor's values as little-endian f32");
  app.add_flag("--json", json, "print one JSON object");
  app.footer(
      "Status: 0 when all went well, 2 for bad input (one line on standard error says what).");
  try {
    app.parse(num_arguments, arguments);
    return print(path, check, json);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& fault) {
    return fail(std::string(fault.what()) + "; see --help", status_bad_input);
  } catch (const rocmforge::error& fault) {
    return fail(fault.what(), status_bad_input);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory for this model", status_bad_input);
  } catch (const std::exception& fault) {
    return fail(std::string("internal fault: ") + fault.what(), status_fault);
  }
}

}  // namespace
}  // namespace gguf_info

int main(int num_arguments, char** arguments) {
  return gguf_info::run(num_arguments, arguments);
}
