// What MQL5 alone has: trade requests, positions, deals, ticks, the order book, sockets.
#pragma once
#pragma GCC system_header
#define __MQL5__ 1
#define __MQLBUILD__ 5200
#include "terminal_api.hpp"

enum ENUM_ACCOUNT_MARGIN_MODE {
  ACCOUNT_MARGIN_MODE_RETAIL_NETTING,
  ACCOUNT_MARGIN_MODE_EXCHANGE,
  ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
};
enum ENUM_TRADE_REQUEST_ACTIONS {
  TRADE_ACTION_DEAL = 1,
  TRADE_ACTION_PENDING = 5,
  TRADE_ACTION_SLTP = 6,
  TRADE_ACTION_MODIFY = 7,
  TRADE_ACTION_REMOVE = 8,
  TRADE_ACTION_CLOSE_BY = 10
};
enum ENUM_ORDER_TYPE {
  ORDER_TYPE_BUY,
  ORDER_TYPE_SELL,
  ORDER_TYPE_BUY_LIMIT,
  ORDER_TYPE_SELL_LIMIT,
  ORDER_TYPE_BUY_STOP,
  ORDER_TYPE_SELL_STOP,
  ORDER_TYPE_BUY_STOP_LIMIT,
  ORDER_TYPE_SELL_STOP_LIMIT,
  ORDER_TYPE_CLOSE_BY
};
enum ENUM_ORDER_TYPE_FILLING {
  ORDER_FILLING_FOK,
  ORDER_FILLING_IOC,
  ORDER_FILLING_RETURN,
  ORDER_FILLING_BOC
};
enum ENUM_ORDER_TYPE_TIME { ORDER_TIME_GTC, ORDER_TIME_DAY, ORDER_TIME_SPECIFIED, ORDER_TIME_SPECIFIED_DAY };
enum ENUM_ORDER_STATE {
  ORDER_STATE_STARTED,
  ORDER_STATE_PLACED,
  ORDER_STATE_CANCELED,
  ORDER_STATE_PARTIAL,
  ORDER_STATE_FILLED,
  ORDER_STATE_REJECTED,
  ORDER_STATE_EXPIRED,
  ORDER_STATE_REQUEST_ADD,
  ORDER_STATE_REQUEST_MODIFY,
  ORDER_STATE_REQUEST_CANCEL
};
enum ENUM_ORDER_REASON {
  ORDER_REASON_CLIENT,
  ORDER_REASON_MOBILE,
  ORDER_REASON_WEB,
  ORDER_REASON_EXPERT,
  ORDER_REASON_SL,
  ORDER_REASON_TP,
  ORDER_REASON_SO
};
enum ENUM_POSITION_TYPE { POSITION_TYPE_BUY, POSITION_TYPE_SELL };
enum ENUM_POSITION_REASON {
  POSITION_REASON_CLIENT,
  POSITION_REASON_MOBILE,
  POSITION_REASON_WEB,
  POSITION_REASON_EXPERT
};
enum ENUM_DEAL_TYPE {
  DEAL_TYPE_BUY,
  DEAL_TYPE_SELL,
  DEAL_TYPE_BALANCE,
  DEAL_TYPE_CREDIT,
  DEAL_TYPE_CHARGE,
  DEAL_TYPE_CORRECTION,
  DEAL_TYPE_BONUS,
  DEAL_TYPE_COMMISSION,
  DEAL_TYPE_COMMISSION_DAILY,
  DEAL_TYPE_COMMISSION_MONTHLY,
  DEAL_TYPE_COMMISSION_AGENT_DAILY,
  DEAL_TYPE_COMMISSION_AGENT_MONTHLY,
  DEAL_TYPE_INTEREST,
  DEAL_TYPE_BUY_CANCELED,
  DEAL_TYPE_SELL_CANCELED,
  DEAL_DIVIDEND,
  DEAL_DIVIDEND_FRANKED,
  DEAL_TAX
};
enum ENUM_DEAL_ENTRY { DEAL_ENTRY_IN, DEAL_ENTRY_OUT, DEAL_ENTRY_INOUT, DEAL_ENTRY_OUT_BY };
enum ENUM_DEAL_REASON {
  DEAL_REASON_CLIENT,
  DEAL_REASON_MOBILE,
  DEAL_REASON_WEB,
  DEAL_REASON_EXPERT,
  DEAL_REASON_SL,
  DEAL_REASON_TP,
  DEAL_REASON_SO,
  DEAL_REASON_ROLLOVER,
  DEAL_REASON_VMARGIN,
  DEAL_REASON_SPLIT
};
enum ENUM_BOOK_TYPE { BOOK_TYPE_SELL = 1, BOOK_TYPE_BUY, BOOK_TYPE_SELL_MARKET, BOOK_TYPE_BUY_MARKET };
enum ENUM_TRADE_TRANSACTION_TYPE {
  TRADE_TRANSACTION_ORDER_ADD,
  TRADE_TRANSACTION_ORDER_UPDATE,
  TRADE_TRANSACTION_ORDER_DELETE,
  TRADE_TRANSACTION_HISTORY_ADD,
  TRADE_TRANSACTION_HISTORY_UPDATE,
  TRADE_TRANSACTION_HISTORY_DELETE,
  TRADE_TRANSACTION_DEAL_ADD,
  TRADE_TRANSACTION_DEAL_UPDATE,
  TRADE_TRANSACTION_DEAL_DELETE,
  TRADE_TRANSACTION_POSITION,
  TRADE_TRANSACTION_REQUEST
};
enum {
  TRADE_RETCODE_REQUOTE = 10004,
  TRADE_RETCODE_REJECT = 10006,
  TRADE_RETCODE_CANCEL,
  TRADE_RETCODE_PLACED,
  TRADE_RETCODE_DONE,
  TRADE_RETCODE_DONE_PARTIAL,
  TRADE_RETCODE_ERROR,
  TRADE_RETCODE_TIMEOUT,
  TRADE_RETCODE_INVALID,
  TRADE_RETCODE_INVALID_VOLUME,
  TRADE_RETCODE_INVALID_PRICE,
  TRADE_RETCODE_INVALID_STOPS,
  TRADE_RETCODE_TRADE_DISABLED,
  TRADE_RETCODE_MARKET_CLOSED,
  TRADE_RETCODE_NO_MONEY,
  TRADE_RETCODE_PRICE_CHANGED,
  TRADE_RETCODE_PRICE_OFF,
  TRADE_RETCODE_INVALID_EXPIRATION,
  TRADE_RETCODE_ORDER_CHANGED,
  TRADE_RETCODE_TOO_MANY_REQUESTS,
  TRADE_RETCODE_NO_CHANGES,
  TRADE_RETCODE_SERVER_DISABLES_AT,
  TRADE_RETCODE_CLIENT_DISABLES_AT,
  TRADE_RETCODE_LOCKED,
  TRADE_RETCODE_FROZEN,
  TRADE_RETCODE_INVALID_FILL,
  TRADE_RETCODE_CONNECTION,
  TRADE_RETCODE_ONLY_REAL,
  TRADE_RETCODE_LIMIT_ORDERS,
  TRADE_RETCODE_LIMIT_VOLUME,
  TRADE_RETCODE_INVALID_ORDER,
  TRADE_RETCODE_POSITION_CLOSED,
  TRADE_RETCODE_INVALID_CLOSE_VOLUME = 10038,
  TRADE_RETCODE_CLOSE_ORDER_EXIST,
  TRADE_RETCODE_LIMIT_POSITIONS,
  TRADE_RETCODE_REJECT_CANCEL,
  TRADE_RETCODE_LONG_ONLY,
  TRADE_RETCODE_SHORT_ONLY,
  TRADE_RETCODE_CLOSE_ONLY,
  TRADE_RETCODE_FIFO_CLOSE,
  TRADE_RETCODE_HEDGE_PROHIBITED
};

