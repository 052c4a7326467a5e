// Symbols, ticks, bars and the order book.
#include <algorithm>
#include "world.hpp"

namespace world {
static const size_t kMaxBars = 100000;

World& the() {
  static World* w = new World;
  return *w;
}
Listing* World::symbol(const Name& name) {
  auto i = index.find(name);
  return i == index.end() ? nullptr : &symbols[i->second];
}
bool World::hedging() const { return is_mql4 || term("margin_mode", 2) == 2; }

int timeframe(long tf) {
  if (!the().is_mql4) return tf == 0 ? PERIOD_M1 : (int)tf;
  static const std::map<long, int> codes = {{0, 1},
                                            {1, 1},
                                            {5, 5},
                                            {15, 15},
                                            {30, 30},
                                            {60, PERIOD_H1},
                                            {240, PERIOD_H4},
                                            {1440, PERIOD_D1},
                                            {10080, PERIOD_W1},
                                            {43200, PERIOD_MN1}};
  auto i = codes.find(tf);
  return i == codes.end() ? 0 : i->second;
}
static bool is_timeframe(int tf) {
  static const int all[] = {1,     2,     3,     4,     5,     6,     10,    12,    15,    20,   30,
                            16385, 16386, 16387, 16388, 16390, 16392, 16396, 16408, 32769, 49153};
  return std::find(std::begin(all), std::end(all), tf) != std::end(all);
}
static long seconds(int tf) {
  return tf >= 0xC000 ? 2592000 : tf >= 0x8000 ? 604800 : tf >= 0x4000 ? (tf - 0x4000) * 3600L : tf * 60L;
}
static long bar_start(long t, int tf) {
  if (tf == PERIOD_W1) return t - (t / 86400 + 4) % 7 * 86400 - t % 86400;  // weeks begin on Sunday
  if (tf == PERIOD_MN1) {
    MqlDateTime d;
    TimeToStruct(datetime(t), d);
    d.day = 1, d.hour = d.min = d.sec = 0;
    return StructToTime(d).v;
  }
  return t - t % seconds(tf);
}
static MqlRates merged(const MqlRates& a, const MqlRates& b) {
  MqlRates r = a;
  r.high = std::max(a.high, b.high), r.low = std::min(a.low, b.low), r.close = b.close;
  r.tick_volume += b.tick_volume, r.real_volume += b.real_volume, r.spread = std::min(a.spread, b.spread);
  return r;
}
static std::vector<MqlRates>& bars_of(Listing& s, int tf) {
  auto i = s.bars.find(tf);
  if (i != s.bars.end()) return i->second;
  std::vector<MqlRates>& made = s.bars[tf];
  for (auto one : s.bars[PERIOD_M1]) {
    one.time = datetime(bar_start(one.time.v, tf));
    if (!made.empty() && made.back().time == one.time) made.back() = merged(made.back(), one);
    else made.push_back(one);
  }
  return made;
}
static void add_to_bars(Listing& s, const MqlTick& t) {
  double price = t.bid;
  if (price <= 0) return;
  s.bars[PERIOD_M1];
  for (auto& [tf, bars] : s.bars) {
    long start = bar_start(t.time.v, tf);
    int spread = (int)round((t.ask - t.bid) / s.point);
    if (bars.empty() || bars.back().time.v < start) {
      if (bars.size() >= kMaxBars) bars.erase(bars.begin(), bars.begin() + kMaxBars / 2);
      bars.push_back({datetime(start), price, price, price, price, 1, spread, 0});
      continue;
    }
    MqlRates& r = bars.back();
    r.high = std::max(r.high, price), r.low = std::min(r.low, price), r.close = price, r.tick_volume++;
    if (spread < r.spread) r.spread = spread;
  }
}

bool is_open(const Listing& s, long msc) {
  if (s.sessions.empty()) return true;
  long t = msc / 1000;
  int day = (int)((t / 86400 + 4) % 7);
  for (auto& one : s.sessions)
    if (one.day == day && t % 86400 >= one.from_s && t % 86400 < one.to_s) return true;
  return false;
}

void push_tick(Listing& s, MqlTick t) {
  World& w = the();
  if (t.time_msc == 0) t.time_msc = w.now_msc();
  if (t.time_msc < s.last.time_msc) t.time_msc = s.last.time_msc;  // history is in order
  t.time = datetime(t.time_msc / 1000);
  if (t.flags == 0) t.flags = TICK_FLAG_BID | TICK_FLAG_ASK;
  s.last = t;
  if (s.ticks.size() > w.max_ticks) s.ticks.erase(s.ticks.begin(), s.ticks.begin() + w.max_ticks / 2);
  s.ticks.push_back(t);
  w.ticks_made++;
  add_to_bars(s, t);
  on_tick(s);
  if (&s == &w.symbols[0]) {
    if (w.tick_waits) w.ticks_skipped++;  // the chart's next OnTick sees them all
    w.tick_waits = true;
    w.news.notify_all();
  }
  if (s.book_added && w.books.size() < 1024) {
    w.books.push_back(s.name);
    w.news.notify_all();
  }
}

static MqlTick tick_of(const Json& row) {
  auto& v = row.list();
  MqlTick t = {};
  t.time_msc = v[0].integer();
  t.time = datetime(t.time_msc / 1000);
  t.bid = v[1].number(), t.ask = v[2].number();
  if (v.size() > 3) t.last = v[3].number();
  if (v.size() > 4) t.volume = (ulong)v[4].integer();
  if (v.size() > 5) t.flags = (uint)v[5].integer();
  return t;
}
static void load_bars(Listing& s, const Json& all) {
  for (auto& [tf, rows] : all.object()) {
    auto& bars = s.bars[atoi(tf.c_str())];
    for (auto& row : rows.list()) {
      auto& v = row.list();
      bars.push_back({datetime(v[0].integer()), v[1].number(), v[2].number(), v[3].number(), v[4].number(),
                      v[5].integer(), (int)v[6].integer(), v[7].integer()});
    }
  }
}
void set_up_symbols(const Json& list) {
  World& w = the();
  for (auto& one : list.list()) {
    Listing s;
    s.info = one["info"];
    s.name = mql::from_utf8(s.info["name"].text()).u16();
    s.digits = (int)s.code("digits");
    s.point = s.of("point");
    s.tick_size = s.of("trade_tick_size") > 0 ? s.of("trade_tick_size") : s.point;
    s.selected = s.info["select"].flag(true);
    for (auto& x : one["sessions"].list())
      s.sessions.push_back({(int)x.list()[0].integer(), x.list()[1].integer(), x.list()[2].integer()});
    load_bars(s, one["bars"]);
    for (auto& row : one["ticks"].list()) s.ticks.push_back(tick_of(row));
    if (!s.ticks.empty()) s.last = s.ticks.back();
    w.index[s.name] = w.symbols.size();
    w.symbols.push_back(std::move(s));
  }
}
}  // namespace world

