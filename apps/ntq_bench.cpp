// ntq-bench: how fast a network runs on this machine, in float32 as it was trained and in integers as it is deployed.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>

#include "apps/command.h"
#include "apps/command_line.h"
#include "apps/console.h"
#include "apps/deploy.h"
#include "apps/device_choice.h"
#include "apps/image_files.h"
#include "apps/json.h"
#include "apps/speed.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/isa.h"
#include "base/limits.h"
#include "base/peak_memory.h"
#include "base/printable.h"
#include "base/text.h"
#include "engine/backend/cpu_settings.h"
#include "infer/ntqi.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct BenchOptions {
  std::string file;
  std::optional<std::string> batches, threads, images;
  std::string device = "cpu";
  int64_t rounds = 7;
  double seconds = 0.1;
  bool json = false;
};

bool parse(int argc, char** argv, BenchOptions& o) {
  CLI::App app(
      "Images per second of a network on this machine: in float32 as it was trained, and as it is deployed, in\n"
      "integers. Medians of rounds in which the two take turns; random images unless some are given. GOP/s and their\n"
      "share of the limit are those of the fastest pass, by the operations of direct convolutions: layers that go\n"
      "through Winograd may pass 100%. The limit is the machine's dot products of bytes, measured in the same run.\n"
      "--device is that of the network in float32; in integers it runs on the CPU.");
  app.add_option("FILE", o.file, "a .ntqi file, or a last.bin or best.bin")->required()->type_name("");
  app.add_option("--batch", o.batches, "images at a time [1,32]")->type_name("N,N,...");
  app.add_option("--threads", o.threads, "threads [1 and one per core]")->type_name("N,N,...");
  add_device_option(app, o.device);
  app.add_option("--images", o.images, "an image or a folder of them, at most 256 of which are taken [random]")
      ->type_name("PATH");
  app.add_option("--rounds", o.rounds, "rounds of each measurement [7]")->type_name("N");
  app.add_option("--seconds", o.seconds, "of each round [0.1]")->type_name("X");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  if (!parse_or_answer(app, argc, argv)) return false;
  if (o.images && o.images->empty()) throw UsageError("--images: expected a name, found nothing");
  if (o.rounds < 1 || o.rounds > 1000) throw UsageError(concat("--rounds: expected 1 to 1000, found ", o.rounds));
  if (!(o.seconds >= 0 && o.seconds <= 60)) throw UsageError(concat("--seconds: expected 0 to 60, found ", o.seconds));
  return true;
}

/// "1,32".
std::vector<int64_t> numbers(const char* option, const std::string& text, int64_t most) {
  std::vector<int64_t> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(parse_integer(option, text.substr(at, comma - at)));
    if (out.back() < 1 || out.back() > most)
      throw UsageError(concat(option, ": expected numbers from 1 to ", most, ", found ", out.back()));
    at = comma + 1;
  }
  return out;
}

/// Of the file, or random ones, the same each time.
std::vector<uint8_t> images_for(const BenchOptions& o, const infer::Graph& graph, int64_t count) {
  if (o.images) {
    const NetworkImage input = network_image(graph, o.file);
    const std::vector<std::string> files = image_files({*o.images});
    ReadImages read = read_images(files, 0, std::min<size_t>(files.size(), 256), input);
    for (const std::string& error : read.errors) {
      if (!error.empty()) throw DataError(error);
    }
    return std::move(read.pixels);
  }
  std::vector<uint8_t> out(static_cast<size_t>(count * graph.image.size()));
  std::minstd_rand random(1);
  for (uint8_t& value : out) value = static_cast<uint8_t>(random() >> 8);
  return out;
}

const char* sums_name(infer::Sums sums) {
  switch (sums) {
    case infer::Sums::winograd: return "winograd";
    case infer::Sums::direct: return "direct";
    case infer::Sums::floats: return "float";
    case infer::Sums::none: break;
  }
  return "";
}

struct Load {
  infer::Model model;
  std::shared_ptr<Module> trained;
  double seconds;
};

/// What a program waits for at its start.
Load load(const BenchOptions& o, Console& console) {
  const auto start = std::chrono::steady_clock::now();
  Network network = open_network(o.file, o.images ? Images::as_trained : Images::of_that_size, {}, console);
  infer::Model model(std::move(network.graph), o.file);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  return {std::move(model), std::move(network.trained), passed.count()};
}

/// The fastest of a few: the first one reads from the disk.
Load load_again(const BenchOptions& o, Console& console) {
  Load best = load(o, console);
  for (int i = 0; i < 4 && best.trained == nullptr; ++i)
    best.seconds = std::min(best.seconds, load(o, console).seconds);
  return best;
}

/// Layers by what their sums are computed by.
std::map<std::string, std::vector<std::string>> layers_of(const infer::Model& model) {
  std::map<std::string, std::vector<std::string>> out;
  const auto sums = model.sums();
  for (size_t n = 0; n < sums.size(); ++n) {
    if (sums[n] != infer::Sums::none) out[sums_name(sums[n])].push_back(printable(model.graph().nodes[n].name, 60));
  }
  return out;
}

