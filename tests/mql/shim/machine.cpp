// The terminal's life: it starts the EA, hands it its events one by one, obeys the test, and dies.
//
// Usage: PROGRAM CONFIG.json [input=value ...]. Commands come as JSON lines on stdin ({"do":"tick",...});
// one with an "n" is answered by {"t":"done","n":...}. What the EA prints comes as {"t":"print"},
// {"t":"alert"} and {"t":"comment"}.
#include <fcntl.h>
#include <fenv.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>
#include "state.hpp"

using namespace world;
typedef std::chrono::steady_clock Clock;
typedef std::lock_guard<std::recursive_mutex> Guard;

namespace {
std::vector<std::string> arguments;
std::string unread;  // what came on stdin after the last whole line
int timer_ms = 0;
bool timer_waits = false;
Clock::time_point next_timer;
int reason = REASON_REMOVE;

// Ticks by the thousand. Of each symbol they are numbered from 1 in `volume`, so that none can
// be lost or doubled unnoticed.
struct Generator {
  long rate = 0, count = 0, made = 0, symbols = 0;
  std::vector<ulong> numbers;
  long began_us = 0, made_before = 0;
} generator;

long micros(Clock::time_point t) {
  return (long)std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
}
std::string state_folder() { return the().files + "/state"; }
}  // namespace

long World::now_msc() const {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return (long)std::chrono::duration_cast<std::chrono::milliseconds>(now).count() + clock_offset_ms;
}

// Dies as a crash does, and comes again as a new process: the broker lives on, all else is lost.
void world::restart() {
  the().lock.lock();
  Json more;
  std::vector<Json> numbers;
  for (ulong n : generator.numbers) numbers.push_back(Json(n));
  more.set("unread", unread)
      .set("rate", generator.rate)
      .set("count", generator.count)
      .set("made", generator.made)
      .set("symbols", generator.symbols)
      .set("numbers", Json(numbers));
  save_state(state_folder(), more);
  console::say("restart", "");
  std::vector<char*> argv;
  for (auto& a : arguments) argv.push_back(&a[0]);
  argv.push_back(nullptr);
  setenv("MQL_RESUMED", "1", 1);
  execv("/proc/self/exe", argv.data());
  _exit(4);
}

// ---------------------------------------------------------------- ticks by the thousand
static void generate() {
  for (;;) {
    std::this_thread::sleep_for(std::chrono::microseconds(1000));
    Guard guard(the().lock);
    if (the().quit) return;
    Generator& g = generator;
    if (g.rate <= 0 || g.made >= g.count || !the().connected) continue;
    if (g.began_us == 0) g.began_us = micros(Clock::now()), g.made_before = g.made;
    long due = g.made_before + (micros(Clock::now()) - g.began_us) * g.rate / 1000000;
    for (; g.made < due && g.made < g.count; g.made++) {
      size_t i = (size_t)(g.made * 7919 % g.symbols);
      Listing& s = the().symbols[i];
      MqlTick t = {};
      t.volume = ++g.numbers[i];
      t.bid = rounded(s.of("bid") + (double)(t.volume % 1000) * s.point, s.digits);
      t.ask = rounded(t.bid + 8 * s.point, s.digits);
      push_tick(s, t);
    }
    if (g.made >= g.count) console::say("generated", std::to_string(g.made));
  }
}

