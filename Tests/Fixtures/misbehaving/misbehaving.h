/* What the parts of the fixture share: how a process says that it is there, and how it waits. */
#ifndef MISBEHAVING_H
#define MISBEHAVING_H

#include <stdbool.h>

/* No process of the fixture lives longer than this, in seconds, whatever becomes of the test. */
#define LIFE 50

/* Nor does a daemon that a test started, in seconds, however busy the machine is. */
#define LEASH 240

/* Appends "ROLE PID STARTTIME" to the register; the pid is that of the mounted /proc. From then on
 * the process has LIFE seconds (a child does not inherit an alarm). */
void say_present(const char *role);

/* Which file the register is; for a process that belongs to no service, this is all. */
void use_register(const char *path);

/* Opens the register, says "overlap …" for each process in it that still lives, then "main PID STARTTIME". A lock
 * that every descendant inherits tells of those, too, that never said anything. */
void begin_register(const char *path);
extern bool is_first_generation;

/* Starts a process that misbehaves in one way, and waits until it is as it is meant to be. */
void start_stray(const char *kind);

/* Writes down what this process was given: descriptors, environment, credentials, limits, signals. */
void write_down_what_was_given(const char *path);

/* Accepts on these descriptors and answers each connection with the pid, until SIGTERM. */
void serve(int first, int count);

/* SIGTERM and all else is ignored, SIGALRM ends the process after LIFE. */
void ignore_everything(void);
_Noreturn void rest(void);
_Noreturn void fail(const char *what);

#endif
