/* ending.c - how a run ended, and why: as the sagas are stored then. */
#include "orchestrator/simulate/world.h"

#include <stdarg.h>
#include <stdio.h>

static void give_reason(struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void give_reason(struct world *world, const char *format, ...)
{
	char text[DIAG_MAX];
	va_list args;

	if (world->run->reason.len)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!arena_copy(&world->run->arena, slice_of(text), &world->run->reason))
		world_fail(world, ERR_NOMEM);
}

/* "confirm: do refused (declined)": without ids, so that those of many runs are the
 * same. */
static void reason_parked(struct world *world, const struct definition *definition,
			  const struct saga *saga, uint32_t i)
{
	const struct step *step = &saga->steps[i];
	struct instance at = saga_instance(definition, saga, i);
	struct slice code = step->error ? step->error->code : (struct slice){0};

	give_reason(world, "%.*s: %s %s%s%.*s%s", SLICE_ARG(definition->steps[at.step].name),
		    verb_text((enum verb)step->verb), why_text((enum why)step->why),
		    code.len ? " (" : "", SLICE_ARG(code), code.len ? ")" : "");
}

static void reason_failed(struct world *world, const struct definition *definition,
			  const struct saga *saga)
{
	if (!saga->failure)
		return;
	if (saga->failure_step == NO_STEP)
		give_reason(world, "%.*s", SLICE_ARG(saga->failure->code));
	else
		give_reason(world, "%.*s: %.*s",
			    SLICE_ARG(saga_step_definition(definition, saga, saga->failure_step)
					      ->name),
			    SLICE_ARG(saga->failure->code));
}

/* What a saga that has not ended waits for. */
static enum run_end look_at(struct world *world, const struct definition *definition,
			    const struct saga *saga)
{
	enum run_end end = RUN_ENDLESS;

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step_definition *step = saga_step_definition(definition, saga, i);

		if (saga->steps[i].state == STEP_PARKED) {
			reason_parked(world, definition, saga, i);
			return RUN_PARKED;
		}
		if (saga->steps[i].state == STEP_RUNNING && step->form == FORM_AWAIT &&
		    !saga->steps[i].due_ms) {
			give_reason(world, "%.*s: the event %.*s, which nobody sends",
				    SLICE_ARG(step->name), SLICE_ARG(step->event));
			end = RUN_WAITS;
		}
	}
	return end;
}

/* "charge running, hold undo-backoff": what is under way, but for blocks. */
static void describe_unended(struct world *world, const struct book *book,
			     const struct saga *saga)
{
	const struct definition *definition = world_definition(world, book);
	struct bytes text = BYTES(DIAG_MAX - 1, NULL);
	char room[INSTANCE_NAME_MAX];

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		enum step_state state = (enum step_state)saga->steps[i].state;
		bool waits = state == STEP_RUNNING || state == STEP_BACKOFF ||
			     state == STEP_UNDOING || state == STEP_UNDO_BACKOFF;
		struct slice name = saga_step_name(definition, saga, i, room);

		if (waits && !form_is_block(saga_step_definition(definition, saga, i)->form))
			bytes_format(&text, "%s%.*s %s", text.len ? ", " : "", SLICE_ARG(name),
				     step_state_text(state));
	}
	give_reason(world, "%.*s", SLICE_ARG(bytes_slice(&text)));
	bytes_release(&text);
}

/* Nothing happens any more, or too much: of a family the first one that says why. */
static enum run_end unended(struct world *world, bool bounded)
{
	enum run_end end = RUN_ENDLESS;

	for (struct book *book = world->books; book && end == RUN_ENDLESS; book = book->next) {
		struct arena arena = {0};
		struct saga saga;

		if (!book->ended && !book_read(world, book->id, &arena, &saga) && !bounded)
			end = look_at(world, world_definition(world, book), &saga);
		arena_release(&arena);
	}
	return end;
}

static void conclude_unended(struct world *world, bool bounded)
{
	struct book *book = world->books;
	struct arena arena = {0};
	struct saga saga;

	world->run->end = unended(world, bounded);
	world->run->took_ms = world_now_ms(world);
	if (world->run->end == RUN_ENDLESS && book &&
	    !book_read(world, book->id, &arena, &saga)) {
		describe_unended(world, book, &saga);
		if (!bounded)
			law_wrong(world, INVARIANT_NOTHING_HANGS,
				  "%.*s has not ended, and nothing happens any more: %.*s",
				  SLICE_ARG(book->id), SLICE_ARG(world->run->reason));
	}
	arena_release(&arena);
}

void conclude(struct world *world, bool bounded)
{
	const struct book *book = world->books;
	struct arena arena = {0};
	struct saga saga;

	law_books(world);
	if (!book) {
		world->run->end = world->run->reason.len ? RUN_REFUSED : RUN_ENDLESS;
		return;
	}
	if (!book->ended) {
		conclude_unended(world, bounded);
		return;
	}
	world->run->took_ms = book->ended_ms;
	switch (book->status) {
	case STATUS_COMPLETED: world->run->end = RUN_COMPLETED; break;
	case STATUS_KILLED: world->run->end = RUN_KILLED; break;
	default: world->run->end = RUN_COMPENSATED; break;
	}
	if (world->run->end != RUN_COMPLETED && !book_read(world, book->id, &arena, &saga))
		reason_failed(world, world_definition(world, book), &saga);
	arena_release(&arena);
}