// ---------------------------------------------------------------- what a test commands
static Listing& listing(const Json& command) {
  Listing* s = the().symbol(mql::from_utf8(command["symbol"].text()).u16());
  if (!s) mql::fatal("no such symbol", command["symbol"].text().c_str());
  return *s;
}
static void tick_row(const std::vector<Json>& v) {
  Json named;
  named.set("symbol", v[0]);
  MqlTick t = {};
  t.time_msc = v[1].integer();
  t.bid = v[2].number(), t.ask = v[3].number(), t.last = v[4].number(), t.volume = (ulong)v[5].integer(),
  t.flags = (uint)v[6].integer();
  push_tick(listing(named), t);
}
static MqlTradeRequest request(const Json& c) {
  MqlTradeRequest q = {};
  q.action = (ENUM_TRADE_REQUEST_ACTIONS)c["action"].integer();
  q.magic = (ulong)c["magic"].integer(), q.order = (ulong)c["order"].integer(),
  q.position = (ulong)c["position"].integer(), q.position_by = (ulong)c["position_by"].integer();
  q.symbol = mql::from_utf8(c["symbol"].text()), q.comment = mql::from_utf8(c["comment"].text());
  q.volume = c["volume"].number(), q.price = c["price"].number(), q.stoplimit = c["stoplimit"].number(),
  q.sl = c["sl"].number(), q.tp = c["tp"].number();
  q.deviation = (ulong)c["deviation"].integer();
  q.type = (ENUM_ORDER_TYPE)c["type"].integer(),
  q.type_filling = (ENUM_ORDER_TYPE_FILLING)c["type_filling"].integer(),
  q.type_time = (ENUM_ORDER_TYPE_TIME)c["type_time"].integer();
  q.expiration = datetime(c["expiration"].integer());
  return q;
}
static Json result_of(const MqlTradeResult& r) {
  return Json{
      {"retcode", r.retcode}, {"deal", r.deal}, {"order", r.order}, {"volume", r.volume},
      {"price", r.price},     {"bid", r.bid},   {"ask", r.ask},     {"comment", mql::utf8(r.comment)}};
}
static Json result_of(const MqlTradeCheckResult& r) {
  return Json{{"retcode", r.retcode},
              {"balance", r.balance},
              {"equity", r.equity},
              {"profit", r.profit},
              {"margin", r.margin},
              {"margin_free", r.margin_free},
              {"margin_level", r.margin_level},
              {"comment", mql::utf8(r.comment)}};
}
static Json account() {
  double profit = account_profit(), used = account_margin(),
         equity = rounded(the().balance + the().credit + profit, 2);
  return Json{{"balance", the().balance}, {"profit", profit}, {"equity", equity}, {"margin", used}};
}
static void set_quirks(const Json& c) {
  Quirks& q = the().quirks;
  std::map<std::string, long*> all = {{"readable_one", &q.readable_one},
                                      {"read_whole", &q.read_whole},
                                      {"read_error", &q.read_error},
                                      {"stale", &q.stale},
                                      {"connect_ms", &q.connect_ms},
                                      {"blind", &q.blind},
                                      {"timer_refused", &q.timer_refused},
                                      {"send_partial", &q.send_partial},
                                      {"nodelay", &q.nodelay},
                                      {"send_buffer", &q.send_buffer},
                                      {"chart_policy", &q.chart_policy},
                                      {"order_ms", &q.order_ms},
                                      {"crash_before", &q.crash_before},
                                      {"crash_after", &q.crash_after},
                                      {"stall_ms", &q.stall_ms},
                                      {"deals_lag", &q.deals_lag},
                                      {"ticks_lag", &q.ticks_lag},
                                      {"ticks_part", &q.ticks_part},
                                      {"ticks_block_ms", &q.ticks_block_ms},
                                      {"rates_part", &q.rates_part},
                                      {"connect_refused", &q.connect_refused}};
  for (auto& [name, value] : c.object()) {
    if (name == "timer_ms") q.timer_ms = value.number();
    else if (all.count(name)) *all[name] = value.integer();
    else mql::fatal("no such quirk", name.c_str());
  }
}
static Json set_variables(const Json& c) {
  for (auto& [name, value] : c.object()) the().variables[mql::from_utf8(name).u16()] = value.number();
  Json all;
  for (auto& [name, value] : the().variables) all.set(mql::utf8(string(name)), value);
  return all;
}
static void set_switches(const Json& c) {
  World& w = the();
  std::map<std::string, bool*> all = {{"connected", &w.connected},
                                      {"autotrading", &w.autotrading},
                                      {"mql_trade_allowed", &w.mql_trade_allowed},
                                      {"trade_allowed", &w.trade_allowed},
                                      {"trade_expert", &w.trade_expert}};
  for (auto& [name, value] : c.object()) {
    if (!all.count(name)) mql::fatal("no such switch", name.c_str());
    *all[name] = value.flag();
  }
}
static Json obey_market(const std::string& what, const Json& c) {
  if (what == "tick") {
    MqlTick t = {};
    t.time_msc = c["msc"].integer(), t.bid = c["bid"].number(), t.ask = c["ask"].number(),
    t.volume = (ulong)c["volume"].integer();
    push_tick(listing(c), t);
  } else if (what == "market") {  // the market moves on, and the broker's clock with it
    long real = the().now_msc() - the().clock_offset_ms;
    the().clock_offset_ms = std::max(the().clock_offset_ms, c["now_msc"].integer() - real);
    for (auto& row : c["rows"].list()) tick_row(row.list());
  } else if (what == "ticks") {
    for (auto& row : c["rows"].list()) tick_row(row.list());
  } else if (what == "spec") {
    for (auto& [name, value] : c["info"].object()) listing(c).info.set(name, value);
  } else if (what == "sessions") {
    listing(c).sessions.clear();
    for (auto& x : c["rows"].list())
      listing(c).sessions.push_back(
          {(int)x.list()[0].integer(), x.list()[1].integer(), x.list()[2].integer()});
  } else if (what == "generate") {
    Generator& g = generator;
    g = Generator{};
    g.rate = c["rate"].integer(), g.count = c["count"].integer(),
    g.symbols = c["symbols"].integer((long)the().symbols.size());
    g.numbers.assign((size_t)g.symbols, 0);
  } else if (what == "clock") {
    the().clock_offset_ms = c["offset_ms"].integer();
    the().utc_offset_ms = c["utc_offset_ms"].integer(the().utc_offset_ms);
  } else {
    mql::fatal("no such command", what.c_str());
  }
  return Json();
}
static Json obey(const Json& c) {
  const std::string& what = c["do"].text();
  World& w = the();
  if (what == "send") return result_of(send(request(c["request"])));
  if (what == "check") return result_of(check(request(c["request"])));
  if (what == "account") return account();
  if (what == "books") return books();
  if (what == "stat")
    return Json{{"made", w.ticks_made},
                {"skipped", w.ticks_skipped},
                {"generated", generator.made},
                {"timers", w.timers},
                {"idle_timers", w.idle_timers}};
  if (what == "calls") {
    Json calls;
    for (auto& [name, count] : w.calls) calls.set(name, calls[name].integer() + count);
    return calls;
  }
  if (what == "quirks") return set_quirks(c["set"]), Json();
  if (what == "switches") return set_switches(c["set"]), Json();
  if (what == "variables") return set_variables(c["set"]);
  if (what == "deposit") return deposit(c["amount"].number(), c["comment"].text()), Json();
  if (what == "restart") restart();
  if (what == "login") {  // at another account of the same broker
    Json account_of = w.config["account"];
    return account_of.set("login", c["login"]), w.config.set("account", account_of), Json();
  }
  if (what == "reinit") return w.reinit = (int)c["reason"].integer(REASON_CHARTCHANGE), Json();
  if (what == "quit")
    return reason = (int)c["reason"].integer(REASON_REMOVE), w.quit = true, mql::stop_flag = true, Json();
  if (what == "script") {
    if (c["clear"].flag()) w.script = Script{};
    for (auto& one : c["refusals"].list()) w.script.refusals.push_back((int)one.integer());
    for (auto& one : c["volumes"].list()) w.script.volumes.push_back(one.number());
    return Json();
  }
  return obey_market(what, c);
}
static void take_commands() {
  for (;;) {
    pollfd p = {0, POLLIN, 0};
    if (poll(&p, 1, 1000) == 0) continue;
    Guard guard(the().lock);
    char buffer[65536];
    ssize_t n = read(0, buffer, sizeof buffer);
    if (n <= 0) {  // whoever started us is gone
      the().quit = true;
      mql::stop_flag = true;
      the().news.notify_all();
      return;
    }
    unread.append(buffer, (size_t)n);
    for (size_t end; (end = unread.find('\n')) != std::string::npos;) {
      Json command = Json::parse(unread.substr(0, end));
      unread.erase(0, end + 1);
      if (command["do"].text() == "restart" && !command["n"].is_null())
        console::say(Json{{"t", "done"}, {"n", command["n"]}});
      Json answer = obey(command);
      if (!command["n"].is_null()) console::say(Json{{"t", "done"}, {"n", command["n"]}, {"d", answer}});
      the().news.notify_all();
    }
  }
}

