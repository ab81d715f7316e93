// Folders of samples: parts, classes, pairs of image and mask. Files and folders whose names begin with a point, and
// files that are not named as the samples are, do not count. The order is that of the names' bytes.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/folder.h"

typedef struct Names {
  char **name;
  int64_t count, room;
} Names;

static void free_names(Names *names) {
  for (int64_t i = 0; i < names->count; i++)
    free(names->name[i]);
  free(names->name);
  *names = (Names){0};
}

static bool push(Names *names, const char *name) {
  if (names->count == names->room) {
    int64_t room = names->room ? names->room * 2 : 64;
    char **grown = realloc(names->name, (size_t)room * sizeof *grown);
    if (!grown)
      return false;
    names->name = grown;
    names->room = room;
  }
  names->name[names->count] = strdup(name);
  return names->name[names->count++];
}

static char *join(const char *folder, const char *name) {
  size_t room = strlen(folder) + strlen(name) + 2;
  char *path = malloc(room);
  if (path)
    snprintf(path, room, "%s/%s", folder, name);
  return path;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool no_memory(const char *path, NnrtError *error) {
  return nnrt_fail(error, "%s: not enough memory", path);
}

static bool is_folder(const char *folder, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
    return entry->d_type == DT_DIR;
  char *path = join(folder, entry->d_name);
  bool found = path && nnrt_is_folder(path);
  free(path);
  return found;
}

// The files of the kind and the folders in a folder, sorted.
static bool read_folder(const NnrtFileKind *kind, const char *path, Names *files, Names *folders, NnrtError *error) {
  DIR *dir = opendir(path);
  if (!dir)
    return nnrt_fail(error, "%s: cannot open it: %s", path, strerror(errno));
  bool ok = true;
  for (struct dirent *entry; ok && (entry = readdir(dir));)
    if (entry->d_name[0] != '.') {
      if (is_folder(path, entry))
        ok = push(folders, entry->d_name);
      else if (kind->named(entry->d_name))
        ok = push(files, entry->d_name);
    }
  closedir(dir);
  if (!ok)
    return no_memory(path, error);
  if (files->count)
    qsort(files->name, (size_t)files->count, sizeof *files->name, by_bytes);
  if (folders->count)
    qsort(folders->name, (size_t)folders->count, sizeof *folders->name, by_bytes);
  return true;
}

static bool has_folder(const char *folder, const char *name) {
  char *path = join(folder, name);
  bool found = path && nnrt_is_folder(path);
  free(path);
  return found;
}

// ---- the list
void nnrt_folder_free(NnrtFolder *list) {
  for (int64_t i = 0; i < list->count; i++) {
    free(list->paths[i]);
    if (list->masks)
      free(list->masks[i]);
  }
  for (int i = 0; i < list->class_count; i++)
    free(list->class_names[i]);
  free(list->class_names);
  free(list->paths);
  free(list->masks);
  free(list->classes);
  *list = (NnrtFolder){.kind = list->kind};
}

static bool make_room(NnrtFolder *list, int64_t more, bool masks) {
  if (list->count + more <= list->room)
    return true;
  int64_t room = (list->count + more) * 2;
  char **paths = realloc(list->paths, (size_t)room * sizeof *paths);
  list->paths = paths ? paths : list->paths;
  int64_t *classes = realloc(list->classes, (size_t)room * sizeof *classes);
  list->classes = classes ? classes : list->classes;
  char **masked = masks ? realloc(list->masks, (size_t)room * sizeof *masked) : NULL;
  list->masks = masked ? masked : list->masks;
  list->room = room;
  return paths && classes && (masked || !masks);
}

// The mask of image NAME.jpg is NAME.png.
static char *mask_of(const char *folder, const char *image, NnrtError *error) {
  int stem = (int)(strrchr(image, '.') - image);
  size_t room = strlen(folder) + strlen(image) + 8;
  char *path = malloc(room);
  if (!path) {
    no_memory(folder, error);
    return NULL;
  }
  snprintf(path, room, "%s/%.*s.png", folder, stem, image);
  FILE *file = fopen(path, "rb");
  if (file) {
    fclose(file);
    return path;
  }
  nnrt_fail(error, "%s: image %s has no mask: %s", path, image, strerror(errno));
  free(path);
  return NULL;
}

static bool add_files(NnrtFolder *list, const char *folder, const char *masks, const Names *files, int64_t class,
                      NnrtError *error) {
  if (!make_room(list, files->count, masks))
    return no_memory(folder, error);
  for (int64_t i = 0; i < files->count; i++) {
    char *path = join(folder, files->name[i]);
    char *mask = masks && path ? mask_of(masks, files->name[i], error) : NULL;
    if (!path || (masks && !mask)) {
      free(path);
      return path ? false : no_memory(folder, error);
    }
    list->classes[list->count] = class;
    if (masks)
      list->masks[list->count] = mask;
    list->paths[list->count++] = path;
  }
  return true;
}

// ---- classes
static int64_t find_class(const NnrtFolder *list, const char *name) {
  for (int i = 0; i < list->class_count; i++)
    if (!strcmp(list->class_names[i], name))
      return i;
  return -1;
}

static bool add_class(NnrtFolder *list, const char *folder, const char *name, NnrtError *error) {
  Names files = {0}, within = {0};
  char *path = join(folder, name);
  int64_t class = find_class(list, name);
  bool ok = path ? read_folder(list->kind, path, &files, &within, error) : no_memory(folder, error);
  if (ok && class < 0)
    ok = nnrt_fail(error, "%s: there is no class `%s` in the training part", path, name);
  if (ok && !files.count)
    ok = nnrt_fail(error, "%s: the folder of class `%s` has no %s (%s)", path, name, list->kind->plural,
                   list->kind->endings);
  ok = ok && add_files(list, path, NULL, &files, class, error);
  free(path);
  free_names(&files);
  free_names(&within);
  return ok;
}

// The classes are those of the first part.
static bool name_classes(NnrtFolder *list, Names *folders) {
  if (list->class_count)
    return true;
  list->class_names = folders->name;
  list->class_count = (int)folders->count;
  *folders = (Names){0};
  for (int i = 0; i < list->class_count; i++) // the folders' names are still needed
    if (!push(folders, list->class_names[i]))
      return false;
  return true;
}

static bool list_part(const char *folder, const char *masks, bool flat, NnrtFolder *list, NnrtPartKind part,
                      NnrtError *error) {
  Names files = {0}, folders = {0};
  int64_t before = list->count;
  bool ok = read_folder(list->kind, folder, &files, &folders, error);
  if (ok && (flat || !folders.count)) {
    ok = files.count ? add_files(list, folder, masks, &files, -1, error)
                     : nnrt_fail(error, "%s: the folder has no %s (%s)%s", folder, list->kind->plural,
                                 list->kind->endings, flat ? "" : " and no folders of classes");
  } else if (ok && files.count) {
    ok = nnrt_fail(error, "%s: %s stand beside folders of classes, %s beside %s: which class are they?", folder,
                   list->kind->plural, files.name[0], folders.name[0]);
  } else if (ok) {
    ok = name_classes(list, &folders) || no_memory(folder, error);
    for (int64_t i = 0; ok && i < folders.count; i++)
      ok = add_class(list, folder, folders.name[i], error);
  }
  list->part[part] = list->count - before;
  if (ok && (list->classes[0] < 0) != (list->classes[before] < 0))
    ok = nnrt_fail(error, "%s: folders of classes are in one of the training part and this one, but not in both",
                   folder);
  free_names(&files);
  free_names(&folders);
  return ok;
}

bool nnrt_folder_list(const char *folder, const char *masks, bool flat, NnrtFolder *list, NnrtError *error) {
  static const char *const names[] = {"train", "val", "test"};
  if (!nnrt_is_folder(folder))
    return nnrt_fail(error, "%s: there is no such folder", folder);
  if (!has_folder(folder, "train"))
    return list_part(folder, masks, flat, list, NNRT_PART_TRAIN, error);
  bool ok = true;
  for (NnrtPartKind part = NNRT_PART_TRAIN; ok && part <= NNRT_PART_TEST; part++) {
    if (!has_folder(folder, names[part]))
      continue;
    char *within = join(folder, names[part]), *masked = masks ? join(masks, names[part]) : NULL;
    ok = within && (masked || !masks) ? list_part(within, masked, flat, list, part, error) : no_memory(folder, error);
    free(within);
    free(masked);
  }
  return ok;
}

bool nnrt_folder_keep(const NnrtFolder *list, NnrtDataset *set) {
  int64_t first = 0;
  set->rows = list->count;
  for (NnrtPartKind part = NNRT_PART_TRAIN; part <= NNRT_PART_TEST; first += list->part[part++])
    if (!nnrt_set_part(set, part, first, list->part[part]))
      return false;
  if (!list->class_count)
    return true;
  const char *const *names = (const char *const *)nnrt_data_texts(set, list->class_names, list->class_count);
  set->classes = nnrt_data_alloc(set, list->count, sizeof *set->classes);
  if (!names || !set->classes)
    return false;
  memcpy(set->classes, list->classes, (size_t)list->count * sizeof *list->classes);
  nnrt_set_y_class(set, list->class_count, names);
  return true;
}

bool nnrt_folder_list_flat(const char *path, NnrtFolder *list, NnrtError *error) {
  Names files = {0}, folders = {0};
  bool ok;
  if (nnrt_is_folder(path)) {
    ok = read_folder(list->kind, path, &files, &folders, error) &&
         (files.count
              ? add_files(list, path, NULL, &files, -1, error)
              : nnrt_fail(error, "%s: the folder has no %s (%s)", path, list->kind->plural, list->kind->endings));
  } else {
    ok = make_room(list, 1, false) && (list->paths[0] = strdup(path)) ? true : no_memory(path, error);
    list->count = ok;
  }
  list->part[NNRT_PART_TEST] = list->count;
  free_names(&files);
  free_names(&folders);
  return ok;
}
