/* test_explore_world.c - the checker's parts: the barrier, and what a state forgets. */
#include "orchestrator/check/play.h"
#include "orchestrator/check/state.h"
#include "orchestrator/check/world.h"
#include "tests/lib/build.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

/* --- the barrier and the network ------------------------------------------------------ */

/* What is sent and answered: "do", "undo" and "revoke" send, with a number for
 * another round; "do:ok" is an answer that came. "old": the horizon passed. */
static const struct world_row {
	const char *name;
	const char *happens;
	const char *can;    /* answers that can come */
	const char *cannot; /* answers that cannot */
	bool clear;         /* no effect stands or can come */
	bool took_effect;   /* one certainly has */
} world_rows[] = {
	{"nothing is sent, nothing can be answered", "", "",
	 "do:ok do:refused undo:ok undo:refused revoke:ok revoke:refused", true, false},
	{"a do is done, or refused", "do", "do:ok do:refused", "undo:ok revoke:ok", false,
	 false},
	{"what was done is not refused", "do do:ok", "do:ok", "do:refused", false, true},
	{"what was refused is not done", "do do:refused", "do:refused", "do:ok", true, false},
	{"an undo may come before its do or after it", "do undo",
	 "do:ok do:refused undo:ok undo:refused", "revoke:ok", false, false},
	{"an undo that is answered ok leaves nothing", "do undo undo:ok",
	 "undo:ok undo:refused do:ok do:refused", "", true, false},
	{"an undo of what was done may refuse", "do do:ok undo", "undo:ok undo:refused", "",
	 false, true},
	{"a refused undo says that it was done", "do undo undo:refused", "do:ok undo:ok", "",
	 false, true},
	{"an undo of what was refused is ok", "do do:refused undo", "undo:ok", "undo:refused",
	 true, false},
	{"what was undone can be asked for again, and is refused", "do do:ok undo undo:ok",
	 "do:ok do:refused", "", true, true},
	{"a barred do stays barred", "do undo undo:ok do:refused", "do:refused", "", true,
	 false},
	{"a second round of the undo", "do do:ok undo undo:refused undo1",
	 "undo1:ok undo1:refused undo:ok", "", false, true},
	{"either round of the undo undoes for good", "do do:ok undo undo:refused undo1 undo:ok",
	 "undo1:ok", "", true, true},
	{"a second round of the do", "do do:refused do1", "do1:ok do1:refused do:refused",
	 "do:ok", false, false},
	{"an undo is of its own round", "do do:refused do1 do1:ok undo@1",
	 "undo:ok undo:refused", "do:ok", false, true},
	{"a revoke bars, or comes too late", "do revoke",
	 "revoke:ok revoke:refused do:ok do:refused", "undo:ok", false, false},
	{"a revoke that is answered ok bars", "do revoke revoke:ok", "do:refused revoke:ok",
	 "do:ok revoke:refused", true, false},
	{"a revoke that is refused comes too late", "do revoke revoke:refused", "do:ok",
	 "do:refused revoke:ok", false, true},
	{"a revoke of what was refused is ok", "do do:refused revoke", "revoke:ok",
	 "revoke:refused", true, false},
	{"a revoke does not undo", "do do:ok revoke", "revoke:refused", "revoke:ok", false,
	 true},
	{"a step that only has an undo", "alone undo", "undo:ok undo:refused", "do:ok", false,
	 true},
	{"past the horizon an undo does nothing", "do do:ok old undo", "do:ok",
	 "undo:ok undo:refused", false, true},
	{"past the horizon a do does nothing", "old do", "", "do:ok do:refused", true, false},
};

struct word {
	enum verb verb;
	uint32_t round;
	uint32_t do_round;
	bool answer;
	enum outcome outcome;
};

static struct word read_word(const char *text, size_t len)
{
	static const char *const verbs[] = {"do", "undo", "revoke"};
	struct word word = {.round = 0};
	struct slice rest = {text, len};
	bool known = false;

