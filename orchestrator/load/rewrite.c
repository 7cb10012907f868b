#include "orchestrator/load/rewrite.h"

#include "base/json.h"
#include "orchestrator/load/yaml_comments.h"
#include "orchestrator/load/yaml_tree.h"

#include <assert.h>

/* Comments in a list of the order in which they stood. */
struct chain {
	struct yaml_comment *first;
	struct yaml_comment *last;
};

struct rewriter {
	struct arena *arena;
	struct slice normal;
	struct bytes *out;

	uint32_t n_source_lines;
	uint32_t *target; /* by line of the source: the line that it became, or 0 */
	uint32_t n_normal_lines;
	struct chain *before; /* by line of the normal form */
	struct chain *behind;
	struct chain top, bottom;

	/* Lines of the normal form that one line replaces; 0: none. */
	uint32_t schema_first, schema_last;
	uint32_t schema_column;
	struct slice schema_text;
};

static uint32_t count_lines(struct slice text)
{
	uint32_t n = 1;

	for (size_t at = 0; at < text.len;) {
		size_t taken = yaml_break(text, at);

		n += taken > 0;
		at += taken ? taken : 1;
	}
	return n;
}

/* --- what became of a line ------------------------------------------------------- */

/* What contains others is met before them and keeps the line. */
static void match_line(struct rewriter *rewriter, struct place from, struct place to)
{
	assert(from.line <= rewriter->n_source_lines && to.line <= rewriter->n_normal_lines);
	if (rewriter->target[from.line] == 0)
		rewriter->target[from.line] = to.line;
}

/* Members mostly stand in the same order: look on from the last one found. */
static const struct yaml_entry *find_member(const struct yaml_node *mapping,
					    const struct yaml_entry *from, struct slice name)
{
	for (const struct yaml_entry *entry = from; entry; entry = entry->next) {
		if (slice_equal(entry->name, name))
			return entry;
	}
	for (const struct yaml_entry *entry = mapping->first; entry != from;
	     entry = entry->next) {
		if (slice_equal(entry->name, name))
			return entry;
	}
	return NULL;
}

/* The tree's depth is limited, and so is this recursion. */
static void match(struct rewriter *rewriter, const struct yaml_node *source,
		  const struct yaml_node *normal)
{
	const struct yaml_entry *next = normal->first;

	if (source->kind != normal->kind)
		return;
	for (const struct yaml_entry *from = source->first; from; from = from->next) {
		const struct yaml_entry *to = source->kind == YAML_MAPPING
						      ? find_member(normal, next, from->name)
						      : next;

		if (!to)
			continue;
		match_line(rewriter, from->place, to->place);
		match(rewriter, from->value, to->value);
		next = to->next;
	}
}

/* A schema that the source names by its file: what it became is to be replaced. */
static bool find_schema(struct rewriter *rewriter, const struct yaml_node *source,
			const struct yaml_node *normal)
{
	const struct yaml_entry *from = yaml_get(source, "input");
	const struct yaml_entry *input = yaml_get(normal, "input");
	const struct yaml_entry *schema, *next;
	struct bytes text = BYTES(SIZE_MAX / 2, rewriter->arena);

	from = from ? yaml_get(from->value, "schema") : NULL;
	schema = input ? yaml_get(input->value, "schema") : NULL;
	if (!from || !schema || from->value->kind != YAML_SCALAR)
		return true;
	next = schema->next ? schema->next : input->next;
	rewriter->schema_first = schema->place.line;
	rewriter->schema_last = next ? next->place.line - 1 : rewriter->n_normal_lines;
	rewriter->schema_column = schema->place.column;
	if (from->value->plain)
		bytes_append(&text, from->value->text);
	else
		json_write_text(&text, from->value->text);
	rewriter->schema_text = bytes_slice(&text);
	return text.err == OK;
}

/* --- where the comments go ---------------------------------------------------------- */

static void chain_add(struct chain *chain, struct yaml_comment *comment)
{
	comment->next = NULL;
	if (chain->last)
		chain->last->next = comment;
	else
		chain->first = comment;
	chain->last = comment;
}

