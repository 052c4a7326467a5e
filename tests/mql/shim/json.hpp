// JSON values: what a test tells the simulated terminal, and what it is told.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

class Json {
 public:
  enum Kind { Null, Bool, Integer, Number, Text, List, Object };
  Json() = default;
  Json(bool v) : kind_(Bool), integer_(v) {}
  Json(int v) : kind_(Integer), integer_(v) {}
  Json(long v) : kind_(Integer), integer_(v) {}
  Json(unsigned v) : kind_(Integer), integer_((long)v) {}
  Json(unsigned long v) : kind_(Integer), integer_((long)v) {}
  Json(double v) : kind_(Number), number_(v) {}
  Json(const char* v) : kind_(Text), text_(v) {}
  Json(std::string v) : kind_(Text), text_(std::move(v)) {}
  Json(std::vector<Json> v) : kind_(List), list_(std::move(v)) {}
  Json(std::initializer_list<std::pair<const std::string, Json>> v) : kind_(Object), object_(v) {}
  static Json parse(const std::string& text);  // a malformed text ends the program
  std::string str() const;

  bool is_null() const { return kind_ == Null; }
  bool flag(bool otherwise = false) const {
    return kind_ == Null ? otherwise : kind_ == Number ? number_ != 0 : integer_ != 0;
  }
  long integer(long otherwise = 0) const {
    return kind_ == Null ? otherwise : kind_ == Number ? (long)number_ : integer_;
  }
  double number(double otherwise = 0) const {
    return kind_ == Null ? otherwise : kind_ == Number ? number_ : (double)integer_;
  }
  const std::string& text() const { return text_; }
  const std::vector<Json>& list() const { return list_; }
  const std::map<std::string, Json>& object() const { return object_; }
  const Json& operator[](const std::string& name) const;
  Json& set(const std::string& name, Json value);
  void push(Json value) {
    kind_ = List;
    list_.push_back(std::move(value));
  }

 private:
  friend struct JsonReader;
  Kind kind_ = Null;
  long integer_ = 0;
  double number_ = 0;
  std::string text_;
  std::vector<Json> list_;
  std::map<std::string, Json> object_;
};
