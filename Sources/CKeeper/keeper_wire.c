/* The object of the module CKeeper; the wire itself is all in its header. */
#include "keeper.h"

_Static_assert(sizeof(struct keeper_message) == 24, "the wire has a fixed layout");
