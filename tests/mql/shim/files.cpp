// Files, in a sandbox as the terminal's: a name that would lead out of it is refused.
#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include "world.hpp"

using namespace world;
typedef std::lock_guard<std::recursive_mutex> Guard;

namespace {
struct File {
  FILE* file;
  int flags;
};
std::map<int, File>& open_files() {
  static std::map<int, File> all;
  return all;
}
int next_handle = 1;

// Returns an empty text for a name that the sandbox forbids.
std::string path_of(const string& name, int flags) {
  std::string n = mql::utf8(name);
  for (auto& c : n)
    if (c == '\\') c = '/';
  if (n.empty() || n[0] == '/' || n.find("..") != std::string::npos || n.find(':') != std::string::npos) {
    mql::last_error = ERR_WRONG_FILENAME;
    return "";
  }
  return the().files + (flags & FILE_COMMON ? "/Common/" : "/Files/") + n;
}
void make_folders(const std::string& path) {
  for (size_t i = the().files.size() + 1; (i = path.find('/', i)) != std::string::npos; i++)
    mkdir(path.substr(0, i).c_str(), 0777);
}
File* file_of(int h) {
  auto i = open_files().find(h);
  if (i != open_files().end()) return &i->second;
  mql::last_error = ERR_INVALID_FILEHANDLE;
  return nullptr;
}
bool is_text(const File& f) { return f.flags & (FILE_TXT | FILE_CSV); }
bool is_wide(const File& f) { return !(f.flags & FILE_ANSI); }
}  // namespace

