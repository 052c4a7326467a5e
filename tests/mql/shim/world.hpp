// The simulated terminal and its broker, behind the functions that an EA calls.
//
// One lock guards everything: the EA's thread and that of the commands of a test both hold it.
// Texts are UTF-8 in here, and UTF-16 strings for the EA.
#pragma once
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
#include "console.hpp"
#include "json.hpp"
#include "mql5_api.hpp"

namespace world {

typedef std::u16string Name;

struct Session {
  int day;
  long from_s, to_s;
};

struct Listing {
  Json info;  // by the names of ea_bridge.model.SymbolInfo
  Name name;
  int digits = 5;
  double point = 0.00001, tick_size = 0.00001;
  bool selected = true, book_added = false;
  MqlTick last = {};
  std::vector<MqlTick> ticks;
  std::map<int, std::vector<MqlRates>> bars;  // by timeframe, in MetaTrader 5's codes
  std::vector<Session> sessions;              // none: always open
  double of(const char* name) const { return info[name].number(); }
  long code(const char* name) const { return info[name].integer(); }
};

struct Order {
  ulong ticket = 0, magic = 0, position_id = 0, position_by_id = 0;
  Name symbol, comment;
  int type = 0, state = 0, filling = 0, type_time = 0, reason = 0;
  long setup_msc = 0, done_msc = 0, expiration = 0;
  double volume_initial = 0, volume = 0, price_open = 0, sl = 0, tp = 0, price_current = 0, stoplimit = 0;
  double profit = 0, swap = 0, commission = 0;  // of MetaTrader 4's closed trades
};

struct Position {
  ulong ticket = 0, magic = 0, identifier = 0;
  Name symbol, comment;
  int type = 0, reason = 0;
  long time_msc = 0, update_msc = 0;
  double volume = 0, price_open = 0, sl = 0, tp = 0, swap = 0, commission = 0, margin_rate = 1;
};

struct Deal {
  ulong ticket = 0, order = 0, magic = 0, position_id = 0;
  Name symbol, comment;
  int type = 0, entry = 0, reason = 0;
  long time_msc = 0;
  double volume = 0, price = 0, commission = 0, swap = 0, profit = 0, fee = 0;
};

struct Transaction {
  MqlTradeTransaction transaction;
  MqlTradeRequest request;
  MqlTradeResult result;
};

// How the terminal differs from what one would like; a test sets it by the name of the member.
struct Quirks {
  long readable_one = 1;     // SocketIsReadable says 1 now and then, of nothing and of more
  long read_whole = 0;       // SocketRead waits for all of maxlen
  long read_error = 1;       // one that gets nothing tells 5273; 2: and does not wait; 3: and ends the link
  long stale = 0;            // SocketIsConnected is true until a SocketSend fails
  long connect_ms = 2000;    // how long it takes until nobody answers a dial
  long send_partial = 0;     // SocketSend takes so many bytes now and then
  long nodelay = 0;          // 1: without Nagle's algorithm
  long send_buffer = 0;      // SO_SNDBUF
  long chart_policy = 0;     // 1: no second event with an id; 2: none while any is queued
  double timer_ms = 15.6;    // the timer's grain
  long order_ms = 0;         // how long OrderSend takes
  long crash_before = 0;     // OrderSends in which the terminal dies before the broker hears
  long crash_after = 0;      // and after the broker has executed
  long stall_ms = 0;         // the next event waits so long
  long deals_lag = 0;        // HistorySelects that don't see the newest deal yet
  long ticks_lag = 0;        // CopyTicks that fail, as while a symbol's history is loaded
  long ticks_part = 0;       // CopyTicks that give the newer half of what there is, with an error
  long ticks_block_ms = 0;   // the next CopyTicks takes so long
  long rates_part = 0;       // CopyRates that know the newer half of a period: it is being loaded
  long blind = 0;            // SymbolInfo* tell nothing of a symbol that is not in Market Watch
  long timer_refused = 0;    // EventSetMillisecondTimers that fail
  long connect_refused = 0;  // SocketConnects that fail
};

// What the broker does to the next requests.
struct Script {
  std::deque<int> refusals;
  std::deque<double> volumes;
};

struct World {
  std::recursive_mutex lock;
  std::condition_variable_any news;
  bool is_mql4 = false;
  Json config;
  std::string files;  // the sandbox
  std::vector<Listing> symbols;
  std::unordered_map<Name, size_t> index;
  Quirks quirks;
  Script script;

  // the terminal's global variables, which all EAs of it share
  std::map<Name, double> variables;

  // switches
  bool connected = true, autotrading = true, mql_trade_allowed = true, trade_allowed = true,
       trade_expert = true;

  // the broker's books
  double balance = 0, credit = 0;
  std::vector<Position> positions;
  std::vector<Order> orders, past;
  std::vector<Deal> deals;
  ulong next_order = 100000001, next_deal = 200000001;
  uint requests = 0;
  long clock_offset_ms = 0;   // of the broker's clock, from this machine's
  size_t max_ticks = 400000;  // of a symbol
  long utc_offset_ms = 0;     // of the broker's clock, from UTC

  // events for the EA
  bool tick_waits = false;
  long ticks_made = 0, ticks_skipped = 0;
  std::deque<Transaction> transactions;
  std::deque<Name> books;
  struct Chart {
    ushort id;
    long l;
    double d;
    Name s;
  };
  std::deque<Chart> charts;
  int chart_active = -1;
  long looks = 0;                    // at a socket, for what can be read
  long timers = 0, idle_timers = 0;  // OnTimer, and those that looked at no socket
  bool quit = false;
  std::unordered_map<const char*, long> calls;  // of the EA, by the name of the function
  int reinit = 0;  // the reason for which the EA begins again

  Listing* symbol(const Name& name);
  long now_msc() const;  // the broker's wall clock
  bool hedging() const;
  double term(const char* name, double otherwise = 0) const {
    return config["account"][name].number(otherwise);
  }
};
World& the();

// Holds the lock for a call of the EA, and counts it: a machine's load changes times, never counts.
struct ApiGuard {
  std::lock_guard<std::recursive_mutex> lock;
  explicit ApiGuard(std::recursive_mutex& mutex, const char* called = __builtin_FUNCTION()) : lock(mutex) {
    the().calls[called]++;
  }
};

// market.cpp
void set_up_symbols(const Json& list);
void push_tick(Listing& s, MqlTick t);
bool is_open(const Listing& s, long msc);
int timeframe(long tf);  // MetaTrader 5's code of a timeframe of either

// broker.cpp
MqlTradeResult send(const MqlTradeRequest& q);
MqlTradeCheckResult check(const MqlTradeRequest& q);
bool calc_margin(bool buying, const Name& symbol, double volume, double price, double& out);
bool calc_profit(bool buying, const Name& symbol, double volume, double open, double close, double& out);
void on_tick(Listing& s);
double profit_of(const Position& p);
double margin_rate_of(const Position& p);  // as of its opening price
double price_of(const Position& p);        // at which it would close now
double tick_value(const Listing& s, bool lost);  // of a lot, now, in the account's currency
double account_profit();
double account_margin();
double rounded(double v, int digits);
void deposit(double amount, const std::string& comment);
bool is_buy(int type);

// machine.cpp
void restart();  // does not return
}  // namespace world
