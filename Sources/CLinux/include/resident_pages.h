/* Memory that is resident without being needed. */
#ifndef FDSUPERVISOR_RESIDENT_PAGES_H
#define FDSUPERVISOR_RESIDENT_PAGES_H

/* Lets go of the program's code pages and of free heap: what is needed again comes back from the page cache, one
 * minor fault for each 64 KiB. A daemon's start touches some 6 MB of code that its idle life never does. */
void cl_release_startup_pages(void);

#endif
