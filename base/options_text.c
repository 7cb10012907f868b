/* Options as text for people: help, man page, settings in effect. */
#include "base/options_parts.h"

#include <stdio.h>

enum {
	HELP_COLUMN = 26, /* where the help of an option begins */
	HELP_WIDTH = 80,
	PRINT_COLUMN = 40 /* where the source of a setting stands */
};

/* Text that is broken into lines between words. */
struct paragraph {
	struct bytes *out;
	size_t column;
};

static void add_blanks(struct bytes *out, size_t n)
{
	for (; n > 0; n--)
		bytes_add(out, ' ');
}

static void add_words(struct paragraph *paragraph, const char *text)
{
	struct slice rest = slice_of(text), word;

	while (option_next_part(&rest, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (paragraph->column > HELP_COLUMN &&
		    paragraph->column + 1 + word.len >= HELP_WIDTH) {
			bytes_add(paragraph->out, '\n');
			add_blanks(paragraph->out, HELP_COLUMN);
			paragraph->column = HELP_COLUMN;
		}
		if (paragraph->column > HELP_COLUMN) {
			bytes_add(paragraph->out, ' ');
			paragraph->column++;
		}
		bytes_append(paragraph->out, word);
		paragraph->column += word.len;
	}
}

static bool has_default(const struct option *option)
{
	if (option->type == OPTION_BOOLEAN)
		return option->initial && strcmp(option->initial, "true") == 0;
	return option->initial && option->initial[0];
}

/* Range, default and variable, after the help of an option. */
static void add_notes(struct paragraph *paragraph, const struct option *option)
{
	char range[OPTION_RANGE_SIZE], env[OPTION_ENV_SIZE], note[320];

	option_range(option, range);
	if (range[0] || has_default(option)) {
		snprintf(note, sizeof note, "(%s%s%s%.200s)", range,
			 range[0] && has_default(option) ? "; " : "",
			 has_default(option) ? "default " : "",
			 has_default(option) ? option->initial : "");
		add_words(paragraph, note);
	}
	if (option->flag_only)
		return;
	option_env_name(option, env);
	snprintf(note, sizeof note, "[%s]", env);
	add_words(paragraph, note);
}

static void help_option(const struct option *option, struct bytes *out)
{
	struct paragraph paragraph = {out, HELP_COLUMN};
	size_t begin = out->len, len;

	if (option->letter)
		bytes_format(out, "  -%c, --%s", option->letter, option->name);
	else
		bytes_format(out, "      --%s", option->name);
	if (option->type != OPTION_BOOLEAN)
		bytes_format(out, " %s", option_argument(option));
	len = out->len - begin;
	if (len + 2 > HELP_COLUMN) {
		bytes_add(out, '\n');
		len = 0;
	}
	add_blanks(out, HELP_COLUMN - len);
	add_words(&paragraph, option->help);
	add_notes(&paragraph, option);
	bytes_add(out, '\n');
}

static void help_table(struct option_table table, const char *title, struct bytes *out)
{
	if (table.n == 0)
		return;
	bytes_format(out, "\n%s:\n", title);
	for (size_t i = 0; i < table.n; i++)
		help_option(&table.list[i], out);
}

void options_help(const struct usage *usage, struct bytes *out)
{
	bytes_format(out, "Usage: %s%s", usage->program,
		     option_count(usage) ? " [OPTIONS]" : "");
	if (usage->arguments)
		bytes_format(out, " %s", usage->arguments);
	bytes_add(out, '\n');
	if (usage->summary) {
		bytes_add(out, '\n');
		bytes_text(out, usage->summary);
		bytes_add(out, '\n');
	}
	help_table(usage->own, "Options", out);
	help_table(usage->common, usage->own.n ? "Common options" : "Options", out);
}

/* Characters in mdoc: nothing in them is an escape, and a dash is one that can
 * be searched for and copied. */
static void man_characters(struct bytes *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		switch (*c) {
		case '\\': bytes_text(out, "\\e"); break;
		case '-': bytes_text(out, "\\-"); break;
		case '"': bytes_text(out, "\\(dq"); break;
		case '\n': bytes_add(out, ' '); break;
		default: bytes_add(out, *c); break;
		}
	}
}

/* A macro with a text as its one argument, whatever that looks like. */
static void man_macro(struct bytes *out, const char *macro, const char *text)
{
	bytes_text(out, macro);
	bytes_text(out, " \"\\&");
	man_characters(out, text);
	bytes_add(out, '"');
}

