// The trade server: what it refuses, what it books. From the reference of MQL5 ("Trade Request",
// "Return Codes of the Trade Server", ENUM_SYMBOL_CALC_MODE) and the terminal's help; not from
// the emulator's, which the tests compare it with.
#include <algorithm>
#include <set>
#include "world.hpp"

namespace world {
namespace {

const double kTiny = 1e-8;
enum { kDay = 86400 };

struct Refused {
  uint retcode;
};

bool same(double a, double b) { return fabs(a - b) < kTiny; }
bool is_limit(int t) { return t == ORDER_TYPE_BUY_LIMIT || t == ORDER_TYPE_SELL_LIMIT; }
bool is_stop(int t) { return t == ORDER_TYPE_BUY_STOP || t == ORDER_TYPE_SELL_STOP; }
bool is_stop_limit(int t) { return t == ORDER_TYPE_BUY_STOP_LIMIT || t == ORDER_TYPE_SELL_STOP_LIMIT; }
bool is_pending(int t) { return is_limit(t) || is_stop(t) || is_stop_limit(t); }
bool on_grid(double v, double step) { return step <= 0 || fabs(v / step - round(v / step)) < 1e-6; }
double norm(const Listing& s, double p) { return rounded(p, s.digits); }
double money(double v) { return rounded(v, (int)the().term("currency_digits", 2)); }
bool quoted(const Listing& s) { return s.last.bid > 0 && s.last.ask > 0; }
double market(const Listing& s, bool buying) { return norm(s, buying ? s.last.ask : s.last.bid); }
bool is_long(const Position& p) { return p.type == POSITION_TYPE_BUY; }
Listing& known(const Name& name) { return *the().symbol(name); }

Position* position(ulong ticket) {
  for (auto& p : the().positions)
    if (p.ticket == ticket) return &p;
  return nullptr;
}
Position* position_in(const Name& symbol) {
  for (auto& p : the().positions)
    if (p.symbol == symbol) return &p;
  return nullptr;
}
Order* order(ulong ticket) {
  for (auto& o : the().orders)
    if (o.ticket == ticket) return &o;
  return nullptr;
}

// ---------------------------------------------------------------- currencies, margin, profit

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
double raw_margin(const Listing& s, double volume, double price, double contract = -1, double per_lot = -1) {
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

// ---------------------------------------------------------------- what a request is about

struct Case {
  const MqlTradeRequest& q;
  Listing* s = nullptr;
  Position *target = nullptr, *opposite = nullptr;
  Order* order = nullptr;
  bool buying() const { return is_buy(q.type); }
};

Case looked_up(const MqlTradeRequest& q) {
  for (double p : {q.price, q.stoplimit, q.sl, q.tp, q.volume})
    if (!std::isfinite(p)) throw Refused{TRADE_RETCODE_INVALID};
  for (double p : {q.price, q.stoplimit, q.sl, q.tp})
    if (p < 0) throw Refused{TRADE_RETCODE_INVALID};
  Case c{q};
  Name name = q.symbol.u16();
  switch (q.action) {
    case TRADE_ACTION_DEAL:
      if (q.position && the().hedging()) {
        c.target = position(q.position);
        if (!c.target) throw Refused{TRADE_RETCODE_POSITION_CLOSED};
        if (c.target->symbol != name || (int)q.type == c.target->type) throw Refused{TRADE_RETCODE_INVALID};
      }
      break;
    case TRADE_ACTION_PENDING: break;
    case TRADE_ACTION_SLTP:
      if (!q.position && the().hedging()) throw Refused{TRADE_RETCODE_INVALID};
      c.target = q.position ? position(q.position) : position_in(name);
      if (!c.target) throw Refused{TRADE_RETCODE_POSITION_CLOSED};
      if (!name.empty() && name != c.target->symbol) throw Refused{TRADE_RETCODE_INVALID};
      name = c.target->symbol;
      break;
    case TRADE_ACTION_MODIFY:
    case TRADE_ACTION_REMOVE:
      c.order = order(q.order);
      if (!c.order || !is_pending(c.order->type)) throw Refused{TRADE_RETCODE_INVALID_ORDER};
      name = c.order->symbol;
      break;
    case TRADE_ACTION_CLOSE_BY:
      if (!the().hedging() || !q.position || !q.position_by) throw Refused{TRADE_RETCODE_INVALID};
      c.target = position(q.position);
      c.opposite = position(q.position_by);
      if (!c.target || !c.opposite) throw Refused{TRADE_RETCODE_POSITION_CLOSED};
      if (c.target->symbol != c.opposite->symbol || c.target->type == c.opposite->type)
        throw Refused{TRADE_RETCODE_INVALID};
      name = c.target->symbol;
      break;
    default: throw Refused{TRADE_RETCODE_INVALID};
  }
  c.s = the().symbol(name);
  if (!c.s) throw Refused{TRADE_RETCODE_INVALID};
  return c;
}

// ---------------------------------------------------------------- refusals

void check_kind(const Case& c) {  // 10035
  long allowed = c.s->info["order_mode"].integer(127);
  int t = c.q.type;
  long flag = is_limit(t) ? 2 : is_stop(t) ? 4 : is_stop_limit(t) ? 8 : 1;
  if (c.q.action == TRADE_ACTION_CLOSE_BY) flag = 64;
  else if (c.q.action == TRADE_ACTION_DEAL ? t > ORDER_TYPE_SELL : !is_pending(t))
    throw Refused{TRADE_RETCODE_INVALID_ORDER};
  if (flag == 8 && the().is_mql4) throw Refused{TRADE_RETCODE_INVALID_ORDER};
  if (!(allowed & flag)) throw Refused{TRADE_RETCODE_INVALID_ORDER};
}
void check_trade_mode(const Case& c) {  // 10017, 10042, 10043, 10044
  long mode = c.s->info["trade_mode"].integer(SYMBOL_TRADE_MODE_FULL);
  if (mode == SYMBOL_TRADE_MODE_DISABLED) throw Refused{TRADE_RETCODE_TRADE_DISABLED};
  bool closes = c.q.action == TRADE_ACTION_DEAL && quoted(*c.s) &&
                opened(*c.s, c.buying(), c.q.volume, c.target) < kTiny;
  if (mode == SYMBOL_TRADE_MODE_FULL || closes) return;
  if (mode == SYMBOL_TRADE_MODE_CLOSEONLY) throw Refused{TRADE_RETCODE_CLOSE_ONLY};
  if (mode == SYMBOL_TRADE_MODE_LONGONLY && !c.buying()) throw Refused{TRADE_RETCODE_LONG_ONLY};
  if (mode == SYMBOL_TRADE_MODE_SHORTONLY && c.buying()) throw Refused{TRADE_RETCODE_SHORT_ONLY};
}
void check_enabled(const Case& c) {
  if (c.s->info["trade_mode"].integer(4) == SYMBOL_TRADE_MODE_DISABLED)
    throw Refused{TRADE_RETCODE_TRADE_DISABLED};
}
void check_volume(const Case& c) {  // 10014
  double v = c.q.volume, most = c.s->of("volume_max");
  bool good = v > 0 && v >= c.s->of("volume_min") - kTiny && (most == 0 || v <= most + kTiny) &&
              on_grid(v, c.s->of("volume_step"));
  if (!good) throw Refused{TRADE_RETCODE_INVALID_VOLUME};
}
void check_filling(const Case& c) {  // 10030
  if (the().is_mql4 || c.s->info["filling_mode"].is_null()) return;
  long mask = c.s->code("filling_mode"), mode = c.s->code("trade_exemode");
  bool at_market = c.q.action == TRADE_ACTION_DEAL, good = false;
  switch ((int)c.q.type_filling) {
    case ORDER_FILLING_BOC:
      good = (is_limit(c.q.type) || is_stop_limit(c.q.type)) && (mask & SYMBOL_FILLING_BOC);
      break;
    case ORDER_FILLING_RETURN: good = !at_market || mode != SYMBOL_TRADE_EXECUTION_MARKET; break;
    case ORDER_FILLING_FOK:
      good = mode <= SYMBOL_TRADE_EXECUTION_INSTANT || (mask & SYMBOL_FILLING_FOK);
      break;
    case ORDER_FILLING_IOC:
      good = mode <= SYMBOL_TRADE_EXECUTION_INSTANT || (mask & SYMBOL_FILLING_IOC);
      break;
    default: break;
  }
  if (!good) throw Refused{TRADE_RETCODE_INVALID_FILL};
}
void check_expiration(const Case& c) {  // 10022
  int t = c.q.type_time;
  if (t < 0 || t > ORDER_TIME_SPECIFIED_DAY || !(c.s->info["expiration_mode"].integer(15) & (1 << t)))
    throw Refused{TRADE_RETCODE_INVALID_EXPIRATION};
  if (t <= ORDER_TIME_DAY) return;
  long end = c.q.expiration.v;
  if (t == ORDER_TIME_SPECIFIED_DAY) end = (end / kDay + 1) * kDay;
  if (end * 1000 <= the().now_msc()) throw Refused{TRADE_RETCODE_INVALID_EXPIRATION};
}
void check_quoted(const Case& c) {
  if (!quoted(*c.s)) throw Refused{TRADE_RETCODE_PRICE_OFF};
}
void check_open(const Case& c) {
  if (!is_open(*c.s, the().now_msc())) throw Refused{TRADE_RETCODE_MARKET_CLOSED};
}
void check_deal_price(const Case& c) {  // 10015, 10004
  if (c.s->code("trade_exemode") > SYMBOL_TRADE_EXECUTION_INSTANT) return;
  if (c.q.price == 0 || !on_grid(c.q.price, c.s->tick_size)) throw Refused{TRADE_RETCODE_INVALID_PRICE};
  double away = round(fabs(c.q.price - market(*c.s, c.buying())) / c.s->point);
  if (away > (double)c.q.deviation) throw Refused{TRADE_RETCODE_REQUOTE};
}
bool far_enough(const Listing& s, double gap) {
  double points = round(gap / s.point * 1e4) / 1e4;
  return points > kTiny && points >= s.of("trade_stops_level") - kTiny;
}
void check_pending_price(const Case& c) {  // 10015
  const Listing& s = *c.s;
  int t = c.order ? c.order->type : (int)c.q.type;
  if (c.q.price <= 0 || !on_grid(c.q.price, s.tick_size)) throw Refused{TRADE_RETCODE_INVALID_PRICE};
  bool buying = is_buy(t), below = buying == is_limit(t);
  double gap = market(s, buying) - c.q.price;
  if (!far_enough(s, below ? gap : -gap)) throw Refused{TRADE_RETCODE_INVALID_PRICE};
  if (!is_stop_limit(t)) return;
  double inner = buying ? c.q.price - c.q.stoplimit : c.q.stoplimit - c.q.price;
  if (c.q.stoplimit <= 0 || !on_grid(c.q.stoplimit, s.tick_size) || !far_enough(s, inner))
    throw Refused{TRADE_RETCODE_INVALID_PRICE};
}
void check_stops(const Case& c) {  // 10016
  const Listing& s = *c.s;
  bool buying = c.buying();
  double base = market(s, !buying);
  if (c.q.action == TRADE_ACTION_PENDING || c.q.action == TRADE_ACTION_MODIFY) {
    int t = c.order ? c.order->type : (int)c.q.type;
    buying = is_buy(t);
    base = is_stop_limit(t) ? c.q.stoplimit : c.q.price;
  } else if (c.q.action == TRADE_ACTION_SLTP) {
    buying = is_long(*c.target);
    base = market(s, !buying);
  }
  long allowed = s.info["order_mode"].integer(127);
  for (bool is_sl : {true, false}) {
    double p = is_sl ? c.q.sl : c.q.tp;
    if (p == 0) continue;
    double gap = is_sl == buying ? base - p : p - base;
    if (!(allowed & (is_sl ? 16 : 32)) || !on_grid(p, s.tick_size) || !far_enough(s, gap))
      throw Refused{TRADE_RETCODE_INVALID_STOPS};
  }
}
void check_frozen(const Case& c) {  // 10029
  double level = c.s->of("trade_freeze_level") * c.s->point;
  if (level <= 0 || !quoted(*c.s)) return;
  std::vector<double> prices;
  double now = 0;
  if (c.order) {
    now = market(*c.s, is_buy(c.order->type));
    prices = {c.order->price_open};
  } else if (c.target) {
    now = market(*c.s, !is_long(*c.target));
    prices = {c.target->sl, c.target->tp};
  }
  for (double p : prices)
    if (p > 0 && fabs(p - now) <= level + kTiny) throw Refused{TRADE_RETCODE_FROZEN};
}
void check_change(const Case& c) {  // 10025
  auto n = [&](double p) { return norm(*c.s, p); };
  if (c.target) {
    if (same(c.target->sl, n(c.q.sl)) && same(c.target->tp, n(c.q.tp)))
      throw Refused{TRADE_RETCODE_NO_CHANGES};
    return;
  }
  const Order& o = *c.order;
  long end = c.q.type_time >= ORDER_TIME_SPECIFIED ? c.q.expiration.v : 0;
  bool changes = !same(o.price_open, n(c.q.price)) || !same(o.sl, n(c.q.sl)) || !same(o.tp, n(c.q.tp)) ||
                 o.type_time != (int)c.q.type_time || o.expiration != end;
  if (is_stop_limit(o.type)) changes = changes || !same(o.stoplimit, n(c.q.stoplimit));
  if (!changes) throw Refused{TRADE_RETCODE_NO_CHANGES};
}
void check_limits(const Case& c) {  // 10033, 10034
  double most = the().term("limit_orders");
  if (c.q.action == TRADE_ACTION_PENDING && most > 0 && (double)the().orders.size() >= most)
    throw Refused{TRADE_RETCODE_LIMIT_ORDERS};
  double limit = c.s->of("volume_limit"),
         more = c.q.action == TRADE_ACTION_DEAL ? opened(*c.s, c.buying(), c.q.volume, c.target) : c.q.volume;
  if (limit <= 0 || more < kTiny) return;
  for (auto& p : the().positions)
    if (p.symbol == c.s->name && is_long(p) == c.buying()) more += p.volume;
  for (auto& o : the().orders)
    if (o.symbol == c.s->name && is_buy(o.type) == c.buying()) more += o.volume;
  if (more > limit + kTiny) throw Refused{TRADE_RETCODE_LIMIT_VOLUME};
}
void check_money(const Case& c) {  // 10019, 10021
  double price = market(*c.s, c.buying());
  if (margin_rate(*c.s, c.buying(), price) <= 0 ||
      rate(*c.s, c.s->info["currency_profit"].text(), !c.buying(), 0) <= 0)
    throw Refused{TRADE_RETCODE_PRICE_OFF};
  if (!affordable(*c.s, c.buying(), c.q.volume, price, c.target)) throw Refused{TRADE_RETCODE_NO_MONEY};
}

Case judged(const MqlTradeRequest& q) {
  World& w = the();
  if (!w.autotrading || !w.mql_trade_allowed) throw Refused{TRADE_RETCODE_CLIENT_DISABLES_AT};
  if (!w.connected) throw Refused{TRADE_RETCODE_CONNECTION};
  Case c = looked_up(q);
  if (!w.trade_expert) throw Refused{TRADE_RETCODE_SERVER_DISABLES_AT};
  if (!w.trade_allowed) throw Refused{TRADE_RETCODE_TRADE_DISABLED};
  switch (q.action) {
    case TRADE_ACTION_DEAL:
      check_kind(c), check_trade_mode(c), check_volume(c);
      if (c.target && q.volume > c.target->volume + kTiny) throw Refused{TRADE_RETCODE_INVALID_CLOSE_VOLUME};
      check_filling(c), check_quoted(c), check_deal_price(c), check_stops(c), check_frozen(c), check_open(c),
          check_limits(c), check_money(c);
      break;
    case TRADE_ACTION_PENDING:
      check_kind(c), check_trade_mode(c), check_volume(c), check_filling(c), check_expiration(c),
          check_quoted(c), check_pending_price(c);
      check_stops(c), check_open(c), check_limits(c);
      break;
    case TRADE_ACTION_SLTP:
      check_enabled(c), check_change(c), check_quoted(c), check_frozen(c), check_stops(c), check_open(c);
      break;
    case TRADE_ACTION_MODIFY:
      check_enabled(c), check_expiration(c), check_change(c), check_quoted(c), check_frozen(c),
          check_pending_price(c), check_stops(c), check_open(c);
      break;
    case TRADE_ACTION_REMOVE: check_enabled(c), check_frozen(c), check_open(c); break;
    case TRADE_ACTION_CLOSE_BY: check_kind(c), check_enabled(c), check_quoted(c), check_open(c); break;
  }
  return c;
}

// ---------------------------------------------------------------- transactions

void tell(ENUM_TRADE_TRANSACTION_TYPE type, const Order* o, const Deal* d, const Position* p) {
  Transaction t = {};
  auto& x = t.transaction;
  x.type = type;
  if (o) {
    x.order = o->ticket, x.symbol = string(o->symbol), x.order_type = (ENUM_ORDER_TYPE)o->type,
    x.order_state = (ENUM_ORDER_STATE)o->state;
    x.price = o->price_open, x.price_trigger = o->stoplimit, x.price_sl = o->sl, x.price_tp = o->tp,
    x.volume = o->volume, x.position = o->position_id;
    x.time_type = (ENUM_ORDER_TYPE_TIME)o->type_time, x.time_expiration = datetime(o->expiration),
    x.position_by = o->position_by_id;
  } else if (d) {
    x.deal = d->ticket, x.order = d->order, x.symbol = string(d->symbol),
    x.deal_type = (ENUM_DEAL_TYPE)d->type;
    x.price = d->price, x.volume = d->volume, x.position = d->position_id;
  } else if (p) {
    x.position = p->ticket, x.symbol = string(p->symbol), x.price = p->price_open, x.price_sl = p->sl,
    x.price_tp = p->tp, x.volume = p->volume;
  }
  auto& queue = the().transactions;
  if (queue.size() >= 1024) queue.pop_front();  // the oldest is lost, says the reference
  queue.push_back(t);
  the().news.notify_all();
}
void tell_request(const MqlTradeRequest& q, const MqlTradeResult& r) {
  Transaction t = {};
  t.transaction.type = TRADE_TRANSACTION_REQUEST;
  t.request = q;
  t.result = r;
  auto& queue = the().transactions;
  if (queue.size() >= 1024) queue.pop_front();
  queue.push_back(t);
  the().news.notify_all();
}

// ---------------------------------------------------------------- booking

Order order_of(const Case& c, double volume, ulong closes) {
  Order o;
  o.ticket = the().is_mql4 && closes ? closes : the().next_order++;
  o.magic = c.q.magic;
  o.symbol = c.s->name;
  o.comment = c.q.comment.u16().substr(0, 31);
  o.type = c.q.type;
  o.state = ORDER_STATE_PLACED;
  o.filling = c.q.type_filling;
  o.reason = ORDER_REASON_EXPERT;
  o.setup_msc = the().now_msc();
  o.position_id = closes;
  o.volume_initial = o.volume = rounded(volume, 8);
  o.sl = norm(*c.s, c.q.sl);
  o.tp = norm(*c.s, c.q.tp);
  return o;
}
void finish(Order o, int state) {
  auto& open = the().orders;
  open.erase(std::remove_if(open.begin(), open.end(), [&](const Order& x) { return x.ticket == o.ticket; }),
             open.end());
  o.state = state;
  o.done_msc = the().now_msc();
  tell(TRADE_TRANSACTION_ORDER_DELETE, &o, nullptr, nullptr);
  the().past.push_back(o);
  tell(TRADE_TRANSACTION_HISTORY_ADD, &o, nullptr, nullptr);
}
double commission(double volume) { return money(-the().config["commission_per_lot"].number() * volume); }

ulong book(const Order& o, double volume, double price, int entry, bool buying, ulong identifier,
           double profit, double swap, double fee) {
  World& w = the();
  Deal d;
  d.ticket = w.next_deal++;
  d.order = o.ticket;
  d.magic = o.magic;
  d.position_id = identifier;
  d.symbol = o.symbol;
  d.comment = o.comment;
  d.type = buying ? DEAL_TYPE_BUY : DEAL_TYPE_SELL;
  d.entry = entry;
  d.reason = o.reason;
  d.time_msc = w.now_msc();
  d.volume = rounded(volume, 8);
  d.price = price;
  d.profit = profit;
  d.swap = swap;
  d.commission = fee;
  w.balance = money(w.balance + profit + swap + fee);
  w.deals.push_back(d);
  if (!w.is_mql4) tell(TRADE_TRANSACTION_DEAL_ADD, nullptr, &d, nullptr);
  return d.ticket;
}
void open_position(const Order& o, double volume, double price, ulong identifier) {
  Position p;
  p.ticket = o.ticket;
  p.identifier = identifier ? identifier : o.ticket;
  p.magic = o.magic;
  p.symbol = o.symbol;
  p.comment = o.comment;
  p.type = is_buy(o.type) ? POSITION_TYPE_BUY : POSITION_TYPE_SELL;
  p.reason = o.reason;
  p.time_msc = p.update_msc = the().now_msc();
  p.volume = rounded(volume, 8);
  p.price_open = price;
  p.sl = o.sl;
  p.tp = o.tp;
  double r = margin_rate(known(o.symbol), is_buy(o.type), price);
  p.margin_rate = r > 0 ? r : 1;
  if (the().is_mql4) p.commission = commission(2 * volume);
  the().positions.push_back(p);
}
double earned(const Position& p, double volume, double price) {
  double out = 0;
  raw_profit(known(p.symbol), is_long(p), volume, p.price_open, price, out);
  return out;
}
void drop_position(ulong ticket) {
  auto& all = the().positions;
  all.erase(std::remove_if(all.begin(), all.end(), [&](const Position& x) { return x.ticket == ticket; }),
            all.end());
}

// MetaTrader 4: a closed trade goes to the history, what is left of it gets a new ticket
ulong close_trade(const Order& o, Position p, double volume, double price, double profit, const Name& comment,
                  double listed) {
  World& w = the();
  double share = volume / p.volume, fee = money(p.commission * share), swap = money(p.swap * share);
  Order closed;
  closed.ticket = p.ticket, closed.magic = p.magic, closed.position_id = p.ticket, closed.symbol = p.symbol;
  closed.comment = comment.empty() ? p.comment : comment;
  closed.type = p.type, closed.state = ORDER_STATE_FILLED, closed.reason = p.reason;
  closed.setup_msc = p.time_msc, closed.done_msc = w.now_msc();
  closed.volume_initial = rounded(listed, 8), closed.price_open = p.price_open, closed.sl = p.sl,
  closed.tp = p.tp, closed.price_current = price;
  closed.profit = profit, closed.swap = swap, closed.commission = fee;
  drop_position(p.ticket);
  ulong left = p.ticket;
  if (p.volume - volume > kTiny) {
    Position rest = p;
    left = rest.ticket = rest.identifier = w.next_order++;
    rest.comment = u"from #" + mql::from_utf8(std::to_string(p.ticket)).u16();
    if (o.type != ORDER_TYPE_CLOSE_BY) closed.comment = u"to #" + mql::from_utf8(std::to_string(left)).u16();
    rest.volume = rounded(p.volume - volume, 8), rest.commission = p.commission - fee,
    rest.swap = p.swap - swap;
    rest.update_msc = w.now_msc();
    w.positions.push_back(rest);
  }
  w.past.push_back(closed);
  book(o, listed, price, DEAL_ENTRY_OUT, !is_long(p), p.ticket, profit, swap, fee);
  return left;
}
// Closes a part of a position, or all; returns the deal
ulong take_from(const Order& o, Position* p, double volume, double price) {
  if (the().is_mql4) {
    close_trade(o, *p, volume, price, earned(*p, volume, price), o.comment, volume);
    return 0;
  }
  double swap = money(p->swap * volume / p->volume);
  ulong deal = book(o, volume, price, DEAL_ENTRY_OUT, !is_long(*p), p->identifier, earned(*p, volume, price),
                    swap, commission(volume));
  if (p->volume - volume < kTiny) {
    drop_position(p->ticket);
  } else {
    p->volume = rounded(p->volume - volume, 8);
    p->swap -= swap;
    p->update_msc = the().now_msc();
  }
  return deal;
}
struct Filled {
  ulong deal = 0, identifier = 0;
};
Filled netted(const Order& o, double volume, double price) {
  Position* p = position_in(o.symbol);
  bool buying = is_buy(o.type);
  Filled f;
  if (!p) {
    f.identifier = o.ticket;
    f.deal = book(o, volume, price, DEAL_ENTRY_IN, buying, o.ticket, 0, 0, commission(volume));
    open_position(o, volume, price, 0);
    return f;
  }
  f.identifier = p->identifier;
  if (is_long(*p) == buying) {
    f.deal = book(o, volume, price, DEAL_ENTRY_IN, buying, p->identifier, 0, 0, commission(volume));
    double total = p->volume + volume, r = margin_rate(known(o.symbol), buying, price);
    p->price_open += (price - p->price_open) * volume / total;
    p->margin_rate += ((r > 0 ? r : 1) - p->margin_rate) * volume / total;
    p->volume = rounded(total, 8);
    if (o.sl > 0) p->sl = o.sl;
    if (o.tp > 0) p->tp = o.tp;
    p->update_msc = the().now_msc();
  } else if (volume > p->volume + kTiny) {  // reversed: one deal, the ticket is the order's now
    double closed = p->volume;
    f.deal = book(o, volume, price, DEAL_ENTRY_INOUT, buying, p->identifier, earned(*p, closed, price),
                  p->swap, commission(volume));
    drop_position(p->ticket);
    open_position(o, volume - closed, price, f.identifier);
  } else {
    f.deal = take_from(o, p, volume, price);
  }
  return f;
}
Filled hedged(const Order& o, double volume, double price) {
  Position* p = position(o.position_id ? o.position_id : o.ticket);
  Filled f;
  if (p && is_long(*p) != is_buy(o.type)) {
    f.identifier = p->identifier;
    f.deal = take_from(o, p, volume, price);
    return f;
  }
  f.identifier = o.ticket;
  if (!the().is_mql4)
    f.deal = book(o, volume, price, DEAL_ENTRY_IN, is_buy(o.type), o.ticket, 0, 0, commission(volume));
  if (p) {  // more of an order that was filled in part
    double total = p->volume + volume;
    p->price_open += (price - p->price_open) * volume / total;
    p->volume = rounded(total, 8);
  } else {
    open_position(o, volume, price, 0);
  }
  return f;
}
// Fills an order at the market; returns the volume that was filled
double fill(Order o, Filled& filled) {
  World& w = the();
  const Listing& s = known(o.symbol);
  double wanted = o.volume, offered = wanted, price = market(s, is_buy(o.type));
  if (!w.script.volumes.empty()) {
    double step = s.of("volume_step");
    offered = std::min(wanted, floor(w.script.volumes.front() / step + 1e-6) * step);
    w.script.volumes.pop_front();
  }
  bool whole = o.filling == ORDER_FILLING_FOK || w.is_mql4;
  if (offered < kTiny || (whole && offered < wanted - kTiny)) throw Refused{TRADE_RETCODE_REJECT};
  bool is_new = !order(o.ticket);
  if (is_new && !w.is_mql4) {
    w.orders.push_back(o);
    tell(TRADE_TRANSACTION_ORDER_ADD, &o, nullptr, nullptr);
  }
  if (w.is_mql4) {  // the order becomes the trade
    w.orders.erase(std::remove_if(w.orders.begin(), w.orders.end(),
                                  [&](const Order& x) { return x.ticket == o.ticket; }),
                   w.orders.end());
  }
  filled = w.hedging() ? hedged(o, offered, price) : netted(o, offered, price);
  if (w.is_mql4) return offered;
  o.volume = rounded(wanted - offered, 8);
  o.position_id = filled.identifier;
  o.price_current = price;
  if (o.volume < kTiny) {
    finish(o, ORDER_STATE_FILLED);
  } else if (o.filling == ORDER_FILLING_IOC) {
    finish(o, ORDER_STATE_PARTIAL);
  } else {
    o.state = ORDER_STATE_PARTIAL;
    *order(o.ticket) = o;
    tell(TRADE_TRANSACTION_ORDER_UPDATE, &o, nullptr, nullptr);
  }
  return offered;
}

// ---------------------------------------------------------------- carrying out

void deal(const Case& c, MqlTradeResult& r) {
  Order o = order_of(c, c.q.volume, c.target ? c.target->ticket : 0);
  if (c.s->code("trade_exemode") <= SYMBOL_TRADE_EXECUTION_INSTANT) o.price_open = norm(*c.s, c.q.price);
  Filled f;
  double price = market(*c.s, c.buying());
  double volume = fill(o, f);
  r.retcode = volume < c.q.volume - kTiny ? TRADE_RETCODE_DONE_PARTIAL : TRADE_RETCODE_DONE;
  r.order = o.ticket;
  r.deal = f.deal;
  r.volume = volume;
  r.price = price;
}
void place(const Case& c, MqlTradeResult& r) {
  Order o = order_of(c, c.q.volume, 0);
  o.price_open = norm(*c.s, c.q.price);
  o.stoplimit = is_stop_limit(o.type) ? norm(*c.s, c.q.stoplimit) : 0;
  o.type_time = c.q.type_time;
  o.expiration = o.type_time >= ORDER_TIME_SPECIFIED ? c.q.expiration.v : 0;
  the().orders.push_back(o);
  tell(TRADE_TRANSACTION_ORDER_ADD, &o, nullptr, nullptr);
  r.order = o.ticket;
  r.volume = o.volume;
}
void modify(const Case& c, MqlTradeResult& r) {
  Order& o = *c.order;
  o.price_open = norm(*c.s, c.q.price);
  o.stoplimit = is_stop_limit(o.type) ? norm(*c.s, c.q.stoplimit) : 0;
  o.sl = norm(*c.s, c.q.sl);
  o.tp = norm(*c.s, c.q.tp);
  o.type_time = c.q.type_time;
  o.expiration = o.type_time >= ORDER_TIME_SPECIFIED ? c.q.expiration.v : 0;
  tell(TRADE_TRANSACTION_ORDER_UPDATE, &o, nullptr, nullptr);
  r.order = o.ticket;
}
void change_stops(const Case& c) {
  c.target->sl = norm(*c.s, c.q.sl);
  c.target->tp = norm(*c.s, c.q.tp);
  c.target->update_msc = the().now_msc();
  tell(TRADE_TRANSACTION_POSITION, nullptr, nullptr, c.target);
}
void close_by(const Case& c, MqlTradeResult& r) {
  Position a = *c.target, b = *c.opposite;
  double volume = std::min(a.volume, b.volume);
  Order o = order_of(c, volume, a.ticket);
  o.type = ORDER_TYPE_CLOSE_BY;
  o.position_by_id = b.identifier;
  o.price_open = b.price_open;
  double profit = earned(a, volume, b.price_open);
  r.order = o.ticket;
  r.volume = volume;
  r.price = b.price_open;
  if (the().is_mql4) {
    Name note = u"close hedge by #" + mql::from_utf8(std::to_string(a.ticket)).u16();
    close_trade(o, a, volume, b.price_open, profit, o.comment, volume);
    close_trade(o, b, volume, a.price_open, 0, note, 0);
    return;
  }
  the().orders.push_back(o);
  tell(TRADE_TRANSACTION_ORDER_ADD, &o, nullptr, nullptr);
  double swap_a = money(a.swap * volume / a.volume), swap_b = money(b.swap * volume / b.volume);
  r.deal = book(o, volume, b.price_open, DEAL_ENTRY_OUT_BY, !is_long(a), a.identifier, profit, swap_a, 0);
  book(o, volume, a.price_open, DEAL_ENTRY_OUT_BY, !is_long(b), b.identifier, 0, swap_b, 0);
  for (ulong ticket : {a.ticket, b.ticket}) {
    Position* p = position(ticket);
    p->swap -= ticket == a.ticket ? swap_a : swap_b;
    if (p->volume - volume < kTiny) drop_position(ticket);
    else p->volume = rounded(p->volume - volume, 8), p->update_msc = the().now_msc();
  }
  o.volume = 0;
  finish(o, ORDER_STATE_FILLED);
}

const char16_t* comment_of(uint retcode) {
  switch (retcode) {
    case TRADE_RETCODE_REQUOTE: return u"Requote";
    case TRADE_RETCODE_REJECT: return u"Request rejected";
    case TRADE_RETCODE_DONE: return u"Request executed";
    case TRADE_RETCODE_DONE_PARTIAL: return u"Request executed partially";
    case TRADE_RETCODE_PLACED: return u"Order placed";
    case TRADE_RETCODE_INVALID: return u"Invalid request";
    case TRADE_RETCODE_INVALID_VOLUME: return u"Invalid volume";
    case TRADE_RETCODE_INVALID_PRICE: return u"Invalid price";
    case TRADE_RETCODE_INVALID_STOPS: return u"Invalid stops";
    case TRADE_RETCODE_TRADE_DISABLED: return u"Trade disabled";
    case TRADE_RETCODE_MARKET_CLOSED: return u"Market closed";
    case TRADE_RETCODE_NO_MONEY: return u"No money";
    case TRADE_RETCODE_PRICE_OFF: return u"No prices";
    case TRADE_RETCODE_INVALID_EXPIRATION: return u"Invalid expiration";
    case TRADE_RETCODE_NO_CHANGES: return u"No changes";
    case TRADE_RETCODE_SERVER_DISABLES_AT: return u"AutoTrading disabled by server";
    case TRADE_RETCODE_CLIENT_DISABLES_AT: return u"AutoTrading disabled by client";
    case TRADE_RETCODE_FROZEN: return u"Order or position frozen";
    case TRADE_RETCODE_INVALID_FILL: return u"Unsupported filling mode";
    case TRADE_RETCODE_CONNECTION: return u"No connection";
    case TRADE_RETCODE_LIMIT_ORDERS: return u"Orders limit reached";
    case TRADE_RETCODE_LIMIT_VOLUME: return u"Volume limit reached";
    case TRADE_RETCODE_INVALID_ORDER: return u"Invalid order";
    case TRADE_RETCODE_POSITION_CLOSED: return u"Position doesn't exist";
    case TRADE_RETCODE_INVALID_CLOSE_VOLUME: return u"Invalid close volume";
    case TRADE_RETCODE_LONG_ONLY: return u"Only long positions allowed";
    case TRADE_RETCODE_SHORT_ONLY: return u"Only short positions allowed";
    case TRADE_RETCODE_CLOSE_ONLY: return u"Only position closing allowed";
    default: return u"";
  }
}

// ---------------------------------------------------------------- what the market triggers

bool reached(const Order& o, const Listing& s) {
  double now = market(s, is_buy(o.type)), price = o.price_open;
  if (o.type <= ORDER_TYPE_SELL) return true;
  bool up = is_buy(o.type) != is_limit(o.type);  // it waits for a rise
  if (o.state == ORDER_STATE_PARTIAL && !is_limit(o.type)) return true;
  return up ? now >= price - kTiny : now <= price + kTiny;
}
void activate(Order o, const Listing& s) {
  if (is_stop_limit(o.type)) {
    o.type = o.type == ORDER_TYPE_BUY_STOP_LIMIT ? ORDER_TYPE_BUY_LIMIT : ORDER_TYPE_SELL_LIMIT;
    o.price_open = o.stoplimit;
    o.stoplimit = 0;
    *order(o.ticket) = o;
    tell(TRADE_TRANSACTION_ORDER_UPDATE, &o, nullptr, nullptr);
    if (!reached(o, s)) return;
  }
  if (o.type > ORDER_TYPE_SELL &&
      !affordable(s, is_buy(o.type), o.volume, market(s, is_buy(o.type)), nullptr)) {
    finish(o, ORDER_STATE_REJECTED);
    return;
  }
  try {
    Filled f;
    fill(o, f);
  } catch (const Refused&) {
    // without volume on offer it waits
  }
}
void close_at_market(const Position& p, int reason, const Name& comment) {
  World& w = the();
  Order o;
  o.ticket = w.is_mql4 ? p.ticket : w.next_order++;
  o.magic = p.magic;
  o.symbol = p.symbol;
  o.comment = comment.substr(0, 31);
  o.type = is_long(p) ? ORDER_TYPE_SELL : ORDER_TYPE_BUY;
  o.filling = ORDER_FILLING_FOK;
  o.state = ORDER_STATE_PLACED;
  o.reason = reason;
  o.setup_msc = w.now_msc();
  o.position_id = p.ticket;
  o.volume_initial = o.volume = p.volume;
  std::deque<double> offered;
  std::swap(offered, w.script.volumes);  // the broker's own orders find all they need
  Filled f;
  fill(o, f);
  std::swap(offered, w.script.volumes);
}
Name stop_comment(const Position& p, bool is_sl, const Listing& s) {
  char b[64];
  if (the().is_mql4) return p.comment + (is_sl ? u"[sl]" : u"[tp]");
  snprintf(b, sizeof b, "[%s %.*f]", is_sl ? "sl" : "tp", s.digits, is_sl ? p.sl : p.tp);
  return mql::from_utf8(b).u16();
}
void expire(long now_msc) {
  for (auto& o : std::vector<Order>(the().orders)) {
    long end = o.type_time == ORDER_TIME_DAY             ? (o.setup_msc / 1000 / kDay + 1) * kDay
               : o.type_time == ORDER_TIME_SPECIFIED     ? o.expiration
               : o.type_time == ORDER_TIME_SPECIFIED_DAY ? (o.expiration / kDay + 1) * kDay
                                                         : 0;
    if (end && now_msc >= end * 1000) finish(o, ORDER_STATE_EXPIRED);
  }
}
void stop_out() {
  World& w = the();
  while (!w.positions.empty()) {
    double used = account_margin(), equity = w.balance + w.credit + account_profit(),
           level = w.term("margin_so_so", 50);
    bool money_mode = w.term("margin_so_mode") == 1;
    bool out = used <= 0 ? equity < 0 : money_mode ? equity - used <= level : equity / used * 100 <= level;
    if (!out) return;
    Position* worst = nullptr;
    for (auto& p : w.positions) {
      if (!quoted(known(p.symbol)) || !is_open(known(p.symbol), w.now_msc())) continue;
      if (!worst || profit_of(p) + p.swap < profit_of(*worst) + worst->swap) worst = &p;
    }
    if (!worst) return;
    char b[100];
    snprintf(b, sizeof b, w.is_mql4 ? "so: %.2f%%/%.2f/%.2f" : "[so %.2f%%/%.2f/%.2f]",
             used > 0 ? equity / used * 100 : 0, equity, used);
    close_at_market(Position(*worst), ORDER_REASON_SO, mql::from_utf8(b).u16());
  }
}
}  // namespace

// ---------------------------------------------------------------- seen from outside

bool is_buy(int t) {
  return t == ORDER_TYPE_BUY || t == ORDER_TYPE_BUY_LIMIT || t == ORDER_TYPE_BUY_STOP ||
         t == ORDER_TYPE_BUY_STOP_LIMIT;
}
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
double account_margin() { return margin_with(nullptr, true, 0, 0, nullptr); }

MqlTradeResult send(const MqlTradeRequest& q) {
  World& w = the();
  MqlTradeResult r = {};
  r.request_id = ++w.requests;
  expire(w.now_msc());
  try {
    Case c = judged(q);
    if (!w.script.refusals.empty()) {
      uint retcode = (uint)w.script.refusals.front();
      w.script.refusals.pop_front();
      console::say(Json{{"t", "refused"}, {"retcode", retcode}});
      if (retcode == TRADE_RETCODE_REQUOTE || retcode == TRADE_RETCODE_PRICE_CHANGED)
        r.bid = c.s->last.bid, r.ask = c.s->last.ask;
      throw Refused{retcode};
    }
    r.retcode = TRADE_RETCODE_DONE;
    r.bid = c.s->last.bid;
    r.ask = c.s->last.ask;
    switch (q.action) {
      case TRADE_ACTION_DEAL: deal(c, r); break;
      case TRADE_ACTION_PENDING: place(c, r); break;
      case TRADE_ACTION_SLTP: change_stops(c); break;
      case TRADE_ACTION_MODIFY: modify(c, r); break;
      case TRADE_ACTION_REMOVE:
        r.order = c.order->ticket;
        finish(*c.order, ORDER_STATE_CANCELED);
        break;
      case TRADE_ACTION_CLOSE_BY: close_by(c, r); break;
    }
  } catch (const Refused& no) {
    uint id = r.request_id;
    bool priced = no.retcode == TRADE_RETCODE_REQUOTE;
    Listing* s = w.symbol(q.symbol.u16());
    r = {};
    r.request_id = id;
    r.retcode = no.retcode;
    if (priced && s) r.bid = s->last.bid, r.ask = s->last.ask;
  }
  r.comment = string(comment_of(r.retcode));
  if (!w.is_mql4) tell_request(q, r);
  return r;
}

MqlTradeCheckResult check(const MqlTradeRequest& q) {
  World& w = the();
  MqlTradeCheckResult r = {};
  try {
    judged(q);
    r.comment = string(u"Done");
  } catch (const Refused& no) {
    r.retcode = no.retcode;
    r.comment = string(comment_of(no.retcode));
    if (no.retcode != TRADE_RETCODE_NO_MONEY) return r;
  }
  Case c = looked_up(q);
  r.balance = w.balance;
  r.profit = account_profit();
  r.equity = money(w.balance + w.credit + r.profit);
  r.margin = account_margin();
  if (q.action == TRADE_ACTION_DEAL)
    r.margin = margin_with(c.s, c.buying(), q.volume, market(*c.s, c.buying()), c.target);
  r.margin_free = money(r.equity - r.margin);
  r.margin_level = r.margin > 0 ? r.equity / r.margin * 100 : 0;
  return r;
}

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

void on_tick(Listing& s) {
  World& w = the();
  expire(w.now_msc());
  if (!quoted(s) || !is_open(s, w.now_msc())) return;
  if (w.orders.empty() && w.positions.empty()) return;
  for (auto& o : std::vector<Order>(w.orders))
    if (o.symbol == s.name && order(o.ticket) && reached(o, s)) activate(o, s);
  for (auto& p : std::vector<Position>(w.positions)) {
    if (p.symbol != s.name || !position(p.ticket)) continue;
    double now = market(s, !is_long(p));
    bool sl = p.sl > 0 && (is_long(p) ? now <= p.sl + kTiny : now >= p.sl - kTiny);
    bool tp = p.tp > 0 && (is_long(p) ? now >= p.tp - kTiny : now <= p.tp + kTiny);
    if (sl || tp) close_at_market(p, sl ? ORDER_REASON_SL : ORDER_REASON_TP, stop_comment(p, sl, s));
  }
  stop_out();
}

void deposit(double amount, const std::string& comment) {
  World& w = the();
  Deal d;
  d.ticket = w.next_deal++;
  d.type = DEAL_TYPE_BALANCE;
  d.time_msc = w.now_msc();
  d.profit = amount;
  d.comment = mql::from_utf8(comment).u16();
  w.balance = money(w.balance + amount);
  w.deals.push_back(d);
  if (!w.is_mql4) tell(TRADE_TRANSACTION_DEAL_ADD, nullptr, &d, nullptr);
}
}  // namespace world
