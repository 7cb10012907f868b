/* definition.h - one saga as its author declared it: fixed once loaded.
 *
 * The steps of all levels stand in one array in the order of the file, so that
 * an index names a step for good: what a step contains directly follows it.
 * Everything is plain data in the definition's arena; orchestrator/load makes
 * it and keeps the invariants written here.
 */
#ifndef SKALD_CORE_DEFINITION_H
#define SKALD_CORE_DEFINITION_H

#include "base/sha256.h"
#include "orchestrator/core/template.h"

enum {
	NAME_MAX_BYTES = 63,
	BRANCHES_MAX = STEPS_MAX, /* of one parallel step */
	NESTING_MAX = 8,          /* steps inside steps */
	EACH_MAX = 1000,          /* elements of one `each` */
	ATTEMPTS_MAX = 1000000,
	KEY_MAX = 256,
	DEFINITION_TEXT_MAX = 1024 * 1024,
};

#define NO_STEP UINT32_MAX

struct retry {
	struct slice name; /* under use.retry; empty where it stands in the step */
	int64_t first_ms;  /* before the second attempt */
	int64_t max_ms;
	struct decimal factor; /* at least 1 */
	bool full_jitter;
	uint32_t attempts; /* the first one included; 0: no limit */
	int64_t budget_ms; /* 0: no limit; one of the two is set */
};

struct call {
	struct slice participant;
	struct slice command;
	const struct template *with; /* never NULL; undo: the do's where none is given */
	int64_t timeout_ms;          /* of one attempt */
	struct retry retry;
};

enum form {
	FORM_CALL,     /* sends a command */
	FORM_NOTHING,  /* only has an undo */
	FORM_PARALLEL, /* branches side by side */
	FORM_AWAIT,    /* an event from outside */
	FORM_SLEEP,
	FORM_EACH, /* the same steps for every element of a list, side by side */
	FORM_SAGA, /* a saga of its own: the engine starts it, and turns it back */
};

enum kind {
	KIND_COMPENSATABLE, /* has an undo */
	KIND_READONLY,      /* changes nothing */
	KIND_PIVOT,         /* the point of no return */
	KIND_RETRIABLE,     /* after the pivot: cannot be undone, only tried again */
	KIND_NONE,          /* the form has no kind: parallel, each, await, sleep */
};

/* A list of steps, one after the other. */
struct branch {
	struct slice name; /* of a branch; in an `each` its `as`; empty for the top level */
	uint32_t first;
	uint32_t last;
};

struct step_definition {
	struct slice name;
	struct slice description;
	struct place place; /* in the file, for messages */
	enum form form;
	enum kind kind;
	uint32_t parent;   /* the step that contains it, or NO_STEP */
	uint32_t previous; /* in the same list, or NO_STEP */
	uint32_t next;     /* in the same list, or NO_STEP */
	uint32_t end;      /* the first index behind it and all that it contains */
	uint32_t each;     /* the `each` in which it stands, at any depth, or NO_STEP */

	const struct expression *when; /* NULL: always */
	struct call call;              /* FORM_CALL; FORM_SAGA: `with` alone */
	bool has_undo;
	struct call undo;     /* FORM_SAGA: nothing but empty arguments */
	bool undo_with_given; /* it has its own arguments, not the do's */
	bool undo_skip;       /* exhausted: skip; otherwise park */
	bool ignore_failure;  /* on_failure: ignore */
	bool after_pivot;     /* the pivot stands before it on every path to it */

	const struct branch *branches; /* FORM_PARALLEL; FORM_EACH: one, of any element */
	uint32_t n_branches;

	const struct expression *in; /* FORM_EACH: the list */
	struct slice as;             /* what its steps call their element */
	uint32_t max;                /* elements, at most EACH_MAX */

	struct slice child;                 /* FORM_SAGA: its name */
	struct slice child_version;         /* empty: the newest when it starts */
	const struct expression *child_key; /* NULL: as its definition says */

	struct slice event;             /* FORM_AWAIT */
	int64_t await_ms;               /* 0: as long as it takes */
	bool await_continue;            /* then: continue; otherwise compensate */
	int64_t sleep_ms;               /* FORM_SLEEP without `until` */
	const struct expression *until; /* FORM_SLEEP */
};

struct definition {
	struct arena arena;
	struct slice name;
	struct slice version;
	struct slice description;
	uint8_t hash[SHA256_SIZE]; /* of `normal` */
	struct slice normal;       /* the normal form, schema inlined */

	const struct expression *key; /* NULL: the saga's id */
	const struct schema *input;   /* never NULL */
	bool has_input_schema;
	const struct slice *mask; /* paths in the input that are never shown: names with
				   * points between them; a list on the way stands for
				   * all of its elements */
	size_t n_mask;
	int64_t deadline_ms;         /* 0: none */
	const struct retry *retries; /* use.retry, for the normal form */
	size_t n_retries;

	struct branch top;
	const struct step_definition *steps;
	uint32_t n_steps; /* at least 1 */
	uint32_t pivot;   /* or NO_STEP */

	const struct template *output; /* NULL: a completed saga has no result */
};

/* Has lists of steps that run side by side. */
static inline bool form_is_block(enum form form)
{
	return form == FORM_PARALLEL || form == FORM_EACH;
}

/* Its do is a command that somebody answers. */
static inline bool form_commands(enum form form)
{
	return form == FORM_CALL || form == FORM_SAGA;
}

/* The step of that name, or NO_STEP. */
uint32_t definition_find(const struct definition *definition, struct slice name);

/* Whether the name is of the form [a-z][a-z0-9_-]{0,62}. */
bool name_valid(struct slice name);

/* Frees the arena in which the definition itself lives; NULL is fine. */
void definition_free(struct definition *definition);

extern const struct retry retry_default_do;   /* 5 attempts */
extern const struct retry retry_default_undo; /* budget of 24 h */

const char *kind_text(enum kind kind);
const char *form_text(enum form form);

#endif
