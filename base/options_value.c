/* What the types of options allow, and how their values are read and written. */
#include "base/duration.h"
#include "base/options_parts.h"

#include <inttypes.h>
#include <stdio.h>

static const struct size_unit {
	const char *name;
	int64_t bytes;
} size_units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};

enum { N_SIZE_UNITS = sizeof size_units / sizeof size_units[0] };

bool option_next_part(struct slice *rest, char divider, struct slice *part)
{
	const char *end;

	if (!rest->at)
		return false;
	end = rest->len ? memchr(rest->at, divider, rest->len) : NULL;
	if (!end) {
		*part = *rest;
		*rest = (struct slice){0};
		return true;
	}
	*part = (struct slice){rest->at, (size_t)(end - rest->at)};
	rest->at = end + 1;
	rest->len -= part->len + 1;
	return true;
}

int64_t option_least(const struct option *option)
{
	return option->min;
}

int64_t option_most(const struct option *option)
{
	if (option->max)
		return option->max;
	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_CHOICE:
	case OPTION_LIST: return OPTION_TEXT_BYTES;
	case OPTION_DURATION: return DURATION_MAX_MS;
	case OPTION_INTEGER:
	case OPTION_BOOLEAN:
	case OPTION_SIZE: break;
	}
	return INT64_MAX;
}

void option_format(const struct option *option, int64_t number, char out[32])
{
	const struct size_unit *unit = size_units;

	switch (option->type) {
	case OPTION_BOOLEAN: snprintf(out, 32, "%s", number ? "true" : "false"); return;
	case OPTION_DURATION: duration_format(number, out); return;
	case OPTION_SIZE:
		while (number % unit->bytes != 0 || (number == 0 && unit->bytes > 1))
			unit++;
		snprintf(out, 32, "%" PRId64 "%s", number / unit->bytes, unit->name);
		return;
	case OPTION_TEXT:
	case OPTION_CHOICE:
	case OPTION_LIST:
	case OPTION_INTEGER: snprintf(out, 32, "%" PRId64, number); return;
	}
}

const char *option_argument(const struct option *option)
{
	if (option->argument)
		return option->argument;
	switch (option->type) {
	case OPTION_TEXT: return "TEXT";
	case OPTION_CHOICE: return option->choices;
	case OPTION_LIST: return "TEXT,...";
	case OPTION_INTEGER: return "N";
	case OPTION_BOOLEAN: break;
	case OPTION_DURATION: return "DURATION";
	case OPTION_SIZE: return "SIZE";
	}
	return "true|false";
}

void option_range(const struct option *option, char out[OPTION_RANGE_SIZE])
{
	char least[32], most[32];

	out[0] = '\0';
	if (option->type != OPTION_INTEGER && option->type != OPTION_DURATION &&
	    option->type != OPTION_SIZE)
		return;
	option_format(option, option_least(option), least);
	option_format(option, option_most(option), most);
	if (option->max)
		snprintf(out, OPTION_RANGE_SIZE, "%s to %s", least, most);
	else if (option->min)
		snprintf(out, OPTION_RANGE_SIZE, "at least %s", least);
}

static const char *type_text(const struct option *option)
{
	switch (option->type) {
	case OPTION_TEXT: return "a text";
	case OPTION_CHOICE: return "one of";
	case OPTION_LIST: return "texts with commas between them";
	case OPTION_INTEGER: return "an integer";
	case OPTION_BOOLEAN: break;
	case OPTION_DURATION: return "a duration such as 250ms, 10s, 15m, 24h or 7d";
	case OPTION_SIZE: return "a size in bytes, KiB, MiB or GiB, such as 16MiB";
	}
	return "true or false";
}

