#include "keeper.h"

/* A module needs one object; the wire itself is all in the header. */
_Static_assert(sizeof(struct keeper_message) == 24, "the wire has a fixed layout");
