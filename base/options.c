#include "base/options.h"
#include "base/options_parts.h"
#include "base/problems.h"

#include <assert.h>
#include <stdio.h>

size_t option_count(const struct usage *usage)
{
	return usage->own.n + usage->common.n;
}

const struct option *option_at(const struct usage *usage, size_t index)
{
	if (index < usage->own.n)
		return &usage->own.list[index];
	return &usage->common.list[index - usage->own.n];
}

/* Whether they are the same but for the dashes of a name, which are _ in a key. */
static bool names_match(struct slice name, const char *option_name)
{
	if (name.len != strlen(option_name))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] != option_name[i] &&
		    (name.at[i] != '_' || option_name[i] != '-'))
			return false;
	}
	return true;
}

bool option_find(const struct usage *usage, struct slice name, size_t *index)
{
	for (size_t i = 0; i < option_count(usage); i++) {
		if (names_match(name, option_at(usage, i)->name)) {
			*index = i;
			return true;
		}
	}
	return false;
}

const char *option_suggest(const struct usage *usage, struct slice name, bool settings)
{
	const char *names[OPTIONS_MAX];

	for (size_t i = 0; i < option_count(usage); i++) {
		const struct option *option = option_at(usage, i);

		names[i] = settings && !option_in_file(option) ? NULL : option->name;
	}
	return suggest(name, names, option_count(usage));
}

void option_file_key(const struct option *option, char out[OPTION_NAME_MAX + 1])
{
	size_t len = strlen(option->name);

	assert(len <= OPTION_NAME_MAX);
	for (size_t i = 0; i <= len; i++)
		out[i] = option->name[i] == '-' ? '_' : option->name[i];
}

void option_env_name(const struct option *option, char out[OPTION_ENV_SIZE])
{
	static const char prefix[] = "SKALD_";
	size_t len = sizeof prefix - 1;

	memcpy(out, prefix, len);
	for (const char *c = option->name; *c; c++)
		out[len++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A')
			     : *c == '-'            ? '_'
						    : *c;
	out[len] = '\0';
}

static void write_where(const struct option *option, struct option_source source,
			char text[OPTION_WHERE_SIZE])
{
	char name[OPTION_ENV_SIZE];

	switch (source.origin) {
	case ORIGIN_DEFAULT:
		snprintf(text, OPTION_WHERE_SIZE, "default of --%s", option->name);
		return;
	case ORIGIN_FILE:
		option_file_key(option, name);
		snprintf(text, OPTION_WHERE_SIZE, "%.128s:%u: %s", source.file,
			 (unsigned)source.line, name);
		return;
	case ORIGIN_ENVIRONMENT:
		option_env_name(option, name);
		snprintf(text, OPTION_WHERE_SIZE, "environment %s", name);
		return;
	case ORIGIN_FLAG: snprintf(text, OPTION_WHERE_SIZE, "flag --%s", option->name); return;
	}
}

enum { SHOWN_MAX = 48, SHOWN_SIZE = SHOWN_MAX + 16 };

/* In quotes and on one line, cut between characters where it is long. */
static void write_begin(struct slice text, char out[SHOWN_SIZE])
{
	size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

	while (len > 0 && len < text.len && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len--;
	snprintf(out, SHOWN_SIZE, "\"%.*s%s\"", (int)len, text.at ? text.at : "",
		 len < text.len ? "..." : "");
	for (char *c = out; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
}

static enum err refuse(const struct option *option, struct slice value,
		       struct option_source source, const char *problem, struct diag *diag)
{
	char where[OPTION_WHERE_SIZE], shown[SHOWN_SIZE], allowed[OPTION_ALLOWED_SIZE];

	write_where(option, source, where);
	write_begin(value, shown);
	option_allowed(option, allowed);
	return diag_set(diag, ERR_INVALID, "%s: %s %s; give %s", where,
			option->secret ? "the value (hidden)" : shown, problem, allowed);
}

enum err option_nomem(struct diag *diag)
{
	return diag_set(diag, ERR_NOMEM, "out of memory for the options");
}

/* A list that is given again by the same means goes on. */
static bool continues(const struct option *option, const struct option_value *value,
		      struct option_source source)
{
	return option->type == OPTION_LIST && value->text && value->text[0] &&
	       source.origin != ORIGIN_DEFAULT && value->source.origin == source.origin;
}

enum err option_assign(struct options *options, size_t index, struct slice value,
		       struct option_source source, struct diag *diag)
{
	const struct option *option = option_at(options->usage, index);
	struct option_value *kept = &options->values[index];
	const char *problem;
	struct slice copy;
	int64_t number;

	if (continues(option, kept, source)) {
		struct bytes joined = BYTES(SIZE_MAX / 4, options->arena);

		bytes_text(&joined, kept->text);
		bytes_add(&joined, ',');
		bytes_append(&joined, value);
		if (joined.err)
			return option_nomem(diag);
		value = bytes_slice(&joined);
	}
	problem = option_parse(option, value, &number);
	if (problem)
		return refuse(option, value, source, problem, diag);
	if (kept->text && source.origin < kept->source.origin)
		return OK;
	if (!arena_copy(options->arena, value, &copy))
		return option_nomem(diag);
	*kept = (struct option_value){copy.at, number, source};
	return OK;
}

static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		bool dash = *c == '-' && c > name && c[-1] != '-' && c[1];

		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && !dash)
			return false;
	}
	return name[0] && strlen(name) <= OPTION_NAME_MAX;
}

