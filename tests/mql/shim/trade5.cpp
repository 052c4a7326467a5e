// MQL5's trade functions: requests, positions, orders, history.
#include <chrono>
#include <thread>
#include "world.hpp"

using namespace world;
typedef world::ApiGuard Guard;

// ---------------------------------------------------------------- requests
static MqlTradeResult sent(const MqlTradeRequest& q) {
  Guard guard(the().lock);
  Quirks& quirks = the().quirks;
  if (quirks.crash_before > 0 && quirks.crash_before--) restart();
  MqlTradeResult r = send(q);
  if (quirks.crash_after > 0 && quirks.crash_after--) restart();
  return r;
}
static bool answered(const MqlTradeResult& r) {
  bool good = r.retcode == TRADE_RETCODE_DONE || r.retcode == TRADE_RETCODE_PLACED ||
              r.retcode == TRADE_RETCODE_DONE_PARTIAL;
  if (!good) mql::last_error = ERR_TRADE_SEND_FAILED;
  return good;
}
bool OrderSend(const MqlTradeRequest& q, MqlTradeResult& r) {
  long wait_ms = the().quirks.order_ms;
  if (wait_ms > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));  // the EA is blocked meanwhile
  r = sent(q);
  return answered(r);
}
bool OrderSendAsync(const MqlTradeRequest& q, MqlTradeResult& r) {
  MqlTradeResult whole = sent(q);
  r = MqlTradeResult{};
  r.request_id = whole.request_id;
  bool taken = whole.retcode != TRADE_RETCODE_CONNECTION && whole.retcode != TRADE_RETCODE_CLIENT_DISABLES_AT;
  r.retcode = taken ? TRADE_RETCODE_PLACED : whole.retcode;
  return answered(r);
}
bool OrderCheck(const MqlTradeRequest& q, MqlTradeCheckResult& r) {
  Guard guard(the().lock);
  r = check(q);
  if (r.retcode != 0) mql::last_error = ERR_TRADE_SEND_FAILED;
  return r.retcode == 0;
}
bool OrderCalcMargin(ENUM_ORDER_TYPE type, const string& s, double volume, double price, double& margin) {
  Guard guard(the().lock);
  margin = 0;
  bool good = type <= ORDER_TYPE_SELL && calc_margin(is_buy(type), s.u16(), volume, price, margin);
  if (!good) mql::last_error = the().symbol(s.u16()) ? ERR_INVALID_PARAMETER : ERR_MARKET_UNKNOWN_SYMBOL;
  return good;
}
bool OrderCalcProfit(ENUM_ORDER_TYPE type, const string& s, double volume, double open, double close,
                     double& profit) {
  Guard guard(the().lock);
  profit = 0;
  bool good = type <= ORDER_TYPE_SELL && calc_profit(is_buy(type), s.u16(), volume, open, close, profit);
  if (!good) mql::last_error = the().symbol(s.u16()) ? ERR_INVALID_PARAMETER : ERR_MARKET_UNKNOWN_SYMBOL;
  return good;
}

// ---------------------------------------------------------------- positions: the chosen one is a copy
static Position chosen_position;
static bool choose(const Position* p) {
  if (p) chosen_position = *p;
  else mql::last_error = ERR_TRADE_POSITION_NOT_FOUND;
  return p != nullptr;
}
int PositionsTotal() {
  Guard guard(the().lock);
  return (int)the().positions.size();
}
ulong PositionGetTicket(int i) {
  Guard guard(the().lock);
  auto& all = the().positions;
  return choose(i >= 0 && (size_t)i < all.size() ? &all[(size_t)i] : nullptr) ? chosen_position.ticket : 0;
}
string PositionGetSymbol(int i) {
  return PositionGetTicket(i) ? string(chosen_position.symbol) : string(u"");
}
bool PositionSelect(const string& s) {
  Guard guard(the().lock);
  for (auto& p : the().positions)
    if (p.symbol == s.u16()) return choose(&p);
  return choose(nullptr);
}
bool PositionSelectByTicket(ulong ticket) {
  Guard guard(the().lock);
  for (auto& p : the().positions)
    if (p.ticket == ticket) return choose(&p);
  return choose(nullptr);
}
double PositionGetDouble(ENUM_POSITION_PROPERTY_DOUBLE property) {
  Guard guard(the().lock);
  const Position& p = chosen_position;
  switch (property) {
    case POSITION_VOLUME: return p.volume;
    case POSITION_PRICE_OPEN: return p.price_open;
    case POSITION_SL: return p.sl;
    case POSITION_TP: return p.tp;
    case POSITION_PRICE_CURRENT: return price_of(p);
    case POSITION_SWAP: return p.swap;
    case POSITION_PROFIT: return profit_of(p);
  }
  return 0;
}
long PositionGetInteger(ENUM_POSITION_PROPERTY_INTEGER property) {
  Guard guard(the().lock);
  const Position& p = chosen_position;
  switch (property) {
    case POSITION_TICKET: return (long)p.ticket;
    case POSITION_TIME: return p.time_msc / 1000;
    case POSITION_TIME_MSC: return p.time_msc;
    case POSITION_TIME_UPDATE: return p.update_msc / 1000;
    case POSITION_TIME_UPDATE_MSC: return p.update_msc;
    case POSITION_TYPE: return p.type;
    case POSITION_MAGIC: return (long)p.magic;
    case POSITION_IDENTIFIER: return (long)p.identifier;
    case POSITION_REASON: return p.reason;
  }
  return 0;
}
string PositionGetString(ENUM_POSITION_PROPERTY_STRING property) {
  Guard guard(the().lock);
  const Position& p = chosen_position;
  return property == POSITION_SYMBOL    ? string(p.symbol)
         : property == POSITION_COMMENT ? string(p.comment)
                                        : string(u"");
}