static void man_option(const struct option *option, struct bytes *out)
{
	char name[OPTION_ENV_SIZE], range[OPTION_RANGE_SIZE];

	bytes_text(out, ".It ");
	if (option->letter)
		bytes_format(out, "Fl %c , ", option->letter);
	bytes_text(out, "Fl \\-");
	man_characters(out, option->name);
	if (option->type != OPTION_BOOLEAN)
		man_macro(out, " Ar", option_argument(option));
	bytes_text(out, "\n\\&");
	man_characters(out, option->help);
	bytes_text(out, ".\n");
	option_range(option, range);
	if (range[0])
		bytes_format(out, "Allowed: %s.\n", range);
	if (has_default(option)) {
		man_macro(out, "Default:\n.Li", option->initial);
		bytes_text(out, " .\n");
	}
	if (option->flag_only)
		return;
	option_env_name(option, name);
	bytes_format(out, "Environment:\n.Ev %s .\n", name);
	if (!option_in_file(option))
		return;
	option_file_key(option, name);
	bytes_format(out, "Settings file:\n.Li %s .\n", name);
}

void options_man(const struct usage *usage, struct bytes *out)
{
	bytes_text(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < option_count(usage); i++)
		man_option(option_at(usage, i), out);
	bytes_text(out, ".El\n");
}

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (letter || c == '/' || (c >= '0' && c <= '9'))
			continue;
		if (!memchr("._-+@:", c, 6))
			return false;
		/* As the first they may be an operator, a : as the last a mapping. */
		if ((i == 0 && c != '.') || (i + 1 == text.len && c == ':'))
			return false;
	}
	return text.len > 0;
}

/* A text as YAML: bare where that cannot be misread, else in double quotes. */
static void print_text(struct bytes *out, struct slice text)
{
	if (is_plain(text)) {
		bytes_append(out, text);
		return;
	}
	bytes_add(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '"' || c == '\\')
			bytes_format(out, "\\%c", c);
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			bytes_format(out, "\\x%02x", (unsigned)(unsigned char)c);
		else
			bytes_add(out, c);
	}
	bytes_add(out, '"');
}

static void print_list(struct bytes *out, struct slice items)
{
	struct slice item;

	bytes_add(out, '[');
	for (size_t i = 0; items.len > 0 && option_next_part(&items, ',', &item); i++) {
		if (i > 0)
			bytes_text(out, ", ");
		print_text(out, item);
	}
	bytes_add(out, ']');
}

/* scheme://user:PASSWORD@host/: the host begins behind the last @. */
static void print_uri(struct bytes *out, struct slice uri)
{
	const char *begin = strstr(uri.at, "://"), *colon, *at = NULL;
	struct bytes masked = BYTES(SIZE_MAX / 2, NULL);

	begin = begin ? begin + 3 : uri.at;
	for (const char *c = begin; *c && *c != '/' && *c != '?'; c++)
		at = *c == '@' ? c : at;
	colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
	if (!colon) {
		print_text(out, uri);
		return;
	}
	bytes_append(&masked, (struct slice){uri.at, (size_t)(colon + 1 - uri.at)});
	bytes_text(&masked, "********");
	bytes_text(&masked, at);
	print_text(out, bytes_slice(&masked));
	if (masked.err && !out->err)
		out->err = masked.err;
	bytes_release(&masked);
}

static void print_value(const struct option *option, const struct option_value *value,
			struct bytes *out)
{
	char text[32];

	if (option->secret) {
		bytes_text(out, "\"********\"");
		return;
	}
	if (option->uri) {
		print_uri(out, slice_of(value->text));
		return;
	}
	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_CHOICE: print_text(out, slice_of(value->text)); return;
	case OPTION_LIST: print_list(out, slice_of(value->text)); return;
	case OPTION_INTEGER:
	case OPTION_BOOLEAN:
	case OPTION_DURATION:
	case OPTION_SIZE:
		option_format(option, value->number, text);
		bytes_text(out, text);
		return;
	}
}

static void print_source(const struct option *option, struct option_source source,
			 struct bytes *out)
{
	char env[OPTION_ENV_SIZE];

	switch (source.origin) {
	case ORIGIN_DEFAULT: bytes_text(out, "default"); return;
	case ORIGIN_FILE:
		bytes_text(out, source.file);
		bytes_format(out, ":%u", (unsigned)source.line);
		return;
	case ORIGIN_ENVIRONMENT:
		option_env_name(option, env);
		bytes_format(out, "environment %s", env);
		return;
	case ORIGIN_FLAG: bytes_format(out, "flag --%s", option->name); return;
	}
}

void options_print(const struct options *options, struct bytes *out)
{
	for (size_t i = 0; i < option_count(options->usage); i++) {
		const struct option *option = option_at(options->usage, i);
		const struct option_value *value = &options->values[i];
		char key[OPTION_NAME_MAX + 1];
		size_t begin = out->len, len;

		if (!option_in_file(option))
			continue;
		option_file_key(option, key);
		bytes_format(out, "%s%s: ", value->text ? "" : "# ", key);
		if (!value->text) {
			bytes_text(out, "not set\n");
			continue;
		}
		print_value(option, value, out);
		len = out->len - begin;
		add_blanks(out, len + 2 < PRINT_COLUMN ? PRINT_COLUMN - len : 2);
		bytes_text(out, "# ");
		print_source(option, value->source, out);
		bytes_add(out, '\n');
	}
}
