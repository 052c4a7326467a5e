// What MQL4 and MQL5 have in common of the terminal: account, symbols, prices, files, events.
// Names and signatures are those of the reference; values, where they cross the wire, too.
#pragma once
#pragma GCC system_header
#include "language.hpp"

#pragma pack(push, 1)
struct MqlTick {
  datetime time;
  double bid, ask, last;
  ulong volume;
  long time_msc;
  uint flags;
  double volume_real;
};
struct MqlRates {
  datetime time;
  double open, high, low, close;
  long tick_volume;
  int spread;
  long real_volume;
};
struct MqlBookInfo {
  int type;
  double price;
  long volume;
  double volume_real;
};
#pragma pack(pop)
static_assert(sizeof(MqlTick) == 60 && sizeof(MqlRates) == 60, "MQL's structures are packed");

enum ENUM_TIMEFRAMES {
  PERIOD_CURRENT = 0,
  PERIOD_M1 = 1,
  PERIOD_M2 = 2,
  PERIOD_M3 = 3,
  PERIOD_M4 = 4,
  PERIOD_M5 = 5,
  PERIOD_M6 = 6,
  PERIOD_M10 = 10,
  PERIOD_M12 = 12,
  PERIOD_M15 = 15,
  PERIOD_M20 = 20,
  PERIOD_M30 = 30,
#ifdef __MQL4__
  PERIOD_H1 = 60,
  PERIOD_H2 = 120,
  PERIOD_H3 = 180,
  PERIOD_H4 = 240,
  PERIOD_H6 = 360,
  PERIOD_H8 = 480,
  PERIOD_H12 = 720,
  PERIOD_D1 = 1440,
  PERIOD_W1 = 10080,
  PERIOD_MN1 = 43200
#else
  PERIOD_H1 = 16385,
  PERIOD_H2 = 16386,
  PERIOD_H3 = 16387,
  PERIOD_H4 = 16388,
  PERIOD_H6 = 16390,
  PERIOD_H8 = 16392,
  PERIOD_H12 = 16396,
  PERIOD_D1 = 16408,
  PERIOD_W1 = 32769,
  PERIOD_MN1 = 49153
#endif
};
enum ENUM_DAY_OF_WEEK { SUNDAY, MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY };

// Properties: one list gives the enumeration and the name by which a test sets the value.
#define MQL_ENUM(name) name,
#define MQL_NAME(name) #name,
#define ACCOUNT_DOUBLES(X)                                                                             \
  X(ACCOUNT_BALANCE)                                                                                   \
  X(ACCOUNT_CREDIT)                                                                                    \
  X(ACCOUNT_PROFIT) X(ACCOUNT_EQUITY) X(ACCOUNT_MARGIN) X(ACCOUNT_MARGIN_FREE) X(ACCOUNT_MARGIN_LEVEL) \
      X(ACCOUNT_MARGIN_SO_CALL) X(ACCOUNT_MARGIN_SO_SO) X(ACCOUNT_MARGIN_INITIAL)                      \
          X(ACCOUNT_MARGIN_MAINTENANCE) X(ACCOUNT_ASSETS) X(ACCOUNT_LIABILITIES)                       \
              X(ACCOUNT_COMMISSION_BLOCKED)
#define ACCOUNT_INTEGERS(X)                                                                           \
  X(ACCOUNT_LOGIN)                                                                                    \
  X(ACCOUNT_TRADE_MODE)                                                                               \
  X(ACCOUNT_LEVERAGE) X(ACCOUNT_LIMIT_ORDERS) X(ACCOUNT_MARGIN_SO_MODE) X(ACCOUNT_TRADE_ALLOWED)      \
      X(ACCOUNT_TRADE_EXPERT) X(ACCOUNT_MARGIN_MODE) X(ACCOUNT_CURRENCY_DIGITS) X(ACCOUNT_FIFO_CLOSE) \
          X(ACCOUNT_HEDGE_ALLOWED)
