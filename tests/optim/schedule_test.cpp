// Rates computed by hand.
#include "optim/schedule.h"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>

using namespace ntq;

namespace {

bool near(float found, double expected) {
  CAPTURE(found);
  return found == doctest::Approx(expected).epsilon(1e-6);
}

}  // namespace

TEST_CASE("schedule: constant") {
  const Schedule s{.kind = ScheduleKind::constant, .lr = 0.3f, .steps_per_epoch = 2, .epochs = 3};
  for (int64_t step = 0; step < 6; ++step) CHECK(s.at(step) == 0.3f);
}

TEST_CASE("schedule: warm-up rises from lr / steps to lr, then the schedule starts from its top") {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine, ScheduleKind::paper}) {
    const Schedule s{.kind = kind, .lr = 0.4f, .steps_per_epoch = 2, .epochs = 10, .warmup_epochs = 2};
    CHECK(near(s.at(0), .1));
    CHECK(near(s.at(1), .2));
    CHECK(near(s.at(2), .3));
    CHECK(s.at(3) == 0.4f);
    CHECK(s.at(4) == 0.4f);
  }
  const Schedule all{.lr = 1, .steps_per_epoch = 4, .epochs = 1, .warmup_epochs = 1};
  CHECK(all.at(3) == 1.0f);
}

TEST_CASE("schedule: step, at half and three quarters unless told") {
  const Schedule s{.kind = ScheduleKind::step, .lr = 1, .steps_per_epoch = 10, .epochs = 8};
  CHECK(s.at(39) == 1.0f);
  CHECK(near(s.at(40), .1));
  CHECK(near(s.at(59), .1));
  CHECK(near(s.at(60), .01));
}

TEST_CASE("schedule: step drops between epochs, where half of them is no whole number") {
  // Half of 5 epochs is 2.5, three quarters are 3.75: after 3 and after 4.
  const Schedule five{.kind = ScheduleKind::step, .lr = 1, .steps_per_epoch = 10, .epochs = 5};
  CHECK(five.at(25) == 1.0f);
  CHECK(five.at(29) == 1.0f);
  CHECK(near(five.at(30), .1));
  CHECK(near(five.at(39), .1));
  CHECK(near(five.at(40), .01));
  // Of 3: after 2 (1.5), and not within the third (2.25).
  const Schedule three{.kind = ScheduleKind::step, .lr = 1, .steps_per_epoch = 4, .epochs = 3};
  CHECK(three.at(7) == 1.0f);
  CHECK(near(three.at(8), .1));
  CHECK(near(three.at(11), .1));
  const Schedule one{.kind = ScheduleKind::step, .lr = 1, .steps_per_epoch = 4, .epochs = 1};
  for (int64_t step = 0; step < 4; ++step) CHECK(one.at(step) == 1.0f);
}

TEST_CASE("schedule: step with milestones and decay of one's own, in any order") {
  const Schedule s{
      .kind = ScheduleKind::step, .lr = 0.8f, .steps_per_epoch = 5, .epochs = 10, .milestones = {6, 3}, .decay = 0.5f};
  CHECK(near(s.at(14), .8));
  CHECK(near(s.at(15), .4));
  CHECK(near(s.at(29), .4));
  CHECK(near(s.at(30), .2));
}

TEST_CASE("schedule: cosine passes the middle at half time") {
  const Schedule s{.lr = 0.3f, .min_lr = 0.1f, .steps_per_epoch = 4, .epochs = 3};
  CHECK(s.at(0) == 0.3f);
  CHECK(near(s.at(4), .25));  // cos 60 degrees = 1/2
  CHECK(near(s.at(6), .2));
  CHECK(near(s.at(8), .15));
  CHECK(near(s.at(11), .1 + .1 * (1 - .9659258262890683)));  // cos 165 degrees
}

TEST_CASE("schedule: cosine behind a warm-up counts its own steps") {
  const Schedule s{.lr = 1, .steps_per_epoch = 3, .epochs = 3, .warmup_epochs = 1};
  CHECK(near(s.at(5), .75));  // 2 of 6 steps: 60 degrees
  CHECK(near(s.at(6), .5));
  CHECK(near(s.at(7), .25));
}

TEST_CASE("schedule: exponential falls by the same factor at each step, behind the warm-up") {
  const Schedule s{.kind = ScheduleKind::exponential,
                   .lr = 0.0016f,
                   .min_lr = 0.0001f,
                   .steps_per_epoch = 2,
                   .epochs = 5,
                   .warmup_epochs = 1};
  CHECK(near(s.at(1), .0016));
  CHECK(near(s.at(2), .0016));
  CHECK(near(s.at(4), .0008));
  CHECK(near(s.at(8), .0002));
  Schedule endless = s;
  endless.min_lr = 0;
  CHECK_THROWS_AS(endless.at(2), std::invalid_argument);
}

TEST_CASE("schedule: the paper's rate is divided by ten after every 50 epochs") {
  const Schedule s{.kind = ScheduleKind::paper, .lr = 0.01f, .steps_per_epoch = 3, .epochs = 200};
  CHECK(s.at(0) == 0.01f);
  CHECK(near(s.at(50 * 3 - 1), .01 * (1 + .7108984) / 2));  // cos(pi 149 / 600)
  CHECK(near(s.at(50 * 3), .001 * (1 + .7071068) / 2));     // 45 degrees
  CHECK(near(s.at(100 * 3), .0001 / 2));
  CHECK(near(s.at(150 * 3), .00001 * (1 - .7071068) / 2));
}

TEST_CASE("schedule: the paper's rate stays at its least once there") {
  const Schedule s{.kind = ScheduleKind::paper, .lr = 0.01f, .min_lr = 0.0005f, .steps_per_epoch = 3, .epochs = 200};
  CHECK(near(s.at(50 * 3), (.0005 + .0095 * (1 + .7071068) / 2) / 10));  // 45 degrees: .00086
  CHECK(s.at(100 * 3) == 0.0005f);                                       // (.0005 + .0095 / 2) / 100
  CHECK(s.at(200 * 3 - 1) == 0.0005f);
}

TEST_CASE("schedule: names") {
  CHECK(parse_schedule("constant") == ScheduleKind::constant);
  CHECK(parse_schedule("step") == ScheduleKind::step);
  CHECK(parse_schedule("cosine") == ScheduleKind::cosine);
  CHECK(parse_schedule("paper") == ScheduleKind::paper);
  CHECK(parse_schedule("exponential") == ScheduleKind::exponential);
  CHECK_THROWS_WITH_AS((void)parse_schedule("Cosine"), doctest::Contains("found \"Cosine\""), std::invalid_argument);
}

TEST_CASE("schedule: steps and settings out of range are refused") {
  const auto refused = [](const Schedule& s, int64_t step = 0) {
    CHECK_THROWS_AS((void)s.at(step), std::invalid_argument);
  };
  refused({.steps_per_epoch = 2, .epochs = 3}, 6);
  refused({}, -1);
  refused({.steps_per_epoch = 0});
  refused({.epochs = 0});
  refused({.steps_per_epoch = int64_t{1} << 40, .epochs = int64_t{1} << 40});
  refused({.warmup_epochs = 2});
  refused({.warmup_epochs = -1});
  refused({.lr = 0.1f, .min_lr = 0.2f});
  refused({.min_lr = -1});
  refused({.lr = std::numeric_limits<float>::infinity()});
  refused({.lr = std::numeric_limits<float>::quiet_NaN()});
  refused({.kind = ScheduleKind::step, .decay = -1});
}
