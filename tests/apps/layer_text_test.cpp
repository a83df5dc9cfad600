#include "apps/layer_text.h"

#include <doctest/doctest.h>

using namespace ntq;
using namespace ntq::apps;

TEST_CASE("neighbours of equal bits are told together") {
  LayerReport quantized, full;
  quantized.method = "ntq";
  quantized.weight_bits = quantized.input_bits = 2;
  full.name = "fc";
  CHECK(bits_summary({quantized, quantized, full}) == "2 between: weights 2, inputs 2 bits (ntq); fc: full precision");
}
