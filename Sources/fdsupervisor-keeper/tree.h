/* Signals to those below this process, found in /proc/PID/task/PID/children, proc(5). */
#ifndef FDSUPERVISOR_TREE_H
#define FDSUPERVISOR_TREE_H

/* Asks every child of ours to end, and continues those who are stopped; `except` is spared, 0: nobody. */
void tree_terminate(int except);

/* Stops and kills everybody below us who can be seen, children before their parents. Who was forked meanwhile
 * by somebody unseen is met the next time: when his parent is dead he is a child of ours. */
void tree_kill(void);

#endif
