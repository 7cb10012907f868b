#include "orchestrator/explain/diff.h"

#include "orchestrator/explain/parts.h"

enum { PART_MAX = DEFINITION_TEXT_MAX };

struct comparing {
	const struct definition *a, *b;
	struct arena *arena;
	struct diff *out;
	uint32_t capacity;
	enum err err;
};

/* --- part by part ------------------------------------------------------------------ */

static void add(struct comparing *c, struct difference difference)
{
	struct diff *out = c->out;
	struct difference *grown;

	if (out->n == c->capacity) {
		c->capacity = c->capacity ? 2 * c->capacity : 16;
		grown = arena_array(c->arena, c->capacity, sizeof *grown);
		if (!grown) {
			c->err = ERR_NOMEM;
			c->capacity = out->n;
			return;
		}
		if (out->n)
			memcpy(grown, out->list, out->n * sizeof *grown);
		out->list = grown;
	}
	out->list[out->n++] = difference;
}

static void compare_texts(struct comparing *c, struct slice step, const char *part,
			  const struct bytes *from, const struct bytes *to)
{
	if (from->err || to->err)
		c->err = ERR_NOMEM;
	else if (!slice_equal(bytes_slice(from), bytes_slice(to)))
		add(c, (struct difference){.step = step,
					   .part = part,
					   .from = bytes_slice(from),
					   .to = bytes_slice(to)});
}

static void compare_steps(struct comparing *c, const struct step_definition *a,
			  const struct step_definition *b)
{
	for (size_t i = 0; i < n_step_parts; i++) {
		struct bytes from = BYTES(PART_MAX, c->arena), to = BYTES(PART_MAX, c->arena);

		step_parts[i].write(a, &from);
		step_parts[i].write(b, &to);
		compare_texts(c, a->name, step_parts[i].name, &from, &to);
	}
}

static void compare_sagas(struct comparing *c)
{
	for (size_t i = 0; i < n_saga_parts; i++) {
		struct bytes from = BYTES(PART_MAX, c->arena), to = BYTES(PART_MAX, c->arena);

		saga_parts[i].write(c->a, &from);
		saga_parts[i].write(c->b, &to);
		compare_texts(c, (struct slice){0}, saga_parts[i].name, &from, &to);
	}
}

/* --- where a step stands ----------------------------------------------------------- */

/* The branch of its block that the step stands in; empty where that has only one. */
static struct slice branch_of(const struct definition *definition, uint32_t i)
{
	const struct step_definition *step = &definition->steps[i], *block;
	uint32_t first = i;

	if (step->parent == NO_STEP)
		return (struct slice){0};
	block = &definition->steps[step->parent];
	if (block->form == FORM_EACH)
		return (struct slice){0};
	while (definition->steps[first].previous != NO_STEP)
		first = definition->steps[first].previous;
	for (uint32_t n = 0; n < block->n_branches; n++)
		if (block->branches[n].first == first)
			return block->branches[n].name;
	return (struct slice){0};
}

/* The nearest step before it, in its list, that the other one has, too. */
static uint32_t known_before(const struct definition *definition, uint32_t i,
			     const struct definition *other)
{
	do
		i = definition->steps[i].previous;
	while (i != NO_STEP && definition_find(other, definition->steps[i].name) == NO_STEP);
	return i;
}

static struct slice name_of(const struct definition *definition, uint32_t i)
{
	return i == NO_STEP ? (struct slice){0} : definition->steps[i].name;
}

/* "behind reserve in book.flight", "first in pack" */
static struct slice place_of(struct comparing *c, const struct definition *definition,
			     uint32_t i, const struct definition *other)
{
	struct bytes text = BYTES(PART_MAX, c->arena);
	uint32_t before = known_before(definition, i, other);
	uint32_t parent = definition->steps[i].parent;

	bytes_text(&text, before == NO_STEP ? "first" : "behind ");
	bytes_append(&text, name_of(definition, before));
	if (parent != NO_STEP) {
		bytes_text(&text, " in ");
		bytes_append(&text, definition->steps[parent].name);
		bytes_text(&text, branch_of(definition, i).len ? "." : "");
		bytes_append(&text, branch_of(definition, i));
	}
	if (text.err)
		c->err = ERR_NOMEM;
	return bytes_slice(&text);
}

static void compare_places(struct comparing *c, uint32_t a, uint32_t b)
{
	struct slice from = place_of(c, c->a, a, c->b), to = place_of(c, c->b, b, c->a);

	if (!slice_equal(from, to))
		add(c, (struct difference){.kind = DIFFERENCE_MOVED,
					   .step = c->a->steps[a].name,
					   .from = from,
					   .to = to});
}

