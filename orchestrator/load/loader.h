/* loader.h - the loader's state and the reading of single values: private to
 * orchestrator/load, but for simulate/plan_load.c, which reads values of the same kind.
 *
 * A definition is loaded in three passes over the tree of its YAML. The first
 * reads everything that is no expression, steps and their forms included
 * (load.c, load_step.c, load_call.c). The second knows all steps by then, and
 * checks the order of their kinds (rules.c). The third knows what surely stands
 * before what, and reads the expressions (load_expression.c, load_template.c).
 *
 * A reader reports what is wrong and returns false or NULL; whoever calls it
 * goes on with the next thing, so that all mistakes are found in one run.
 */
#ifndef SKALD_LOAD_LOADER_H
#define SKALD_LOAD_LOADER_H

#include "orchestrator/load/codes.h"
#include "orchestrator/load/load.h"
#include "orchestrator/load/scalar.h"
#include "orchestrator/load/yaml_tree.h"

enum {
	RETRIES_MAX = 256, /* under use.retry */
	VERSION_MAX_BYTES = 64,
	MASK_MAX = 256,    /* paths */
	VALUES_MAX = 50000 /* in all templates and the schema */
};

enum on_failure { FAILURE_DEFAULT, FAILURE_COMPENSATE, FAILURE_IGNORE, FAILURE_PARK };
enum then { THEN_DEFAULT, THEN_COMPENSATE, THEN_CONTINUE };

/* A step while it is being loaded. */
struct draft {
	struct step_definition step;
	bool broken;     /* something is missing in it: no follow-up messages */
	bool kind_known; /* otherwise a mistake in its kind was reported */
	bool kind_given;
	struct place kind_place;
	struct place undo_place;
	enum on_failure on_failure;
	struct place on_failure_place;
	bool timeout_given; /* of an await */
	enum then then;
	struct place then_place;

	const struct yaml_node *when; /* for the third pass; NULL: not given */
	const struct yaml_node *with;
	const struct yaml_node *undo_with;
	const struct yaml_node *until;
	const struct yaml_node *in; /* of an `each` */
	struct place as_place, max_place;
	const struct yaml_node *child_key; /* of a child saga */
	struct step_set present; /* outputs that its `when` and those around make sure of */
};

struct loader {
	struct definition *definition;
	struct arena *arena;  /* of the definition */
	struct arena scratch; /* until the end of loading */
	struct problems *problems;
	const struct file_opener *opener;
	bool nomem;

	struct draft *drafts; /* STEPS_MAX of them */
	uint32_t n_steps;
	bool too_many_steps;
	uint32_t by_name[STEPS_MAX]; /* in the order of names, no name twice */
	uint32_t n_names;
	const char *step_names[STEPS_MAX]; /* for "did you mean" */
	uint32_t pivot;                    /* the first one, or NO_STEP */
	bool deadline_given;

	struct retry *retries; /* of use.retry */
	bool *retry_used;
	size_t n_retries;
	size_t n_values; /* in templates and schema */
};

/* --- loader.c: single values -------------------------------------------------- */

/* Memory of the definition or of loading; NULL sets nomem. */
void *keep_alloc(struct loader *loader, size_t n, size_t size);
void *scratch_alloc(struct loader *loader, size_t n, size_t size);
bool keep_text(struct loader *loader, struct slice text, struct slice *out);

/* The value of a mapping's member; NULL where it is not given. */
const struct yaml_node *member(const struct yaml_node *mapping, const char *name);

/* The keys that may stand in a place. */
struct keys {
	const char *where; /* "in a `call` step" */
	const char *const *names;
	size_t n_names;
};

/* Report every other key. False where there is one. */
bool keys_check(struct loader *loader, const struct yaml_node *mapping,
		const struct keys *keys);

/* Whether the member is not there, and no other key is it misspelt. */
bool is_missing(const struct yaml_node *mapping, const char *name, const struct keys *keys);

/* Whether the node is a mapping; `needs` says what it should be: "`use` needs a
 * mapping such as { retry: ... }". */
bool mapping_check(struct loader *loader, const struct yaml_node *node, const char *needs);

/* A text that is no expression; it is a slice of the tree. */
bool read_text(struct loader *loader, const struct yaml_node *node, const char *needs,
	       struct slice *out);

/* At least 1 ms. */
bool read_duration(struct loader *loader, const struct yaml_node *node, const char *name,
		   int64_t *out_ms);

bool read_integer(struct loader *loader, const struct yaml_node *node, const char *name,
		  uint32_t min, uint32_t max, uint32_t *out);

/* One of a few words, as its index; the list ends with NULL. */
bool read_word(struct loader *loader, const struct yaml_node *node, const char *name,
	       const char *const *words, int *out);

/* Report a name that is not one; `what` is "a step". */
bool check_name(struct loader *loader, struct slice name, struct place place, const char *what);

/* Report that the node is not what it should be. */
void report_type(struct loader *loader, const struct yaml_node *node, const char *needs);

/* One more value of a template or schema; false when they are too many. */
bool count_value(struct loader *loader, struct place place);

/* Append a tree without expressions as JSON in normal form. False: reported. */
bool write_json(struct loader *loader, struct bytes *out, const struct yaml_node *node);

/* --- the passes --------------------------------------------------------------- */

void load_document(struct loader *loader, const struct yaml_node *root);

/* input: { schema, mask } */
void load_input(struct loader *loader, const struct yaml_node *node);
const struct schema *load_schema(struct loader *loader, const struct yaml_node *node);

void load_steps(struct loader *loader, const struct yaml_node *node);
void load_call(struct loader *loader, struct draft *draft, const struct yaml_node *settings);
void load_undo(struct loader *loader, struct draft *draft, const struct yaml_node *undo);
void load_child(struct loader *loader, struct draft *draft, const struct yaml_node *settings);

void load_named_retries(struct loader *loader, const struct yaml_node *node);

/* A name or a RETRY; NULL: the default. *out is filled in always. */
void load_retry(struct loader *loader, const struct yaml_node *node,
		const struct retry *by_default, struct retry *out);

void check_rules(struct loader *loader);

/* Whether `outer` is a step that has the other one inside. */
bool step_contains(const struct loader *loader, uint32_t outer, uint32_t inner);

/* Whether the name means something else in an expression. */
bool name_reserved(struct slice name);

/* The step of that name, or NO_STEP. */
uint32_t loader_find(const struct loader *loader, struct slice name);

void load_expressions(struct loader *loader);
void load_key(struct loader *loader, const struct yaml_node *node);
void load_output(struct loader *loader, const struct yaml_node *node);

const struct expression *load_expression(struct loader *loader, const struct yaml_node *node,
					 const struct scope *scope);

/* NULL: reported. Never NULL for a NULL node: that is {}. */
const struct template *load_template(struct loader *loader, const struct yaml_node *node,
				     const struct scope *scope);

#endif