#define POSITION_DOUBLES(X) \
  X(POSITION_VOLUME)        \
  X(POSITION_PRICE_OPEN)    \
  X(POSITION_SL) X(POSITION_TP) X(POSITION_PRICE_CURRENT) X(POSITION_SWAP) X(POSITION_PROFIT)
#define POSITION_INTEGERS(X)                                                                \
  X(POSITION_TICKET)                                                                        \
  X(POSITION_TIME)                                                                          \
  X(POSITION_TIME_MSC) X(POSITION_TIME_UPDATE) X(POSITION_TIME_UPDATE_MSC) X(POSITION_TYPE) \
      X(POSITION_MAGIC) X(POSITION_IDENTIFIER) X(POSITION_REASON)
#define POSITION_STRINGS(X) X(POSITION_SYMBOL) X(POSITION_COMMENT) X(POSITION_EXTERNAL_ID)
#define ORDER_DOUBLES(X)  \
  X(ORDER_VOLUME_INITIAL) \
  X(ORDER_VOLUME_CURRENT) \
  X(ORDER_PRICE_OPEN) X(ORDER_SL) X(ORDER_TP) X(ORDER_PRICE_CURRENT) X(ORDER_PRICE_STOPLIMIT)
#define ORDER_INTEGERS(X)                                                                            \
  X(ORDER_TICKET)                                                                                    \
  X(ORDER_TIME_SETUP)                                                                                \
  X(ORDER_TYPE) X(ORDER_STATE) X(ORDER_TIME_EXPIRATION) X(ORDER_TIME_DONE) X(ORDER_TIME_SETUP_MSC)   \
      X(ORDER_TIME_DONE_MSC) X(ORDER_TYPE_FILLING) X(ORDER_TYPE_TIME) X(ORDER_MAGIC) X(ORDER_REASON) \
          X(ORDER_POSITION_ID) X(ORDER_POSITION_BY_ID)
