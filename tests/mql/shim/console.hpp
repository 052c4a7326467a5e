// What the program tells whoever has started it: JSON lines on stdout.
#pragma once
#include <string>
#include "json.hpp"

namespace console {
void say(const std::string& kind, const std::string& text);
void say(const Json& line);
}  // namespace console
