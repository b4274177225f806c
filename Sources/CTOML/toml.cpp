// toml++ behind CTOML.h. What it accepts is bounded here, so that no input can exhaust the stack: toml++
// walks and destroys its tree recursively, and bounds nested values, but not dotted keys.

#define TOML_MAX_NESTED_VALUES 32

// toml++ 3.3 asserts what input can violate ("[,]": a header whose key starts with no key character), and
// with NDEBUG it even lets the compiler assume it. Here such an assertion is an error of the input.
#undef NDEBUG
#define TOML_ASSERT(expression) ((expression) ? void() : violate_assertion())
struct violated_assertion {};
[[noreturn]] static inline void violate_assertion() { throw violated_assertion(); }

#include "CTOML.h"

#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace {

constexpr size_t longest_dotted_key = 32;

// The line at which toml++ stops at an assertion, which knows no position: the first whose end is far enough.
uint32_t line_of_violation(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t i = 0; i < text.size(); i++)
    if (text[i] == '\n' || i + 1 == text.size()) ends.push_back(i + 1);
  size_t low = 0, high = ends.size() - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    bool violated = false;
    try {
      (void)toml::parse(text.substr(0, ends[middle]));
    } catch (const violated_assertion &) {
      violated = true;
    } catch (const toml::parse_error &) {
    }
    if (violated) high = middle;
    else low = middle + 1;
  }
  return static_cast<uint32_t>(low + 1);
}

// Where `text` has a key of more segments than allowed; line 0 if nowhere. It need be right only up to the
// first syntax error, because the parser goes no further.
class KeyDepthScanner {
 public:
  explicit KeyDepthScanner(std::string_view text) : text_(text) {}

  ctoml_position find() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        skip_to_line_end();
        continue;
      }
      if (c == '.' && ++dots_ >= longest_dotted_key) return {line_, column()};
      if (c == '\n' || c == '=' || c == ',' || c == '[' || c == ']' || c == '{' || c == '}') dots_ = 0;
      advance();
    }
    return {0, 0};
  }

 private:
  void advance() {
    if (text_[at_] == '\n') {
      line_++;
      line_start_ = at_ + 1;
    }
    at_++;
  }

  void skip_to_line_end() {
    while (at_ < text_.size() && text_[at_] != '\n') at_++;
  }

  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multiline = text_.substr(at_, 3) == triple;
    at_ += multiline ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        advance();
        advance();
      } else if (multiline && text_.substr(at_, 3) == triple) {
        at_ += 3;
        // Up to two quotes may stand directly before the closing three.
        while (at_ < text_.size() && text_[at_] == quote) at_++;
        return;
      } else if (!multiline && (c == quote || c == '\n')) {
        if (c == quote) at_++;
        return;
      } else {
        advance();
      }
    }
  }

  uint32_t column() const {
    uint32_t count = 1;
    for (size_t i = line_start_; i < at_; i++) count += (text_[i] & 0xC0) != 0x80;
    return count;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  size_t dots_ = 0;
  uint32_t line_ = 1;
};

ctoml_position position(const toml::source_position &p) {
  return {static_cast<uint32_t>(p.line), static_cast<uint32_t>(p.column)};
}

ctoml_span span(const toml::source_region &region) { return {position(region.begin), position(region.end)}; }

ctoml_text text(std::string_view view) { return {view.data(), view.size()}; }

ctoml_kind kind(const toml::node &node) {
  switch (node.type()) {
    case toml::node_type::string: return CTOML_STRING;
    case toml::node_type::integer: return CTOML_INTEGER;
    case toml::node_type::floating_point: return CTOML_FLOAT;
    case toml::node_type::boolean: return CTOML_BOOLEAN;
    case toml::node_type::date: return CTOML_DATE;
    case toml::node_type::time: return CTOML_TIME;
    case toml::node_type::date_time: return CTOML_DATE_TIME;
    case toml::node_type::array: return CTOML_ARRAY;
    case toml::node_type::none:
    case toml::node_type::table: break;
  }
  return CTOML_TABLE;
}

}  // namespace

struct ctoml_document {
  toml::table root;
  std::vector<ctoml_node> nodes;
  std::string error;
  ctoml_position error_position{};

  void parse(std::string_view source) {
    const ctoml_position deep = KeyDepthScanner(source).find();
    if (deep.line != 0) {
      error = "a dotted key has more than " + std::to_string(longest_dotted_key) + " parts";
      error_position = deep;
      return;
    }
    try {
      root = toml::parse(source);
      add(root, nullptr);
    } catch (const toml::parse_error &failure) {
      nodes.clear();
      error = failure.description();
      error_position = position(failure.source().begin);
    } catch (const violated_assertion &) {
      nodes.clear();
      error = "this line is no TOML";
      error_position = {line_of_violation(source), 1};
    }
  }

 private:
  void add(const toml::node &node, const toml::key *key) {
    ctoml_node flat{};
    flat.kind = kind(node);
    flat.span = span(node.source());
    if (key) {
      flat.key = text(key->str());
      flat.key_span = span(key->source());
    }
    if (auto string = node.as_string()) flat.text = text(string->get());
    if (auto boolean = node.as_boolean()) flat.boolean = boolean->get();
    if (auto real = node.as_floating_point()) flat.real = real->get();
    if (auto integer = node.as_integer()) {
      flat.integer = integer->get();
      // Of the two format bits, one alone is octal and both together are hexadecimal.
      const auto both = toml::value_flags::format_as_hexadecimal;
      flat.octal = (integer->flags() & both) == toml::value_flags::format_as_octal;
    }
    if (auto array = node.as_array()) flat.children = array->size();
    if (auto table = node.as_table()) flat.children = table->size();
    nodes.push_back(flat);
    if (auto array = node.as_array())
      for (const auto &element : *array) add(element, nullptr);
    if (auto table = node.as_table())
      for (const auto &[name, value] : *table) add(value, &name);
  }
};

ctoml_document *ctoml_parse(const char *bytes, size_t length) {
  ctoml_document *document = nullptr;
  try {
    document = new ctoml_document;
    document->parse({bytes, length});
    return document;
  } catch (...) {
    delete document;
    return nullptr;
  }
}

void ctoml_free(ctoml_document *document) { delete document; }

ctoml_text ctoml_error(const ctoml_document *document, ctoml_position *position) {
  *position = document->error_position;
  return text(document->error);
}

const ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count) {
  *count = document->nodes.size();
  return document->nodes.data();
}
