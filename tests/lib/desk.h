/* desk.h - asks an engine and waits for the answer, for tests. */
#ifndef SKALD_TESTS_LIB_DESK_H
#define SKALD_TESTS_LIB_DESK_H

#include "orchestrator/engine/engine.h"

/* engine_open with a reader for the definitions that the store has. */
CHECKED enum err desk_open(const struct engine_parts *parts, struct engine **out,
			   struct diag *diag);

/* Deploy the definition of a file, or of a text; it must be a right one. */
CHECKED enum err desk_deploy_file(struct engine *engine, const char *path);
CHECKED enum err desk_deploy_text(struct engine *engine, const char *text);

/* Each takes as many turns as it needs for the answer; an error of a turn is
 * returned as it is, and then nobody knows. ERR_CONFLICT and the like: the diag
 * has the text of the answer. OK for a start that was there already. */
CHECKED enum err desk_start(struct engine *engine, const char *saga, const char *id,
			    const char *input, struct diag *diag);
CHECKED enum err desk_operate(struct engine *engine, struct slice id, struct slice step,
			      const struct event *event, struct diag *diag);

/* Sagas that have not ended. */
size_t desk_live(const struct engine *engine);

#endif
