#include "orchestrator/load/yaml_tree.h"

#include "orchestrator/load/codes.h"
#include "orchestrator/load/scalar.h"

#include <assert.h>
#include <yaml.h>

/* A way through the text that only goes forward, from libyaml's places, which
 * count characters, to bytes. */
struct cursor {
	size_t characters;
	size_t bytes;
};

struct builder {
	yaml_parser_t parser;
	struct slice text;
	struct arena *arena;
	struct problems *problems;
	struct cursor cursor;
	size_t n_nodes;
	unsigned depth; /* lists and mappings around */
	unsigned flow;  /* those of them in [] or {} */
	bool cut;       /* an expression was reported as cut off */
};

static struct place place_of(yaml_mark_t mark)
{
	return (struct place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static enum err next_event(struct builder *builder, yaml_event_t *event)
{
	yaml_parser_t *parser = &builder->parser;
	struct yaml_failure failure;

	if (yaml_parser_parse(parser, event))
		return OK;
	if (parser->error == YAML_MEMORY_ERROR)
		return ERR_NOMEM;
	failure.problem = parser->problem ? parser->problem : "";
	failure.place = place_of(parser->problem_mark);
	failure.context = (struct place){0};
	if (parser->context)
		failure.context = place_of(parser->context_mark);
	/* What broke the text was most likely reported already. */
	if (!builder->cut)
		yaml_report_failure(builder->text, &failure, builder->problems);
	return ERR_INVALID;
}

/* The byte at which the mark stands; marks come in order. */
static size_t bytes_at(struct builder *builder, yaml_mark_t mark)
{
	struct cursor *cursor = &builder->cursor;

	while (cursor->characters < mark.index && cursor->bytes < builder->text.len) {
		do
			cursor->bytes++;
		while (cursor->bytes < builder->text.len &&
		       ((unsigned char)builder->text.at[cursor->bytes] & 0xc0) == 0x80);
		cursor->characters++;
	}
	return cursor->bytes;
}

/* The first character of a block scalar stands below the line of its | or >. */
static struct place block_content(struct builder *builder, const yaml_event_t *event)
{
	struct place place = place_of(event->start_mark);
	struct slice text = builder->text;
	size_t at = bytes_at(builder, event->start_mark);

	while (at < text.len && text.at[at] != '\n')
		at++;
	for (; at < text.len && (text.at[at] == '\n' || text.at[at] == '\r'); at++)
		place.line += text.at[at] == '\n';
	place.column = 1;
	for (; at < text.len && text.at[at] == ' '; at++)
		place.column++;
	return place;
}

/* Whether YAML ended this plain scalar although the writer of an expression would
 * have gone on: at , [ ] { } in flow style, and before # everywhere. */
static bool ends_early(struct builder *builder, const yaml_event_t *event)
{
	struct slice text = builder->text;
	size_t at = bytes_at(builder, event->end_mark);

	while (at < text.len && (text.at[at] == ' ' || text.at[at] == '\t'))
		at++;
	if (at == text.len)
		return false;
	return text.at[at] == '#' || text.at[at] == ':' ||
	       (builder->flow > 0 && memchr(",[]{}?", text.at[at], 6));
}

static enum err read_scalar(struct builder *builder, const yaml_event_t *event,
			    struct yaml_node *node)
{
	yaml_scalar_style_t style = event->data.scalar.style;
	struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};

	node->kind = YAML_SCALAR;
	node->plain = style == YAML_PLAIN_SCALAR_STYLE;
	node->content = node->place;
	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE)
		node->content = block_content(builder, event);
	else if (!node->plain)
		node->content.column++;
	if (!arena_copy(builder->arena, text, &node->text))
		return ERR_NOMEM;
	if (node->plain && yaml_looks_cut(text) && ends_early(builder, event)) {
		report(builder->problems, node->place, CODE_UNQUOTED_EXPRESSION,
		       "YAML ends this expression too early; write it in double quotes, as "
		       "\"=...\", where it contains , [ ] { } : or #");
		node->broken = true;
		builder->cut = true;
	}
	return OK;
}

/* What belongs to a node of any kind but must not be there. */
static void refuse_extras(struct builder *builder, const yaml_char_t *anchor,
			  const yaml_char_t *tag, struct yaml_node *node)
{
	static const char standard[] = "tag:yaml.org,2002:";
	static const char sentence[] = "tags such as %s%s are not allowed; remove it, and put "
				       "the value in quotes if it "
				       "is a text";
	struct shown room = {""};

	if (anchor)
		report(builder->problems, node->place, CODE_YAML_ANCHOR,
		       "anchors such as &%s are not allowed; remove it, and write the value "
		       "out where it is needed again",
		       shown(slice_of((const char *)anchor), &(struct shown){""}));
	if (!tag)
		return;
	/* !!str comes as tag:yaml.org,2002:str. */
	if (strncmp((const char *)tag, standard, strlen(standard)) == 0)
		report(builder->problems, node->place, CODE_YAML_TAG, sentence, "!!",
		       shown(slice_of((const char *)tag + strlen(standard)), &room));
	else
		report(builder->problems, node->place, CODE_YAML_TAG, sentence, "",
		       shown(slice_of((const char *)tag), &room));
	node->broken = true;
}

