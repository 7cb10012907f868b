/* pair.h - two orchestrators in one process, for tests: two lobbies with one vault,
 * and a book that says who has which saga.
 *
 * The first letter of a saga's id is its shard: what begins with a is the first one's,
 * with b the second one's, anything else nobody's. Each reads the book only when it is
 * told to, so that it may believe what was true before.
 */
#ifndef SKALD_TESTS_LIB_PAIR_H
#define SKALD_TESTS_LIB_PAIR_H

#include "tests/lib/lobby.h"

enum { PAIR_LETTERS = 26, PAIR_NOBODY = 2 };

struct pair;

struct pair_peers {
	struct peers base;
	struct pair *pair;
	unsigned self;
	unsigned char believed[PAIR_LETTERS]; /* 0, 1 or PAIR_NOBODY */
	unsigned refreshed;
};

struct pair {
	struct lobby lobbies[2];
	struct pair_peers peers[2];
	unsigned char owners[PAIR_LETTERS]; /* the truth */
	char urls[2][PEER_URL_MAX + 1];     /* where they are said to be */
};

void pair_open(struct pair *pair);
void pair_close(struct pair *pair);

/* From now on the shard is his; both hear of it, or neither does yet. */
void pair_give(struct pair *pair, char letter, unsigned owner, bool told);

/* Time passes for both. */
void pair_advance(struct pair *pair, int64_t ms);

#endif