void option_allowed(const struct option *option, char out[OPTION_ALLOWED_SIZE])
{
	char range[OPTION_RANGE_SIZE];

	option_range(option, range);
	if (option->type == OPTION_CHOICE)
		snprintf(out, OPTION_ALLOWED_SIZE, "%s %s", type_text(option), option->choices);
	else if (option->type == OPTION_TEXT || option->type == OPTION_LIST)
		snprintf(out, OPTION_ALLOWED_SIZE, "%s (%" PRId64 " to %" PRId64 " bytes)",
			 type_text(option), option_least(option), option_most(option));
	else
		snprintf(out, OPTION_ALLOWED_SIZE, "%s%s%s%s", type_text(option),
			 range[0] ? " (" : "", range, range[0] ? ")" : "");
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at the begin of the text, with a sign; returns how many bytes they
 * take, 0 where there are none. *fits is false where they need more than 64
 * bits. Counted downwards, as there is one more negative number. */
static size_t read_integer(struct slice text, int64_t *number, bool *fits)
{
	bool negative = text.len > 0 && text.at[0] == '-';
	size_t at = negative, begin = at;
	int64_t value = 0;

	*fits = true;
	for (; at < text.len && is_digit(text.at[at]); at++) {
		int digit = text.at[at] - '0';

		if (value < (INT64_MIN + digit) / 10)
			*fits = false;
		else
			value = value * 10 - digit;
	}
	if (!negative && value == INT64_MIN)
		*fits = false;
	else
		*number = negative ? value : -value;
	return at == begin ? 0 : at;
}

static const char *parse_size(struct slice value, int64_t *number)
{
	bool fits;
	size_t digits = read_integer(value, number, &fits);
	struct slice name;

	if (digits == 0 || value.at[0] == '-')
		return "is not a size";
	name = (struct slice){value.at + digits, value.len - digits};
	for (size_t i = 0; i < N_SIZE_UNITS; i++) {
		if (!slice_is(name, size_units[i].name))
			continue;
		if (!fits || *number > INT64_MAX / size_units[i].bytes)
			return "is out of range";
		*number *= size_units[i].bytes;
		return NULL;
	}
	return "is not a size";
}

static const char *parse_number(const struct option *option, struct slice value,
				int64_t *number)
{
	const char *problem = NULL;
	bool fits = true;
	enum err err = OK;

	if (option->type == OPTION_SIZE) {
		problem = parse_size(value, number);
	} else if (option->type == OPTION_DURATION) {
		err = duration_parse(value, number, NULL);
		fits = err != ERR_TOO_LARGE;
		problem = err == ERR_INVALID ? "is not a duration" : NULL;
	} else if (value.len == 0 || read_integer(value, number, &fits) != value.len) {
		problem = "is not an integer";
	}
	if (problem)
		return problem;
	if (!fits || *number < option_least(option) || *number > option_most(option))
		return "is out of range";
	return NULL;
}

static const char *parse_boolean(struct slice value, int64_t *number)
{
	*number = slice_is(value, "true") || slice_is(value, "1");
	if (*number || slice_is(value, "false") || slice_is(value, "0"))
		return NULL;
	return "is neither true nor false";
}

static const char *parse_choice(const struct option *option, struct slice value)
{
	struct slice rest = slice_of(option->choices), choice;

	while (option_next_part(&rest, '|', &choice)) {
		if (slice_equal(choice, value))
			return NULL;
	}
	return "is none of the choices";
}

static bool has_empty_item(struct slice list)
{
	struct slice item;

	while (list.len > 0 && option_next_part(&list, ',', &item)) {
		/* The text ends in a comma where nothing is left behind one. */
		if (item.len == 0 || (list.at && list.len == 0))
			return true;
	}
	return false;
}

const char *option_parse(const struct option *option, struct slice value, int64_t *number)
{
	*number = 0;
	if (value.len > 0 && memchr(value.at, '\0', value.len))
		return "has a NUL byte";
	switch (option->type) {
	case OPTION_BOOLEAN: return parse_boolean(value, number);
	case OPTION_INTEGER:
	case OPTION_DURATION:
	case OPTION_SIZE: return parse_number(option, value, number);
	case OPTION_CHOICE: return parse_choice(option, value);
	case OPTION_TEXT:
	case OPTION_LIST: break;
	}
	if (option->type == OPTION_LIST && has_empty_item(value))
		return "has an empty item";
	if (value.len > (size_t)option_most(option))
		return "is too long";
	return value.len < (size_t)option_least(option) ? "is too short" : NULL;
}
