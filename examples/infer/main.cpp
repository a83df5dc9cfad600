// classify MODEL.ntqi IMAGE: the five most probable classes of a JPEG, PNG, BMP or WebP, by a network that ntq-export
// has written. No training, no autograd: the file says what is computed and how images are prepared.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

#include "data/network_input.h"
#include "infer/model.h"

namespace {

/// The pixels as the network's data set gave them in evaluation.
std::vector<uint8_t> read_pixels(const std::string& path, const ntq::infer::Model& model) {
  const ntq::infer::MapShape size = model.image();
  const ntq::infer::Preprocessing& how = model.graph().preprocessing;
  const ntq::NetworkInput input{size.height, size.width, size.channels, how.crop, how.fast_decode};
  ntq::check_network_input(input, "the model");
  std::vector<uint8_t> pixels(static_cast<size_t>(size.size()));
  ntq::read_network_input(path, input, pixels.data());
  return pixels;
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const auto largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<double> out;
  for (const float logit : logits) out.push_back(std::exp(static_cast<double>(logit) - largest));
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& value : out) value /= sum;
  return out;
}

void classify(const std::string& file, const std::string& image) {
  const auto model = ntq::infer::Model::load(file);  // immutable: any number of threads may run it
  const std::vector<uint8_t> pixels = read_pixels(image, model);
  ntq::infer::Workspace work(model, 1);  // the memory of a run: one for each thread that calls run()
  std::vector<float> logits(static_cast<size_t>(model.classes()));
  model.run(pixels.data(), 1, logits.data(), work);  // bytes are normalised inside

  const std::vector<double> probabilities = softmax(logits);
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  order.resize(std::min<size_t>(order.size(), 5));
  const std::vector<std::string>& names = model.graph().classes;
  std::printf("%s\n", image.c_str());
  for (const size_t c : order) {
    const std::string name = names.empty() ? "class " + std::to_string(c) : names[c];
    std::printf("%8.2f%%  %s\n", 100 * probabilities[c], name.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: classify MODEL.ntqi IMAGE\n");
    return 2;
  }
  try {
    classify(argv[1], argv[2]);
    return 0;
  } catch (const ntq::Error& e) {  // a damaged file, an image that is none: one line, and its exit code
    std::fprintf(stderr, "%s\n", e.what());
    return e.exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
