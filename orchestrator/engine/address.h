/* address.h - which command of which saga an id means. */
#ifndef SKALD_ENGINE_ADDRESS_H
#define SKALD_ENGINE_ADDRESS_H

#include "orchestrator/core/saga.h"

struct address {
	struct slice saga_id;
	struct slice step;
	uint32_t element; /* of the `each` around; 0 where there is none */
	uint16_t round;
	enum verb verb;
};

/* Take "order-17/reserve#0/0/do" apart; false where the text is no such id. */
bool address_parse(struct slice id, struct address *out);

#endif
