/* law.c - what took effect at the participants, and whether that is right.
 *
 * It is said here in terms of effects, of the definition and of the saga as it is
 * stored in the end, and not in those of the engine. */
#include "orchestrator/simulate/world.h"

#include <stdarg.h>
#include <stdio.h>

const struct simulate_invariant simulate_invariants[INVARIANTS] = {
	[INVARIANT_NONE] = {"", ""},
	[INVARIANT_EFFECTS_ONCE] = {"effects-once",
				    "A command takes effect once, however often it arrives."},
	[INVARIANT_UNDO_ONCE] = {"undo-once", "Only what was done is undone, and once."},
	[INVARIANT_UNDO_ORDER] = {"undo-order",
				  "A step is undone after all that depend on it."},
	[INVARIANT_NO_LATE_EFFECT] = {"no-late-effect",
				      "What was undone or revoked does not take effect "
				      "afterwards."},
	[INVARIANT_PIVOT_IS_FINAL] = {"pivot-is-final",
				      "Nothing is undone once the pivot has taken effect."},
	[INVARIANT_OUTCOME_AGREES] = {"outcome-agrees",
				      "A completed saga leaves the effects of its steps, a "
				      "compensated one leaves none."},
	[INVARIANT_CANCEL_TURNS_BACK] = {"cancel-turns-back",
					 "A saga that was cancelled is not completed, unless "
					 "its pivot was first."},
	[INVARIANT_NOTHING_HANGS] = {"nothing-hangs",
				     "A saga that does not end is parked, or waits for an "
				     "event."},
	[INVARIANT_NEVER_LOST] = {"never-lost", "A saga that was started is stored."},
};

void law_wrong(struct world *world, enum invariant invariant, const char *format, ...)
{
	struct run *run = world->run;
	va_list args;

	if (run->broken)
		return;
	run->broken = invariant;
	va_start(args, format);
	(void)vsnprintf(run->what, sizeof run->what, format, args);
	va_end(args);
	tell(world, ACTOR_SKALD, ACTOR_SKALD, "violation of %s: %s",
	     simulate_invariants[invariant].name, run->what);
}

/* --- books ----------------------------------------------------------------------------- */

static struct entry_book *entry_at(struct world *world, struct book *book, uint32_t step,
				   uint32_t element)
{
	const struct definition *definition = world_definition(world, book);
	size_t at = (size_t)element * definition->n_steps + step, n;
	struct entry_book *entries;

	if (at < book->n_entries)
		return &book->entries[at];
	n = (size_t)(element + 1) * 2 * definition->n_steps;
	entries = arena_array(&world->run->arena, n, sizeof *entries);
	if (!entries) {
		world_fail(world, ERR_NOMEM);
		return NULL;
	}
	if (book->n_entries)
		memcpy(entries, book->entries, book->n_entries * sizeof *entries);
	book->entries = entries;
	book->n_entries = n;
	return &entries[at];
}

/* What the books have of an instance, for reading. */
static struct entry_book entry_of(const struct world *world, const struct book *book,
				  struct instance at)
{
	size_t i = (size_t)at.element * world_definition(world, book)->n_steps + at.step;

	return i < book->n_entries ? book->entries[i] : (struct entry_book){0};
}

/* --- what depends on what -------------------------------------------------------------- */

static bool stands_before(const struct definition *definition, uint32_t a, uint32_t b)
{
	for (b = definition->steps[b].previous; b != NO_STEP; b = definition->steps[b].previous)
		if (a == b)
			return true;
	return false;
}

/* Whether b begins only when a is done: they, or what they stand in, are in one list. */
static bool depends(const struct definition *definition, uint32_t a, uint32_t b)
{
	for (uint32_t i = a; i != NO_STEP; i = definition->steps[i].parent)
		for (uint32_t k = b; k != NO_STEP; k = definition->steps[k].parent)
			if (i != k && stands_before(definition, i, k))
				return true;
	return false;
}

static bool instances_depend(const struct definition *definition, struct instance a,
			     struct instance b)
{
	uint32_t each = definition->steps[a.step].each;

	if (each != NO_STEP && each == definition->steps[b.step].each && a.element != b.element)
		return false;
	return depends(definition, a.step, b.step);
}

