#pragma once
#include "world.hpp"

namespace world {
Json books();  // positions, orders, past, deals, sums
void save_state(const std::string &folder, const Json &more);
Json load_state(const std::string &folder);  // what `more` was is among it
}  // namespace world
