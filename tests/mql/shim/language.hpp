// The MQL language for g++: types, strings, arrays, formatting, conversions, inputs.
//
// Where MQL checks at run time, so does this: an index out of range, a null pointer, a division by
// zero or a format that does not fit its argument ends the program with "CRITICAL" on stderr and
// exit code 3, as the terminal stops an EA. What MQL leaves uninitialised is poisoned.
#pragma once
#pragma GCC system_header
#include <algorithm>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef uint color;
static_assert(sizeof(long) == 8, "MQL's long has 64 bits");

namespace mql {
[[noreturn]] void fatal(const char* what, const char* detail = "");
struct null_t {
  template <class T>
  operator T*() const {
    return nullptr;
  }
};
extern double speed;  // of the EA's own clock: a test's day need not take a day
extern bool frozen;  // all clocks stand still
extern int last_error;
extern volatile bool stop_flag;
}  // namespace mql
#undef NULL
#define NULL (mql::null_t())
#define _LastError (mql::last_error)
#define _StopFlag (mql::stop_flag)

struct datetime {
  long v;
  datetime() = default;
  constexpr datetime(long x) : v(x) {}
  constexpr operator long() const { return v; }
  datetime& operator+=(long d) {
    v += d;
    return *this;
  }
  datetime& operator-=(long d) {
    v -= d;
    return *this;
  }
};

// ---------------------------------------------------------------- strings: UTF-16, by value
class string {
  std::u16string s_;
  bool null_ = true;

 public:
  string() = default;
  string(mql::null_t) {}
  string(const char16_t* p) : s_(p), null_(false) {}
  explicit string(std::u16string x) : s_(std::move(x)), null_(false) {}
  explicit string(double v);
  explicit string(float v) : string((double)v) {}
  explicit string(long v);
  explicit string(ulong v);
  explicit string(datetime v);
  explicit string(bool v);
  explicit string(int v) : string((long)v) {}
  explicit string(uint v) : string((ulong)v) {}
  explicit string(short v) : string((long)v) {}
  explicit string(ushort v) : string((long)v) {}
  explicit string(char v) : string((long)v) {}
  explicit string(uchar v) : string((long)v) {}
  template <class E, class = std::enable_if_t<std::is_enum_v<E>>, class = void>
  explicit string(E v) : string((long)v) {}
  const std::u16string& u16() const { return s_; }
  std::u16string& mut() {
    null_ = false;
    return s_;
  }
  bool is_null() const { return null_; }
  ushort operator[](int i) const {
    if (i < 0 || i >= (int)s_.size()) mql::fatal("string index out of range");
    return (ushort)s_[(size_t)i];
  }
  string& operator+=(const string& o) {
    s_ += o.s_;
    null_ = false;
    return *this;
  }
  friend string operator+(const string& a, const string& b) {
    string r;
    r.s_.reserve(a.s_.size() + b.s_.size());
    r.s_ = a.s_;
    r.s_ += b.s_;
    r.null_ = false;
    return r;
  }
  friend bool operator==(const string& a, const string& b) { return a.s_ == b.s_; }
  friend bool operator!=(const string& a, const string& b) { return a.s_ != b.s_; }
  friend bool operator<(const string& a, const string& b) { return a.s_ < b.s_; }
  friend bool operator>(const string& a, const string& b) { return b < a; }
  explicit operator double() const;
  explicit operator long() const;
  explicit operator int() const { return (int)(long)*this; }
  explicit operator ulong() const { return (ulong)(long)*this; }
};
namespace mql {
std::string utf8(const string&);
string from_utf8(const char*, size_t);
inline string from_utf8(const std::string& s) { return from_utf8(s.data(), s.size()); }
}  // namespace mql

// ---------------------------------------------------------------- arrays
namespace mql {
template <class T>
class Array {
 protected:
  T* d_ = nullptr;
  int n_ = 0, cap_ = 0;
  bool fixed_ = false;
  Array() = default;
  static void poison(T* p, int n) {
    if constexpr (std::is_trivially_copyable_v<T>) memset((void*)p, 0xCD, sizeof(T) * (size_t)n);
  }

