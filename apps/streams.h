#pragma once
// The three standard streams: never closed, and checked.
#include <cstdio>
#include <string>

namespace ntq::apps {

/// Opens /dev/null on 0, 1 and 2 where the caller has closed them: the next file to be opened would take the number,
/// and with it all that is printed.
void open_closed_streams();

/// Whether nobody can read what is written there any more: a pipe, socket or terminal with no other end.
bool reader_is_gone(std::FILE* stream);

/// Keeps the cause of a write that has just failed (errno) for finish_stream().
void note_failed_write(std::FILE* stream);

/// Writes out what std::cout, printf and so on have left. What has been lost, "cannot write to stdout: No space
/// left on device", or "". Text that nobody waits for is not lost.
std::string finish_stream(std::FILE* stream);

}  // namespace ntq::apps
