// MQL4's trade functions, over the same books: one pool for trades and waiting orders.
#include <chrono>
#include <thread>
#include "world.hpp"
#define MQL_SIMULATION
#include "mql4_api.hpp"

using namespace world;
typedef world::ApiGuard Guard;

namespace {
// A trade or an order, as OrderSelect finds it.
struct Selected {
  int ticket = 0, type = 0, magic = 0;
  double lots = 0, open = 0, close = 0, sl = 0, tp = 0, profit = 0, swap = 0, commission = 0;
  Name symbol, comment;
  long open_s = 0, close_s = 0, expiration = 0;
} chosen;

Selected of(const Position& p) {
  Selected o;
  o.ticket = (int)p.ticket, o.type = p.type, o.magic = (int)p.magic, o.lots = p.volume, o.open = p.price_open,
  o.close = price_of(p);
  o.sl = p.sl, o.tp = p.tp, o.profit = profit_of(p), o.swap = p.swap, o.commission = p.commission;
  o.symbol = p.symbol, o.comment = p.comment, o.open_s = p.time_msc / 1000;
  return o;
}
Selected of(const Order& x) {
  Selected o;
  o.ticket = (int)x.ticket, o.type = x.type, o.magic = (int)x.magic, o.open = x.price_open, o.sl = x.sl,
  o.tp = x.tp;
  o.lots = x.volume_initial, o.symbol = x.symbol, o.comment = x.comment, o.open_s = x.setup_msc / 1000,
  o.close_s = x.done_msc / 1000;
  o.expiration = x.expiration, o.close = x.price_current, o.profit = x.profit, o.swap = x.swap,
  o.commission = x.commission;
  Listing* s = the().symbol(x.symbol);
  if (!x.done_msc && s) o.close = is_buy(x.type) ? s->last.ask : s->last.bid;
  return o;
}
int error_of(uint retcode) {
  switch (retcode) {
    case TRADE_RETCODE_REQUOTE: return ERR_REQUOTE;
    case TRADE_RETCODE_REJECT: return ERR_OFF_QUOTES;
    case TRADE_RETCODE_INVALID: return ERR_INVALID_TRADE_PARAMETERS;
    case TRADE_RETCODE_INVALID_VOLUME: return ERR_INVALID_TRADE_VOLUME;
    case TRADE_RETCODE_INVALID_CLOSE_VOLUME: return ERR_INVALID_TRADE_VOLUME;
    case TRADE_RETCODE_INVALID_PRICE:
      return ERR_INVALID_STOPS;  // as servers answer a wrong opening price of a waiting order
    case TRADE_RETCODE_INVALID_STOPS: return ERR_INVALID_STOPS;
    case TRADE_RETCODE_TRADE_DISABLED: return 133;
    case TRADE_RETCODE_MARKET_CLOSED: return ERR_MARKET_CLOSED;
    case TRADE_RETCODE_NO_MONEY: return ERR_NOT_ENOUGH_MONEY;
    case TRADE_RETCODE_PRICE_CHANGED: return ERR_PRICE_CHANGED;
    case TRADE_RETCODE_PRICE_OFF: return ERR_OFF_QUOTES;
    case TRADE_RETCODE_INVALID_EXPIRATION: return ERR_TRADE_EXPIRATION_DENIED;
    case TRADE_RETCODE_TOO_MANY_REQUESTS: return ERR_TOO_FREQUENT_REQUESTS;
    case TRADE_RETCODE_NO_CHANGES: return ERR_NO_RESULT;
    case TRADE_RETCODE_SERVER_DISABLES_AT: return ERR_TRADE_EXPERT_DISABLED_BY_SERVER;
    case TRADE_RETCODE_CLIENT_DISABLES_AT: return ERR_TRADE_NOT_ALLOWED;
    case TRADE_RETCODE_FROZEN: return ERR_TRADE_MODIFY_DENIED;
    case TRADE_RETCODE_CONNECTION: return ERR_NO_CONNECTION;
    case TRADE_RETCODE_TIMEOUT: return ERR_TRADE_TIMEOUT;
    case TRADE_RETCODE_LOCKED: return ERR_TRADE_CONTEXT_BUSY;
    case TRADE_RETCODE_LIMIT_ORDERS: return ERR_TRADE_TOO_MANY_ORDERS;
    case TRADE_RETCODE_LONG_ONLY: return ERR_LONG_POSITIONS_ONLY_ALLOWED;
    case TRADE_RETCODE_INVALID_ORDER: return ERR_INVALID_TRADE_PARAMETERS;
    case TRADE_RETCODE_POSITION_CLOSED: return ERR_INVALID_TICKET;
    default: return ERR_COMMON_ERROR;
  }
}
// Sends, as MetaTrader 4 does, and waits until it is done.
bool carried_out(const MqlTradeRequest& q, MqlTradeResult& r) {
  if (the().quirks.order_ms > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(the().quirks.order_ms));
  Guard guard(the().lock);
  Quirks& quirks = the().quirks;
  if (quirks.crash_before > 0 && quirks.crash_before--) restart();
  r = send(q);
  if (quirks.crash_after > 0 && quirks.crash_after--) restart();
  if (r.retcode == TRADE_RETCODE_DONE || r.retcode == TRADE_RETCODE_PLACED) return true;
  mql::last_error = error_of(r.retcode);
  return false;
}
const Position* trade(int ticket) {
  for (auto& p : the().positions)
    if ((int)p.ticket == ticket) return &p;
  return nullptr;
}
const Order* waiting(int ticket) {
  for (auto& o : the().orders)
    if ((int)o.ticket == ticket) return &o;
  return nullptr;
}
}  // namespace

