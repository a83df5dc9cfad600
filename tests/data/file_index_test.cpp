// Which files a folder of class folders holds, in whose order, and when a list of them is still believed.
#include "data/file_index.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "data/fingerprint.h"
#include "data/index_cache.h"
#include "tests/data/files.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> paths(const FileIndex& index) {
  std::vector<std::string> out;
  for (int64_t i = 0; i < index.size(); ++i) out.push_back(index.path(i));
  return out;
}

void write_all(const TempFolder& at, const std::vector<std::string>& files) {
  for (const std::string& file : files) at.write(file, {1, 2, 3});
}

/// Lists whose folders changed a moment ago are not kept.
void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(120)); }

/// Reads `root` by way of the cache; whether the folders were read anew.
struct Reading {
  FileIndex index;
  bool anew = false;
};
Reading read(const fs::path& root, const fs::path& cache, bool refresh = false) {
  Reading out;
  const auto progress = [&](int64_t, int64_t, int64_t) { out.anew = true; };
  out.index = read_index(root, {.cache = cache, .refresh = refresh, .progress = progress});
  return out;
}

}  // namespace

TEST_CASE("subfolders are read in torchvision's order") {
  const TempFolder at;
  write_all(at,
            {"b/z.jpg", "b/a.PNG", "b/more/1.jpeg", "b/more/deep/0.bmp", "b/more-2/5.jpg", "b/More/9.jpg", "a/x.jpg"});
  // sorted(os.walk(...)): folders by the text of their paths, in which '-' comes before '/'.
  CHECK(paths(read_index(at.path())) == std::vector<std::string>{"a/x.jpg", "b/a.PNG", "b/z.jpg", "b/More/9.jpg",
                                                                 "b/more/1.jpeg", "b/more-2/5.jpg",
                                                                 "b/more/deep/0.bmp"});
  CHECK(paths(read_flat_index(at.path())).size() == 7);
  CHECK(read_flat_index(at.path()).classes.size() == 1);
}

TEST_CASE("a folder that is called like an image is a folder") {
  const TempFolder at;
  write_all(at, {"a/x.jpg/y.jpg", "a/b.jpg"});
  CHECK(paths(read_index(at.path())) == std::vector<std::string>{"a/b.jpg", "a/x.jpg/y.jpg"});
}

TEST_CASE("links are followed, and circles end") {
  const TempFolder at, other;
  write_all(at, {"train/a/x.jpg", "train/b/y.jpg"});
  write_all(other, {"z.jpg"});
  const fs::path root = at.path() / "train";
  fs::create_directory_symlink(other.path(), root / "c");
  fs::create_directory_symlink(other.path(), root / "a/linked");
  fs::create_symlink(root / "a/x.jpg", root / "b/again.jpg");
  fs::create_directory_symlink("..", root / "a/up");
  fs::create_directory_symlink(".", root / "a/here");
  fs::create_directory_symlink(".", root / "itself");
  fs::create_directory_symlink("..", root / "above");
  fs::create_directory_symlink("loop", root / "loop");
  const FileIndex index = read_index(root);
  CHECK(paths(index) == std::vector<std::string>{"a/x.jpg", "a/linked/z.jpg", "b/again.jpg", "b/y.jpg", "c/z.jpg"});
  CHECK(contains(left_out_notice(index, "train"), "4 link back to a folder above it"));
}

TEST_CASE("what is left out is counted by its ending") {
  const TempFolder at;
  write_all(at, {"a/x.jpg", "a/1.gif", "a/2.GIF", "a/sub/3.gif", "a/notes.txt", "a/none", "a/.hidden.jpg", "top.jpg"});
  const std::string notice = left_out_notice(read_index(at.path()), "a/train");
  CHECK(contains(notice,
                 "a/train: 7 files left out: 3 .gif, 1 .jpg outside of class folders, 1 .txt, 1 hidden, 1 without"));
  CHECK(contains(notice, "reads no .gif images"));
  CHECK(left_out_notice(FileIndex(), "x") == "");
  write_all(at, {"b/\x1b[31m.\x1b[31m", "b/y.jpg"});
  CHECK(contains(left_out_notice(read_index(at.path()), "t"), "1 of an odd ending"));
}