	for (int verb = 2; verb >= 0 && !known; verb--) {
		size_t n = strlen(verbs[verb]);

		known = rest.len >= n && memcmp(rest.at, verbs[verb], n) == 0;
		if (known) {
			word.verb = (enum verb)verb;
			rest = (struct slice){rest.at + n, rest.len - n};
		}
	}
	ck_assert(known);
	if (rest.len && rest.at[0] >= '0' && rest.at[0] <= '9') {
		word.round = (uint32_t)(rest.at[0] - '0');
		rest = (struct slice){rest.at + 1, rest.len - 1};
	}
	word.do_round = word.verb == VERB_UNDO ? 0 : word.round;
	if (rest.len && rest.at[0] == '@') {
		word.do_round = (uint32_t)(rest.at[1] - '0');
		rest.len = 0;
	}
	word.answer = rest.len > 0;
	word.outcome = slice_is(rest, ":ok") ? OUTCOME_OK : OUTCOME_REFUSED;
	return word;
}

static void happen(struct books *books, const char *text, size_t len)
{
	struct word word;

	if (slice_is((struct slice){text, len}, "old")) {
		books->flags |= BOOKS_OLD;
		return;
	}
	if (slice_is((struct slice){text, len}, "alone")) {
		world_begin_alone(books);
		return;
	}
	word = read_word(text, len);
	if (word.answer) {
		ck_assert_msg(world_answers(books, word.verb, word.round, word.outcome),
			      "%.*s cannot come", (int)len, text);
		world_answered(books, word.verb, word.round, word.outcome);
	} else {
		world_send(books, &(struct command){.verb = word.verb,
						    .round = (uint16_t)word.round,
						    .do_round = (uint16_t)word.do_round});
	}
}

static void expect_answers(const struct world_row *row, const struct books *books,
			   const char *texts, bool can)
{
	for (const char *at = texts; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		struct word word = read_word(at, len);

		ck_assert_msg(world_answers(books, word.verb, word.round, word.outcome) == can,
			      "%s: %.*s %s come", row->name, (int)len, at,
			      can ? "cannot" : "can");
		at += len;
	}
}

START_TEST(test_world)
{
	const struct world_row *row = &world_rows[_i];
	struct books books = {0};

	for (const char *at = row->happens; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		happen(&books, at, len);
		at += len;
	}
	expect_answers(row, &books, row->can, true);
	expect_answers(row, &books, row->cannot, false);
	ck_assert_msg(world_clear(&books) == row->clear, "%s: clear", row->name);
	ck_assert_msg(world_took_effect(&books) == row->took_effect, "%s: effect", row->name);
	ck_assert(!world_twice(&books));
}
END_TEST

/* --- what a state forgets ---------------------------------------------------------------- */

/* The states that follow from one, packed. */
struct successors {
	uint8_t *records;
	size_t n;
	size_t capacity;
};

static void note_successor(struct successors *successors, const struct play *play)
{
	size_t size = play->model->record_size;

	if (successors->n == successors->capacity) {
		successors->capacity = successors->capacity ? successors->capacity * 2 : 64;
		successors->records = realloc(successors->records, successors->capacity * size);
		ck_assert_ptr_nonnull(successors->records);
	}
	ck_assert(state_pack(play->model, &play->after,
			     successors->records + successors->n++ * size));
}

static bool is_among(const struct successors *successors, const uint8_t *record, size_t size)
{
	for (size_t n = 0; n < successors->n; n++)
		if (memcmp(successors->records + n * size, record, size) == 0)
			return true;
	return false;
}

/* A state as it is, nothing forgotten. */
struct whole_state {
	struct state state;
	struct step steps[16];
	struct signal signals[32];
	struct books books[16];
};

static void keep_whole(struct whole_state *whole, const struct state *state)
{
	struct saga *saga = &whole->state.saga;

	whole->state = *state;
	ck_assert_uint_le(saga->n_steps, 16);
	ck_assert_uint_le(saga->n_signals, 32);
	memcpy(whole->steps, saga->steps, saga->n_steps * sizeof *whole->steps);
	for (uint32_t n = 0; n < saga->n_signals; n++)
		whole->signals[n] = saga->signals[n];
	memcpy(whole->books, state->world.books, saga->n_steps * sizeof *whole->books);
	for (uint32_t i = 0; i < saga->n_steps; i++)
		whole->steps[i].error = NULL; /* it lives in an arena that is used again */
	saga->failure = NULL;
}

