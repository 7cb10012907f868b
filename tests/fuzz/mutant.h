/* mutant.h - changes of a fuzz target's inputs, each by its number. */
#ifndef SKALD_TESTS_FUZZ_MUTANT_H
#define SKALD_TESTS_FUZZ_MUTANT_H

#include <stddef.h>
#include <stdint.h>

struct input {
	char *name;
	uint8_t *data; /* a block of this size; of its own where that is 0 */
	size_t size;
};

struct corpus {
	struct input *inputs;
	size_t n;
};

/* Inputs do not grow beyond this by being changed. */
enum { MUTANT_MAX = 64 * 1024 };

/* The mutant of that number: the same for the same inputs in the same order. Its data
 * are the caller's to free; it has no name. */
void mutant_make(const struct corpus *corpus, uint32_t number, struct input *out);

#endif
