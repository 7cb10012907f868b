/* fuzz_faults.c - the command line of a service: any words are its options or are
 * complained about in a sentence, and so are any faults that it is to make; what is taken
 * is within its limits.
 *
 * The words end with NUL bytes. Each of them is also tried as faults, a duration and a
 * number by itself. */
#include "participants/service/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 200, MILLION = 1000000, SLOW_MAX_MS = 60000 };

static const struct service_option options[] = {
	{.name = "stock", .argument = "SKU=N"}, {.name = "empty"}, {0}};
static const struct service_command commands[] = {{0}};
static const struct service_kind kind = {
	.name = "shop", .commands = commands, .options = options};

static void check_error(const skald_error *error)
{
	assert(error->text[0] && memchr(error->text, '\0', sizeof error->text));
}

static void check_faults(const char *word)
{
	struct faults faults;
	skald_error error = {{0}};

	if (!faults_parse(word, &faults, &error)) {
		check_error(&error);
		return;
	}
	assert(faults.decline <= MILLION && faults.fail <= MILLION && faults.crash <= MILLION);
	assert(faults.slow_ms >= 0 && faults.slow_ms <= SLOW_MAX_MS);
	assert(memchr(faults.deadly, '\0', sizeof faults.deadly) &&
	       !strchr(faults.deadly, '/'));
	(void)faults_crash(&faults, word, 1);
	if (faults.decline == MILLION)
		assert(faults_decline(&faults, word));
	if (!faults.fail)
		assert(!faults_fail(&faults, word, 1));
}

static void check_word(const char *word)
{
	int64_t number;

	check_faults(word);
	if (settings_duration(word, &number))
		assert(number > 0);
	if (settings_number(word, -3, 3, &number))
		assert(number >= -3 && number <= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words = calloc(1, size + 1), *argv[WORDS_MAX + 2] = {(char *)kind.name};
	skald_error error = {{0}};
	struct settings settings;
	int argc = 1;

	assert(words);
	if (size)
		memcpy(words, data, size);
	for (size_t at = 0; at < size && argc <= WORDS_MAX; at += strlen(words + at) + 1) {
		argv[argc++] = words + at;
		check_word(words + at);
	}
	if (!settings_read(&kind, argc, argv, &settings, &error))
		check_error(&error);
	else
		assert(settings.data && settings.bus && settings.n_own <= SETTINGS_OWN_MAX &&
		       settings.n_kafka <= SETTINGS_KAFKA_MAX);
	free(words);
	return 0;
}
