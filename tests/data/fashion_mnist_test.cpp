#include <doctest/doctest.h>
#include <zlib.h>

#include "data/dataset.h"
#include "data/idx.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

const std::string kRaw = "FashionMNIST/raw/";

Bytes idx(const std::vector<uint32_t>& sizes, size_t values, uint8_t modulus) {
  Bytes out{0, 0, 8, static_cast<uint8_t>(sizes.size())};
  for (const uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(size >> shift));
  }
  for (size_t i = 0; i < values; ++i) out.push_back(static_cast<uint8_t>(i % modulus));
  return out;
}

Bytes images(uint32_t count) { return idx({count, 28, 28}, size_t{784} * count, 251); }
Bytes labels(uint32_t count) { return idx({count}, count, 10); }

Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, plain.size()));
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void write_set(const TempFolder& temp, const std::string& folder) {
  temp.write(folder + "train-images-idx3-ubyte", images(3));
  temp.write(folder + "train-labels-idx1-ubyte", labels(3));
  temp.write(folder + "t10k-images-idx3-ubyte.gz", gzip(images(2)));
  temp.write(folder + "t10k-labels-idx1-ubyte.gz", gzip(labels(2)));
}

std::string error_with(const std::string& file, const Bytes& bytes) {
  const TempFolder temp;
  write_set(temp, kRaw);
  temp.write(kRaw + file, bytes);
  return error_of<DataError>([&] { open_dataset("fashion-mnist", temp.str()); });
}

Bytes cut(const Bytes& bytes, size_t length) { return {bytes.begin(), bytes.begin() + static_cast<int64_t>(length)}; }

}  // namespace

TEST_CASE("Fashion-MNIST is read plain and compressed, in each folder") {
  for (const std::string folder : {"fashion-mnist/", "FashionMNIST/raw/", "./"}) {
    const TempFolder temp;
    write_set(temp, folder);
    const DatasetPair pair = open_dataset("fashion-mnist", temp.str());
    REQUIRE(pair.train->size() == 3);
    REQUIRE(pair.val->size() == 2);
    CHECK(pair.train->get(2).label == 2);
    CHECK(pair.train->get(1).pixels.size() == 784);
    CHECK(pair.train->get(1).pixels[5] == (784 + 5) % 251);
    CHECK(pair.val->get(1).pixels[783] == (784 + 783) % 251);
    const DatasetInfo& info = pair.val->info();
    CHECK((info.height == 28 && info.width == 28 && info.channels == 1 && info.classes == 10 && info.flip));
    CHECK(open_dataset("fashion-mnist", temp.str(), 2, 1).train->size() == 2);
  }
}

TEST_CASE("a truncated IDX file is refused at every length, plain and compressed") {
  const Bytes plain = images(3), packed = gzip(plain);
  for (size_t length = 0; length < plain.size(); length += length < 20 || length > plain.size() - 3 ? 1 : 97) {
    CHECK_MESSAGE(contains(error_with("train-images-idx3-ubyte", cut(plain, length)), "truncated"), length);
  }
  for (size_t length = 0; length < packed.size(); length += length < 40 || length > packed.size() - 12 ? 1 : 13) {
    const std::string error = error_with("t10k-images-idx3-ubyte.gz", cut(packed, length));
    CHECK_MESSAGE(contains(error, "t10k-images-idx3-ubyte.gz"), length);
  }
  const Bytes names = labels(3);
  for (size_t length = 0; length < names.size(); ++length) {
    CHECK_MESSAGE(error_with("train-labels-idx1-ubyte", cut(names, length)) != "", length);
  }
}

TEST_CASE("any flipped bit of an IDX header is refused") {
  const Bytes plain = images(3);
  for (size_t bit = 0; bit < 16 * 8; ++bit) {
    Bytes bytes = plain;
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1 << bit % 8));
    const std::string error = error_with("train-images-idx3-ubyte", bytes);
    CHECK_MESSAGE(contains(error, "train-images-idx3-ubyte: "), bit);
  }
}

TEST_CASE("flipped bits of compressed data never pass unseen") {
  const Bytes good = gzip(images(2));
  const TempFolder temp;
  const auto path = temp.path() / "file.gz";
  const int64_t sides[] = {28, 28};
  temp.write("file.gz", good);
  const Bytes values = read_idx(path, sides).values;
  int refused = 0;
  for (size_t bit = 0; bit < good.size() * 8; bit += bit < 200 ? 1 : 37) {
    Bytes bytes = good;
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (1 << bit % 8));
    temp.write("file.gz", bytes);
    Bytes found = values;
    const std::string error = error_of<DataError>([&] { found = read_idx(path, sides).values; });
    CHECK_MESSAGE(found == values, bit);  // some bits mean nothing: time stamp, system
    CHECK((error.empty() || contains(error, "file.gz: ")));
    refused += !error.empty();
  }
  CHECK(refused > 150);
}

TEST_CASE("IDX counts that lie are refused before memory is asked for") {
  CHECK(contains(error_with("train-images-idx3-ubyte", idx({0xFFFFFFFF, 28, 28}, 784, 251)), "4294967295 records"));
  CHECK(contains(error_with("train-images-idx3-ubyte", idx({0, 28, 28}, 0, 251)), "0 records"));
  CHECK(contains(error_with("train-images-idx3-ubyte", idx({1 << 20, 28, 28}, 784, 251)), "can hold at most 800"));
  CHECK(contains(error_with("train-images-idx3-ubyte", idx({3, 28, 0xFFFFFFFF}, 784, 251)), "axis 2 is 4294967295"));
  // Compressed: more than deflate could ever pack, then more and fewer values than promised.
  CHECK(contains(error_with("t10k-images-idx3-ubyte.gz", gzip(idx({1 << 20, 28, 28}, 784, 251))), "can hold at most"));
  CHECK(contains(error_with("t10k-images-idx3-ubyte.gz", gzip(idx({2, 28, 28}, 3 * 784, 251))), "more than the 1568"));
  CHECK(contains(error_with("t10k-images-idx3-ubyte.gz", gzip(idx({2, 28, 28}, 1567, 251))), "found 1567"));
  CHECK(contains(error_with("train-images-idx3-ubyte", idx({3, 28, 28}, 3 * 784 + 1, 251)), "more than the 2352"));
}

TEST_CASE("Fashion-MNIST labels must match and lie in range") {
  CHECK(contains(error_with("train-labels-idx1-ubyte", labels(4)), "3 images, but"));
  Bytes bad = labels(3);
  bad.back() = 10;
  CHECK(contains(error_with("train-labels-idx1-ubyte", bad), "record 2: label 10, expected 0 to 9"));
  CHECK(contains(error_with("train-labels-idx1-ubyte", images(3)), "magic number is 0 0 8 3, expected 0 0 8 1"));
}

TEST_CASE("a set with a file missing names it") {
  const TempFolder temp;
  write_set(temp, kRaw);
  std::filesystem::remove(temp.path() / (kRaw + "train-labels-idx1-ubyte"));
  CHECK(contains(error_of<DataError>([&] { open_dataset("fashion-mnist", temp.str()); }),
                 "train-labels-idx1-ubyte.gz: the file is missing"));
}
