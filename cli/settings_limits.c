#include "cli/settings_limits.h"

#include "base/duration.h"
#include "orchestrator/load/scalar.h"

#include <inttypes.h>

enum { PAUSE_MS = 30 * 1000 };

/* What one participant says, and what it does not. */
struct said {
	struct limit_settings settings;
	bool window, rate, burst, breaker, failures, pause;
	bool wrong; /* which was told */
	struct place burst_place, breaker_place;
};

struct reading {
	struct problems *problems;
	struct said *said; /* of the participant at hand */
};

static void add_problem(const struct reading *reading, struct place place, const char *text)
{
	problem_add(reading->problems, SEVERITY_ERROR, place, "bad-setting", "%s", text);
}

/* --- values ------------------------------------------------------------------------- */

static bool is_none(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && slice_is(node->text, "none");
}

/* 1 to `most`, at the begin of the text; how many digits it has, 0: it is no such number. */
static size_t count_digits(struct slice text, uint32_t most, uint32_t *out)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < text.len && text.at[n] >= '0' && text.at[n] <= '9'; n++) {
		value = value * 10 + (uint64_t)(text.at[n] - '0');
		if (value > most)
			return 0;
	}
	*out = (uint32_t)value;
	return value ? n : 0;
}

static bool read_count(const struct reading *reading, const struct yaml_entry *entry,
		       uint32_t most, const char *or_none, uint32_t *out)
{
	const struct yaml_node *node = entry->value;

	if (node->kind == YAML_SCALAR && node->text.len &&
	    count_digits(node->text, most, out) == node->text.len)
		return true;
	problem_add(reading->problems, SEVERITY_ERROR, node->place, "bad-setting",
		    "`%.*s` is a number from 1 to %" PRIu32 "%s", SLICE_ARG(entry->name), most,
		    or_none);
	return false;
}

static void read_window(const struct reading *reading, const struct yaml_entry *entry)
{
	reading->said->window = true;
	if (!is_none(entry->value))
		(void)read_count(reading, entry, LIMIT_COUNT_MAX, ", or none",
				 &reading->said->settings.window);
}

static int64_t unit_ms(struct slice unit)
{
	if (slice_is(unit, "/s"))
		return 1000;
	if (slice_is(unit, "/m"))
		return 60 * 1000;
	return slice_is(unit, "/h") ? 60 * 60 * 1000 : 0;
}

static void read_rate(const struct reading *reading, const struct yaml_entry *entry)
{
	struct limit_settings *settings = &reading->said->settings;
	const struct yaml_node *node = entry->value;
	struct slice text = node->text;
	size_t n;

	reading->said->rate = true;
	if (is_none(node))
		return;
	n = node->kind == YAML_SCALAR ? count_digits(text, LIMIT_COUNT_MAX, &settings->rate)
				      : 0;
	settings->rate_ms = n ? unit_ms((struct slice){text.at + n, text.len - n}) : 0;
	if (settings->rate_ms)
		return;
	settings->rate = 0;
	add_problem(reading, node->place,
		    "`rate` is so many commands a second, minute or hour, such as 100/s, 30/m "
		    "or 5/h, at most 1000000, or none");
}

static void read_burst(const struct reading *reading, const struct yaml_entry *entry)
{
	reading->said->burst_place = entry->place;
	reading->said->burst =
		read_count(reading, entry, LIMIT_COUNT_MAX, "", &reading->said->settings.burst);
}

static void read_failures(const struct reading *reading, const struct yaml_entry *entry)
{
	reading->said->failures = true;
	(void)read_count(reading, entry, LIMIT_FAILURES_MAX, "",
			 &reading->said->settings.failures);
}

static void read_pause(const struct reading *reading, const struct yaml_entry *entry)
{
	const struct yaml_node *node = entry->value;
	int64_t *pause_ms = &reading->said->settings.pause_ms;

	reading->said->pause = true;
	if (node->kind != YAML_SCALAR || duration_parse(node->text, pause_ms, NULL) ||
	    !*pause_ms)
		add_problem(reading, node->place,
			    "`pause` is a duration such as 500ms, 30s or 5m, and not 0");
}

/* --- mappings ----------------------------------------------------------------------- */

struct key {
	const char *name;
	void (*read)(const struct reading *reading, const struct yaml_entry *entry);
};

enum { KEYS_MAX = 4 };

struct keys {
	const char *of;  /* "a breaker" */
	const char *all; /* "failures and pause" */
	struct key list[KEYS_MAX];
	size_t n;
};

static void report_unknown(const struct reading *reading, const struct yaml_entry *entry,
			   const struct keys *keys)
{
	const char *names[KEYS_MAX], *likely;

	for (size_t i = 0; i < keys->n; i++)
		names[i] = keys->list[i].name;
	likely = suggest(entry->name, names, keys->n);
	if (likely)
		problem_add(reading->problems, SEVERITY_ERROR, entry->place, "bad-setting",
			    "%s has no setting `%.*s`; did you mean `%s`?", keys->of,
			    SLICE_ARG(entry->name), likely);
	else
		problem_add(reading->problems, SEVERITY_ERROR, entry->place, "bad-setting",
			    "%s has no setting `%.*s`; it has %s", keys->of,
			    SLICE_ARG(entry->name), keys->all);
}

static void read_keys(const struct reading *reading, const struct yaml_node *mapping,
		      const struct keys *keys)
{
	for (const struct yaml_entry *entry = mapping->first; entry; entry = entry->next) {
		size_t i = 0;

		while (i < keys->n && !slice_is(entry->name, keys->list[i].name))
			i++;
		if (i == keys->n)
			report_unknown(reading, entry, keys);
		else if (!entry->value->broken)
			keys->list[i].read(reading, entry);
	}
}

