// What is written comes back, Python's files are read, and a write that fails leaves what was there.
#include "engine/serialize.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

#include "engine/serialize/atomic_file.h"
#include "tests/engine/serialize_files.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("save and load: names, order, types, shapes, bytes and metadata") {
  const Folder folder;
  const TensorFile file = small_file();
  save_tensors(folder / "a.bin", file);
  CHECK(same_file(load_tensors(folder / "a.bin"), file));
  CHECK(same_file(parse_tensors(read_bytes(folder / "a.bin"), "memory"), file));
  CHECK(folder.entries() == 1);  // no temporary file is left
}

TEST_CASE("save: an empty file and one without metadata") {
  const Folder folder;
  save_tensors(folder / "empty.bin", {});
  const TensorFile empty = load_tensors(folder / "empty.bin");
  CHECK(empty.tensors.empty());
  CHECK(empty.metadata.empty());
  save_tensors(folder / "plain.bin", {{}, {{"a", Tensor::full({1}, 2)}}});
  CHECK(load_tensors(folder / "plain.bin").metadata.empty());
}

TEST_CASE("save: the layout, byte by byte") {
  const Folder folder;
  save_tensors(folder / "a.bin",
               {{{"b", "2"}, {"a", "1"}}, {{"u", values<uint8_t>({1}, {7})}, {"f", Tensor::from({1}, {1.0f})}}});
  // By Python's zlib.crc32: of 00 00 80 3f, of 07, and of the text
  // {"metadata":{"a":"1","b":"2"},"tensors":{"f":["F32",[1]],"u":["U8",[1]]}}
  std::string header =
      R"({"__metadata__":{"a":"1","b":"2","ntq.crc32":"{\"__metadata__\":\"313dac13\",\"f\":\"aca16a6a\",\"u\":\"4c667a2e\"}"},)"
      R"("u":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},"f":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(read_bytes(folder / "a.bin") == raw_file(header, 0) + std::string("\x00\x00\x80\x3f\x07", 5));
}

TEST_CASE("save: the same content gives the same bytes") {
  const Folder folder;
  save_tensors(folder / "a.bin", small_file());
  save_tensors(folder / "b.bin", load_tensors(folder / "a.bin"));
  CHECK(read_bytes(folder / "a.bin") == read_bytes(folder / "b.bin"));
}

TEST_CASE("load: a file that Python wrote") {  // scripts/golden/make_safetensors.py
  const TensorFile file = load_tensors(NTQ_SOURCE_DIR "/tests/golden/python_safetensors.safetensors");
  CHECK(file.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"note", "quotes \" and \u00fcmlauts"}});
  REQUIRE(file.tensors.size() == 6);
  const Tensor& weight = file.at("conv1.weight");
  CHECK(weight.shape() == Shape{2, 3});
  CHECK(weight.to_vector() == std::vector<float>{-.5f, -.25f, 0, .25f, .5f, .75f});
  CHECK(file.at("bn1.num_batches_tracked").shape() == Shape());
  CHECK(*file.at("bn1.num_batches_tracked").data<int64_t>() == int64_t{1} << 40);
  const Tensor& codes = file.at("codes");
  CHECK(codes.shape() == Shape{2, 2});
  CHECK(std::vector<uint8_t>(codes.data<uint8_t>(), codes.data<uint8_t>() + 4) == std::vector<uint8_t>{0, 1, 127, 255});
  CHECK(file.at("half").dtype() == DType::f16);
  const uint16_t half[] = {0x3c00, 0xc000, 0x7bff};
  CHECK(std::memcmp(file.at("half").raw(), half, sizeof half) == 0);
  CHECK(file.at("brain").dtype() == DType::bf16);
  const uint16_t brain[] = {0x3f80, 0xc000, 0x7f62};
  CHECK(std::memcmp(file.at("brain").raw(), brain, sizeof brain) == 0);
  CHECK(file.at("empty").shape() == Shape{0, 4});
}

// Python's package reads ours: scripts/golden/read_safetensors.py checks the file that this case leaves at the path in
// NTQ_WRITE_SAFETENSORS.
TEST_CASE("save: a file for Python") {
  const char* path = std::getenv("NTQ_WRITE_SAFETENSORS");
  if (path != nullptr) save_tensors(path, small_file());
}

TEST_CASE("at: names what is there") {
  const TensorFile file = small_file();
  CHECK(file.at("steps").dtype() == DType::i64);
  const std::string error = checkpoint_error([&] { (void)file.at("conv2.weight"); });
  CHECK(contains(error, "\"conv2.weight\""));
  CHECK(contains(error, "5: \"codes\", \"conv1.weight\""));
}

TEST_CASE("save: wrong calls are refused before anything is written") {
  const Folder folder;
  const Tensor one = Tensor::full({1}, 1);
  const auto refused = [&](const TensorFile& file) {
    CHECK_THROWS_AS(save_tensors(folder / "a.bin", file), std::invalid_argument);
  };
  refused({{}, {{"a", one}, {"a", one}}});
  refused({{}, {{"__metadata__", one}}});
  refused({{}, {{"a", Tensor()}}});
  refused({{}, {{"a\xff", one}}});
  refused({{{"key", "\xc3"}}, {{"a", one}}});
  refused({{{"key", std::string(100'000'000, 'x')}}, {}});
  CHECK(folder.entries() == 0);
}

