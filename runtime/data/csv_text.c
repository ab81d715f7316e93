// CSV as text: RFC 4180 records, with or without a byte order mark, ended by LF, CRLF or CR, quotes with separators,
// line ends and doubled quotes inside. Blanks around cells and blank lines are skipped. Every error has its line and
// column.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

bool nnrt_csv_fail(NnrtCsvText *csv, int64_t line, int64_t column, const char *format, ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return nnrt_fail(csv->error, "%s:%lld:%lld: %s", csv->path, (long long)line, (long long)column, text);
}

static bool check_bytes(NnrtCsvText *csv) {
  const unsigned char *start = (const unsigned char *)csv->text;
  if (csv->end - csv->text >= 2 && ((start[0] == 0xff && start[1] == 0xfe) || (start[0] == 0xfe && start[1] == 0xff)))
    return nnrt_csv_fail(csv, 1, 1, "the file is UTF-16; save it as UTF-8");
  const char *nul = memchr(csv->text, 0, (size_t)(csv->end - csv->text));
  if (!nul)
    return true;
  int64_t line = 1;
  const char *from = csv->text;
  for (const char *next; (next = memchr(from, '\n', (size_t)(nul - from))); from = next + 1)
    line++;
  return nnrt_csv_fail(csv, line, nul - from + 1, "a NUL byte: this is not a text file");
}

bool nnrt_csv_read(NnrtCsvText *csv, const char *path, char separator, NnrtError *error) {
  *csv = (NnrtCsvText){.path = path, .separator = separator, .error = error};
  char why[160];
  size_t length;
  csv->text = nnrt_file_all(path, &length, why);
  if (!csv->text)
    return nnrt_fail(error, "%s: cannot read it: %s", path, why);
  csv->end = csv->text + length;
  nnrt_csv_rewind(csv);
  return check_bytes(csv);
}

void nnrt_csv_free(NnrtCsvText *csv) {
  free(csv->text);
  free(csv->scratch);
}

void nnrt_csv_rewind(NnrtCsvText *csv) {
  csv->at = csv->text;
  if (csv->end - csv->text >= 3 && !memcmp(csv->text, "\xEF\xBB\xBF", 3))
    csv->at += 3;
  csv->line_start = csv->at;
  csv->line = 1;
}

static bool blank(const NnrtCsvText *csv, char c) {
  return (c == ' ' || c == '\t') && c != csv->separator;
}

static void skip_blanks(NnrtCsvText *csv) {
  while (blank(csv, *csv->at))
    csv->at++;
}

// At a line end: goes over it.
static void end_line(NnrtCsvText *csv) {
  if (csv->at < csv->end) {
    csv->at += csv->at[0] == '\r' && csv->at[1] == '\n' ? 2 : 1;
    csv->line++;
    csv->line_start = csv->at;
  }
}

bool nnrt_csv_more(NnrtCsvText *csv) {
  csv->scratch_used = 0;
  for (;;) {
    const char *start = csv->at;
    skip_blanks(csv);
    if (csv->at == csv->end)
      return false;
    if (*csv->at != '\n' && *csv->at != '\r') {
      csv->at = start;
      return true;
    }
    end_line(csv);
  }
}

// Copies what stands between quotes with doubled ones made single.
static bool unquote(NnrtCsvText *csv, NnrtCell *cell) {
  if (!csv->scratch && !(csv->scratch = malloc((size_t)(csv->end - csv->text) + 1)))
    return nnrt_csv_fail(csv, cell->line, cell->column, "not enough memory");
  char *out = csv->scratch + csv->scratch_used, *to = out;
  for (size_t i = 0; i < cell->length; i++) {
    *to++ = cell->text[i];
    i += cell->text[i] == '"';
  }
  cell->text = out;
  cell->length = (size_t)(to - out);
  csv->scratch_used += cell->length;
  return true;
}

static bool quoted_cell(NnrtCsvText *csv, NnrtCell *cell) {
  bool doubled = false;
  cell->quoted = true;
  cell->text = ++csv->at;
  for (; *csv->at != '"' || csv->at[1] == '"'; csv->at++) {
    if (csv->at == csv->end)
      return nnrt_csv_fail(csv, cell->line, cell->column, "a quote that is never closed");
    if (*csv->at == '"') {
      doubled = true;
      csv->at++;
    } else if (*csv->at == '\n' || (*csv->at == '\r' && csv->at[1] != '\n')) {
      csv->line++;
      csv->line_start = csv->at + 1;
    }
  }
  cell->length = (size_t)(csv->at - cell->text);
  csv->at++;
  skip_blanks(csv);
  char next = *csv->at;
  if (next != csv->separator && next != '\n' && next != '\r' && csv->at != csv->end)
    return nnrt_csv_fail(csv, csv->line, csv->at - csv->line_start + 1,
                         "after a closing quote comes a separator or the line's end (a quote inside is doubled)");
  return !doubled || unquote(csv, cell);
}

bool nnrt_csv_cell(NnrtCsvText *csv, NnrtCell *cell) {
  skip_blanks(csv);
  *cell = (NnrtCell){.text = csv->at, .line = csv->line, .column = csv->at - csv->line_start + 1};
  if (*csv->at == '"') {
    if (!quoted_cell(csv, cell))
      return false;
  } else {
    const char *at = csv->at;
    while (*at != csv->separator && *at != '\n' && *at != '\r' && at != csv->end)
      at++;
    csv->at = at;
    while (at > cell->text && blank(csv, at[-1]))
      at--;
    cell->length = (size_t)(at - cell->text);
  }
  if (csv->at != csv->end && *csv->at == csv->separator) {
    csv->at++;
    return true;
  }
  cell->last = true;
  end_line(csv);
  return true;
}

int nnrt_csv_record(NnrtCsvText *csv, NnrtCell *cells, int count) {
  if (!nnrt_csv_more(csv))
    return 0;
  int64_t line = csv->line;
  NnrtCell extra;
  for (int64_t i = 0;; i++) {
    NnrtCell *cell = i < count ? &cells[i] : &extra;
    if (!nnrt_csv_cell(csv, cell))
      return -1;
    if (!cell->last)
      continue;
    if (i + 1 == count)
      return 1;
    nnrt_csv_fail(csv, line, i + 1 < count ? cell->column : cells[count - 1].column,
                  "the line has %lld value%s, the file has %d column%s", (long long)i + 1, i ? "s" : "", count,
                  count == 1 ? "" : "s");
    return -1;
  }
}
