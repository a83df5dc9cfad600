// What a kernel must not do; kernel_symbols.cmake has to find it. Compiled without optimisation, so that std::max is a
// function of its own, as in a debug build.
#include <algorithm>

namespace ntq::avx2 {
float larger(float a, float b) { return std::max(a, b); }
}  // namespace ntq::avx2
