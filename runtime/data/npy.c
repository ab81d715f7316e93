// The sources `npy` and `npz`: NumPy's arrays, alone or in a zip archive ("NEP 1: a simple file format for NumPy
// arrays"). Read are bool, whole numbers and reals of 1 to 8 bytes in either byte order, rows one after the other.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/arrays.h"
#include "data/zip.h"

enum { PATH, ARRAYS }; // of npz: the file, then the names of its arrays
enum { MOST_HEADER = 1 << 16, CHUNK = 8192 };

const NnrtParam nnrt_npy_params[] = {{"x", NNRT_TAKES_STR, false, true},
                                     {"y", NNRT_TAKES_STR, false, false},
                                     {"test_x", NNRT_TAKES_STR, true, false},
                                     {"test_y", NNRT_TAKES_STR, true, false},
                                     {0}};
const NnrtParam nnrt_npz_params[] = {{"file", NNRT_TAKES_STR, false, true},   {"x", NNRT_TAKES_STR, true, false},
                                     {"y", NNRT_TAKES_STR, true, false},      {"test_x", NNRT_TAKES_STR, true, false},
                                     {"test_y", NNRT_TAKES_STR, true, false}, {0}};

// An array's bytes: a file, or a member of an archive.
typedef struct Npy {
  NnrtFile *file;
  NnrtZip *zip;
  char kind; // b, u, i, f
  int size;  // of an element
  bool swap; // the other byte order
} Npy;

static bool read_bytes(const NnrtArray *array, void *to, int64_t count, NnrtError *error) {
  const Npy *npy = array->file;
  char why[160];
  int64_t got = npy->zip ? nnrt_zip_read(npy->zip, to, count, why) : nnrt_file_read(npy->file, to, count, why);
  return got == count || nnrt_fail(error, "%s: %s", array->name, got < 0 ? why : "the file ends too early");
}

// ---- elements
static double number(const uint8_t *bytes, char kind, int size) {
  uint64_t bits = 0;
  float single;
  double value;
  memcpy(&bits, bytes, (size_t)size); // the machine is little-endian, as all that nnc compiles for
  if (kind == 'f' && size == 4) {
    memcpy(&single, bytes, sizeof single);
    return (double)single;
  }
  if (kind == 'f') {
    memcpy(&value, bytes, sizeof value);
    return value;
  }
  if (kind != 'i')
    return (double)bits;
  int unused = 64 - 8 * size;
  return (double)((int64_t)(bits << unused) >> unused);
}

static void swap_bytes(uint8_t *bytes, int size) {
  for (int i = 0; i < size / 2; i++) {
    uint8_t kept = bytes[i];
    bytes[i] = bytes[size - 1 - i];
    bytes[size - 1 - i] = kept;
  }
}

static bool read_rows(NnrtArray *array, int64_t count, void *to, NnrtError *error) {
  const Npy *npy = array->file;
  int64_t total = count * array->width, size = npy->size, at_once = CHUNK / size;
  if (array->kind == NNRT_ARRAY_BYTES)
    return read_bytes(array, to, total, error);
  uint8_t chunk[CHUNK];
  double *out = to;
  for (int64_t done = 0; done < total; done += at_once) {
    int64_t now = total - done < at_once ? total - done : at_once;
    if (!read_bytes(array, chunk, now * size, error))
      return false;
    for (int64_t i = 0; i < now; i++) {
      if (npy->swap)
        swap_bytes(chunk + i * size, npy->size);
      *out++ = number(chunk + i * size, npy->kind, npy->size);
    }
  }
  return true;
}

static void close_npy(NnrtArray *array) {
  Npy *npy = array->file;
  nnrt_file_close(npy->file);
  nnrt_zip_close(npy->zip);
  free(npy);
}

// ---- the header: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
static const char *value_of(const char *header, const char *key) {
  const char *at = strstr(header, key);
  if (!at)
    return NULL;
  at += strlen(key);
  at += strspn(at, " ");
  if (*at != ':')
    return NULL;
  return at + 1 + strspn(at + 1, " ");
}

