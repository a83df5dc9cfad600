// Lists of labels as people and archives write them.
#include "data/label_list.h"

#include <doctest/doctest.h>

#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

const std::vector<std::string> kClasses = {"cat", "dog", "Ankle boot"};

FileIndex index_of(const std::vector<std::string>& files) {
  FileIndex index;
  index.classes.push_back({"", 0});
  for (const std::string& file : files) index.add(file, 1);
  return index;
}

Labels parse_list(const std::string& text, const std::vector<std::string>& classes = kClasses) {
  return parse_label_list(text, "list", index_of({"a.jpg", "b c.JPEG", "d.png"}), classes);
}

std::vector<int32_t> list_labels(const std::string& text) { return parse_list(text).labels; }

std::string list_refusal(const std::string& text, const std::vector<std::string>& classes = kClasses) {
  return error_of<DataError>([&] { parse_list(text, classes); });
}

const std::vector<int32_t> kRight = {0, 2, 1};

}  // namespace

TEST_CASE("tabs, commas, semicolons or spaces; names or numbers; with endings and folders or without") {
  for (const std::string text : {
           "a.jpg\tcat\nb c.JPEG\tAnkle boot\nd.png\tdog\n",
           "a.jpg,cat\nb c.JPEG,Ankle boot\nd.png,dog",
           "a.jpg;cat\r\nb c.JPEG;Ankle boot\r\nd.png;dog\r\n",
           "a.jpg cat\nb c.JPEG Ankle boot\nd.png dog\n",
           "a.jpg   cat  \n\n\n  b c   2\nd 1\n",
           "d,1\nb c,2\na,0\n",
           "\"a.jpg\", \"cat\"\n\"b c.JPEG\", \"Ankle boot\"\n\"d.png\", \"dog\"\n",
           "filename,label\na.jpg,cat\nb c.JPEG,Ankle boot\nd.png,dog\n",
           "\xEF\xBB\xBF./val/a.jpg cat\nval/b c.JPEG 2\nx/y/d dog\n",
           "val\\a.jpg,cat\nval\\b c.JPEG,2\nval\\d.png,dog\n",
           "a.JPG cat\nb c.jpg 2\nd.jpeg dog\n",
           "ImageId,PredictionString\nd,dog 1 2 3 4 dog 5 6 7 8 \na,cat 85 1 499 272 \nb c,2 1 2 3 4\n",
           "a.jpg\tcat\t0\t32\t44\t62\nb c.JPEG\t2\t1\t1\t1\t1\nd.png\tdog\t9\t9\t9\t9\n",
           "a.jpg cat\na.jpg cat\nb c.JPEG 2\nd.png 1\n",
           "cat\n2\ndog\n",
           "0\nAnkle boot\n1",
           "label\n0\n2\n1\n",
       }) {
    CAPTURE(text);
    CHECK(list_labels(text) == kRight);
  }
}

TEST_CASE("what a list lacks or contradicts is said with its lines") {
  CHECK(list_refusal("a.jpg cat\nb c.JPEG 2\nd.png dog\n\na.jpg dog\n") ==
        "list, lines 1 and 5: two labels for a.jpg, cat and dog");
  CHECK(contains(list_refusal("a cat\na.jpg 1\n"), "lines 1 and 2: two labels for a.jpg"));
  CHECK(contains(list_refusal("a.jpg cat\nd.png dog\n"), "has no label for b c.JPEG (1 of 3 images are without)"));
  CHECK(contains(list_refusal("a.jpg cat\nd.png emu\n"), "list, line 2: expected the name of a class"));
  CHECK(contains(list_refusal("a.jpg cat\nd.png 3\n"), "number from 0 to 2"));
  CHECK(contains(list_refusal("a.jpg cat\nd.png -1\n"), "found '-1'"));
  CHECK(contains(list_refusal("a.jpg\tcat\nb c.JPEG\tdog\nd.png\t\n"), "no label for d.png"));
  CHECK(contains(list_refusal("0\n1\n"), "expected a label for each of the 3 images, found 2"));
  CHECK(contains(list_refusal(""), "found 0"));
}

