// Zip archives through zlib's raw inflate. The directory at the archive's end is read at opening; a member is believed
// only as far as the archive's size allows.
#include "data/zip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
  END_SIZE = 22,
  END64_LOCATOR = 20,
  END64_SIZE = 56,
  ENTRY_SIZE = 46,
  LOCAL_SIZE = 30,
  CHUNK = 1 << 16,
  MOST_MEMBERS = 1 << 20
};
enum { STORED = 0, DEFLATED = 8, MOST_EXPANSION = 1032 }; // of deflate: zlib's technical notes

typedef struct Member {
  char *name;
  unsigned method, flags;
  uint32_t crc;
  int64_t packed, size, header; // bytes in the archive, bytes of the content, place of the local header
} Member;

struct NnrtZip {
  FILE *file;
  int64_t size;
  int count;
  Member *members;
  const Member *entered;
  int64_t packed_left, left; // of the member entered
  uint32_t crc;
  bool inflating;
  z_stream stream;
  uint8_t chunk[CHUNK];
};

static uint64_t little(const uint8_t *bytes, int count) {
  uint64_t value = 0;
  for (int i = count; i--;)
    value = value << 8 | bytes[i];
  return value;
}

static bool say(char why[160], const char *text) {
  snprintf(why, 160, "%s", text);
  return false;
}

static bool read_at(NnrtZip *zip, int64_t place, void *to, int64_t count, char why[160]) {
  if (place < 0 || place > zip->size - count)
    return say(why, "the zip archive is damaged or cut short");
  if (fseeko(zip->file, place, SEEK_SET) != 0 || fread(to, 1, (size_t)count, zip->file) != (size_t)count)
    return say(why, errno ? strerror(errno) : "the file ends too early");
  return true;
}

// ---- the directory
typedef struct Directory {
  int64_t place, bytes;
  uint64_t entries;
} Directory;

// The record at the archive's end, behind which stands only a comment.
static bool find_end(NnrtZip *zip, int64_t *place, uint8_t end[END_SIZE], char why[160]) {
  int64_t room = zip->size < CHUNK ? zip->size : CHUNK, first = zip->size - room;
  if (!read_at(zip, first, zip->chunk, room, why))
    return false;
  for (int64_t at = room - END_SIZE; at >= 0; at--)
    if (!memcmp(zip->chunk + at, "PK\5\6", 4)) {
      memcpy(end, zip->chunk + at, END_SIZE);
      *place = first + at;
      return true;
    }
  return say(why, "not a zip archive, or one that was cut short");
}

static bool find_directory(NnrtZip *zip, Directory *directory, char why[160]) {
  uint8_t end[END_SIZE], locator[END64_LOCATOR], end64[END64_SIZE];
  int64_t place;
  if (!find_end(zip, &place, end, why))
    return false;
  *directory = (Directory){(int64_t)little(end + 16, 4), (int64_t)little(end + 12, 4), little(end + 10, 2)};
  bool large = directory->place == UINT32_MAX || directory->bytes == UINT32_MAX || directory->entries == UINT16_MAX;
  if (!large || place < END64_LOCATOR)
    return true;
  if (!read_at(zip, place - END64_LOCATOR, locator, END64_LOCATOR, why))
    return false;
  if (memcmp(locator, "PK\6\7", 4))
    return true;
  if (!read_at(zip, (int64_t)little(locator + 8, 8), end64, END64_SIZE, why))
    return false;
  *directory = (Directory){(int64_t)little(end64 + 48, 8), (int64_t)little(end64 + 40, 8), little(end64 + 32, 8)};
  return true;
}

// The 64-bit extension holds, in this order, those of the numbers that are all ones in the entry.
static void extend(Member *member, const uint8_t *extra, int64_t length) {
  for (int64_t at = 0; at + 4 <= length;) {
    int64_t size = (int64_t)little(extra + at + 2, 2), field = at + 4;
    if (size > length - field)
      return;
    if (little(extra + at, 2) == 1) {
      int64_t *const wanted[] = {&member->size, &member->packed, &member->header};
      for (int i = 0; i < 3 && field + 8 <= at + 4 + size; i++)
        if (*wanted[i] == UINT32_MAX) {
          *wanted[i] = (int64_t)little(extra + field, 8);
          field += 8;
        }
      return;
    }
    at = field + size;
  }
}

static bool read_entries(NnrtZip *zip, const uint8_t *bytes, const Directory *directory, char why[160]) {
  int64_t at = 0;
  for (; zip->count < (int)directory->entries; zip->count++) {
    const uint8_t *entry = bytes + at;
    if (at + ENTRY_SIZE > directory->bytes || memcmp(entry, "PK\1\2", 4))
      return say(why, "the directory of the zip archive is damaged");
    int64_t name = (int64_t)little(entry + 28, 2), extra = (int64_t)little(entry + 30, 2),
            comment = (int64_t)little(entry + 32, 2);
    at += ENTRY_SIZE + name + extra + comment;
    if (at > directory->bytes)
      return say(why, "the directory of the zip archive is damaged");
    Member *member = &zip->members[zip->count];
    *member = (Member){.name = strndup((const char *)entry + ENTRY_SIZE, (size_t)name),
                       .flags = (unsigned)little(entry + 8, 2),
                       .method = (unsigned)little(entry + 10, 2),
                       .crc = (uint32_t)little(entry + 16, 4),
                       .packed = (int64_t)little(entry + 20, 4),
                       .size = (int64_t)little(entry + 24, 4),
                       .header = (int64_t)little(entry + 42, 4)};
    if (!member->name)
      return say(why, "not enough memory");
    extend(member, entry + ENTRY_SIZE + name, extra);
  }
  return true;
}

