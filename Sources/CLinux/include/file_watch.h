/* inotify(7), and the walk over folders that it needs. */
#ifndef FDSUPERVISOR_FILE_WATCH_H
#define FDSUPERVISOR_FILE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* inotify_init1(2): close-on-exec, non-blocking. */
int cl_inotify(void);

/* Watches one folder for what happens to the entries in it; the number of the watch, or -1. A link is followed only if
 * that is asked for. */
int cl_watch_folder(int inotify, const char *path, bool follows_link);
int cl_unwatch(int inotify, int watch);

/* What became of an entry, or of the folder itself. */
enum cl_file_event {
  CL_FILE_CREATED, /* a file has to be looked at: it may be complete or not */
  CL_FILE_WRITTEN, /* closed by somebody who could write, or moved here */
  CL_FILE_GONE,
  CL_FOLDER_CAME,
  CL_FOLDER_LEFT, /* moved away, with all that is in it */
  CL_WATCH_ENDED,  /* the folder is no more, or its file system */
  CL_WATCHED_MOVED,
  CL_EVENTS_LOST,  /* of the whole queue */
};

/* The next event of what read(2) returned; the name has no NUL and ends with `length`. Returns the bytes it took, 0
 * at the end. Events that tell nothing are passed over, and have `kind` -1. */
size_t cl_next_event(const void *buffer, size_t size, int *watch, int *kind, const char **name, size_t *length);

/* Calls for each entry of a folder, or only for folders and .gitignore; the type is asked for where readdir(3) does not
 * tell it. Links are no folders. */
int cl_visit_folder(const char *path, bool only_folders, void *context,
                    void (*visit)(void *context, const char *name, size_t length, bool is_folder));

/* Whether a file that was just created is complete: a link, or it has another name already, or content. -1: gone. */
int cl_is_complete(const char *path);

#endif
