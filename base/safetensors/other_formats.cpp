#include "base/safetensors/other_formats.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/check.h"
#include "base/printable.h"

namespace ntq::safetensors {
namespace {

using namespace std::string_view_literals;

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// A path without the endings of weight files, for the name of what is to be written.
std::string without_endings(const std::string& path) {
  constexpr std::array kEndings = {".json", ".index", ".safetensors", ".bin", ".tar", ".pth", ".pt", ".ckpt"};
  std::string stem = path;
  for (bool cut = true; cut;) {
    cut = false;
    for (const std::string_view ending : kEndings) {
      if (stem.size() <= ending.size() || !stem.ends_with(ending) || stem[stem.size() - ending.size() - 1] == '/')
        continue;
      stem.resize(stem.size() - ending.size());
      cut = true;
    }
  }
  return printable(stem);
}

std::string by_converter(const char* what, const std::string& path) {
  return concat(what, ", no safetensors file; scripts/convert-weights turns it into one: scripts/convert-weights ",
                printable(path), " ", without_endings(path), ".safetensors");
}

std::string no_reader(const char* what, const char* advice) {
  return concat(what, ", no safetensors file, and there is no reader for it here; ", advice);
}

/// A zip archive by the name of its first entry.
std::string what_zip(std::string_view start, const std::string& path) {
  if (holds(start, ".npy")) {
    return no_reader("is a NumPy archive (.npz)", "write its arrays with safetensors.numpy.save_file in Python");
  }
  if (holds(start, "data.pkl") || holds(start, "/version") || holds(start, ".format_version")) {
    return by_converter("is a PyTorch file (.pth, .pt)", path);
  }
  const std::string name = lower(path);
  if (name.ends_with(".keras") || holds(start, "metadata.json")) {
    return no_reader("is a Keras file", "write its arrays with safetensors.numpy.save_file in Python");
  }
  if (name.ends_with(".zip")) return no_reader("is a zip archive", "unpack it first");
  return by_converter("is a zip archive, most likely a PyTorch file (.pth, .pt)", path);
}

/// Protocol 2 or later, and what then can follow; such bytes are a rare header length too, which '{' comes after.
bool is_pickle(std::string_view start) {
  if (start.size() < 3 || start[0] != '\x80' || start[1] < 2 || start[1] > 5) return false;
  if (start.size() > 8 && start[8] == '{') return false;
  return holds("c}](X\x8a\x8c\x95K\x89\x88N\x94q"sv, start.substr(2, 1));
}

/// Old PyTorch archives and others.
bool is_tar(std::string_view start) { return start.size() > 262 && start.substr(257, 5) == "ustar"; }

/// Field 1 of ModelProto, the version, then the producer's name or another small field.
bool is_onnx(std::string_view start) {
  return start.size() > 4 && start[0] == '\x08' && start[1] > 0 && start[1] < 32 &&
         (start[2] == '\x12' || start[2] == '\x3a' || start[2] == '\x42') && start[3] > 0 &&
         start.substr(2, 6) != "\0\0\0\0\0\0"sv;
}

std::string what_text(std::string_view start, const std::string& path) {
  if (holds(start.substr(0, 64), "\0"sv)) return {};
  const auto first = std::find_if(start.begin(), start.end(), [](unsigned char c) { return std::isspace(c) == 0; });
  const std::string text = lower(start.substr(static_cast<size_t>(first - start.begin()), 512));
  if (text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<?xml")) {
    return "is a web page, no safetensors file; the download went wrong: open the address in a browser to see why";
  }
  if (text.starts_with("version https://git-lfs")) {
    return "is a pointer of Git LFS, not the file itself; fetch it with: git lfs pull";
  }
  if (!text.starts_with("{")) {
    const bool plain = std::all_of(start.begin(), start.begin() + static_cast<long>(std::min<size_t>(start.size(), 64)),
                                   [](unsigned char c) { return std::isprint(c) != 0 || std::isspace(c) != 0; });
    return plain && start.size() >= 10 ? "is a text file, no safetensors file; name the file that holds the weights"
                                       : "";
  }
  if (holds(start, "\"weight_map\"") || lower(path).ends_with(".index.json")) {
    return concat("is a list of shards: it says which files hold the weights and holds none itself; ",
                  "scripts/convert-weights joins them: scripts/convert-weights ", printable(path), " ",
                  without_endings(path), "-joined.safetensors");
  }
  return "is JSON text, no safetensors file; name the file that holds the weights";
}

}  // namespace

std::string what_is(std::string_view start, const std::string& path) {
  if (start.starts_with("PK\x03\x04"sv)) return what_zip(start, path);
  if (is_pickle(start)) return by_converter("is a Python pickle, most likely a PyTorch file (.pth, .pt, .bin)", path);
  if (start.starts_with("\x89HDF\r\n\x1a\n"sv)) {
    return no_reader("is an HDF5 file (.h5, as Keras writes)",
                     "write its arrays with safetensors.numpy.save_file in Python");
  }
  if (start.starts_with("\x93NUMPY"sv)) {
    return no_reader("is a NumPy array (.npy)", "write it with safetensors.numpy.save_file in Python");
  }
  if (start.starts_with("GGUF"sv)) return no_reader("is a GGUF file", "get the model's safetensors file instead");
  if (start.starts_with("\x1f\x8b"sv) || start.starts_with("BZh"sv) ||
      start.starts_with("\xfd"
                        "7zXZ"sv) ||
      start.starts_with("\x28\xb5\x2f\xfd"sv)) {
    return no_reader("is a compressed file", "unpack it first");
  }
  if (is_tar(start)) return no_reader("is a tar archive", "unpack it first");
  if (is_onnx(start)) {
    return no_reader("is an ONNX model", "export the weights of the model that it was made from as safetensors");
  }
  return what_text(start, path);
}

}  // namespace ntq::safetensors
