#include "orchestrator/reconcile/compare.h"

/* A step that only has an undo does nothing forward. */
static bool only_undo(const struct step_definition *definition)
{
	return definition->form == FORM_NOTHING && definition->has_undo;
}

/* --- what the record says ----------------------------------------------------------- */

/* Of the do in the step's newest round. */
static enum said said_of_do(const struct step_definition *definition, const struct step *step)
{
	bool elsewhere = definition->has_undo && !slice_equal(definition->undo.participant,
							      definition->call.participant);

	switch ((enum step_state)step->state) {
	case STEP_WAITING:
	case STEP_NEVER: return SAID_NOTHING;
	case STEP_DONE: return SAID_DONE;
	case STEP_REFUSED: return step->why == WHY_REFUSED ? SAID_REFUSED : SAID_NOTHING;
	case STEP_SKIPPED: /* after it was sent, nobody knows what came of it */
		return step->flags & (FLAG_TOUCHED | FLAG_WAIVED) ? SAID_ANYTHING
								  : SAID_NOTHING;
	case STEP_UNDONE: return elsewhere ? SAID_ANYTHING : SAID_UNDONE;
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_IN_DOUBT:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: return SAID_ANYTHING;
	}
	return SAID_ANYTHING;
}

/* Of the undo that is all a step has. */
static enum said said_of_only_undo(const struct step *step)
{
	switch ((enum step_state)step->state) {
	case STEP_WAITING:
	case STEP_RUNNING:
	case STEP_DONE:
	case STEP_NEVER: return SAID_NOTHING;
	case STEP_UNDONE: return SAID_DONE;
	case STEP_SKIPPED:
	case STEP_BACKOFF:
	case STEP_REFUSED:
	case STEP_IN_DOUBT:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: return SAID_ANYTHING;
	}
	return SAID_ANYTHING;
}

static void expect_do(const struct step_definition *definition, const struct step *step,
		      uint16_t round, struct expected *out)
{
	if (definition->form != FORM_CALL)
		return;
	out->participant = definition->call.participant;
	out->asked = round == step->do_round;
	if (round == step->do_round)
		out->said = said_of_do(definition, step);
	else if (round < step->do_round) /* only what is refused gets another round */
		out->said = SAID_REFUSED;
}

/* Of other steps the record of the do tells of the undo, too. */
static void expect_undo(const struct step_definition *definition, const struct step *step,
			uint16_t round, struct expected *out)
{
	if (!only_undo(definition)) {
		out->said = SAID_ANYTHING;
		return;
	}
	out->participant = definition->undo.participant;
	out->asked = round == step->undo_round;
	if (round == step->undo_round)
		out->said = said_of_only_undo(step);
	else if (round < step->undo_round)
		out->said = SAID_ANYTHING;
}

struct expected expected_of(const struct definition *definition, const struct saga *saga,
			    const struct address *address, struct slice participant)
{
	uint32_t at = definition_find(definition, address->step), i;
	struct expected expected = {
		.said = SAID_NOTHING, .state = "", .first_ms = saga->started_ms};
	const struct step *step;

	if (at == NO_STEP)
		return expected;
	i = saga_instance_at(definition, saga, (struct instance){at, address->element});
	if (i == NO_STEP || i >= saga->n_steps)
		return expected;
	step = &saga->steps[i];
	expected.state = step_state_text((enum step_state)step->state);
	if (step->started_ms)
		expected.first_ms = step->started_ms;
	switch (address->verb) {
	case VERB_DO: expect_do(&definition->steps[at], step, address->round, &expected); break;
	case VERB_UNDO:
		expect_undo(&definition->steps[at], step, address->round, &expected);
		break;
	case VERB_REVOKE: expected.said = SAID_ANYTHING; break;
	}
	/* It was sent to somebody else. */
	if (expected.participant.len && !slice_equal(expected.participant, participant)) {
		expected.said = SAID_NOTHING;
		expected.asked = false;
	}
	return expected;
}

bool expected_command(const struct definition *definition, const struct saga *saga,
		      uint32_t step, enum verb *verb, uint16_t *round,
		      struct slice *participant)
{
	const struct step_definition *of = saga_step_definition(definition, saga, step);

