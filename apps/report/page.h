#pragma once
// One HTML file that needs no other: text, tables and drawings, with their style and a script for hover and sorting.
// Nothing in it is asked of a network. Equal content gives equal bytes.
#include <string>
#include <vector>

#include "apps/json.h"

namespace ntq::apps {

struct HtmlCell {
  std::string text;
  std::string css = {};   ///< "best", "equal"
  std::string link = {};  ///< a path from the page
};
/// The first row is the heading.
using HtmlRows = std::vector<std::vector<HtmlCell>>;

class Page {
 public:
  explicit Page(const std::string& title);

  void section(const std::string& title);
  void paragraph(const std::string& text, const char* css = "");
  /// What a terminal shows.
  void preformatted(const std::string& text);
  /// A click on a heading sorts by it.
  void table(const HtmlRows& rows);
  /// Several side by side, as many as the screen has room for. `css`: "small" for small ones.
  void figures(const std::vector<std::string>& figures, const char* css = "");
  /// Of the drawings (chart.h).
  Json& hover() { return hover_; }

  std::string str() const;

 private:
  std::string title_, body_;
  Json hover_ = Json::array();
};

/// JSON as it may stand inside of a <script>: no '<' in it.
std::string inline_json(const Json& json);

/// Whether the file is a page of ours, which may be written over.
bool is_report(const std::string& path);

/// Writes the page. Throws UsageError where something else has that name, CheckpointError where it cannot be written.
void write_report(const std::string& path, const std::string& page);

}  // namespace ntq::apps