using namespace world;
typedef world::ApiGuard Guard;

static Listing* selected(const string& name) {
  Listing* s = the().symbol(name.u16());
  if (!s) mql::last_error = ERR_MARKET_UNKNOWN_SYMBOL;
  else if (!s->selected) mql::last_error = ERR_MARKET_NOT_SELECTED;
  return s && s->selected ? s : nullptr;
}
static Listing* named(const string& name) {
  Listing* s = the().symbol(name.u16());
  if (!s) mql::last_error = ERR_MARKET_UNKNOWN_SYMBOL;
  return s;
}
// whose properties can be read
static Listing* seen(const string& name) { return the().quirks.blind ? selected(name) : named(name); }

string Symbol() { return string(the().symbols[0].name); }
ENUM_TIMEFRAMES Period() { return PERIOD_M1; }
int Digits() { return the().symbols[0].digits; }
double Point() { return the().symbols[0].point; }
int SymbolsTotal(bool only_selected) {
  Guard guard(the().lock);
  int n = 0;
  for (auto& s : the().symbols) n += !only_selected || s.selected;
  return n;
}
string SymbolName(int i, bool only_selected) {
  Guard guard(the().lock);
  for (auto& s : the().symbols)
    if ((!only_selected || s.selected) && i-- == 0) return string(s.name);
  return string(u"");
}
bool SymbolSelect(const string& name, bool on) {
  Guard guard(the().lock);
  Listing* s = named(name);
  if (!s) return false;
  if (!on) {  // not while it is in use
    for (auto& p : the().positions)
      if (p.symbol == s->name) return false;
    for (auto& o : the().orders)
      if (o.symbol == s->name) return false;
  }
  if (s->selected != on) console::say(Json{{"t", "select"}, {"symbol", mql::utf8(name)}, {"on", on}});
  s->selected = on;
  return true;
}
bool SymbolExist(const string& name, bool& custom) {
  Guard guard(the().lock);
  custom = false;
  return the().symbol(name.u16()) != nullptr;
}
bool SymbolIsSynchronized(const string& name) { return the().symbol(name.u16()) != nullptr; }

