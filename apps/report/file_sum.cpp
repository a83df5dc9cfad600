#include "apps/report/file_sum.h"

#include <vector>

#include "base/crc32.h"
#include "base/input_file.h"

namespace ntq::apps {

std::string file_crc32(const std::string& path) {
  InputFile file(path);
  std::vector<char> part(size_t{1} << 20);
  Crc32 sum;
  for (size_t got; (got = file.read(part.data(), part.size())) > 0;) sum.add(part.data(), got);
  return sum.text();
}

}  // namespace ntq::apps