static bool place_comment(struct rewriter *rewriter, struct yaml_comment *comment)
{
	uint32_t line;

	if (comment->at_top) {
		chain_add(&rewriter->top, comment);
		return true;
	}
	if (comment->about == 0) {
		chain_add(&rewriter->bottom, comment);
		return true;
	}
	line = rewriter->target[comment->about];
	if (line == 0)
		return false;
	if (comment->alone || rewriter->behind[line].first)
		chain_add(&rewriter->before[line], comment);
	else
		chain_add(&rewriter->behind[line], comment);
	return true;
}

/* --- writing ------------------------------------------------------------------------- */

static void write_alone(struct rewriter *rewriter, const struct chain *chain, size_t indent)
{
	for (const struct yaml_comment *comment = chain->first; comment;
	     comment = comment->next) {
		for (size_t i = 0; i < indent; i++)
			bytes_add(rewriter->out, ' ');
		bytes_append(rewriter->out, comment->text);
		bytes_add(rewriter->out, '\n');
	}
}

static void write_line(struct rewriter *rewriter, uint32_t number, struct slice line)
{
	const struct yaml_comment *behind = rewriter->behind[number].first;
	size_t indent = 0;

	while (indent < line.len && line.at[indent] == ' ')
		indent++;
	write_alone(rewriter, &rewriter->before[number], indent);
	if (number == rewriter->schema_first) {
		bytes_append(rewriter->out,
			     (struct slice){line.at, rewriter->schema_column - 1});
		bytes_text(rewriter->out, "schema: ");
		bytes_append(rewriter->out, rewriter->schema_text);
	} else {
		bytes_append(rewriter->out, line);
	}
	if (behind) {
		bytes_add(rewriter->out, ' ');
		bytes_append(rewriter->out, behind->text);
	}
	bytes_add(rewriter->out, '\n');
}

static void write_all(struct rewriter *rewriter)
{
	struct slice rest = rewriter->normal, line;

	if (rewriter->top.first) {
		write_alone(rewriter, &rewriter->top, 0);
		bytes_add(rewriter->out, '\n');
	}
	for (uint32_t number = 1; slice_line(&rest, &line); number++)
		if (number <= rewriter->schema_first || number > rewriter->schema_last)
			write_line(rewriter, number, line);
	write_alone(rewriter, &rewriter->bottom, 0);
}

static bool prepare(struct rewriter *rewriter, struct slice source)
{
	struct arena *arena = rewriter->arena;

	rewriter->n_source_lines = count_lines(source);
	rewriter->n_normal_lines = count_lines(rewriter->normal);
	rewriter->target =
		arena_array(arena, rewriter->n_source_lines + 1, sizeof *rewriter->target);
	rewriter->before =
		arena_array(arena, rewriter->n_normal_lines + 1, sizeof *rewriter->before);
	rewriter->behind =
		arena_array(arena, rewriter->n_normal_lines + 1, sizeof *rewriter->behind);
	return rewriter->target && rewriter->before && rewriter->behind;
}

enum err rewrite(struct slice source, struct slice normal, struct arena *arena,
		 struct bytes *out, uint32_t *lost_line)
{
	struct rewriter rewriter = {.arena = arena, .normal = normal, .out = out};
	struct problems problems = {.arena = arena};
	struct yaml_node *source_tree, *normal_tree;
	struct yaml_comment *comment, *next;
	enum err err;

	*lost_line = 0;
	if (!prepare(&rewriter, source))
		return ERR_NOMEM;
	err = yaml_tree(source, arena, &problems, &source_tree);
	err = err ? err : yaml_tree(normal, arena, &problems, &normal_tree);
	err = err ? err : yaml_comments(source, arena, &comment);
	if (err)
		return err;
	match(&rewriter, source_tree, normal_tree);
	if (!find_schema(&rewriter, source_tree, normal_tree))
		return ERR_NOMEM;
	for (; comment; comment = next) {
		next = comment->next;
		if (!place_comment(&rewriter, comment) && *lost_line == 0)
			*lost_line = comment->line;
	}
	write_all(&rewriter);
	return out->err;
}
