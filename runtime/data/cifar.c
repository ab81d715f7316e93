// The sources `cifar10` and `cifar100`: the binary versions of https://www.cs.toronto.edu/~kriz/cifar.html. A record is
// the label (cifar100: the coarse label, then the fine one) and 3 planes of 32 x 32 bytes, red, green, blue. x is
// [32, 32, 3], channels last. Files may be compressed by gzip.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "paths.h"

enum { FOLDER, LABELS };
enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, MOST_FILES = 6 };

const NnrtParam nnrt_cifar_params[] = {
    {"folder", NNRT_TAKES_STR, false, true}, {"labels", NNRT_TAKES_STR, true, false}, {0}};

typedef struct Cifar {
  int labels, label; // label bytes in a record, and which one counts
  int classes;
  const char *names; // of the file that names the classes
} Cifar;

static const Cifar cifar10 = {1, 0, 10, "batches.meta.txt"}, fine = {2, 1, 100, "fine_label_names.txt"},
                   coarse = {2, 0, 20, "coarse_label_names.txt"};

static const char *const parts10[2][MOST_FILES] = {
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
    {"test_batch.bin"}};
static const char *const parts100[2][MOST_FILES] = {{"train.bin"}, {"test.bin"}};

static void interleave(const uint8_t *planes, uint8_t *pixels) {
  for (int i = 0; i < PLANE; i++)
    for (int c = 0; c < 3; c++)
      pixels[3 * i + c] = planes[c * PLANE + i];
}

// What is read: first a count, since that of a compressed file is not known before, then the samples themselves.
typedef struct Records {
  int64_t count, room;
  uint8_t *pixels; // NULL: only count
  int64_t *labels;
} Records;

static void keep(Records *records, const Cifar *cifar, const uint8_t *record) {
  if (records->pixels && records->count < records->room) {
    interleave(record + cifar->labels, records->pixels + records->count * PIXELS);
    records->labels[records->count] = record[cifar->label];
  }
  records->count++;
}

static bool read_file(const Cifar *cifar, const char *path, Records *records, NnrtError *error) {
  char why[160];
  uint8_t record[2 + PIXELS];
  int64_t size = cifar->labels + PIXELS, got, first = records->count;
  NnrtFile *file = nnrt_file_open(path, why);
  if (!file)
    return nnrt_fail(error, "%s: cannot open it: %s", path, why);
  while ((got = nnrt_file_read(file, record, size, why)) == size) {
    if (record[cifar->label] >= cifar->classes)
      break;
    keep(records, cifar, record);
  }
  nnrt_file_close(file);
  long long number = records->count - first;
  if (!got && number)
    return true;
  if (got < 0)
    return nnrt_fail(error, "%s: %s", path, why);
  if (got < size)
    return nnrt_fail(error, "%s: the file ends within record %lld; a record of %s is %lld bytes", path, number + 1,
                     cifar->labels == 1 ? "CIFAR-10" : "CIFAR-100", (long long)size);
  return nnrt_fail(error, "%s: record %lld has label %d; labels are 0 to %d", path, number + 1, record[cifar->label],
                   cifar->classes - 1);
}

// FOLDER/NAME or FOLDER/NAME.gz; NULL if there is neither. The caller frees it.
static char *find(const char *folder, const char *name) {
  size_t room = strlen(folder) + strlen(name) + 8;
  char *path = malloc(room), why[160];
  for (int i = 0; path && i < 2; i++) {
    snprintf(path, room, "%s/%s%s", folder, name, i ? ".gz" : "");
    NnrtFile *file = nnrt_file_open(path, why);
    nnrt_file_close(file);
    if (file)
      return path;
  }
  free(path);
  return NULL;
}

