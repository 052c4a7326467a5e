// MQL5's sockets with what is documented of their oddities, and ws2_32.dll as MQL4 sees it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#define MQL_SIMULATION
#include "world.hpp"
#include "mql4_api.hpp"

using world::the;

namespace {
typedef std::chrono::steady_clock Clock;
struct Socket {
  int fd = -1;
  bool connected = false, speculates = true;
  uint send_ms = 0;
};
std::map<int, Socket>& sockets() {
  static std::map<int, Socket> all;
  return all;
}
int next_socket = 1;
int failed(int error) {
  mql::last_error = error;
  return -1;
}
Socket* socket_of(int h) {
  auto i = sockets().find(h);
  if (i != sockets().end()) return &i->second;
  mql::last_error = ERR_NETSOCKET_INVALIDHANDLE;
  return nullptr;
}
void lose(Socket& s) {
  s.connected = false;
  if (s.fd >= 0) close(s.fd);
  s.fd = -1;
  mql::last_error = ERR_NETSOCKET_IO_ERROR;
}
// What is left of a while, in milliseconds: at least 0.
int left_ms(Clock::time_point end) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  return (int)std::max((long)left, 0L);
}
// Windows asks again where nobody listens, so that a refusal takes its time.
Clock::time_point refusal() { return Clock::now() + std::chrono::milliseconds(the().quirks.connect_ms); }
bool dialled(int fd, const char* host, uint port, uint timeout_ms) {
  sockaddr_in a = {};
  a.sin_family = AF_INET;
  a.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, host, &a.sin_addr) != 1) inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  auto end = std::min(refusal(), Clock::now() + std::chrono::milliseconds(timeout_ms));
  if (connect(fd, (sockaddr*)&a, sizeof a) == 0) return true;
  pollfd p = {fd, POLLOUT, 0};
  int error = 0;
  socklen_t n = sizeof error;
  if (errno == EINPROGRESS && poll(&p, 1, (int)timeout_ms) == 1 &&
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0)
    return true;
  std::this_thread::sleep_until(end);
  return false;
}
}  // namespace

