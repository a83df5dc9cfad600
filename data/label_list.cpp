#include "data/label_list.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/input_file.h"
#include "data/label_names.h"
#include "data/list_lines.h"

namespace ntq {
namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 28;

/// Finds the file that a list means: by its name without ending; of several by the whole name, then by the folders.
class FileTable {
 public:
  explicit FileTable(const FileIndex& files) : files_(files) {
    for (int64_t i = 0; i < files.size(); ++i) by_stem_.emplace_back(stem_of(base_of(files.name(i))), i);
    std::sort(by_stem_.begin(), by_stem_.end());
  }

  std::optional<int64_t> find(const std::string& entry, const std::string& where) const {
    const std::string stem = stem_of(base_of(entry));
    auto at = std::lower_bound(by_stem_.begin(), by_stem_.end(), std::pair{stem, int64_t{0}});
    std::optional<int64_t> best;
    size_t most = 0;
    bool tie = false;
    for (; at != by_stem_.end() && at->first == stem; ++at) {
      const size_t likeness = 1 + common_end(entry, files_.name(at->second));
      if (likeness == most) tie = true;
      if (likeness > most) best = at->second, most = likeness, tie = false;
    }
    if (tie) throw DataError(concat(where, ": '", entry, "' may be any of several images; name it with its folder"));
    return best;
  }

 private:
  /// Whole names of the path that are the same, counted from its end.
  static size_t common_end(const std::string& a, const std::string& b) {
    size_t same = 0, names = 0;
    const size_t most = std::min(a.size(), b.size());
    while (same < most && a[a.size() - 1 - same] == b[b.size() - 1 - same]) {
      ++same;
      const bool end =
          (same == a.size() || a[a.size() - 1 - same] == '/') && (same == b.size() || b[b.size() - 1 - same] == '/');
      names += end ? 1 : 0;
    }
    return names;
  }

  const FileIndex& files_;
  std::vector<std::pair<std::string, int64_t>> by_stem_;
};

struct Entry {
  std::string file, label;  ///< as the list has them; no file: the label of the next image
  int64_t line = 0;
  std::vector<std::string> more = {};  ///< fields behind the label
};

/// Splits a line at `separator`; ' ' is any space, and there the file's name may have some of its own.
Entry split(const ListLine& line, char separator, const FileTable& table, const std::string& where) {
  if (separator != ' ') {
    std::vector<std::string> fields = fields_of(line.text, separator);
    Entry entry{normal_path(fields[0]), fields.size() > 1 ? fields[1] : "", line.number};
    if (fields.size() > 2) entry.more.assign(fields.begin() + 2, fields.end());
    return entry;
  }
  const std::string& text = line.text;
  Entry first;
  int tries = 0;
  for (size_t at = text.find_first_of(kSpaces); at != text.npos && tries < 16;
       at = text.find_first_of(kSpaces, at + 1)) {
    ++tries;
    const Entry entry{normal_path(trimmed(text.substr(0, at))), trimmed(text.substr(at)), line.number};
    if (entry.label.empty()) continue;
    if (table.find(entry.file, where)) return entry;
    if (first.file.empty()) first = entry;
  }
  return first.file.empty() ? Entry{normal_path(text), "", line.number} : first;
}

}  // namespace

Labels parse_label_list(const std::string& text, const std::string& path, const FileIndex& files,
                        const std::vector<std::string>& classes) {
  std::vector<ListLine> lines = lines_of(text);
  const FileTable table(files);
  const auto where = [&](int64_t line) { return concat(path, ", line ", line); };
  const LabelNames names(classes);
  const char separator = separator_of(lines);
  const bool labels_only = names.are_labels(lines, separator);

  std::vector<Entry> entries;
  std::vector<std::optional<int64_t>> file_of;
  int64_t without_file = 0;
  const Entry* first_without = nullptr;
  for (const ListLine& line : lines) {
    const bool first = &line == lines.data();
    if (labels_only) {
      if (first && !names.knows(line.text) && static_cast<int64_t>(lines.size()) == files.size() + 1) continue;
      entries.push_back({"", line.text, line.number});
      file_of.emplace_back(static_cast<int64_t>(entries.size()) - 1);
      continue;
    }
    Entry entry = split(line, separator, table, where(line.number));
    const auto file = table.find(entry.file, where(line.number));
    if (first && !file && names.is_header(entry.file, entry.label)) continue;
    if (file && entry.label.empty()) throw DataError(concat(where(line.number), ": has no label for ", entry.file));
    entries.push_back(std::move(entry));
    file_of.push_back(file);
  }
  if (labels_only && static_cast<int64_t>(entries.size()) != files.size()) {
    throw DataError(
        concat(path, ": expected a label for each of the ", files.size(), " images, found ", entries.size()));
  }

  Labels out;
  std::vector<std::string> texts;
  for (const Entry& entry : entries) texts.push_back(entry.label);
  const LabelNames meaning = classes.empty() ? LabelNames::of_list(texts, path) : names;
  out.class_names = meaning.names();
  out.labels.assign(static_cast<size_t>(files.size()), -1);
  std::vector<int64_t> line_of(out.labels.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!file_of[i]) {
      if (without_file++ == 0) first_without = &entries[i];
      continue;
    }
    const auto file = static_cast<size_t>(*file_of[i]);
    const int32_t label = meaning.number(entries[i].label, entries[i].more, where(entries[i].line));
    if (out.labels[file] != -1 && out.labels[file] != label) {
      throw DataError(concat(path, ", lines ", line_of[file], " and ", entries[i].line, ": two labels for ",
                             files.name(*file_of[i]), ", ", out.class_names[static_cast<size_t>(out.labels[file])],
                             " and ", out.class_names[static_cast<size_t>(label)]));
    }
    out.labels[file] = label, line_of[file] = entries[i].line;
  }
  const auto lacking = std::find(out.labels.begin(), out.labels.end(), -1);
  if (lacking != out.labels.end()) {
    throw DataError(concat(path, ": has no label for ", files.name(lacking - out.labels.begin()), " (",
                           std::count(lacking, out.labels.end(), -1), " of ", files.size(), " images are without)"));
  }
  if (first_without != nullptr) {
    out.notices.push_back(concat(path, ": ", without_file, " of ", entries.size(),
                                 " entries have no image here; the first: ", first_without->file, " in line ",
                                 first_without->line));
  }
  return out;
}

Labels read_label_list(const std::string& path, const FileIndex& files, const std::vector<std::string>& classes) {
  std::string text;
  try {
    text = read_text_file(path, kMostBytes, FileOf::data);
  } catch (const DataError& e) {
    throw DataError(concat(e.what(), "; --val-labels names the list of labels for val"));
  }
  return parse_label_list(text, path, files, classes);
}

}  // namespace ntq
