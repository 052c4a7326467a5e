// The run-time of the language: strings, conversions, formatting, hashing.
#include "language.hpp"
#include <chrono>
#include <ctime>
#include <mutex>
#include <thread>
#include "console.hpp"

namespace mql {
int last_error = 0;
volatile bool stop_flag = false;
void fatal(const char* w, const char* d) {
  fprintf(stderr, "CRITICAL: %s %s\n", w, d);
  fflush(nullptr);
  _Exit(3);
}
std::string utf8(const string& s) {
  std::string o;
  const auto& u = s.u16();
  for (size_t i = 0; i < u.size(); i++) {
    uint32_t c = u[i];
    if (c >= 0xD800 && c < 0xDC00 && i + 1 < u.size())
      c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)u[++i] - 0xDC00);
    if (c < 0x80) {
      o += (char)c;
    } else if (c < 0x800) {
      o += (char)(0xC0 | c >> 6);
      o += (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
      o += (char)(0xE0 | c >> 12);
      o += (char)(0x80 | (c >> 6 & 63));
      o += (char)(0x80 | (c & 63));
    } else {
      o += (char)(0xF0 | c >> 18);
      o += (char)(0x80 | (c >> 12 & 63));
      o += (char)(0x80 | (c >> 6 & 63));
      o += (char)(0x80 | (c & 63));
    }
  }
  return o;
}
string from_utf8(const char* p, size_t n) {
  std::u16string o;
  size_t i = 0;
  while (i < n) {
    uchar b = (uchar)p[i];
    uint32_t c;
    int k;
    if (b < 0x80) {
      c = b;
      k = 1;
    } else if (b >= 0xF0) {
      c = b & 7;
      k = 4;
    } else if (b >= 0xE0) {
      c = b & 15;
      k = 3;
    } else {
      c = b & 31;
      k = 2;
    }
    for (int j = 1; j < k; j++) c = c << 6 | (i + (size_t)j < n ? (uint32_t)(p[i + (size_t)j] & 63) : 0);
    i += (size_t)k;
    if (c < 0x10000) {
      o += (char16_t)c;
    } else {
      c -= 0x10000;
      o += (char16_t)(0xD800 + (c >> 10));
      o += (char16_t)(0xDC00 + (c & 1023));
    }
  }
  return string(o);
}
static string asc(const char* b) { return from_utf8(b, strlen(b)); }
void print_line(const char* kind, const string& s) { console::say(kind, utf8(s)); }
string show(const Arg& a) {
  switch (a.k) {
    case Arg::I: return a.uns ? string((ulong)a.i) : string(a.i);
    case Arg::F: return string(a.f);
    case Arg::D: return string(datetime(a.i));
    default: return a.s;
  }
}
static std::string integer(const std::string& spec, bool i64, char c, const Arg& x, const char* whole) {
  if (x.k != Arg::I && x.k != Arg::D) fatal("StringFormat: integer expected", whole);
  // the terminal would take half of the value
  if (x.size == 8 && !i64) fatal("StringFormat: 64-bit value needs %I64", whole);
  if (x.size < 8 && i64) fatal("StringFormat: %I64 with a 32-bit value", whole);
  bool is_unsigned = c == 'u' || c == 'x' || c == 'X';
  char b[512];
  snprintf(b, sizeof b, (spec + "l" + (c == 'i' ? 'd' : c)).c_str(),
           is_unsigned && x.size < 8 ? (long)(uint32_t)x.i : x.i);
  return b;
}
static std::string converted(const std::string& spec, bool i64, char c, const Arg& x, const char* whole) {
  char b[512];
  switch (c) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X': return integer(spec, i64, c, x, whole);
    case 'c': snprintf(b, sizeof b, "%c", (char)x.i); return b;
    case 'f':
    case 'e':
    case 'g':
    case 'G':
    case 'E':
      if (x.k != Arg::F) fatal("StringFormat: double expected", whole);
      snprintf(b, sizeof b, (spec + c).c_str(), x.f);
      return b;
    case 's': {
      if (x.k != Arg::S) fatal("StringFormat: string expected", whole);
      std::string t = utf8(x.s);
      std::vector<char> big(t.size() + 300);
      snprintf(big.data(), big.size(), (spec + "s").c_str(), t.c_str());
      return big.data();
    }
    default: fatal("StringFormat: bad conversion", whole);
  }
}
string format(const string& f, const Arg* a, int n) {
  std::string u = utf8(f), o;
  int k = 0;
  for (size_t i = 0; i < u.size(); i++) {
    if (u[i] != '%') {
      o += u[i];
      continue;
    }
    if (u[i + 1] == '%') {
      o += '%';
      i++;
      continue;
    }
    size_t j = i + 1;
    while (j < u.size() && strchr("-+ #0123456789.", u[j])) j++;
    std::string spec = u.substr(i, j - i);
    bool i64 = u.compare(j, 3, "I64") == 0;
    if (i64) j += 3;
    if (k >= n) fatal("StringFormat: too few arguments", u.c_str());
    o += converted(spec, i64, u[j], a[k++], u.c_str());
    i = j;
  }
  if (k != n) fatal("StringFormat: too many arguments", u.c_str());
  return from_utf8(o);
}
InputBase*& InputBase::head() {
  static InputBase* h = nullptr;
  return h;
}
InputBase::InputBase(const char* n) : name(n), next(head()) { head() = this; }
}  // namespace mql
using namespace mql;