static enum err read_node(struct builder *builder, yaml_event_t *event, struct yaml_node **out);

static enum err append(struct builder *builder, struct yaml_node *to, struct yaml_entry ***end,
		       struct yaml_entry entry)
{
	struct yaml_entry *copy = arena_alloc(builder->arena, sizeof *copy);

	if (!copy)
		return ERR_NOMEM;
	*copy = entry;
	**end = copy;
	*end = &copy->next;
	to->n++;
	return OK;
}

/* A plain scalar that may be a piece of the expression before it. */
static bool may_be_piece(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->plain;
}

static enum err read_list(struct builder *builder, struct yaml_node *node)
{
	struct yaml_entry **end = &node->first;
	bool cut = false;

	for (;;) {
		struct yaml_entry entry = {0};
		yaml_event_t event;
		enum err err = next_event(builder, &event);

		if (err)
			return err;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return OK;
		}
		err = read_node(builder, &event, &entry.value);
		if (err)
			return err;
		if (cut && may_be_piece(entry.value))
			entry.value->broken = true;
		cut |= entry.value->broken && may_be_piece(entry.value);
		entry.place = entry.value->place;
		err = append(builder, node, &end, entry);
		if (err)
			return err;
	}
}

/* Whether the node can be a key; otherwise that is reported. */
static bool key_valid(struct builder *builder, const struct yaml_node *key)
{
	struct shown room = {""};
	enum scalar type;

	if (key->broken)
		return false;
	if (key->kind != YAML_SCALAR) {
		report(builder->problems, key->place, CODE_NON_TEXT_KEY,
		       "a %s cannot be a key; write a text",
		       key->kind == YAML_LIST ? "list" : "mapping");
		return false;
	}
	if (key->plain && slice_is(key->text, "<<")) {
		report(builder->problems, key->place, CODE_YAML_MERGE_KEY,
		       "merge keys are not allowed; write the members out here");
		return false;
	}
	type = scalar_type(key);
	if (type != SCALAR_TEXT && type != SCALAR_EXPRESSION) {
		if (key->text.len == 0)
			report(builder->problems, key->place, CODE_NON_TEXT_KEY,
			       "the key before the colon is missing; write one");
		else
			report(builder->problems, key->place, CODE_NON_TEXT_KEY,
			       "a key is a text, but %s is none; write \"%s\"",
			       shown(key->text, &room), room.text);
		return false;
	}
	if (key->text.len > YAML_KEY_MAX) {
		report(builder->problems, key->place, CODE_LONG_KEY,
		       "this key has %zu bytes; at most %d are allowed, so choose a shorter "
		       "one",
		       key->text.len, YAML_KEY_MAX);
		return false;
	}
	return true;
}

/* {a: =if(x, y, z)} is to YAML {a: "=if(x", y: null, "z)": null}: the members
 * without value behind a cut expression are pieces of it. */
static bool is_piece(const struct yaml_node *key, const struct yaml_node *value)
{
	return may_be_piece(key) && may_be_piece(value) && value->text.len == 0;
}

static enum err read_member(struct builder *builder, yaml_event_t *event,
			    struct yaml_node *node, struct yaml_entry ***end, bool *cut)
{
	struct yaml_entry entry = {0};
	struct yaml_node *key = NULL;
	yaml_event_t next;
	enum err err = read_node(builder, event, &key);

	builder->n_nodes--; /* a key counts with its value */
	if (!err)
		err = next_event(builder, &next);
	if (!err)
		err = read_node(builder, &next, &entry.value);
	if (err)
		return err;
	if (*cut && is_piece(key, entry.value))
		return OK;
	*cut = entry.value->broken && may_be_piece(entry.value);
	if (!key_valid(builder, key)) {
		node->incomplete = true;
		return OK;
	}
	entry.name = key->text;
	entry.place = key->place;
	return append(builder, node, end, entry);
}

static enum err read_mapping(struct builder *builder, struct yaml_node *node)
{
	struct yaml_entry **end = &node->first;
	bool cut = false;

	for (;;) {
		yaml_event_t event;
		enum err err = next_event(builder, &event);

		if (err)
			return err;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			yaml_drop_duplicates(node, builder->problems);
			return OK;
		}
		err = read_member(builder, &event, node, &end, &cut);
		if (err)
			return err;
	}
}

static enum err read_collection(struct builder *builder, bool flow, struct yaml_node *node)
{
	enum err err;

