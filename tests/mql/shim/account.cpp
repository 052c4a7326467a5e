// The account, the terminal, its switches and its variables.
#include <unistd.h>
#include "world.hpp"

using namespace world;
typedef world::ApiGuard Guard;

static std::string member(const char* property, size_t prefix) {
  std::string name = property + prefix;
  for (auto& c : name) c = (char)tolower(c);
  return name;
}
static const Json& in(const char* section, const char* property) {
  return the().config[section][member(property, strlen(section) + 1)];
}

double AccountInfoDouble(ENUM_ACCOUNT_INFO_DOUBLE p) {
  static const char* names[] = {ACCOUNT_DOUBLES(MQL_NAME)};
  Guard guard(the().lock);
  World& w = the();
  double profit = account_profit(), used = account_margin(),
         equity = rounded(w.balance + w.credit + profit, 2);
  switch (p) {
    case ACCOUNT_BALANCE: return w.balance;
    case ACCOUNT_CREDIT: return w.credit;
    case ACCOUNT_PROFIT: return profit;
    case ACCOUNT_EQUITY: return equity;
    case ACCOUNT_MARGIN: return used;
    case ACCOUNT_MARGIN_FREE: return rounded(equity - used, 2);
    case ACCOUNT_MARGIN_LEVEL: return used > 0 ? equity / used * 100 : 0;
    default: return in("account", names[p]).number();
  }
}
long AccountInfoInteger(ENUM_ACCOUNT_INFO_INTEGER p) {
  static const char* names[] = {ACCOUNT_INTEGERS(MQL_NAME)};
  Guard guard(the().lock);
  switch (p) {
    case ACCOUNT_TRADE_ALLOWED: return the().trade_allowed;
    case ACCOUNT_TRADE_EXPERT: return the().trade_expert;
    case ACCOUNT_HEDGE_ALLOWED: return the().hedging();
    default: return in("account", names[p]).integer();
  }
}
string AccountInfoString(ENUM_ACCOUNT_INFO_STRING p) {
  static const char* names[] = {ACCOUNT_STRINGS(MQL_NAME)};
  Guard guard(the().lock);
  return mql::from_utf8(in("account", names[p]).text());
}
long TerminalInfoInteger(ENUM_TERMINAL_INFO_INTEGER p) {
  static const char* names[] = {TERMINAL_INTEGERS(MQL_NAME)};
  Guard guard(the().lock);
  switch (p) {
    case TERMINAL_CONNECTED: return the().connected;
    case TERMINAL_TRADE_ALLOWED: return the().autotrading;
    case TERMINAL_X64: return !the().is_mql4;
    case TERMINAL_MEMORY_USED: return 64;
    default: return in("terminal", names[p]).integer();
  }
}
double TerminalInfoDouble(ENUM_TERMINAL_INFO_DOUBLE p) {
  static const char* names[] = {TERMINAL_DOUBLES(MQL_NAME)};
  Guard guard(the().lock);
  return in("terminal", names[p]).number();
}
string TerminalInfoString(ENUM_TERMINAL_INFO_STRING p) {
  static const char* names[] = {TERMINAL_STRINGS(MQL_NAME)};
  Guard guard(the().lock);
  return mql::from_utf8(in("terminal", names[p]).text());
}
long MQLInfoInteger(ENUM_MQL_INFO_INTEGER p) {
  Guard guard(the().lock);
  switch (p) {
    case MQL_TRADE_ALLOWED: return the().mql_trade_allowed && the().autotrading;
    case MQL_DLLS_ALLOWED: return the().config["terminal"]["dlls_allowed"].flag(the().is_mql4);
    case MQL_PROGRAM_TYPE: return PROGRAM_EXPERT;
    case MQL_MEMORY_USED: return 1;
    case MQL_MEMORY_LIMIT: return 1024;
    default: return 0;
  }
}
string MQLInfoString(ENUM_MQL_INFO_STRING p) {
  return string(p == MQL_PROGRAM_NAME ? u"TerminalGateway" : u"Experts\\TerminalGateway");
}
long ChartID() { return 1; }
bool ChartRedraw(long) { return true; }
int MessageBox(const string& text, const string& caption, int) {
  mql::print_line("box", caption + string(u": ") + text);
  return IDNO;
}
bool SendNotification(const string& text) {
  mql::print_line("notification", text);
  return true;
}
bool PlaySound(const string&) { return true; }

static std::map<Name, double>& variables() { return the().variables; }
bool GlobalVariableCheck(const string& name) {
  Guard guard(the().lock);
  return variables().count(name.u16()) > 0;
}
double GlobalVariableGet(const string& name) {
  Guard guard(the().lock);
  return GlobalVariableCheck(name) ? variables()[name.u16()] : 0;
}
datetime GlobalVariableSet(const string& name, double v) {
  Guard guard(the().lock);
  variables()[name.u16()] = v;
  return TimeLocal();
}
bool GlobalVariableDel(const string& name) {
  Guard guard(the().lock);
  return variables().erase(name.u16()) > 0;
}
bool GlobalVariableTemp(const string& name) {
  Guard guard(the().lock);
  return variables().emplace(name.u16(), 0.0).second;
}
bool GlobalVariableSetOnCondition(const string& name, double v, double is) {
  Guard guard(the().lock);
  auto i = variables().find(name.u16());
  if (i == variables().end() || i->second != is) return false;
  i->second = v;
  return true;
}
void GlobalVariablesFlush() {}
