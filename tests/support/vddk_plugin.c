/*
 * Stands in for nbdkit's vddk plugin and VMware's library: takes the same parameters, writes the
 * log lines that the importer looks for, and serves files with their holes.
 *
 *   libdir/disks/<file>   a disk; slashes of its name are underscores
 *   libdir/password       what the password has to be, if the file is there
 *   libdir/loaded         without it the library "cannot be loaded"
 *   libdir/port           of loopback, UDP: is told the length of every read
 *   libdir/limit          after so many bytes reads wait for ever, and the port is told "dry"
 */
#define _GNU_SOURCE
#define NBDKIT_API_VERSION 2
#include <errno.h>
#include <fcntl.h>
#include <nbdkit-plugin.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

NBDKIT_DLL_PUBLIC int vddk_debug_datapath = 1;
NBDKIT_DLL_PUBLIC int vddk_debug_stats = 0;

static const char *libdir, *file, *server, *config;
static char *password;

static int vddk_config(const char *key, const char *value) {
  if (strcmp(key, "libdir") == 0) libdir = value;
  if (strcmp(key, "file") == 0) file = value;
  if (strcmp(key, "server") == 0) server = value;
  if (strcmp(key, "config") == 0) {
    config = value;
    if (access(value, R_OK)) {
      nbdkit_error("config: %m");
      return -1;
    }
  }
  if (strcmp(key, "password") == 0) return nbdkit_read_password(value, &password);
  return 0;
}

static char *beneath(const char *kind, const char *name) {
  char *path, *at;
  if (asprintf(&path, "%s/%s%s", libdir, kind, name) < 0) return NULL;
  for (at = path + strlen(libdir) + strlen(kind) + 1; *at; at++)
    if (*at == '/') *at = '_';
  return path;
}

static int vddk_complete(void) {
  char *loaded = beneath("loaded", "");
  if (access(loaded, R_OK)) {
    nbdkit_error("libvixDiskLib.so.8: cannot open shared object file: No such file or directory");
    return -1;
  }
  free(loaded);
  return 0;
}

static int vddk_get_ready(void) {
  nbdkit_debug("VixDiskLib: password is %s", password ? password : "");
  nbdkit_debug("VMware VixDiskLib (8.0.2) Release build-22388865");
  if (config) nbdkit_debug("VixDiskLib: configured by %s", config);
  return 0;
}

static int password_is_right(void) {
  char *path = beneath("password", ""), wanted[256] = "";
  FILE *f = fopen(path, "r");
  int right;
  free(path);
  if (!f) return 1;
  right = fgets(wanted, sizeof wanted, f) != NULL;
  fclose(f);
  wanted[strcspn(wanted, "\n")] = 0;
  return right && password && strcmp(wanted, password) == 0;
}

static void *vddk_open(int readonly) {
  char *path;
  int *fd;
  if (!password_is_right()) {
    nbdkit_error("VixDiskLib_ConnectEx: Cannot complete login due to an incorrect user name or "
                 "password.");
    return NULL;
  }
  path = beneath("disks/", file);
  fd = malloc(sizeof *fd);
  *fd = open(path, O_RDONLY | O_CLOEXEC);
  free(path);
  if (*fd < 0) {
    nbdkit_error("VixDiskLib_Open: %s: A file was not found", file);
    free(fd);
    return NULL;
  }
  nbdkit_debug("DISKLIB-LINK  : Opened 'vpxa-nfc://%s@esx1.example:902' (0x1e): custom, 1 sectors.",
               file);
  return fd;
}

static void vddk_close(void *handle) {
  close(*(int *)handle);
  free(handle);
}

static int64_t vddk_get_size(void *handle) {
  struct stat found;
  return fstat(*(int *)handle, &found) ? -1 : found.st_size;
}

static long number_in(const char *name) {
  char *path = beneath(name, "");
  FILE *f = fopen(path, "r");
  long number = -1;
  free(path);
  if (f) {
    if (fscanf(f, "%ld", &number) != 1) number = -1;
    fclose(f);
  }
  return number;
}

static void tell(const char *text) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  long port = number_in("port");
  int fd = port < 0 ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  to.sin_port = htons(port);
  if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof to) < 0)
    nbdkit_debug("tell: %m");
  close(fd);
}

static void count_and_perhaps_wait(uint32_t count) {
  static _Atomic long served;
  long limit = number_in("limit");
  char text[32];
  if (limit >= 0 && (served += count) > limit) {
    tell("dry");
    for (;;) pause();
  }
  snprintf(text, sizeof text, "%u", count);
  tell(text);
}

static int vddk_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags) {
  count_and_perhaps_wait(count);
  while (count > 0) {
    ssize_t got = pread(*(int *)handle, buf, count, offset);
    if (got <= 0) {
      nbdkit_error("VixDiskLib_Read: %m");
      return -1;
    }
    buf = (char *)buf + got;
    count -= got;
    offset += got;
  }
  return 0;
}

static int vddk_can_extents(void *handle) { return 1; }

static int vddk_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                        struct nbdkit_extents *found) {
  int fd = *(int *)handle;
  off_t at = offset, end = offset + count, size = vddk_get_size(handle);
  while (at < end) {
    off_t data = lseek(fd, at, SEEK_DATA), hole;
    if (data < 0) data = size;
    if (data > at &&
        nbdkit_add_extent(found, at, data - at, NBDKIT_EXTENT_ZERO | NBDKIT_EXTENT_HOLE))
      return -1;
    if (data >= size) break;
    hole = lseek(fd, data, SEEK_HOLE);
    if (nbdkit_add_extent(found, data, hole - data, 0)) return -1;
    at = hole;
  }
  return 0;
}

static struct nbdkit_plugin plugin = {
    .name = "vddk",
    .config = vddk_config,
    .config_complete = vddk_complete,
    .get_ready = vddk_get_ready,
    .open = vddk_open,
    .close = vddk_close,
    .get_size = vddk_get_size,
    .can_extents = vddk_can_extents,
    .extents = vddk_extents,
    .pread = vddk_pread,
};

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
NBDKIT_REGISTER_PLUGIN(plugin)