/* --- effects --------------------------------------------------------------------------- */

struct effect {
	struct world *world;
	struct book *book;
	const struct definition *definition;
	struct instance at;
	struct slice id;
	uint16_t round;
	struct entry_book *entry;
};

static bool effect_of(struct world *world, const struct command_message *command,
		      struct slice id, struct effect *out)
{
	struct address at;

	*out = (struct effect){.world = world, .id = command->id};
	out->book = book_find(world, command->saga_id);
	if (!out->book || !address_parse(id, &at))
		return false;
	out->definition = world_definition(world, out->book);
	out->at = (struct instance){definition_find(out->definition, at.step), at.element};
	if (out->at.step == NO_STEP)
		return false;
	out->round = at.round;
	out->entry = entry_at(world, out->book, out->at.step, out->at.element);
	return out->entry != NULL;
}

static void effect_done(struct effect *effect)
{
	struct entry_book *entry = effect->entry;

	if (entry->done > entry->undone)
		law_wrong(effect->world, INVARIANT_EFFECTS_ONCE,
			  "%.*s took effect a second time", SLICE_ARG(effect->id));
	else if (entry->barred || entry->undone)
		law_wrong(effect->world, INVARIANT_NO_LATE_EFFECT,
			  "%.*s took effect after it was undone or revoked",
			  SLICE_ARG(effect->id));
	entry->done++;
	entry->done_round = effect->round;
}

/* Of a step that depends on it. An undo that the definition gives up is not waited for. */
static bool stands_in_the_way(const struct effect *effect, struct instance other)
{
	const struct step_definition *step = &effect->definition->steps[other.step];
	struct entry_book entry = entry_of(effect->world, effect->book, other);

	return entry.done > entry.undone && step->has_undo && !step->undo_skip &&
	       instances_depend(effect->definition, effect->at, other);
}

static void check_order(const struct effect *effect)
{
	uint32_t n_steps = effect->definition->n_steps;

	for (size_t i = 0; i < effect->book->n_entries; i++) {
		struct instance other = {(uint32_t)(i % n_steps), (uint32_t)(i / n_steps)};

		if (stands_in_the_way(effect, other))
			law_wrong(effect->world, INVARIANT_UNDO_ORDER,
				  "%.*s took effect while %.*s, which depends on it, is not "
				  "undone",
				  SLICE_ARG(effect->id),
				  SLICE_ARG(effect->definition->steps[other.step].name));
	}
}

static void effect_undone(struct effect *effect)
{
	const struct definition *definition = effect->definition;
	struct entry_book *entry = effect->entry;
	bool alone = definition->steps[effect->at.step].form == FORM_NOTHING;

	if (alone ? entry->undone : entry->done <= entry->undone)
		law_wrong(effect->world, INVARIANT_UNDO_ONCE,
			  "%.*s took effect, and there is nothing to undo",
			  SLICE_ARG(effect->id));
	if (definition->pivot != NO_STEP &&
	    entry_of(effect->world, effect->book, (struct instance){definition->pivot, 0}).done)
		law_wrong(effect->world, INVARIANT_PIVOT_IS_FINAL,
			  "%.*s took effect after the pivot %.*s", SLICE_ARG(effect->id),
			  SLICE_ARG(definition->steps[definition->pivot].name));
	check_order(effect);
	entry->undone++;
}

void law_effect(struct world *world, const struct command_message *command)
{
	struct effect effect;
	struct address at;

	if (!effect_of(world, command, command->id, &effect) ||
	    !address_parse(command->id, &at))
		return;
	if (at.verb == VERB_DO)
		effect_done(&effect);
	else
		effect_undone(&effect);
}

void law_barred(struct world *world, const struct command_message *command)
{
	struct effect effect;

	if (command->do_id.len && effect_of(world, command, command->do_id, &effect))
		effect.entry->barred = true;
}

/* --- in the end ------------------------------------------------------------------------ */

/* What is looked at: a saga, as it is stored, and its books. */
struct case_file {
	struct world *world;
	const struct book *book;
	const struct definition *definition;
	struct saga saga;
	struct arena arena;
};