// The member of SymbolInfo that a property has: SYMBOL_TRADE_MODE is "trade_mode"
static std::string member(const char* property, size_t prefix) {
  std::string name = property + prefix;
  for (auto& c : name) c = (char)tolower(c);
  for (const char* greek :
       {"price_delta", "price_theta", "price_gamma", "price_vega", "price_rho", "price_omega"})
    if (name == greek) name.insert(6, "greeks_");
  return name;
}
static std::vector<std::string> members(std::initializer_list<const char*> properties) {
  std::vector<std::string> names;
  for (auto* p : properties) names.push_back(member(p, 7));
  return names;
}
bool SymbolInfoDouble(const string& name, ENUM_SYMBOL_INFO_DOUBLE p, double& v) {
  static const auto names = members({SYMBOL_DOUBLES(MQL_NAME)});
  Guard guard(the().lock);
  Listing* s = seen(name);
  v = 0;
  if (!s) return false;
  switch (p) {
    case SYMBOL_BID: v = s->last.bid; break;
    case SYMBOL_ASK: v = s->last.ask; break;
    case SYMBOL_LAST: v = s->last.last; break;
    case SYMBOL_TRADE_TICK_VALUE:
    case SYMBOL_TRADE_TICK_VALUE_PROFIT: v = world::tick_value(*s, false); break;
    case SYMBOL_TRADE_TICK_VALUE_LOSS: v = world::tick_value(*s, true); break;
    default: v = s->info[names[p]].number();
  }
  return true;
}
bool SymbolInfoInteger(const string& name, ENUM_SYMBOL_INFO_INTEGER p, long& v) {
  static const auto names = members({SYMBOL_INTEGERS(MQL_NAME)});
  Guard guard(the().lock);
  Listing* s = seen(name);
  v = 0;
  if (p == SYMBOL_EXIST) return v = named(name) != nullptr, true;
  if (!s) return false;
  switch (p) {
    case SYMBOL_SELECT:
    case SYMBOL_VISIBLE: v = s->selected; break;
    case SYMBOL_TIME: v = s->last.time.v; break;
    case SYMBOL_TIME_MSC: v = s->last.time_msc; break;
    case SYMBOL_SPREAD: v = (long)round((s->last.ask - s->last.bid) / s->point); break;
    default: v = s->info[names[p]].integer();
  }
  return true;
}
bool SymbolInfoString(const string& name, ENUM_SYMBOL_INFO_STRING p, string& v) {
  static const auto names = members({SYMBOL_STRINGS(MQL_NAME)});
  Guard guard(the().lock);
  Listing* s = seen(name);
  v = s ? mql::from_utf8(s->info[names[p]].text()) : string(u"");
  return s != nullptr;
}
double SymbolInfoDouble(const string& s, ENUM_SYMBOL_INFO_DOUBLE p) {
  double v;
  SymbolInfoDouble(s, p, v);
  return v;
}
long SymbolInfoInteger(const string& s, ENUM_SYMBOL_INFO_INTEGER p) {
  long v;
  SymbolInfoInteger(s, p, v);
  return v;
}
string SymbolInfoString(const string& s, ENUM_SYMBOL_INFO_STRING p) {
  string v;
  SymbolInfoString(s, p, v);
  return v;
}

