/* options_parts.h - what the files of options.h share. */
#ifndef SKALD_BASE_OPTIONS_PARTS_H
#define SKALD_BASE_OPTIONS_PARTS_H

#include "base/options.h"

enum {
	OPTION_ENV_SIZE = OPTION_NAME_MAX + 8,
	OPTION_RANGE_SIZE = 80,
	OPTION_ALLOWED_SIZE = 192
};

/* Own options first, then the common ones. */
size_t option_count(const struct usage *usage);
const struct option *option_at(const struct usage *usage, size_t index);

/* The name or the file key; false where there is no such option. */
bool option_find(const struct usage *usage, struct slice name, size_t *index);

/* The name most like this one, NULL where none is; of the flags, or only of
 * those that are settings. */
const char *option_suggest(const struct usage *usage, struct slice name, bool settings);

/* Whether a settings file may hold it. */
static inline bool option_in_file(const struct option *option)
{
	return !option->flag_only && !option->no_file;
}

void option_env_name(const struct option *option, char out[OPTION_ENV_SIZE]);
void option_file_key(const struct option *option, char out[OPTION_NAME_MAX + 1]);

/* What help calls the value: "DIR", "N", "text|dot". */
const char *option_argument(const struct option *option);

/* "1 to 1000", "at least 1", or "" where there is nothing to say. */
void option_range(const struct option *option, char out[OPTION_RANGE_SIZE]);

/* "an integer (1 to 1000)" */
void option_allowed(const struct option *option, char out[OPTION_ALLOWED_SIZE]);

/* Check a value, and give the number of the types that have one. NULL where it
 * is right, else what is wrong: "is not an integer". */
const char *option_parse(const struct option *option, struct slice value, int64_t *number);

/* The number as the type writes it: 10, true, 15m, 64KiB. */
void option_format(const struct option *option, int64_t number, char out[32]);

/* Least and most with the defaults of the type filled in. */
int64_t option_least(const struct option *option);
int64_t option_most(const struct option *option);

/* The next part of a text that is divided by a character; false at the end. */
bool option_next_part(struct slice *rest, char divider, struct slice *part);

/* Out of memory, said. */
CHECKED enum err option_nomem(struct diag *diag);

/* options_set for the option at this place of the table. */
CHECKED enum err option_assign(struct options *options, size_t index, struct slice value,
			       struct option_source source, struct diag *diag);

#endif
