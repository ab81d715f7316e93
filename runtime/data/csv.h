// Inside the CSV reader: records (csv_text.c), numbers (number.c), categories (category.c), columns (csv.c).
#pragma once
#include "data/dataset.h"

// ---- records. A cell's text is valid until the next record is read.
typedef struct NnrtCell {
  const char *text; // without quotes and the blanks around
  size_t length;
  bool quoted, last; // last: of its record
  int64_t line, column;
} NnrtCell;

typedef struct NnrtCsvText {
  const char *path;
  char *text; // the whole file, with a NUL after it
  const char *at, *end, *line_start;
  int64_t line;
  char separator;
  char *scratch; // for cells with doubled quotes; as long as the file
  size_t scratch_used;
  NnrtError *error;
} NnrtCsvText;

bool nnrt_csv_read(NnrtCsvText *csv, const char *path, char separator, NnrtError *error);
void nnrt_csv_free(NnrtCsvText *csv);
void nnrt_csv_rewind(NnrtCsvText *csv);
// Goes to the next record that is not blank; false at the end.
bool nnrt_csv_more(NnrtCsvText *csv);
// One cell. False: an error, reported.
bool nnrt_csv_cell(NnrtCsvText *csv, NnrtCell *cell);
// A whole record: 1, at the end 0, and -1 after an error (a wrong number of cells among them).
int nnrt_csv_record(NnrtCsvText *csv, NnrtCell *cells, int count);
// path:line:column: error: … False, always.
bool nnrt_csv_fail(NnrtCsvText *csv, int64_t line, int64_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// ---- numbers
typedef enum NnrtNumber { NNRT_NOT_A_NUMBER, NNRT_NUMBER, NNRT_TOO_LARGE } NnrtNumber; // too large for f32, or inf
// 12, -1.5e3, .5; in quotes 25,000.5 as well. What follows the cell must not continue a number.
NnrtNumber nnrt_parse_number(const NnrtCell *cell, double *value);
bool nnrt_is_missing(const NnrtCell *cell);

// ---- categories: different texts, numbered as they come, then by their order
typedef struct NnrtCategories {
  const char **word;
  int count, room;
  int *slot; // hash table of numbers + 1, open addressing
  int slot_count;
} NnrtCategories;
int nnrt_category_find(const NnrtCategories *categories, const char *text, size_t length); // -1: unknown
// False when out of memory. Words are copied.
bool nnrt_category_add(NnrtDataset *set, NnrtCategories *categories, const char *text, size_t length);
// Renumbers: texts by their bytes, whole numbers by value.
void nnrt_category_sort(NnrtCategories *categories, bool numbers);

// ---- columns
typedef enum NnrtRole { NNRT_IGNORED, NNRT_FEATURE, NNRT_LABEL, NNRT_TARGET } NnrtRole;
typedef enum NnrtCoding { NNRT_REAL, NNRT_WORDS, NNRT_WHOLES } NnrtCoding; // a number; a text; whole numbers of a class

typedef struct NnrtColumn {
  const char *name;
  NnrtRole role;
  NnrtCoding coding;
  int64_t offset; // its first element in x, or in the target
  NnrtCategories categories;
} NnrtColumn;

struct NnrtCsv {
  char separator;
  bool header;
  bool by_position; // not from a CSV file: columns have no names to go by
  NnrtMissing missing;
  int column_count;
  NnrtColumn *columns;
  int64_t x_width, target_width;
  bool labelled;
};

// Header or column numbers: names for the columns of the file. False after an error.
bool nnrt_csv_header(NnrtCsvText *text, NnrtDataset *set, NnrtCsv *csv);
int nnrt_csv_find(const NnrtCsv *csv, const char *name); // the column's index; -1: there is none
// nnrt_mean_hint among the names of the columns.
const char *nnrt_csv_mean_hint(const NnrtCsv *csv, const char *name, char room[96]);
// The error that says so at the argument, with the nearest name. False, always.
bool nnrt_csv_no_column(const NnrtOpening *opening, const NnrtCsv *csv, const char *path, const NnrtArg *arg,
                        const char *name);
// The argument `separator`; a comma where it is left out.
bool nnrt_csv_separator(const NnrtOpening *opening, const NnrtArg *arg, char *separator);
// The text by which a cell's category goes: of whole numbers one spelling, in `room`.
const char *nnrt_category_text(const NnrtColumn *column, const NnrtCell *cell, char room[32], size_t *length);
// A cell of a column of numbers.
bool nnrt_csv_number(NnrtCsvText *text, const char *column, const NnrtCell *cell, float *to);
// Reads `rows` records into the set's x and y as the columns say. Records to be dropped are not counted.
bool nnrt_csv_fill(NnrtCsvText *text, const NnrtCsv *csv, NnrtDataset *set, NnrtCell *cells, int64_t rows);