struct Row {
  int64_t batch;
  int64_t threads;
  double limit;  ///< GOP/s; 0: not known
  Speed speed;
};

void run(const BenchOptions& o) {
  Console console(false, o.json);
  const DeviceChoice device =
      infer::is_ntqi(o.file) ? choose_cpu(o.device, "a .ntqi file is a network of integers") : choose_device(o.device);
  const int64_t cores = cpu_threads();
  const auto batches = numbers("--batch", o.batches.value_or("1,32"), 4096);
  const auto threads = numbers("--threads", o.threads.value_or(cores == 1 ? "1" : concat("1,", cores)), 1024);
  const Load loaded = load_again(o, console);
  if (loaded.trained) loaded.trained->to(device.device);
  const auto bytes = std::filesystem::file_size(o.file);
  const infer::Model& model = loaded.model;
  const infer::Graph& graph = model.graph();
  const auto layers = layers_of(model);
  const bool integers = layers.contains("direct") || layers.contains("winograd");
  const double giga = operations(model) / 1e9;
  const std::string isa = cpu::chosen_isa(cpu::IsaList::integers);
  const std::vector<uint8_t> images = images_for(o, graph, *std::max_element(batches.begin(), batches.end()));

  const auto note = [&](const char* key) {
    const auto found = graph.notes.find(key);
    return found == graph.notes.end() ? std::string() : printable(found->second, 80);
  };
  console.headline(concat(note("model").empty() ? "network" : note("model"), note("precision").empty() ? "" : ", ",
                          note("precision"), ", images of ", graph.image.height, "x", graph.image.width, "x",
                          graph.image.channels));
  if (o.device != "cpu") print_device(console, device);
  for (const auto& [by, names] : layers)
    console.line(concat(by, std::string(11 - by.size(), ' '), names.size(), ": ", join_first(names, 6)));
  console.line(concat("work       ", fixed(giga, 4), " GOP an image (multiplications and additions)"));
  console.line(concat("file       ", bytes_text(static_cast<double>(bytes)), ", loaded in ",
                      fixed(1000 * loaded.seconds, 1), " ms", loaded.trained ? " with lowering" : ""));

  std::map<int64_t, double> limits;
  std::vector<Row> rows;
  for (const int64_t t : threads) {
    if (!limits.contains(t)) limits[t] = machine_limit(Limit::byte_dot, isa, static_cast<int>(t));
    for (const int64_t batch : batches) {
      console.progress(concat("batch ", batch, ", ", t, t == 1 ? " thread" : " threads"));
      const SpeedOptions options{.batch = batch,
                                 .threads = static_cast<int>(t),
                                 .rounds = static_cast<int>(o.rounds),
                                 .seconds = o.seconds,
                                 .device = device.device};
      rows.push_back({batch, t, integers ? limits[t] : 0, measure_speed(model, loaded.trained.get(), images, options)});
    }
  }
  console.clear_progress();
  const int64_t peak = peak_memory();
  console.line(concat("limit      ", isa, ", ", join(limits, ", ", [](const auto& of) {
                        return concat(of.second > 0 ? fixed(of.second, 0) : "unknown", " GOP/s on ", of.first,
                                      of.first == 1 ? " thread" : " threads");
                      })));
  console.line(concat("memory     ", bytes_text(static_cast<double>(peak)), " at most, all of this process"));

  const char* deployed = integers ? "integer img/s" : "deployed img/s";
  std::vector<std::vector<std::string>> table_rows = {
      {"batch", "threads", "float img/s", deployed, "times", "best GOP/s", "of limit", "arena"}};
  Json json_rows = Json::array();
  for (const Row& row : rows) {
    const Speed& s = row.speed;
    const double gops = giga * s.fastest;
    table_rows.push_back({std::to_string(row.batch), std::to_string(row.threads),
                          s.trained ? fixed(*s.trained, 1) : "-", fixed(s.deployed, 1),
                          s.trained ? fixed(s.deployed / *s.trained, 2) : "-", fixed(gops, 1),
                          row.limit > 0 ? concat(fixed(100 * gops / row.limit, 0), "%") : "-",
                          bytes_text(static_cast<double>(s.arena))});
    json_rows.push_back({{"batch", row.batch},
                         {"threads", row.threads},
                         {"float_images_per_s", s.trained ? Json(*s.trained) : Json()},
                         {"images_per_s", s.deployed},
                         {"gops", gops},
                         {"limit_gops", row.limit > 0 ? Json(row.limit) : Json()},
                         {"arena_bytes", s.arena}});
  }
  console.block("\n" + table(table_rows));
  if (!o.json) return;
  print_json({{"file", o.file},
              {"model", note("model")},
              {"precision", note("precision")},
              {"bytes", bytes},
              {"load_ms", 1000 * loaded.seconds},
              {"operations", 1e9 * giga},
              {"isa", isa},
              {"float_device", device.device.str()},
              {"integer", integers},
              {"layers", layers},
              {"peak_bytes", peak},
              {"rows", json_rows}});
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    BenchOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
