#include "terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iterator>
#include <rocmforge/error.hpp>
#include <system_error>
#include <utility>

namespace decoder {
namespace {

/// Set by the signal handler, which also writes a byte to a pipe. Waiting for input waits for that
/// byte too: if Ctrl-C comes just before the wait, or on another thread, it does not interrupt the
/// system call.
std::atomic<bool> interrupt_pending = false;
int interrupt_pipe[2];
struct sigaction action_before;

void note_interrupt(int) {
  const int kept = errno;
  interrupt_pending = true;
  // If the pipe is full, it has a byte already.
  [[maybe_unused]] const ssize_t written = write(interrupt_pipe[1], "", 1);
  errno = kept;
}

/// Writes all of `text`; false with errno set on failure.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string error_text() {
  return std::generic_category().message(errno);
}

/// Waits for input and appends it to `text`. False at the end of the input.
bool read_more(std::string& text) {
  char block[4096];
  ssize_t size = 0;
  do {
    size = read(STDIN_FILENO, block, sizeof block);
  } while (size < 0 && errno == EINTR);
  if (size < 0) throw rocmforge::error("standard input: " + error_text() + ", expected text");
  text.append(block, static_cast<std::size_t>(size));
  return size > 0;
}

/// Waits for input. False if Ctrl-C was pressed.
bool wait_for_input() {
  pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_pipe[0], POLLIN, 0}};
  while (poll(waits, std::size(waits), -1) < 0 && errno == EINTR) {
  }
  return !interrupted();
}

}  // namespace

void write_out(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) throw closed_output();
  throw rocmforge::error("standard output: " + error_text() + ", expected to write there");
}

void write_error(std::string_view text) noexcept {
  write_all(STDERR_FILENO, text);
}

bool input_is_terminal() {
  return isatty(STDIN_FILENO) == 1;
}
bool error_is_terminal() {
  return isatty(STDERR_FILENO) == 1;
}

std::string read_all_input() {
  std::string text;
  while (read_more(text)) {
  }
  std::size_t kept = 0;  // "\r\n" becomes "\n"
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') text[kept++] = text[i];
  }
  text.resize(kept);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<std::string> line_reader::next() {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    if (!at_end_ && !wait_for_input()) return std::nullopt;
    if (at_end_ || !read_more(buffer_)) {
      at_end_ = true;
      if (buffer_.empty()) return std::nullopt;
      return std::exchange(buffer_, {});
    }
  }
}

interrupt_scope::interrupt_scope() {
  if (pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw rocmforge::error("pipe: " + error_text() + ", expected to open one");
  }
  forget_interrupt();
  struct sigaction action = {};
  action.sa_handler = note_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &action_before);
  // A program that a script started in the background ignores Ctrl-C, and must keep doing so.
  if (action_before.sa_handler == SIG_IGN) sigaction(SIGINT, &action_before, nullptr);
}

interrupt_scope::~interrupt_scope() {
  sigaction(SIGINT, &action_before, nullptr);
  close(interrupt_pipe[0]);
  close(interrupt_pipe[1]);
}

bool interrupted() {
  return interrupt_pending;
}

void forget_interrupt() {
  interrupt_pending = false;
  char byte;
  while (read(interrupt_pipe[0], &byte, 1) == 1) {
  }
}

}  // namespace decoder
