/* chance.h - what goes wrong in a run, one by one, so that each can be left out.
 *
 * Whatever a run would be simpler without is a chance: a message that is lost, a call
 * that fails, a saga that somebody starts. Each that is taken has a name, "lost@61250.1":
 * its kind, the millisecond, and which of its kind it is then. All draws of a
 * millisecond follow from the seed and that millisecond alone, so that what is left out
 * changes nothing but what follows from it. A run of the same seed with the same names
 * kept is the same run. */
#ifndef SKALD_TESTS_SIM_CHANCE_H
#define SKALD_TESTS_SIM_CHANCE_H

#include "base/bytes.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/random.h"

/* The kinds, and what they are called. */
#define CHANCE_MAP(X)             \
	X(SAGA, "saga")           \
	X(AGAIN, "again")         \
	X(SIGNAL, "signal")       \
	X(OPERATION, "operation") \
	X(BULK, "bulk")           \
	X(FATE, "fate")           \
	X(LATER, "later")         \
	X(BUSY, "busy")           \
	X(ECHO, "echo")           \
	X(NONSENSE, "nonsense")   \
	X(CALL, "call")           \
	X(LOST, "lost")           \
	X(REPEATED, "repeated")   \
	X(LATE, "late")           \
	X(CUT, "cut")             \
	X(HANG, "hang")           \
	X(OUTAGE, "outage")       \
	X(RIVAL, "rival")         \
	X(MOVE, "move")           \
	X(NET, "net")             \
	X(SLOW, "slow")           \
	X(JUMP, "jump")           \
	X(DEPLOY, "deploy")       \
	X(VANDAL, "vandal")       \
	X(DAMAGE, "damage")       \
	X(MUTE, "mute")

enum chance_kind {
#define X(name, text) CHANCE_##name,
	CHANCE_MAP(X)
#undef X
		CHANCE_KINDS
};

const char *chance_text(enum chance_kind kind);

/* The name of one that was taken, as a number; they sort by kind, then by time. */
typedef uint64_t chance_name;

enum chance_kind chance_kind_of(chance_name name);

struct chance_list {
	chance_name *names;
	size_t n, capacity;
};
void chance_list_add(struct chance_list *list, chance_name name);
void chance_list_release(struct chance_list *list);
void chance_list_sort(struct chance_list *list);

/* "lost@61250.1,saga@0.3", and back; ERR_INVALID: the text is no such list. */
void chance_list_write(const struct chance_list *list, struct bytes *out);
CHECKED enum err chance_list_read(struct chance_list *out, struct slice text,
				  struct diag *diag);

struct chance {
	const struct clock_sim *clock;
	struct random *random;
	uint64_t seed;
	const struct chance_list *keep; /* sorted; only these are taken; NULL: all are */
	int64_t now_ms;                 /* of the draws */
	uint32_t drawn[CHANCE_KINDS];   /* in this millisecond */
	uint64_t taken[CHANCE_KINDS];
	struct chance_list list; /* of all that were taken */
};

void chance_init(struct chance *chance, uint64_t seed, const struct clock_sim *clock,
		 struct random *random, const struct chance_list *keep);

/* Time has come to this millisecond. */
void chance_turn(struct chance *chance);

/* What is drawn next follows from the seed and these two, whatever was drawn before. */
void chance_reseed(struct chance *chance, uint64_t a, uint64_t b);

/* Whether it is taken. */
bool chance_take(struct chance *chance, enum chance_kind kind, uint32_t percent);

#endif
