/* saga_values.h - sagas to test with, and what two of them differ in. */
#ifndef SKALD_TESTS_LIB_SAGA_VALUES_H
#define SKALD_TESTS_LIB_SAGA_VALUES_H

#include "orchestrator/core/saga.h"

/* One saga with something in every field, two of the signals and five of the
 * steps; tests/golden/saga-v1.hex is its bytes with this hash. */
extern const struct saga rich_saga;
extern const uint8_t rich_hash[SHA256_SIZE];

/* A child with an `each` of two elements: what format 2 is for; its bytes are
 * tests/golden/saga-v2.hex. */
extern const struct saga elements_saga;

/* A completed order of five steps without payloads, as production has them. */
extern const struct saga order_saga;

/* Any saga that the codec takes, small numbers and short texts more often than
 * large ones; the same for the same seed. */
struct saga *seeded_saga(uint64_t seed, struct arena *arena);

/* The next number of a generator; *state is its seed at first. */
uint64_t next_random(uint64_t *state);

/* The first field in which they differ, "steps[2].attempt"; NULL: none. */
const char *saga_difference(const struct saga *a, const struct saga *b);

#endif
