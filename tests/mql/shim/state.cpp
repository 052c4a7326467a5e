// What outlives a terminal that dies: the broker's books, and the ticks that its server has.
#include <sys/stat.h>
#include <fstream>
#include <sstream>
#include "state.hpp"

namespace world {
namespace {
Json text(const Name& n) { return mql::utf8(string(n)); }
Name name(const Json& j) { return mql::from_utf8(j.text()).u16(); }

// One list of members serves both ways.
struct Writer {
  Json out;
  void operator()(const char* key, ulong& v) { out.set(key, v); }
  void operator()(const char* key, int& v) { out.set(key, v); }
  void operator()(const char* key, long& v) { out.set(key, v); }
  void operator()(const char* key, double& v) { out.set(key, v); }
  void operator()(const char* key, Name& v) { out.set(key, text(v)); }
};
struct Reader {
  const Json& in;
  void operator()(const char* key, ulong& v) { v = (ulong)in[key].integer(); }
  void operator()(const char* key, int& v) { v = (int)in[key].integer(); }
  void operator()(const char* key, long& v) { v = in[key].integer(); }
  void operator()(const char* key, double& v) { v = in[key].number(); }
  void operator()(const char* key, Name& v) { v = name(in[key]); }
};
template <class V>
void visit(V& v, Order& o) {
  v("ticket", o.ticket), v("magic", o.magic), v("position_id", o.position_id),
      v("position_by_id", o.position_by_id), v("symbol", o.symbol), v("comment", o.comment);
  v("type", o.type), v("state", o.state), v("type_filling", o.filling), v("type_time", o.type_time),
      v("reason", o.reason);
  v("time_setup_msc", o.setup_msc), v("time_done_msc", o.done_msc), v("time_expiration", o.expiration);
  v("volume_initial", o.volume_initial), v("volume_current", o.volume), v("price_open", o.price_open),
      v("sl", o.sl), v("tp", o.tp), v("price_current", o.price_current), v("price_stoplimit", o.stoplimit);
  v("profit", o.profit), v("swap", o.swap), v("commission", o.commission);
}
template <class V>
void visit(V& v, Position& p) {
  v("ticket", p.ticket), v("magic", p.magic), v("identifier", p.identifier), v("symbol", p.symbol),
      v("comment", p.comment), v("type", p.type), v("reason", p.reason);
  v("time_msc", p.time_msc), v("time_update_msc", p.update_msc), v("volume", p.volume),
      v("price_open", p.price_open), v("sl", p.sl), v("tp", p.tp);
  v("swap", p.swap), v("commission", p.commission), v("margin_rate", p.margin_rate);
}
template <class V>
void visit(V& v, Deal& d) {
  v("ticket", d.ticket), v("order", d.order), v("magic", d.magic), v("position_id", d.position_id),
      v("symbol", d.symbol), v("comment", d.comment);
  v("type", d.type), v("entry", d.entry), v("reason", d.reason), v("time_msc", d.time_msc);
  v("volume", d.volume), v("price", d.price), v("commission", d.commission), v("swap", d.swap),
      v("profit", d.profit), v("fee", d.fee);
}
template <class T>
Json written(std::vector<T> all) {
  Json list(std::vector<Json>{});
  for (auto& one : all) {
    Writer w;
    visit(w, one);
    list.push(w.out);
  }
  return list;
}
template <class T>
std::vector<T> read(const Json& list) {
  std::vector<T> all;
  for (auto& one : list.list()) {
    T t;
    Reader r{one};
    visit(r, t);
    all.push_back(t);
  }
  return all;
}
}  // namespace

Json books() {
  World& w = the();
  Json out;
  out.set("positions", written(w.positions))
      .set("orders", written(w.orders))
      .set("past", written(w.past))
      .set("deals", written(w.deals));
  out.set("balance", w.balance)
      .set("credit", w.credit)
      .set("next_order", w.next_order)
      .set("next_deal", w.next_deal)
      .set("requests", w.requests);
  return out;
}
void take_books(const Json& in) {
  World& w = the();
  w.positions = read<Position>(in["positions"]), w.orders = read<Order>(in["orders"]),
  w.past = read<Order>(in["past"]), w.deals = read<Deal>(in["deals"]);
  for (auto& p : w.positions)
    if (p.margin_rate == 0) p.margin_rate = margin_rate_of(p);
  w.balance = in["balance"].number(), w.credit = in["credit"].number();
  w.next_order = (ulong)in["next_order"].integer(), w.next_deal = (ulong)in["next_deal"].integer(),
  w.requests = (uint)in["requests"].integer();
}

void save_state(const std::string& folder, const Json& more) {
  World& w = the();
  mkdir(folder.c_str(), 0777);
  Json state = more;
  state.set("books", books()).set("clock_offset_ms", w.clock_offset_ms).set("ticks_made", w.ticks_made);
  state.set("connected", w.connected)
      .set("autotrading", w.autotrading)
      .set("trade_allowed", w.trade_allowed)
      .set("trade_expert", w.trade_expert);
  Json specs;
  for (auto& s : w.symbols) specs.set(mql::utf8(string(s.name)), s.info);
  state.set("specs", specs);
  std::ofstream(folder + "/state.json") << state.str();
  FILE* f = fopen((folder + "/ticks.bin").c_str(), "wb");
  for (auto& s : w.symbols) {
    ulong n = s.ticks.size();
    fwrite(&n, sizeof n, 1, f);
    fwrite(s.ticks.data(), sizeof(MqlTick), n, f);
  }
  fclose(f);
}
Json load_state(const std::string& folder) {
  World& w = the();
  std::ostringstream text;
  text << std::ifstream(folder + "/state.json").rdbuf();
  Json state = Json::parse(text.str());
  take_books(state["books"]);
  w.clock_offset_ms = state["clock_offset_ms"].integer();
  w.ticks_made = state["ticks_made"].integer();
  w.connected = state["connected"].flag(), w.autotrading = state["autotrading"].flag();
  w.trade_allowed = state["trade_allowed"].flag(), w.trade_expert = state["trade_expert"].flag();
  FILE* f = fopen((folder + "/ticks.bin").c_str(), "rb");
  for (auto& s : w.symbols) {
    ulong n = 0;
    if (fread(&n, sizeof n, 1, f) != 1) mql::fatal("the saved ticks are torn");
    s.ticks.resize(n);
    if (fread((void*)s.ticks.data(), sizeof(MqlTick), n, f) != n) mql::fatal("the saved ticks are torn");
    if (n) s.last = s.ticks.back();
    s.info = state["specs"][mql::utf8(string(s.name))];
  }
  fclose(f);
  return state;
}
}  // namespace world