static const struct book *child_of(const struct case_file *file, struct instance at,
				   uint16_t round)
{
	char id[SAGA_ID_MAX];

	return book_find(file->world,
			 child_id(file->definition, file->book->id, at, round, id));
}

static bool fits_completed(const struct case_file *file, uint32_t i)
{
	struct instance at = saga_instance(file->definition, &file->saga, i);
	const struct step_definition *step = &file->definition->steps[at.step];
	const struct step *state = &file->saga.steps[i];
	struct entry_book entry = entry_of(file->world, file->book, at);
	const struct book *child;

	if (entry.undone)
		return false;
	if (step->form == FORM_SAGA && state->state == STEP_DONE) {
		child = child_of(file, at, state->do_round);
		return child && child->status == STATUS_COMPLETED;
	}
	if (step->form != FORM_CALL)
		return !entry.done;
	if (state->state == STEP_DONE)
		return entry.done == 1;
	return state->state == STEP_SKIPPED && entry.done <= (state->why != WHY_CONDITION);
}

static bool fits_compensated(const struct case_file *file, uint32_t i)
{
	struct instance at = saga_instance(file->definition, &file->saga, i);
	const struct step_definition *step = &file->definition->steps[at.step];
	const struct step *state = &file->saga.steps[i];
	struct entry_book entry = entry_of(file->world, file->book, at);
	const struct book *child;

	if (step->form == FORM_SAGA) {
		child = child_of(file, at, state->do_round);
		return !child || child->status == STATUS_COMPENSATED;
	}
	if (step->kind == KIND_PIVOT || step->kind == KIND_RETRIABLE)
		return !entry.done;
	if (!step->has_undo || step->undo_skip)
		return true;
	if (step->form == FORM_NOTHING)
		return entry.undone == (state->state == STEP_UNDONE);
	return entry.done == entry.undone;
}

static void check_effects(const struct case_file *file)
{
	for (uint32_t i = 0; i < file->saga.n_steps; i++) {
		struct instance at = saga_instance(file->definition, &file->saga, i);
		struct entry_book entry = entry_of(file->world, file->book, at);
		bool fits = true;

		if (file->saga.phase == PHASE_COMPLETED)
			fits = fits_completed(file, i);
		else if (file->saga.phase == PHASE_COMPENSATED)
			fits = fits_compensated(file, i);
		if (!fits)
			law_wrong(file->world, INVARIANT_OUTCOME_AGREES,
				  "%.*s is %s and its step %.*s %s, but it was done %u and "
				  "undone %u times",
				  SLICE_ARG(file->book->id),
				  status_text(saga_status(&file->saga)),
				  SLICE_ARG(file->definition->steps[at.step].name),
				  step_state_text((enum step_state)file->saga.steps[i].state),
				  (unsigned)entry.done, (unsigned)entry.undone);
	}
}

static void check_cancel(const struct case_file *file)
{
	uint32_t pivot = file->definition->pivot;

	if (!file->book->cancelled || file->saga.phase != PHASE_COMPLETED)
		return;
	if (pivot == NO_STEP || (file->saga.steps[pivot].state != STEP_DONE &&
				 file->saga.steps[pivot].state != STEP_SKIPPED))
		law_wrong(file->world, INVARIANT_CANCEL_TURNS_BACK,
			  "%.*s was cancelled, and is completed", SLICE_ARG(file->book->id));
}

static void check_book(struct world *world, const struct book *book)
{
	struct case_file file = {
		.world = world, .book = book, .definition = world_definition(world, book)};
	enum err err = book_read(world, book->id, &file.arena, &file.saga);

	if (err == ERR_NOMEM) {
		world_fail(world, err);
	} else if (err) {
		law_wrong(world, INVARIANT_NEVER_LOST, "%.*s was started, and is not stored",
			  SLICE_ARG(book->id));
	} else {
		check_effects(&file);
		check_cancel(&file);
	}
	arena_release(&file.arena);
}

void law_books(struct world *world)
{
	if (world->acknowledged && !world->books)
		law_wrong(world, INVARIANT_NEVER_LOST,
			  "%.*s was started, and nothing was ever stored",
			  SLICE_ARG(world->run->id));
	for (const struct book *book = world->books; book; book = book->next)
		check_book(world, book);
}
