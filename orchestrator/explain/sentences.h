/* sentences.h - what explain.c says of one step; private to this folder. */
#ifndef SKALD_EXPLAIN_SENTENCES_H
#define SKALD_EXPLAIN_SENTENCES_H

#include "orchestrator/explain/explain.h"

/* Why the saga is in the phase it is in. */
void say_cause(const struct definition *definition, const struct saga *saga,
	       const struct circumstances *circumstances, struct bytes *out);

/* What the wait is for, and why. */
void say_wait(const struct definition *definition, const struct saga *saga,
	      const struct wait *wait, struct bytes *out);

/* What happens once it comes. */
void say_next(const struct definition *definition, const struct saga *saga,
	      const struct wait *wait, struct bytes *out);

#endif
