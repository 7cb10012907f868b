/* fuzz_settings.c - any bytes as skald.yaml: every complaint has its place, and what is
 * taken is printed as a settings file that says the same. */
#include "cli/settings_file.h"
#include "cli/settings_limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PRINTED_MAX = 4 << 20 };

struct reading {
	struct options options;
	struct settings_beside *beside;
	struct problems problems;
	struct bytes printed;
};

static void read_settings(struct reading *reading, struct slice text, struct arena *arena)
{
	enum err err;

	*reading = (struct reading){.beside = calloc(1, sizeof *reading->beside),
				    .problems = {.arena = arena, .file = "skald.yaml"},
				    .printed = BYTES(PRINTED_MAX, arena)};
	assert(reading->beside);
	err = options_init(&reading->options, &subcommand_serve.usage, arena);
	assert(!err);
	err = settings_read_text(text, &reading->options, reading->beside, &reading->problems);
	assert(!err);
}

static void check_problems(const struct problems *problems)
{
	assert(problems->n);
	for (size_t i = 0; i < problems->n; i++) {
		assert(problems->list[i].place.line && problems->list[i].text[0]);
		assert(!strchr(problems->list[i].text, '\n'));
	}
}

/* Where a value comes from is a comment, which may be another line afterwards. */
static void print(struct reading *reading)
{
	limits_print(&reading->beside->limits, &reading->printed);
	assert(!reading->printed.err);
}

/* 0d and 0s are the same. */
static bool same_value(const struct option *option, const struct option_value *a,
		       const struct option_value *b)
{
	if (option->secret)
		return true;
	if (!a->text || !b->text)
		return a->text == b->text;
	if (option->type > OPTION_LIST)
		return a->number == b->number;
	return strcmp(a->text, b->text) == 0;
}

static void check_options(const struct options *a, const struct options *b)
{
	const struct usage *usage = &subcommand_serve.usage;

	for (size_t i = 0; i < usage->own.n + usage->common.n; i++) {
		const struct option *option = i < usage->own.n
						      ? &usage->own.list[i]
						      : &usage->common.list[i - usage->own.n];

		assert(same_value(option, &a->values[i], &b->values[i]));
	}
}

static void check_kafka(const struct kafka_settings *a, const struct kafka_settings *b)
{
	assert(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		assert(strcmp(a->list[i].name, b->list[i].name) == 0);
		assert(kafka_property_secret(a->list[i].name) ||
		       strcmp(a->list[i].value, b->list[i].value) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct bytes settings = BYTES(PRINTED_MAX, &arena);
	struct reading first, again;

	read_settings(&first, (struct slice){(const char *)data, size}, &arena);
	if (first.problems.n_errors) {
		check_problems(&first.problems);
	} else {
		print(&first);
		options_print(&first.options, &settings);
		kafka_settings_print(&first.beside->kafka, &settings);
		bytes_append(&settings, bytes_slice(&first.printed));
		assert(!settings.err);
		read_settings(&again, bytes_slice(&settings), &arena);
		assert(!again.problems.n_errors);
		print(&again);
		assert(slice_equal(bytes_slice(&again.printed), bytes_slice(&first.printed)));
		check_options(&first.options, &again.options);
		check_kafka(&first.beside->kafka, &again.beside->kafka);
		free(again.beside);
	}
	free(first.beside);
	arena_release(&arena);
	return 0;
}
