/* toml++ behind a C interface, because it gives every key and value its line and column.
 * Parses a buffer in memory and hands out a flat tree; no exception crosses this boundary. */
#ifndef FDSUPERVISOR_CTOML_H
#define FDSUPERVISOR_CTOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Both from 1, a column counts code points; 0 where toml++ knows no position. */
struct ctoml_position {
  uint32_t line;
  uint32_t column;
};

struct ctoml_span {
  struct ctoml_position begin;
  struct ctoml_position end; /* behind the last character */
};

/* UTF-8, not closed by a NUL byte, and it may contain one. */
struct ctoml_text {
  const char *bytes;
  size_t length;
};

enum ctoml_kind {
  CTOML_STRING,
  CTOML_INTEGER,
  CTOML_FLOAT,
  CTOML_BOOLEAN,
  CTOML_DATE,
  CTOML_TIME,
  CTOML_DATE_TIME,
  CTOML_ARRAY,
  CTOML_TABLE,
};

/* A node is followed by its children, each with its own children behind it. */
struct ctoml_node {
  enum ctoml_kind kind;
  bool octal;      /* an integer that was written with 0o */
  bool boolean;
  int64_t integer;
  double real;
  struct ctoml_text text; /* of a string */
  struct ctoml_text key;  /* in a table; else empty */
  struct ctoml_span key_span;
  struct ctoml_span span;
  size_t children;
};

struct ctoml_document;

/* Parses `text`. NULL only when there is no memory. The document keeps nothing of `text`. */
struct ctoml_document *ctoml_parse(const char *text, size_t length);
void ctoml_free(struct ctoml_document *document);

/* Why it is no TOML, and where; no bytes when it is. */
struct ctoml_text ctoml_error(const struct ctoml_document *document, struct ctoml_position *position);

/* The tree, the root table first; none after an error. They live as long as the document. */
const struct ctoml_node *ctoml_nodes(const struct ctoml_document *document, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