namespace mql4 {
double Bid, Ask;
int AccountNumber() { return (int)AccountInfoInteger(ACCOUNT_LOGIN); }
double AccountBalance() { return AccountInfoDouble(ACCOUNT_BALANCE); }
double AccountCredit() { return AccountInfoDouble(ACCOUNT_CREDIT); }
double AccountEquity() { return AccountInfoDouble(ACCOUNT_EQUITY); }
double AccountMargin() { return AccountInfoDouble(ACCOUNT_MARGIN); }
double AccountFreeMargin() { return AccountInfoDouble(ACCOUNT_MARGIN_FREE); }
double AccountProfit() { return AccountInfoDouble(ACCOUNT_PROFIT); }
double AccountFreeMarginCheck(const string& s, int cmd, double volume) {
  double needed = 0;
  MqlTick t;
  if (!SymbolInfoTick(s, t) ||
      !calc_margin(cmd == OP_BUY, s.u16(), volume, cmd == OP_BUY ? t.ask : t.bid, needed))
    return -1;
  return AccountFreeMargin() - needed;
}
int AccountLeverage() { return (int)AccountInfoInteger(ACCOUNT_LEVERAGE); }
int AccountStopoutLevel() { return (int)AccountInfoDouble(ACCOUNT_MARGIN_SO_SO); }
int AccountStopoutMode() { return (int)AccountInfoInteger(ACCOUNT_MARGIN_SO_MODE); }
string AccountCurrency() { return AccountInfoString(ACCOUNT_CURRENCY); }
string AccountName() { return AccountInfoString(ACCOUNT_NAME); }
string AccountServer() { return AccountInfoString(ACCOUNT_SERVER); }
string AccountCompany() { return AccountInfoString(ACCOUNT_COMPANY); }
bool IsConnected() { return TerminalInfoInteger(TERMINAL_CONNECTED) != 0; }
bool IsDemo() { return AccountInfoInteger(ACCOUNT_TRADE_MODE) != ACCOUNT_TRADE_MODE_REAL; }
bool IsDllsAllowed() { return MQLInfoInteger(MQL_DLLS_ALLOWED) != 0; }
bool IsExpertEnabled() { return TerminalInfoInteger(TERMINAL_TRADE_ALLOWED) != 0; }
bool IsTradeAllowed() { return MQLInfoInteger(MQL_TRADE_ALLOWED) != 0; }
bool IsTradeContextBusy() { return false; }
bool IsTesting() { return false; }
int TerminalBuild() { return (int)TerminalInfoInteger(TERMINAL_BUILD); }
string TerminalName() { return TerminalInfoString(TERMINAL_NAME); }
string TerminalCompany() { return TerminalInfoString(TERMINAL_COMPANY); }
string TerminalPath() { return TerminalInfoString(TERMINAL_PATH); }
bool RefreshRates() {
  MqlTick t;
  if (!SymbolInfoTick(Symbol(), t)) return false;
  Bid = t.bid, Ask = t.ask;
  return true;
}
double MarketInfo(const string& s, int mode) {
  switch (mode) {
    case MODE_BID: return SymbolInfoDouble(s, SYMBOL_BID);
    case MODE_ASK: return SymbolInfoDouble(s, SYMBOL_ASK);
    case MODE_POINT: return SymbolInfoDouble(s, SYMBOL_POINT);
    case MODE_DIGITS: return (double)SymbolInfoInteger(s, SYMBOL_DIGITS);
    case MODE_SPREAD: return (double)SymbolInfoInteger(s, SYMBOL_SPREAD);
    case MODE_STOPLEVEL: return (double)SymbolInfoInteger(s, SYMBOL_TRADE_STOPS_LEVEL);
    case MODE_FREEZELEVEL: return (double)SymbolInfoInteger(s, SYMBOL_TRADE_FREEZE_LEVEL);
    case MODE_LOTSIZE: return SymbolInfoDouble(s, SYMBOL_TRADE_CONTRACT_SIZE);
    case MODE_TICKVALUE: return SymbolInfoDouble(s, SYMBOL_TRADE_TICK_VALUE);
    case MODE_TICKSIZE: return SymbolInfoDouble(s, SYMBOL_TRADE_TICK_SIZE);
    case MODE_SWAPLONG: return SymbolInfoDouble(s, SYMBOL_SWAP_LONG);
    case MODE_SWAPSHORT: return SymbolInfoDouble(s, SYMBOL_SWAP_SHORT);
    case MODE_MINLOT: return SymbolInfoDouble(s, SYMBOL_VOLUME_MIN);
    case MODE_MAXLOT: return SymbolInfoDouble(s, SYMBOL_VOLUME_MAX);
    case MODE_LOTSTEP: return SymbolInfoDouble(s, SYMBOL_VOLUME_STEP);
    case MODE_TIME: return (double)SymbolInfoInteger(s, SYMBOL_TIME);
    case MODE_MARGINHEDGED: return SymbolInfoDouble(s, SYMBOL_MARGIN_HEDGED);
    case MODE_MARGININIT: return SymbolInfoDouble(s, SYMBOL_MARGIN_INITIAL);
    case MODE_TRADEALLOWED: {
      Guard guard(the().lock);
      Listing* x = the().symbol(s.u16());
      return x && x->code("trade_mode") != 0 && is_open(*x, the().now_msc());
    }
    case MODE_HIGH: return SymbolInfoDouble(s, SYMBOL_BIDHIGH);
    case MODE_LOW: return SymbolInfoDouble(s, SYMBOL_BIDLOW);
    case MODE_SWAPTYPE: {
      long mode = SymbolInfoInteger(s, SYMBOL_SWAP_MODE);
      return mode == 2 ? 1 : mode == 5 ? 2 : mode == 3 ? 3 : 0;
    }
    case MODE_PROFITCALCMODE:
    case MODE_MARGINCALCMODE: {
      Guard guard(the().lock);
      Listing* x = the().symbol(s.u16());
      long calc = x ? x->code("trade_calc_mode") : 0;
      return calc == 0 || calc == 5 ? 0 : calc == 1 ? 2 : 1;
    }
    case MODE_MARGINREQUIRED: {
      Guard guard(the().lock);
      double needed = 0;
      Listing* x = the().symbol(s.u16());
      if (x && x->last.ask > 0) calc_margin(true, s.u16(), 1.0, x->last.ask, needed);
      return needed;
    }
    default: mql::fatal("MarketInfo: this mode is not simulated");
  }
}

int OrdersTotal() {
  Guard guard(the().lock);
  return (int)(the().positions.size() + the().orders.size());
}
int OrdersHistoryTotal() {
  Guard guard(the().lock);
  return (int)the().past.size();
}
bool OrderSelect(int index, int select, int pool) {
  Guard guard(the().lock);
  World& w = the();
  if (select == SELECT_BY_TICKET) {  // whatever the pool
    if (auto* p = trade(index)) return chosen = of(*p), true;
    if (auto* o = waiting(index)) return chosen = of(*o), true;
    for (auto& o : w.past)
      if ((int)o.ticket == index) return chosen = of(o), true;
    mql::last_error = ERR_INVALID_TICKET;
    return false;
  }
  size_t i = (size_t)index, trades = w.positions.size();
  if (index >= 0 && pool == MODE_HISTORY && i < w.past.size()) return chosen = of(w.past[i]), true;
  if (index >= 0 && pool == MODE_TRADES && i < trades) return chosen = of(w.positions[i]), true;
  if (index >= 0 && pool == MODE_TRADES && i < trades + w.orders.size())
    return chosen = of(w.orders[i - trades]), true;
  mql::last_error = ERR_INVALID_FUNCTION_PARAMVALUE;
  return false;
}
int OrderTicket() { return chosen.ticket; }
int OrderType() { return chosen.type; }
int OrderMagicNumber() { return chosen.magic; }
double OrderLots() { return chosen.lots; }
double OrderOpenPrice() { return chosen.open; }
double OrderClosePrice() { return chosen.close; }
double OrderStopLoss() { return chosen.sl; }
double OrderTakeProfit() { return chosen.tp; }
double OrderProfit() { return chosen.profit; }
double OrderSwap() { return chosen.swap; }
double OrderCommission() { return chosen.commission; }
string OrderSymbol() { return string(chosen.symbol); }
string OrderComment() { return string(chosen.comment); }
datetime OrderOpenTime() { return datetime(chosen.open_s); }
datetime OrderCloseTime() { return datetime(chosen.close_s); }
datetime OrderExpiration() { return datetime(chosen.expiration); }

int OrderSend(const string& s, int cmd, double volume, double price, int slippage, double sl, double tp,
              const string& comment, int magic, datetime expiration, color) {
  MqlTradeRequest q = {};
  MqlTradeResult r;
  if (!the().symbol(s.u16())) {
    mql::last_error = ERR_UNKNOWN_SYMBOL;
    return -1;
  }
  if (cmd < OP_BUY || cmd > OP_SELLSTOP) {
    mql::last_error = ERR_INVALID_FUNCTION_PARAMVALUE;
    return -1;
  }
  q.action = cmd <= OP_SELL ? TRADE_ACTION_DEAL : TRADE_ACTION_PENDING;
  q.symbol = s;
  q.type = (ENUM_ORDER_TYPE)cmd;
  q.volume = volume, q.price = price, q.sl = sl, q.tp = tp, q.deviation = (ulong)slippage,
  q.comment = comment, q.magic = (ulong)magic;
  q.type_time = expiration > 0 ? ORDER_TIME_SPECIFIED : ORDER_TIME_GTC;
  q.expiration = expiration;
  return carried_out(q, r) ? (int)r.order : -1;
}
bool OrderModify(int ticket, double price, double sl, double tp, datetime expiration, color) {
  MqlTradeRequest q = {};
  MqlTradeResult r;
  bool is_trade;
  {
    Guard guard(the().lock);
    is_trade = trade(ticket) != nullptr;
    const Order* o = waiting(ticket);
    if (!is_trade && !o) {
      mql::last_error = ERR_INVALID_TICKET;
      return false;
    }
    q.type = o ? (ENUM_ORDER_TYPE)o->type : ORDER_TYPE_BUY;
    q.symbol = string(o ? o->symbol : trade(ticket)->symbol);
  }
  q.action = is_trade ? TRADE_ACTION_SLTP : TRADE_ACTION_MODIFY;
  (is_trade ? q.position : q.order) = (ulong)ticket;
  q.price = price, q.sl = sl, q.tp = tp, q.expiration = expiration;
  q.type_time = expiration > 0 ? ORDER_TIME_SPECIFIED : ORDER_TIME_GTC;
  return carried_out(q, r);
}
bool OrderClose(int ticket, double lots, double price, int slippage, color) {
  MqlTradeRequest q = {};
  MqlTradeResult r;
  {
    Guard guard(the().lock);
    const Position* p = trade(ticket);
    if (!p) {
      mql::last_error = ERR_INVALID_TICKET;
      return false;
    }
    q.symbol = string(p->symbol);
    q.type = p->type == POSITION_TYPE_BUY ? ORDER_TYPE_SELL : ORDER_TYPE_BUY;
    q.magic = p->magic;
  }
  q.action = TRADE_ACTION_DEAL;
  q.position = (ulong)ticket;
  q.volume = lots, q.price = price, q.deviation = (ulong)slippage;
  return carried_out(q, r);
}
bool OrderCloseBy(int ticket, int opposite, color) {
  MqlTradeRequest q = {};
  MqlTradeResult r;
  q.action = TRADE_ACTION_CLOSE_BY;
  q.position = (ulong)ticket, q.position_by = (ulong)opposite;
  return carried_out(q, r);
}
bool OrderDelete(int ticket, color) {
  MqlTradeRequest q = {};
  MqlTradeResult r;
  q.action = TRADE_ACTION_REMOVE;
  q.order = (ulong)ticket;
  return carried_out(q, r);
}
}  // namespace mql4
