#include "tests/sim/shrink.h"

#include <assert.h>

struct shrinking {
	const struct catalogue *catalogue;
	uint64_t seed;
	enum sabotage sabotage;
	char fault[DIARY_FAULT_SIZE]; /* what it is to say again */
	uint64_t n_events;
	struct shrunk *out;
};

/* --- the same fault ----------------------------------------------------------------- */

/* The next word that says what is wrong: ids and places have digits, points or strokes in
 * them. The first one is the promise. Empty: there are no more. */
static struct slice next_word(const char **text, bool first)
{
	struct slice word;
	bool names;

	do {
		*text += strspn(*text, " ");
		word = (struct slice){*text, strcspn(*text, " ")};
		names = false;
		for (size_t i = 0; i < word.len; i++)
			names |= strchr("0123456789/.", word.at[i]) != NULL;
		*text += word.len;
	} while (word.len && names && !first);
	return word;
}

bool shrink_same(const char *fault, const char *other)
{
	struct slice one, two;
	bool first = true;

	do {
		one = next_word(&fault, first);
		two = next_word(&other, first);
		first = false;
	} while (one.len && slice_equal(one, two));
	return !one.len && !two.len;
}

/* --- leaving out -------------------------------------------------------------------- */

static bool too_dear(const struct shrinking *self)
{
	return self->out->n_runs >= SHRINK_RUNS_MAX || self->n_events >= SHRINK_EVENTS_MAX;
}

/* Without those of the list at [from, to). True: it breaks the same, and the list is what
 * was taken now. */
static bool works_without(struct shrinking *self, size_t from, size_t to)
{
	struct chance_list *list = &self->out->list;
	struct chance_list keep = {0}, taken = {0};
	struct run_result result;
	bool works;

	for (size_t i = 0; i < list->n; i++)
		if (i < from || i >= to)
			chance_list_add(&keep, list->names[i]);
	world_replay(self->catalogue, self->seed, self->sabotage, &keep, NULL, &result, &taken);
	self->out->n_runs++;
	self->n_events += result.tally.events;
	works = !result.ok && shrink_same(result.fault, self->fault);
	if (works) {
		struct chance_list old = *list;

		chance_list_sort(&taken);
		*list = taken;
		taken = old;
	}
	chance_list_release(&taken);
	chance_list_release(&keep);
	return works;
}

/* The end of those of one kind, which stand side by side. */
static size_t end_of_kind(const struct chance_list *list, size_t from)
{
	size_t to = from;

	while (to < list->n &&
	       chance_kind_of(list->names[to]) == chance_kind_of(list->names[from]))
		to++;
	return to;
}

static void leave_out_kinds(struct shrinking *self)
{
	const struct chance_list *list = &self->out->list;
	size_t at = 0;

	while (at < list->n && !too_dear(self)) {
		size_t to = end_of_kind(list, at);

		if (!works_without(self, at, to))
			at = to;
	}
}

/* Parts of that size, one after the other; true: one could be left out. */
static bool leave_out_parts(struct shrinking *self, size_t size)
{
	const struct chance_list *list = &self->out->list;
	bool any = false;
	size_t at = 0;

	while (at < list->n && !too_dear(self)) {
		size_t to = at + size < list->n ? at + size : list->n;

		if (works_without(self, at, to))
			any = true;
		else
			at = to;
	}
	return any;
}

bool shrink_seed(const struct catalogue *catalogue, uint64_t seed, enum sabotage sabotage,
		 struct shrunk *out)
{
	struct shrinking self = {
		.catalogue = catalogue, .seed = seed, .sabotage = sabotage, .out = out};
	struct run_result result;
	size_t size;

	*out = (struct shrunk){.n_before = 0};
	world_replay(catalogue, seed, sabotage, NULL, NULL, &result, &out->list);
	chance_list_sort(&out->list);
	out->n_before = out->list.n;
	if (result.ok)
		return false;
	memcpy(self.fault, result.fault, sizeof self.fault);
	leave_out_kinds(&self);
	for (size = out->list.n / 2; size > 1; size /= 2)
		leave_out_parts(&self, size);
	/* What was needed once may not be any more. */
	while (out->list.n && leave_out_parts(&self, 1))
		;
	out->is_least = !too_dear(&self);
	return true;
}
