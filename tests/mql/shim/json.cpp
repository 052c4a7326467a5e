#include "json.hpp"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include "console.hpp"
#include "language.hpp"

struct JsonReader {
  const char *p, *end;
  [[noreturn]] void bad() { mql::fatal("malformed JSON at", p < end ? p : "the end"); }
  void space() {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
  }
  void expect(const char* word) {
    size_t n = strlen(word);
    if ((size_t)(end - p) < n || strncmp(p, word, n)) bad();
    p += n;
  }
  Json value() {
    space();
    if (p == end) bad();
    if (*p == '{') return object();
    if (*p == '[') return list();
    if (*p == '"') return Json(text());
    if (*p == 't') {
      expect("true");
      return Json(true);
    }
    if (*p == 'f') {
      expect("false");
      return Json(false);
    }
    if (*p == 'n') {
      expect("null");
      return Json();
    }
    return number();
  }
  Json number() {
    char* after = nullptr;
    const char* q = p;
    while (q < end && strchr("+-0123456789", *q)) q++;
    bool whole = q == end || !strchr(".eE", *q);
    Json v = whole ? Json(strtol(p, &after, 10)) : Json(strtod(p, &after));
    if (after == p) bad();
    p = after;
    return v;
  }
  std::string text() {
    std::string o;
    for (p++; p < end && *p != '"'; p++) {
      if (*p != '\\') {
        o += *p;
        continue;
      }
      p++;
      if (*p == 'u') {
        char h[5] = {p[1], p[2], p[3], p[4], 0};
        char16_t c = (char16_t)strtol(h, nullptr, 16);
        o += mql::utf8(string(std::u16string(1, c)));
        p += 4;
      } else {
        o += *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : *p;
      }
    }
    if (p == end) bad();
    p++;
    return o;
  }
  Json list() {
    Json o;
    o.kind_ = Json::List;
    for (p++, space(); p < end && *p != ']'; space()) {
      o.list_.push_back(value());
      space();
      if (*p == ',') p++;
      else if (*p != ']') bad();
    }
    expect("]");
    return o;
  }
  Json object() {
    Json o;
    o.kind_ = Json::Object;
    for (p++, space(); p < end && *p != '}'; space()) {
      std::string name = text();
      space();
      expect(":");
      o.object_[name] = value();
      space();
      if (*p == ',') p++;
      else if (*p != '}') bad();
    }
    expect("}");
    return o;
  }
};

Json Json::parse(const std::string& text) {
  JsonReader reader{text.data(), text.data() + text.size()};
  return reader.value();
}
const Json& Json::operator[](const std::string& name) const {
  static const Json nothing;
  auto i = object_.find(name);
  return i == object_.end() ? nothing : i->second;
}
Json& Json::set(const std::string& name, Json value) {
  kind_ = Object;
  object_[name] = std::move(value);
  return *this;
}

static std::string quoted(const std::string& s) {
  std::string o = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') {
      o += '\\';
      o += c;
    } else if ((unsigned char)c < 32) {
      char b[8];
      snprintf(b, sizeof b, "\\u%04x", c);
      o += b;
    } else o += c;
  }
  return o + "\"";
}
std::string Json::str() const {
  switch (kind_) {
    case Null: return "null";
    case Bool: return integer_ ? "true" : "false";
    case Integer: return std::to_string(integer_);
    case Number: {
      char b[40];
      for (int digits = 15; digits < 18; digits++) {
        snprintf(b, sizeof b, "%.*g", digits, number_);
        if (strtod(b, nullptr) == number_) break;
      }
      return b;
    }
    case Text: return quoted(text_);
    case List: {
      std::string o = "[";
      for (auto& x : list_) o += (o.size() > 1 ? "," : "") + x.str();
      return o + "]";
    }
    default: {
      std::string o = "{";
      for (auto& [k, x] : object_) o += (o.size() > 1 ? "," : "") + quoted(k) + ":" + x.str();
      return o + "}";
    }
  }
}

namespace console {
void say(const Json& line) {
  static std::mutex one;
  std::lock_guard<std::mutex> guard(one);
  std::string text = line.str() + "\n";
  fwrite(text.data(), 1, text.size(), stdout);
  fflush(stdout);
}
void say(const std::string& kind, const std::string& text) { say(Json{{"t", kind}, {"text", text}}); }
}  // namespace console