TEST_CASE("a second class in a line is an error, boxes and texts are not") {
  for (const std::string text : {
           "a.jpg cat dog\n",
           "a.jpg,cat,dog\nb c.JPEG,2\nd.png,1\n",
           "a.jpg\t1\tcat\n",
           "id,width,class\na,0,cat\nb c,0,Ankle boot\nd,0,dog\n",
           "ImageId,PredictionString\na,cat 1 2 3 4 dog 5 6 7 8\nb c,2 1 2 3 4\nd,dog 1 2 3 4\n",
       }) {
    CAPTURE(text);
    CHECK(contains(list_refusal(text), "two classes in one line"));
  }
  CHECK(list_labels("a.jpg,0,a cat,cat\nb c.JPEG,2,boots\nd.png,1,dog,\n") == kRight);
}

TEST_CASE("where classes are called by numbers, a number is a name and never a place") {
  const std::vector<std::string> classes = {"1", "10", "2"};
  CHECK(parse_list("a.jpg 10\nb c.JPEG 2\nd.png 1\n", classes).labels == std::vector<int32_t>{1, 2, 0});
  CHECK(contains(list_refusal("a.jpg 0\nb c.JPEG 1\nd.png 2\n", classes), "classes are called by numbers here"));
  CHECK(contains(list_refusal("0\n1\n2\n", classes), "classes are called by numbers here"));
}

TEST_CASE("entries without an image are counted") {
  const Labels found = parse_list("a.jpg cat\nb c.JPEG 2\nnone.jpg dog\nd.png dog\nmore.jpg whatever\n");
  CHECK(found.labels == kRight);
  REQUIRE(found.notices.size() == 1);
  CHECK(found.notices[0] == "list: 2 of 5 entries have no image here; the first: none.jpg in line 3");
  CHECK(parse_list("a.jpg cat\nb c.JPEG 2\nd.png dog\n").notices.empty());
}

TEST_CASE("images of the same name are told apart by their folders") {
  const FileIndex files = index_of({"x/1.jpg", "y/1.jpg", "y/2.jpg", "y/2.png"});
  CHECK(parse_label_list("x/1.jpg cat\nval/y/1.jpg dog\n2.png cat\n2.jpg dog", "list", files, kClasses).labels ==
        std::vector<int32_t>{0, 1, 1, 0});
  for (const std::string text : {"1.jpg cat\n", "z/1.jpg cat\n", "y/2 cat\n"}) {
    CAPTURE(text);
    CHECK(contains(error_of<DataError>([&] { parse_label_list(text, "list", files, kClasses); }), "list, line 1: '"));
  }
}

TEST_CASE("without classes the list's own names are sorted, and numbers are as they are") {
  const Labels names = parse_list("a.jpg dog\nb c.JPEG Ankle boot\nd.png cat\n", {});
  CHECK(names.class_names == std::vector<std::string>{"Ankle boot", "cat", "dog"});
  CHECK(names.labels == std::vector<int32_t>{2, 0, 1});
  const Labels numbers = parse_list("file,label\na.jpg,1\nb c.JPEG,5\nd.png,0\n", {});
  CHECK(numbers.class_names == std::vector<std::string>{"0", "1", "2", "3", "4", "5"});
  CHECK(numbers.labels == std::vector<int32_t>{1, 5, 0});
  CHECK(parse_list("3\n1\n2\n", {}).labels == std::vector<int32_t>{3, 1, 2});
  CHECK(
      parse_list("ImageId,PredictionString\na,cat 1 2 3 4\nb c,dog 1 2 3 4\nd,cat 1 1 1 1 cat 2 2 2 2\n", {}).labels ==
      std::vector<int32_t>{0, 1, 0});
  CHECK(contains(list_refusal("2000000000\n1\n2\n", {}), "expected below"));
}

TEST_CASE("long lines and many of them end") {
  CHECK_FALSE(list_refusal(std::string(1 << 20, ' ') + "a").empty());
  std::string words;
  for (int i = 0; i < 100000; ++i) words += "a ";
  CHECK_FALSE(list_refusal(words).empty());
}
