/* saga_view.h - one saga, as the server tells of it, for people.
 *
 * What it is in, the graph with the state of every step, what happened with
 * times from its start, and what a person can do where one is waited for.
 */
#ifndef SKALD_CLI_SAGA_VIEW_H
#define SKALD_CLI_SAGA_VIEW_H

#include "cli/remote.h"
#include "orchestrator/core/definition.h"

enum tone status_tone(struct slice status);

/* Whether a saga of that status goes on by itself. */
bool status_goes_on(struct slice status);

/* The definition that the saga began with. It may be that it cannot be had, and
 * *out is then NULL: the saga can be shown nonetheless. */
void saga_view_definition(struct remote *remote, struct json saga, struct arena *arena,
			  struct definition **out);

/* The definition may be NULL. ERR_NOMEM, ERR_TOO_LARGE. */
CHECKED enum err saga_view_write(const struct terminal *terminal, struct json saga,
				 const struct definition *definition, int64_t now_ms,
				 struct arena *arena, struct bytes *out);

/* "inventory, payment": services that the saga waits for, and of which nothing is
 * connected; empty: none. */
struct slice saga_view_absent(struct json saga, struct arena *arena);

/* "+1.204s  reserve: do sent (attempt 1)", with the line break. */
void saga_view_entry(const struct terminal *terminal, struct json entry, int64_t origin_ms,
		     struct arena *arena, struct bytes *out);

#endif
