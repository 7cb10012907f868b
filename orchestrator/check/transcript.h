/* transcript.h - how a saga came to be where it is, as sentences; private to the
 * checker. */
#ifndef SKALD_CHECK_TRANSCRIPT_H
#define SKALD_CHECK_TRANSCRIPT_H

#include "orchestrator/check/play.h"
#include "orchestrator/check/visited.h"

/* Write the way to the state `at` into the report; where `last` is given, the
 * move of that state with it, too. */
CHECKED enum err transcript_write(struct play *play, const struct visited *visited, uint32_t at,
				  const struct origin *last, struct explore_report *report);

#endif
