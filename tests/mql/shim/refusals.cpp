// What the trade server refuses, and in which order it looks: "Return Codes of the Trade Server".
#include "desk.hpp"

namespace world::desk {

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
  if (the().is_mql4 && !(c.order && c.order->expiration == end) && end * 1000 < the().now_msc() + 600'000)
    throw Refused{TRADE_RETCODE_INVALID};  // MetaTrader 4 wants ten minutes at least
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
}  // namespace world::desk
