// The trade server: requests, and what the market triggers. From the reference of MQL5 ("Trade Request")
// and the terminal's help. It shares no code with the emulated broker, with which tests compare it.
#include "desk.hpp"

namespace world {
using namespace desk;

namespace {
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