// All files of a part. Batches of CIFAR-10 may be missing from the end, but for the first.
static bool read_part(const Cifar *cifar, const char *folder, const char *const *names, bool needed, Records *records,
                      NnrtError *error) {
  for (int i = 0; names[i]; i++) {
    char *path = find(folder, names[i]);
    if (!path)
      return i || !needed || nnrt_fail(error, "the folder `%s` has no %s", folder, names[i]);
    bool ok = read_file(cifar, path, records, error);
    free(path);
    if (!ok)
      return false;
  }
  return true;
}

// One name a line. A file that is missing or has other than so many names names nothing: classes are numbers then.
static const char *const *read_names(NnrtDataset *set, const Cifar *cifar, const char *folder) {
  char *path = find(folder, cifar->names), why[160];
  size_t length;
  char *text = path ? nnrt_file_all(path, &length, why) : NULL;
  const char **names = nnrt_data_alloc(set, cifar->classes, sizeof *names);
  int count = 0;
  free(path);
  for (char *at = text; names && at && *at;) {
    size_t line = strcspn(at, "\r\n");
    if (line && count < cifar->classes)
      names[count] = nnrt_data_text(set, at, line);
    count += line > 0;
    at += line + strspn(at + line, "\r\n");
  }
  free(text);
  return count == cifar->classes && names[count - 1] ? names : NULL;
}

static bool make_room(NnrtDataset *set, Records *records) {
  set->rows = records->count;
  records->labels = set->classes = nnrt_data_alloc(set, records->count, sizeof *set->classes);
  records->pixels = set->bytes = nnrt_data_alloc(set, records->count * PIXELS, 1);
  records->room = records->count;
  records->count = 0;
  return set->classes && set->bytes;
}

// A batch file in the same format.
static bool cifar_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  Records records = {0};
  const Cifar *cifar = model->source;
  return read_file(cifar, path, &records, error) &&
         (make_room(set, &records) || nnrt_fail(error, "%s: not enough memory", path)) &&
         read_file(cifar, path, &records, error);
}

static bool read_folder(const Cifar *cifar, const char *folder, Records *records, int64_t *train, NnrtError *error) {
  const char *const(*parts)[MOST_FILES] = cifar == &cifar10 ? parts10 : parts100;
  bool ok = read_part(cifar, folder, parts[0], true, records, error);
  *train = records->count;
  return ok && read_part(cifar, folder, parts[1], false, records, error);
}

static bool open_folder(NnrtOpening *opening, NnrtDataset *set, const Cifar *cifar, const char *folder) {
  Records records = {0};
  int64_t train;
  if (!read_folder(cifar, folder, &records, &train, opening->error))
    return false;
  nnrt_set_x(set, 3, (const int64_t[]){SIDE, SIDE, 3});
  nnrt_set_y_class(set, cifar->classes, read_names(set, cifar, folder));
  set->like = cifar_like;
  set->source = cifar;
  if (!nnrt_set_part(set, NNRT_PART_TRAIN, 0, train) ||
      !nnrt_set_part(set, NNRT_PART_TEST, train, records.count - train))
    return nnrt_fail_memory(opening);
  if (set->depth != NNRT_DATA_FULL)
    return true;
  return make_room(set, &records) ? read_folder(cifar, folder, &records, &train, opening->error)
                                  : nnrt_fail_memory(opening);
}

bool nnrt_cifar_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  bool ten = !strcmp(opening->call->name, "cifar10");
  const char *which = args[LABELS] ? args[LABELS]->text : "fine";
  if (args[LABELS] && (ten || (strcmp(which, "fine") && strcmp(which, "coarse"))))
    return nnrt_fail_at(opening, args[LABELS],
                        ten ? "`cifar10` has no choice of labels" : "`labels` of `cifar100` is fine or coarse");
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *folder = nnrt_locate(opening->data->file, args[FOLDER]->text);
  if (!folder)
    return nnrt_fail_memory(opening);
  bool ok = open_folder(opening, set, ten ? &cifar10 : *which == 'f' ? &fine : &coarse, folder);
  free(folder);
  return ok || nnrt_fail_from(opening, args[FOLDER]);
}
