/* state.h - a state as a few bytes, for the set of those visited; private to the
 * checker.
 *
 * Packed is what a later decision can depend on. Not packed are times (a timer
 * runs or does not), payloads (an output is there or not), error texts, and what
 * nothing reads any more: the attempts of a command that is over, the answers
 * that an undone step has had, a cancel that came when the saga was turning back
 * already. Two states of the same bytes behave alike from there on.
 */
#ifndef SKALD_CHECK_STATE_H
#define SKALD_CHECK_STATE_H

#include "orchestrator/check/model.h"

size_t state_size(const struct model *model);

/* False: a count is larger than its field. That is outside of the bounds. */
bool state_pack(const struct model *model, const struct state *state, uint8_t *out);

/* Room for one state; state_unpack() fills it again and again. False: no memory. */
bool state_make(const struct model *model, struct arena *arena, struct state *state);
void state_unpack(const struct model *model, const uint8_t *packed, struct state *state);

#endif