string::string(double v) {
  char b[64];
  snprintf(b, sizeof b, "%.16g", v);
  *this = mql::asc(b);
}
string::string(long v) { *this = mql::from_utf8(std::to_string(v)); }
string::string(ulong v) { *this = mql::from_utf8(std::to_string(v)); }
string::string(bool v) : string(v ? u"true" : u"false") {}
string::string(datetime v) : string(TimeToString(v, TIME_DATE | TIME_MINUTES | TIME_SECONDS)) {}
string::operator double() const { return strtod(utf8(*this).c_str(), nullptr); }
string::operator long() const { return strtol(utf8(*this).c_str(), nullptr, 10); }
int StringLen(const string& s) { return (int)s.u16().size(); }
int StringFind(const string& s, const string& m, int st) {
  auto p = s.u16().find(m.u16(), (size_t)st);
  return p == std::u16string::npos ? -1 : (int)p;
}
string StringSubstr(const string& s, int st, int len) {
  if (st < 0 || st >= StringLen(s) || len == 0) return string(u"");
  return string(s.u16().substr((size_t)st, len < 0 ? std::u16string::npos : (size_t)len));
}
int StringReplace(string& s, const string& a, const string& b) {
  if (a.u16().empty()) return -1;
  int c = 0;
  auto& m = s.mut();
  for (size_t p = 0; (p = m.find(a.u16(), p)) != std::u16string::npos; p += b.u16().size(), c++)
    m.replace(p, a.u16().size(), b.u16());
  return c;
}
ushort StringGetCharacter(const string& s, int i) {
  return i < 0 || i >= StringLen(s) ? (ushort)0 : (ushort)s.u16()[(size_t)i];
}
bool StringSetCharacter(string& s, int i, ushort c) {
  auto& m = s.mut();
  if (i < 0 || i > (int)m.size()) return false;
  if (i == (int)m.size()) m += (char16_t)c;
  else m[(size_t)i] = (char16_t)c;
  return true;
}
int StringSplit(const string& s, ushort sep, Array<string>& o) {
  o.resize(0);
  if (s.u16().empty()) return 0;
  for (size_t p = 0;;) {
    size_t q = s.u16().find((char16_t)sep, p);
    o.resize(o.size() + 1, 16);
    o[o.size() - 1] = string(s.u16().substr(p, q == std::u16string::npos ? q : q - p));
    if (q == std::u16string::npos) return o.size();
    p = q + 1;
  }
}
bool StringToLower(string& s) {
  for (auto& c : s.mut())
    if (c < 128) c = (char16_t)tolower(c);
  return true;
}
bool StringToUpper(string& s) {
  for (auto& c : s.mut())
    if (c < 128) c = (char16_t)toupper(c);
  return true;
}
static bool is_space(char16_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
int StringTrimLeft(string& s) {
  auto& m = s.mut();
  size_t i = 0;
  while (i < m.size() && is_space(m[i])) i++;
  m.erase(0, i);
  return (int)i;
}
int StringTrimRight(string& s) {
  auto& m = s.mut();
  int c = 0;
  while (!m.empty() && is_space(m.back())) {
    m.pop_back();
    c++;
  }
  return c;
}
bool StringAdd(string& a, const string& b) {
  a += b;
  return true;
}
bool StringInit(string& s, int n, ushort c) {
  s.mut().assign((size_t)n, (char16_t)c);
  return true;
}
int StringCompare(const string& a, const string& b, bool cs) {
  string x = a, y = b;
  if (!cs) {
    StringToLower(x);
    StringToLower(y);
  }
  return x == y ? 0 : x < y ? -1 : 1;
}
long StringToInteger(const string& s) { return (long)s; }
double StringToDouble(const string& s) { return (double)s; }
string IntegerToString(long v, int len, ushort fill) {
  std::u16string t = string(v).u16();
  while ((int)t.size() < len) t.insert(t.begin(), (char16_t)fill);
  return string(t);
}
string DoubleToString(double v, int d) {
  char b[400];
  snprintf(b, sizeof b, d < 0 ? "%.*e" : "%.*f", abs(d), v);
  return from_utf8(b, strlen(b));
}
string ShortToString(ushort c) { return string(std::u16string(1, (char16_t)c)); }
string CharToString(uchar c) { return ShortToString(c); }
int StringToCharArray(const string& s, Array<uchar>& a, int start, int count, uint cp) {
  if (cp != CP_UTF8)
    for (char16_t c : s.u16())
      if (c > 127) fatal("StringToCharArray: non-ASCII text without CP_UTF8");
  std::string u = utf8(s);
  int n = (int)u.size() + 1;  // the final zero is copied, too
  if (count >= 0 && count < n) n = count;
  if (a.size() < start + n && a.resize(start + n) < 0) n = a.size() - start;
  if (n <= 0) return 0;
  memcpy(a.data() + start, u.c_str(), (size_t)n);
  return n;
}
string CharArrayToString(const Array<uchar>& a, int start, int count, uint cp) {
  int end = count < 0 ? a.size() : start + count;
  if (end > a.size()) end = a.size();
  int n = start;
  while (n < end && a.data()[n]) n++;
  if (cp != CP_UTF8)
    for (int i = start; i < n; i++)
      if (a.data()[i] > 127) fatal("CharArrayToString: non-ASCII bytes without CP_UTF8");
  return n > start ? from_utf8((const char*)a.data() + start, (size_t)(n - start)) : string(u"");
}
int StringToShortArray(const string& s, Array<ushort>& a, int start, int count) {
  int n = StringLen(s) + 1;
  if (count >= 0 && count < n) n = count;
  if (a.size() < start + n && a.resize(start + n) < 0) n = a.size() - start;
  for (int i = 0; i < n; i++) a[start + i] = i < StringLen(s) ? s[i] : (ushort)0;
  return n;
}
string ShortArrayToString(const Array<ushort>& a, int start, int count) {
  std::u16string o;
  int end = count < 0 ? a.size() : start + count;
  for (int i = start; i < end && i < a.size() && a[i]; i++) o += (char16_t)a[i];
  return string(o);
}
double NormalizeDouble(double v, int d) {
  double p = pow(10, d);
  return round(v * p) / p;
}
int MathRand() { return rand() & 32767; }
void MathSrand(int s) { srand((unsigned)s); }
int GetLastError() { return last_error; }
void ResetLastError() { last_error = 0; }
void SetUserError(ushort e) { last_error = 65536 + e; }
bool IsStopped() { return stop_flag; }
void Sleep(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
static const auto began = std::chrono::steady_clock::now();
double mql::speed = 1;
bool mql::frozen = false;
ulong GetMicrosecondCount() {
  if (frozen) return 1000;
  return (ulong)((double)std::chrono::duration_cast<std::chrono::microseconds>(
                     std::chrono::steady_clock::now() - began)
                     .count() *
                 mql::speed);
}
ulong GetTickCount64() {
  if (frozen) return 1000;
  return (ulong)std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
uint GetTickCount() { return (uint)GetTickCount64(); }
int TimeGMTOffset() { return 0; }
int TimeDaylightSavings() { return 0; }
bool TimeToStruct(datetime t, MqlDateTime& o) {
  time_t x = t.v;
  struct tm m;
  gmtime_r(&x, &m);
  o = {m.tm_year + 1900, m.tm_mon + 1, m.tm_mday, m.tm_hour, m.tm_min, m.tm_sec, m.tm_wday, m.tm_yday};
  return true;
}
datetime StructToTime(const MqlDateTime& o) {
  struct tm m = {};
  m.tm_year = o.year - 1900;
  m.tm_mon = o.mon - 1;
  m.tm_mday = o.day;
  m.tm_hour = o.hour;
  m.tm_min = o.min;
  m.tm_sec = o.sec;
  return datetime((long)timegm(&m));
}
string TimeToString(datetime t, int mode) {
  MqlDateTime m;
  TimeToStruct(t, m);
  char b[64];
  int n = 0;
  if (mode & TIME_DATE) n += snprintf(b + n, 60, "%04d.%02d.%02d", m.year, m.mon, m.day);
  if (mode & (TIME_MINUTES | TIME_SECONDS)) {
    n += snprintf(b + n, 40, "%s%02d:%02d", n ? " " : "", m.hour, m.min);
    if (mode & TIME_SECONDS) n += snprintf(b + n, 10, ":%02d", m.sec);
  }
  return from_utf8(b, (size_t)n);
}
datetime StringToTime(const string& s) {
  MqlDateTime m = {1970, 1, 1, 0, 0, 0, 0, 0};
  sscanf(utf8(s).c_str(), "%d.%d.%d %d:%d:%d", &m.year, &m.mon, &m.day, &m.hour, &m.min, &m.sec);
  return StructToTime(m);
}

// ---------------------------------------------------------------- SHA-256 (FIPS 180-4)
static uint32_t rotated(uint32_t x, int n) { return x >> n | x << (32 - n); }
struct Sha256 {
  uint32_t k[64], h[8];
  static uint32_t fraction(long double r) { return (uint32_t)((r - floorl(r)) * 4294967296.0L); }
  Sha256() {  // the constants are the fractions of the roots of the first primes
    int c = 0;
    for (uint32_t q = 2; c < 64; q++) {
      bool prime = true;
      for (uint32_t d = 2; d * d <= q && prime; d++) prime = q % d != 0;
      if (!prime) continue;
      if (c < 8) h[c] = fraction(sqrtl((long double)q));
      k[c++] = fraction(cbrtl((long double)q));
    }
  }
  static void block(const uint32_t* k, uint32_t* h, const uchar* m) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
      w[i] = (uint32_t)m[4 * i] << 24 | (uint32_t)m[4 * i + 1] << 16 | (uint32_t)m[4 * i + 2] << 8 |
             m[4 * i + 3];
    for (int i = 16; i < 64; i++) {
      uint32_t a = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
      uint32_t b = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
      uint32_t s1 = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25);
      uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
      uint32_t s0 = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22);
      uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      for (int j = 7; j > 0; j--) v[j] = v[j - 1];
      v[4] += t1;
      v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
  }
};
static void sha256(const uchar* p, size_t n, uchar* out) {
  static const Sha256 start;
  uint32_t h[8];
  memcpy(h, start.h, sizeof h);
  std::vector<uchar> m(p, p + n);
  m.push_back(0x80);
  while (m.size() % 64 != 56) m.push_back(0);
  for (int i = 7; i >= 0; i--) m.push_back((uchar)((uint64_t)n * 8 >> (8 * i)));
  for (size_t o = 0; o < m.size(); o += 64) Sha256::block(start.k, h, m.data() + o);
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 4; j++) out[4 * i + j] = (uchar)(h[i] >> (24 - 8 * j));
}
int CryptEncode(ENUM_CRYPT_METHOD m, const Array<uchar>& d, const Array<uchar>&, Array<uchar>& o) {
  if (m != CRYPT_HASH_SHA256) fatal("CryptEncode: only SHA-256 is simulated");
  uchar h[32];
  sha256(d.data(), (size_t)d.size(), h);
  o.resize(32);
  memcpy(o.data(), h, 32);
  return 32;
}