	if (of->form == FORM_CALL) {
		*verb = VERB_DO;
		*round = saga->steps[step].do_round;
		*participant = of->call.participant;
		return said_of_do(of, &saga->steps[step]) != SAID_ANYTHING;
	}
	if (!only_undo(of))
		return false;
	*verb = VERB_UNDO;
	*round = saga->steps[step].undo_round;
	*participant = of->undo.participant;
	return said_of_only_undo(&saga->steps[step]) != SAID_ANYTHING;
}

/* --- comparing ------------------------------------------------------------------------ */

enum mismatch compare(const struct expected *expected, enum record_state state, int64_t kept_ms)
{
	bool ok = state == RECORD_OK;

	if (expected->said == SAID_ANYTHING)
		return MISMATCH_NONE;
	if (expected->said == SAID_NOTHING)
		return ok ? MISMATCH_NO_STEP : MISMATCH_NONE;
	if (state == RECORD_NONE && kept_ms && expected->first_ms < kept_ms)
		return MISMATCH_FORGOTTEN;
	if (expected->said == SAID_UNDONE && ok)
		return MISMATCH_UNDONE_BUT_DONE;
	if (expected->said == SAID_REFUSED && ok)
		return MISMATCH_REFUSED_BUT_DONE;
	if (expected->said != SAID_DONE)
		return state == RECORD_NONE ? MISMATCH_NO_RECORD : MISMATCH_NONE;
	switch (state) {
	case RECORD_OK: break;
	case RECORD_NONE: return MISMATCH_NO_EFFECT;
	case RECORD_REFUSED: return MISMATCH_DONE_BUT_REFUSED;
	case RECORD_BARRED:
	case RECORD_UNDONE: return MISMATCH_DONE_BUT_UNDONE;
	}
	return MISMATCH_NONE;
}

/* --- words ---------------------------------------------------------------------------- */

const char *mismatch_code(enum mismatch difference)
{
	switch (difference) {
	case MISMATCH_NONE: return "none";
	case MISMATCH_FORGOTTEN: return "forgotten";
	case MISMATCH_NO_SAGA: return "effect-without-saga";
	case MISMATCH_NO_STEP: return "effect-without-step";
	case MISMATCH_NO_EFFECT: return "effect-missing";
	case MISMATCH_NO_RECORD: return "answer-missing";
	case MISMATCH_DONE_BUT_UNDONE: return "done-but-undone";
	case MISMATCH_DONE_BUT_REFUSED: return "done-but-refused";
	case MISMATCH_UNDONE_BUT_DONE: return "undone-but-done";
	case MISMATCH_REFUSED_BUT_DONE: return "refused-but-done";
	case MISMATCH_UNREADABLE: return "unreadable-saga";
	}
	return "";
}

const char *mismatch_text(enum mismatch difference)
{
	switch (difference) {
	case MISMATCH_NONE: return "both say the same";
	case MISMATCH_FORGOTTEN: return "the participant does not keep records for so long";
	case MISMATCH_NO_SAGA:
		return "the participant has done it for a saga that the orchestrator does not "
		       "know";
	case MISMATCH_NO_STEP:
		return "the participant has done what the saga's record has not sent";
	case MISMATCH_NO_EFFECT:
		return "the saga's record says done, the participant knows nothing of it";
	case MISMATCH_NO_RECORD:
		return "the saga's record has the participant's answer, the participant knows "
		       "nothing of it";
	case MISMATCH_DONE_BUT_UNDONE:
		return "the saga's record says done, the participant has undone or barred it";
	case MISMATCH_DONE_BUT_REFUSED:
		return "the saga's record says done, the participant has refused it";
	case MISMATCH_UNDONE_BUT_DONE:
		return "the saga's record says undone, the participant has it done and not "
		       "undone";
	case MISMATCH_REFUSED_BUT_DONE:
		return "the saga's record says refused, the participant has done it";
	case MISMATCH_UNREADABLE:
		return "the saga's record cannot be read, or its definition is not here";
	}
	return "";
}

const char *record_state_text(enum record_state state)
{
	switch (state) {
	case RECORD_NONE: return "nothing";
	case RECORD_OK: return "done";
	case RECORD_REFUSED: return "refused";
	case RECORD_BARRED: return "barred";
	case RECORD_UNDONE: return "undone";
	}
	return "";
}
