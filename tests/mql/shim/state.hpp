#pragma once
#include "world.hpp"

namespace world {
void take_books(const Json& in);
Json books();  // positions, orders, past, deals, sums
void save_state(const std::string& folder, const Json& more);
Json load_state(const std::string& folder);  // what `more` was is among it
}  // namespace world