TEST_CASE("the list is kept while nothing changes") {
  const TempFolder at, cache;
  write_all(at, {"a/x.jpg", "a/more/y.jpg", "b/z.jpg", "b/n.txt"});
  const fs::path kept = cache.path() / "sub/list.bin";
  settle();
  CHECK(read(at.path(), kept).anew);
  REQUIRE(fs::exists(kept));
  const Reading warm = read(at.path(), kept);
  CHECK_FALSE(warm.anew);
  CHECK(paths(warm.index) == paths(read_index(at.path())));
  CHECK(warm.index.file_size(0) == 3);
  CHECK(left_out_notice(warm.index, "t") == "t: 1 file left out: 1 .txt");
  CHECK(read(at.path(), kept, true).anew);
}

TEST_CASE("changes are noticed though folder times are the same") {
  const auto then = fs::file_time_type::clock::now() - std::chrono::hours(1);
  const auto changed = [&](auto&& change) {
    const TempFolder at, cache;
    write_all(at, {"a/x.jpg", "a/more/y.jpg", "b/z.jpg"});
    const auto age = [&] {
      for (const auto& entry : fs::recursive_directory_iterator(at.path())) fs::last_write_time(entry.path(), then);
      fs::last_write_time(at.path(), then);
    };
    age();
    settle();
    read(at.path(), cache.path() / "list.bin");
    change(at);
    age();
    return read(at.path(), cache.path() / "list.bin");
  };
  CHECK(changed([](const TempFolder& at) { write_all(at, {"a/new.jpg"}); }).index.size() == 4);
  CHECK(changed([](const TempFolder& at) { write_all(at, {"a/more/new.jpg"}); }).index.size() == 4);
  CHECK(changed([](const TempFolder& at) { fs::remove(at.path() / "a/more/y.jpg"); }).index.size() == 2);
  CHECK(changed([](const TempFolder& at) { fs::rename(at.path() / "b/z.jpg", at.path() / "b/w.jpg"); }).index.path(2) ==
        "b/w.jpg");
  CHECK(changed([](const TempFolder& at) { write_all(at, {"c/1.jpg"}); }).index.classes.size() == 3);
}

TEST_CASE("a file that is replaced in place by one of another size is noticed") {
  const TempFolder at, cache;
  write_all(at, {"a/x.jpg", "b/z.jpg"});
  settle();
  read(at.path(), cache.path() / "list.bin");
  CHECK_FALSE(read(at.path(), cache.path() / "list.bin").anew);
  at.write("b/z.jpg", {1, 2, 3, 4});  // the folder does not change
  const Reading again = read(at.path(), cache.path() / "list.bin");
  CHECK(again.anew);
  CHECK(again.index.file_size(1) == 4);
}

namespace {

FileIndex one_file(const std::string& class_name, const std::string& file, int64_t size = 3) {
  FileIndex index;
  index.folders = {{"", {}}, {class_name, {}}};
  index.classes.push_back({class_name, 0});
  index.add(file, size);
  return index;
}

bool believed(const FileIndex& index) {
  FileIndex back;
  return unpack_index(pack_index(index, "/root"), "/root", back);
}

}  // namespace

TEST_CASE("a damaged cache is not believed") {
  const TempFolder at, cache;
  write_all(at, {"a/x.jpg", "a/more/y.jpg", "b/z.jpg"});
  const std::string bytes = pack_index(read_index(at.path()), "/root");
  FileIndex back;
  REQUIRE(unpack_index(bytes, "/root", back));
  CHECK(paths(back) == std::vector<std::string>{"a/x.jpg", "a/more/y.jpg", "b/z.jpg"});
  CHECK_FALSE(unpack_index(bytes, "/other", back));
  for (size_t i = 0; i < bytes.size(); ++i) {
    CHECK_FALSE(unpack_index(bytes.substr(0, i), "/root", back));
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
    CHECK_FALSE(unpack_index(flipped, "/root", back));
  }
  // A cache that cannot be written is no error.
  cache.write("file", {});
  CHECK(read(at.path(), cache.path() / "file/list.bin").index.size() == 3);
}