int SocketCreate(uint) {
  if (sockets().size() >= 128) return failed(ERR_NETSOCKET_TOO_MANY_OPENED);
  sockets()[next_socket];
  return next_socket++;
}
bool SocketClose(int h) {
  Socket* s = socket_of(h);
  if (!s) return false;
  if (s->fd >= 0) close(s->fd);
  sockets().erase(h);
  return true;
}
bool SocketConnect(int h, const string& host, uint port, uint timeout_ms) {
  Socket* s = socket_of(h);
  if (!s) return false;
  std::string name = mql::utf8(host);
  const world::Quirks& quirks = the().quirks;
  bool allowed = false;
  for (auto& one : the().config["allowed"].list()) allowed = allowed || one.text() == name;
  if (!allowed) return failed(ERR_FUNCTION_NOT_ALLOWED), false;
  if (the().quirks.connect_refused > 0 && the().quirks.connect_refused--)
    return failed(ERR_NETSOCKET_CANNOT_CONNECT), false;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (!dialled(fd, name.c_str(), port, timeout_ms)) {
    close(fd);
    return failed(ERR_NETSOCKET_CANNOT_CONNECT), false;
  }
  int nodelay = (int)quirks.nodelay, room = (int)quirks.send_buffer;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay);
  if (room > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  s->fd = fd;
  s->connected = true;
  return true;
}
bool SocketIsConnected(int h) {
  Socket* s = socket_of(h);
  return s && s->connected;
}
uint SocketIsReadable(int h) {
  the().looks++;
  Socket* s = socket_of(h);
  if (!s) return 0;
  if (!s->connected) return (uint)(failed(ERR_NETSOCKET_IO_ERROR), 0);
  int n = 0;
  ioctl(s->fd, FIONREAD, &n);
  bool odd = the().quirks.readable_one != 0;
  if (n == 0 && odd && s->speculates) {
    s->speculates = false;
    return 1;  // of nothing
  }
  s->speculates = n > 0;
  return n > 1 && odd && rand() % 8 == 0 ? 1 : (uint)n;
}
bool SocketIsWritable(int h) {
  Socket* s = socket_of(h);
  if (!s || !s->connected) return false;
  pollfd p = {s->fd, POLLOUT, 0};
  return poll(&p, 1, 0) == 1;
}
bool SocketTimeouts(int h, uint send_ms, uint) {
  Socket* s = socket_of(h);
  if (!s) return false;
  s->send_ms = send_ms;
  return true;
}
int SocketRead(int h, mql::Array<uchar>& b, uint maxlen, uint timeout_ms) {
  Socket* s = socket_of(h);
  if (!s) return -1;
  if (!s->connected) return failed(ERR_NETSOCKET_IO_ERROR);
  if (timeout_ms == 0) timeout_ms = 120000;  // the trap: 0 is two minutes
  std::vector<uchar> got(maxlen);
  size_t n = 0;
  auto end = Clock::now() + std::chrono::milliseconds(timeout_ms);
  while (n < maxlen) {
    ssize_t k = recv(s->fd, got.data() + n, maxlen - n, 0);
    if (k == 0 || (k < 0 && errno != EAGAIN && errno != EINTR)) {
      if (!the().quirks.stale) lose(*s);
      mql::last_error = ERR_NETSOCKET_IO_ERROR;
      break;
    }
    if (k > 0) n += (size_t)k;
    if (k > 0 && !the().quirks.read_whole) break;
    long left = (long)std::chrono::duration_cast<std::chrono::microseconds>(end - Clock::now()).count();
    if (left <= 0 || (n == 0 && the().quirks.read_error == 2)) {
      if (n == 0 && the().quirks.read_error) mql::last_error = ERR_NETSOCKET_IO_ERROR;
      if (n == 0 && the().quirks.read_error == 3) lose(*s);
      break;
    }
    pollfd p = {s->fd, POLLIN, 0};
    timespec ts = {left / 1000000, (left % 1000000) * 1000};
    ppoll(&p, 1, &ts, nullptr);
  }
  if (n == 0) return -1;  // a time-out and an error alike
  if (b.size() < (int)n && b.resize((int)n) < 0) return -1;
  memcpy(b.data(), got.data(), n);
  return (int)n;
}
int SocketSend(int h, const mql::Array<uchar>& b, uint length) {
  Socket* s = socket_of(h);
  if (!s) return -1;
  if (!s->connected) return failed(ERR_NETSOCKET_IO_ERROR);
  if ((int)length > b.size()) mql::fatal("SocketSend: length beyond the array");
  size_t done = 0, most = length, part = (size_t)the().quirks.send_partial;
  if (part && rand() % 4 == 0 && part < most) most = part;
  while (done < most) {
    ssize_t n = send(s->fd, b.data() + done, most - done, MSG_NOSIGNAL);
    if (n > 0) {
      done += (size_t)n;
      continue;
    }
    pollfd p = {s->fd, POLLOUT, 0};
    if (n < 0 && errno == EAGAIN && poll(&p, 1, s->send_ms ? (int)s->send_ms : -1) == 1) continue;
    lose(*s);
    return -1;
  }
  return (int)done;
}