bool SymbolInfoTick(const string& name, MqlTick& t) {
  Guard guard(the().lock);
  Listing* s = selected(name);
  if (!s || s->last.time_msc == 0) return false;
  t = s->last;
  return true;
}
bool SymbolInfoSessionTrade(const string& name, ENUM_DAY_OF_WEEK day, uint index, datetime& from,
                            datetime& to) {
  Guard guard(the().lock);
  Listing* s = seen(name);
  if (!s) return false;
  if (s->sessions.empty()) {  // always
    from = datetime(0), to = datetime(86400);
    return index == 0;
  }
  for (auto& one : s->sessions) {
    if (one.day != day || index-- != 0) continue;
    from = datetime(one.from_s), to = datetime(one.to_s);
    return true;
  }
  return false;
}
bool SymbolInfoSessionQuote(const string& name, ENUM_DAY_OF_WEEK day, uint index, datetime& from,
                            datetime& to) {
  return SymbolInfoSessionTrade(name, day, index, from, to);
}
bool SymbolInfoMarginRate(const string& name, ENUM_ORDER_TYPE, double& initial, double& maintenance) {
  initial = maintenance = 1;
  return seen(name) != nullptr;
}

// ---------------------------------------------------------------- clocks
datetime TimeGMT() {
  Guard guard(the().lock);
  if (mql::frozen) return datetime(1764000000);
  return datetime((the().now_msc() - the().utc_offset_ms) / 1000);
}
datetime TimeLocal() { return TimeGMT(); }
datetime TimeCurrent() {
  Guard guard(the().lock);
  long newest = 0;
  for (auto& s : the().symbols)
    if (s.selected) newest = std::max(newest, s.last.time_msc);
  return datetime(newest / 1000);
}
datetime TimeCurrent(MqlDateTime& o) {
  TimeToStruct(TimeCurrent(), o);
  return TimeCurrent();
}
datetime TimeTradeServer() {
  Guard guard(the().lock);
  return datetime(the().now_msc() / 1000);
}
datetime TimeTradeServer(MqlDateTime& o) {
  TimeToStruct(TimeTradeServer(), o);
  return TimeTradeServer();
}

