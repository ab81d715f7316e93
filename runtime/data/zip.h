// Members of a zip archive, one after the other: stored or deflated, with or without the 64-bit extension. What NPZ
// files are made of ("APPNOTE.TXT - .ZIP File Format Specification", PKWARE).
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct NnrtZip NnrtZip;

// NULL on failure, with `why` filled (no path in it).
NnrtZip *nnrt_zip_open(const char *path, char why[160]);
void nnrt_zip_close(NnrtZip *zip);
// Name of member `index`, which lives as long as the archive; NULL behind the last.
const char *nnrt_zip_name(const NnrtZip *zip, int index);
// Goes to the beginning of a member.
bool nnrt_zip_enter(NnrtZip *zip, int index, char why[160]);
// Bytes of the member entered, checked against its CRC at its end; fewer at the end; -1 with `why` filled.
int64_t nnrt_zip_read(NnrtZip *zip, void *to, int64_t count, char why[160]);
// No more bytes than this can come out of the member entered.
int64_t nnrt_zip_limit(const NnrtZip *zip);
