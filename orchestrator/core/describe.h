/* describe.h - sagas, events, commands and timeline entries as one line of text.
 *
 *	running: reserve done, charge running (do, attempt 1), confirm waiting
 *	charge: do answered refused (attempt 1): card_declined: no money
 *	send undo of reserve to inventory.release (attempt 1)
 *
 * The same words serve the log, the command line and the checker's transcripts.
 * The text has no time, no payload (it may be masked) and no line break or other
 * control character; what participants and operators wrote is cut after 200
 * bytes. It is appended; failures are in out->err.
 */
#ifndef SKALD_CORE_DESCRIBE_H
#define SKALD_CORE_DESCRIBE_H

#include "orchestrator/core/saga.h"

/* What participants and operators wrote, as said above. */
void describe_said(struct slice text, struct bytes *out);

/* The saga must be one of this definition. */
void describe_saga(const struct definition *definition, const struct saga *saga,
		   struct bytes *out);

/* The saga tells the steps of its elements apart; NULL: it has none. An event may be
 * about a step that there is not: "step 17". */
void describe_event(const struct definition *definition, const struct saga *saga,
		    const struct event *event, struct bytes *out);
void describe_command(const struct definition *definition, const struct saga *saga,
		      const struct command *command, struct bytes *out);
void describe_entry(const struct definition *definition, const struct saga *saga,
		    const struct entry *entry, struct bytes *out);

#endif