static void compare_all(struct comparing *c)
{
	compare_sagas(c);
	for (uint32_t i = 0; i < c->a->n_steps && !c->err; i++) {
		uint32_t other = definition_find(c->b, c->a->steps[i].name);

		if (other == NO_STEP) {
			add(c, (struct difference){.kind = DIFFERENCE_REMOVED,
						   .step = c->a->steps[i].name,
						   .from = place_of(c, c->a, i, c->b)});
			continue;
		}
		compare_places(c, i, other);
		compare_steps(c, &c->a->steps[i], &c->b->steps[other]);
	}
	for (uint32_t i = 0; i < c->b->n_steps && !c->err; i++)
		if (definition_find(c->a, c->b->steps[i].name) == NO_STEP)
			add(c, (struct difference){.kind = DIFFERENCE_ADDED,
						   .step = c->b->steps[i].name,
						   .to = place_of(c, c->b, i, c->a)});
}

/* --- sagas on their way ------------------------------------------------------------- */

static struct names make_names(struct comparing *c, uint32_t most)
{
	struct names names = {.list = arena_array(c->arena, most, sizeof *names.list)};

	if (!names.list)
		c->err = ERR_NOMEM;
	return names;
}

/* Of a saga that has done all in front of `done`. */
static struct outlook look_ahead(struct comparing *c, const struct definition *definition,
				 uint32_t done)
{
	struct outlook out = {.then = make_names(c, definition->n_steps),
			      .undo = make_names(c, definition->n_steps),
			      .passed_pivot = definition->pivot < done};

	for (uint32_t i = done; i < definition->n_steps && !c->err; i++)
		if (!form_is_block(definition->steps[i].form))
			out.then.list[out.then.n++] = definition->steps[i].name;
	for (uint32_t i = done; i-- > 0 && !out.passed_pivot && !c->err;)
		if (definition->steps[i].has_undo)
			out.undo.list[out.undo.n++] = definition->steps[i].name;
	return out;
}

/* What is done in front of `done`, and is not in front of `other_done` in the other. */
static struct names only_in(struct comparing *c, const struct definition *definition,
			    uint32_t done, const struct definition *other, uint32_t other_done)
{
	struct names names = make_names(c, definition->n_steps);

	for (uint32_t i = 0; i < done && !c->err; i++) {
		const struct step_definition *step = &definition->steps[i];
		uint32_t there = definition_find(other, step->name);

		if (!form_is_block(step->form) && (there == NO_STEP || there >= other_done))
			names.list[names.n++] = step->name;
	}
	return names;
}

static bool same_names(struct names a, struct names b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t n = 0; n < a.n; n++)
		if (!slice_equal(a.list[n], b.list[n]))
			return false;
	return true;
}

static void cross(struct comparing *c, uint32_t a)
{
	struct crossing *crossing = &c->out->crossings[c->out->n_crossings++];
	uint32_t b = definition_find(c->b, c->a->steps[a].name), done, other_done;

	*crossing = (struct crossing){.after = c->a->steps[a].name, .differs = true};
	done = c->a->steps[a].end;
	crossing->a = look_ahead(c, c->a, done);
	crossing->there = b != NO_STEP && c->b->steps[b].parent == NO_STEP;
	if (!crossing->there)
		return;
	other_done = c->b->steps[b].end;
	crossing->b = look_ahead(c, c->b, other_done);
	crossing->only_a = only_in(c, c->a, done, c->b, other_done);
	crossing->only_b = only_in(c, c->b, other_done, c->a, done);
	crossing->then_differs = !same_names(crossing->a.then, crossing->b.then);
	crossing->undo_differs = crossing->a.passed_pivot != crossing->b.passed_pivot ||
				 !same_names(crossing->a.undo, crossing->b.undo);
	crossing->differs = crossing->then_differs || crossing->undo_differs ||
			    crossing->only_a.n || crossing->only_b.n;
}

enum err diff(const struct definition *a, const struct definition *b, struct arena *arena,
	      struct diff *out)
{
	struct comparing c = {.a = a, .b = b, .arena = arena, .out = out};

	*out = (struct diff){.crossings =
				     arena_array(arena, a->n_steps, sizeof *out->crossings)};
	if (!out->crossings)
		return ERR_NOMEM;
	compare_all(&c);
	for (uint32_t i = a->top.first; i != NO_STEP && !c.err; i = a->steps[i].next)
		cross(&c, i);
	return c.err;
}

const char *difference_text(enum difference_kind kind)
{
	switch (kind) {
	case DIFFERENCE_CHANGED: return "changed";
	case DIFFERENCE_ADDED: return "added";
	case DIFFERENCE_REMOVED: return "removed";
	case DIFFERENCE_MOVED: return "moved";
	}
	return "?";
}