 public:
  ~Array() {
    if (!fixed_) delete[] d_;
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;  // MQL has ArrayCopy for that
  int size() const { return n_; }
  bool fixed() const { return fixed_; }
  T* data() { return d_; }
  const T* data() const { return d_; }
  template <class I>
  T& operator[](I i) {
    return d_[checked(i)];
  }
  template <class I>
  const T& operator[](I i) const {
    return d_[checked(i)];
  }
  template <class I>
  long checked(I i) const {
    static_assert(std::is_integral_v<I> || std::is_enum_v<I>, "an index is an integer");
    static_assert(sizeof(I) <= 4, "an index has 32 bits");
    long k = (long)i;
    if (k < 0 || k >= n_) oob(k);
    return k;
  }
  [[noreturn]] void oob(long k) const {
    char b[64];
    snprintf(b, sizeof b, "index %ld size %d", k, n_);
    fatal("array out of range", b);
  }
  int resize(int n, int reserve = 0) {
    if (n < 0) return -1;
    if (fixed_) return n <= n_ ? n_ : -1;
    if (n > cap_) {
      int nc = n + (reserve > 0 ? reserve : 0);
      T* nd = new T[(size_t)nc];
      poison(nd, nc);
      if (d_)
        for (int i = 0; i < n_; i++) nd[i] = std::move(d_[i]);
      delete[] d_;
      d_ = nd;
      cap_ = nc;
    }
    if (n > n_) poison(d_ + n_, n - n_);  // MQL does not initialise new elements
    n_ = n;
    return n;
  }
  void free_() {
    if (fixed_) return;
    delete[] d_;
    d_ = nullptr;
    n_ = cap_ = 0;
  }
  void deep(const Array& o) {
    resize(o.n_);
    for (int i = 0; i < o.n_ && i < n_; i++) d_[i] = o.d_[i];
  }
};
template <class T>
class DynArray : public Array<T> {
 public:
  DynArray() = default;
  DynArray(std::initializer_list<T> l) {
    this->resize((int)l.size());
    int i = 0;
    for (auto& x : l) this->d_[i++] = x;
  }
  DynArray(const DynArray& o) : Array<T>() { this->deep(o); }  // a struct or class is copied
  DynArray& operator=(const DynArray& o) {
    if (this != &o) this->deep(o);
    return *this;
  }
};
template <class T, int N>
class StaticArray : public Array<T> {
  T b_[N];
  void bind() {
    this->d_ = b_;
    this->n_ = this->cap_ = N;
    this->fixed_ = true;
  }

