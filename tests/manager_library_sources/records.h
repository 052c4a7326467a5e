// The Manager API's records as C++ lays them out, from the public lists of their fields. Another
// statement of the same facts as ea_bridge/mt4_manager/peer/layouts.py: the tests compare the two.
// LP64 aligns a double at 8 as Microsoft's compilers do; __ptr32 is uint32_t.
#pragma once
#include <cstdint>

typedef int32_t Time;

struct UserRecord {
  int login;
  char group[16], password[16];
  int enable, enable_change_password, enable_read_only, enable_otp, enable_reserved[2];
  char password_investor[16], password_phone[32], name[128], country[32], city[32], state[32];
  char zipcode[16], address[96], lead_source[32], phone[32], email[48], comment[64], id[32];
  char status[16];
  Time regdate, lastdate;
  int leverage, agent_account;
  Time timestamp;
  int last_ip;
  double balance, prevmonthbalance, prevbalance, credit, interestrate, taxes;
  double prevmonthequity, prevequity, reserved2[2];
  char otp_secret[32], secure_reserved[240];
  int send_reports;
  unsigned mqid;
  uint32_t user_color;
  char unused[40], api_data[16];
};

#pragma pack(push, 1)
struct TradeRecord {
  int order, login;
  char symbol[12];
  int digits, cmd, volume;
  Time open_time;
  int state;
  double open_price, sl, tp;
  Time close_time;
  int gw_volume;
  Time expiration;
  char reason, conv_reserv[3];
  double conv_rates[2], commission, commission_agent, storage, close_price, profit, taxes;
  int magic;
  char comment[32];
  int gw_order, activation;
  short gw_open_price, gw_close_price;
  double margin_rate;
  Time timestamp;
  int api_data[4];
  uint32_t next;
};

struct TradeTransInfo {
  unsigned char type;
  char flags;
  short cmd;
  int order, orderby;
  char symbol[12];
  int volume;
  double price, sl, tp;
  int ie_deviation;
  char comment[32];
  Time expiration;
  int crc;
};

struct GroupCommandInfo {
  int len;
  char command, newgroup[16];
  int leverage, reserved[8];
};
#pragma pack(pop)

struct MarginLevel {
  int login;
  char group[16];
  int leverage, updated;
  double balance, equity;
  int volume;
  double margin, margin_free, margin_level;
  int margin_type, level_type;
};

struct OnlineRecord {
  int counter, reserved, login;
  unsigned ip;
  char group[16];
};

struct MailBox {
  Time time;
  int sender;
  char from[64];
  int to;
  char subject[128];
  int readed;
  uint32_t body;
  int bodylen;
  short build_min, build_max;
  int reserved;
};

struct SymbolInfo {
  char symbol[12];
  int digits, count, visible, type;
  double point;
  int spread, spread_balance, direction, updateflag;
  Time lasttime;
  double bid, ask, high, low, commission;
  int comm_type;
};

struct ConSession {
  short open_hour, open_min, close_hour, close_min;
  int open, close;
  short align[7];
};

struct ConSessions {
  ConSession quote[3], trade[3];
  int quote_overnight, trade_overnight, reserved[2];
};

struct ConSymbol {
  char symbol[12], description[64], source[12], currency[12];
  int type, digits, trade;
  uint32_t background_color;
  int count, count_original, external_unused[7], realtime;
  Time starting, expiration;
  ConSessions sessions[7];
  int profit_mode, profit_reserved, filter, filter_counter;
  double filter_limit;
  int filter_smoothing;
  float filter_reserved;
  int logging, spread, spread_balance, exemode, swap_enable, swap_type;
  double swap_long, swap_short;
  int swap_rollover3days;
  double contract_size, tick_value, tick_size;
  int stops_level, gtc_pendings, margin_mode;
  double margin_initial, margin_maintenance, margin_hedged, margin_divider;
  double point, multiply, bid_tickvalue, ask_tickvalue;
  int long_only, instant_max_volume;
  char margin_currency[12];
  int freeze_level, margin_hedged_strong;
  Time value_date;
  int quotes_delay, swap_openprice, swap_variation_margin, unused[21];
};

struct ConGroupSec {
  int show, trade, execution;
  double comm_base;
  int comm_type, comm_lots;
  double comm_agent;
  int comm_agent_type, spread_diff, lot_min, lot_max, lot_step, ie_deviation, confirmation;
  int trade_rights, ie_quick_mode, autocloseout_mode;
  double comm_tax;
  int comm_agent_lots, freemargin_mode, reserved[3];
};

struct ConGroupMargin {
  char symbol[12];
  double swap_long, swap_short, margin_divider;
  int reserved[7];
};

struct ConGroup {
  char group[16];
  int enable, timeout, otp_mode;
  char company[128], signature[128], support_page[128], smtp_server[64], smtp_login[32];
  char smtp_password[32], support_email[64], templates[32];
  int copies, reports, default_leverage;
  double default_deposit;
  int maxsecurities;
  ConGroupSec secgroups[32];
  ConGroupMargin secmargins[128];
  int secmargins_total;
  char currency[12];
  double credit;
  int margin_call, margin_mode, margin_stopout;
  double interestrate;
  int use_swap, news, rights, check_ie_prices, maxpositions, close_reopen, hedge_prohibited;
  int close_fifo, hedge_largeleg, unused_rights[2];
  char securities_hash[16];
  int margin_type, archive_period, archive_max_balance, stopout_skip_hedged;
  int archive_pending_period;
  unsigned news_languages[8], news_languages_total;
  int reserved[17];
};

struct ConCommon {
  char owner[128], name[32];
  uint32_t address;
  int port;
  uint32_t timeout;
  int typeofdemo, timeofdemo, daylightcorrection;
  char internal[60];
  int timezone_real, timezone;
  char timesync[64];
  int minclient, minapi;
  uint32_t feeder_timeout;
  int keepemails, endhour, endminute, optimization_time, optimization_lasttime;
  int optimization_counter, optimization_unused[8], antiflood, floodcontrol, liveupdate_mode;
  int lastorder, lastlogin, lostlogin, rollovers_mode;
  char path_database[256], path_history[256], path_log[256];
  Time overnight_last_day, overnight_last_time, overnight_prev_time, overmonth_last_month;
  char adapters[256];
  uint32_t bind_adresses[8];
  short server_version, server_build;
  uint32_t web_adresses[8];
  int statement_mode, monthly_state_mode, keepticks, statement_weekend;
  Time last_activate, stop_last;
  int stop_delay, stop_reason;
  char account_url[128];
  int reserved[16];
};
