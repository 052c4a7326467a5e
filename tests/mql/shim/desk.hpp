// The parts of the trade server: what each knows of the others.
#pragma once
#include "world.hpp"

namespace world::desk {
const double kTiny = 1e-8;
enum { kDay = 86400 };

struct Refused {
  uint retcode;
};

inline bool same(double a, double b) { return fabs(a - b) < kTiny; }
inline bool is_limit(int t) { return t == ORDER_TYPE_BUY_LIMIT || t == ORDER_TYPE_SELL_LIMIT; }
inline bool is_stop(int t) { return t == ORDER_TYPE_BUY_STOP || t == ORDER_TYPE_SELL_STOP; }
inline bool is_stop_limit(int t) { return t == ORDER_TYPE_BUY_STOP_LIMIT || t == ORDER_TYPE_SELL_STOP_LIMIT; }
inline bool is_pending(int t) { return is_limit(t) || is_stop(t) || is_stop_limit(t); }
inline bool on_grid(double v, double step) { return step <= 0 || fabs(v / step - round(v / step)) < 1e-6; }
inline double norm(const Listing& s, double p) { return rounded(p, s.digits); }
inline double money(double v) { return rounded(v, (int)the().term("currency_digits", 2)); }
inline bool quoted(const Listing& s) { return s.last.bid > 0 && s.last.ask > 0; }
inline double market(const Listing& s, bool buying) { return norm(s, buying ? s.last.ask : s.last.bid); }
inline bool is_long(const Position& p) { return p.type == POSITION_TYPE_BUY; }
inline Listing& known(const Name& name) { return *the().symbol(name); }

inline Position* position(ulong ticket) {
  for (auto& p : the().positions)
    if (p.ticket == ticket) return &p;
  return nullptr;
}
inline Position* position_in(const Name& symbol) {
  for (auto& p : the().positions)
    if (p.symbol == symbol) return &p;
  return nullptr;
}
inline Order* order(ulong ticket) {
  for (auto& o : the().orders)
    if (o.ticket == ticket) return &o;
  return nullptr;
}

struct Case {
  const MqlTradeRequest& q;
  Listing* s = nullptr;
  Position *target = nullptr, *opposite = nullptr;
  Order* order = nullptr;
  bool buying() const { return is_buy(q.type); }
};
struct Filled {
  ulong deal = 0, identifier = 0;
};

// valuation.cpp: sums in the account's currency; a rate of 0 means that there is none
double rate(const Listing& s, const std::string& from, bool buying, double price);
double tick_worth(const Listing& s, bool lost);
double margin_rate(const Listing& s, bool buying, double price);
double raw_margin(const Listing& s, double volume, double price, double contract = -1, double per_lot = -1);
bool raw_profit(const Listing& s, bool buying, double volume, double open, double close, double& out);
double margin_with(const Listing* traded, bool buying, double volume, double price, const Position* target);
double opened(const Listing& s, bool buying, double volume, const Position* target);
bool affordable(const Listing& s, bool buying, double volume, double price, const Position* target);
double earned(const Position& p, double volume, double price);

// refusals.cpp: both throw Refused
Case looked_up(const MqlTradeRequest& q);
Case judged(const MqlTradeRequest& q);

// booking.cpp
void tell(ENUM_TRADE_TRANSACTION_TYPE type, const Order* o, const Deal* d, const Position* p);
void tell_request(const MqlTradeRequest& q, const MqlTradeResult& r);
Order order_of(const Case& c, double volume, ulong closes);
void finish(Order o, int state);
ulong book(const Order& o, double volume, double price, int entry, bool buying, ulong identifier,
           double profit, double swap, double fee);
void drop_position(ulong ticket);
ulong close_trade(const Order& o, Position p, double volume, double price, double profit, const Name& comment,
                  double listed);
double fill(Order o, Filled& filled);  // returns the volume; throws Refused
}  // namespace world::desk
