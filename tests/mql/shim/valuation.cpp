// Margin and profit: ENUM_SYMBOL_CALC_MODE of the reference, and "Margin Calculation" of the terminal's help.
#include "desk.hpp"

namespace world::desk {
double pair_price(const Listing& s, const std::string& pair, bool buying, double price) {
  std::string own = s.info["currency_base"].text() + s.info["currency_profit"].text();
  std::string name = mql::utf8(string(s.name));
  size_t at = name.find(own);
  std::string like =
      at == std::string::npos ? pair : name.substr(0, at) + pair + name.substr(at + own.size());
  for (const std::string& one : {like, pair}) {
    if (one == name && own != pair) continue;
    if (one == name && price > 0) return price;
    Listing* found = the().symbol(mql::from_utf8(one).u16());
    if (found && quoted(*found)) return market(*found, buying);
  }
  return 0;
}
double one_rate(const Listing& s, const std::string& from, const std::string& to, bool buying, double price) {
  double direct = pair_price(s, from + to, buying, price);
  if (direct > 0) return direct;
  double inverse = pair_price(s, to + from, buying, price);
  return inverse > 0 ? 1 / inverse : 0;
}
// Units of the account's currency for one of another: at the ask of a buy, the bid of a sell; 0: none
double rate(const Listing& s, const std::string& from, bool buying, double price) {
  std::string to = the().config["account"]["currency"].text();
  if (from == to) return 1;
  double direct = one_rate(s, from, to, buying, price);
  if (direct > 0 || from == "USD" || to == "USD") return direct;
  return one_rate(s, from, "USD", buying, price) * one_rate(s, "USD", to, buying, price);
}
double margin_rate(const Listing& s, bool buying, double price) {
  return rate(s, s.info["currency_margin"].text(), buying, price);
}

// In the symbol's margin currency
double raw_margin(const Listing& s, double volume, double price, double contract, double per_lot) {
  double fixed = per_lot >= 0 ? per_lot : s.of("margin_initial");
  long mode = s.code("trade_calc_mode");
  if (fixed > 0 || mode == 1 || mode == 33) return volume * fixed;  // futures
  double size = volume * (contract >= 0 ? contract : s.of("trade_contract_size"));
  double leverage = std::max(the().term("leverage", 100), 1.0);
  switch (mode) {
    case 0: return size / leverage;                                                    // FOREX
    case 5: return size;                                                               // FOREX_NO_LEVERAGE
    case 4: return size * price / leverage;                                            // CFDLEVERAGE
    case 3: return size * price * s.of("trade_tick_value") / s.of("trade_tick_size");  // CFDINDEX
    default: return size * price;
  }
}
bool raw_profit(const Listing& s, bool buying, double volume, double open, double close, double& out) {
  double move = buying ? close - open : open - close;
  long mode = s.code("trade_calc_mode");
  bool by_ticks = mode == 1 || mode == 3 || mode == 33;
  double value = by_ticks ? move * volume * s.of("trade_tick_value") / s.of("trade_tick_size")
                          : move * volume * s.of("trade_contract_size");
  double r = rate(s, s.info["currency_profit"].text(), !buying, close);
  if (r <= 0) return false;
  out = money(value * r);
  return true;
}

// What a tick brings or costs a lot: a profit is converted at the worse side, a loss at the better one
double tick_worth(const Listing& s, bool lost) {
  long mode = s.code("trade_calc_mode");
  bool by_ticks = mode == 1 || mode == 3 || mode == 33;
  double value =
      by_ticks ? s.of("trade_tick_value") : s.of("trade_tick_size") * s.of("trade_contract_size");
  std::string from = s.info["currency_profit"].text();
  double one = rate(s, from, true, 0), other = rate(s, from, false, 0);
  if (one <= 0 || other <= 0) return s.of("trade_tick_value");
  return value * (lost ? std::max(one, other) : std::min(one, other));
}

struct Leg {
  double volume = 0, value = 0, rates = 0;
  void add(double v, double price, double r) {
    volume += v;
    value += v * price;
    rates += v * r;
  }
};
double leg_margin(const Listing& s, const Leg& leg) {
  return leg.volume > kTiny ? raw_margin(s, leg.volume, leg.value / leg.volume) * leg.rates / leg.volume : 0;
}
double symbol_margin(const Listing& s, const Leg& a, const Leg& b) {
  if (s.info["margin_hedged_use_leg"].flag()) return std::max(leg_margin(s, a), leg_margin(s, b));
  const Leg &big = a.volume >= b.volume ? a : b, &small = a.volume >= b.volume ? b : a;
  if (big.volume < kTiny) return 0;
  double open = big.volume - small.volume;
  double total = raw_margin(s, open, big.value / big.volume) * big.rates / big.volume;
  double hedged = s.of("margin_hedged");
  if (small.volume > kTiny && hedged > 0) {
    double v = big.volume + small.volume, price = (big.value + small.value) / v,
           r = (big.rates + small.rates) / v;
    bool fixed = s.of("margin_initial") > 0;
    total += (fixed ? raw_margin(s, small.volume, price, -1, hedged)
                    : raw_margin(s, small.volume, price, hedged)) *
             r;
  }
  return total;
}
// The margin of all positions; of one symbol's with a trade more, where one is given
double margin_with(const Listing* traded, bool buying, double volume, double price, const Position* target) {
  double total = 0;
  for (auto& s : the().symbols) {
    Leg legs[2];
    double left = &s == traded ? volume : 0;
    for (auto& p : the().positions) {
      if (p.symbol != s.name) continue;
      double v = p.volume;
      bool met = the().hedging() ? &p == target : is_long(p) != buying;
      if (&s == traded && met) {
        double taken = std::min(v, left);
        v -= taken;
        left -= taken;
      }
      legs[p.type].add(v, p.price_open, p.margin_rate);
    }
    if (left > kTiny) legs[buying ? 0 : 1].add(left, price, margin_rate(s, buying, price));
    total += symbol_margin(s, legs[0], legs[1]);
  }
  return money(total);
}
double opened(const Listing& s, bool buying, double volume, const Position* target) {
  const Position* met = the().hedging() ? target : position_in(s.name);
  if (!met || (!the().hedging() && is_long(*met) == buying)) return volume;
  return std::max(0.0, volume - met->volume);
}
bool affordable(const Listing& s, bool buying, double volume, double price, const Position* target) {
  if (opened(s, buying, volume, target) < kTiny) return true;
  double needed = margin_with(&s, buying, volume, price, target);
  double equity = the().balance + the().credit + account_profit();
  return needed <= account_margin() + kTiny || needed <= equity + kTiny;
}
double earned(const Position& p, double volume, double price) {
  double out = 0;
  raw_profit(known(p.symbol), is_long(p), volume, p.price_open, price, out);
  return out;
}
}  // namespace world::desk