// ---------------------------------------------------------------- orders
static Order chosen_order;
static bool choose(const Order* o) {
  if (o) chosen_order = *o;
  else mql::last_error = ERR_TRADE_ORDER_NOT_FOUND;
  return o != nullptr;
}
int OrdersTotal() {
  Guard guard(the().lock);
  return (int)the().orders.size();
}
ulong OrderGetTicket(int i) {
  Guard guard(the().lock);
  auto& all = the().orders;
  return choose(i >= 0 && (size_t)i < all.size() ? &all[(size_t)i] : nullptr) ? chosen_order.ticket : 0;
}
bool OrderSelect(ulong ticket) {
  Guard guard(the().lock);
  for (auto& o : the().orders)
    if (o.ticket == ticket) return choose(&o);
  return choose((const Order*)nullptr);
}
static double number_of(const Order& o, ENUM_ORDER_PROPERTY_DOUBLE property, bool is_open) {
  switch (property) {
    case ORDER_VOLUME_INITIAL: return o.volume_initial;
    case ORDER_VOLUME_CURRENT: return o.volume;
    case ORDER_PRICE_OPEN: return o.price_open;
    case ORDER_SL: return o.sl;
    case ORDER_TP: return o.tp;
    case ORDER_PRICE_STOPLIMIT: return o.stoplimit;
    case ORDER_PRICE_CURRENT: {
      Listing* s = the().symbol(o.symbol);
      return is_open && s ? (is_buy(o.type) ? s->last.ask : s->last.bid) : o.price_current;
    }
  }
  return 0;
}
static long integer_of(const Order& o, ENUM_ORDER_PROPERTY_INTEGER property) {
  switch (property) {
    case ORDER_TICKET: return (long)o.ticket;
    case ORDER_TIME_SETUP: return o.setup_msc / 1000;
    case ORDER_TIME_SETUP_MSC: return o.setup_msc;
    case ORDER_TIME_DONE: return o.done_msc / 1000;
    case ORDER_TIME_DONE_MSC: return o.done_msc;
    case ORDER_TIME_EXPIRATION: return o.expiration;
    case ORDER_TYPE: return o.type;
    case ORDER_STATE: return o.state;
    case ORDER_TYPE_FILLING: return o.filling;
    case ORDER_TYPE_TIME: return o.type_time;
    case ORDER_MAGIC: return (long)o.magic;
    case ORDER_REASON: return o.reason;
    case ORDER_POSITION_ID: return (long)o.position_id;
    case ORDER_POSITION_BY_ID: return (long)o.position_by_id;
  }
  return 0;
}
static string text_of(const Order& o, ENUM_ORDER_PROPERTY_STRING property) {
  return property == ORDER_SYMBOL    ? string(o.symbol)
         : property == ORDER_COMMENT ? string(o.comment)
                                     : string(u"");
}
double OrderGetDouble(ENUM_ORDER_PROPERTY_DOUBLE p) {
  Guard guard(the().lock);
  return number_of(chosen_order, p, true);
}
long OrderGetInteger(ENUM_ORDER_PROPERTY_INTEGER p) {
  Guard guard(the().lock);
  return integer_of(chosen_order, p);
}
string OrderGetString(ENUM_ORDER_PROPERTY_STRING p) {
  Guard guard(the().lock);
  return text_of(chosen_order, p);
}

