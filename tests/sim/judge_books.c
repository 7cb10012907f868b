#include "tests/sim/judge.h"

#include "orchestrator/engine/address.h"

/* --- whose command it is ------------------------------------------------------------ */

bool judge_place(struct world *world, struct slice command_id, struct command_place *out)
{
	struct address address;

	/* No saga that is simulated has elements. */
	if (!address_parse(command_id, &address) || address.element)
		return false;
	out->sim_case = world_case_by_id(world, address.saga_id);
	if (!out->sim_case)
		return false;
	out->step = definition_find(out->sim_case->definition, address.step);
	out->verb = address.verb;
	out->round = address.round;
	return out->step != NO_STEP;
}

static const struct step_definition *step_at(const struct command_place *place)
{
	return &place->sim_case->definition->steps[place->step];
}

static struct step_book *book_at(const struct command_place *place)
{
	return &place->sim_case->steps[place->step];
}

static void broken(struct world *world, const struct command_place *place, const char *promise,
		   const char *what)
{
	diary_fault(&world->diary, "%s: %s/%.*s/%u/%s %s", promise, place->sim_case->id,
		    SLICE_ARG(step_at(place)->name), (unsigned)place->round,
		    verb_text(place->verb), what);
}

/* --- effects ------------------------------------------------------------------------ */

static bool conditional(const struct definition *definition, uint32_t i)
{
	for (; i != NO_STEP; i = definition->steps[i].parent)
		if (definition->steps[i].when)
			return true;
	return false;
}

/* What stands before the step on its way, and has to be done first. */
static bool must_be_done(const struct sim_case *sim_case, uint32_t i)
{
	const struct step_definition *step = &sim_case->definition->steps[i];

	return step->form == FORM_CALL && !step->ignore_failure &&
	       !conditional(sim_case->definition, i) && !sim_case->steps[i].skip_asked;
}

static void judge_do(struct world *world, const struct command_place *place)
{
	const struct sim_case *sim_case = place->sim_case;
	struct step_book *book = book_at(place);

	if (book->done)
		broken(world, place, "P1",
		       book->done_round == place->round ? "took effect twice"
							: "took effect in two rounds");
	if (place->round < book->closed)
		broken(world, place, "P3", "took effect after it was undone or revoked");
	for (uint32_t i = 0; i < sim_case->definition->n_steps; i++)
		if (case_depends(sim_case->definition, i, place->step) &&
		    must_be_done(sim_case, i) && !sim_case->steps[i].done)
			broken(world, place, "order",
			       "took effect before a step that stands in front of it");
	book->done++;
	book->done_round = place->round;
	world->tally.effects++;
}

/* Its effect stands, and nobody said that it may. */
static bool still_stands(const struct sim_case *sim_case, uint32_t i)
{
	const struct step_definition *step = &sim_case->definition->steps[i];
	const struct step_book *book = &sim_case->steps[i];

	return step->has_undo && !step->undo_skip && !book->skip_asked &&
	       book->done > book->undone;
}

static void judge_undo(struct world *world, const struct command_place *place)
{
	const struct sim_case *sim_case = place->sim_case;
	const struct definition *definition = sim_case->definition;
	struct step_book *book = book_at(place);

	if (book->undone)
		broken(world, place, "P1", "was undone twice");
	if (step_at(place)->form == FORM_CALL && !book->done)
		broken(world, place, "P1", "was undone without having been done");
	if (definition->pivot != NO_STEP && sim_case->steps[definition->pivot].done)
		broken(world, place, "P4", "was undone although the pivot took effect");
	for (uint32_t i = 0; i < definition->n_steps; i++)
		if (case_depends(definition, place->step, i) && still_stands(sim_case, i))
			broken(world, place, "P3",
			       "was undone before a step that depends on it");
	book->undone++;
	world->tally.undos++;
}

void judge_effect(struct world *world, const struct command_place *place)
{
	if (place->verb == VERB_DO)
		judge_do(world, place);
	else
		judge_undo(world, place);
}

/* --- replies ------------------------------------------------------------------------ */

static void judge_ok(struct world *world, const struct command_place *place)
{
	struct step_book *book = book_at(place);

	switch (place->verb) {
	case VERB_DO:
		if (!book->done)
			broken(world, place, "P1", "was answered ok and not done");
		return;
	case VERB_UNDO:
		if (step_at(place)->form == FORM_CALL ? book->done != book->undone
						      : !book->undone)
			broken(world, place, "P3", "was answered ok and not undone");
		break;
	case VERB_REVOKE:
		if (book->done)
			broken(world, place, "P4", "was answered ok although it took effect");
		break;
	}
	book->undo_answered = true;
	book->closed = UINT16_MAX;
}

static void judge_refused(struct world *world, const struct command_place *place,
			  const struct reply_message *reply)
{
	const struct step_book *book = book_at(place);

	if (place->verb == VERB_REVOKE) {
		if (!book->done)
			broken(world, place, "P4", "was refused although nothing was done");
	} else if (place->verb == VERB_DO && !slice_is(reply->code, "barred") && book->done &&
		   book->done_round == place->round) {
		broken(world, place, "P1", "was refused although it took effect");
	}
}

void judge_reply(struct world *world, const struct reply_message *reply)
{
	struct command_place place;

	world->tally.replies++;
	if (!judge_place(world, reply->id, &place))
		return;
	switch (reply->outcome) {
	case MESSAGE_OK: judge_ok(world, &place); return;
	case MESSAGE_REFUSED: judge_refused(world, &place, reply); return;
	case MESSAGE_FAILED:
	case MESSAGE_EXPIRED: return;
	}
}