#define ORDER_STRINGS(X) X(ORDER_SYMBOL) X(ORDER_COMMENT) X(ORDER_EXTERNAL_ID)
#define DEAL_DOUBLES(X) \
  X(DEAL_VOLUME)        \
  X(DEAL_PRICE) X(DEAL_COMMISSION) X(DEAL_SWAP) X(DEAL_PROFIT) X(DEAL_FEE) X(DEAL_SL) X(DEAL_TP)
#define DEAL_INTEGERS(X) \
  X(DEAL_TICKET)         \
  X(DEAL_ORDER)          \
  X(DEAL_TIME) X(DEAL_TIME_MSC) X(DEAL_TYPE) X(DEAL_ENTRY) X(DEAL_MAGIC) X(DEAL_REASON) X(DEAL_POSITION_ID)
#define DEAL_STRINGS(X) X(DEAL_SYMBOL) X(DEAL_COMMENT) X(DEAL_EXTERNAL_ID)
enum ENUM_POSITION_PROPERTY_DOUBLE { POSITION_DOUBLES(MQL_ENUM) };
enum ENUM_POSITION_PROPERTY_INTEGER { POSITION_INTEGERS(MQL_ENUM) };
enum ENUM_POSITION_PROPERTY_STRING { POSITION_STRINGS(MQL_ENUM) };
enum ENUM_ORDER_PROPERTY_DOUBLE { ORDER_DOUBLES(MQL_ENUM) };
enum ENUM_ORDER_PROPERTY_INTEGER { ORDER_INTEGERS(MQL_ENUM) };
enum ENUM_ORDER_PROPERTY_STRING { ORDER_STRINGS(MQL_ENUM) };
enum ENUM_DEAL_PROPERTY_DOUBLE { DEAL_DOUBLES(MQL_ENUM) };
enum ENUM_DEAL_PROPERTY_INTEGER { DEAL_INTEGERS(MQL_ENUM) };
enum ENUM_DEAL_PROPERTY_STRING { DEAL_STRINGS(MQL_ENUM) };

struct MqlTradeRequest {
  ENUM_TRADE_REQUEST_ACTIONS action;
  ulong magic, order;
  string symbol;
  double volume, price, stoplimit, sl, tp;
  ulong deviation;
  ENUM_ORDER_TYPE type;
  ENUM_ORDER_TYPE_FILLING type_filling;
  ENUM_ORDER_TYPE_TIME type_time;
  datetime expiration;
  string comment;
  ulong position, position_by;
};
struct MqlTradeResult {
  uint retcode;
  ulong deal, order;
  double volume, price, bid, ask;
  string comment;
  uint request_id;
  int retcode_external;
};
struct MqlTradeCheckResult {
  uint retcode;
  double balance, equity, profit, margin, margin_free, margin_level;
  string comment;
};
struct MqlTradeTransaction {
  ulong deal, order;
  string symbol;
  ENUM_TRADE_TRANSACTION_TYPE type;
  ENUM_ORDER_TYPE order_type;
  ENUM_ORDER_STATE order_state;
  ENUM_DEAL_TYPE deal_type;
  ENUM_ORDER_TYPE_TIME time_type;
  datetime time_expiration;
  double price, price_trigger, price_sl, price_tp, volume;
  ulong position, position_by;
};

