/* each.c - the steps of many elements: how they come to be, and what runs side by
 * side in a block. */
#include "orchestrator/core/decide.h"

static void skip_range(struct decision *d, uint32_t first, uint32_t end, enum why why)
{
	for (uint32_t i = first; i < end; i++) {
		struct step *step = step_of(d, i);

		step->state = STEP_SKIPPED;
		step->why = (uint8_t)why;
		step->due_ms = 0;
		step->ended_ms = d->at_ms;
	}
}

void skip_all(struct decision *d, uint32_t i, enum why why)
{
	struct instance at = saga_instance(d->definition, d->saga, i);
	uint32_t end = d->definition->steps[at.step].end;

	skip_range(d, i, i + (end - at.step), why);
	for (uint32_t n = 0; n < d->saga->n_expansions; n++) {
		const struct expansion *expansion = &d->saga->expansions[n];
		uint32_t inside = d->definition->steps[expansion->step].end;

		if (expansion->step >= at.step && expansion->step < end)
			skip_range(d, expansion->first,
				   inside + expansion_shift(d->definition, expansion,
							    expansion->n - 1),
				   why);
	}
	note(d, ENTRY_SKIPPED, i, slice_of(why_text(why)));
}

/* "the list has 12 elements, more than 10" */
static bool reject(struct decision *d, uint32_t i, const char *code, const char *what,
		   size_t is, const char *unit, size_t max)
{
	struct bytes text = BYTES(256, d->arena);

	bytes_format(&text, "%s %zu %s, more than %zu", what, is, unit, max);
	d->nomem |= text.err != OK;
	step_of(d, i)->error = make_error(d, slice_of(code), bytes_slice(&text));
	note(d, ENTRY_ERROR, i, bytes_slice(&text));
	return false;
}

/* Begun with more elements than the list has: see expand(). */
static void skip_missing(struct decision *d, const struct expansion *expansion, uint32_t n)
{
	uint32_t end = d->definition->steps[expansion->step].end;

	for (; n < expansion->n; n++) {
		uint32_t shift = expansion_shift(d->definition, expansion, n);

		skip_range(d, expansion->step + 1 + shift, end + shift, WHY_NO_ELEMENT);
	}
}

/* Room for the steps of that many elements, which have all not begun. Without memory
 * nothing is added: the rest of the decision goes on looking at the saga. */
static void add_expansion(struct decision *d, uint32_t i, struct json list, uint32_t n)
{
	struct saga *saga = d->saga;
	uint32_t size = definition_of(d, i)->end - i - 1;
	uint32_t n_steps = saga->n_steps + (n - 1) * size;
	struct expansion *expansions =
		arena_array(d->arena, saga->n_expansions + 1, sizeof *expansions);
	struct step *steps = arena_array(d->arena, n_steps, sizeof *steps);
	struct slice *items = arena_array(d->arena, n, sizeof *items);
	struct json_each each = json_each(list);

	if (!expansions || !steps || !items) {
		d->nomem = true;
		return;
	}
	memcpy(steps, saga->steps, saga->n_steps * sizeof *steps);
	if (saga->n_expansions)
		memcpy(expansions, saga->expansions, saga->n_expansions * sizeof *expansions);
	for (uint32_t at = 0; json_next(&each); at++)
		items[at] = each.value.text;
	expansions[saga->n_expansions] =
		(struct expansion){.step = i, .first = saga->n_steps, .n = n, .items = items};
	saga->steps = steps;
	saga->n_steps = n_steps;
	saga->expansions = expansions;
	saga->n_expansions++;
}

bool expand(struct decision *d, uint32_t i, struct json list)
{
	const struct step_definition *definition = definition_of(d, i);
	uint32_t end = definition->end;
	size_t n = json_size(list);
	size_t size = list.text.len + saga_payload_size(d->saga);
	const struct expansion *there = saga_expansion(d->saga, i);

	if (n > definition->max)
		return reject(d, i, "too-many-elements", "the list has", n, "elements",
			      definition->max);
	if (n && size > SAGA_PAYLOADS_MAX_EACH)
		return reject(d, i, "too-large", "with its list the saga has", size,
			      "bytes of payloads", SAGA_PAYLOADS_MAX_EACH);
	/* The exhaustive checker begins with the steps of as many elements as it looks
	 * at, so that an index means the same step in all of its states. */
	if (there) {
		skip_missing(d, there, (uint32_t)n);
		return true;
	}
	if (n == 0) {
		skip_range(d, i + 1, end, WHY_NO_ELEMENT);
		return true;
	}
	add_expansion(d, i, list, (uint32_t)n);
	return true;
}

bool block_list(const struct decision *d, uint32_t i, uint32_t n, struct block_list *out)
{
	const struct step_definition *definition = definition_of(d, i);
	const struct expansion *expansion;

	if (definition->form == FORM_PARALLEL) {
		if (n == definition->n_branches)
			return false;
		*out = (struct block_list){definition->branches[n].first,
					   definition->branches[n].last, shift_of(d, i)};
		return true;
	}
	expansion = saga_expansion(d->saga, i);
	if (!expansion || n == expansion->n)
		return false;
	*out = (struct block_list){definition->branches[0].first, definition->branches[0].last,
				   expansion_shift(d->definition, expansion, n)};
	return true;
}
