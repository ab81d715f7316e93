// Machines of this architecture that the schedule knows: vector width, number of vector registers, caches. Results do not depend on them.
#include <string.h>
#include <unistd.h>

#include "loops/schedule.h"

static const struct {
  const char *name;
  int vector_bytes, vector_registers;
} models[] = {
#if defined(__x86_64__)
    {"x86-64", 16, 16},     {"x86-64-v2", 16, 16},      {"x86-64-v3", 32, 16},      {"x86-64-v4", 64, 32},
    {"nehalem", 16, 16},    {"sandybridge", 32, 16},    {"ivybridge", 32, 16},      {"haswell", 32, 16},
    {"broadwell", 32, 16},  {"skylake", 32, 16},        {"skylake-avx512", 64, 32}, {"cascadelake", 64, 32},
    {"cooperlake", 64, 32}, {"icelake-client", 64, 32}, {"icelake-server", 64, 32}, {"tigerlake", 64, 32},
    {"rocketlake", 64, 32}, {"sapphirerapids", 64, 32}, {"emeraldrapids", 64, 32},  {"graniterapids", 64, 32},
    {"alderlake", 32, 16},  {"raptorlake", 32, 16},     {"znver1", 32, 16},         {"znver2", 32, 16},
    {"znver3", 32, 16},     {"znver4", 64, 32},         {"znver5", 64, 32},
#elif defined(__aarch64__)
    {"generic", 16, 32},     {"cortex-a53", 16, 32},  {"cortex-a72", 16, 32},  {"cortex-a76", 16, 32},
    {"neoverse-n1", 16, 32}, {"neoverse-n2", 16, 32}, {"neoverse-v1", 32, 32}, {"apple-m1", 16, 32},
    {"apple-m2", 16, 32},    {"apple-m3", 16, 32},
#else
    {"generic", 16, 16},
#endif
};

static int64_t cache(int name, int64_t otherwise) {
  long bytes = sysconf(name);
  return bytes > 0 ? bytes : otherwise;
}

static void set_caches(Target *target) {
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
  target->l1_bytes = cache(_SC_LEVEL1_DCACHE_SIZE, 32768);
  target->l2_bytes = cache(_SC_LEVEL2_CACHE_SIZE, 524288);
#else
  target->l1_bytes = 32768;
  target->l2_bytes = 524288;
#endif
}

Target target_host(void) {
  Target target = {.vector_bytes = 16, .vector_registers = 16};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
    target.vector_bytes = 64;
    target.vector_registers = 32;
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    target.vector_bytes = 32;
  }
#elif defined(__aarch64__)
  target.vector_registers = 32;
#endif
  set_caches(&target);
  return target;
}

bool target_parse(const char *cpu, Target *target) {
  *target = target_host();
  if (strcmp(cpu, "native") == 0)
    return true;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (strcmp(cpu, models[i].name) == 0) {
      *target = (Target){.vector_bytes = models[i].vector_bytes,
                         .vector_registers = models[i].vector_registers,
                         .l1_bytes = 32768,
                         .l2_bytes = 524288};
      return true;
    }
  return false;
}
