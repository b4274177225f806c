/* Numbers as text, without libc. */
#ifndef FDSUPERVISOR_TEXT_H
#define FDSUPERVISOR_TEXT_H

/* Writes the decimal digits of a number and a NUL, 21 bytes at most; returns how many characters. */
static inline int decimal(char *out, long number) {
  char digits[20];
  int count = 0;
  unsigned long rest = number < 0 ? -(unsigned long)number : (unsigned long)number;
  do digits[count++] = (char)('0' + rest % 10);
  while (rest /= 10);
  char *at = out;
  if (number < 0) *at++ = '-';
  while (count) *at++ = digits[--count];
  *at = 0;
  return (int)(at - out);
}

#endif
