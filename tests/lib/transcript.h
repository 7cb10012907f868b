/* transcript.h - what happens to a saga, as lines of text.
 *
 * A test says what happens, and the transcript answers with all that changed:
 *
 *	start           a running, send a do#1
 *	a do ok [1]     a done [1], b running, send b do#1
 *	b do#1 refused  b refused -touched, turns back (b refused), a undoing, send a undo#1
 *
 * What happens:
 *
 *	start
 *	STEP VERB[#ATTEMPT][/ROUND] ok|refused|failed|expired|killed|timeout [JSON or code]
 *	STEP due[#ATTEMPT][/ROUND]     its timer runs out
 *	deadline | signal EVENT ID [JSON] | cancel | undo | pause | resume
 *	retry [STEP] | skip STEP [JSON] | kill
 *
 * STEP of an `each` is NAME#ELEMENT once it has begun. Without numbers the step's present
 *attempt and round are meant. `+MS` before it lets time pass first; a timer that runs out lets
 *it pass by itself.
 *
 * The answer, in this order: for every step that changed its state, its reason,
 * its output, its flags (+unanswered -touched ...) or when it is due (`for MS`);
 * the saga's phase and flags; kept signals; commands. Not told is what goes
 * without saying: a do that is sent touches, a step that is done has an output.
 * `ignored` and `refused (why)` stand for themselves. Every step is watched by
 * laws.h.
 */
#ifndef SKALD_TESTS_LIB_TRANSCRIPT_H
#define SKALD_TESTS_LIB_TRANSCRIPT_H

#include "tests/lib/build.h"

enum { TRANSCRIPT_LINE_MAX = 512 };

struct transcript {
	struct definition *definition;
	struct script script;
	struct arena arena;
	struct saga saga; /* no steps before `start` */
	struct effects effects;
	enum verdict verdict;
	int64_t now_ms;
	char answer[TRANSCRIPT_LINE_MAX]; /* to the newest line */
};

/* The definition is that of build.h's line. */
void transcript_begin(struct transcript *t, const char *line,
		      const struct script_answer *answers, size_t n_answers);
void transcript_end(struct transcript *t);

/* Let it happen; the answer is also in t->answer. */
const char *transcript_play(struct transcript *t, const char *happening);

/* "happening => answer": whether it is answered as the line says. A refusal need
 * only hold the words that stand in the line's parentheses. */
bool transcript_expect(struct transcript *t, const char *line);

/* A whole test: a sentence, a definition and what happens. */
struct transcript_row {
	const char *name;
	const char *definition;
	int64_t deadline_ms;
	struct script_answer answers[3]; /* up to the first that is all zero */
	const char *lines[20];           /* up to the first that is NULL */
};

/* NULL, or what was answered differently, in words. */
const char *transcript_run(const struct transcript_row *row);

#endif
