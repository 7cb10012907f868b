/* trio.h - the sagas o-0, o-1 and o-2 of the definition "errand", for tests that lead some
 * through all that can go wrong.
 *
 * They fetch (which can be undone) and pay, the pivot, both at the shop. */
#ifndef SKALD_TESTS_LIB_TRIO_H
#define SKALD_TESTS_LIB_TRIO_H

#include "bus/bus.h"

enum { TRIO = 3, TRIO_ID_SIZE = 16 };

extern const char trio_errand[];

void trio_id(int i, char id[TRIO_ID_SIZE]);

/* The shop does what it is asked. The first saga is refused when it is to pay, and goes
 * back; the others are completed. */
void trio_serve(struct port *shop);

#endif