// ---------------------------------------------------------------- ws2_32.dll
#undef htons
namespace mqlimp {
static int last = 0;
static std::map<uint, Clock::time_point> refused;  // sockets whose dial will fail, and when
static bool is_blocking(uint s) { return !(fcntl((int)s, F_GETFL) & O_NONBLOCK); }
static int told(ssize_t n) {
  if (n >= 0) return (int)n;
  last = errno == EAGAIN || errno == EINPROGRESS ? 10035
         : errno == ECONNREFUSED                 ? 10061
         : errno == EISCONN                      ? 10056
         : errno == EALREADY                     ? 10037
                                                 : 10054;
  return -1;
}
int WSAStartup(int, mql::Array<uchar>&) { return 0; }
int WSACleanup() { return 0; }
int WSAGetLastError() { return last; }
uint socket(int family, int type, int protocol) {
  return (uint)::socket(family, type | SOCK_CLOEXEC, protocol);
}
int connect_(uint s, const void* address, int length) {
  if (the().quirks.send_buffer > 0) {
    int room = (int)the().quirks.send_buffer;
    ::setsockopt((int)s, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  }
  auto end = refusal();
  int n = told(::connect((int)s, (const sockaddr*)address, (socklen_t)length));
  if (is_blocking(s)) {
    if (n != 0) std::this_thread::sleep_until(end);
    return n;
  }
  if (n != 0 && last != 10035) refused[s] = end;
  last = 10035;  // and never at once
  return -1;
}
int closesocket(uint s) {
  refused.erase(s);
  return told(close((int)s));
}
int shutdown(uint s, int how) { return told(::shutdown((int)s, how)); }
int send(uint s, const mql::Array<uchar>& d, int n, int) {
  if (n > d.size()) mql::fatal("send: length beyond the array");
  size_t part = (size_t)the().quirks.send_partial;
  if (part && rand() % 4 == 0 && part < (size_t)n) n = (int)part;
  return told(::send((int)s, d.data(), (size_t)n, MSG_NOSIGNAL));
}
int recv(uint s, mql::Array<uchar>& d, int n, int) {
  the().looks++;
  if (n > d.size()) mql::fatal("recv: length beyond the array");
  return told(::recv((int)s, d.data(), (size_t)n, 0));
}
int ioctlsocket(uint s, int command, uint& value) {
  int v = (int)value;
  int r = told(::ioctl((int)s, command == (int)0x8004667E ? FIONBIO : FIONREAD, &v));
  value = (uint)v;
  return r;
}
// Sets of one socket, of which those stay that are ready, and a time-out of seconds and
// microseconds, as Windows lays them out.
int select_(uint* readable, uint* writable, uint* broken, const int* limit) {
  uint s = readable ? readable[1] : writable[1];
  int ms = limit[0] * 1000 + (limit[1] + 999) / 1000;
  auto dial = refused.find(s);
  bool is_refused = dial != refused.end();
  pollfd p = {(int)s, (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)), 0};
  if (is_refused) {
    auto end = Clock::now() + std::chrono::milliseconds(ms);
    std::this_thread::sleep_until(std::min(end, dial->second));
    p.revents = Clock::now() >= dial->second ? POLLERR : 0;
  } else if (poll(&p, 1, ms) < 0) {
    return told(-1);
  }
  // a dial that failed is told as broken, and as nothing else
  bool is_broken = p.revents & (POLLERR | POLLNVAL) && !readable;
  if (readable) readable[0] = p.revents != 0;
  if (writable) writable[0] = p.revents & POLLOUT && !is_broken;
  if (broken) broken[0] = is_broken;
  return (int)((readable ? readable[0] : 0) + (writable ? writable[0] : 0) + (broken ? broken[0] : 0));
}
// Windows' numbers of what an EA sets and asks
static int level_of(int level) { return level == 0xffff ? SOL_SOCKET : level; }
static int option_of(int level, int option) {
  if (level != 0xffff) return option;
  return option == 0x1007   ? SO_ERROR
         : option == 0x1001 ? SO_SNDBUF
         : option == 0x1002 ? SO_RCVBUF
         : option == 8      ? SO_KEEPALIVE
                            : option;
}
int setsockopt(uint s, int level, int option, int& value, int length) {
  return told(::setsockopt((int)s, level_of(level), option_of(level, option), &value, (socklen_t)length));
}
int getsockopt(uint s, int level, int option, int& value, int& length) {
  socklen_t n = (socklen_t)length;
  int r = told(::getsockopt((int)s, level_of(level), option_of(level, option), &value, &n));
  length = (int)n;
  return r;
}
uint inet_addr(mql::Array<uchar>& text) { return ::inet_addr((const char*)text.data()); }
ushort htons(int v) { return (ushort)((v & 255) << 8 | (v >> 8 & 255)); }
}  // namespace mqlimp
