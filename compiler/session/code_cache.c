// The folder of compiled code: see code_cache.h. A file is named after the hash of its key and holds a head, the key and the
// object.
#define _GNU_SOURCE // dl_iterate_phdr
#include "session/code_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <llvm-c/BitWriter.h>
#include <llvm/Config/llvm-config.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/vec.h"

typedef struct Head {
  char magic[8];
  uint64_t key_bytes, object_bytes, object_hash;
} Head;
static const char magic[8] = "nnccode";
#define TAIL ".code"

static uint64_t hash(const void *bytes, size_t count) {
  return hash_bytes(HASH_START, bytes, count);
}

// ---- opening
// The build id that the linker wrote into this program: other code of ours, another id.
static int find_build_id(struct dl_phdr_info *info, size_t size, void *text) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_NOTE)
      continue;
    const unsigned char *at = (const unsigned char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    const unsigned char *end = at + info->dlpi_phdr[i].p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      memcpy(&note, at, sizeof note);
      const unsigned char *name = at + sizeof note, *data = name + (note.n_namesz + 3) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(name, "GNU", 4) == 0 && note.n_descsz <= 32)
        for (unsigned k = 0; k < note.n_descsz; k++)
          sprintf((char *)text + 2 * k, "%02x", data[k]);
      at = data + (note.n_descsz + 3) / 4 * 4;
    }
  }
  return 1; // the first object is the program itself
}

static bool make_folders(Arena *arena, const char *path) {
  char *copy = arena_strndup(arena, path, strlen(path));
  for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
    *at = '\0';
    mkdir(copy, 0777);
    *at = '/';
  }
  return mkdir(path, 0777) == 0 || errno == EEXIST;
}

CodeCache code_cache_open(Arena *arena) {
  const char *named = getenv("NNC_CACHE"), *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *folder = NULL;
  char build[65] = "";
  if (named && *named)
    folder = strcmp(named, "off") == 0 ? NULL : named;
  else if (base && *base)
    folder = arena_printf(arena, "%s/nnc", base);
  else if (home && *home)
    folder = arena_printf(arena, "%s/.cache/nnc", home);
  dl_iterate_phdr(find_build_id, build);
  if (!folder || !*build || !make_folders(arena, folder))
    return (CodeCache){0};
  return (CodeCache){folder, arena_printf(arena, "nnc %s, LLVM %s", build, LLVM_VERSION_STRING)};
}

// ---- keys
CodeKey code_key(Arena *arena, const CodeCache *cache, LLVMModuleRef module, LLVMTargetMachineRef machine) {
  if (!cache->folder)
    return (CodeKey){0};
  char *cpu = LLVMGetTargetMachineCPU(machine), *features = LLVMGetTargetMachineFeatureString(machine);
  const char *makers = arena_printf(arena, "%s, %s, %s\n", cache->maker, cpu, features);
  LLVMMemoryBufferRef code = LLVMWriteBitcodeToMemoryBuffer(module);
  size_t length = strlen(makers), bytes = LLVMGetBufferSize(code);
  CodeKey key = {arena_alloc(arena, length + bytes), length + bytes};
  memcpy(key.bytes, makers, length);
  memcpy(key.bytes + length, LLVMGetBufferStart(code), bytes);
  LLVMDisposeMemoryBuffer(code);
  LLVMDisposeMessage(cpu);
  LLVMDisposeMessage(features);
  return key;
}

static const char *path_of(Arena *arena, const CodeCache *cache, const CodeKey *key) {
  return arena_printf(arena, "%s/%016llx" TAIL, cache->folder, (unsigned long long)hash(key->bytes, key->count));
}

// ---- files
static bool is_of(const Head *head, const unsigned char *file, size_t size, const CodeKey *key) {
  if (memcmp(head->magic, magic, sizeof magic) != 0 || head->key_bytes != key->count ||
      head->object_bytes != size - sizeof *head - key->count)
    return false;
  const unsigned char *object = file + sizeof *head + key->count;
  return memcmp(file + sizeof *head, key->bytes, key->count) == 0 &&
         hash(object, head->object_bytes) == head->object_hash;
}

