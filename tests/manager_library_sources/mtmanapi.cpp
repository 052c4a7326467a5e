// A library with the exports and the class of mtmanapi, and a small trade server behind it, so
// that the calls through the table of methods can be tried where there is no Windows. Methods
// that ours does not call are gaps: whoever calls one has taken a wrong slot, which is counted.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "records.h"

namespace {

const int OK = 0, INVALID_DATA = 3, NO_CONNECT = 6, BAD_ACCOUNT = 65, NO_MONEY = 134;
const Time NOW = 1772901814;  // whatever the clock of this machine says
const int BALANCE = 6, CREDIT = 7, MAX = 512, MAIL = 65536;

typedef void (*Notify)(int code, int type, void *data, void *param);

UserRecord users[MAX];
TradeRecord trades[MAX];
ConGroup groups[2];
ConSymbol symbols[2];
ConCommon common;
char mail_body[MAIL], mail_subject[128], mail_from[64];
int n_users, n_trades, next_login, next_order, up, unfreed, gaps, live, mails, mailed_to, mail_length;
int fail_code, lose_after;  // of the next method that changes something
int other_password, wrong_logins, overlaps, fail_fix, hide_users, mute, lists;

void clear() {
  memset(users, 0, sizeof users), memset(trades, 0, sizeof trades);
  memset(groups, 0, sizeof groups), memset(symbols, 0, sizeof symbols);
  memset(&common, 0, sizeof common);
  n_users = n_trades = unfreed = gaps = live = mails = mailed_to = fail_code = lose_after = 0;
  other_password = wrong_logins = overlaps = fail_fix = hide_users = mute = lists = 0;
  next_login = 100, next_order = 1000, up = 1;
  strcpy(common.name, "Fake-Server"), strcpy(common.owner, "Ours 400 1353");
  common.port = 443, common.timezone = 2, common.endhour = 23, common.endminute = 59;
  common.server_version = 400, common.server_build = 1353, common.timeout = 0xFFFFFFFF;
  common.address = 0xC0A80001, common.bind_adresses[1] = 0x7F000001;
  common.last_activate = -1;
  strcpy(common.account_url, "https://example.com/account");
  strcpy(groups[0].group, "demo"), strcpy(groups[1].group, "real-1");
  strcpy(groups[0].smtp_password, "mail-secret"), strcpy(groups[0].currency, "USD");
  groups[0].enable = 1, groups[0].secgroups[2].show = 1, groups[0].secgroups[2].lot_step = 10;
  groups[0].secmargins_total = 1, strcpy(groups[0].secmargins[0].symbol, "GOLD");
  groups[0].secmargins[0].margin_divider = 2.5, groups[0].margin_call = 80;
  groups[0].archive_pending_period = 77, groups[0].default_deposit = 5000;
  strcpy(symbols[0].symbol, "EURUSD"), strcpy(symbols[1].symbol, "GOLD");
  symbols[0].digits = 5, symbols[0].contract_size = 100000, symbols[0].swap_variation_margin = 7;
  strcpy(symbols[0].margin_currency, "EUR"), symbols[0].ask_tickvalue = 1.25;
  ConSession day = {0, 5, 23, 55, 0, 0, {0}};
  symbols[0].sessions[1].trade[0] = day;
}

UserRecord *user(int login) {
  for (int i = 0; i < n_users; i++)
    if (users[i].login == login) return &users[i];
  return nullptr;
}

TradeRecord *trade(int order) {
  for (int i = 0; i < n_trades; i++)
    if (trades[i].order == order) return &trades[i];
  return nullptr;
}

template <class T>
T *give(const T *from, int count, int *total) {
  *total = count;
  if (!count) return nullptr;
  unfreed++, lists++;
  T *list = static_cast<T *>(malloc(sizeof(T) * count));
  memcpy(list, from, sizeof(T) * count);
  return list;
}

template <class T, class Test>
T *pick(const T *from, int count, int *total, Test test) {
  static T found[MAX];
  int n = 0;
  for (int i = 0; i < count; i++)
    if (test(from[i])) found[n++] = from[i];
  return give(found, n, total);
}

}  // namespace

