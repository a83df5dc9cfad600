#include "engine/backend/cuda/cudnn/plan_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace ntq::cudnn {
namespace {

/// Far more than any network has.
constexpr off_t kMostBytes = 64 << 20;

[[noreturn]] void fail(const std::string& path, const std::string& doing) {
  throw SettingError(path + " (NTQ_CUDNN_PLANS): " + doing + ": " + std::strerror(errno));
}

/// An open file; the lock that it may have goes with it.
class File {
 public:
  File(const std::string& path, int flags) : path_(path), file_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (file_ >= 0) close(file_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return file_ >= 0; }
  void lock(int how) {
    while (flock(file_, how) != 0) {
      if (errno != EINTR) fail(path_, "cannot be locked");
    }
  }
  std::string text() const {
    const off_t size = bytes();
    std::string text(static_cast<size_t>(size), '\0');
    for (size_t have = 0; have < text.size();) {
      const ssize_t more = pread(file_, text.data() + have, text.size() - have, static_cast<off_t>(have));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) fail(path_, "cannot be read");
      if (more == 0) text.resize(have);
      have += static_cast<size_t>(more);
    }
    return text;
  }
  /// All of it or nothing, so that no later reader finds half a line.
  void append(const std::string& text) {
    const off_t before = bytes();
    const ssize_t written = write(file_, text.data(), text.size());
    if (written == static_cast<ssize_t>(text.size())) return;
    if (written >= 0) errno = ENOSPC;
    const int error = errno;
    if (written > 0 && ftruncate(file_, before) != 0) fail(path_, "has half a line at its end, remove it");
    errno = error;
    fail(path_, "cannot be written");
  }

 private:
  off_t bytes() const {
    struct stat status {};
    if (fstat(file_, &status) != 0) fail(path_, "cannot be read");
    if (!S_ISREG(status.st_mode) || status.st_size > kMostBytes)
      throw SettingError(path_ + " (NTQ_CUDNN_PLANS): expected a file of at most 64 MiB; name another one");
    return status.st_size;
  }

  std::string path_;
  int file_;
};

std::string line_of(const Problem& problem, const PlanFile::Engine& engine) {
  const Problem::Key key = problem.key();
  std::ostringstream out;
  out << name_of(problem.direction) << ' ' << name_of(problem.arithmetic);
  for (size_t i = 2; i < key.size(); ++i) out << ' ' << key[i];
  out << ": engine " << engine.number << " knobs";
  for (const auto& [knob, value] : engine.knobs) out << ' ' << knob << '=' << value;
  out << " # " << problem.describe() << '\n';
  return out.str();
}

template <class Name>
std::optional<int64_t> place_of(const std::string& word, std::initializer_list<Name> names) {
  for (const Name each : names) {
    if (word == name_of(each)) return static_cast<int64_t>(each);
  }
  return std::nullopt;
}

std::optional<std::pair<Problem::Key, PlanFile::Engine>> read_line(const std::string& line) {
  std::istringstream in(line.substr(0, line.find('#')));
  Problem::Key key{};
  std::string direction, arithmetic, word;
  if (!(in >> direction >> arithmetic)) return std::nullopt;
  const auto way = place_of(direction, {Direction::forward, Direction::grad_input, Direction::grad_weight});
  const auto how = place_of(arithmetic, {Arithmetic::float32, Arithmetic::tf32, Arithmetic::bf16});
  if (!way || !how) return std::nullopt;
  key[0] = *way, key[1] = *how;
  for (size_t i = 2; i < key.size(); ++i) {
    if (!(in >> key[i])) return std::nullopt;
  }
  PlanFile::Engine engine;
  if (!(in >> word) || word != ":" || !(in >> word) || word != "engine" || !(in >> engine.number) || engine.number < 0)
    return std::nullopt;
  if (!(in >> word) || word != "knobs") return std::nullopt;
  int64_t knob = 0, value = 0;
  for (char equals = ' '; in >> knob;) {
    if (!in.get(equals) || equals != '=' || !(in >> value) || knob < 0) return std::nullopt;
    engine.knobs.emplace_back(knob, value);
  }
  in.clear();
  if (in >> word) return std::nullopt;
  return std::pair(key, engine);
}

}  // namespace

PlanFile::PlanFile(std::string path, std::string gpu, std::string cudnn)
    : path_(std::move(path)), gpu_(std::move(gpu)), cudnn_(std::move(cudnn)) {
  File file(path_, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return;
  if (!file.is_open()) fail(path_, "cannot be opened");
  file.lock(LOCK_SH);  // nobody is in the middle of a line
  read(file.text());
}

std::string PlanFile::header() const { return "ntq-cudnn-plans 1, " + gpu_ + ", cuDNN " + cudnn_; }

std::string PlanFile::where(const Engine& engine) const { return path_ + ", line " + std::to_string(engine.line); }

void PlanFile::read(const std::string& text) {
  engines_.clear();
  size_t number = 0;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    const std::string place = path_ + ", line " + std::to_string(++number) + ": ";
    if (number == 1) {
      if (line == header()) continue;
      throw SettingError(place + "expected '" + header() + "', found '" + line.substr(0, 60) + "'; name another file");
    }
    const auto entry = end < text.size() ? read_line(line) : std::nullopt;  // half a line may read as a whole one
    if (!entry)
      throw SettingError(place + "expected 'PROBLEM: engine N knobs TYPE=VALUE ...' and its end, found '" +
                         line.substr(0, 60) + "'; remove the line");
    Engine engine = entry->second;
    engine.line = number;
    engines_.emplace(entry->first, std::move(engine));
  }
}

std::optional<PlanFile::Engine> PlanFile::find_or_add(const Problem& problem,
                                                      const std::function<std::optional<Engine>()>& choose) {
  const Problem::Key key = problem.key();
  if (const auto found = engines_.find(key); found != engines_.end()) return found->second;
  File file(path_, O_RDWR | O_CREAT | O_APPEND);
  if (!file.is_open()) fail(path_, "lacks a plan for " + problem.describe() + " and cannot be written");
  file.lock(LOCK_EX);  // others choose one after the other, and do not disturb what is timed
  const std::string before = file.text();
  read(before);
  if (const auto found = engines_.find(key); found != engines_.end()) return found->second;
  const std::optional<Engine> engine = choose();
  if (!engine) return std::nullopt;
  const std::string added = (before.empty() ? header() + "\n" : std::string()) + line_of(problem, *engine);
  file.append(added);
  read(before + added);
  return engines_.at(key);
}

}  // namespace ntq::cudnn