// ---------------------------------------------------------------- events
bool EventSetMillisecondTimer(int ms) {
  Guard guard(the().lock);
  if (the().quirks.timer_refused > 0 && the().quirks.timer_refused--) return false;
  timer_ms = ms;
  next_timer = Clock::now() + std::chrono::milliseconds(ms);
  return ms > 0;
}
bool EventSetTimer(int s) { return EventSetMillisecondTimer(1000 * s); }
void EventKillTimer() {
  Guard guard(the().lock);
  timer_ms = 0;
  timer_waits = false;
}
bool EventChartCustom(long, ushort id, long l, double d, const string& s) {
  Guard guard(the().lock);
  World& w = the();
  if (w.quirks.chart_policy == 2 && (w.chart_active >= 0 || !w.charts.empty())) return true;
  if (w.quirks.chart_policy == 1) {
    if (w.chart_active == id) return true;
    for (auto& c : w.charts)
      if (c.id == id) return true;
  }
  w.charts.push_back({id, l, d, s.u16()});
  w.news.notify_all();
  return true;
}
void ExpertRemove() {
  Guard guard(the().lock);
  mql::stop_flag = true;
  the().quit = true;
}
int UninitializeReason() { return reason; }

static void advance_timer() {
  double period = std::max((double)timer_ms, the().quirks.timer_ms);
  while (timer_ms > 0 && next_timer <= Clock::now())
    next_timer += std::chrono::microseconds((long)(period * 1000));
}
// Waits for the next event and returns what hands it to the EA; nothing when it is to end.
static std::function<void()> next_event(const mql::Handlers& h) {
  World& w = the();
  std::unique_lock<std::recursive_mutex> lock(w.lock);
  while (!w.quit && !mql::stop_flag) {
    if (timer_ms > 0 && Clock::now() >= next_timer) {
      timer_waits = true;
      advance_timer();
    }
    if (w.quirks.stall_ms > 0) {
      long ms = w.quirks.stall_ms;
      w.quirks.stall_ms = 0;
      return [ms] { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
    }
    if (w.reinit) {  // the EA begins again, with all its memory
      int why = w.reinit;
      w.reinit = 0;
      return [why, &h] {
        if (h.OnDeinit) h.OnDeinit(why);
        int rc = h.OnInit ? h.OnInit() : 0;
        console::say(Json{{"t", "init"}, {"rc", rc}});
      };
    }
    if (!w.transactions.empty()) {
      Transaction t = w.transactions.front();
      w.transactions.pop_front();
      return [t, &h] {
        if (h.OnTradeTransaction) h.OnTradeTransaction(t.transaction, t.request, t.result);
        if (h.OnTrade) h.OnTrade();
      };
    }
    if (w.tick_waits) {
      w.tick_waits = false;
      return [&h] {
        if (h.OnTick) h.OnTick();
      };
    }
    if (timer_waits) {
      timer_waits = false;
      return [&h] {
        long before = the().looks;
        if (h.OnTimer) h.OnTimer();
        Guard guard(the().lock);
        the().timers++;
        the().idle_timers += the().looks == before;
        advance_timer();  // one that fell due meanwhile is not queued
      };
    }
    if (!w.books.empty()) {
      string name(w.books.front());
      w.books.pop_front();
      return [name, &h] {
        if (h.OnBookEvent) h.OnBookEvent(name);
      };
    }
    if (!w.charts.empty()) {
      World::Chart c = w.charts.front();
      w.charts.pop_front();
      w.chart_active = c.id;
      return [c, &h] {
        if (h.OnChartEvent) h.OnChartEvent(CHARTEVENT_CUSTOM + c.id, c.l, c.d, string(c.s));
        Guard guard(the().lock);
        the().chart_active = -1;
      };
    }
    if (timer_ms > 0) w.news.wait_until(lock, next_timer);
    else w.news.wait_for(lock, std::chrono::seconds(1));
  }
  return nullptr;
}

// ---------------------------------------------------------------- start and end
static void set_inputs() {
  for (size_t i = 2; i < arguments.size(); i++) {
    size_t at = arguments[i].find('=');
    std::string name = arguments[i].substr(0, at);
    bool found = false;
    for (mql::InputBase* b = mql::InputBase::head(); b && at != std::string::npos; b = b->next) {
      if (name != b->name) continue;
      b->set(arguments[i].c_str() + at + 1);
      found = true;
    }
    if (!found) mql::fatal("the EA has no such input", name.c_str());
  }
}
static void set_up(const std::string& config_path) {
  World& w = the();
  std::ostringstream text;
  text << std::ifstream(config_path).rdbuf();
  w.config = Json::parse(text.str());
  w.files = w.config["files"].text();
  w.clock_offset_ms = w.config["clock_offset_ms"].integer();
  w.max_ticks = (size_t)w.config["max_ticks"].integer((long)w.max_ticks);
  mql::speed = w.config["speed"].number(1);
  mql::frozen = w.config["frozen"].flag();
  w.utc_offset_ms = w.config["utc_offset_ms"].integer(w.clock_offset_ms);
  w.next_order = (ulong)w.config["first_ticket"].integer(100000001);
  w.next_deal = (ulong)w.config["first_deal"].integer(200000001);
  set_up_symbols(w.config["symbols"]);
  set_quirks(w.config["quirks"]);
  set_switches(w.config["switches"]);
  set_variables(w.config["variables"]);
  if (!getenv("MQL_RESUMED")) {
    if (!w.config["books"].is_null()) take_books(w.config["books"]);
    if (w.config["deposit"].number() > 0) deposit(w.config["deposit"].number(), "Deposit");
    w.transactions.clear();
    return;
  }
  Json state = load_state(state_folder());
  unread = state["unread"].text();
  Generator& g = generator;
  g.rate = state["rate"].integer(), g.count = state["count"].integer(), g.made = state["made"].integer(),
  g.symbols = state["symbols"].integer();
  for (auto& n : state["numbers"].list()) g.numbers.push_back((ulong)n.integer());
}
int mql::run(const Handlers& h, bool is_mql4, int argc, char** argv) {
  for (int i = 0; i < argc; i++) arguments.push_back(argv[i]);
  if (argc < 2) {
    if (h.OnInit) return h.OnInit();
    if (h.OnStart) h.OnStart();
    return 0;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a full disk is an error and no death
  the().is_mql4 = is_mql4;
  set_up(argv[1]);
  set_inputs();
  feenableexcept(FE_DIVBYZERO | FE_INVALID);  // "zero divide" stops a program of MQL
  std::thread(take_commands).detach();
  std::thread(generate).detach();
  int rc = h.OnInit ? h.OnInit() : 0;
  console::say(Json{{"t", "init"}, {"rc", rc}});
  if (rc == 0)
    while (auto event = next_event(h)) event();
  mql::stop_flag = true;
  if (h.OnDeinit) h.OnDeinit(rc == 0 ? reason : REASON_INITFAILED);
  console::say(Json{{"t", "deinit"}});
  fflush(nullptr);
  _Exit(0);
}
