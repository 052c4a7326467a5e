// What MQL4 alone has: one pool of orders, the account's old functions, and the imported ws2_32.dll.
#pragma once
#pragma GCC system_header
#define __MQL4__ 1
#define __MQLBUILD__ 1440
#include "terminal_api.hpp"

enum { OP_BUY, OP_SELL, OP_BUYLIMIT, OP_SELLLIMIT, OP_BUYSTOP, OP_SELLSTOP };
enum { SELECT_BY_POS = 0, SELECT_BY_TICKET = 1, MODE_TRADES = 0, MODE_HISTORY = 1 };
enum {
  MODE_LOW = 1,
  MODE_HIGH = 2,
  MODE_TIME = 5,
  MODE_BID = 9,
  MODE_ASK = 10,
  MODE_POINT = 11,
  MODE_DIGITS = 12,
  MODE_SPREAD = 13,
  MODE_STOPLEVEL = 14,
  MODE_LOTSIZE = 15,
  MODE_TICKVALUE = 16,
  MODE_TICKSIZE = 17,
  MODE_SWAPLONG = 18,
  MODE_SWAPSHORT = 19,
  MODE_TRADEALLOWED = 22,
  MODE_MINLOT = 23,
  MODE_LOTSTEP = 24,
  MODE_MAXLOT = 25,
  MODE_SWAPTYPE = 26,
  MODE_PROFITCALCMODE = 27,
  MODE_MARGINCALCMODE = 28,
  MODE_MARGININIT = 29,
  MODE_MARGINMAINTENANCE = 30,
  MODE_MARGINHEDGED = 31,
  MODE_MARGINREQUIRED = 32,
  MODE_FREEZELEVEL = 33
};
enum {
  ERR_NO_ERROR = 0,
  ERR_NO_RESULT = 1,
  ERR_COMMON_ERROR = 2,
  ERR_INVALID_TRADE_PARAMETERS = 3,
  ERR_SERVER_BUSY = 4,
  ERR_NO_CONNECTION = 6,
  ERR_TOO_FREQUENT_REQUESTS = 8,
  ERR_ACCOUNT_DISABLED = 64,
  ERR_TRADE_TIMEOUT = 128,
  ERR_INVALID_PRICE = 129,
  ERR_INVALID_STOPS = 130,
  ERR_INVALID_TRADE_VOLUME = 131,
  ERR_MARKET_CLOSED = 132,
  ERR_NOT_ENOUGH_MONEY = 134,
  ERR_PRICE_CHANGED = 135,
  ERR_OFF_QUOTES = 136,
  ERR_BROKER_BUSY = 137,
  ERR_REQUOTE = 138,
  ERR_ORDER_LOCKED = 139,
  ERR_LONG_POSITIONS_ONLY_ALLOWED = 140,
  ERR_TOO_MANY_REQUESTS = 141,
  ERR_TRADE_MODIFY_DENIED = 145,
  ERR_TRADE_CONTEXT_BUSY = 146,
  ERR_TRADE_EXPIRATION_DENIED = 147,
  ERR_TRADE_TOO_MANY_ORDERS = 148,
  ERR_TRADE_HEDGE_PROHIBITED = 149,
  ERR_TRADE_PROHIBITED_BY_FIFO = 150,
  ERR_INVALID_FUNCTION_PARAMVALUE = 4051,
  ERR_UNKNOWN_SYMBOL = 4106,
  ERR_INVALID_PRICE_PARAM = 4107,
  ERR_INVALID_TICKET = 4108,
  ERR_TRADE_NOT_ALLOWED = 4109,
  ERR_LONGS_NOT_ALLOWED = 4110,
  ERR_SHORTS_NOT_ALLOWED = 4111,
  ERR_TRADE_EXPERT_DISABLED_BY_SERVER = 4112
};
#ifndef MQL_SIMULATION
enum { ERR_TRADE_DISABLED = 133 };
#endif
const color clrNONE = (color)-1;

