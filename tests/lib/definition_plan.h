/* definition_plan.h - a random definition before it is text: what the parts of
 * definition_random.h share.
 *
 * A plan is made from random numbers (definition_plan.c), perhaps gets a fault
 * (definition_random.c), and is written as YAML (definition_write.c).
 */
#ifndef SKALD_TESTS_LIB_DEFINITION_PLAN_H
#define SKALD_TESTS_LIB_DEFINITION_PLAN_H

#include "base/bytes.h"
#include "orchestrator/core/definition.h"
#include "tests/lib/random.h"

enum {
	PLAN_LEAVES = 6, /* steps that contain no others */
	PLAN_STEPS = 20, /* all of them: a parallel has two leaves or more, an each one */
	PLAN_VALUES = 2, /* of one mapping of arguments */
	PLAN_DEPTH = 2,  /* blocks inside each other */
};

/* How a value is said. */
enum plan_sort {
	VALUE_TEXT,      /* as it stands */
	VALUE_OUTPUT,    /* STEP.out.v */
	VALUE_GUARDED,   /* if(has(STEP.out), STEP.out.v, 0) */
	VALUE_WHETHER,   /* has(STEP.out) */
	VALUE_IF_OUTPUT, /* as a condition: STEP.out.v > 1 */
	VALUE_IF_BOTH,   /* has(STEP.out) && STEP.out.v > 1 */
	VALUE_IF_NOT,    /* !has(STEP.out) */
	VALUE_ELEMENT,   /* the element of the each around: `step` is this each */
};

struct plan_value {
	enum plan_sort sort;
	const char *text; /* VALUE_TEXT; NULL: no value at all */
	uint32_t step;    /* otherwise: whose output */
};

struct plan_arguments {
	bool given;
	bool whole; /* one expression instead of a mapping */
	uint32_t n;
	struct plan_value values[PLAN_VALUES];
};

struct plan_retry {
	const char *name; /* NULL: it has none and stands where it is used */
	const char *text;
};

struct plan_call {
	struct plan_arguments with;
	const char *timeout;            /* NULL: not given, as with all that follows */
	const struct plan_retry *retry; /* of plan_retries, or the fault's own */
};

struct plan_step {
	const char *name;
	uint32_t parent; /* or NO_STEP */
	uint32_t list;   /* the list that it stands in: 0 is the outermost */
	uint32_t end;    /* the first index behind it and all that it contains */
	bool after_pivot;
	bool flow;      /* written in one line */
	bool described; /* has a description */
	enum form form; /* FORM_PARALLEL and FORM_EACH were chosen with the structure */
	enum kind kind;
	bool kind_given;
	struct plan_value when;
	struct plan_call call;
	bool has_undo;
	struct plan_call undo;
	const char *exhausted;
	const char *on_failure;
	const char *event;
	const char *timeout; /* of an await */
	const char *then;
	const char *sleep; /* or until */
	struct plan_value until;
	struct plan_value in; /* of an each */
	const char *as;
	const char *max;
	const char *child; /* of a saga */
	const char *child_key;
	bool no_form;          /* fault: it does not say what it does */
	const char *extra_key; /* fault: one more, with what stands behind it */
	const char *extra;
};

struct plan {
	struct random random;
	struct plan_step steps[PLAN_STEPS];
	uint32_t n_steps;
	uint32_t n_lists;
	uint32_t first_name;
	uint32_t pivot; /* or NO_STEP */
	const char *description;
	const char *key;
	const char *deadline;
	const char *input;
	struct plan_arguments output;
	bool spare_retry; /* fault: one that no step uses */
};

/* The retries under `use.retry`, which are written where a step names them, and
 * those without a name. */
extern const struct plan_retry plan_retries[];
extern const size_t plan_n_retries;

/* A right definition. */
void plan_make(struct plan *plan, uint64_t seed);

bool plan_chance(struct plan *plan, uint32_t percent);
uint32_t plan_below(struct plan *plan, uint32_t n);

void plan_give_undo(struct plan *plan, uint32_t i);

/* Whether a step's output is there for another one. */
enum plan_output {
	OUTPUT_OTHER, /* it is an each, and stands for the last of its steps */
	OUTPUT_NONE,  /* it is a step without one */
	OUTPUT_NEVER, /* it cannot have run by then */
	OUTPUT_MAYBE,
	OUTPUT_THERE,
};

/* `reader` is a step, or n_steps: the saga's own output. Without regard to what
 * conditions vouch for. */
enum plan_output plan_output_of(const struct plan *plan, uint32_t step, uint32_t reader);

/* The each round the step, or NO_STEP. */
uint32_t plan_each_of(const struct plan *plan, uint32_t step);

/* For the reader it is a list of outputs: it stands in an each and the reader does not. */
bool plan_is_list(const struct plan *plan, uint32_t step, uint32_t reader);

/* Whether a condition of the reader or round it vouches for the step's output. */
bool plan_is_vouched(const struct plan *plan, uint32_t step, uint32_t reader);

void plan_write(const struct plan *plan, struct bytes *out);

#endif
