// ntq-predict and ntq-bench as a user runs them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "apps/image_files.h"
#include "apps/json.h"
#include "data/dataset.h"
#include "engine/serialize.h"
#include "infer/ntqi.h"
#include "tests/apps/photos.h"
#include "tests/support/bmp.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
using ntq::apps::Json;

namespace {

/// A checkpoint of 4 bits, and the packed file of it.
struct Trained {
  TempFolder folder;
  std::string checkpoint, packed = folder / "m.ntqi";

  Trained(const std::string& options, const std::string& name) {
    const Outcome train =
        run("ntq-train" + options + "--bits 4 --epochs 1 --pretrain-epochs 0 --quiet --output " + folder.str());
    REQUIRE_MESSAGE(train.code == 0, train.err);
    checkpoint = folder / (name + "-w4a4-ntq/last.bin");
    const Outcome out = run("ntq-export " + checkpoint + " " + packed);
    REQUIRE_MESSAGE(out.code == 0, out.err);
  }
};

const Trained& small() {
  static const Trained trained(" synthetic resnet20 --limit-train 16 --limit-val 16 --batch-size 16 --threads 1 ",
                               "synthetic-resnet20");
  return trained;
}

/// Images of the synthetic validation set as files "00.bmp", ...
void write_images(const TempFolder& at, int64_t count) {
  const DatasetPair data = open_dataset("synthetic", {}, {}, count);
  for (int64_t i = 0; i < count; ++i) at.write(concat(i / 10, i % 10, ".bmp"), bmp_of(data.val->get(i).pixels, 32, 32));
}

/// Whether the answer has the probabilities that ntq-eval's logits make.
void check_probabilities(const Json& answer, const Tensor& logits) {
  const int64_t classes = logits.size(1);
  REQUIRE(static_cast<int64_t>(answer["images"].size()) == logits.size(0));
  for (int64_t i = 0; i < logits.size(0); ++i) {
    const float* of = logits.f32() + i * classes;
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(of[c]) - static_cast<double>(of[0]));
    double before = 1;
    const Json& top = answer["images"][static_cast<size_t>(i)]["top"];
    for (const Json& guess : top) {
      const auto c = guess["index"].get<int64_t>();
      const double p = guess["probability"].get<double>();
      CHECK(p ==
            doctest::Approx(std::exp(static_cast<double>(of[c]) - static_cast<double>(of[0])) / sum).epsilon(1e-12));
      CHECK(p <= before);
      before = p;
    }
  }
}

}  // namespace

TEST_CASE("ntq-predict: the outputs of ntq-eval, image by image, of a packed file and of its checkpoint") {
  const TempFolder at;
  write_images(at, 12);
  const Outcome eval = run("ntq-eval " + small().packed + " --limit-val 12 --logits " + at / "logits");
  REQUIRE_MESSAGE(eval.code == 0, eval.err);
  const Tensor logits = load_tensors(at / "logits").at("logits");
  const Outcome all = run("ntq-predict " + small().packed + " " + at.str() + " --top 10 --json");
  REQUIRE_MESSAGE(all.code == 0, all.err);
  const Json answer = Json::parse(all.out);
  check_probabilities(answer, logits);
  CHECK(answer["images"][0]["image"] == at / "00.bmp");
  CHECK(answer["images"][0]["top"].size() == 10);
  const std::string best = answer["images"][3]["top"][0]["class"].get<std::string>();

  // Batches, threads and where the network comes from change nothing.
  const auto images_of = [](const std::string& text) { return Json::parse(text)["images"]; };
  const std::string rest = " " + at.str() + " --top 10 --json ";
  CHECK(images_of(run("ntq-predict " + small().packed + rest + "--batch-size 5 --threads 2").out) == answer["images"]);
  CHECK(images_of(run("ntq-predict " + small().checkpoint + rest).out) == answer["images"]);

  const Outcome table = run("ntq-predict " + small().packed + " --top 2 " + at / "03.bmp");
  CHECK(lines_of(table.out) == 3);
  CHECK(contains(table.out, "03.bmp\n"));
  CHECK(contains(table.out, "%  " + best + "\n"));
  CHECK(table.err.empty());
}