namespace mql4 {
extern double Bid, Ask;
int AccountNumber();
double AccountBalance();
double AccountCredit();
double AccountEquity();
double AccountMargin();
double AccountFreeMargin();
double AccountFreeMarginCheck(const string& s, int cmd, double volume);
double AccountProfit();
int AccountLeverage();
int AccountStopoutLevel();
int AccountStopoutMode();
string AccountCurrency();
string AccountName();
string AccountServer();
string AccountCompany();
bool IsConnected();
bool IsDemo();
bool IsDllsAllowed();
bool IsExpertEnabled();
bool IsTradeAllowed();
bool IsTradeContextBusy();
bool IsTesting();
int TerminalBuild();
string TerminalName();
string TerminalCompany();
string TerminalPath();
bool RefreshRates();
double MarketInfo(const string& s, int mode);
int OrdersTotal();
int OrdersHistoryTotal();
[[nodiscard]] bool OrderSelect(int index, int select, int pool = MODE_TRADES);
int OrderTicket();
int OrderType();
int OrderMagicNumber();
double OrderLots();
double OrderOpenPrice();
double OrderClosePrice();
double OrderStopLoss();
double OrderTakeProfit();
double OrderProfit();
double OrderSwap();
double OrderCommission();
string OrderSymbol();
string OrderComment();
datetime OrderOpenTime();
datetime OrderCloseTime();
datetime OrderExpiration();
[[nodiscard]] int OrderSend(const string& s, int cmd, double volume, double price, int slippage, double sl,
                            double tp, const string& comment = string(), int magic = 0,
                            datetime expiration = 0, color arrow = clrNONE);
[[nodiscard]] bool OrderModify(int ticket, double price, double sl, double tp, datetime expiration,
                               color arrow = clrNONE);
[[nodiscard]] bool OrderClose(int ticket, double lots, double price, int slippage, color arrow = clrNONE);
[[nodiscard]] bool OrderCloseBy(int ticket, int opposite, color arrow = clrNONE);
[[nodiscard]] bool OrderDelete(int ticket, color arrow = clrNONE);
}  // namespace mql4

namespace mqlimp {
int WSAStartup(int version, mql::Array<uchar>& data);
int WSACleanup();
int WSAGetLastError();
uint socket(int family, int type, int protocol);
int connect_(uint s, const void* address, int length);
int closesocket(uint s);
int shutdown(uint s, int how);
int send(uint s, const mql::Array<uchar>& data, int length, int flags);
int recv(uint s, mql::Array<uchar>& data, int length, int flags);
int ioctlsocket(uint s, int command, uint& value);
int setsockopt(uint s, int level, int option, int& value, int length);
int getsockopt(uint s, int level, int option, int& value, int& length);
uint inet_addr(mql::Array<uchar>& text);
ushort htons(int v);
// a structure or an array of bytes: both are an address to the DLL
template <class T>
int connect(uint s, T& a, int n) {
  static_assert(std::is_trivially_copyable_v<T>, "a DLL takes simple structures");
  return connect_(s, &a, n);
}
template <class T>
int connect(uint s, mql::Array<T>& a, int n) {
  return connect_(s, a.data(), n);
}
int select_(uint* readable, uint* writable, uint* broken, const int* limit);
// which sets there are is said by declaring it more than once
template <class S, class L>
int select(int, S& readable, int, int, L& limit) {
  static_assert(sizeof(S) == 8 && sizeof(L) == 8, "a set of one socket of 32 bits, and two integers");
  return select_((uint*)&readable, nullptr, nullptr, (const int*)&limit);
}
template <class S, class L>
int select(int, int, S& writable, S& broken, L& limit) {
  static_assert(sizeof(S) == 8 && sizeof(L) == 8, "a set of one socket of 32 bits, and two integers");
  return select_(nullptr, (uint*)&writable, (uint*)&broken, (const int*)&limit);
}
}  // namespace mqlimp
#ifndef MQL_SIMULATION
using namespace mql4;
#endif