static bool read_type(NnrtArray *array, const char *text, NnrtError *error) {
  Npy *npy = array->file;
  char order = 0, kind = 0, quote = 0;
  int size = 0;
  if (!text || sscanf(text, "'%c%c%2d%c", &order, &kind, &size, &quote) != 4 || quote != '\'' ||
      !strchr("<>|=", order) || !strchr("buif", kind) || (size != 1 && size != 2 && size != 4 && size != 8) ||
      (kind == 'b' && size != 1) || (kind == 'f' && size < 4))
    return nnrt_fail(error,
                     "%s: elements of type %.*s cannot be read; bool, whole numbers, float32 and float64 can: "
                     "convert the array by astype",
                     array->name, text ? (int)strcspn(text, ",}") : 1, text ? text : "?");
  npy->kind = kind;
  npy->size = size;
  npy->swap = order == '>';
  array->kind = kind == 'f' ? NNRT_ARRAY_REAL : kind == 'u' && size == 1 ? NNRT_ARRAY_BYTES : NNRT_ARRAY_WHOLE;
  return true;
}

static bool read_shape(NnrtArray *array, const char *text, NnrtError *error) {
  if (!text || *text++ != '(')
    return nnrt_fail(error, "%s: the header has no shape", array->name);
  for (array->rank = 0; *(text += strspn(text, " ,")) != ')'; array->rank++) {
    int used = 0;
    if (array->rank > NNRT_MAX_RANK)
      return nnrt_fail(error, "%s has more than %d dimensions", array->name, NNRT_MAX_RANK + 1);
    if (sscanf(text, "%18" SCNd64 "%n", &array->dim[array->rank], &used) != 1)
      return nnrt_fail(error, "%s: the shape in the header is damaged", array->name);
    text += used;
  }
  return true;
}

static bool read_header(NnrtArray *array, NnrtError *error) {
  const Npy *npy = array->file;
  uint8_t head[12];
  if (!read_bytes(array, head, 10, error))
    return false;
  if (memcmp(head, "\x93NUMPY", 6) || head[6] < 1 || head[6] > 3)
    return nnrt_fail(error, "%s: not an NPY file (it starts with bytes %02x %02x %02x %02x)", array->name, head[0],
                     head[1], head[2], head[3]);
  if (head[6] > 1 && !read_bytes(array, head + 10, 2, error))
    return false;
  int64_t length = head[8] | head[9] << 8;
  if (head[6] > 1)
    length |= (int64_t)head[10] << 16 | (int64_t)head[11] << 24;
  if (length > MOST_HEADER)
    return nnrt_fail(error, "%s: the header is %lld bytes long", array->name, (long long)length);
  char *text = malloc((size_t)length + 1);
  bool ok = text ? read_bytes(array, text, length, error) : nnrt_fail(error, "%s: not enough memory", array->name);
  if (ok) {
    text[length] = 0;
    const char *order = value_of(text, "'fortran_order'");
    ok = read_type(array, value_of(text, "'descr'"), error) && read_shape(array, value_of(text, "'shape'"), error);
    if (ok && (!order || strncmp(order, "False", 5)) && array->rank > 1)
      ok = nnrt_fail(error, "%s: its columns come first (Fortran order); save it with numpy.ascontiguousarray",
                     array->name);
  }
  free(text);
  int64_t limit = npy->zip ? nnrt_zip_limit(npy->zip) : nnrt_file_limit(npy->file);
  return ok && nnrt_array_shape(array, limit / npy->size, error);
}

static bool new_array(NnrtArray *array, const char *path, const char *member, Npy **npy, NnrtError *error) {
  snprintf(array->name, sizeof array->name, member ? "%s: array `%.100s`" : "%.400s", path, member);
  array->read = read_rows;
  array->close = close_npy;
  array->file = *npy = calloc(1, sizeof **npy);
  return *npy || nnrt_fail(error, "%s: not enough memory", path);
}

static bool open_npy(NnrtArray *array, const char *path, NnrtError *error) {
  Npy *npy;
  char why[160];
  if (!new_array(array, path, NULL, &npy, error))
    return false;
  npy->file = nnrt_file_open(path, why);
  return npy->file ? read_header(array, error) : nnrt_fail(error, "%s: cannot open it: %s", path, why);
}