	if (builder->depth >= YAML_DEPTH_MAX) {
		report(builder->problems, node->place, CODE_TOO_DEEP,
		       "lists and mappings are nested more than %d deep here; flatten them",
		       YAML_DEPTH_MAX);
		return ERR_INVALID;
	}
	builder->depth++;
	builder->flow += flow;
	err = node->kind == YAML_LIST ? read_list(builder, node) : read_mapping(builder, node);
	builder->flow -= flow;
	builder->depth--;
	return err;
}

static enum err count_node(struct builder *builder, struct place place)
{
	if (++builder->n_nodes <= YAML_NODES_MAX)
		return OK;
	report(builder->problems, place, CODE_TOO_MANY_VALUES,
	       "the file has more than %d values; split the saga, or pass bulk data in its "
	       "input",
	       YAML_NODES_MAX);
	return ERR_INVALID;
}

/* What the event begins; the event is deleted. */
static enum err read_node(struct builder *builder, yaml_event_t *event, struct yaml_node **out)
{
	struct yaml_node *node = arena_alloc(builder->arena, sizeof *node);
	enum err err = node ? count_node(builder, place_of(event->start_mark)) : ERR_NOMEM;
	bool flow = false;

	if (err) {
		yaml_event_delete(event);
		return err;
	}
	*out = node;
	node->place = place_of(event->start_mark);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		refuse_extras(builder, event->data.scalar.anchor, event->data.scalar.tag, node);
		err = read_scalar(builder, event, node);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_extras(builder, event->data.sequence_start.anchor,
			      event->data.sequence_start.tag, node);
		node->kind = YAML_LIST;
		flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_extras(builder, event->data.mapping_start.anchor,
			      event->data.mapping_start.tag, node);
		node->kind = YAML_MAPPING;
		flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		break;
	default: /* libyaml's enum; nothing else can begin a node */
		assert(event->type == YAML_ALIAS_EVENT);
		report(builder->problems, node->place, CODE_YAML_ALIAS,
		       "aliases such as *%s are not allowed; write the value out",
		       shown(slice_of((const char *)event->data.alias.anchor),
			     &(struct shown){""}));
		node->kind = YAML_SCALAR;
		node->broken = true;
		break;
	}
	yaml_event_delete(event);
	if (err || node->kind == YAML_SCALAR)
		return err;
	return read_collection(builder, flow, node);
}

/* The event must be of this type, which the grammar of libyaml makes sure of. */
static enum err skip_event(struct builder *builder, yaml_event_type_t type)
{
	yaml_event_t event;
	enum err err = next_event(builder, &event);

	if (err)
		return err;
	assert(event.type == type);
	yaml_event_delete(&event);
	return OK;
}

static enum err read_document(struct builder *builder, struct yaml_node **out)
{
	yaml_event_t event;
	enum err err = skip_event(builder, YAML_STREAM_START_EVENT);

	if (!err)
		err = next_event(builder, &event);
	if (err)
		return err;
	if (event.type == YAML_STREAM_END_EVENT) {
		yaml_event_delete(&event);
		report(builder->problems, (struct place){1, 1}, CODE_EMPTY_DOCUMENT,
		       "there is nothing in here; a definition begins with `saga: NAME`");
		return ERR_INVALID;
	}
	yaml_event_delete(&event);
	err = next_event(builder, &event);
	if (!err)
		err = read_node(builder, &event, out);
	if (!err)
		err = skip_event(builder, YAML_DOCUMENT_END_EVENT);
	if (!err)
		err = next_event(builder, &event);
	if (err)
		return err;
	if (event.type == YAML_DOCUMENT_START_EVENT)
		report(builder->problems, place_of(event.start_mark), CODE_SEVERAL_DOCUMENTS,
		       "a second document begins here; put every saga into a file of its own");
	yaml_event_delete(&event);
	return OK;
}

enum err yaml_tree(struct slice text, struct arena *arena, struct problems *problems,
		   struct yaml_node **out)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct builder builder = {.arena = arena, .problems = problems};
	enum err err;

	if (text.len >= 3 && memcmp(text.at, byte_order_mark, 3) == 0)
		text = (struct slice){text.at + 3, text.len - 3};
	if (!yaml_characters_valid(text, problems))
		return ERR_INVALID;
	builder.text = text;
	if (!yaml_parser_initialize(&builder.parser))
		return ERR_NOMEM;
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser,
				     (const unsigned char *)(text.at ? text.at : ""), text.len);
	err = read_document(&builder, out);
	yaml_parser_delete(&builder.parser);
	return err;
}

const struct yaml_entry *yaml_get(const struct yaml_node *mapping, const char *name)
{
	for (const struct yaml_entry *entry = mapping->first; entry; entry = entry->next) {
		if (slice_is(entry->name, name))
			return entry;
	}
	return NULL;
}