#define ACCOUNT_STRINGS(X) X(ACCOUNT_NAME) X(ACCOUNT_SERVER) X(ACCOUNT_CURRENCY) X(ACCOUNT_COMPANY)
#define SYMBOL_DOUBLES(X)                                                                                    \
  X(SYMBOL_BID)                                                                                              \
  X(SYMBOL_BIDHIGH)                                                                                          \
  X(SYMBOL_BIDLOW) X(SYMBOL_ASK) X(SYMBOL_ASKHIGH) X(SYMBOL_ASKLOW) X(SYMBOL_LAST) X(SYMBOL_LASTHIGH)        \
      X(SYMBOL_LASTLOW) X(SYMBOL_VOLUME_REAL) X(SYMBOL_VOLUMEHIGH_REAL) X(SYMBOL_VOLUMELOW_REAL) X(          \
          SYMBOL_OPTION_STRIKE) X(SYMBOL_POINT) X(SYMBOL_TRADE_TICK_VALUE) X(SYMBOL_TRADE_TICK_VALUE_PROFIT) \
          X(SYMBOL_TRADE_TICK_VALUE_LOSS) X(SYMBOL_TRADE_TICK_SIZE) X(SYMBOL_TRADE_CONTRACT_SIZE)            \
              X(SYMBOL_TRADE_ACCRUED_INTEREST) X(SYMBOL_TRADE_FACE_VALUE) X(SYMBOL_TRADE_LIQUIDITY_RATE)     \
                  X(SYMBOL_VOLUME_MIN) X(SYMBOL_VOLUME_MAX) X(SYMBOL_VOLUME_STEP) X(SYMBOL_VOLUME_LIMIT)     \
                      X(SYMBOL_SWAP_LONG) X(SYMBOL_SWAP_SHORT) X(SYMBOL_MARGIN_INITIAL)                      \
                          X(SYMBOL_MARGIN_MAINTENANCE) X(SYMBOL_SESSION_VOLUME) X(SYMBOL_SESSION_TURNOVER)   \
                              X(SYMBOL_SESSION_INTEREST) X(SYMBOL_SESSION_BUY_ORDERS_VOLUME)                 \
                                  X(SYMBOL_SESSION_SELL_ORDERS_VOLUME) X(SYMBOL_SESSION_OPEN)                \
                                      X(SYMBOL_SESSION_CLOSE) X(SYMBOL_SESSION_AW)                           \
                                          X(SYMBOL_SESSION_PRICE_SETTLEMENT)                                 \
                                              X(SYMBOL_SESSION_PRICE_LIMIT_MIN)                              \
                                                  X(SYMBOL_SESSION_PRICE_LIMIT_MAX) X(SYMBOL_MARGIN_HEDGED)  \
                                                      X(SYMBOL_PRICE_CHANGE) X(SYMBOL_PRICE_VOLATILITY)      \
                                                          X(SYMBOL_PRICE_THEORETICAL) X(SYMBOL_PRICE_DELTA)  \
                                                              X(SYMBOL_PRICE_THETA) X(SYMBOL_PRICE_GAMMA)    \
                                                                  X(SYMBOL_PRICE_VEGA) X(SYMBOL_PRICE_RHO)   \
                                                                      X(SYMBOL_PRICE_OMEGA)                  \
                                                                          X(SYMBOL_PRICE_SENSITIVITY)        \
                                                                              X(SYMBOL_COUNT)
#define SYMBOL_INTEGERS(X)                                                                                 \
  X(SYMBOL_CUSTOM)                                                                                         \
  X(SYMBOL_EXIST)                                                                                          \
  X(SYMBOL_CHART_MODE) X(SYMBOL_SELECT) X(SYMBOL_VISIBLE) X(SYMBOL_SESSION_DEALS)                          \
      X(SYMBOL_SESSION_BUY_ORDERS) X(SYMBOL_SESSION_SELL_ORDERS) X(SYMBOL_VOLUME) X(SYMBOL_VOLUMEHIGH)     \
          X(SYMBOL_VOLUMELOW) X(SYMBOL_TIME) X(SYMBOL_TIME_MSC) X(SYMBOL_DIGITS) X(SYMBOL_SPREAD)          \
              X(SYMBOL_SPREAD_FLOAT) X(SYMBOL_TICKS_BOOKDEPTH) X(SYMBOL_TRADE_CALC_MODE)                   \
                  X(SYMBOL_TRADE_MODE) X(SYMBOL_START_TIME) X(SYMBOL_EXPIRATION_TIME)                      \
                      X(SYMBOL_TRADE_STOPS_LEVEL) X(SYMBOL_TRADE_FREEZE_LEVEL) X(SYMBOL_TRADE_EXEMODE)     \
                          X(SYMBOL_SWAP_MODE) X(SYMBOL_SWAP_ROLLOVER3DAYS) X(SYMBOL_MARGIN_HEDGED_USE_LEG) \
                              X(SYMBOL_EXPIRATION_MODE) X(SYMBOL_FILLING_MODE) X(SYMBOL_ORDER_MODE)        \
                                  X(SYMBOL_ORDER_GTC_MODE) X(SYMBOL_OPTION_MODE) X(SYMBOL_OPTION_RIGHT)