// ---------------------------------------------------------------- ticks
static bool wanted(const MqlTick& t, uint flags) {
  if (flags == (uint)COPY_TICKS_ALL) return true;
  uint mask = (flags & COPY_TICKS_INFO ? TICK_FLAG_BID | TICK_FLAG_ASK : 0) |
              (flags & COPY_TICKS_TRADE ? TICK_FLAG_LAST | TICK_FLAG_VOLUME : 0);
  return (t.flags & mask) != 0;
}
static size_t first_at(const std::vector<MqlTick>& v, ulong from) {
  return (size_t)(std::lower_bound(v.begin(), v.end(), (long)from,
                                   [](const MqlTick& t, long msc) { return t.time_msc < msc; }) -
                  v.begin());
}
static int given(mql::Array<MqlTick>& out, const std::vector<MqlTick>& found) {
  int n = (int)found.size();
  if (out.size() != n) out.resize(n);
  if (out.size() < n) n = out.size();
  if (n > 0) memcpy((void*)out.data(), found.data(), sizeof(MqlTick) * (size_t)n);
  return n;
}
static void wait_for_ticks() {
  long wait_ms;
  {
    std::lock_guard<std::recursive_mutex> guard(the().lock);
    wait_ms = the().quirks.ticks_block_ms;
    the().quirks.ticks_block_ms = 0;
  }
  if (wait_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
}
int CopyTicks(const string& name, mql::Array<MqlTick>& out, uint flags, ulong from, uint count) {
  wait_for_ticks();  // the EA is blocked meanwhile
  Guard guard(the().lock);
  Listing* s = selected(name);
  if (!s) return -1;
  if (the().quirks.ticks_lag > 0) {
    the().quirks.ticks_lag--;
    mql::last_error = ERR_HISTORY_NOT_FOUND;
    return -1;
  }
  if (count == 0) count = from == 0 ? 2000 : UINT_MAX;
  std::vector<MqlTick> found;
  if (from == 0) {
    for (size_t i = s->ticks.size(); i-- > 0 && found.size() < count;)
      if (wanted(s->ticks[i], flags)) found.push_back(s->ticks[i]);
    std::reverse(found.begin(), found.end());
  } else {
    for (size_t i = first_at(s->ticks, from); i < s->ticks.size() && found.size() < count; i++)
      if (wanted(s->ticks[i], flags)) found.push_back(s->ticks[i]);
  }
  if (the().quirks.ticks_part > 0) {
    the().quirks.ticks_part--;
    found.erase(found.begin(), found.begin() + (long)found.size() / 2);
    mql::last_error = ERR_HISTORY_TIMEOUT;
  }
  return given(out, found);
}
int CopyTicksRange(const string& name, mql::Array<MqlTick>& out, uint flags, ulong from, ulong to) {
  Guard guard(the().lock);
  Listing* s = selected(name);
  if (!s) return -1;
  std::vector<MqlTick> found;
  for (size_t i = first_at(s->ticks, from);
       i < s->ticks.size() && (to == 0 || s->ticks[i].time_msc <= (long)to); i++)
    if (wanted(s->ticks[i], flags)) found.push_back(s->ticks[i]);
  return given(out, found);
}

// ---------------------------------------------------------------- bars
static std::vector<MqlRates>* rates(const string& name, long tf) {
  Listing* s = selected(name);
  int code = timeframe(tf);
  if (s && is_timeframe(code)) return &bars_of(*s, code);
  if (s) mql::last_error = ERR_INVALID_PARAMETER;
  return nullptr;
}
// How many of the oldest bars the terminal does not have: it keeps no more than its limit, and knows
// half of them while it loads.
static long unknown_bars(const std::vector<MqlRates>& all) {
  long known = std::min((long)all.size(), the().config["terminal"]["maxbars"].integer(kMaxBars));
  if (the().quirks.rates_part > 0) known = std::min(known, ((long)all.size() + 1) / 2);
  return (long)all.size() - known;
}
static int given(mql::Array<MqlRates>& out, const std::vector<MqlRates>& all, long first, long end) {
  first = std::max(first, unknown_bars(all));
  if (the().quirks.rates_part > 0) {
    the().quirks.rates_part--;
    if (the().is_mql4) mql::last_error = 4066;  // ERR_HISTORY_WILL_UPDATED
  }
  end = std::min(end, (long)all.size());
  int n = (int)(end - first);
  if (n <= 0) {
    mql::last_error = ERR_HISTORY_NOT_FOUND;
    return -1;
  }
  if (out.size() != n) out.resize(n);
  if (out.size() < n) n = out.size();
  memcpy((void*)out.data(), &all[(size_t)first], sizeof(MqlRates) * (size_t)n);
  return n;
}
static long opened_by(const std::vector<MqlRates>& all, long t) {  // how many bars
  return std::upper_bound(all.begin(), all.end(), t, [](long x, const MqlRates& r) { return x < r.time.v; }) -
         all.begin();
}
int CopyRates(const string& name, ENUM_TIMEFRAMES tf, int start, int count, mql::Array<MqlRates>& out) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  if (!all) return -1;
  if (start + (long)count > the().config["terminal"]["maxbars"].integer(kMaxBars)) {
    mql::last_error = ERR_HISTORY_NOT_FOUND;
    return -1;
  }
  long end = (long)all->size() - start;
  return given(out, *all, end - count, end);
}
int CopyRates(const string& name, ENUM_TIMEFRAMES tf, datetime to, int count, mql::Array<MqlRates>& out) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  if (!all) return -1;
  long end = opened_by(*all, to.v);
  return given(out, *all, end - count, end);
}
int CopyRates(const string& name, ENUM_TIMEFRAMES tf, datetime from, datetime to, mql::Array<MqlRates>& out) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  if (!all) return -1;
  if (from > to) std::swap(from, to);
  long first = opened_by(*all, from.v - 1), end = opened_by(*all, to.v);
  if (first == end && end > 0)
    return out.resize(0);  // a gap, as at a weekend; before the first bar it is an error
  return given(out, *all, first, end);
}
int Bars(const string& name, ENUM_TIMEFRAMES tf) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  return all ? (int)((long)all->size() - unknown_bars(*all)) : 0;
}
int Bars(const string& name, ENUM_TIMEFRAMES tf, datetime from, datetime to) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  return all ? (int)(opened_by(*all, to.v) - opened_by(*all, from.v - 1)) : 0;
}
int iBars(const string& name, ENUM_TIMEFRAMES tf) { return Bars(name, tf); }
static MqlRates bar_at(const string& name, ENUM_TIMEFRAMES tf, int shift) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  MqlRates none = {};
  return all && shift >= 0 && (size_t)shift < all->size() ? (*all)[all->size() - 1 - (size_t)shift] : none;
}
int iBarShift(const string& name, ENUM_TIMEFRAMES tf, datetime t, bool exact) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  if (!all) return -1;
  long n = opened_by(*all, t.v);
  if (n == 0 || (exact && (*all)[(size_t)n - 1].time.v + seconds(timeframe(tf)) <= t.v)) return -1;
  return (int)((long)all->size() - n);
}
datetime iTime(const string& s, ENUM_TIMEFRAMES tf, int i) { return bar_at(s, tf, i).time; }
double iOpen(const string& s, ENUM_TIMEFRAMES tf, int i) { return bar_at(s, tf, i).open; }
double iHigh(const string& s, ENUM_TIMEFRAMES tf, int i) { return bar_at(s, tf, i).high; }
double iLow(const string& s, ENUM_TIMEFRAMES tf, int i) { return bar_at(s, tf, i).low; }
double iClose(const string& s, ENUM_TIMEFRAMES tf, int i) { return bar_at(s, tf, i).close; }
long iVolume(const string& s, ENUM_TIMEFRAMES tf, int i) { return bar_at(s, tf, i).tick_volume; }
int PeriodSeconds(ENUM_TIMEFRAMES tf) { return (int)seconds(timeframe(tf)); }
long SeriesInfoInteger(const string& name, ENUM_TIMEFRAMES tf, ENUM_SERIES_INFO_INTEGER p) {
  Guard guard(the().lock);
  auto* all = rates(name, tf);
  if (!all) return 0;
  switch (p) {
    case SERIES_BARS_COUNT: return (long)all->size() - unknown_bars(*all);
    case SERIES_LASTBAR_DATE: return all->empty() ? 0 : all->back().time.v;
    case SERIES_SYNCHRONIZED: return the().quirks.rates_part == 0;
    case SERIES_FIRSTDATE: return all->empty() ? 0 : (*all)[(size_t)unknown_bars(*all)].time.v;
    default: return all->empty() ? 0 : all->front().time.v;
  }
}