#define GAP(n) virtual int gap_##n() { gaps++; return 2; }
#define GAPS10(n) GAP(n##0) GAP(n##1) GAP(n##2) GAP(n##3) GAP(n##4) \
                  GAP(n##5) GAP(n##6) GAP(n##7) GAP(n##8) GAP(n##9)

class CManagerInterface {
  bool connected = false, in = false, pumps = false;

  bool there() {
    if (!up) connected = in = false;
    return connected && in;
  }

  int change() {  // the code that a method which changes something has to begin with
    if (!there()) return NO_CONNECT;
    int code = fail_code;
    fail_code = 0;
    return code;
  }

  int changed() {  // the code that it ends with
    if (!lose_after) return OK;
    lose_after = up = 0;
    return NO_CONNECT;
  }

 public:
  GAP(0)
  GAP(1)
  virtual int Release() { live--; delete this; return 0; }
  virtual void MemFree(void *list) { unfreed--; free(list); }
  virtual const char *ErrorDescription(const int code) {
    return code == NO_MONEY ? "Not enough money" : code == NO_CONNECT ? "No connection" : "";
  }
  GAP(5)
  virtual int Connect(const char *server) {
    if (!up || strcmp(server, "203.0.113.10:443")) return NO_CONNECT;
    connected = true;
    return OK;
  }
  virtual int Disconnect() { connected = in = pumps = false; return OK; }
  virtual int IsConnected() { there(); return connected; }
  virtual int Login(const int login, const char *password) {
    if (login != 224 || other_password || strcmp(password, "let-me-in"))
      return wrong_logins++, BAD_ACCOUNT;
    in = true;
    return OK;
  }
  GAP(10) GAP(11)
  virtual int Ping() { return there() && !mute ? OK : NO_CONNECT; }
  GAP(13) GAP(14) GAP(15) GAP(16) GAP(17) GAP(18) GAP(19)
  GAPS10(2) GAPS10(3) GAPS10(4) GAPS10(5) GAPS10(6) GAPS10(7)
  virtual TradeRecord *AdmTradesRequest(const char *group, const int open_only, int *total) {
    return pick(trades, n_trades, total, [=](const TradeRecord &t) {
      UserRecord *u = user(t.login);
      return u && (!strcmp(group, "*") || !strcmp(group, u->group)) &&
             !(open_only && t.close_time);
    });
  }
  GAP(81)
  virtual int AdmBalanceFix(const int *logins, const int total) {
    if (fail_fix) return fail_fix;
    for (int i = 0; i < total; i++) {
      double sum = 0;
      for (int k = 0; k < n_trades; k++)
        if (trades[k].login == logins[i] && trades[k].cmd == BALANCE) sum += trades[k].profit;
      if (UserRecord *u = user(logins[i])) u->balance = sum;
    }
    return OK;
  }
  virtual int AdmTradesDelete(const int *orders, const int total) {
    if (int code = change()) return code;
    for (int i = 0; i < total; i++)
      if (TradeRecord *t = trade(orders[i])) *t = trades[--n_trades];
    return changed();
  }
  virtual int AdmTradeRecordModify(const TradeRecord *record) {
    if (int code = change()) return code;
    TradeRecord *t = trade(record->order);
    if (!t) return INVALID_DATA;
    *t = *record;
    return changed();
  }
  virtual int SymbolsRefresh() { return there() ? OK : NO_CONNECT; }
  virtual ConSymbol *SymbolsGetAll(int *total) { return give(symbols, 2, total); }
  virtual int SymbolGet(const char *symbol, ConSymbol *record) {
    for (const ConSymbol &one : symbols)
      if (!strcmp(one.symbol, symbol)) { *record = one; return OK; }
    return INVALID_DATA;
  }
  virtual int SymbolInfoGet(const char *symbol, SymbolInfo *info) {
    if (!added || strcmp(added, symbol)) return INVALID_DATA;
    memset(info, 0, sizeof *info);
    strcpy(info->symbol, symbol);
    if (strcmp(symbol, "EURUSD")) return OK;  // no price yet
    info->bid = 1.10001, info->ask = 1.10003, info->lasttime = 1700000000, info->comm_type = 2;
    return OK;
  }
  virtual int SymbolAdd(const char *symbol) {
    for (const ConSymbol &one : symbols)
      if (!strcmp(one.symbol, symbol)) { added = one.symbol; return OK; }
    return INVALID_DATA;
  }
  GAP(90) GAP(91) GAP(92)
  virtual ConGroup *GroupsRequest(int *total) { return give(groups, 2, total); }
  virtual int MailSend(const MailBox *mail, const int *logins) {
    if (int code = change()) return code;
    memcpy(mail_body, reinterpret_cast<char *>(static_cast<uintptr_t>(mail->body)),
           mail->bodylen + 1);
    strcpy(mail_subject, mail->subject), strcpy(mail_from, mail->from);
    mails++, mailed_to = 0, mail_length = mail->bodylen;
    for (int i = 0; i < mail->to; i++) mailed_to += logins[i];
    return changed();
  }
  GAP(95) GAP(96)
  virtual UserRecord *UsersRequest(int *total) {
    if (!there() || mute) return *total = 0, nullptr;
    return give(users, n_users, total);
  }
  virtual UserRecord *UserRecordsRequest(const int *logins, int *total) {
    const int asked = *total;
    if (hide_users) return up = 0, *total = 0, nullptr;
    return pick(users, n_users, total, [=](const UserRecord &u) {
      for (int i = 0; i < asked; i++)
        if (logins[i] == u.login) return true;
      return false;
    });
  }
  virtual int UserRecordNew(UserRecord *record) {
    if (int code = change()) return code;
    if (user(record->login)) return INVALID_DATA;
    if (!record->login) record->login = next_login++;
    users[n_users++] = *record;
    return changed();
  }
  virtual int UserRecordUpdate(const UserRecord *record) {
    if (int code = change()) return code;
    UserRecord *u = user(record->login);
    if (!u) return BAD_ACCOUNT;
    *u = *record;
    return changed();
  }
  virtual int UsersGroupOp(const GroupCommandInfo *info, const int *logins) {
    if (int code = change()) return code;
    for (int i = 0; i < info->len; i++) {
      UserRecord *u = user(logins[i]);
      if (!u) return BAD_ACCOUNT;
      if (info->command == 4) strcpy(u->group, info->newgroup);
      if (info->command == 3) u->leverage = info->leverage;
      if (info->command == 0) *u = users[--n_users];
    }
    return changed();
  }
  GAP(102)
  virtual int UserPasswordSet(const int login, const char *password, const int investor,
                              const int clean) {
    if (int code = change()) return code;
    UserRecord *u = user(login);
    if (!u) return BAD_ACCOUNT;
    strcpy(investor ? u->password_investor : u->password, password);
    u->api_data[0] = static_cast<char>(clean);
    return changed();
  }
  virtual OnlineRecord *OnlineRequest(int *total) {
    OnlineRecord one = {1, 0, 100, 0x0A000001, "demo"};
    return give(&one, 1, total);
  }
  virtual int TradeTransaction(TradeTransInfo *info) {
    if (int code = change()) return code;
    UserRecord *u = user(info->orderby);
    if (!u) return BAD_ACCOUNT;
    if (info->type != 83 || (info->cmd != BALANCE && info->cmd != CREDIT)) return INVALID_DATA;
    double &sum = info->cmd == CREDIT ? u->credit : u->balance;
    if (sum + info->price < 0) return NO_MONEY;
    sum += info->price;
    if (++inside > 1) overlaps++;  // while another thread is here
    usleep(100);
    inside--;
    TradeRecord &t = trades[n_trades++];
    memset(&t, 0, sizeof t);
    t.order = info->order = next_order++, t.login = info->orderby, t.cmd = info->cmd;
    t.profit = info->price, t.expiration = info->expiration, t.state = 3, t.reason = 7;
    t.open_time = t.close_time = t.timestamp = NOW, t.conv_rates[1] = 1.5;
    strcpy(t.comment, info->comment);
    return changed();
  }
  virtual TradeRecord *TradesRequest(int *total) {
    return pick(trades, n_trades, total, [](const TradeRecord &t) { return !t.close_time; });
  }
  virtual TradeRecord *TradeRecordsRequest(const int *orders, int *total) {
    const int asked = *total;
    return pick(trades, n_trades, total, [=](const TradeRecord &t) {
      for (int i = 0; i < asked; i++)
        if (orders[i] == t.order) return true;
      return false;
    });
  }
  virtual TradeRecord *TradesUserHistory(const int login, const Time from, const Time to,
                                         int *total) {
    if (fail_code) return fail_code = 0, *total = 0, nullptr;
    return pick(trades, n_trades, total, [=](const TradeRecord &t) {
      return t.login == login && t.close_time >= from && t.close_time <= to && t.close_time;
    });
  }
  GAP(109)
  GAP(110) GAP(111) GAP(112) GAP(113) GAP(114) GAP(115)
  GAP(116)
  GAP(117) GAP(118) GAP(119) GAP(120) GAP(121) GAP(122) GAP(123)
  virtual TradeRecord *TradesGetByLogin(const int login, const char *group, int *total) {
    UserRecord *u = user(login);
    const bool fits = pumps && u && !strcmp(group, u->group);
    return pick(trades, fits ? n_trades : 0, total,
                [=](const TradeRecord &t) { return t.login == login && !t.close_time; });
  }
  GAP(125) GAP(126) GAP(127)
  virtual MarginLevel *MarginsGet(int *total) {
    static MarginLevel levels[MAX];
    for (int i = 0; i < n_users; i++) {
      MarginLevel &level = levels[n_users - 1 - i];
      memset(&level, 0, sizeof level);
      MarginLevelRequest(users[i].login, &level);
    }
    return give(levels, pumps ? n_users : 0, total);
  }
  GAP(129)
  GAPS10(13)
  GAP(140) GAP(141) GAP(142) GAP(143) GAP(144) GAP(145) GAP(146)
  virtual Time ServerTime() { return there() ? NOW : 0; }
  GAP(148) GAP(149)
  GAP(150) GAP(151) GAP(152) GAP(153) GAP(154) GAP(155)
  virtual int MarginLevelRequest(const int login, MarginLevel *level) {
    UserRecord *u = user(login);
    if (!u) return BAD_ACCOUNT;
    level->login = login, level->leverage = u->leverage, strcpy(level->group, u->group);
    level->balance = level->equity = level->margin_free = u->balance + u->credit;
    level->level_type = level->equity < 10 ? 1 : 0;
    level->margin_level = 1.0 / (level->equity - level->equity);  // no server tells infinity
    return OK;
  }
  GAP(157) GAP(158) GAP(159) GAP(160) GAP(161) GAP(162)
  virtual int PumpingSwitchEx(Notify notify, const int flags, void *param) {
    if (!there() || flags != 6) return NO_CONNECT;
    pumps = true;
    notify(0, 0, nullptr, param);
    last_notify = notify, last_param = param;
    return OK;
  }
  GAP(164) GAP(165) GAP(166) GAP(167) GAP(168) GAP(169)
  GAP(170) GAP(171) GAP(172) GAP(173) GAP(174) GAP(175)
  virtual int ManagerCommon(ConCommon *record) { *record = common; return OK; }
  GAP(177) GAP(178) GAP(179)
  GAPS10(18)
  GAP(190) GAP(191) GAP(192) GAP(193) GAP(194)

  static std::atomic<int> inside;
  static const char *added;
  static Notify last_notify;
  static void *last_param;
};

std::atomic<int> CManagerInterface::inside;
const char *CManagerInterface::added;
Notify CManagerInterface::last_notify;
void *CManagerInterface::last_param;

static int version = 400 << 16 | 1353;
static const bool started = (clear(), true);

extern "C" {
int MtManVersion() { return version; }

int MtManCreate(int wanted, CManagerInterface **manager) {
  if (wanted != version) return 5;
  live++;
  *manager = new CManagerInterface;
  return OK;
}

// --- what the tests turn and look at --------------------------------------------------------

void fake_clear() { clear(); CManagerInterface::added = nullptr; version = 400 << 16 | 1353; }
void fake_version(int main, int build) { version = main << 16 | build; }
void fake_server(int is_up) { up = is_up; }
void fake_fail(int code) { fail_code = code; }
void fake_hide_users(int yes) { hide_users = yes; }
void fake_change_password() { other_password = 1; }
int fake_wrong_logins() { return wrong_logins; }
void fake_mute(int yes) { mute = yes; }
void fake_fail_fix(int code) { fail_fix = code; }
void fake_lose_after() { lose_after = 1; }
void fake_break_layout() { common.port = 0; }
void fake_stop_pumping() {
  CManagerInterface::last_notify(14, 0, nullptr, CManagerInterface::last_param);
}
int fake_lists() { return lists; }
int fake_overlaps() { return overlaps; }
int fake_is_up() { return up; }
int fake_unfreed() { return unfreed; }
int fake_gaps() { return gaps; }
int fake_live() { return live; }
int fake_trades() { return n_trades; }
int fake_users() { return n_users; }
int fake_mails() { return mails; }
int fake_mail_length() { return mail_length; }
int fake_mailed_to() { return mailed_to; }
const char *fake_mail_body() { return mail_body; }
const char *fake_mail_subject() { return mail_subject; }
const char *fake_mail_from() { return mail_from; }
UserRecord *fake_user(int login) { return user(login); }

int fake_open_trade(int login, const char *symbol, int volume) {
  TradeRecord &t = trades[n_trades++];
  memset(&t, 0, sizeof t);
  t.order = next_order++, t.login = login, t.volume = volume, t.open_time = 1700000000;
  t.open_price = 1.1, t.margin_rate = 1.25, strcpy(t.symbol, symbol);
  return t.order;
}
}