static void read_breaker(const struct reading *reading, const struct yaml_entry *entry)
{
	static const struct keys keys = {
		.of = "a breaker",
		.all = "failures and pause",
		.list = {{"failures", read_failures}, {"pause", read_pause}},
		.n = 2};

	reading->said->breaker_place = entry->place;
	if (entry->value->kind == YAML_MAPPING) {
		reading->said->breaker = true;
		read_keys(reading, entry->value, &keys);
	} else if (is_none(entry->value)) {
		reading->said->failures = true; /* 0 of them */
	} else {
		add_problem(reading, entry->value->place,
			    "`breaker` is { failures: NUMBER, pause: DURATION }, or none");
	}
}

static void read_participant(struct problems *problems, const struct yaml_entry *entry,
			     struct said *said)
{
	static const struct keys keys = {.of = "a participant",
					 .all = "window, rate, burst and breaker",
					 .list = {{"window", read_window},
						  {"rate", read_rate},
						  {"burst", read_burst},
						  {"breaker", read_breaker}},
					 .n = 4};
	const struct reading reading = {problems, said};
	size_t n_errors = problems->n_errors;

	if (entry->value->broken)
		said->wrong = true;
	else if (entry->value->kind != YAML_MAPPING)
		add_problem(&reading, entry->value->place,
			    "the limits of a participant are a mapping such as { window: 50, "
			    "rate: 100/s, breaker: { failures: 5, pause: 30s } }");
	else
		read_keys(&reading, entry->value, &keys);
	said->wrong |= problems->n_errors > n_errors;
}

/* --- one from what it says and what "*" says ---------------------------------------- */

static uint32_t burst_of(const struct limit_settings *settings)
{
	int64_t in_a_second = (int64_t)settings->rate * 1000 / settings->rate_ms;

	return in_a_second ? (uint32_t)in_a_second : 1;
}

static struct limit_settings merge(const struct limit_settings *others, const struct said *said)
{
	struct limit_settings out = said->settings;

	if (!said->window)
		out.window = others->window;
	if (!said->rate) {
		out.rate = others->rate;
		out.rate_ms = others->rate_ms;
	}
	if (!said->burst && out.rate)
		out.burst = said->rate ? burst_of(&out) : others->burst;
	if (!said->failures)
		out.failures = others->failures;
	if (!said->pause)
		out.pause_ms = others->failures ? others->pause_ms : PAUSE_MS;
	return out;
}

/* Only where nothing else of it was wrong: one mistake is told once. */
static void check_whole(const struct reading *reading, const struct limit_settings *merged)
{
	if (reading->said->wrong)
		return;
	if (reading->said->burst && !merged->rate)
		add_problem(reading, reading->said->burst_place,
			    "a burst is of a rate, and there is none; say `rate`, too");
	if (reading->said->breaker && !merged->failures)
		add_problem(reading, reading->said->breaker_place,
			    "say after how many `failures` in a row the breaker opens");
}

static void keep(struct problems *problems, struct said *said, struct limits *out,
		 struct slice name)
{
	const struct reading reading = {problems, said};
	struct limit_settings *to = &out->others;

	if (!slice_is(name, "*")) {
		memcpy(out->named[out->n].name, name.at, name.len);
		to = &out->named[out->n++].settings;
	}
	*to = merge(&out->others, said);
	check_whole(&reading, to);
}

/* --- all of them -------------------------------------------------------------------- */

static bool check_name(struct problems *problems, const struct yaml_entry *entry,
		       const struct limits *out)
{
	const struct reading reading = {.problems = problems};

	if (!slice_is(entry->name, "*") && !name_valid(entry->name))
		add_problem(&reading, entry->place,
			    "a participant's name is a lower-case letter and at most 62 "
			    "letters, digits, '-' or '_'; \"*\" are all the others");
	else if (out->n == LIMITS_NAMED_MAX)
		add_problem(&reading, entry->place,
			    "there are limits for more than 256 participants; say what most "
			    "of them have under \"*\"");
	else
		return true;
	return false;
}

void limits_read(struct problems *problems, const struct yaml_node *participants,
		 struct limits *out)
{
	const struct reading reading = {.problems = problems};
	const struct yaml_entry *others;
	struct said said = {0};

	*out = (struct limits){0};
	if (participants->kind == YAML_SCALAR && scalar_type(participants) == SCALAR_NULL)
		return;
	if (participants->kind != YAML_MAPPING) {
		add_problem(&reading, participants->place,
			    "`participants` is a mapping of names, or \"*\", to limits");
		return;
	}
	others = yaml_get(participants, "*");
	if (others) {
		read_participant(problems, others, &said);
		keep(problems, &said, out, others->name);
	}
	for (const struct yaml_entry *entry = participants->first; entry; entry = entry->next) {
		if (entry == others || !check_name(problems, entry, out))
			continue;
		said = (struct said){0};
		read_participant(problems, entry, &said);
		keep(problems, &said, out, entry->name);
	}
}

void limits_print(const struct limits *limits, struct bytes *out)
{
	if (!limits->n && !limits->others.window && !limits->others.rate &&
	    !limits->others.failures)
		return;
	bytes_text(out, "participants:\n  \"*\": ");
	limit_settings_format(&limits->others, out);
	bytes_add(out, '\n');
	for (size_t i = 0; i < limits->n; i++) {
		bytes_format(out, "  %s: ", limits->named[i].name);
		limit_settings_format(&limits->named[i].settings, out);
		bytes_add(out, '\n');
	}
}