static void check_table(const struct usage *usage)
{
	assert(option_count(usage) <= OPTIONS_MAX);
	for (size_t i = 0; i < option_count(usage); i++) {
		const struct option *option = option_at(usage, i);
		size_t first;

		assert(is_name(option->name) && option->help);
		assert((option->type == OPTION_CHOICE) == (option->choices != NULL));
		assert(option_find(usage, slice_of(option->name), &first) && first == i);
		for (size_t j = 0; option->letter && j < i; j++)
			assert(option_at(usage, j)->letter != option->letter);
	}
}

enum err options_init(struct options *options, const struct usage *usage, struct arena *arena)
{
	size_t n = option_count(usage);

	check_table(usage);
	*options = (struct options){.usage = usage, .arena = arena};
	options->values = arena_array(arena, n ? n : 1, sizeof *options->values);
	if (!options->values)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *initial = option_at(usage, i)->initial;
		struct option_source source = {.origin = ORIGIN_DEFAULT};
		enum err err;

		if (!initial)
			continue;
		err = option_assign(options, i, slice_of(initial), source, NULL);
		assert(err != ERR_INVALID);
		if (err)
			return err;
	}
	return OK;
}

static enum err refuse_name(const struct options *options, struct slice name,
			    struct option_source source, struct diag *diag)
{
	const char *meant = option_suggest(options->usage, name, true);
	char key[OPTION_NAME_MAX + 1], place[OPTION_WHERE_SIZE] = "", shown[SHOWN_SIZE];
	size_t index;

	write_begin(name, shown);
	if (source.origin == ORIGIN_FILE)
		snprintf(place, sizeof place, "%.128s:%u: ", source.file,
			 (unsigned)source.line);
	if (!meant || !option_find(options->usage, slice_of(meant), &index))
		return diag_set(diag, ERR_INVALID,
				"%sunknown setting %s; `%s --help` lists the settings", place,
				shown, options->usage->program);
	option_file_key(option_at(options->usage, index), key);
	return diag_set(diag, ERR_INVALID, "%sunknown setting %s; did you mean \"%s\"?", place,
			shown, key);
}

enum err options_set(struct options *options, struct slice name, struct slice value,
		     struct option_source source, struct diag *diag)
{
	size_t index;

	assert(source.origin != ORIGIN_FILE || source.file);
	if (!option_find(options->usage, name, &index) ||
	    (source.origin == ORIGIN_FILE && !option_in_file(option_at(options->usage, index))))
		return refuse_name(options, name, source, diag);
	return option_assign(options, index, value, source, diag);
}

enum err options_from_env(struct options *options, char *const *environment, struct diag *diag)
{
	struct option_source source = {.origin = ORIGIN_ENVIRONMENT};

	for (size_t i = 0; i < option_count(options->usage); i++) {
		const struct option *option = option_at(options->usage, i);
		char name[OPTION_ENV_SIZE];
		size_t len;

		if (option->flag_only)
			continue;
		option_env_name(option, name);
		len = strlen(name);
		for (char *const *entry = environment; *entry; entry++) {
			struct slice value;
			enum err err;

			if (strncmp(*entry, name, len) != 0 || (*entry)[len] != '=')
				continue;
			value = slice_of(*entry + len + 1);
			if (value.len == 0)
				break;
			err = option_assign(options, i, value, source, diag);
			if (err)
				return err;
			break;
		}
	}
	return OK;
}

/* The index of an option that the caller knows to be there. */
static const struct option_value *value_of(const struct options *options, const char *name,
					   const struct option **option)
{
	size_t index = 0;
	bool found = option_find(options->usage, slice_of(name), &index);

	assert(found);
	*option = option_at(options->usage, index);
	return &options->values[index];
}

enum option_origin options_origin(const struct options *options, const char *name)
{
	const struct option *option;

	return value_of(options, name, &option)->source.origin;
}

bool options_given(const struct options *options, const char *name)
{
	return options_origin(options, name) != ORIGIN_DEFAULT;
}

const char *options_text(const struct options *options, const char *name)
{
	const struct option *option;
	const struct option_value *value = value_of(options, name, &option);

	assert(option->type == OPTION_TEXT || option->type == OPTION_CHOICE);
	return value->text;
}

int64_t options_number(const struct options *options, const char *name)
{
	const struct option *option;
	const struct option_value *value = value_of(options, name, &option);

	assert(option->type == OPTION_INTEGER || option->type == OPTION_DURATION ||
	       option->type == OPTION_SIZE);
	return value->number;
}

bool options_bool(const struct options *options, const char *name)
{
	const struct option *option;
	const struct option_value *value = value_of(options, name, &option);

	assert(option->type == OPTION_BOOLEAN);
	return value->number != 0;
}

bool options_item(const struct options *options, const char *name, size_t index,
		  struct slice *out)
{
	const struct option *option;
	const struct option_value *value = value_of(options, name, &option);
	struct slice rest = slice_of(value->text);

	assert(option->type == OPTION_LIST);
	if (rest.len == 0)
		return false;
	for (size_t i = 0; option_next_part(&rest, ',', out); i++) {
		if (i == index)
			return true;
	}
	return false;
}

void options_where(const struct options *options, const char *name,
		   char text[OPTION_WHERE_SIZE])
{
	const struct option *option;
	const struct option_value *value = value_of(options, name, &option);

	write_where(option, value->source, text);
}