TEST_CASE("a cache with a right checksum and wrong contents is not believed") {
  CHECK(believed(one_file("a", "x.jpg")));
  CHECK(believed(one_file("a", "more/x.jpg", -1)));
  for (const std::string name : {"../../etc/x.jpg", "/etc/x.jpg", "more/../x.jpg", "./x.jpg", "more//x.jpg", "",
                                 "x.txt", "/x.jpg", "more/", ".x.jpg"}) {
    CAPTURE(name);
    CHECK_FALSE(believed(one_file("a", name)));
  }
  CHECK_FALSE(believed(one_file("a", std::string("x\0.jpg", 6))));
  for (const std::string name : {"..", ".", "a/b", "/a", ""}) CHECK_FALSE(believed(one_file(name, "x.jpg")));
  CHECK_FALSE(believed(one_file("a", "x.jpg", -2)));
  FileIndex twice = one_file("a", "x.jpg");
  twice.classes.push_back({"a", 0});
  CHECK_FALSE(believed(twice));
  FileIndex odd = one_file("a", "x.jpg");
  odd.left_out["\x1b[31m"] = 1;
  CHECK_FALSE(believed(odd));
  // Every number of the file made huge, with the checksum set right again.
  const std::string bytes = pack_index(one_file("a", "x.jpg"), "/root");
  for (size_t at = 12; at + 12 <= bytes.size(); ++at) {
    std::string claims = bytes.substr(0, bytes.size() - 4);
    claims.replace(at, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F");
    Fingerprint sum;
    sum.add(claims.data(), claims.size());
    const uint32_t value = sum.value();
    claims.append(reinterpret_cast<const char*>(&value), 4);
    FileIndex back;
    unpack_index(claims, "/root", back);  // ends, and takes no memory
    for (int64_t i = 0; i < back.size(); ++i) CHECK(back.path(i).find("..") == std::string::npos);
  }
}

TEST_CASE("a cache of existing folders with files that are not there is not believed") {
  const TempFolder at;
  write_all(at, {"a/x.jpg", "a/y.jpg"});
  FileIndex index = read_index(at.path());
  CHECK(still_true(index, at.path()));
  index.classes.push_back({"b", 0});
  CHECK_FALSE(still_true(index, at.path()));
  index = read_index(at.path());
  index.add("z.jpg", 3);
  CHECK_FALSE(still_true(index, at.path()));
  index = read_index(at.path());
  index.folders[1].stamp.entries = 3;
  CHECK_FALSE(still_true(index, at.path()));
  index = read_index(at.path());
  index.folders.pop_back();
  CHECK_FALSE(still_true(index, at.path()));
}

TEST_CASE("a cache that is no regular file is passed over") {
  const TempFolder at, cache;
  write_all(at, {"a/x.jpg"});
  const fs::path list = cache.path() / "list.bin";
  REQUIRE(mkfifo(list.c_str(), 0600) == 0);
  CHECK(read(at.path(), list).index.size() == 1);
  fs::remove(list);
  fs::create_symlink("/dev/zero", list);
  CHECK(read(at.path(), list).index.size() == 1);
  fs::remove(list);
  cache.write("list.bin", {});
  fs::resize_file(list, uint64_t{1} << 40);  // sparse
  CHECK(read(at.path(), list).index.size() == 1);
}

TEST_CASE("what cannot be read, and what progress throws, comes out") {
  const TempFolder at;
  CHECK(contains(error_of<DataError>([&] { read_index(at.path() / "none"); }), "none: cannot be read: "));
  write_all(at, {"a/x.jpg", "b/y.jpg"});
  const auto stop = [](int64_t, int64_t, int64_t) { throw DataError("enough"); };
  CHECK(error_of<DataError>([&] { read_index(at.path(), {.progress = stop}); }) == "enough");
}