 public:
  StaticArray() {
    bind();
    this->poison(b_, N);
  }
  StaticArray(std::initializer_list<T> l) : b_{} {
    bind();
    int i = 0;
    for (auto& x : l)
      if (i < N) b_[i++] = x;
  }
  StaticArray(const StaticArray& o) : Array<T>() {
    bind();
    this->deep(o);
  }
  StaticArray& operator=(const StaticArray& o) {
    if (this != &o) this->deep(o);
    return *this;
  }
};
template <class T, int N>
struct PodArray {  // in a struct, which stays simple
  T v[N];
  template <class I>
  T& operator[](I i) {
    return v[checked(i)];
  }
  template <class I>
  const T& operator[](I i) const {
    return v[checked(i)];
  }
  template <class I>
  long checked(I i) const {
    if ((long)i < 0 || (long)i >= N) fatal("array out of range");
    return (long)i;
  }
};
}  // namespace mql

const int WHOLE_ARRAY = -1;
template <class T>
int ArraySize(const mql::Array<T>& a) {
  return a.size();
}
template <class T, int N>
int ArraySize(const mql::PodArray<T, N>&) {
  return N;
}
template <class T>
int ArrayRange(const mql::Array<T>& a, int) {
  return a.size();
}
template <class T>
int ArrayResize(mql::Array<T>& a, int n, int reserve = 0) {
  return a.resize(n, reserve);
}
template <class T>
void ArrayFree(mql::Array<T>& a) {
  a.free_();
}
template <class T>
bool ArrayIsDynamic(const mql::Array<T>& a) {
  return !a.fixed();
}
template <class T>
bool ArrayGetAsSeries(const mql::Array<T>&) {
  return false;
}
template <class T>
bool ArraySetAsSeries(const mql::Array<T>&, bool on) {
  if (on) mql::fatal("ArraySetAsSeries: this shim counts from the oldest only");
  return true;
}
template <class T, class V>
int ArrayInitialize(mql::Array<T>& a, V v) {
  for (int i = 0; i < a.size(); i++) a[i] = (T)v;
  return a.size();
}
template <class T, class V>
void ArrayFill(mql::Array<T>& a, int s, int c, V v) {
  for (int i = 0; i < c; i++) a[s + i] = (T)v;
}
template <class T>
int ArrayCopy(mql::Array<T>& dst, const mql::Array<T>& src, int ds = 0, int ss = 0, int count = WHOLE_ARRAY) {
  int c = count < 0 ? src.size() - ss : count;
  if (ss + c > src.size()) c = src.size() - ss;
  if (c <= 0) return 0;
  if (ds + c > dst.size() && dst.resize(ds + c) < 0) c = dst.size() - ds;
  if (c <= 0) return 0;
  if constexpr (std::is_trivially_copyable_v<T>)
    memmove((void*)(dst.data() + ds), (const void*)(src.data() + ss), sizeof(T) * (size_t)c);
  else if (&dst == &src && ds > ss)
    for (int i = c; i-- > 0;) dst[ds + i] = src[ss + i];
  else
    for (int i = 0; i < c; i++) dst[ds + i] = src[ss + i];
  return c;
}
template <class T>
bool ArrayRemove(mql::Array<T>& a, uint start, uint count = (uint)WHOLE_ARRAY) {
  if ((int)start > a.size() || a.fixed()) return false;
  int c = (int)count < 0 || (int)(start + count) > a.size() ? a.size() - (int)start : (int)count;
  for (int i = (int)start; i + c < a.size(); i++) a[i] = a[i + c];
  a.resize(a.size() - c);
  return true;
}
template <class T>
bool ArraySort(mql::Array<T>& a) {
  std::sort(a.data(), a.data() + a.size());
  return true;
}
template <class T>
int ArrayBsearch(const mql::Array<T>& a, T v) {  // the place of v, or of one beside it
  if (a.size() == 0) return -1;
  int at = (int)(std::lower_bound(a.data(), a.data() + a.size(), v) - a.data());
  return at < a.size() ? at : a.size() - 1;
}
template <class T>
bool ArrayReverse(mql::Array<T>& a, uint start = 0, uint count = (uint)WHOLE_ARRAY) {
  int from = (int)start, to = (int)count < 0 ? a.size() : from + (int)count;
  for (to--; from < to; from++, to--) std::swap(a[from], a[to]);
  return true;
}
template <class T>
int ArrayCompare(const mql::Array<T>& x, const mql::Array<T>& y, int sx = 0, int sy = 0,
                 int count = WHOLE_ARRAY) {
  int nx = x.size() - sx, ny = y.size() - sy;
  if (count >= 0) {
    nx = nx < count ? nx : count;
    ny = ny < count ? ny : count;
  }
  for (int i = 0; i < nx && i < ny; i++)
    if (x[sx + i] != y[sy + i]) return x[sx + i] < y[sy + i] ? -1 : 1;
  return nx == ny ? 0 : nx < ny ? -1 : 1;
}
template <class T>
bool StructToCharArray(const T& o, mql::Array<uchar>& a, uint pos = 0) {
  static_assert(std::is_trivially_copyable_v<T>, "StructToCharArray: simple structures only");
  int need = (int)(pos + sizeof(T));
  if (a.size() < need && a.resize(need) < need) return false;
  memcpy(a.data() + pos, &o, sizeof(T));
  return true;
}
template <class T>
bool CharArrayToStruct(T& o, const mql::Array<uchar>& a, uint pos = 0) {
  static_assert(std::is_trivially_copyable_v<T>, "CharArrayToStruct: simple structures only");
  if ((size_t)a.size() < pos + sizeof(T)) return false;
  memcpy((void*)&o, a.data() + pos, sizeof(T));
  return true;
}
template <class T>
void ZeroMemory(T& o) {
  if constexpr (std::is_trivially_copyable_v<T>) memset((void*)&o, 0, sizeof(T));
  else o = T{};
}
template <class T>
void ZeroMemory(mql::Array<T>& a) {
  for (int i = 0; i < a.size(); i++) a[i] = T{};
}

// ---------------------------------------------------------------- formatting
namespace mql {
struct Arg {
  enum K { I, F, S, D } k;
  long i = 0;
  double f = 0;
  string s;
  int size = 4;
  bool uns = false;
  Arg(double v) : k(F), f(v) {}
  Arg(float v) : k(F), f(v) {}
  Arg(const string& v) : k(S), s(v) {}
  Arg(datetime v) : k(D), i(v.v), size(8) {}
  template <class T, class = std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>>
  Arg(T v) : k(I), i((long)v), size((int)sizeof(T)), uns(std::is_unsigned_v<T>) {}
};
string format(const string& f, const Arg* a, int n);
void print_line(const char* kind, const string& s);
string show(const Arg& a);
template <class... A>
string shown(const A&... a) {
  string o;
  ((o += show(Arg(a))), ...);
  return o;
}
}  // namespace mql
template <class... A>
string StringFormat(const string& f, const A&... a) {
  mql::Arg v[sizeof...(a) + 1] = {mql::Arg(a)..., mql::Arg(0)};
  return mql::format(f, v, (int)sizeof...(a));
}
template <class... A>
void PrintFormat(const string& f, const A&... a) {
  mql::print_line("print", StringFormat(f, a...));
}
template <class... A>
void Print(const A&... a) {
  mql::print_line("print", mql::shown(a...));
}
template <class... A>
void Alert(const A&... a) {
  mql::print_line("alert", mql::shown(a...));
}
template <class... A>
void Comment(const A&... a) {
  mql::print_line("comment", mql::shown(a...));
}

// ---------------------------------------------------------------- strings and conversions
enum { CP_ACP = 0, CP_OEMCP = 1, CP_UTF7 = 65000, CP_UTF8 = 65001 };
enum { TIME_DATE = 1, TIME_MINUTES = 2, TIME_SECONDS = 4 };
int StringLen(const string& s);
int StringFind(const string& s, const string& m, int start = 0);
string StringSubstr(const string& s, int start, int len = -1);
int StringReplace(string& s, const string& a, const string& b);
ushort StringGetCharacter(const string& s, int i);
bool StringSetCharacter(string& s, int i, ushort c);
int StringSplit(const string& s, ushort sep, mql::Array<string>& out);
bool StringToLower(string& s);
bool StringToUpper(string& s);
int StringTrimLeft(string& s);
int StringTrimRight(string& s);
bool StringAdd(string& a, const string& b);
bool StringInit(string& s, int n = 0, ushort c = 0);
int StringCompare(const string& a, const string& b, bool cs = true);
long StringToInteger(const string& s);
double StringToDouble(const string& s);
string IntegerToString(long v, int len = 0, ushort fill = ' ');
string DoubleToString(double v, int digits = 8);
string ShortToString(ushort c);
string CharToString(uchar c);
string TimeToString(datetime t, int mode = TIME_DATE | TIME_MINUTES);
datetime StringToTime(const string& s);
int StringToCharArray(const string& s, mql::Array<uchar>& a, int start = 0, int count = WHOLE_ARRAY,
                      uint cp = CP_ACP);
string CharArrayToString(const mql::Array<uchar>& a, int start = 0, int count = WHOLE_ARRAY,
                         uint cp = CP_ACP);
int StringToShortArray(const string& s, mql::Array<ushort>& a, int start = 0, int count = WHOLE_ARRAY);
string ShortArrayToString(const mql::Array<ushort>& a, int start = 0, int count = WHOLE_ARRAY);
template <class E>
string EnumToString(E e) {
  return string((long)e);
}
double NormalizeDouble(double v, int d);
inline double MathPow(double a, double b) { return pow(a, b); }
inline double MathRound(double v) { return round(v); }
inline double MathFloor(double v) { return floor(v); }
inline double MathCeil(double v) { return ceil(v); }
inline double MathSqrt(double v) { return sqrt(v); }
inline double MathMod(double a, double b) { return fmod(a, b); }
inline double MathLog(double v) { return log(v); }
inline double MathLog10(double v) { return log10(v); }
inline double MathExp(double v) { return exp(v); }
inline bool MathIsValidNumber(double v) { return std::isfinite(v); }
template <class A, class B>
auto MathMax(A a, B b) {
  using C = std::common_type_t<A, B>;
  return (C)a > (C)b ? (C)a : (C)b;
}
template <class A, class B>
auto MathMin(A a, B b) {
  using C = std::common_type_t<A, B>;
  return (C)a < (C)b ? (C)a : (C)b;
}
template <class A>
A MathAbs(A a) {
  return a < 0 ? (A)-a : a;
}
int MathRand();
void MathSrand(int seed);

// ---------------------------------------------------------------- the program and its clocks
enum { INVALID_HANDLE = -1 };
enum { CHARTEVENT_CUSTOM = 1000, CHARTEVENT_CUSTOM_LAST = 66534 };
enum {
  INIT_SUCCEEDED = 0,
  INIT_FAILED = 1,
  INIT_PARAMETERS_INCORRECT = 32767,
  INIT_AGENT_NOT_SUITABLE = 32766
};
enum {
  REASON_PROGRAM,
  REASON_REMOVE,
  REASON_RECOMPILE,
  REASON_CHARTCHANGE,
  REASON_CHARTCLOSE,
  REASON_PARAMETERS,
  REASON_ACCOUNT,
  REASON_TEMPLATE,
  REASON_INITFAILED,
  REASON_CLOSE
};
const double EMPTY_VALUE = DBL_MAX;
int GetLastError();
void ResetLastError();
void SetUserError(ushort e);
bool IsStopped();
int UninitializeReason();
void Sleep(int ms);
void ExpertRemove();
uint GetTickCount();
ulong GetTickCount64();
ulong GetMicrosecondCount();
datetime TimeLocal();
datetime TimeGMT();
int TimeGMTOffset();
int TimeDaylightSavings();
struct MqlDateTime {
  int year, mon, day, hour, min, sec, day_of_week, day_of_year;
};
bool TimeToStruct(datetime t, MqlDateTime& o);
datetime StructToTime(const MqlDateTime& o);
enum ENUM_CRYPT_METHOD {
  CRYPT_BASE64,
  CRYPT_AES128,
  CRYPT_AES256,
  CRYPT_DES,
  CRYPT_HASH_SHA1,
  CRYPT_HASH_SHA256,
  CRYPT_HASH_MD5,
  CRYPT_ARCH_ZIP
};
int CryptEncode(ENUM_CRYPT_METHOD m, const mql::Array<uchar>& data, const mql::Array<uchar>& key,
                mql::Array<uchar>& out);

namespace mql {
template <class T>
struct PtrArg {
  T* p;
  operator T*() const { return p; }
  operator T&() const {
    if (!p) fatal("invalid pointer access");
    return *p;
  }
};
template <class T>
PtrArg<T> parg(T* p) {
  return {p};
}
template <class T>
T* deref(T* p) {
  if (!p) fatal("invalid pointer access");
  return p;
}
}  // namespace mql
enum ENUM_POINTER_TYPE { POINTER_INVALID, POINTER_DYNAMIC, POINTER_AUTOMATIC };
template <class T>
ENUM_POINTER_TYPE CheckPointer(T* p) {
  return p ? POINTER_DYNAMIC : POINTER_INVALID;
}
template <class T>
ENUM_POINTER_TYPE CheckPointer(mql::PtrArg<T> a) {
  return CheckPointer(a.p);
}
template <class T>
T* GetPointer(mql::PtrArg<T> a) {
  return a.p;
}
template <class T>
T* GetPointer(T& o) {
  return &o;
}
template <class T>
T* GetPointer(T* o) {
  return o;
}

// ---------------------------------------------------------------- inputs and events
struct MqlTradeTransaction;
struct MqlTradeRequest;
struct MqlTradeResult;
namespace mql {
struct InputBase {
  const char* name;
  InputBase* next;
  static InputBase*& head();
  InputBase(const char* n);
  virtual void set(const char* v) = 0;
  virtual ~InputBase() = default;
};
template <class T>
struct Input : InputBase {
  T& r;
  Input(const char* n, T& x) : InputBase(n), r(x) {}
  void set(const char* v) override {
    if constexpr (std::is_same_v<T, string>) r = from_utf8(v, strlen(v));
    else if constexpr (std::is_floating_point_v<T>) r = (T)atof(v);
    else if constexpr (std::is_same_v<T, bool>) r = v[0] == '1' || v[0] == 't';
    else r = (T)atol(v);
  }
};
struct Handlers {
  int (*OnInit)();
  void (*OnDeinit)(const int);
  void (*OnTick)();
  void (*OnTimer)();
  void (*OnBookEvent)(const string&);
  void (*OnTradeTransaction)(const struct ::MqlTradeTransaction&, const struct ::MqlTradeRequest&,
                             const struct ::MqlTradeResult&);
  void (*OnTrade)();
  void (*OnChartEvent)(const int, const long&, const double&, const string&);
  void (*OnStart)();
};
int run(const Handlers&, bool is_mql4, int argc, char** argv);
}  // namespace mql
