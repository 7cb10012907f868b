/* case.h - the sagas of a run: what somebody wants done, and how it will go.
 *
 * A case is one saga from the outside: its input, the ids under which clients ask
 * for it, how each of its commands will go, and what the services have written in
 * their books for it. The saga itself is the orchestrator's business. A child saga is
 * a case of its own, which comes to be when it is stored. */
#ifndef SKALD_TESTS_SIM_CASE_H
#define SKALD_TESTS_SIM_CASE_H

#include "orchestrator/core/saga.h"
#include "tests/sim/chance.h"
#include "tests/sim/plan.h"

enum {
	CASE_INPUT_SIZE = 512,
	CATALOGUE_MAX = 16,
	STRAYS_MAX = 16,  /* changes of one saga that came too late to count */
	UNTOLD_MAX = 64,  /* changes of which nobody was told yet */
	ELEMENTS_MAX = 4, /* of the list of an input, over which an `each` goes */
};

/* All definitions that are simulated: those that are shipped, and some that are as
 * nasty as the language allows. Read once for all runs. */
struct catalogue {
	struct definition *list[CATALOGUE_MAX];
	size_t n;
};

/* False: one of them cannot be loaded, which is printed. */
bool catalogue_load(struct catalogue *catalogue);
void catalogue_release(struct catalogue *catalogue);

/* NULL: none of that name. */
const struct definition *catalogue_find(const struct catalogue *catalogue, struct slice name);

/* How a command goes whenever its handler runs. */
enum fate_kind {
	FATE_OK,
	FATE_REFUSED,     /* in the first round */
	FATE_FAILED,      /* so many times, then it goes well */
	FATE_FAILING,     /* as long as there is trouble */
	FATE_DEADLY,      /* the process dies of it, so many times */
	FATE_THOUGHTLESS, /* it answers nothing that anybody could use */
};

struct fate {
	enum fate_kind kind;
	uint32_t times;
};

/* What is known of one step, for one element where it is in an `each`, beside what the
 * orchestrator says. */
struct step_book {
	struct fate fates[2];  /* of do and undo */
	uint32_t runs[2];      /* of their handlers */
	uint32_t done, undone; /* effects that were committed */
	uint32_t done_round;
	uint16_t closed;    /* its do may not take effect any more: all rounds below */
	bool undo_answered; /* ok */
	bool skip_asked;    /* by an operator */

	/* What the present orchestrator has handed over last. */
	uint32_t handed_by; /* its number; 0: nobody */
	enum verb handed_verb;
	uint16_t handed_round;
	uint32_t handed_attempt;
};

struct sim_case {
	uint32_t number;
	const struct definition *definition;
	char input[CASE_INPUT_SIZE];
	char other_input[CASE_INPUT_SIZE]; /* with the same key */
	char key[64];                      /* that the saga has to have; empty: its id */
	bool names_key;                    /* starts do, as the definition does not */
	char ids[2][SAGA_ID_MAX + 1];      /* that starts name; empty: none */
	uint32_t n_elements;               /* of the lists of its `each`es */
	struct step_book *steps;           /* for case_book() */
	int64_t asked_ms;                  /* when somebody first asks for it */
	struct sim_case *parent;           /* the saga whose child it is; NULL: nobody's */
	struct instance place;             /* the step that started it, there */
	uint16_t round;                    /* of that */

	/* What has become of it, as far as anybody was told. */
	char id[SAGA_ID_MAX + 1]; /* under which it is stored; empty: it is not */
	bool wanted;              /* somebody asks for it at all */
	bool acknowledged;        /* a start was answered ok */
	bool cancelled;           /* so was a cancel */
	bool kill_asked, killed;
	bool undo_asked;
	enum status status; /* as stored last */
	bool ended, paused;
	bool touched;                /* stored since something was acknowledged */
	uint64_t untold[UNTOLD_MAX]; /* revisions, in their order */
	uint32_t n_untold;
	uint64_t told, entries_told;
	uint64_t published; /* entries that can be read as events */
	struct noted_entry {
		int64_t at_ms;
		enum entry_type type;
	} * entries; /* that its timeline ever had */
	size_t n_entries, entries_capacity;
	struct bytes timeline; /* as it is stored */
	int64_t origin_ms;     /* of that */
	uint64_t revision;     /* that is stored */
	bool is_stray;         /* by one that had lost it by then: its owner may not know it */
	uint64_t strays[STRAYS_MAX]; /* revisions of which that is so */
	uint32_t n_strays;
	char version[32];
	uint8_t hash[SHA256_SIZE];
	bool was_damaged;
	bool mute;      /* it needs the participant that never answers */
	uint32_t helps; /* visits of the operator who cleans up */
};

/* Make the case: which saga, its input and its fates. */
void case_make(struct sim_case *sim_case, uint32_t number, const struct plan *plan,
	       const struct catalogue *catalogue, struct chance *chance);

/* The child of a saga: what it is to do is its parent's business. */
void case_make_child(struct sim_case *sim_case, uint32_t number, const struct plan *plan,
		     const struct definition *definition, struct chance *chance);
void case_release(struct sim_case *sim_case);

static inline struct step_book *case_book(const struct sim_case *sim_case, struct instance at)
{
	return &sim_case->steps[at.element * sim_case->definition->n_steps + at.step];
}

/* How often the step is there. */
static inline uint32_t case_elements(const struct sim_case *sim_case, uint32_t step)
{
	return sim_case->definition->steps[step].each == NO_STEP ? 1 : sim_case->n_elements;
}

/* The second step depends on the first: it comes later on the same way. */
bool case_depends(const struct definition *definition, struct instance first,
		  struct instance second);

#endif