// ---------------------------------------------------------------- the order book
bool MarketBookAdd(const string& name) {
  Guard guard(the().lock);
  Listing* s = selected(name);
  if (!s || s->code("ticks_bookdepth") == 0) {
    if (s) mql::last_error = ERR_BOOKS_CANNOT_ADD;
    return false;
  }
  return s->book_added = true;
}
bool MarketBookRelease(const string& name) {
  Guard guard(the().lock);
  Listing* s = named(name);
  if (!s || !s->book_added) {
    mql::last_error = ERR_BOOKS_CANNOT_DELETE;
    return false;
  }
  s->book_added = false;
  return true;
}
bool MarketBookGet(const string& name, mql::Array<MqlBookInfo>& out) {
  Guard guard(the().lock);
  Listing* s = named(name);
  if (!s || !s->book_added) {
    mql::last_error = ERR_BOOKS_CANNOT_GET;
    return false;
  }
  int depth = (int)s->code("ticks_bookdepth");
  bool quoted = s->last.bid > 0 && s->last.ask > 0;
  out.resize(quoted ? 2 * depth : 0);
  for (int i = 0; quoted && i < depth; i++) {  // the dearest offer first, the cheapest bid last
    int up = depth - 1 - i;
    out[i] = {BOOK_TYPE_SELL, rounded(s->last.ask + up * s->point, s->digits), 10 + up, 10.0 + up};
    out[depth + i] = {BOOK_TYPE_BUY, rounded(s->last.bid - i * s->point, s->digits), 10 + i, 10.0 + i};
  }
  return true;
}