// ---------------------------------------------------------------- history: what was selected, by ticket
static std::vector<Order> past;
static std::vector<Deal> deals;
static bool lags(const Deal& d, bool hide) { return hide && d.ticket == the().deals.back().ticket; }
static bool hides_newest() {
  Quirks& quirks = the().quirks;
  return quirks.deals_lag > 0 && quirks.deals_lag-- && !the().deals.empty();
}
bool HistorySelect(datetime from, datetime to) {
  Guard guard(the().lock);
  bool hide = hides_newest();
  past.clear(), deals.clear();
  for (auto& o : the().past)
    if (o.done_msc / 1000 >= from.v && o.done_msc / 1000 <= to.v) past.push_back(o);
  for (auto& d : the().deals)
    if (d.time_msc / 1000 >= from.v && d.time_msc / 1000 <= to.v && !lags(d, hide)) deals.push_back(d);
  return true;
}
bool HistorySelectByPosition(long position) {
  Guard guard(the().lock);
  bool hide = hides_newest();
  past.clear(), deals.clear();
  for (auto& o : the().past)
    if ((long)o.position_id == position || (long)o.position_by_id == position) past.push_back(o);
  for (auto& d : the().deals)
    if ((long)d.position_id == position && !lags(d, hide)) deals.push_back(d);
  return !past.empty() || !deals.empty();
}
int HistoryOrdersTotal() { return (int)past.size(); }
ulong HistoryOrderGetTicket(int i) {
  Guard guard(the().lock);
  return i >= 0 && (size_t)i < past.size() ? past[(size_t)i].ticket : 0;
}
bool HistoryOrderSelect(ulong ticket) {
  Guard guard(the().lock);
  for (auto& o : the().past) {
    if (o.ticket != ticket) continue;
    past.assign(1, o);
    return true;
  }
  mql::last_error = ERR_TRADE_ORDER_NOT_FOUND;
  return false;
}
static const Order& past_order(ulong ticket) {
  static const Order none;
  for (auto& o : past)
    if (o.ticket == ticket) return o;
  mql::last_error = ERR_TRADE_ORDER_NOT_FOUND;
  return none;
}
double HistoryOrderGetDouble(ulong ticket, ENUM_ORDER_PROPERTY_DOUBLE p) {
  return number_of(past_order(ticket), p, false);
}
long HistoryOrderGetInteger(ulong ticket, ENUM_ORDER_PROPERTY_INTEGER p) {
  return integer_of(past_order(ticket), p);
}
string HistoryOrderGetString(ulong ticket, ENUM_ORDER_PROPERTY_STRING p) {
  return text_of(past_order(ticket), p);
}
int HistoryDealsTotal() { return (int)deals.size(); }
ulong HistoryDealGetTicket(int i) {
  Guard guard(the().lock);
  return i >= 0 && (size_t)i < deals.size() ? deals[(size_t)i].ticket : 0;
}
bool HistoryDealSelect(ulong ticket) {
  Guard guard(the().lock);
  for (auto& d : the().deals) {
    if (d.ticket != ticket) continue;
    deals.assign(1, d);
    return true;
  }
  mql::last_error = ERR_TRADE_DEAL_NOT_FOUND;
  return false;
}
static const Deal& deal(ulong ticket) {
  static const Deal none;
  for (auto& d : deals)
    if (d.ticket == ticket) return d;
  mql::last_error = ERR_TRADE_DEAL_NOT_FOUND;
  return none;
}
double HistoryDealGetDouble(ulong ticket, ENUM_DEAL_PROPERTY_DOUBLE p) {
  const Deal& d = deal(ticket);
  switch (p) {
    case DEAL_VOLUME: return d.volume;
    case DEAL_PRICE: return d.price;
    case DEAL_COMMISSION: return d.commission;
    case DEAL_SWAP: return d.swap;
    case DEAL_PROFIT: return d.profit;
    case DEAL_FEE: return d.fee;
    default: return 0;
  }
}
long HistoryDealGetInteger(ulong ticket, ENUM_DEAL_PROPERTY_INTEGER p) {
  const Deal& d = deal(ticket);
  switch (p) {
    case DEAL_TICKET: return (long)d.ticket;
    case DEAL_ORDER: return (long)d.order;
    case DEAL_TIME: return d.time_msc / 1000;
    case DEAL_TIME_MSC: return d.time_msc;
    case DEAL_TYPE: return d.type;
    case DEAL_ENTRY: return d.entry;
    case DEAL_MAGIC: return (long)d.magic;
    case DEAL_REASON: return d.reason;
    case DEAL_POSITION_ID: return (long)d.position_id;
  }
  return 0;
}
string HistoryDealGetString(ulong ticket, ENUM_DEAL_PROPERTY_STRING p) {
  const Deal& d = deal(ticket);
  return p == DEAL_SYMBOL ? string(d.symbol) : p == DEAL_COMMENT ? string(d.comment) : string(u"");
}