TEST_CASE("ntq-predict on photographs: the crop of the evaluation") {
  const TempFolder photos;
  const Trained trained(
      " folder resnet20 --stem cifar --image-size 32 --batch-size 6 --threads 1 --workers 1 " + make_photos(photos, 3),
      "folder-resnet20");
  const Outcome eval =
      run("ntq-eval " + trained.packed + " --data-dir " + photos.str() + " --logits " + photos / "logits");
  REQUIRE_MESSAGE(eval.code == 0, eval.err);
  const Outcome all = run("ntq-predict " + trained.packed + " " + photos / "val" + " --json");
  REQUIRE_MESSAGE(all.code == 0, all.err);
  const Json answer = Json::parse(all.out);
  CHECK(answer["images"][5]["top"][0].contains("class"));
  check_probabilities(answer, load_tensors(photos / "logits").at("logits"));
}

TEST_CASE("ntq-predict: images that cannot be read are named, the others are classified") {
  const TempFolder at;
  write_images(at, 2);
  write_file(at / "text.jpg", "no image");
  const std::string predict = "ntq-predict " + small().packed + " ";
  const Outcome some = run(predict + at / "none.png" + " " + at.str());
  CHECK(some.code == 3);
  CHECK(contains(some.err, "warning: left out: " + at / "none.png"));
  CHECK(contains(some.err, at / "text.jpg"));
  CHECK(contains(some.err, "error: 2 of 4 images could not be read\n"));
  CHECK(lines_of(some.out) == 12);
  const Json json = Json::parse(run(predict + at.str() + " --json").out);
  CHECK(json["exit_code"] == 3);
  CHECK(json["left_out"] == 1);
  CHECK(contains(json["images"][2]["error"].get<std::string>(), "text.jpg"));
}

TEST_CASE("ntq-predict and ntq-bench: bad input is one line and an exit code") {
  const TempFolder at;
  write_images(at, 1);
  std::filesystem::create_directory(at / "empty");
  at.write("large.bmp", bmp_of(Bytes(33 * 32 * 3, 7), 32, 33));
  const std::string bytes = read_file(small().packed);
  write_file(at / "cut.ntqi", bytes.substr(0, bytes.size() / 2));
  const std::string good = small().packed + " ", image = at / "00.bmp";
  const std::string gray = at / "gray.ntqi", unreal = at / "unreal.ntqi";
  write_file(at / "empty.png", "");
  Bytes colours(32 * 32 * 3, 7);
  colours[0] = 200;
  at.write("colours.bmp", bmp_of(colours, 32, 32));
  infer::Graph graph{.image = {32, 32, 3}, .preprocessing = {}, .nodes = {}, .classes = {}, .notes = {}};
  graph.nodes.push_back({.op = infer::Op::linear, .name = "fc", .inputs = {infer::kImage}});
  infer::Node& fc = graph.nodes[0];
  fc.weights = {.out = 2, .in = 3072};
  fc.weights.values.assign(2 * 3072, 1e30f), fc.scale.assign(2, 1e30f), fc.bias.assign(2, 0);
  infer::write_ntqi(unreal, graph);
  graph.image.channels = 1;
  graph.nodes = {{.op = infer::Op::global_average, .name = "pool", .inputs = {infer::kImage}}};
  infer::write_ntqi(gray, graph);
  struct Wrong {
    std::string command;
    int code;
  };
  const Wrong wrong[] = {
      {"ntq-predict", 2},
      {"ntq-predict " + good, 2},
      {"ntq-predict " + good + "''", 2},
      {"ntq-predict " + good + image + " ''", 2},
      {"ntq-predict " + good + image + " --top 0", 2},
      {"ntq-predict " + good + image + " --batch-size 0", 2},
      {"ntq-predict " + good + image + " --threads 0", 2},
      {"ntq-predict " + good + image + " --nothing", 2},
      {"ntq-predict " + good + image + " --top 9999999", 2},
      {"ntq-predict " + good + image + " --threads 10000", 2},
      {"ntq-predict " + good + image + " --device cuda", 2},
      {"ntq-predict " + small().checkpoint + " " + image + " --device cuda:x", 2},
      {"ntq-predict " + small().checkpoint + " " + image + " --device nothing:0", 6},
      {"ntq-predict " + good + at / "none.png", 3},
      {"ntq-predict " + good + at / "empty.png", 3},
      {"ntq-predict " + good + "/dev/null", 3},
      {"ntq-predict " + at.str() + " " + image, 4},
      {"ntq-predict " + gray + " " + at / "colours.bmp", 3},
      {"ntq-predict " + unreal + " " + image, 4},
      {"ntq-predict " + good + at / "empty", 3},
      {"ntq-predict " + good + at / "large.bmp", 3},
      {"ntq-predict " + at / "none.ntqi" + " " + image, 4},
      {"ntq-predict " + at / "cut.ntqi" + " " + image, 4},
      {"ntq-predict " + image + " " + image, 4},
      {"ntq-bench", 2},
      {"ntq-bench " + good + good, 2},
      {"ntq-bench " + good + "--batch 1,", 2},
      {"ntq-bench " + good + "--batch 0", 2},
      {"ntq-bench " + good + "--threads 2,x", 2},
      {"ntq-bench " + good + "--rounds 0", 2},
      {"ntq-bench " + good + "--seconds -1", 2},
      {"ntq-bench " + good + "--seconds nan", 2},
      {"ntq-bench " + good + "--batch 99999999999999999999", 2},
      {"ntq-bench " + good + "--images ''", 2},
      {"ntq-bench " + good + "--device cuda", 2},
      {"ntq-bench " + small().checkpoint + " --device nothing:0", 6},
      {"ntq-bench " + good + "--images " + at / "none.png", 3},
      {"ntq-bench " + at / "none.ntqi", 4},
      {"ntq-bench " + at / "cut.ntqi", 4},
  };
  for (const Wrong& w : wrong) {
    const Outcome outcome = run(w.command);
    CHECK_MESSAGE(outcome.code == w.code, w.command, ": ", outcome.err);
    CHECK_MESSAGE(lines_of(outcome.err) == 1, w.command, ": ", outcome.err);
    CHECK_MESSAGE(outcome.out.empty(), w.command);
  }
}

