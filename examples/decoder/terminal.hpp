// The program's streams, unbuffered: each piece of text is shown at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace decoder {

/// Thrown when the reader of standard output has closed it (`| head`): not an error, but the
/// program ends.
struct closed_output {};

/// Writes to standard output. Throws closed_output, or rocmforge::error for any other failure, such
/// as a full disk.
void write_out(std::string_view text);

/// Writes to standard error. Failures are ignored: there is nowhere to report them.
void write_error(std::string_view text) noexcept;

bool input_is_terminal();
bool error_is_terminal();

/// All of standard input, without one newline at its end, which a shell's echo adds. The line ends
/// of other systems ("\r\n") become newlines.
std::string read_all_input();

/// Standard input line by line, within an interrupt_scope.
class line_reader {
 public:
  /// @return the next line without its newline or "\r\n"; nothing at the end of the input, or if
  /// Ctrl-C is
  ///         pressed while waiting
  std::optional<std::string> next();

 private:
  std::string buffer_;
  bool at_end_ = false;
};

/// While one exists (one at a time), Ctrl-C does not end the program but sets `interrupted`.
class interrupt_scope {
 public:
  interrupt_scope();
  ~interrupt_scope();
  interrupt_scope(const interrupt_scope&) = delete;
  interrupt_scope& operator=(const interrupt_scope&) = delete;
};

/// Whether Ctrl-C was pressed in the scope since the last `forget_interrupt`.
bool interrupted();
void forget_interrupt();

}  // namespace decoder