static void load_whole(struct play *play, const struct whole_state *whole)
{
	struct state *before = &play->before;
	struct step *steps = before->saga.steps;
	struct signal *signals = (struct signal *)before->saga.signals;
	struct books *books = before->world.books;
	uint32_t n_steps = whole->state.saga.n_steps;

	*before = whole->state;
	before->saga.steps = memcpy(steps, whole->steps, n_steps * sizeof *steps);
	before->saga.signals =
		memcpy(signals, whole->signals, before->saga.n_signals * sizeof *signals);
	before->world.books = memcpy(books, whole->books, n_steps * sizeof *books);
	memcpy(play->pristine, whole->steps, n_steps * sizeof *steps);
}

/* Everything that can follow from the state in play->before. Of these one, by
 * chance, is kept whole. */
static void follow(struct play *play, struct moves *moves, struct successors *successors,
		   struct random *random, struct whole_state *next)
{
	bool changed;

	successors->n = 0;
	moves_list(moves, play->model, &play->before);
	for (uint32_t n = 0; n < moves->n; n++) {
		answers_begin(&play->answers);
		do {
			ck_assert_int_eq(play_move(play, &moves->list[n], &changed), OK);
			ck_assert_msg(!play->finding.invariant, "%s", play->finding.what);
			if (!changed || moves->list[n].kind == MOVE_KILL)
				continue;
			note_successor(successors, play);
			if (next && random_below(random, (uint32_t)successors->n) == 0)
				keep_whole(next, &play->after);
		} while (answers_next(&play->answers));
	}
}

static const char *const walked_lines[] = {
	"a:skip b w:await,for=10 c",
	"n:nothing a p:pivot r:retriable m:retriable,ignore",
	"both{a | b:ignore} w:await,for=10,continue p:pivot,when r:retriable",
	"a:readonly both{b:skip | w:await} s:sleep,for=10 c:when",
	"a lines:each,when{b:skip c:when} d",
	"a k:child,key p:child,pivot r:child,retriable",
	"lines:each{k:child w:await,for=10} c",
};

enum { WALKS = 300, WALK_LENGTH = 40 };

/* Whatever follows from a whole state must also follow from what its packed bytes
 * remember of it. */
START_TEST(test_what_is_forgotten_does_not_matter)
{
	struct explore_options options = {.bounds = explore_bounds_default};
	struct definition *definition = build(walked_lines[_i]);
	struct successors of_whole = {0}, of_packed = {0};
	static struct whole_state whole;
	struct moves moves = {0};
	struct model model;
	struct play play;
	struct random random = {(uint64_t)_i + 1};
	uint8_t packed[1024];
	bool changed;

	options.bounds.operations = 3;
	options.bounds.prune = 2;
	definition->deadline_ms = 1000;
	ck_assert_int_eq(model_make(&model, definition, &options), OK);
	ck_assert_int_eq(play_make(&play, &model), OK);
	ck_assert_uint_le(model.record_size, sizeof packed);
	for (int walk = 0; walk < WALKS; walk++) {
		play_load(&play, NULL);
		answers_begin(&play.answers);
		ck_assert_int_eq(play_move(&play, &(struct move){.kind = MOVE_BEGIN}, &changed),
				 OK);
		keep_whole(&whole, &play.after);
		for (int n = 0; n < WALK_LENGTH; n++) {
			struct whole_state here = whole;

			here.state.saga.steps = here.steps;
			here.state.saga.signals = here.signals;
			here.state.world.books = here.books;
			ck_assert(state_pack(&model, &here.state, packed));
			play_load(&play, packed);
			follow(&play, &moves, &of_packed, NULL, NULL);
			load_whole(&play, &here);
			follow(&play, &moves, &of_whole, &random, &whole);
			for (size_t k = 0; k < of_whole.n; k++)
				ck_assert_msg(is_among(&of_packed,
						       of_whole.records + k * model.record_size,
						       model.record_size),
					      "%s: walk %d, move %d: successor %zu is lost",
					      walked_lines[_i], walk, n, k);
			if (!of_whole.n)
				break;
		}
	}
	free(of_whole.records);
	free(of_packed.records);
	moves_release(&moves);
	play_release(&play);
	model_release(&model);
	definition_free(definition);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_world, 0, ROWS(world_rows));
	tcase_add_loop_test(tcase, test_what_is_forgotten_does_not_matter, 0,
			    ROWS(walked_lines));
}

int main(void)
{
	return suite_run("explore-world", add);
}