#define SYMBOL_STRINGS(X)                                                                      \
  X(SYMBOL_BASIS)                                                                              \
  X(SYMBOL_CATEGORY)                                                                           \
  X(SYMBOL_COUNTRY) X(SYMBOL_SECTOR_NAME) X(SYMBOL_INDUSTRY_NAME) X(SYMBOL_CURRENCY_BASE)      \
      X(SYMBOL_CURRENCY_PROFIT) X(SYMBOL_CURRENCY_MARGIN) X(SYMBOL_BANK) X(SYMBOL_DESCRIPTION) \
          X(SYMBOL_EXCHANGE) X(SYMBOL_FORMULA) X(SYMBOL_ISIN) X(SYMBOL_PAGE) X(SYMBOL_PATH)
#define TERMINAL_INTEGERS(X)                                                                                 \
  X(TERMINAL_BUILD)                                                                                          \
  X(TERMINAL_COMMUNITY_ACCOUNT)                                                                              \
  X(TERMINAL_COMMUNITY_CONNECTION) X(TERMINAL_CONNECTED) X(TERMINAL_DLLS_ALLOWED) X(TERMINAL_TRADE_ALLOWED)  \
      X(TERMINAL_EMAIL_ENABLED) X(TERMINAL_FTP_ENABLED) X(TERMINAL_NOTIFICATIONS_ENABLED)                    \
          X(TERMINAL_MAXBARS) X(TERMINAL_MQID) X(TERMINAL_CODEPAGE) X(TERMINAL_CPU_CORES)                    \
              X(TERMINAL_DISK_SPACE) X(TERMINAL_MEMORY_PHYSICAL) X(TERMINAL_MEMORY_TOTAL)                    \
                  X(TERMINAL_MEMORY_AVAILABLE) X(TERMINAL_MEMORY_USED) X(TERMINAL_X64) X(TERMINAL_PING_LAST) \
                      X(TERMINAL_VPS)
#define TERMINAL_DOUBLES(X) X(TERMINAL_COMMUNITY_BALANCE) X(TERMINAL_RETRANSMISSION)
#define TERMINAL_STRINGS(X) \
  X(TERMINAL_LANGUAGE)      \
  X(TERMINAL_COMPANY) X(TERMINAL_NAME) X(TERMINAL_PATH) X(TERMINAL_DATA_PATH) X(TERMINAL_COMMONDATA_PATH)
#define MQL_INTEGERS(X)                                                                                     \
  X(MQL_MEMORY_LIMIT)                                                                                       \
  X(MQL_MEMORY_USED)                                                                                        \
  X(MQL_PROGRAM_TYPE) X(MQL_DLLS_ALLOWED) X(MQL_TRADE_ALLOWED) X(MQL_SIGNALS_ALLOWED) X(MQL_DEBUG)          \
      X(MQL_PROFILER) X(MQL_TESTER) X(MQL_FORWARD) X(MQL_OPTIMIZATION) X(MQL_VISUAL_MODE) X(MQL_FRAME_MODE) \
          X(MQL_LICENSE_TYPE)
