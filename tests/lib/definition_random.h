/* definition_random.h - the text of a definition that nobody thought of.
 *
 * The same seed gives the same text, byte for byte. What is written follows the
 * rules of the language by reckoning of its own, so that the loader, the normal
 * form and the checker can be held against it: every form of a step, every kind,
 * every option and every spelling of it comes up sooner or later, and steps refer
 * to each other's outputs with a guard where the output may be missing.
 *
 * In the second mode exactly one rule is broken, at a random place of a definition
 * that is right otherwise.
 */
#ifndef SKALD_TESTS_LIB_DEFINITION_RANDOM_H
#define SKALD_TESTS_LIB_DEFINITION_RANDOM_H

#include "base/bytes.h"

#include <stdint.h>

/* A right one; what it may be warned of is that an await has no timeout. */
void definition_random(uint64_t seed, struct bytes *out);

struct definition_fault {
	const char *name; /* what is wrong */
	const char *code; /* the one problem that the loader must see in it */
};

extern const size_t definition_n_faults;

/* With the fault of that index, and without anything else to be warned of. */
struct definition_fault definition_broken(uint64_t seed, size_t fault, struct bytes *out);

#endif
