/* build.h - definitions for tests, from one line instead of YAML.
 *
 *	reserve both{tax | fraud:readonly} approve:await,for=5000 charge:pivot mail:retriable
 *
 * Steps stand in the order of the line; name{ ... | ... } is a parallel step with
 * its branches, name:each{ ... } the steps of every element of a list. Words behind the colon,
 *separated by commas, say what a step is:
 *
 *	undo            a call with an undo, which is what a name alone means
 *	readonly, pivot, retriable
 *	nothing         has an undo and nothing else
 *	child           a child saga; with `pivot` or `retriable` if it is one
 *	key             the child has a key of its own
 *	each            of at most `max` elements, 10 without it
 *	await, sleep    of `for` milliseconds; an await's event has the step's name
 *	until           a sleep whose end is an expression
 *	when            has a condition
 *	ignore          on_failure: ignore
 *	continue        an await that goes on when its time is over
 *	skip            undo exhausted: skip
 *	attempts=N      of the do (0: no limit but the budget)
 *	undos=N         attempts of the undo, likewise
 *	timeout=N       of an attempt of do and undo, in milliseconds
 *	for=N           see await and sleep
 *	max=N           see each
 *
 * Without more words a do and an undo have 2 attempts, 100 ms between the first
 * two and twice as much between any later ones, no jitter, a budget of an hour,
 * and an attempt has 1,000 ms. A definition has no deadline and no output until
 * the test sets them. Expressions are there, but have no text: they are for
 * evaluators that do not look at them, such as `script`.
 *
 * A line that breaks these rules or those of the language trips an assertion.
 */
#ifndef SKALD_TESTS_LIB_BUILD_H
#define SKALD_TESTS_LIB_BUILD_H

#include "orchestrator/core/saga.h"

/* To be freed with definition_free(). */
struct definition *build(const char *line);

/* A step of the definition, to be changed; it must be there. */
struct step_definition *build_step(struct definition *definition, const char *name);

/* --- an evaluator that says what the test wants ------------------------------------ */

struct script_answer {
	const char *step; /* "a" of all elements, "a#1" of one; NULL: the saga's output */
	enum purpose purpose;
	const char *json; /* NULL: the expression fails */
};

/* What no answer is given for: a condition is true, arguments are {"do":"a"} or
 * {"undo":"a"} for a step named a, `until` is 0, the output {}, a list [1,2] and a
 * key k. */
struct script {
	struct evaluator base; /* first, so that the two pointers are one */
	const struct script_answer *answers;
	size_t n_answers;
};

void script_init(struct script *script, const struct script_answer *answers, size_t n_answers);

#endif
