#include "orchestrator/load/loader.h"

#include "base/duration.h"

#include <stdio.h>

void *keep_alloc(struct loader *loader, size_t n, size_t size)
{
	void *memory = arena_array(loader->arena, n, size);

	loader->nomem |= !memory;
	return memory;
}

void *scratch_alloc(struct loader *loader, size_t n, size_t size)
{
	void *memory = arena_array(&loader->scratch, n, size);

	loader->nomem |= !memory;
	return memory;
}

bool keep_text(struct loader *loader, struct slice text, struct slice *out)
{
	bool kept = arena_copy(loader->arena, text, out);

	loader->nomem |= !kept;
	return kept;
}

const struct yaml_node *member(const struct yaml_node *mapping, const char *name)
{
	const struct yaml_entry *entry = yaml_get(mapping, name);

	return entry ? entry->value : NULL;
}

/* --- keys --------------------------------------------------------------------- */

static bool is_known(const struct keys *keys, struct slice name)
{
	for (size_t i = 0; i < keys->n_names; i++) {
		if (slice_is(name, keys->names[i]))
			return true;
	}
	return false;
}

/* "a, b, c" */
static struct slice list_names(struct loader *loader, const struct keys *keys)
{
	enum { LIST_MAX = 512 };
	struct bytes list = BYTES(LIST_MAX, &loader->scratch);

	for (size_t i = 0; i < keys->n_names; i++)
		bytes_format(&list, "%s%s", i ? ", " : "", keys->names[i]);
	loader->nomem |= list.err == ERR_NOMEM;
	return bytes_slice(&list);
}

static void report_unknown_key(struct loader *loader, const struct yaml_entry *entry,
			       const struct keys *keys, struct slice list)
{
	const char *likely = NULL;
	struct shown room = {""};

	/* Further ones are only counted. */
	if (loader->problems->n < PROBLEMS_MAX)
		likely = suggest(entry->name, keys->names, keys->n_names);
	if (likely)
		report(loader->problems, entry->place, CODE_UNKNOWN_KEY,
		       "`%s` is not known %s; did you mean `%s`? There may be: %.*s",
		       shown(entry->name, &room), keys->where, likely, SLICE_ARG(list));
	else
		report(loader->problems, entry->place, CODE_UNKNOWN_KEY,
		       "`%s` is not known %s; remove it. There may be: %.*s",
		       shown(entry->name, &room), keys->where, SLICE_ARG(list));
}

bool keys_check(struct loader *loader, const struct yaml_node *mapping, const struct keys *keys)
{
	struct slice list = {0};
	bool all_known = true;

	for (const struct yaml_entry *entry = mapping->first; entry; entry = entry->next) {
		if (is_known(keys, entry->name))
			continue;
		if (all_known)
			list = list_names(loader, keys);
		all_known = false;
		report_unknown_key(loader, entry, keys, list);
	}
	return all_known;
}

bool is_missing(const struct yaml_node *mapping, const char *name, const struct keys *keys)
{
	const char *likely;

	if (yaml_get(mapping, name))
		return false;
	/* Nobody will miss this message among so many others. */
	if (mapping->n > PROBLEMS_MAX)
		return true;
	for (const struct yaml_entry *entry = mapping->first; entry; entry = entry->next) {
		likely = suggest(entry->name, keys->names, keys->n_names);
		if (likely && strcmp(likely, name) == 0)
			return false;
	}
	return true;
}

/* --- types -------------------------------------------------------------------- */

static bool is_yes_or_no(const struct yaml_node *node)
{
	static const char *const words[] = {"yes", "no", "on", "off"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (node->kind == YAML_SCALAR && node->plain && slice_is(node->text, words[i]))
			return true;
	}
	return false;
}

static void report_ambiguous(struct loader *loader, const struct yaml_node *node)
{
	struct shown room = {""};

	report(loader->problems, node->place, CODE_AMBIGUOUS_SCALAR,
	       "%s is read differently by different readers of YAML; write \"%s\" if it is a "
	       "text, otherwise write it as JSON does (31, 0.5, 1000, true, null)",
	       shown(node->text, &room), room.text);
}

void report_type(struct loader *loader, const struct yaml_node *node, const char *needs)
{
	struct shown room = {""};
	enum scalar type = node->kind == YAML_SCALAR ? scalar_type(node) : SCALAR_NULL;

	if (node->broken)
		return;
	if (type == SCALAR_AMBIGUOUS) {
		report_ambiguous(loader, node);
	} else if (is_yes_or_no(node)) {
		shown(node->text, &room);
		report(loader->problems, node->place, CODE_WRONG_TYPE,
		       "%s; here is the text %s, which is not a boolean in YAML 1.2: those are "
		       "true and false",
		       needs, room.text);
	} else {
		report(loader->problems, node->place, CODE_WRONG_TYPE, "%s; here is %s", needs,
		       node_text(node));
	}
}

bool mapping_check(struct loader *loader, const struct yaml_node *node, const char *needs)
{
	if (node->kind == YAML_MAPPING)
		return true;
	report_type(loader, node, needs);
	return false;
}

bool read_text(struct loader *loader, const struct yaml_node *node, const char *needs,
	       struct slice *out)
{
	if (node->broken)
		return false;
	if (node->kind != YAML_SCALAR || scalar_type(node) != SCALAR_TEXT) {
		report_type(loader, node, needs);
		return false;
	}
	*out = node->text;
	return true;
}

