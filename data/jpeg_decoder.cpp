// libjpeg-turbo, by libjpeg's own interface: it can skip rows and columns. Errors inside of it come back by longjmp,
// which passes C frames only: every call sits in guarded(), and nothing with a destructor is made there.
#ifdef NTQ_LIBJPEG
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include "base/check.h"
#include "data/decoders.h"

namespace ntq {
namespace {

/// Pixels around a cut that the decoder's smooth upsampling of colours may spoil: two at most, where a colour sample
/// lacks its neighbour.
constexpr int64_t kMargin = 4;

struct ErrorManager : jpeg_error_mgr {
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void on_error(j_common_ptr info) {
  auto* manager = static_cast<ErrorManager*>(info->err);
  manager->format_message(info, manager->message);
  std::longjmp(manager->jump, 1);
}

void on_message(j_common_ptr, int) {}

/// Progressive files keep all coefficients: 2 bytes for each of up to 4 components of kMaxImagePixels.
constexpr long kMostMemory = 600L << 20;
/// Photographs have about ten; each takes as long as a whole image, however few bytes it has.
constexpr int kMostScans = 100;

struct ProgressMonitor : jpeg_progress_mgr {
  ErrorManager* errors;
};

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  ErrorManager* const errors = static_cast<ProgressMonitor*>(info->progress)->errors;
  std::snprintf(errors->message, sizeof errors->message, "more than %d scans", kMostScans);
  std::longjmp(errors->jump, 1);
}

/// x * y / 255, rounded.
int scaled(int x, int y) {
  const int t = x * y + 128;
  return (t + (t >> 8)) >> 8;
}

/// CMYK to RGBX in place, as Pillow converts.
void to_rgbx(uint8_t* row, int64_t width, bool inverted) {
  for (uint8_t* p = row; p < row + 4 * width; p += 4) {
    const int flip = inverted ? 255 : 0;
    const int light = 255 - (p[3] ^ flip);
    for (int c = 0; c < 3; ++c) p[c] = static_cast<uint8_t>(light - scaled(p[c] ^ flip, light));
  }
}

}  // namespace

struct JpegDecoder::State {
  jpeg_decompress_struct info{};
  ErrorManager errors{};
  ProgressMonitor progress{};
  std::string name;

  ~State() { jpeg_destroy_decompress(&info); }

  /// Runs `body`, which must hold no C++ objects; throws what libjpeg reports.
  template <class Body>
  void guarded(Body&& body) {
    if (setjmp(errors.jump) != 0) throw DataError(name + ": cannot be decoded: " + errors.message);
    body();
  }
};

JpegDecoder::JpegDecoder(std::span<const uint8_t> bytes, const std::string& name) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = name;
  s.info.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = on_error;
  s.errors.emit_message = on_message;  // warnings: real photographs have stray bytes, every other reader takes them too
  s.guarded([&] {
    jpeg_create_decompress(&s.info);
    s.info.mem->max_memory_to_use = kMostMemory;
    s.progress.progress_monitor = on_progress;
    s.progress.errors = &s.errors;
    s.info.progress = &s.progress;
    jpeg_mem_src(&s.info, bytes.data(), bytes.size());
    jpeg_read_header(&s.info, TRUE);
    const bool four = s.info.jpeg_color_space == JCS_CMYK || s.info.jpeg_color_space == JCS_YCCK;
    s.info.out_color_space = four ? JCS_CMYK : JCS_EXT_RGBX;
  });
}

JpegDecoder::~JpegDecoder() = default;

ImageSize JpegDecoder::size() const { return {state_->info.image_height, state_->info.image_width}; }

ImageSize JpegDecoder::shrink(int divisor) {
  State& s = *state_;
  s.guarded([&] {
    s.info.scale_num = 1;
    s.info.scale_denom = static_cast<unsigned>(divisor);
    jpeg_calc_output_dimensions(&s.info);
  });
  return {s.info.output_height, s.info.output_width};
}

void JpegDecoder::read_rows(int64_t begin, int64_t end, int64_t left, int64_t right, const RowSink& sink) {
  State& s = *state_;
  JDIMENSION offset = 0, width = 0;
  s.guarded([&] {
    jpeg_start_decompress(&s.info);
    offset = static_cast<JDIMENSION>(std::max<int64_t>(left - kMargin, 0));
    width = static_cast<JDIMENSION>(std::min<int64_t>(right + kMargin, s.info.output_width)) - offset;
    if (width < s.info.output_width) {
      jpeg_crop_scanline(&s.info, &offset, &width);
    }
    const auto skip = static_cast<JDIMENSION>(std::max<int64_t>(begin - kMargin, 0));
    if (skip > 0) jpeg_skip_scanlines(&s.info, skip);
  });
  const bool cmyk = s.info.out_color_space == JCS_CMYK;
  // libjpeg-turbo writes rows that begin on 16 bytes past the cache, into memory; 4 bytes further on they stay in the
  // cache for the sink: decoding with resizing went from 355 to 545 images/s.
  std::vector<uint8_t> line((static_cast<size_t>(offset) + s.info.output_width) * 4 + 4);
  uint8_t* whole = line.data() + 4 * ((reinterpret_cast<uintptr_t>(line.data()) / 4 + offset) % 4 == 0);
  uint8_t* row = whole + 4 * static_cast<size_t>(offset);
  while (s.info.output_scanline < end) {
    const int64_t y = s.info.output_scanline;
    s.guarded([&] { jpeg_read_scanlines(&s.info, &row, 1); });
    if (y < begin) continue;
    if (cmyk) to_rgbx(row, s.info.output_width, s.info.saw_Adobe_marker != 0);
    sink(whole);
  }
}

std::string JpegDecoder::version() {
  const int v = LIBJPEG_TURBO_VERSION_NUMBER;
  return concat("libjpeg-turbo ", v / 1'000'000, ".", v / 1000 % 1000, ".", v % 1000);
}

}  // namespace ntq
#endif