int FileOpen(const string& name, int flags, ushort, uint) {
  Guard guard(the().lock);
  std::string path = path_of(name, flags);
  if (path.empty()) return INVALID_HANDLE;
  bool read = flags & FILE_READ, write = flags & FILE_WRITE;
  if (!read && !write) mql::fatal("FileOpen: neither FILE_READ nor FILE_WRITE");
  if (write) make_folders(path);
  FILE* f = nullptr;
  if (read && write) {
    f = fopen(path.c_str(), "r+be");  // not for a terminal that is begun anew
    if (!f) f = fopen(path.c_str(), "w+be");
    if (f && flock(fileno(f), (flags & FILE_SHARE_WRITE ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
      fclose(f);
      mql::last_error = ERR_CANNOT_OPEN_FILE;
      return INVALID_HANDLE;
    }
  } else {
    f = fopen(path.c_str(), write ? "wb" : "rb");
    bool is_held = f && read && flock(fileno(f), LOCK_SH | LOCK_NB) != 0;
    if (is_held) {  // by another program, which shares it with nobody
      fclose(f);
      mql::last_error = ERR_CANNOT_OPEN_FILE;
      return INVALID_HANDLE;
    }
  }
  if (!f) {
    mql::last_error = errno == ENOENT && !write ? ERR_FILE_NOT_EXIST : ERR_CANNOT_OPEN_FILE;
    return INVALID_HANDLE;
  }
  open_files()[next_handle] = {f, flags};
  return next_handle++;
}
void FileClose(int h) {
  Guard guard(the().lock);
  File* f = file_of(h);
  if (!f) return;
  fclose(f->file);
  open_files().erase(h);
}
bool FileIsExist(const string& name, int common) {
  std::string p = path_of(name, common);
  return !p.empty() && access(p.c_str(), F_OK) == 0;
}
bool FileDelete(const string& name, int common) {
  std::string p = path_of(name, common);
  if (!p.empty() && unlink(p.c_str()) == 0) return true;
  mql::last_error = ERR_FILE_NOT_EXIST;
  return false;
}
static bool put(const string& src, int common, const string& dst, int mode, bool keep) {
  std::string a = path_of(src, common), b = path_of(dst, mode);
  if (a.empty() || b.empty()) return false;
  if (access(b.c_str(), F_OK) == 0 && !(mode & FILE_REWRITE)) {
    mql::last_error = 5020;  // ERR_FILE_CANNOT_REWRITE
    return false;
  }
  make_folders(b);
  if (!keep && rename(a.c_str(), b.c_str()) == 0) return true;
  if (keep) {
    FILE *from = fopen(a.c_str(), "rb"), *to = from ? fopen(b.c_str(), "wb") : nullptr;
    char buffer[4096];
    for (size_t n; to && (n = fread(buffer, 1, sizeof buffer, from)) > 0;) fwrite(buffer, 1, n, to);
    if (from) fclose(from);
    if (to) return fclose(to) == 0;
  }
  mql::last_error = ERR_FILE_NOT_EXIST;
  return false;
}
bool FileMove(const string& src, int common, const string& dst, int mode) {
  return put(src, common, dst, mode, false);
}
bool FileCopy(const string& src, int common, const string& dst, int mode) {
  return put(src, common, dst, mode, true);
}
bool FolderCreate(const string& name, int common) {
  std::string p = path_of(name, common);
  if (p.empty()) return false;
  make_folders(p + "/");
  return true;
}
ulong FileSize(int h) {
  Guard guard(the().lock);
  File* f = file_of(h);
  if (!f) return 0;
  fflush(f->file);
  struct stat st;
  return fstat(fileno(f->file), &st) == 0 ? (ulong)st.st_size : 0;
}
ulong FileTell(int h) {
  File* f = file_of(h);
  return f ? (ulong)ftell(f->file) : 0;
}
bool FileSeek(int h, long offset, ENUM_FILE_POSITION origin) {
  File* f = file_of(h);
  static const int whence[] = {0, 1, 2};
  return f && fseek(f->file, offset, whence[origin]) == 0;
}
bool FileIsEnding(int h) { return !file_of(h) || FileTell(h) >= FileSize(h); }
bool FileIsLineEnding(int h) {
  File* f = file_of(h);
  if (!f) return true;
  int c = fgetc(f->file);
  if (c != EOF) ungetc(c, f->file);
  return c == EOF || c == '\n' || c == '\r';
}
void FileFlush(int h) {
  File* f = file_of(h);
  if (f && fflush(f->file) != 0) mql::last_error = ERR_FILE_WRITEERROR;
}
uint mql::file_write(int h, const void* p, size_t n) {
  Guard guard(the().lock);
  File* f = file_of(h);
  if (!f) return 0;
  size_t done = fwrite(p, 1, n, f->file);
  if (done < n || !(f->flags & FILE_WRITE)) mql::last_error = ERR_FILE_WRITEERROR;
  return (uint)done;
}
size_t mql::file_read(int h, void* p, size_t n) {
  Guard guard(the().lock);
  File* f = file_of(h);
  return f ? fread(p, 1, n, f->file) : 0;
}
static std::string encoded(const File& f, const string& s) {
  if (!is_wide(f)) return mql::utf8(s);
  return std::string((const char*)s.u16().data(), s.u16().size() * 2);
}
uint FileWriteString(int h, const string& s, int length) {
  File* f = file_of(h);
  if (!f) return 0;
  std::string bytes = encoded(*f, length < 0 ? s : StringSubstr(s, 0, length));
  return mql::file_write(h, bytes.data(), bytes.size());
}
uint mql::file_line(int h, const string& s) {
  File* f = file_of(h);
  return f ? FileWriteString(h, s + string(u"\r\n")) : 0;
}
string FileReadString(int h, int length) {
  File* f = file_of(h);
  if (!f) return string(u"");
  std::string o;
  std::u16string wide;
  for (;;) {
    int c = fgetc(f->file), high = 0;
    if (is_wide(*f) && c != EOF) high = fgetc(f->file);
    if (c == EOF || high == EOF) break;
    int unit = c | high << 8;
    if (is_text(*f) && unit == '\n') break;
    if (is_text(*f) && unit == '\r') continue;
    if (is_wide(*f)) wide += (char16_t)unit;
    else o += (char)c;
    if (length > 0 && (int)(is_wide(*f) ? wide.size() : o.size()) >= length) break;
  }
  return is_wide(*f) ? string(wide) : mql::from_utf8(o);
}
uint FileWriteInteger(int h, int v, int size) { return mql::file_write(h, &v, (size_t)size); }
uint FileWriteLong(int h, long v) { return mql::file_write(h, &v, sizeof v); }
int FileReadInteger(int h, int size) {
  int v = 0;
  mql::file_read(h, &v, (size_t)size);
  return v;
}
long FileReadLong(int h) {
  long v = 0;
  mql::file_read(h, &v, sizeof v);
  return v;
}
