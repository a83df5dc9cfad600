#include "apps/checkpoint.h"

#include <doctest/doctest.h>

#include "apps/init.h"
#include "base/check.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::apps;
using ntq::test::contains;
using ntq::test::error_of;
using ntq::test::read_file;
using ntq::test::TempFolder;
using ntq::test::write_file;

namespace {

TrainConfig tiny(int64_t bits) {
  TrainConfig c;
  c.dataset = "synthetic";
  c.model = "resnet20";
  c.bits = bits;
  c.limit_train = c.limit_val = 8;
  c.batch_size = 4;
  c.workers = 0;
  c.epochs = 2;
  c.model_ema = 0.9;
  return resolve(c);
}

Session session(const TrainConfig& c) {
  Console quiet(true, false);
  return make_session(c, open_data(c, quiet));
}

void one_step(Session& s) {
  s.train_loader->start(0);
  const auto batch = s.train_loader->next();
  const StepResult result = train_step(*s.model, *s.optimizer, *batch, s.loss, 0.01f);
  s.ema->update();
  s.progress.step = 1;
  s.progress.seen = 4;
  s.progress.loss_sum = static_cast<double>(result.loss.item()) / 3;  // no short decimal
}

/// A copy of the file with one metadata entry changed and the checksums made anew.
void edit_metadata(const std::string& from, const std::string& to, const std::string& key, const std::string& value) {
  TensorFile file = load_tensors(from);
  file.metadata[key] = value;
  save_tensors(to, file);
}

}  // namespace

TEST_CASE("a restored session is the one that was saved, to the bit") {
  const TempFolder folder;
  Session before = session(tiny(4));
  one_step(before);
  save_run(folder / "a.bin", before);
  Session after = session(tiny(4));
  restore_run(after, folder / "a.bin");
  CHECK(after.progress.step == 1);
  CHECK(after.progress.loss_sum == before.progress.loss_sum);
  CHECK(after.ema->updates() == 1);
  save_run(folder / "b.bin", after);
  CHECK(read_file(folder / "a.bin") == read_file(folder / "b.bin"));
  // And both go on alike.
  one_step(before);
  one_step(after);
  save_run(folder / "a.bin", before);
  save_run(folder / "b.bin", after);
  CHECK(read_file(folder / "a.bin") == read_file(folder / "b.bin"));
}

TEST_CASE("checkpoints of another kind are refused, with what was expected and found") {
  const TempFolder folder;
  Session s = session(tiny(4));
  const std::string good = folder / "good.bin", bad = folder / "bad.bin";
  save_run(good, s);

  edit_metadata(good, bad, "ntq.format", "2");
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "expected 1 or older, found 2"));
  edit_metadata(good, bad, "ntq.format", "one");
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "expected an integer"));
  edit_metadata(good, bad, "ntq.config", "{");
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "ntq.config"));
  edit_metadata(good, bad, "ntq.config", R"({"dataset": "synthetic", "model": "resnet999"})");
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "resnet999"));
  edit_metadata(good, bad, "ntq.classes", "99999999999999999999");
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "ntq.classes"));
  edit_metadata(good, bad, "ntq.loss_sum", "0x12");
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "16 hex digits"));

  edit_metadata(good, bad, "ntq.step", "3");
  CHECK(contains(error_of<CheckpointError>([&] { restore_run(s, bad); }), "is the data set another one now?"));
  Session other = session(tiny(2));
  CHECK(contains(error_of<CheckpointError>([&] { restore_run(other, good); }), "'bits': expected 2, found 4"));

  edit_metadata(good, bad, "ntq.classes", "11");
  const RunCheckpoint eleven = load_run_checkpoint(bad);
  CHECK(contains(error_of<CheckpointError>([&] { model_of(eleven, bad, false); }), "does not fit the model"));

  TensorFile foreign;
  foreign.tensors.emplace_back("x", Tensor::zeros({2}));
  save_tensors(bad, foreign);
  CHECK(contains(error_of<CheckpointError>([&] { load_run_checkpoint(bad); }), "use ntq-train --init"));
  CHECK_FALSE(is_of_run(checkpoint_file(s)));  // what a fork writes
  CHECK_THROWS_AS(load_run_checkpoint(folder / "none.bin"), CheckpointError);
}

TEST_CASE("a checkpoint without an average has none to give") {
  const TempFolder folder;
  TrainConfig c = tiny(32);
  c.model_ema = 0;
  save_run(folder / "a.bin", session(c));
  const RunCheckpoint checkpoint = load_run_checkpoint(folder / "a.bin");
  CHECK_NOTHROW(model_of(checkpoint, "a.bin", false));
  CHECK(contains(error_of<CheckpointError>([&] { model_of(checkpoint, "a.bin", true); }), "--model-ema"));
}