bool SymbolExist(const string& s, bool& custom);
bool SymbolIsSynchronized(const string& s);
bool SymbolInfoMarginRate(const string& s, ENUM_ORDER_TYPE type, double& initial, double& maintenance);
datetime TimeTradeServer();
datetime TimeTradeServer(MqlDateTime& o);
int CopyTicks(const string& s, mql::Array<MqlTick>& out, uint flags = (uint)COPY_TICKS_ALL, ulong from = 0,
              uint count = 0);
int CopyTicksRange(const string& s, mql::Array<MqlTick>& out, uint flags = (uint)COPY_TICKS_ALL,
                   ulong from = 0, ulong to = 0);
bool MarketBookAdd(const string& s);
bool MarketBookRelease(const string& s);
bool MarketBookGet(const string& s, mql::Array<MqlBookInfo>& out);

[[nodiscard]] bool OrderSend(const MqlTradeRequest& q, MqlTradeResult& r);
[[nodiscard]] bool OrderSendAsync(const MqlTradeRequest& q, MqlTradeResult& r);
[[nodiscard]] bool OrderCheck(const MqlTradeRequest& q, MqlTradeCheckResult& r);
[[nodiscard]] bool OrderCalcMargin(ENUM_ORDER_TYPE type, const string& s, double volume, double price,
                                   double& margin);
[[nodiscard]] bool OrderCalcProfit(ENUM_ORDER_TYPE type, const string& s, double volume, double open,
                                   double close, double& profit);

int PositionsTotal();
ulong PositionGetTicket(int i);
string PositionGetSymbol(int i);
bool PositionSelect(const string& s);
bool PositionSelectByTicket(ulong ticket);
double PositionGetDouble(ENUM_POSITION_PROPERTY_DOUBLE p);
long PositionGetInteger(ENUM_POSITION_PROPERTY_INTEGER p);
string PositionGetString(ENUM_POSITION_PROPERTY_STRING p);
int OrdersTotal();
ulong OrderGetTicket(int i);
bool OrderSelect(ulong ticket);
double OrderGetDouble(ENUM_ORDER_PROPERTY_DOUBLE p);
long OrderGetInteger(ENUM_ORDER_PROPERTY_INTEGER p);
string OrderGetString(ENUM_ORDER_PROPERTY_STRING p);
bool HistorySelect(datetime from, datetime to);
bool HistorySelectByPosition(long position);
bool HistoryOrderSelect(ulong ticket);
int HistoryOrdersTotal();
ulong HistoryOrderGetTicket(int i);
double HistoryOrderGetDouble(ulong ticket, ENUM_ORDER_PROPERTY_DOUBLE p);
long HistoryOrderGetInteger(ulong ticket, ENUM_ORDER_PROPERTY_INTEGER p);
string HistoryOrderGetString(ulong ticket, ENUM_ORDER_PROPERTY_STRING p);
bool HistoryDealSelect(ulong ticket);
int HistoryDealsTotal();
ulong HistoryDealGetTicket(int i);
double HistoryDealGetDouble(ulong ticket, ENUM_DEAL_PROPERTY_DOUBLE p);
long HistoryDealGetInteger(ulong ticket, ENUM_DEAL_PROPERTY_INTEGER p);
string HistoryDealGetString(ulong ticket, ENUM_DEAL_PROPERTY_STRING p);

int SocketCreate(uint flags = 0);
bool SocketClose(int h);
bool SocketConnect(int h, const string& host, uint port, uint timeout);
bool SocketIsConnected(int h);
uint SocketIsReadable(int h);
bool SocketIsWritable(int h);
bool SocketTimeouts(int h, uint snd, uint rcv);
int SocketRead(int h, mql::Array<uchar>& buf, uint maxlen, uint timeout);
int SocketSend(int h, const mql::Array<uchar>& buf, uint len);