static bool read_directory(NnrtZip *zip, char why[160]) {
  Directory directory;
  if (!find_directory(zip, &directory, why))
    return false;
  if (directory.bytes < 0 || directory.bytes > zip->size || directory.entries > MOST_MEMBERS ||
      directory.entries > (uint64_t)directory.bytes / ENTRY_SIZE)
    return say(why, "the directory of the zip archive is damaged");
  uint8_t *bytes = malloc((size_t)directory.bytes + 1);
  zip->members = calloc((size_t)directory.entries + 1, sizeof *zip->members);
  bool ok = bytes && zip->members ? read_at(zip, directory.place, bytes, directory.bytes, why) &&
                                        read_entries(zip, bytes, &directory, why)
                                  : say(why, "not enough memory");
  free(bytes);
  return ok;
}

NnrtZip *nnrt_zip_open(const char *path, char why[160]) {
  NnrtZip *zip = calloc(1, sizeof *zip);
  errno = 0;
  if (!zip || !(zip->file = fopen(path, "rb")) || fseeko(zip->file, 0, SEEK_END) != 0 ||
      (zip->size = ftello(zip->file)) < 0)
    say(why, strerror(errno ? errno : ENOMEM));
  else if (read_directory(zip, why))
    return zip;
  nnrt_zip_close(zip);
  return NULL;
}

static void leave(NnrtZip *zip) {
  if (zip->inflating)
    inflateEnd(&zip->stream);
  zip->inflating = false;
  zip->entered = NULL;
}

void nnrt_zip_close(NnrtZip *zip) {
  if (!zip)
    return;
  leave(zip);
  for (int i = 0; zip->members && i < zip->count; i++)
    free(zip->members[i].name);
  free(zip->members);
  if (zip->file)
    fclose(zip->file);
  free(zip);
}

const char *nnrt_zip_name(const NnrtZip *zip, int index) {
  return index < zip->count ? zip->members[index].name : NULL;
}

// ---- members
bool nnrt_zip_enter(NnrtZip *zip, int index, char why[160]) {
  uint8_t header[LOCAL_SIZE];
  const Member *member = &zip->members[index];
  leave(zip);
  if (member->flags & 1)
    return say(why, "it is encrypted");
  if (member->method != STORED && member->method != DEFLATED)
    return say(why, "it is compressed by a method other than deflate");
  if (!read_at(zip, member->header, header, LOCAL_SIZE, why))
    return false;
  int64_t place = member->header + LOCAL_SIZE + (int64_t)(little(header + 26, 2) + little(header + 28, 2));
  if (memcmp(header, "PK\3\4", 4) || member->packed < 0 || member->size < 0 || place > zip->size - member->packed ||
      (member->method == STORED ? member->packed != member->size
                                : member->size > member->packed * MOST_EXPANSION + 1024))
    return say(why, "the zip archive is damaged or cut short");
  if (fseeko(zip->file, place, SEEK_SET) != 0)
    return say(why, strerror(errno));
  zip->stream = (z_stream){0};
  if (member->method == DEFLATED && inflateInit2(&zip->stream, -MAX_WBITS) != Z_OK)
    return say(why, "not enough memory");
  zip->inflating = member->method == DEFLATED;
  zip->entered = member;
  zip->packed_left = member->packed;
  zip->left = member->size;
  zip->crc = (uint32_t)crc32(0, NULL, 0);
  return true;
}

// More packed bytes for the stream. False: the file could not be read.
static bool refill(NnrtZip *zip) {
  int64_t count = zip->packed_left < CHUNK ? zip->packed_left : CHUNK;
  if (fread(zip->chunk, 1, (size_t)count, zip->file) != (size_t)count)
    return false;
  zip->packed_left -= count;
  zip->stream.next_in = zip->chunk;
  zip->stream.avail_in = (unsigned)count;
  return true;
}

static int64_t unpack(NnrtZip *zip, void *to, int64_t count) {
  zip->stream.next_out = to;
  zip->stream.avail_out = (unsigned)count;
  while (zip->stream.avail_out > 0) {
    if (!zip->stream.avail_in && (!zip->packed_left || !refill(zip)))
      return -1;
    int status = inflate(&zip->stream, Z_NO_FLUSH);
    if (status == Z_STREAM_END)
      break;
    if (status != Z_OK)
      return -1;
  }
  return count - (int64_t)zip->stream.avail_out;
}

int64_t nnrt_zip_read(NnrtZip *zip, void *to, int64_t count, char why[160]) {
  int64_t done = 0;
  count = count < zip->left ? count : zip->left;
  while (done < count) {
    int64_t piece = count - done < 1 << 30 ? count - done : 1 << 30;
    uint8_t *at = (uint8_t *)to + done;
    int64_t got = zip->inflating ? unpack(zip, at, piece) : (int64_t)fread(at, 1, (size_t)piece, zip->file);
    if (got != piece) {
      say(why, "the zip archive is damaged or cut short");
      return -1;
    }
    zip->crc = (uint32_t)crc32(zip->crc, at, (unsigned)got);
    done += got;
    zip->left -= got;
    if (!zip->left && zip->crc != zip->entered->crc) {
      say(why, "the zip archive is damaged: a checksum does not match");
      return -1;
    }
  }
  return done;
}

int64_t nnrt_zip_limit(const NnrtZip *zip) {
  return zip->entered->size;
}
