#include "cli/settings_file.h"

#include "cli/file.h"
#include "cli/report.h"
#include "cli/settings_limits.h"
#include "orchestrator/load/yaml_tree.h"

#include <stdio.h>

enum { SETTINGS_MAX = 256 * 1024 };

struct reading {
	struct options *options;
	struct settings_beside *beside;
	struct arena *arena;
	struct problems *problems;
};

static void add_problem(struct reading *reading, struct place place, const char *text)
{
	problem_add(reading->problems, SEVERITY_ERROR, place, "bad-setting", "%s", text);
}

/* The options say "FILE:LINE: " in front, which the problem has, too. */
static const char *without_place(const struct reading *reading, struct place place,
				 const char *text)
{
	char begin[OPTION_WHERE_SIZE];
	int len = snprintf(begin, sizeof begin, "%.128s:%u: ", reading->problems->file,
			   (unsigned)place.line);

	return len > 0 && strncmp(text, begin, (size_t)len) == 0 ? text + len : text;
}

/* A list as the option has it: with commas. */
static enum err join_list(struct reading *reading, const struct yaml_node *list,
			  struct slice *out)
{
	struct bytes text = BYTES(SETTINGS_MAX, reading->arena);

	for (const struct yaml_entry *entry = list->first; entry; entry = entry->next) {
		if (entry->value->kind != YAML_SCALAR) {
			add_problem(reading, entry->value->place,
				    "the list of a setting holds texts and numbers alone");
			return ERR_INVALID;
		}
		if (text.len)
			bytes_add(&text, ',');
		bytes_append(&text, entry->value->text);
	}
	*out = bytes_slice(&text);
	return text.err;
}

static enum err read_entry(struct reading *reading, const struct yaml_entry *entry)
{
	const struct yaml_node *value = entry->value;
	struct option_source source = {ORIGIN_FILE, reading->problems->file, entry->place.line};
	struct slice text = value->text;
	struct diag diag;
	enum err err = OK;

	if (value->broken)
		return OK;
	if (slice_is(entry->name, "participants")) {
		limits_read(reading->problems, value, &reading->beside->limits);
		return OK;
	}
	if (kafka_settings_own(entry->name)) {
		kafka_settings_read(reading->problems, entry, &reading->beside->kafka);
		return OK;
	}
	if (value->kind == YAML_LIST) {
		err = join_list(reading, value, &text);
	} else if (value->kind == YAML_MAPPING) {
		add_problem(reading, value->place,
			    "a setting has a value, and no settings below it");
		return OK;
	}
	if (!err)
		err = options_set(reading->options, entry->name, text, source, &diag);
	else if (err == ERR_INVALID)
		return OK; /* and was added */
	if (err == ERR_INVALID) {
		add_problem(reading, entry->place,
			    without_place(reading, entry->place, diag.text));
		return OK;
	}
	return err;
}

static enum err read_all(struct reading *reading, struct slice text)
{
	struct yaml_node *root;
	enum err err = yaml_tree(text, reading->arena, reading->problems, &root);

	if (err)
		return err == ERR_INVALID ? OK : err;
	if (root->kind != YAML_MAPPING) {
		add_problem(reading, root->place,
			    "settings are lines such as `listen: HOST:PORT`");
		return OK;
	}
	for (const struct yaml_entry *entry = root->first; entry && !err; entry = entry->next)
		err = read_entry(reading, entry);
	return err;
}

static bool is_empty(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!memchr(" \t\r\n", text.at[i], 4))
			return false;
	}
	return true;
}

enum err settings_read_text(struct slice text, struct options *options,
			    struct settings_beside *beside, struct problems *problems)
{
	struct reading reading = {options, beside, problems->arena, problems};
	enum err err = is_empty(text) ? OK : read_all(&reading, text);

	return err ? err : problems->nomem ? ERR_NOMEM : OK;
}

enum err settings_read(const struct cli *cli, const char *path, struct options *options,
		       struct settings_beside *beside, struct diag *diag)
{
	struct problems problems = {.arena = cli->arena, .file = path};
	struct slice text;
	enum err err = file_read(path, SETTINGS_MAX, cli->arena, &text, diag);

	if (err)
		return err;
	err = settings_read_text(text, options, beside, &problems);
	if (err)
		return diag_set(diag, err, "%.200s: %s", path, err_text(err));
	if (!problems.n_errors)
		return OK;
	err = report_problems(cli, REPORT_TEXT, &problems);
	return err ? err : ERR_INVALID;
}
