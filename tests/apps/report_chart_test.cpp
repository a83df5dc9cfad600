// Drawings of a report: scales, ticks, thinning, and what they look like.
#include "apps/report/chart.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "apps/report/svg.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;
using doctest::Approx;

namespace {

std::vector<std::string> tick_texts(double low, double high, int most) {
  double step = 0;
  std::vector<std::string> out;
  for (const double tick : ticks(low, high, most, &step)) out.push_back(tick_text(tick, step));
  return out;
}

int occurrences(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a scale puts values where they belong, in logarithms too") {
  const Scale plain{.low = 2, .high = 4, .from = 10, .to = 110};
  CHECK(plain.at(2) == 10);
  CHECK(plain.at(3) == 60);
  const Scale down{.low = 0, .high = 1, .from = 186, .to = 8};
  CHECK(down.at(1) == 8);
  const Scale log{.low = 0.01, .high = 1, .from = 0, .to = 100, .log = true};
  CHECK(log.at(0.1) == Approx(50));
}

TEST_CASE("ticks are round, inside of the range and not too many") {
  CHECK(tick_texts(0, 10, 6) == Texts{"0", "2", "4", "6", "8", "10"});
  CHECK(tick_texts(83.28, 94.4, 5) == Texts{"85", "90"});
  CHECK(tick_texts(-1, 1, 5) == Texts{"-1.0", "-0.5", "0", "0.5", "1.0"});
  CHECK(tick_texts(0.0261, 0.0279, 4) == Texts{"0.0265", "0.0270", "0.0275"});
  CHECK(tick_texts(0, 390000, 5) == Texts{"0", "100k", "200k", "300k"});
  CHECK(tick_text(2e-6, 1e-6) == "2e-06");
  for (int most = 2; most < 9; ++most) {
    for (const double high : {1.0, 3.7, 99.0, 1e-7, 5e9}) CHECK(tick_texts(0, high, most).size() <= size_t(most));
  }
  CHECK(ticks(1, 3, 6, nullptr, 1) == std::vector<double>{1, 2, 3});  // epochs
  CHECK(ticks(1, 300, 5, nullptr, 1) == std::vector<double>{100, 200, 300});
  CHECK(log_ticks(0.001, 0.1) == std::vector<double>{0.001, 0.01, 0.1});
  CHECK(log_ticks(0.073, 0.14) == ticks(0.073, 0.14, 4));
  CHECK(log_ticks(1.5, 12).size() == 1 + 2);  // 2, 5, 10: one power of ten is too few
}

TEST_CASE("a range leaves room around a level line, and takes no notice of what is no number") {
  CHECK(range_of({3, NAN, 1, INFINITY}) == std::pair(1.0, 3.0));
  CHECK(range_of({5, 5}) == std::pair(4.5, 5.5));
  CHECK(range_of({0}) == std::pair(-1.0, 1.0));
  CHECK(range_of({}) == std::pair(0.0, 1.0));
}

TEST_CASE("thinning keeps the lowest and the highest of each share, in order") {
  Points many;
  for (int i = 0; i < 10000; ++i) many.x.push_back(i), many.y.push_back(std::sin(i * 0.01));
  many.y[7777] = 50, many.y[1234] = -50, many.y[5] = NAN;
  const Points few = thinned(many);
  CHECK(few.x.size() <= kMostPoints);
  CHECK(few.x.size() > kMostPoints / 2);
  CHECK(std::is_sorted(few.x.begin(), few.x.end()));
  CHECK(*std::max_element(few.y.begin(), few.y.end()) == 50);
  CHECK(*std::min_element(few.y.begin(), few.y.end()) == -50);
  const Points eight{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 9, 2, 3, 4, 4, 0, 7}};
  CHECK(thinned(eight, 4).x == std::vector<double>{1, 2, 7, 8});
  CHECK(thinned(eight, 4).y == std::vector<double>{1, 9, 0, 7});
  CHECK(thinned(eight, 8).x == eight.x);
  CHECK(thinned({{1, 2}, {NAN, 3}}).y == std::vector<double>{3});
}

TEST_CASE("lengths are short and text is harmless") {
  CHECK(px(12.04) == "12");
  CHECK(px(-0.04) == "0");
  CHECK(px(7.25) == "7.3");
  CHECK(px(-3.5) == "-3.5");
  CHECK(escaped("<b a=\"1\">&'\n\x1b\xff") == "&lt;b a=&quot;1&quot;&gt;&amp;&#39;\\n\\x1b\\xff");
  CHECK(short_name("layer1.0.conv1") == "layer1.0.conv1");
  CHECK(short_name("blocks.layer3.22.bottleneck.conv1") == "…22.bottleneck.conv1");
}

