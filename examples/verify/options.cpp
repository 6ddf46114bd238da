#include "options.hpp"

#include <CLI/CLI.hpp>
#include <regex>
#include <rocmforge/version.hpp>
#include <stdexcept>

namespace verify {

options parse_options(int num_arguments, const char* const* arguments) {
  options result;
  CLI::App app("Runs every kernel on a device, beside plain loops in double precision.", "verify");
  app.get_formatter()->column_width(24);
  bool help = false, version = false;
  app.set_help_flag();
  app.add_option("--device", result.device, "number of the device, or all")
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--list-devices", result.list_devices, "show the devices and end");
  app.add_option("--filter", result.filter,
                 "only cases whose family/op/type/shape matches this regular expression")
      ->type_name("REGEX");
  app.add_flag("--quick", result.quick, "fewer and smaller shapes, no timing; for emulators");
  app.add_flag("--fail-fast", result.fail_fast, "leave a device at its first failure");
  app.add_option("--json", result.json, "write a report; - is standard output, without the table")
      ->type_name("FILE");
  app.add_flag("--help,-h", help, "show this text and end");
  app.add_flag("--version", version, "show the version and end");
  app.footer(
      "Status: 0 if all is right, 1 if anything failed, 2 for bad usage or no device (one line on "
      "standard error says what).");
  try {
    app.parse(num_arguments, arguments);
    std::regex{result.filter};
  } catch (const CLI::ParseError& fault) {
    throw std::runtime_error(std::string(fault.what()) + "; see --help");
  } catch (const std::regex_error&) {
    throw std::runtime_error("--filter: expected a regular expression");
  }
  if (help) result.text_to_show = app.help();
  if (version) result.text_to_show = "rocmforge " ROCMFORGE_VERSION_STRING "\n";
  return result;
}

}  // namespace verify