bool read_duration(struct loader *loader, const struct yaml_node *node, const char *name,
		   int64_t *out_ms)
{
	struct diag diag = {""};
	struct shown room = {""};
	int64_t ms;
	enum err err;

	if (node->broken)
		return false;
	if (node->kind != YAML_SCALAR || scalar_type(node) == SCALAR_EXPRESSION ||
	    node->text.len == 0) {
		report(loader->problems, node->place, CODE_BAD_DURATION,
		       "`%s` needs a duration such as 250ms, 10s, 15m, 24h or 7d; here is %s",
		       name, node_text(node));
		return false;
	}
	err = duration_parse(node->text, &ms, &diag);
	if (err == ERR_TOO_LARGE)
		report(loader->problems, node->place, CODE_BAD_DURATION,
		       "`%s` is over the longest duration, 36500d; write a shorter one", name);
	else if (err)
		report(loader->problems, node->place, CODE_BAD_DURATION,
		       "`%s` needs a duration, but %s is none; write a whole number and a "
		       "unit: "
		       "250ms, 10s, 15m, 24h, 7d",
		       name, shown(node->text, &room));
	else if (ms == 0)
		report(loader->problems, node->place, CODE_BAD_DURATION,
		       "`%s` cannot be 0; write at least 1ms", name);
	if (err || ms == 0)
		return false;
	*out_ms = ms;
	return true;
}

bool read_integer(struct loader *loader, const struct yaml_node *node, const char *name,
		  uint32_t min, uint32_t max, uint32_t *out)
{
	struct decimal number;

	if (node->broken)
		return false;
	if (node->kind != YAML_SCALAR || scalar_type(node) != SCALAR_NUMBER) {
		char needs[128];

		snprintf(needs, sizeof needs, "`%s` needs a whole number from %u to %u", name,
			 (unsigned)min, (unsigned)max);
		report_type(loader, node, needs);
		return false;
	}
	if (decimal_parse(node->text, &number) == DECIMAL_OK && decimal_is_whole(number)) {
		int64_t value = decimal_truncate(number);

		if (value >= min && value <= max) {
			*out = (uint32_t)value;
			return true;
		}
	}
	report(loader->problems, node->place, CODE_BAD_NUMBER,
	       "`%s` needs a whole number from %u to %u; here is %s", name, (unsigned)min,
	       (unsigned)max, shown(node->text, &(struct shown){""}));
	return false;
}

bool read_word(struct loader *loader, const struct yaml_node *node, const char *name,
	       const char *const *words, int *out)
{
	enum { LIST_MAX = 256, NEEDS_MAX = 384 };
	struct bytes list = BYTES(LIST_MAX, &loader->scratch);
	struct shown room = {""};
	const char *likely;
	char needs[NEEDS_MAX];
	size_t n = 0;

	if (node->broken)
		return false;
	for (; words[n]; n++) {
		if (node->kind == YAML_SCALAR && slice_is(node->text, words[n])) {
			*out = (int)n;
			return true;
		}
		bytes_format(&list, "%s%s", n ? (words[n + 1] ? ", " : " or ") : "", words[n]);
	}
	loader->nomem |= list.err == ERR_NOMEM;
	snprintf(needs, sizeof needs, "`%s` is %.*s", name, SLICE_ARG(bytes_slice(&list)));
	if (node->kind != YAML_SCALAR || scalar_type(node) != SCALAR_TEXT) {
		report_type(loader, node, needs);
		return false;
	}
	likely = suggest(node->text, words, n);
	shown(node->text, &room);
	if (likely)
		report(loader->problems, node->place, CODE_BAD_VALUE,
		       "%s, not %s; did you mean %s?", needs, room.text, likely);
	else
		report(loader->problems, node->place, CODE_BAD_VALUE,
		       "%s, not %s; write one of them", needs, room.text);
	return false;
}

bool check_name(struct loader *loader, struct slice name, struct place place, const char *what)
{
	struct shown room = {""};

	if (name_valid(name))
		return true;
	shown(name, &room);
	if (name.len > NAME_MAX_BYTES)
		report(loader->problems, place, CODE_BAD_NAME,
		       "%s is too long for the name of %s; use at most %d characters",
		       room.text, what, NAME_MAX_BYTES);
	else
		report(loader->problems, place, CODE_BAD_NAME,
		       "`%s` cannot be the name of %s; use a-z, 0-9, _ and -, and begin with a "
		       "letter",
		       room.text, what);
	return false;
}

/* --- values ------------------------------------------------------------------- */

bool count_value(struct loader *loader, struct place place)
{
	if (++loader->n_values <= VALUES_MAX)
		return true;
	if (loader->n_values == VALUES_MAX + 1)
		report(loader->problems, place, CODE_TOO_MANY_VALUES,
		       "arguments, output and schema have more than %d values; pass bulk data "
		       "in "
		       "the input",
		       VALUES_MAX);
	return false;
}

static bool write_scalar(struct loader *loader, struct bytes *out, const struct yaml_node *node)
{
	if (node->broken)
		return false;
	switch (scalar_type(node)) {
	case SCALAR_NULL: bytes_text(out, "null"); return true;
	case SCALAR_BOOL:
	case SCALAR_NUMBER: bytes_append(out, node->text); return true;
	case SCALAR_TEXT:
	case SCALAR_EXPRESSION: json_write_text(out, node->text); return true;
	case SCALAR_AMBIGUOUS: break;
	}
	report_ambiguous(loader, node);
	return false;
}

bool write_json(struct loader *loader, struct bytes *out, const struct yaml_node *node)
{
	bool list = node->kind == YAML_LIST, right = !node->broken;

	if (!count_value(loader, node->place))
		return false;
	if (node->kind == YAML_SCALAR)
		return write_scalar(loader, out, node);
	bytes_add(out, list ? '[' : '{');
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		if (entry != node->first)
			bytes_add(out, ',');
		if (!list) {
			json_write_text(out, entry->name);
			bytes_add(out, ':');
		}
		right &= write_json(loader, out, entry->value);
	}
	bytes_add(out, list ? ']' : '}');
	return right;
}
