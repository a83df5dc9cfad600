// How fast photographs become batches: libjpeg-turbo's (or stb_image's) decode alone, decode + crop + normalise on one
// thread, and the loader with workers. Prints one JSON object; with --dump it writes what the network would see
// instead.
//   image_rate --data-dir .../imagenet-sample --aug field --workers 2
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#ifdef NTQ_LIBJPEG
#include <jpeglib.h>
#endif

#include "base/peak_memory.h"
#include "data/image_folder.h"
#include "data/loader.h"
#include "data/transforms.h"

namespace ntq::bench {
namespace {

struct Options {
  std::string dir, protocol = "paper", dump;
  bool fast = false, index_only = false;
  int workers = 2, rounds = 5;
};

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::vector<uint8_t> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

#ifdef NTQ_LIBJPEG
/// What a program does that uses libjpeg-turbo as its manual says: the whole image into memory, as RGB.
void decode_plainly(const std::vector<uint8_t>& bytes, std::vector<uint8_t>& pixels) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes.data(), bytes.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  jpeg_start_decompress(&info);
  const size_t row = 3 * size_t{info.output_width};
  pixels.resize(row * info.output_height);
  while (info.output_scanline < info.output_height) {
    uint8_t* to = pixels.data() + row * info.output_scanline;
    jpeg_read_scanlines(&info, &to, 1);
  }
  jpeg_destroy_decompress(&info);
}
#else
void decode_plainly(const std::vector<uint8_t>& bytes, std::vector<uint8_t>& pixels) {
  ImageFile image(bytes, "");
  pixels.resize(static_cast<size_t>(4 * image.size().width));
  image.read_rows(0, image.size().height, 0, image.size().width,
                  [&](const uint8_t* row) { std::copy_n(row, pixels.size(), pixels.begin()); });
}
#endif

/// Evaluation crops as NAME.rgb, bytes {224,224,3}.
void dump(const Options& o, const ImageFolder& data) {
  for (int64_t i = 0; i < data.size(); ++i) {
    const auto sample = data.get(i);
    std::ofstream file(o.dump + "/" + data.path(i).filename().string() + ".rgb", std::ios::binary);
    file.write(reinterpret_cast<const char*>(sample.pixels.data()), static_cast<std::streamsize>(sample.pixels.size()));
  }
}

/// Time to know which files there are, and the process's memory after it.
void time_index(const Options& o) {
  DatasetPair pair;
  const double seconds = seconds_of([&] { pair = open_dataset("imagenet", o.dir); });
  std::cout << nlohmann::ordered_json{{"train_images", pair.train->size()},
                                      {"val_images", pair.val->size()},
                                      {"seconds", seconds},
                                      {"peak_memory_mb", static_cast<double>(peak_memory()) / 1e6}}
                   .dump(2)
            << '\n';
}

void run(const Options& o) {
  if (o.index_only) return time_index(o);
  const DatasetPair pair = open_dataset("imagenet", {.dir = o.dir, .protocol = o.protocol, .fast_decode = o.fast});
  const auto& data = dynamic_cast<const ImageFolder&>(*pair.train);
  if (!o.dump.empty()) return dump(o, data);
  const int64_t n = data.size();
  const Transform transform(data.info());
  std::vector<float> out(224 * 224 * 3);
  std::vector<double> decode, load, loader, ratio;
  uint64_t sum = 0;
  std::vector<uint8_t> pixels;
  std::vector<std::vector<uint8_t>> files;
  for (int64_t i = 0; i < n; ++i) files.push_back(read_file(data.path(i).string()));
  for (int round = 0; round < o.rounds; ++round) {
    decode.push_back(seconds_of([&] {
      for (const auto& bytes : files) {
        decode_plainly(bytes, pixels);
        sum += pixels[pixels.size() / 2];
      }
    }));
    load.push_back(seconds_of([&] {
      for (int64_t i = 0; i < n; ++i)
        data.load(i, {.transform = transform, .augment = true, .epoch = round}, out.data());
    }));
    ratio.push_back(decode.back() / load.back());
    DataLoader batches(pair.train, {.batch_size = 16, .workers = o.workers});
    loader.push_back(seconds_of([&] {
      batches.start(round);
      while (batches.next()) {
      }
    }));
  }
  const auto rate = [&](const std::vector<double>& times) { return static_cast<double>(n) / median(times); };
  std::cout << nlohmann::ordered_json{{"decoder", jpeg_decoder()},
                                      {"protocol", o.protocol},
                                      {"fast_decode", o.fast},
                                      {"images", n},
                                      {"decode_per_s", rate(decode)},
                                      {"decode_crop_normalise_per_s", rate(load)},
                                      {"share_of_decode_rate", median(ratio)},
                                      {"workers", o.workers},
                                      {"loader_per_s", rate(loader)},
                                      {"checksum", sum}}
                   .dump(2)
            << '\n';
}

}  // namespace
}  // namespace ntq::bench

int main(int argc, char** argv) {
  ntq::bench::Options o;
  CLI::App app("Times decoding and loading of photographs.");
  app.add_option("--data-dir", o.dir, "folder of train/ and val/")->required();
  app.add_option("--aug", o.protocol, "paper or field")->capture_default_str();
  app.add_flag("--fast-decode", o.fast, "shrunken decode of large JPEGs");
  app.add_option("--workers", o.workers, "loader threads")->capture_default_str();
  app.add_option("--rounds", o.rounds, "medians over so many")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_flag("--index-only", o.index_only, "only time the list of files");
  app.add_option("--dump", o.dump, "write the evaluation crops of train into this folder instead");
  CLI11_PARSE(app, argc, argv);
  ntq::bench::run(o);
}
