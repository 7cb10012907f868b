/* Options from the command line. */
#include "base/options_parts.h"

/* The arguments that are still to be read. */
struct reader {
	struct options *options;
	char *const *next;
	char *const *end;
	const char **args;
	struct diag *diag;
};

static enum err unknown_flag(const struct reader *reader, struct slice name)
{
	const struct usage *usage = reader->options->usage;
	const char *meant = name.len > 1 ? option_suggest(usage, name, false) : NULL;

	return diag_set(reader->diag, ERR_INVALID,
			"unknown flag %s%.*s; %s%s%s`%s --help` lists the flags",
			name.len > 1 ? "--" : "-", (int)(name.len < 64 ? name.len : 64),
			name.at, meant ? "did you mean --" : "", meant ? meant : "",
			meant ? "? " : "", usage->program);
}

static enum err set(const struct reader *reader, size_t index, struct slice value)
{
	struct option_source source = {.origin = ORIGIN_FLAG};

	return option_assign(reader->options, index, value, source, reader->diag);
}

/* The value of a flag is the next argument. One that begins with -- is more
 * likely a flag whose predecessor lacks its value. */
static enum err set_from_next(struct reader *reader, size_t index)
{
	const struct option *option = option_at(reader->options->usage, index);
	char allowed[OPTION_ALLOWED_SIZE];

	if (reader->next < reader->end && strncmp(*reader->next, "--", 2) != 0)
		return set(reader, index, slice_of(*reader->next++));
	option_allowed(option, allowed);
	return diag_set(reader->diag, ERR_INVALID,
			"flag --%s: the value is missing; give %s, as --%s=%s", option->name,
			allowed, option->name, option_argument(option));
}

/* --name, --name=VALUE or --name VALUE */
static enum err read_long(struct reader *reader, const char *text)
{
	const char *equals = strchr(text, '=');
	struct slice name = {text, equals ? (size_t)(equals - text) : strlen(text)};
	const struct usage *usage = reader->options->usage;
	size_t index;

	/* A _ is right in a file only: one way to write a flag is enough. */
	if ((name.len && memchr(name.at, '_', name.len)) || !option_find(usage, name, &index))
		return unknown_flag(reader, name);
	if (equals)
		return set(reader, index, slice_of(equals + 1));
	if (option_at(usage, index)->type == OPTION_BOOLEAN)
		return set(reader, index, SLICE_LITERAL("true"));
	return set_from_next(reader, index);
}

static bool find_letter(const struct usage *usage, char letter, size_t *index)
{
	for (size_t i = 0; i < option_count(usage); i++) {
		if (option_at(usage, i)->letter == letter) {
			*index = i;
			return true;
		}
	}
	return false;
}

/* -n, -nq, -c VALUE or -cVALUE */
static enum err read_letters(struct reader *reader, const char *letters)
{
	const struct usage *usage = reader->options->usage;
	enum err err = OK;
	size_t index;

	for (; *letters && !err; letters++) {
		if (!find_letter(usage, *letters, &index))
			return unknown_flag(reader, (struct slice){letters, 1});
		if (option_at(usage, index)->type == OPTION_BOOLEAN)
			err = set(reader, index, SLICE_LITERAL("true"));
		else if (letters[1])
			return set(reader, index, slice_of(letters + 1));
		else
			return set_from_next(reader, index);
	}
	return err;
}

static enum err read_argument(struct reader *reader, bool *only_args)
{
	const char *text = *reader->next++;

	if (*only_args || text[0] != '-' || text[1] == '\0') {
		reader->args[reader->options->n_args++] = text;
		return OK;
	}
	if (text[1] != '-')
		return read_letters(reader, text + 1);
	if (text[2] != '\0')
		return read_long(reader, text + 2);
	*only_args = true;
	return OK;
}

enum err options_from_args(struct options *options, int argc, char *const *argv,
			   struct diag *diag)
{
	size_t n = argc > 1 ? (size_t)argc - 1 : 0;
	struct reader reader = {.options = options,
				.next = argv + (n > 0),
				.end = argv + (n > 0) + n,
				.args = arena_array(options->arena, n + 1, sizeof *reader.args),
				.diag = diag};
	bool only_args = false;

	if (!reader.args)
		return option_nomem(diag);
	options->args = reader.args;
	options->n_args = 0;
	while (reader.next < reader.end) {
		enum err err = read_argument(&reader, &only_args);

		if (err)
			return err;
	}
	if (options->n_args > 0 && !options->usage->arguments)
		return diag_set(diag, ERR_INVALID,
				"`%s` takes no arguments but flags, and \"%.64s\" is none; "
				"`%s --help` lists the flags",
				options->usage->program, options->args[0],
				options->usage->program);
	return OK;
}