#define MQL_STRINGS(X) X(MQL_PROGRAM_NAME) X(MQL_PROGRAM_PATH)
enum ENUM_ACCOUNT_INFO_DOUBLE { ACCOUNT_DOUBLES(MQL_ENUM) };
enum ENUM_ACCOUNT_INFO_INTEGER { ACCOUNT_INTEGERS(MQL_ENUM) };
enum ENUM_ACCOUNT_INFO_STRING { ACCOUNT_STRINGS(MQL_ENUM) };
enum ENUM_SYMBOL_INFO_DOUBLE { SYMBOL_DOUBLES(MQL_ENUM) };
enum ENUM_SYMBOL_INFO_INTEGER { SYMBOL_INTEGERS(MQL_ENUM) };
enum ENUM_SYMBOL_INFO_STRING { SYMBOL_STRINGS(MQL_ENUM) };
enum ENUM_TERMINAL_INFO_INTEGER { TERMINAL_INTEGERS(MQL_ENUM) };
enum ENUM_TERMINAL_INFO_DOUBLE { TERMINAL_DOUBLES(MQL_ENUM) };
enum ENUM_TERMINAL_INFO_STRING { TERMINAL_STRINGS(MQL_ENUM) };
enum ENUM_MQL_INFO_INTEGER { MQL_INTEGERS(MQL_ENUM) };
enum ENUM_MQL_INFO_STRING { MQL_STRINGS(MQL_ENUM) };

enum ENUM_ACCOUNT_TRADE_MODE { ACCOUNT_TRADE_MODE_DEMO, ACCOUNT_TRADE_MODE_CONTEST, ACCOUNT_TRADE_MODE_REAL };
enum ENUM_ACCOUNT_STOPOUT_MODE { ACCOUNT_STOPOUT_MODE_PERCENT, ACCOUNT_STOPOUT_MODE_MONEY };
enum ENUM_SYMBOL_TRADE_MODE {
  SYMBOL_TRADE_MODE_DISABLED,
  SYMBOL_TRADE_MODE_LONGONLY,
  SYMBOL_TRADE_MODE_SHORTONLY,
  SYMBOL_TRADE_MODE_CLOSEONLY,
  SYMBOL_TRADE_MODE_FULL
};
enum ENUM_SYMBOL_TRADE_EXECUTION {
  SYMBOL_TRADE_EXECUTION_REQUEST,
  SYMBOL_TRADE_EXECUTION_INSTANT,
  SYMBOL_TRADE_EXECUTION_MARKET,
  SYMBOL_TRADE_EXECUTION_EXCHANGE
};
enum { SYMBOL_FILLING_FOK = 1, SYMBOL_FILLING_IOC = 2, SYMBOL_FILLING_BOC = 4 };
enum {
  SYMBOL_EXPIRATION_GTC = 1,
  SYMBOL_EXPIRATION_DAY = 2,
  SYMBOL_EXPIRATION_SPECIFIED = 4,
  SYMBOL_EXPIRATION_SPECIFIED_DAY = 8
};
enum { COPY_TICKS_INFO = 1, COPY_TICKS_TRADE = 2, COPY_TICKS_ALL = -1 };
enum {
  TICK_FLAG_BID = 2,
  TICK_FLAG_ASK = 4,
  TICK_FLAG_LAST = 8,
  TICK_FLAG_VOLUME = 16,
  TICK_FLAG_BUY = 32,
  TICK_FLAG_SELL = 64
};
enum ENUM_SERIES_INFO_INTEGER {
  SERIES_BARS_COUNT,
  SERIES_FIRSTDATE,
  SERIES_LASTBAR_DATE,
  SERIES_SERVER_FIRSTDATE,
#ifndef __MQL4__
  SERIES_TERMINAL_FIRSTDATE,
  SERIES_SYNCHRONIZED
#endif
};
enum ENUM_PROGRAM_TYPE { PROGRAM_SCRIPT = 1, PROGRAM_EXPERT = 2, PROGRAM_INDICATOR = 4, PROGRAM_SERVICE = 5 };
enum {
  FILE_READ = 1,
  FILE_WRITE = 2,
  FILE_BIN = 4,
  FILE_CSV = 8,
  FILE_TXT = 16,
  FILE_ANSI = 32,
  FILE_UNICODE = 64,
  FILE_SHARE_READ = 128,
  FILE_SHARE_WRITE = 256,
  FILE_REWRITE = 512,
  FILE_COMMON = 4096
};
enum ENUM_FILE_POSITION { SEEK_SET_, SEEK_CUR_, SEEK_END_ };
#undef SEEK_SET
#undef SEEK_CUR
#undef SEEK_END
#define SEEK_SET SEEK_SET_
#define SEEK_CUR SEEK_CUR_
#define SEEK_END SEEK_END_
enum { MB_OK = 0, MB_YESNO = 4, IDYES = 6, IDNO = 7 };
enum ENUM_CHART_PROPERTY_INTEGER { CHART_EVENT_MOUSE_MOVE, CHART_BRING_TO_TOP, CHART_SHOW };
enum { CHART_IS_OBJECT = 1 };

