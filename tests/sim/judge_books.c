#include "tests/sim/judge.h"

#include "orchestrator/engine/address.h"

/* --- whose command it is ------------------------------------------------------------ */

bool judge_place(struct world *world, struct slice command_id, struct command_place *out)
{
	struct address address;

	if (!address_parse(command_id, &address))
		return false;
	out->sim_case = world_case_by_id(world, address.saga_id);
	if (!out->sim_case)
		return false;
	out->at.step = definition_find(out->sim_case->definition, address.step);
	out->at.element = address.element;
	out->verb = address.verb;
	out->round = address.round;
	return out->at.step != NO_STEP &&
	       out->at.element < case_elements(out->sim_case, out->at.step);
}

static const struct step_definition *step_at(const struct command_place *place)
{
	return &place->sim_case->definition->steps[place->at.step];
}

static struct step_book *book_at(const struct command_place *place)
{
	return case_book(place->sim_case, place->at);
}

static void broken(struct world *world, const struct command_place *place, const char *promise,
		   const char *what)
{
	diary_fault(&world->diary, "%s: %s/%.*s#%u/%u/%s %s", promise, place->sim_case->id,
		    SLICE_ARG(step_at(place)->name), (unsigned)place->at.element,
		    (unsigned)place->round, verb_text(place->verb), what);
}

/* --- effects ------------------------------------------------------------------------ */

static bool conditional(const struct definition *definition, uint32_t i)
{
	for (; i != NO_STEP; i = definition->steps[i].parent)
		if (definition->steps[i].when)
			return true;
	return false;
}

/* A step that stands before another one on its way, and has to be done first. */
static bool is_missing(const struct world *world, const struct sim_case *sim_case,
		       struct instance at)
{
	const struct step_definition *step = &sim_case->definition->steps[at.step];
	const struct step_book *book = case_book(sim_case, at);
	const struct sim_case *child;

	if (!form_commands(step->form) || step->ignore_failure || book->skip_asked ||
	    conditional(sim_case->definition, at.step))
		return false;
	if (step->form == FORM_CALL)
		return !book->done;
	child = judge_child(world, sim_case, at);
	return !child || child->status != STATUS_COMPLETED;
}

/* Its effect stands, and nobody said that it may. */
static bool still_stands(const struct world *world, const struct sim_case *sim_case,
			 struct instance at)
{
	const struct step_definition *step = &sim_case->definition->steps[at.step];
	const struct step_book *book = case_book(sim_case, at);
	const struct sim_case *child;

	if (book->skip_asked || !step->has_undo || step->undo_skip)
		return false;
	if (step->form != FORM_SAGA)
		return book->done > book->undone;
	child = judge_child(world, sim_case, at);
	return child && child->status != STATUS_COMPENSATED;
}

typedef bool blamed(const struct world *world, const struct sim_case *sim_case,
		    struct instance at);

/* Whether it is so with a step that depends on this one, or of which this one depends, of
 * the saga itself and of those whose descendant it is. One that its parent has skipped
 * is on its own. */
static bool any_wrong(const struct world *world, const struct sim_case *sim_case,
		      struct instance at, bool behind, blamed *is_wrong)
{
	const struct definition *definition = sim_case->definition;

	for (uint32_t i = 0; i < definition->n_steps; i++)
		for (uint32_t e = 0; e < case_elements(sim_case, i); e++) {
			struct instance other = {i, e};

			if ((behind ? case_depends(definition, at, other)
				    : case_depends(definition, other, at)) &&
			    is_wrong(world, sim_case, other))
				return true;
		}
	return sim_case->parent && !case_book(sim_case->parent, sim_case->place)->skip_asked &&
	       any_wrong(world, sim_case->parent, sim_case->place, behind, is_wrong);
}

static void judge_do(struct world *world, const struct command_place *place)
{
	struct step_book *book = book_at(place);

	if (book->done)
		broken(world, place, "P1",
		       book->done_round == place->round ? "took effect twice"
							: "took effect in two rounds");
	if (place->round < book->closed)
		broken(world, place, "P3", "took effect after it was undone or revoked");
	/* What an operator has skipped is on its own: what came before may be undone. */
	if (!book->skip_asked &&
	    any_wrong(world, place->sim_case, place->at, false, is_missing))
		broken(world, place, "order",
		       "took effect before a step that stands in front of it");
	book->done++;
	book->done_round = place->round;
	world->tally.effects++;
}

bool judge_pivot_done(const struct world *world, const struct sim_case *sim_case)
{
	const struct definition *definition = sim_case->definition;
	struct instance pivot = {definition->pivot, 0};
	const struct sim_case *child;

	if (definition->pivot == NO_STEP)
		return false;
	if (definition->steps[definition->pivot].form != FORM_SAGA)
		return case_book(sim_case, pivot)->done;
	child = judge_child(world, sim_case, pivot);
	return child && child->status == STATUS_COMPLETED;
}

static void judge_undo(struct world *world, const struct command_place *place)
{
	struct step_book *book = book_at(place);

	if (book->undone)
		broken(world, place, "P1", "was undone twice");
	if (step_at(place)->form == FORM_CALL && !book->done)
		broken(world, place, "P1", "was undone without having been done");
	if (judge_pivot_done(world, place->sim_case))
		broken(world, place, "P4", "was undone although the pivot took effect");
	if (any_wrong(world, place->sim_case, place->at, true, still_stands))
		broken(world, place, "P3", "was undone before a step that depends on it");
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