TEST_CASE("--init takes weights by name and leaves steps to the first batch") {
  const TempFolder folder;
  Session fp = session(tiny(32));
  one_step(fp);
  save_run(folder / "fp.bin", fp);
  TrainConfig c = tiny(4);
  c.seed = 9;
  Session q = session(c);
  const LoadReport report = init_from(q, folder / "fp.bin");
  CHECK(report.matched == static_cast<int64_t>(fp.model->state_dict().size()));
  CHECK(report.missing.empty());
  CHECK(report.left_over.empty());
  CHECK(report.fresh.size() == q.model->state_dict().size() - fp.model->state_dict().size());
  // The average chose the best epoch, so it is the start; --raw takes the weights themselves.
  const auto first = [](const NamedTensors& tensors) { return tensors[0].second.to_vector(); };
  REQUIRE(first(fp.ema->state_dict()) != first(fp.model->state_dict()));
  CHECK(first(q.model->state_dict()) == first(fp.ema->state_dict()));
  CHECK(first(q.ema->state_dict()) == first(fp.ema->state_dict()));
  REQUIRE(report.notices.size() == 1);
  CHECK(contains(report.notices[0], "averaged weights"));
  c.raw = true;
  Session raw = session(c);
  CHECK(contains(init_from(raw, folder / "fp.bin").notices.at(0), "the weights themselves"));
  CHECK(first(raw.model->state_dict()) == first(fp.model->state_dict()));
  c.raw = false;

  one_step(q);
  save_run(folder / "q4.bin", q);
  Session same = session(c);
  CHECK(init_from(same, folder / "q4.bin").fresh.empty());
  Session two = session(tiny(2));
  const LoadReport other_bits = init_from(two, folder / "q4.bin");
  CHECK(other_bits.notices.size() == 2);  // the average, and steps that start anew
  CHECK(other_bits.left_over.empty());
  CHECK_FALSE(other_bits.fresh.empty());
}

TEST_CASE("--init starts the classifier anew for other classes and refuses other shapes") {
  const TempFolder folder;
  Session s = session(tiny(32));
  TensorFile file;
  file.metadata["ntq.format"] = "1";
  for (const auto& [name, tensor] : s.model->state_dict()) {
    Shape shape = tensor.shape();
    if (name == "fc.weight") shape = {100, 64};
    if (name == "fc.bias") shape = {100};
    file.tensors.emplace_back(name, Tensor::zeros(shape, tensor.dtype()));
  }
  file.metadata.clear();
  file.tensors[0].second = Tensor::zeros({16, 3, 3, 3});  // a foreign file: {Cout,Cin,Kh,Kw}
  TensorFile turned = file;
  for (auto& [name, tensor] : turned.tensors) {
    if (tensor.shape().rank() == 4)
      tensor = Tensor::zeros({tensor.size(0), tensor.size(3), tensor.size(1), tensor.size(2)});
  }
  save_tensors(folder / "100.bin", turned);
  const auto before = s.model->state_dict().back().second.to_vector();
  const LoadReport report = init_from(s, folder / "100.bin");
  CHECK(report.notices.size() == 1);
  CHECK(report.missing.empty());
  CHECK(s.model->named_parameters()[0].second.to_vector()[0] == 0.0f);

  turned.tensors[0].second = Tensor::zeros({16, 3, 7, 7});
  save_tensors(folder / "shape.bin", turned);
  CHECK(contains(error_of<CheckpointError>([&] { init_from(s, folder / "shape.bin"); }), "is it of another model?"));
  TensorFile unknown;
  unknown.tensors.emplace_back("x", Tensor::zeros({2}));
  save_tensors(folder / "unknown.bin", unknown);
  CHECK(contains(error_of<CheckpointError>([&] { init_from(s, folder / "unknown.bin"); }), "the first is 'x'"));
}

TEST_CASE("filters of foreign files are turned to channels last") {
  const TempFolder folder;
  Session s = session(tiny(32));
  TensorFile file;
  Tensor filters = Tensor::empty({16, 3, 3, 3});
  for (int64_t i = 0; i < filters.numel(); ++i) filters.f32()[i] = static_cast<float>(i);
  file.tensors.emplace_back("conv1.weight", filters);
  save_tensors(folder / "f.bin", file);
  const LoadReport report = init_from(s, folder / "f.bin");
  CHECK(report.matched == 1);
  CHECK_FALSE(report.missing.empty());
  const auto values = s.model->named_parameters()[0].second.to_vector();
  CHECK(values[0] == 0.0f);
  CHECK(values[1] == 9.0f);    // next channel, same pixel
  CHECK(values[3] == 1.0f);    // next pixel, first channel
  CHECK(values[27] == 27.0f);  // next filter
}
