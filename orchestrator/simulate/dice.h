/* dice.h - chance that depends on what it is for, and on nothing else.
 *
 * Every throw belongs to a seed, a purpose ("drop"), somebody (a command's id) and a
 * number (an attempt). So a seed gives the same run again, and whether one message
 * gets lost does not depend on how many others there were: a run with one fault more
 * is the same run with that fault more. All of it is whole numbers: no compiler and
 * no machine makes anything else of it.
 */
#ifndef SKALD_SIMULATE_DICE_H
#define SKALD_SIMULATE_DICE_H

#include "base/slice.h"

#include <stdint.h>

enum { CHANCE_ALWAYS = 1000000 }; /* chances are in millionths */

struct dice {
	uint64_t state;
};

struct dice dice_for(uint64_t seed, const char *purpose, struct slice who, uint64_t number);

uint64_t dice_next(struct dice *dice);
uint32_t dice_below(struct dice *dice, uint32_t n);                   /* 0 to n - 1 */
int64_t dice_between(struct dice *dice, int64_t least, int64_t most); /* both included */
bool dice_chance(struct dice *dice, uint32_t chance);

/* How long something takes: always the same, anything between two times, or so that
 * half of all take at most p50 and 99 of 100 at most p99 (the shortest half of p50,
 * the longest twice p99). */
enum spread_kind { SPREAD_FIXED, SPREAD_RANGE, SPREAD_QUANTILES };

struct spread {
	enum spread_kind kind;
	int64_t low_ms;  /* the time; from; p50 */
	int64_t high_ms; /* SPREAD_RANGE: to; SPREAD_QUANTILES: p99 */
};

int64_t dice_spread(struct dice *dice, const struct spread *spread);

#endif