TEST_CASE("write: a folder that is missing, a file where a folder should be, a folder as the file") {
  const Folder folder;
  const std::string missing = checkpoint_error([&] { save_tensors(folder / "no/a.bin", small_file()); });
  CHECK(contains(missing, folder / "no/a.bin"));
  CHECK(contains(missing, "create the folder " + (folder / "no")));
  // A folder in which nothing can be made.
  if (std::filesystem::is_directory("/proc")) {
    CHECK(contains(checkpoint_error([&] { save_tensors("/proc/none", small_file()); }),
                   "choose another folder than /proc"));
  }
  write_file_atomically(folder / "file", "text");
  CHECK(contains(checkpoint_error([&] { write_file_atomically(folder / "file/a", "text"); }), "file/a"));
  CHECK(contains(checkpoint_error([&] { write_file_atomically(folder.str(), "text"); }), "regular file"));
  CHECK(contains(checkpoint_error([&] { write_file_atomically("/dev/null", "text"); }), "regular file"));
  CHECK(contains(checkpoint_error([&] { write_file_atomically("", "text"); }), "regular file"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("write: a folder that is read-only keeps the old file") {
  const Folder folder;
  write_file_atomically(folder / "a", "old");
  ::chmod(folder.str().c_str(), 0555);
  const bool root = ::geteuid() == 0;  // root writes anywhere: become nobody for a moment
  if (root) REQUIRE(::seteuid(65534) == 0);
  const std::string error = checkpoint_error([&] { write_file_atomically(folder / "a", "new"); });
  if (root) REQUIRE(::seteuid(0) == 0);
  ::chmod(folder.str().c_str(), 0755);
  CHECK(contains(error, "choose a folder that you may write to"));
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("write: a full disk keeps the old file and leaves nothing else") {
  const Folder folder;
  save_tensors(folder / "a", small_file());
  const std::string before = read_bytes(folder / "a");
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // write() then fails as on a full disk
  const rlimit tight{4096, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const std::string error = checkpoint_error([&] {
    save_tensors(folder / "a", {{}, {{"w", Tensor::full({4096}, 1)}}});
  });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(error, "free some space"));
  CHECK(contains(error, "ulimit -f"));
  CHECK(read_bytes(folder / "a") == before);
  CHECK(folder.entries() == 1);
}

TEST_CASE("write: replaces the file, keeps its permissions, follows a link") {
  const Folder folder;
  write_file_atomically(folder / "a", "old");
  ::chmod((folder / "a").c_str(), 0600);
  std::filesystem::create_symlink(folder / "a", folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_bytes(folder / "a") == "new");
  struct stat status {};
  REQUIRE(::stat((folder / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(folder.entries() == 2);
}

namespace {

/// The name that a writer of this host and of that number would give to its file.
std::string temporary_name(const Folder& folder, pid_t pid) {
  // The writer's own name is the pattern: it is there while the writer lives.
  const AtomicFile writer(folder / "pattern");
  for (const auto& entry : std::filesystem::directory_iterator(folder.str())) {
    std::string name = entry.path().filename().string();
    const auto at = name.find(concat("-", ::getpid(), "-"));
    if (name.rfind("pattern.tmp-", 0) != 0 || at == std::string::npos) continue;
    return name.substr(7, at + 1 - 7) + std::to_string(pid) + "-0";
  }
  FAIL("a writer without a temporary file");
  return "";
}

/// The number of a process that has ended.
pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

}  // namespace

TEST_CASE("write: temporary files of dead writers of the same file go, others stay") {
  const Folder folder;
  const pid_t dead = dead_process();
  const std::string of_dead = temporary_name(folder, dead), of_parent = temporary_name(folder, ::getppid());
  const auto leave = [&](const std::string& name) { std::ofstream(folder / name) << "torn"; };
  for (const auto& name : {"a" + of_dead, concat("a.tmp-", dead, "-7"), concat("a.tmp-", ::getpid(), "-7")})
    leave(name);
  const std::vector<std::string> staying = {"a" + of_parent,        concat("a.tmp-otherhost-", dead, "-0"),
                                            "b" + of_dead,          concat("a.tmp-", dead, "-x"),
                                            concat("a.tmp-", dead), "a.tmp-"};
  for (const auto& name : staying) leave(name);
  AtomicFile living(folder / "a");
  const size_t others = staying.size() + 1;
  CHECK(folder.entries() == others);
  write_file_atomically(folder / "a", "new");
  CHECK(folder.entries() == others + 1);
  for (const auto& name : staying) CHECK_MESSAGE(std::filesystem::exists(folder / name), name);
  living.commit();

  remove_stale_temporaries(folder.str());
  CHECK_FALSE(std::filesystem::exists(folder / ("b" + of_dead)));
  CHECK(std::filesystem::exists(folder / ("a" + of_parent)));
  CHECK_NOTHROW(remove_stale_temporaries(folder / "no such folder"));
}

TEST_CASE("write: a temporary file that is locked belongs to somebody alive, whatever its number says") {
  const Folder folder;
  const std::string name = folder / ("a" + temporary_name(folder, dead_process()));
  const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(::flock(file, LOCK_EX | LOCK_NB) == 0);
  write_file_atomically(folder / "a", "new");
  CHECK(std::filesystem::exists(name));
  ::close(file);
  write_file_atomically(folder / "a", "new");
  CHECK_FALSE(std::filesystem::exists(name));
}
