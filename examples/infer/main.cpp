// A packed network in a program of one's own: classifies an image file.
//   classify model.ntqi image.jpg
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "data/network_image.h"
#include "infer/model.h"

namespace {

std::vector<double> probabilities(const std::vector<float>& logits) {
  const float most = *std::max_element(logits.begin(), logits.end());
  std::vector<double> out;
  for (const float logit : logits) out.push_back(std::exp(static_cast<double>(logit) - static_cast<double>(most)));
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& p : out) p /= sum;
  return out;
}

void classify(const char* file, const char* image) {
  const auto model = ntq::infer::Model::load(file);
  const auto size = model.image();
  const auto& seen = model.graph().preprocessing;
  const auto pixels = ntq::read_network_image(image, {.height = size.height,
                                                      .width = size.width,
                                                      .channels = size.channels,
                                                      .crop = seen.crop,
                                                      .fast_decode = seen.fast_decode});
  ntq::infer::Workspace work(model);
  std::vector<float> logits(static_cast<size_t>(model.classes()));
  model.run(pixels.data(), 1, logits.data(), work);

  const auto p = probabilities(logits);
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  const auto& names = model.graph().classes;
  for (size_t i = 0; i < std::min<size_t>(5, order.size()); ++i) {
    const size_t c = order[i];
    std::printf("%8.2f%%  %s\n", 100 * p[c], names.empty() ? std::to_string(c).c_str() : names[c].c_str());
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
  } catch (const ntq::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