// Errors
enum {
  ERR_SUCCESS = 0,
  ERR_INTERNAL_ERROR = 4001,
  ERR_INVALID_PARAMETER = 4003,
  ERR_FUNCTION_NOT_ALLOWED = 4014,
  ERR_MARKET_UNKNOWN_SYMBOL = 4301,
  ERR_MARKET_NOT_SELECTED = 4302,
  ERR_HISTORY_NOT_FOUND = 4401,
  ERR_HISTORY_TIMEOUT = 4403,
  ERR_TRADE_POSITION_NOT_FOUND = 4753,
  ERR_TRADE_ORDER_NOT_FOUND = 4754,
  ERR_TRADE_DEAL_NOT_FOUND = 4755,
  ERR_TRADE_SEND_FAILED = 4756,
  ERR_BOOKS_CANNOT_ADD = 4901,
  ERR_BOOKS_CANNOT_DELETE = 4902,
  ERR_BOOKS_CANNOT_GET = 4903,
  ERR_WRONG_FILENAME = 5002,
  ERR_CANNOT_OPEN_FILE = 5004,
  ERR_INVALID_FILEHANDLE = 5008,
  ERR_FILE_NOT_EXIST = 5019,
  ERR_FILE_WRITEERROR = 5026,
  ERR_NETSOCKET_INVALIDHANDLE = 5270,
  ERR_NETSOCKET_TOO_MANY_OPENED = 5271,
  ERR_NETSOCKET_CANNOT_CONNECT = 5272,
  ERR_NETSOCKET_IO_ERROR = 5273,
  ERR_USER_ERROR_FIRST = 65536
};

#ifndef __MQL4__
enum { ERR_TRADE_DISABLED = 4752 };
#endif

// The chart and its program
string Symbol();
ENUM_TIMEFRAMES Period();
int Digits();
double Point();
#define _Symbol (Symbol())
#define _Period (Period())
#define _Digits (Digits())
#define _Point (Point())
long ChartID();
bool EventSetMillisecondTimer(int ms);
bool EventSetTimer(int s);
void EventKillTimer();
bool EventChartCustom(long chart, ushort id, long l, double d, const string& s);
bool ChartRedraw(long chart = 0);
int MessageBox(const string& text, const string& caption = string(), int flags = 0);
bool SendNotification(const string& text);
bool PlaySound(const string& file);
long TerminalInfoInteger(ENUM_TERMINAL_INFO_INTEGER p);
double TerminalInfoDouble(ENUM_TERMINAL_INFO_DOUBLE p);
string TerminalInfoString(ENUM_TERMINAL_INFO_STRING p);
long MQLInfoInteger(ENUM_MQL_INFO_INTEGER p);
string MQLInfoString(ENUM_MQL_INFO_STRING p);
datetime TimeCurrent();
datetime TimeCurrent(MqlDateTime& o);

// Account and symbols
double AccountInfoDouble(ENUM_ACCOUNT_INFO_DOUBLE p);
long AccountInfoInteger(ENUM_ACCOUNT_INFO_INTEGER p);
string AccountInfoString(ENUM_ACCOUNT_INFO_STRING p);
int SymbolsTotal(bool selected);
string SymbolName(int i, bool selected);
bool SymbolSelect(const string& s, bool on);
double SymbolInfoDouble(const string& s, ENUM_SYMBOL_INFO_DOUBLE p);
long SymbolInfoInteger(const string& s, ENUM_SYMBOL_INFO_INTEGER p);
string SymbolInfoString(const string& s, ENUM_SYMBOL_INFO_STRING p);
bool SymbolInfoDouble(const string& s, ENUM_SYMBOL_INFO_DOUBLE p, double& v);
bool SymbolInfoInteger(const string& s, ENUM_SYMBOL_INFO_INTEGER p, long& v);
bool SymbolInfoString(const string& s, ENUM_SYMBOL_INFO_STRING p, string& v);
bool SymbolInfoTick(const string& s, MqlTick& t);
bool SymbolInfoSessionTrade(const string& s, ENUM_DAY_OF_WEEK day, uint index, datetime& from, datetime& to);
bool SymbolInfoSessionQuote(const string& s, ENUM_DAY_OF_WEEK day, uint index, datetime& from, datetime& to);

