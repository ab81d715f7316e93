// Lines about what is missing, of another shape, or not expected.
#include "differences.h"

enum { MOST = 12 }; // lines of a kind

void nnrt_differ_missing(NnrtDifferences *found, const NnrtTensor *tensor, const NnrtTensorFile *file) {
  char text[NNRT_SHAPE_TEXT];
  if (found->missing++ >= MOST)
    return;
  const char *near = nnrt_tensor_near(file, tensor->name);
  fprintf(found->out, "%s: %s, %s, is missing%s%s\n", found->path, tensor->name,
          nnrt_shape_text(text, tensor->type, tensor->rank, tensor->dim), near ? "; the file has " : "",
          near ? near : "");
}

void nnrt_differ_shape(NnrtDifferences *found, const NnrtTensor *tensor, const NnrtTensorEntry *entry,
                       const char *remark) {
  char here[NNRT_SHAPE_TEXT], there[NNRT_SHAPE_TEXT];
  if (found->wrong++ < MOST)
    fprintf(found->out, "%s: %s is %s in the file, but %s here%s\n", found->path, tensor->name,
            nnrt_tensor_text(there, entry), nnrt_shape_text(here, tensor->type, tensor->rank, tensor->dim), remark);
}

void nnrt_differ_unexpected(NnrtDifferences *found, const NnrtTensorEntry *entry) {
  char text[NNRT_SHAPE_TEXT];
  if (found->unexpected++ < MOST)
    fprintf(found->out, "%s: %s, %s, is not in %s\n", found->path, entry->name, nnrt_tensor_text(text, entry),
            found->module);
}

static void rest(const NnrtDifferences *found, int count, const char *what) {
  if (count > MOST)
    fprintf(found->out, "%s: %d more %s\n", found->path, count - MOST, what);
}

void nnrt_differ_end(const NnrtDifferences *found) {
  rest(found, found->missing, "are missing");
  rest(found, found->wrong, "are of another shape");
  rest(found, found->unexpected, "are unexpected");
}

bool nnrt_differ_fail(const NnrtDifferences *found, NnrtError *error) {
  return nnrt_fail(error, "%s does not fit %s: %d missing, %d of another shape, %d unexpected", found->path,
                   found->module, found->missing, found->wrong, found->unexpected);
}