TEST_CASE("a small line chart, as it is") {
  Json hover = Json::array();
  const std::string svg =
      figure_of(LineChart{.title = "a < b", .x_name = "x", .series = {{"", {{0, 1}, {0.5, 1}}}}}, hover);
  CHECK(
      svg ==
      "<figure data-chart=\"0\">\n<figcaption>a &lt; b</figcaption>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 360 220\" role=\"img\" aria-label=\"a &lt; b\">\n"
      "<path class=\"grid\" d=\"M46 186L350 186\"/>\n<text class=\"tick end\" x=\"41\" y=\"189.5\">0.5</text>\n"
      "<path class=\"grid\" d=\"M46 150.4L350 150.4\"/>\n<text class=\"tick end\" x=\"41\" y=\"153.9\">0.6</text>\n"
      "<path class=\"grid\" d=\"M46 114.8L350 114.8\"/>\n<text class=\"tick end\" x=\"41\" y=\"118.3\">0.7</text>\n"
      "<path class=\"grid\" d=\"M46 79.2L350 79.2\"/>\n<text class=\"tick end\" x=\"41\" y=\"82.7\">0.8</text>\n"
      "<path class=\"grid\" d=\"M46 43.6L350 43.6\"/>\n<text class=\"tick end\" x=\"41\" y=\"47.1\">0.9</text>\n"
      "<path class=\"grid\" d=\"M46 8L350 8\"/>\n<text class=\"tick end\" x=\"41\" y=\"11.5\">1.0</text>\n"
      "<path class=\"grid\" d=\"M46 8L46 186\"/>\n<text class=\"tick mid\" x=\"46\" y=\"199\">0</text>\n"
      "<path class=\"grid\" d=\"M350 8L350 186\"/>\n<text class=\"tick mid\" x=\"350\" y=\"199\">1</text>\n"
      "<text class=\"tick end\" x=\"350\" y=\"215\">x</text>\n"
      "<path class=\"curve c0\" d=\"M46 186L350 8\"/>\n<path class=\"cross\" d=\"M0 8L0 186\"/>\n</svg>\n</figure>\n");
  CHECK(hover.size() == 1);
  CHECK(hover[0]["s"][0]["y"] == Json{0.5, 1.0});
}

TEST_CASE("bars, histograms and heat maps show every value, and say when there is none") {
  const std::string bars = figure_of(BarChart{.title = "t", .rows = {{"fc", {1}}, {"<conv>", {-0.5}}}});
  CHECK(contains(bars, "<path class=\"f0\""));
  CHECK(contains(bars, "<path class=\"f1\""));
  CHECK(contains(bars, "<title>&lt;conv&gt;: -0.5</title>"));
  const std::string dots = figure_of(BarChart{.title = "t", .rows = {{"NTQ", {91, 92, 93}}}, .dots = true});
  CHECK(occurrences(dots, "<circle") == 3);
  CHECK(occurrences(dots, "class=\"mean\"") == 1);
  // Four counts: heights 0, 44, 88 and 0 of 88, between 8 and 232.
  const std::string histogram =
      figure_of(HistogramChart{.title = "t", .low = -1, .high = 1, .counts = {0, 1, 2, 0}, .marks = {0.5}});
  CHECK(contains(histogram, "transform=\"translate(8 92)scale(56 1)\" d=\"M0 0h1v-44h1v-44h1v88h1V0z\""));
  CHECK(contains(histogram, "<path class=\"mark\" d=\"M176 4V92\"/>"));
  const std::string map =
      figure_of(HeatMap{.title = "t", .x_name = "epoch", .rows = {"a", "b"}, .values = {{0, 9}, {4.5, NAN}}});
  for (const char* shade : {"class=\"h0\"", "class=\"h4\"", "class=\"h8\""}) CHECK(occurrences(map, shade) == 1);
  CHECK(contains(figure_of(HeatMap{.title = "t", .rows = {"a"}, .values = {{2, 2}}}), "all 2"));
  Json hover = Json::array();
  CHECK(contains(figure_of(LineChart{.title = "t", .series = {{"a", {{1}, {NAN}}}}}, hover), "no values"));
  CHECK(contains(figure_of(BarChart{.title = "t", .rows = {{"a", {}}}}), "no values"));
  CHECK(contains(figure_of(HistogramChart{.title = "t", .counts = {0, 0}}), "no values"));
  CHECK(contains(figure_of(HeatMap{.title = "t", .rows = {"a"}, .values = {{NAN}}}), "no values"));
}