namespace world {
using namespace desk;
double rounded(double v, int digits) {
  long double p = powl(10, digits), x = (long double)v * p;
  return (double)(roundl(x + (x < 0 ? -1e-6L : 1e-6L)) / p);
}
double price_of(const Position& p) {
  const Listing& s = known(p.symbol);
  return quoted(s) ? market(s, !is_long(p)) : p.price_open;
}
double profit_of(const Position& p) { return earned(p, p.volume, price_of(p)); }
double margin_rate_of(const Position& p) {
  double r = margin_rate(known(p.symbol), is_long(p), p.price_open);
  return r > 0 ? r : 1;
}
double account_profit() {
  double total = 0;
  for (auto& p : the().positions) total += profit_of(p) + p.swap + p.commission;
  return money(total);
}
double tick_value(const Listing& s, bool lost) { return tick_worth(s, lost); }
double account_margin() { return margin_with(nullptr, true, 0, 0, nullptr); }
static bool sane(std::initializer_list<double> values) {
  for (double v : values)
    if (!std::isfinite(v) || v <= 0) return false;
  return true;
}
bool calc_margin(bool buying, const Name& symbol, double volume, double price, double& out) {
  Listing* s = the().symbol(symbol);
  if (!s || !sane({volume, price})) return false;
  double r = margin_rate(*s, buying, price);
  out = money(raw_margin(*s, volume, price) * r);
  return r > 0;
}
bool calc_profit(bool buying, const Name& symbol, double volume, double open, double close, double& out) {
  Listing* s = the().symbol(symbol);
  return s && sane({volume, open, close}) && raw_profit(*s, buying, volume, open, close, out);
}
bool is_buy(int t) {
  return t == ORDER_TYPE_BUY || t == ORDER_TYPE_BUY_LIMIT || t == ORDER_TYPE_BUY_STOP ||
         t == ORDER_TYPE_BUY_STOP_LIMIT;
}
}  // namespace world