static void close_all(NnrtArray arrays[NNRT_ARRAYS]) {
  for (int i = 0; i < NNRT_ARRAYS; i++)
    if (arrays[i].file)
      arrays[i].close(&arrays[i]);
}

// ---- npy
static bool npy_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  NnrtArray x = {0};
  bool ok = open_npy(&x, path, error) && nnrt_array_like(model, set, &x, error);
  if (x.file)
    x.close(&x);
  return ok;
}

bool nnrt_npy_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  if (!nnrt_arrays_check(opening, args))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  NnrtArray arrays[NNRT_ARRAYS] = {0};
  bool ok = true;
  for (int i = 0; ok && i < NNRT_ARRAYS; i++) {
    char *path = args[i] ? nnrt_data_file(opening, args[i]) : NULL;
    ok = !args[i] || (path && (open_npy(&arrays[i], path, opening->error) || nnrt_fail_from(opening, args[i])));
    free(path);
  }
  ok = ok && (nnrt_arrays_take(set, arrays, opening->error) || nnrt_fail_from(opening, args[0]));
  close_all(arrays);
  set->like = npy_like;
  return ok;
}

// ---- npz
static bool open_member(NnrtArray *array, const char *path, const char *name, NnrtError *error) {
  Npy *npy;
  char why[160], wanted[256];
  if (!new_array(array, path, name, &npy, error))
    return false;
  npy->zip = nnrt_zip_open(path, why);
  if (!npy->zip)
    return nnrt_fail(error, "%s: %s", path, why);
  snprintf(wanted, sizeof wanted, "%.250s.npy", name);
  int at = 0;
  const char *found;
  while ((found = nnrt_zip_name(npy->zip, at)) && strcmp(found, wanted))
    at++;
  if (!found) {
    found = nnrt_zip_name(npy->zip, 0);
    return nnrt_fail(error, "%s: there is no array `%.100s`%s%.*s%s", path, name, found ? "; the first is `" : "",
                     found ? (int)strcspn(found, ".") : 0, found ? found : "", found ? "`" : "");
  }
  return nnrt_zip_enter(npy->zip, at, why) ? read_header(array, error) : nnrt_fail(error, "%s: %s", array->name, why);
}

static bool npz_like(const NnrtDataset *model, NnrtDataset *set, const char *path, NnrtError *error) {
  NnrtArray x = {0};
  bool ok = open_member(&x, path, model->source, error) && nnrt_array_like(model, set, &x, error);
  if (x.file)
    x.close(&x);
  return ok;
}

// Whether the archive has an array `y`, which is the target if none is named.
static bool has_y(const char *path) {
  char why[160];
  NnrtZip *zip = nnrt_zip_open(path, why);
  bool found = false;
  for (int i = 0; zip && !found && nnrt_zip_name(zip, i); i++)
    found = !strcmp(nnrt_zip_name(zip, i), "y.npy");
  nnrt_zip_close(zip);
  return found;
}

bool nnrt_npz_open(NnrtOpening *opening, NnrtDataset *set, const NnrtArg *const *args) {
  const NnrtArg *const *named = args + ARRAYS;
  if (!nnrt_arrays_check(opening, named))
    return false;
  if (opening->depth == NNRT_DATA_CHECK)
    return true;
  char *path = nnrt_data_file(opening, args[PATH]);
  if (!path)
    return false;
  NnrtArray arrays[NNRT_ARRAYS] = {0};
  const char *names[NNRT_ARRAYS] = {"x", has_y(path) ? "y" : NULL};
  bool ok = true;
  for (int i = 0; i < NNRT_ARRAYS && ok; i++) {
    names[i] = named[i] ? named[i]->text : names[i];
    ok = !names[i] || open_member(&arrays[i], path, names[i], opening->error) ||
         nnrt_fail_from(opening, named[i] ? named[i] : args[PATH]);
  }
  ok = ok && (nnrt_arrays_take(set, arrays, opening->error) || nnrt_fail_from(opening, args[PATH]));
  close_all(arrays);
  free(path);
  set->like = npz_like;
  return ok && ((set->source = nnrt_data_text(set, names[NNRT_X], strlen(names[NNRT_X]))) || nnrt_fail_memory(opening));
}
