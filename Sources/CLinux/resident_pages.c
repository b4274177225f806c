/* Gives back the pages that only the start of the program needed: see resident_pages.h. */
#define _GNU_SOURCE
#include "resident_pages.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* Called for the program itself first, dl_iterate_phdr(3): returning 1 ends the iteration there. */
static int release_code(struct dl_phdr_info *program, size_t size, void *unused) {
  (void)size;
  (void)unused;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < program->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &program->dlpi_phdr[i];
    /* Never a writable part: there MADV_DONTNEED would undo what was written (madvise(2)). */
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || part->p_flags & PF_W) continue;
    uintptr_t from = (program->dlpi_addr + part->p_vaddr) & ~(page - 1);
    uintptr_t to = program->dlpi_addr + part->p_vaddr + part->p_memsz;
    madvise((void *)from, to - from, MADV_DONTNEED);
  }
  return 1;
}

void cl_release_startup_pages(void) {
  malloc_trim(0);
  dl_iterate_phdr(release_code, NULL);
}
