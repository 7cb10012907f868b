/* describe.h - what is in a timeline as one line of text.
 *
 *	charge: do answered refused (attempt 1): card_declined: no money
 *	the saga turns back because of charge: card_declined
 *
 * The text has no time, no payload (it may be masked) and no line break or other
 * control character; what participants and operators wrote is cut after 200
 * bytes. It is appended; failures are in out->err.
 */
#ifndef SKALD_CORE_DESCRIBE_H
#define SKALD_CORE_DESCRIBE_H

#include "orchestrator/core/saga.h"

/* What participants and operators wrote, as said above. */
void describe_said(struct slice text, struct bytes *out);

/* The saga tells the steps of its elements apart; NULL: it has none. An entry may be
 * about a step that there is not: "step 17". */
void describe_entry(const struct definition *definition, const struct saga *saga,
		    const struct entry *entry, struct bytes *out);

#endif
