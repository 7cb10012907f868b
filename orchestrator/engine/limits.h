/* limits.h - how much one participant is asked at once.
 *
 * Three limits, each of which may be absent: a window (commands that are handed
 * over and neither answered nor timed out), a rate (a bucket of tokens, one for
 * every command that is handed over) and a breaker. The breaker opens after so
 * many failures in a row (`failed`, and attempts without an answer); while it is
 * open nothing is handed over; after its pause one command goes as a probe, whose
 * answer closes it or opens it again. Whatever else a participant says, a refusal
 * included, shows that it works.
 *
 * A fourth one is always there, for a participant from which nothing comes at all:
 * after 200 attempts in a row without any answer it is asked at most fifty
 * times a second, until it answers. However many wait for it, that they try again and
 * again costs others little, and an answer finds everybody in line.
 *
 * What is held back is not counted here: orchestrator/engine/lanes.h has it in
 * order. This is arithmetic on the time it is given: no clock, no I/O, no memory.
 */
#ifndef SKALD_ENGINE_LIMITS_H
#define SKALD_ENGINE_LIMITS_H

#include "base/bytes.h"
#include "orchestrator/core/definition.h"

enum {
	LIMITS_NAMED_MAX = 256, /* participants that settings name */
	LIMIT_COUNT_MAX = 1000000,
	LIMIT_FAILURES_MAX = 10000,

	/* After so many attempts in a row without an answer one goes in this time. */
	LIMIT_SILENT_AFTER = 200,
	LIMIT_SILENT_MS = 20,
};

/* --- what is set -------------------------------------------------------------------- */

struct limit_settings {
	uint32_t window;   /* 0: none */
	uint32_t rate;     /* commands in rate_ms; 0: none */
	int64_t rate_ms;   /* 1 s, 1 min or 1 h */
	uint32_t burst;    /* at once, after a quiet time; 1 and more where there is a rate */
	uint32_t failures; /* in a row that open the breaker; 0: there is none */
	int64_t pause_ms;  /* from when it opens until its probe; 1 and more */
};

/* For every participant: those that are named, and all the others. */
struct limits {
	struct limit_settings others;
	struct limit_named {
		char name[NAME_MAX_BYTES + 1];
		struct limit_settings settings;
	} named[LIMITS_NAMED_MAX];
	size_t n;
};

const struct limit_settings *limits_of(const struct limits *limits, struct slice participant);

/* "{ window: 50, rate: 100/s, burst: 20, breaker: { failures: 5, pause: 30s } }", as a
 * settings file has it; what is absent is none. */
void limit_settings_format(const struct limit_settings *settings, struct bytes *out);

/* "100/s" */
enum { LIMIT_RATE_TEXT = 16 };
void limit_rate_format(const struct limit_settings *settings, char text[LIMIT_RATE_TEXT]);

/* --- one participant ---------------------------------------------------------------- */

enum breaker { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* All zero: no limits. */
struct limit {
	struct limit_settings settings;
	uint32_t inflight;
	int64_t level;     /* of the bucket, in 1/rate_ms of a token; as of filled_ms */
	int64_t filled_ms; /* 0: it was never used and is full */
	enum breaker breaker;
	uint32_t n_failures; /* in a row, while it is closed */
	int64_t opened_ms;
	bool probing;      /* the probe is on its way */
	uint64_t n_opened; /* how often it opened */
	uint32_t n_silent; /* attempts without an answer in a row; at most AFTER */
	int64_t taken_ms;  /* when the newest was handed over */
};

/* Other settings, from now on. What is in flight, the failures so far and an open
 * breaker stay; a bucket holds at most the new burst, and a new one is full. */
void limit_set(struct limit *limit, const struct limit_settings *settings, int64_t now_ms);

/* What keeps a command back, and until when; INT64_MAX: until there is an answer. */
enum limit_why {
	LIMIT_FREE,
	LIMIT_WINDOW,
	LIMIT_RATE,
	LIMIT_BREAKER,
	LIMIT_PROBE,
	LIMIT_SILENCE,
	LIMIT_BUS, /* the bus has no room: of lane_ask alone */
};
struct limit_hold {
	enum limit_why why;
	int64_t until_ms; /* LIMIT_FREE: now */
};
struct limit_hold limit_ask(const struct limit *limit, int64_t now_ms);

/* "window", "rate", "breaker", "probe", "silence", "bus"; "" for LIMIT_FREE */
const char *limit_why_text(enum limit_why why);

/* A command is handed over, which limit_ask allowed. True: it is the probe, and
 * limit_settle must be told so. */
CHECKED bool limit_take(struct limit *limit, int64_t now_ms);

/* It was answered, or nobody waits for an answer any more. */
enum limit_end {
	LIMIT_WORKS,  /* ok, refused, expired */
	LIMIT_FAILS,  /* failed */
	LIMIT_SILENT, /* no answer in time: has failed, too */
	LIMIT_UNKNOWN /* nobody waits for it any more: says nothing */
};
void limit_settle(struct limit *limit, int64_t now_ms, enum limit_end end, bool probe);

/* Nothing has come from it for long, see above. */
bool limit_silent(const struct limit *limit);

/* Nothing is lost where it is forgotten. */
bool limit_idle(const struct limit *limit, int64_t now_ms);

/* As people see it: half-open from when the pause is over. */
enum breaker limit_breaker(const struct limit *limit, int64_t now_ms);
const char *breaker_text(enum breaker breaker); /* "closed", "open", "half-open" */

#endif
