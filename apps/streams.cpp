#include "apps/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "base/check.h"

namespace ntq::apps {
namespace {

int stdout_error = 0, stderr_error = 0;  // the first of each

int& error_of(std::FILE* stream) { return stream == stdout ? stdout_error : stderr_error; }

}  // namespace

void open_closed_streams() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(file, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is the closed one, since those below it are open by now.
    if (open("/dev/null", file == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0) return;
  }
}

bool reader_is_gone(std::FILE* stream) {
  pollfd end{fileno(stream), POLLOUT, 0};
  return poll(&end, 1, 0) == 1 && (end.revents & (POLLERR | POLLHUP)) != 0;
}

void note_failed_write(std::FILE* stream) {
  if (error_of(stream) == 0) error_of(stream) = errno;
}

std::string finish_stream(std::FILE* stream) {
  std::ostream& cpp = stream == stdout ? std::cout : std::cerr;
  errno = 0;
  bool lost = !cpp.flush();
  lost = std::fflush(stream) != 0 || lost;
  lost = std::ferror(stream) != 0 || lost;
  // Some file systems tell of a full disk at the end only. Closing a copy asks them and keeps the stream open.
  const int copy = lost ? -1 : dup(fileno(stream));
  lost = (copy >= 0 && close(copy) != 0 && errno != EINTR) || lost;
  if (!lost || reader_is_gone(stream)) return "";
  note_failed_write(stream);
  const int error = error_of(stream);
  return concat("cannot write to ", stream == stdout ? "stdout" : "stderr", error != 0 ? ": " : "",
                error != 0 ? std::strerror(error) : "");
}

}  // namespace ntq::apps