TEST_CASE("networks that no image file is for") {
  infer::Graph graph;
  graph.image = {32, 32, 2};
  const auto refused = [&] { return error_of<CheckpointError>([&] { apps::network_image(graph, "m.ntqi"); }); };
  CHECK(refused() == "m.ntqi: reads images of 32x32x2; expected for image files 1 or 3 channels");
  graph.image.channels = 1;
  CHECK(refused().empty());
  graph.preprocessing.crop = "field";
  CHECK(contains(refused(), "squares of 3 channels"));
  graph.image = {32, 28, 3};
  CHECK(contains(refused(), "squares of 3 channels"));
}

TEST_CASE("ntq-bench: a row for each batch and number of threads, of both forms of a checkpoint") {
  const std::string quick = " --batch 1,3 --threads 1,2 --rounds 1 --seconds 0 --json";
  const Outcome both = run("ntq-bench " + small().checkpoint + quick);
  REQUIRE_MESSAGE(both.code == 0, both.err);
  const Json json = Json::parse(both.out);
  REQUIRE(json["rows"].size() == 4);
  CHECK(json["rows"][1]["batch"] == 3);
  CHECK(json["rows"][2]["threads"] == 2);
  for (const Json& row : json["rows"]) {
    CHECK(row["float_images_per_s"] > 0);
    CHECK(row["images_per_s"] > 0);
    CHECK(row["arena_bytes"] > 0);
  }
  CHECK(json["layers"]["direct"].size() + json["layers"]["winograd"].size() == 20);
  CHECK(json["operations"] == 81'102'080);  // twice the products of 20 layers
  CHECK(contains(both.err, "float img/s"));

  const Outcome packed = run("ntq-bench " + small().packed + quick);
  REQUIRE_MESSAGE(packed.code == 0, packed.err);
  CHECK(Json::parse(packed.out)["rows"][0]["float_images_per_s"].is_null());
  CHECK(Json::parse(packed.out)["layers"] == json["layers"]);
  CHECK(Json::parse(packed.out)["bytes"] == std::filesystem::file_size(small().packed));
}
