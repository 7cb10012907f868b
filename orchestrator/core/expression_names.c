/* expression_names.c - what the names of a path mean, and what is known of the
 * value to which they lead.
 */
#include "orchestrator/core/expression_check.h"

struct known {
	type_set types;
	const struct schema *schema;
};

static const struct saga_name {
	const char *text;
	enum root root;
} saga_names[] =
	{
		{"id", ROOT_SAGA_ID},
		{"key", ROOT_SAGA_KEY},
		{"name", ROOT_SAGA_NAME},
		{"started_at", ROOT_SAGA_STARTED_AT},
},
  failure_names[] = {
	  {"step", ROOT_FAILURE_STEP},
	  {"code", ROOT_FAILURE_CODE},
	  {"message", ROOT_FAILURE_MESSAGE},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct slice path_text(struct slice normal, const struct path *path,
		       const struct segment *segment)
{
	uint32_t end = path->text_first_end;

	for (struct segment *at = path->segments; at && at != segment; at = at->next)
		end = at->text_end;
	return (struct slice){normal.at + path->text_start, end - path->text_start};
}

/* --- mistakes ----------------------------------------------------------------- */

static void add(struct checker *checker, struct place place, const char *code,
		struct slice subject, const char *text)
{
	problem_add(checker->problems, SEVERITY_ERROR, place, code, "%.*s %s",
		    SLICE_ARG(subject), text);
}

/* What to say of a name that means nothing. */
struct unknown {
	const char *code;
	const char *text;
	const char *instead; /* the candidate that was perhaps meant; NULL: */
	const char *to_do;
};

static void add_unknown(struct checker *checker, struct place place, struct slice subject,
			const struct unknown *unknown)
{
	const char *instead = unknown->instead;

	problem_add(checker->problems, SEVERITY_ERROR, place, unknown->code, "%.*s %s; %s%s%s",
		    SLICE_ARG(subject), unknown->text, instead ? "did you mean " : "",
		    instead ? instead : unknown->to_do, instead ? "?" : "");
}

static const char *suggest_property(struct checker *checker, const struct schema *schema,
				    struct slice name)
{
	const char **candidates =
		arena_array(checker->arena, schema->n_properties + 1, sizeof *candidates);
	struct slice copy;

	if (!candidates) {
		checker->problems->nomem = true;
		return NULL;
	}
	for (size_t i = 0; i < schema->n_properties; i++)
		if (arena_copy(checker->arena, schema->properties[i].name, &copy))
			candidates[i] = copy.at;
	return suggest(name, candidates, schema->n_properties);
}

static const char *suggest_first(struct checker *checker, struct slice name)
{
	const struct scope *scope = checker->scope;
	const char **candidates =
		arena_array(checker->arena, scope->n_step_names + 2, sizeof *candidates);

	if (!candidates) {
		checker->problems->nomem = true;
		return NULL;
	}
	if (scope->n_step_names)
		memcpy(candidates, scope->step_names, scope->n_step_names * sizeof *candidates);
	candidates[scope->n_step_names] = "input";
	candidates[scope->n_step_names + 1] = "saga";
	return suggest(name, candidates, scope->n_step_names + 2);
}

static bool has_hyphen(struct slice name)
{
	return name.len && memchr(name.at, '-', name.len);
}

/* The first name is none that there is: a slip, a name without its `input.`, or
 * a minus that was read as a hyphen. */
static void add_unknown_first(struct checker *checker, const struct node *node)
{
	struct slice first = node->path.first;
	const struct schema *input = checker->scope->input;
	const struct unknown unknown = {
		"unknown-step", "is not a step", suggest_first(checker, first),
		checker->scope->find_step
			? "begin with input, saga or the name of a step, and write a text "
			  "in single quotes"
			: "begin with input or saga: no step has run here"};

	for (size_t i = 0; i < input->n_properties; i++)
		if (slice_equal(input->properties[i].name, first)) {
			problem_add(checker->problems, SEVERITY_ERROR, node->place,
				    "unknown-name", "%.*s stands alone; write input.%.*s",
				    SLICE_ARG(first), SLICE_ARG(first));
			return;
		}
	if (has_hyphen(first) && !has_hyphen(slice_of(unknown.instead)))
		add(checker, node->place, "unknown-step", first,
		    "is not a step; write spaces around a minus");
	else
		add_unknown(checker, node->place, first, &unknown);
}

/* --- first names -------------------------------------------------------------- */

static bool resolve_in(struct checker *checker, const struct node *node,
		       const struct segment *segment, const struct saga_name *names, size_t n,
		       const char *choice, enum root *root)
{
	const char *candidates[COUNT_OF(saga_names) + 1];
	struct unknown unknown = {"unknown-name", "is not known", NULL,
				  "there are step, code and message"};
	struct slice before = path_text(checker->text, &node->path, segment);

	if (!segment || segment->is_index) {
		add(checker, segment ? segment->place : node->place, "unknown-name", before,
		    choice);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		candidates[i] = names[i].text;
		if (slice_is(segment->name, names[i].text)) {
			*root = names[i].root;
			return true;
		}
	}
	if (names == saga_names) {
		candidates[n++] = "failure";
		unknown.to_do = "there are id, key, name and started_at, and in the arguments "
				"of an undo failure";
	}
	unknown.instead = suggest(segment->name, candidates, n);
	add_unknown(checker, segment->place,
		    path_text(checker->text, &node->path, segment->next), &unknown);
	return false;
}

static bool resolve_saga(struct checker *checker, struct node *node)
{
	struct path *path = &node->path;
	struct segment *segment = path->segments;
	enum root *root = &path->name.root;

	if (segment && !segment->is_index && slice_is(segment->name, "failure")) {
		if (!checker->scope->failure) {
			add(checker, segment->place, "unknown-name",
			    SLICE_LITERAL("saga.failure"),
			    "is known only in the arguments of an undo; take it there");
			return false;
		}
		segment = segment->next;
		if (!resolve_in(checker, node, segment, failure_names, COUNT_OF(failure_names),
				"is not a value; write .step, .code or .message behind it",
				root))
			return false;
	} else if (!resolve_in(checker, node, segment, saga_names, COUNT_OF(saga_names),
			       "is not a value; write .id, .key, .name or .started_at "
			       "behind it",
			       root)) {
		return false;
	} else if (*root == ROOT_SAGA_KEY && !checker->scope->key) {
		add(checker, segment->place, "unknown-name", SLICE_LITERAL("saga.key"),
		    "is not known where the key itself is made; use input or saga.id");
		return false;
	}
	path->rest = segment->next;
	return true;
}

static void refer(struct checker *checker, struct name name, bool guarded)
{
	if (checker->n_references == checker->capacity) {
		size_t capacity = checker->capacity ? checker->capacity * 2 : 4;
		struct reference *more = arena_array(checker->arena, capacity, sizeof *more);

		if (!more) {
			checker->problems->nomem = true;
			return;
		}
		if (checker->n_references)
			memcpy(more, checker->references, checker->n_references * sizeof *more);
		checker->references = more;
		checker->capacity = capacity;
	}
	checker->references[checker->n_references++] =
		(struct reference){.step = name.step, .guarded = guarded, .all = name.all};
}

static void check_availability(struct checker *checker, const struct node *node,
			       enum availability availability, bool guarded)
{
	struct slice first = node->path.first;

	switch (availability) {
	case AVAILABLE:
	case AVAILABLE_LIST: return;
	case AVAILABLE_MAYBE:
	case AVAILABLE_LIST_MAYBE:
		if (!guarded)
			problem_add(checker->problems, SEVERITY_ERROR, node->place,
				    "step-maybe-missing",
				    "%.*s.out may be missing here, because the step may be "
				    "skipped, ignored, timed out or in doubt; guard it, as in "
				    "if(has(%.*s.out), ..., null)",
				    SLICE_ARG(first), SLICE_ARG(first));
		return;
	case AVAILABLE_NOT:
		add(checker, node->place, "step-not-run", first,
		    "cannot have run where this is evaluated; refer to a step that is done "
		    "before it");
		return;
	case AVAILABLE_NO_OUTPUT:
		add(checker, node->place, "no-output", first,
		    "is a step without an output; refer to a step that calls or awaits");
		return;
	}
}

static bool resolve_step(struct checker *checker, struct node *node, bool asked)
{
	const struct scope *scope = checker->scope;
	struct path *path = &node->path;
	enum availability availability = AVAILABLE;
	bool guarded;

	if (!scope->find_step ||
	    !scope->find_step(scope->context, path->first, &path->name.step, &availability)) {
		add_unknown_first(checker, node);
		return false;
	}
	if (!path->segments || path->segments->is_index ||
	    !slice_is(path->segments->name, "out")) {
		problem_add(checker->problems, SEVERITY_ERROR, node->place, "unknown-name",
			    "%.*s is a step, not a value; its output is %.*s.out",
			    SLICE_ARG(path->first), SLICE_ARG(path->first));
		return false;
	}
	path->name.root = ROOT_STEP_OUT;
	path->name.all = availability == AVAILABLE_LIST || availability == AVAILABLE_LIST_MAYBE;
	path->rest = path->segments->next;
	guarded = asked || step_set_has(&scope->present, path->name.step) ||
		  facts_has_step(checker->facts, path->name.step);
	refer(checker, path->name, guarded);
	check_availability(checker, node, availability, guarded);
	return true;
}

static bool resolve(struct checker *checker, struct node *node, bool asked)
{
	struct path *path = &node->path;

	if (path->base || slice_is(path->first, "input")) {
		path->name.root = ROOT_INPUT;
		path->rest = path->segments;
		return true;
	}
	if (slice_is(path->first, "saga"))
		return resolve_saga(checker, node);
	if (checker->scope->element.len && slice_equal(path->first, checker->scope->element)) {
		path->name.root = ROOT_ELEMENT;
		path->rest = path->segments;
		return true;
	}
	return resolve_step(checker, node, asked);
}

/* --- what a path leads to ----------------------------------------------------- */

static struct known known_of(const struct schema *schema)
{
	struct known known = {schema->types, schema};
	type_set chosen = 0;

	for (size_t i = 0; i < schema->n_choices; i++)
		chosen |= TYPE_OF(json_type(schema->choices[i]));
	if (schema->n_choices)
		known.types &= chosen;
	return known;
}

static struct known known_first(struct checker *checker, struct node *node)
{
	struct known known = {TYPES_TEXT, &schema_any};

	if (node->path.base) {
		check_node(checker, node->path.base);
		node->can_fail = node->path.base->can_fail;
		known.types = node->path.base->types;
		return known;
	}
	switch (node->path.name.root) {
	case ROOT_INPUT: return known_of(checker->scope->input);
	case ROOT_ELEMENT: return known_of(checker->scope->element_schema);
	case ROOT_STEP_OUT:
		known.types = node->path.name.all ? TYPES_LIST : TYPE_ANY;
		return known;
	case ROOT_SAGA_ID:
	case ROOT_SAGA_KEY:
	case ROOT_SAGA_NAME:
	case ROOT_SAGA_STARTED_AT: return known;
	/* A saga may turn back without a step that failed. */
	case ROOT_FAILURE_STEP:
	case ROOT_FAILURE_CODE:
	case ROOT_FAILURE_MESSAGE: known.types |= TYPES_NULL; return known;
	}
	return known;
}

/* What the facts add about the first n segments; false where they say nothing. */
static bool narrow(const struct checker *checker, const struct path *path, size_t n,
		   struct known *known)
{
	type_set types = facts_types(checker->facts, path, n);

	/* A contradiction is code that never runs: nothing to report there. */
	if (known->types & types)
		known->types &= types;
	return types != 0;
}

static bool check_container(struct checker *checker, struct node *node,
			    const struct segment *segment, type_set types)
{
	type_set wanted = segment->is_index ? TYPES_LIST : TYPES_OBJECT;
	char text[TYPE_SET_TEXT_MAX];

	node->can_fail = node->can_fail || (types & ~wanted);
	if (types & wanted)
		return true;
	problem_add(checker->problems, SEVERITY_ERROR, segment->place, "expression-type",
		    "%.*s is %s, but only %s; take this part away",
		    SLICE_ARG(path_text(checker->text, &node->path, segment)),
		    type_set_text(types, text),
		    segment->is_index ? "a list has elements" : "an object has members");
	return false;
}

/* Enter one segment. False: a mistake, and nothing is known behind it. */
static bool step_into(struct checker *checker, struct node *node, const struct segment *segment,
		      struct known *known)
{
	const struct schema *schema = known->schema;
	struct unknown unknown = {"unknown-name",
				  "is not in the schema, which allows no other names", NULL,
				  "correct the name or the schema"};

	if (!check_container(checker, node, segment, known->types))
		return false;
	if (segment->is_index) {
		if (segment->index >= schema->max_items) {
			add(checker, segment->place, "unknown-name",
			    path_text(checker->text, &node->path, segment->next),
			    "is never there: the schema allows fewer elements; correct "
			    "the index or the schema");
			return false;
		}
		node->can_fail = node->can_fail || segment->index >= schema->min_items;
		*known = known_of(schema_element(schema));
		return true;
	}
	node->can_fail = node->can_fail || !schema_requires(schema, segment->name);
	schema = schema_member(schema, segment->name);
	if (!schema) {
		unknown.instead = suggest_property(checker, known->schema, segment->name);
		add_unknown(checker, segment->place,
			    path_text(checker->text, &node->path, segment->next), &unknown);
		return false;
	}
	*known = known_of(schema);
	return true;
}

static void walk(struct checker *checker, struct node *node)
{
	struct path *path = &node->path;
	struct known known = known_first(checker, node);
	size_t n = 0;

	for (struct segment *at = path->segments; at != path->rest; at = at->next)
		n++;
	if (!narrow(checker, path, n, &known) && path->name.root >= ROOT_FAILURE_STEP)
		node->can_fail = true;
	for (struct segment *at = path->rest; at; at = at->next) {
		bool could_fail = node->can_fail;

		if (!step_into(checker, node, at, &known))
			return;
		if (narrow(checker, path, ++n, &known))
			node->can_fail = could_fail;
	}
	node->types = known.types;
	path->schema = known.schema;
	node->exact = !(known.types & TYPES_NUMBER) || known.schema->whole_numbers ||
		      known.schema->has_minimum || known.schema->has_maximum;
}

void check_path(struct checker *checker, struct node *node, bool asked)
{
	struct path *path = &node->path;

	node->types = TYPE_ANY;
	path->resolved = resolve(checker, node, asked);
	if (path->resolved)
		walk(checker, node);
}
