/* json_tree.c - JSON as the same tree that YAML gives.
 *
 * json_parse checks the text and gives its normal form. That has no places any
 * more, so the text itself is walked beside it: since it is known to be right, a
 * few lines find where each token of it begins. */
#include "orchestrator/load/codes.h"
#include "orchestrator/load/yaml_tree.h"

#include "base/json.h"

struct walk {
	struct slice rest; /* of the text as it came */
	struct place place;
	struct arena *arena;
	struct problems *problems;
	size_t n_nodes;
};

static void step(struct walk *walk)
{
	char c = walk->rest.at[0];

	walk->rest.at++;
	walk->rest.len--;
	if (c == '\n') {
		walk->place.line++;
		walk->place.column = 1;
	} else {
		walk->place.column += ((unsigned char)c & 0xc0) != 0x80;
	}
}

static bool at_any(const struct walk *walk, const char *characters)
{
	return walk->rest.len > 0 && walk->rest.at[0] && strchr(characters, walk->rest.at[0]);
}

/* To where the next value, name or closing bracket begins. */
static void skip_between(struct walk *walk)
{
	while (at_any(walk, " \t\r\n,:"))
		step(walk);
}

static void skip_text(struct walk *walk)
{
	step(walk);
	while (!at_any(walk, "\"")) {
		if (at_any(walk, "\\"))
			step(walk);
		step(walk);
	}
	step(walk);
}

static void skip_word(struct walk *walk)
{
	while (walk->rest.len > 0 && !at_any(walk, " \t\r\n,:]}"))
		step(walk);
}

static enum err walk_value(struct walk *walk, struct json value, struct yaml_node **out);

static enum err walk_scalar(struct walk *walk, struct json value, struct yaml_node *node)
{
	node->kind = YAML_SCALAR;
	node->content = node->place;
	node->plain = json_type(value) != JSON_TEXT;
	if (node->plain) {
		skip_word(walk);
		return arena_copy(walk->arena, value.text, &node->text) ? OK : ERR_NOMEM;
	}
	node->content.column++;
	skip_text(walk);
	return json_text(value, walk->arena, &node->text) ? OK : ERR_NOMEM;
}

static enum err walk_name(struct walk *walk, struct json name, struct yaml_entry *entry)
{
	skip_between(walk);
	entry->place = walk->place;
	skip_text(walk);
	if (!json_text(name, walk->arena, &entry->name))
		return ERR_NOMEM;
	if (entry->name.len <= YAML_KEY_MAX)
		return OK;
	report(walk->problems, entry->place, CODE_LONG_KEY,
	       "this name has %zu bytes; at most %d are allowed, so choose a shorter one",
	       entry->name.len, YAML_KEY_MAX);
	return ERR_INVALID;
}

static enum err walk_entries(struct walk *walk, struct json value, struct yaml_node *node)
{
	struct json_each each = json_each(value);
	struct yaml_entry **end = &node->first;

	node->kind = json_type(value) == JSON_LIST ? YAML_LIST : YAML_MAPPING;
	step(walk);
	while (json_next(&each)) {
		struct yaml_entry *entry = arena_alloc(walk->arena, sizeof *entry);
		enum err err = entry ? OK : ERR_NOMEM;

		if (!err && node->kind == YAML_MAPPING)
			err = walk_name(walk, each.name, entry);
		if (!err)
			err = walk_value(walk, each.value, &entry->value);
		if (err)
			return err;
		if (node->kind == YAML_LIST)
			entry->place = entry->value->place;
		*end = entry;
		end = &entry->next;
		node->n++;
	}
	skip_between(walk);
	step(walk);
	return OK;
}

static enum err walk_value(struct walk *walk, struct json value, struct yaml_node **out)
{
	struct yaml_node *node = arena_alloc(walk->arena, sizeof *node);
	enum json_type type = json_type(value);

	if (!node)
		return ERR_NOMEM;
	skip_between(walk);
	node->place = walk->place;
	*out = node;
	if (++walk->n_nodes > YAML_NODES_MAX) {
		report(walk->problems, node->place, CODE_TOO_MANY_VALUES,
		       "the file has more than %d values; make it smaller", YAML_NODES_MAX);
		return ERR_INVALID;
	}
	return type == JSON_LIST || type == JSON_OBJECT ? walk_entries(walk, value, node)
							: walk_scalar(walk, value, node);
}

/* "12:5: a comma is missing" as a place and a sentence. */
static const char *split_place(const char *text, struct place *place)
{
	uint32_t numbers[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		for (; *text >= '0' && *text <= '9'; text++)
			numbers[i] = numbers[i] * 10 + (uint32_t)(*text - '0');
		if (*text == ':')
			text++;
	}
	*place = (struct place){numbers[0], numbers[1]};
	return *text == ' ' ? text + 1 : text;
}

enum err json_tree(struct slice text, struct arena *arena, struct problems *problems,
		   struct yaml_node **out)
{
	struct walk walk = {text, {1, 1}, arena, problems, 0};
	struct diag diag = {""};
	struct json value;
	struct place place;
	const char *sentence;
	enum err err = json_parse(text, text.len, arena, &value, &diag);

	if (!err)
		return walk_value(&walk, value, out);
	if (err == ERR_NOMEM)
		return err;
	sentence = split_place(diag.text, &place);
	report(problems, place, CODE_JSON_SYNTAX, "this is not right JSON: %s", sentence);
	return ERR_INVALID;
}