// Bars
int CopyRates(const string& s, ENUM_TIMEFRAMES tf, int start, int count, mql::Array<MqlRates>& out);
int CopyRates(const string& s, ENUM_TIMEFRAMES tf, datetime to, int count, mql::Array<MqlRates>& out);
int CopyRates(const string& s, ENUM_TIMEFRAMES tf, datetime from, datetime to, mql::Array<MqlRates>& out);
int Bars(const string& s, ENUM_TIMEFRAMES tf);
int Bars(const string& s, ENUM_TIMEFRAMES tf, datetime from, datetime to);
int iBars(const string& s, ENUM_TIMEFRAMES tf);
int iBarShift(const string& s, ENUM_TIMEFRAMES tf, datetime t, bool exact = false);
datetime iTime(const string& s, ENUM_TIMEFRAMES tf, int shift);
double iOpen(const string& s, ENUM_TIMEFRAMES tf, int shift);
double iHigh(const string& s, ENUM_TIMEFRAMES tf, int shift);
double iLow(const string& s, ENUM_TIMEFRAMES tf, int shift);
double iClose(const string& s, ENUM_TIMEFRAMES tf, int shift);
long iVolume(const string& s, ENUM_TIMEFRAMES tf, int shift);
int PeriodSeconds(ENUM_TIMEFRAMES tf = PERIOD_CURRENT);
long SeriesInfoInteger(const string& s, ENUM_TIMEFRAMES tf, ENUM_SERIES_INFO_INTEGER p);

// Files, in the terminal's sandbox
int FileOpen(const string& name, int flags, ushort delimiter = '\t', uint cp = CP_ACP);
void FileClose(int h);
bool FileIsExist(const string& name, int common = 0);
bool FileDelete(const string& name, int common = 0);
bool FileMove(const string& src, int common, const string& dst, int mode);
bool FileCopy(const string& src, int common, const string& dst, int mode);
bool FolderCreate(const string& name, int common = 0);
ulong FileSize(int h);
ulong FileTell(int h);
bool FileSeek(int h, long offset, ENUM_FILE_POSITION origin);
bool FileIsEnding(int h);
bool FileIsLineEnding(int h);
void FileFlush(int h);
uint FileWriteString(int h, const string& s, int length = -1);
string FileReadString(int h, int length = -1);
uint FileWriteInteger(int h, int v, int size = 4);
uint FileWriteLong(int h, long v);
int FileReadInteger(int h, int size = 4);
long FileReadLong(int h);
namespace mql {
uint file_write(int h, const void* p, size_t n);
size_t file_read(int h, void* p, size_t n);
uint file_line(int h, const string& s);
}  // namespace mql
template <class T>
uint FileWriteArray(int h, const mql::Array<T>& a, int start = 0, int count = WHOLE_ARRAY) {
  static_assert(std::is_trivially_copyable_v<T>, "FileWriteArray: simple types only");
  int n = count < 0 ? a.size() - start : count;
  return (uint)(mql::file_write(h, a.data() + start, sizeof(T) * (size_t)n) / sizeof(T));
}
template <class T>
uint FileReadArray(int h, mql::Array<T>& a, int start = 0, int count = WHOLE_ARRAY) {
  static_assert(std::is_trivially_copyable_v<T>, "FileReadArray: simple types only");
  long left = (long)((FileSize(h) - FileTell(h)) / sizeof(T));
  int n = count < 0 || count > left ? (int)left : count;
  if (a.size() < start + n && a.resize(start + n) < 0) n = a.size() - start;
  return (uint)(mql::file_read(h, a.data() + start, sizeof(T) * (size_t)n) / sizeof(T));
}
template <class... A>
uint FileWrite(int h, const A&... a) {
  return mql::file_line(h, mql::shown(a...));
}

// Variables of the terminal
bool GlobalVariableCheck(const string& name);
double GlobalVariableGet(const string& name);
datetime GlobalVariableSet(const string& name, double v);
bool GlobalVariableDel(const string& name);
bool GlobalVariableTemp(const string& name);
bool GlobalVariableSetOnCondition(const string& name, double v, double is);
void GlobalVariablesFlush();
