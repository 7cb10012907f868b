/* answers.h - what the engine answers, as JSON; private to the gateway. */
#ifndef SKALD_GATEWAY_ANSWERS_H
#define SKALD_GATEWAY_ANSWERS_H

#include "orchestrator/engine/engine.h"

/* The members of an answer that is OK, into an open object: id, saga, version,
 * key, status. */
void answer_members(struct bytes *out, const struct answer *answer);

#endif
