// What a fill leaves: deals, positions, orders in the history, and the transactions that tell of them.
#include "desk.hpp"

namespace world::desk {
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
}  // namespace world::desk
