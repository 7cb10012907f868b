/* expression_facts.c - what is certainly there once a condition has come out. */
#include "orchestrator/core/expression_node.h"

static bool same_segment(const struct segment *a, const struct segment *b)
{
	if (a->is_index != b->is_index)
		return false;
	return a->is_index ? a->index == b->index : slice_equal(a->name, b->name);
}

/* How many segments the paths have in common, at most n; false where they do
 * not even begin with the same value. */
static bool common_start(const struct path *a, const struct path *b, size_t n, size_t *common)
{
	const struct segment *x = a->segments, *y = b->segments;

	if (!a->resolved || !b->resolved || a->base || b->base ||
	    a->name.root != b->name.root ||
	    (a->name.root == ROOT_STEP_OUT && a->name.step != b->name.step))
		return false;
	for (*common = 0; *common < n && x && y && same_segment(x, y); ++*common) {
		x = x->next;
		y = y->next;
	}
	return true;
}

static const struct segment *segment_at(const struct path *path, size_t index)
{
	const struct segment *segment = path->segments;

	while (index-- > 0)
		segment = segment->next;
	return segment;
}

type_set facts_types(const struct fact *list, const struct path *path, size_t n)
{
	type_set types = 0;

	for (; list; list = list->next) {
		size_t common;

		if (list->n < n || !common_start(list->path, path, n, &common) || common < n)
			continue;
		/* What has a member is an object, and what has an element a list. */
		if (list->n > n)
			return segment_at(list->path, n)->is_index ? TYPE_OF(JSON_LIST)
								   : TYPE_OF(JSON_OBJECT);
		types = TYPE_ANY & (type_set)~TYPE_OF(JSON_NULL);
	}
	return types;
}

bool facts_has_step(const struct fact *list, uint32_t step)
{
	for (; list; list = list->next)
		if (list->path->name.root == ROOT_STEP_OUT && list->path->name.step == step)
			return true;
	return false;
}

const struct fact *facts_add(const struct fact *list, const struct path *path, size_t n,
			     struct arena *arena, bool *nomem)
{
	struct fact *fact = arena_alloc(arena, sizeof *fact);

	if (!fact) {
		*nomem = true;
		return list;
	}
	*fact = (struct fact){path, n, list};
	return fact;
}

struct facts facts_both(struct facts a, struct facts b, struct arena *arena, bool *nomem)
{
	struct facts both = {a.never || b.never, a.list};

	for (const struct fact *fact = b.list; fact; fact = fact->next)
		both.list = facts_add(both.list, fact->path, fact->n, arena, nomem);
	return both;
}

/* What has(a.b) and has(a.c) have in common is that there is an a. */
struct facts facts_either(struct facts a, struct facts b, struct arena *arena, bool *nomem)
{
	struct facts either = {0};

	if (a.never)
		return b;
	if (b.never)
		return a;
	for (const struct fact *x = a.list; x; x = x->next) {
		for (const struct fact *y = b.list; y; y = y->next) {
			size_t n = x->n < y->n ? x->n : y->n;

			if (common_start(x->path, y->path, n, &n) &&
			    !facts_types(either.list, x->path, n))
				either.list = facts_add(either.list, x->path, n, arena, nomem);
		}
	}
	return either;
}