LLVMMemoryBufferRef code_cache_find(Arena *arena, const CodeCache *cache, const CodeKey *key) {
  LLVMMemoryBufferRef file = NULL, object = NULL;
  char *message = NULL;
  if (!cache->folder)
    return NULL;
  const char *path = path_of(arena, cache, key);
  if (LLVMCreateMemoryBufferWithContentsOfFile(path, &file, &message)) {
    LLVMDisposeMessage(message);
    return NULL;
  }
  Head head;
  size_t size = LLVMGetBufferSize(file);
  const unsigned char *bytes = (const unsigned char *)LLVMGetBufferStart(file);
  if (size >= sizeof head + key->count) {
    memcpy(&head, bytes, sizeof head);
    if (is_of(&head, bytes, size, key))
      object = LLVMCreateMemoryBufferWithMemoryRangeCopy((const char *)bytes + sizeof head + key->count,
                                                         (size_t)head.object_bytes, "kept");
  }
  LLVMDisposeMemoryBuffer(file);
  if (object)
    utimensat(AT_FDCWD, path, NULL, 0); // used now: the last to be removed
  return object;
}

// ---- trimming
typedef struct Kept {
  const char *path;
  int64_t bytes;
  struct timespec used;
} Kept;

static int by_use(const void *a, const void *b) {
  const struct timespec *x = &((const Kept *)a)->used, *y = &((const Kept *)b)->used;
  return x->tv_sec != y->tv_sec ? (x->tv_sec > y->tv_sec) - (x->tv_sec < y->tv_sec)
                                : (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static void trim(Arena *arena, const CodeCache *cache) {
  DIR *folder = opendir(cache->folder);
  VEC(Kept) files = {0};
  int64_t bytes = 0;
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    size_t length = strlen(entry->d_name), tail = strlen(TAIL);
    struct stat about;
    const char *path = arena_printf(arena, "%s/%s", cache->folder, entry->d_name);
    if (length <= tail || strcmp(entry->d_name + length - tail, TAIL) != 0 || stat(path, &about) != 0)
      continue;
    bytes += about.st_size;
    vec_push(arena, &files, ((Kept){path, about.st_size, about.st_mtim}));
  }
  if (folder)
    closedir(folder);
  if (bytes <= CODE_CACHE_BYTES)
    return;
  qsort(files.data, (size_t)files.count, sizeof *files.data, by_use);
  for (int i = 0; i < files.count && bytes > CODE_CACHE_BYTES; i++) {
    unlink(files.data[i].path);
    bytes -= files.data[i].bytes;
  }
}

// ---- keeping
void code_cache_keep(Arena *arena, const CodeCache *cache, const CodeKey *key, LLVMMemoryBufferRef object) {
  if (!cache->folder)
    return;
  size_t bytes = LLVMGetBufferSize(object);
  Head head = {.key_bytes = key->count, .object_bytes = bytes, .object_hash = hash(LLVMGetBufferStart(object), bytes)};
  memcpy(head.magic, magic, sizeof magic);
  char *path = arena_printf(arena, "%s/XXXXXX", cache->folder);
  int number = mkstemp(path);
  FILE *file = number >= 0 ? fdopen(number, "wb") : NULL;
  if (!file) {
    if (number >= 0)
      close(number);
    return;
  }
  bool good = fwrite(&head, sizeof head, 1, file) == 1 && fwrite(key->bytes, 1, key->count, file) == key->count &&
              fwrite(LLVMGetBufferStart(object), 1, bytes, file) == bytes;
  good = fclose(file) == 0 && good;
  if (!good || rename(path, path_of(arena, cache, key)) != 0)
    unlink(path);
  trim(arena, cache);
}
