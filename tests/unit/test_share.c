/* test_share.c - which process gets which command. */
#include "bus/share.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/random.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3, LOG_SIZE = 4096 };

/* One share, and up to three processes a, b, c whose names are their first
 * letters. What is given is written down: "a:id b:id". */
struct world {
	struct share *share;
	struct worker workers[WORKERS];
	bool tight[WORKERS]; /* its connection is full after each command */
	char log[LOG_SIZE];
};

static bool give(void *context, struct worker *worker, struct slice frame)
{
	struct world *world = context;
	size_t i = (size_t)(worker - world->workers), len = strlen(world->log);

	ck_assert(worker->n_given <= worker->window);
	snprintf(world->log + len, LOG_SIZE - len, "%s%c:%.*s", len ? " " : "", (char)('a' + i),
		 SLICE_ARG(frame));
	return !world->tight[i];
}

static void world_open(struct world *world)
{
	const struct share_setup setup = {.held_max = 5,
					  .bytes_max = 100000,
					  .crews_max = 3,
					  .give = give,
					  .context = world};

	*world = (struct world){.share = share_new(&setup)};
	ck_assert(world->share);
}

static void world_close(struct world *world)
{
	for (int i = 0; i < WORKERS; i++)
		share_leave(world->share, &world->workers[i]);
	share_free(world->share);
}

static void join_crew(struct world *world, char name, const char *participant, uint32_t window)
{
	enum err err = share_join(world->share, &world->workers[name - 'a'],
				  slice_of(participant), window);

	ck_assert_int_eq(err, OK);
}

static void join(struct world *world, char name, uint32_t window)
{
	join_crew(world, name, "stock", window);
}

static void leave(struct world *world, char name)
{
	share_leave(world->share, &world->workers[name - 'a']);
}

static void heard(struct world *world, char name)
{
	share_heard(world->share, &world->workers[name - 'a']);
}

/* The saga is what stands in front of the first '/', or all of it. */
static enum err add_for(struct world *world, const char *participant, const char *id,
			uint32_t attempt)
{
	struct command_message command = {.id = slice_of(id),
					  .participant = slice_of(participant),
					  .saga_id = {id, strcspn(id, "/")},
					  .attempt = attempt};
	char frame[128];

	snprintf(frame, sizeof frame, attempt > 1 ? "%s#%u" : "%s", id, (unsigned int)attempt);
	return share_add(world->share, &command, slice_of(frame));
}

static void put(struct world *world, const char *id)
{
	ck_assert_int_eq(add_for(world, "stock", id, 1), OK);
}

static void try_again(struct world *world, const char *id, uint32_t attempt)
{
	ck_assert_int_eq(add_for(world, "stock", id, attempt), OK);
}

static void answered(struct world *world, char name, const char *id, uint32_t attempt)
{
	share_answered(world->share, &world->workers[name - 'a'], slice_of(id), attempt);
}

/* What was given since the last look. */
static void check_log(struct world *world, const char *log)
{
	ck_assert_str_eq(world->log, log);
	world->log[0] = '\0';
}

static void count(void *context, const struct bus_participant *participant)
{
	struct bus_participant *sum = context;

	sum->processes += participant->processes;
	sum->inflight += participant->inflight;
	sum->held += participant->held;
}

static void check_count(struct world *world, uint32_t processes, uint32_t inflight,
			uint32_t held)
{
	struct bus_participant sum = {0};

	share_visit(world->share, count, &sum);
	ck_assert_uint_eq(sum.processes, processes);
	ck_assert_uint_eq(sum.inflight, inflight);
	ck_assert_uint_eq(sum.held, held);
}

/* --- windows ----------------------------------------------------------------------- */

START_TEST(test_a_window_is_not_exceeded)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 2);
	put(&world, "1");
	put(&world, "2");
	put(&world, "3");
	put(&world, "4");
	check_log(&world, "a:1 a:2");
	check_count(&world, 1, 2, 2);
	answered(&world, 'a', "2", 1);
	check_log(&world, "a:3");
	answered(&world, 'a', "2", 1); /* once more: nothing changes */
	check_log(&world, "");
	answered(&world, 'a', "1", 1);
	check_log(&world, "a:4");
	check_count(&world, 1, 2, 0);
	world_close(&world);
}
END_TEST

START_TEST(test_the_least_busy_gets_the_next)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 9);
	join(&world, 'b', 9);
	put(&world, "1");
	put(&world, "2");
	put(&world, "3");
	put(&world, "4");
	world.log[0] = '\0';
	while (world.workers[0].n_given) {
		answered(&world, 'a', "1", 1);
		answered(&world, 'a', "2", 1);
		answered(&world, 'a', "3", 1);
		answered(&world, 'a', "4", 1);
	}
	ck_assert_uint_eq(world.workers[1].n_given, 2);
	put(&world, "5");
	put(&world, "6");
	check_log(&world, "a:5 a:6");
	world_close(&world);
}
END_TEST

START_TEST(test_what_waited_goes_to_who_comes)
{
	struct world world;

	world_open(&world);
	put(&world, "1");
	put(&world, "2");
	put(&world, "3");
	check_count(&world, 0, 0, 3);
	check_log(&world, "");
	join(&world, 'a', 2);
	check_log(&world, "a:1 a:2");
	join(&world, 'b', 2);
	check_log(&world, "b:3");
	world_close(&world);
}
END_TEST

START_TEST(test_a_full_connection_gets_no_more_until_it_is_ready)
{
	struct world world;

	world_open(&world);
	world.tight[0] = true;
	join(&world, 'a', 9);
	put(&world, "1");
	put(&world, "2");
	check_log(&world, "a:1");
	answered(&world, 'a', "1", 1);
	check_log(&world, "");
	share_ready(world.share, &world.workers[0]);
	check_log(&world, "a:2");
	world_close(&world);
}
END_TEST

/* --- sagas ------------------------------------------------------------------------- */

START_TEST(test_a_saga_stays_with_one_process_while_it_is_unanswered)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 2);
	put(&world, "s/1#0/0/do");
	join(&world, 'b', 9);
	put(&world, "s/2#0/0/do");
	put(&world, "s/3#0/0/do"); /* no room at a, and not for b */
	put(&world, "s/4#0/0/do");
	check_log(&world, "a:s/1#0/0/do a:s/2#0/0/do");
	put(&world, "t/1#0/0/do");
	check_log(&world, "b:t/1#0/0/do");
	answered(&world, 'a', "s/2#0/0/do", 1);
	check_log(&world, "a:s/3#0/0/do");
	answered(&world, 'a', "s/1#0/0/do", 1);
	check_log(&world, "a:s/4#0/0/do");
	answered(&world, 'a', "s/3#0/0/do", 1);
	answered(&world, 'a', "s/4#0/0/do", 1);
	put(&world, "u/1#0/0/do");
	put(&world, "s/5#0/0/do"); /* nothing of it is under way any more */
	ck_assert_uint_eq(world.workers[0].n_given + world.workers[1].n_given, 3);
	world_close(&world);
}
END_TEST

/* When the one process has nothing more of a saga, any may go on with it. */
START_TEST(test_what_is_held_is_free_when_the_saga_is)
{
	struct world world;

	world_open(&world);
	world.tight[0] = true;
	join(&world, 'b', 1);
	join(&world, 'a', 9);
	put(&world, "s/1#0/0/do");
	put(&world, "t/1#0/0/do");
	put(&world, "s/2#0/0/do");
	check_log(&world, "a:s/1#0/0/do b:t/1#0/0/do");
	answered(&world, 'b', "t/1#0/0/do", 1);
	check_log(&world, ""); /* it waits for a, which is full */
	answered(&world, 'a', "s/1#0/0/do", 1);
	check_log(&world, "b:s/2#0/0/do");
	world_close(&world);
}
END_TEST

START_TEST(test_sagas_of_one_name_at_two_participants)
{
	struct world world;

	world_open(&world);
	join_crew(&world, 'a', "stock", 1);
	join_crew(&world, 'b', "payment", 1);
	put(&world, "s/1#0/0/do");
	ck_assert_int_eq(add_for(&world, "payment", "s/2#0/0/do", 1), OK);
	check_log(&world, "a:s/1#0/0/do b:s/2#0/0/do");
	world_close(&world);
}
END_TEST

/* --- who leaves -------------------------------------------------------------------- */

START_TEST(test_what_was_not_answered_goes_to_the_others_in_order)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 4);
	put(&world, "s/1#0/0/do");
	put(&world, "s/2#0/0/do");
	put(&world, "t/1#0/0/do");
	put(&world, "s/3#0/0/do");
	put(&world, "s/4#0/0/do"); /* held */
	answered(&world, 'a', "s/2#0/0/do", 1);
	check_log(&world, "a:s/1#0/0/do a:s/2#0/0/do a:t/1#0/0/do a:s/3#0/0/do a:s/4#0/0/do");
	leave(&world, 'a');
	check_count(&world, 0, 0, 4);
	join(&world, 'b', 9);
	check_log(&world, "b:s/1#0/0/do b:t/1#0/0/do b:s/3#0/0/do b:s/4#0/0/do");
	/* He may come again, and answer what he was asked before. */
	join(&world, 'a', 4);
	answered(&world, 'a', "t/1#0/0/do", 1);
	check_count(&world, 2, 4, 0);
	answered(&world, 'b', "t/1#0/0/do", 1);
	check_count(&world, 2, 3, 0);
	world_close(&world);
}
END_TEST

/* What comes while nobody is there joins what was left. */
START_TEST(test_a_saga_goes_on_in_order_after_its_process_has_left)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 1);
	put(&world, "s/1#0/0/do");
	put(&world, "s/2#0/0/do");
	leave(&world, 'a');
	put(&world, "s/3#0/0/do");
	check_log(&world, "a:s/1#0/0/do");
	join(&world, 'b', 1);
	answered(&world, 'b', "s/1#0/0/do", 1);
	answered(&world, 'b', "s/2#0/0/do", 1);
	check_log(&world, "b:s/1#0/0/do b:s/2#0/0/do b:s/3#0/0/do");
	world_close(&world);
}
END_TEST

START_TEST(test_an_answer_to_what_is_held_settles_it)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 1);
	put(&world, "1");
	leave(&world, 'a');
	join(&world, 'b', 1);
	put(&world, "2");
	check_log(&world, "a:1 b:1");
	answered(&world, 'b', "2", 1);
	check_count(&world, 1, 1, 0);
	answered(&world, 'b', "1", 1);
	check_log(&world, "");
	check_count(&world, 1, 0, 0);
	world_close(&world);
}
END_TEST

/* --- one command of a step at a time ----------------------------------------------- */

START_TEST(test_a_newer_attempt_takes_the_place_of_one_that_waits)
{
	struct world world;

	world_open(&world);
	put(&world, "s/1#0/0/do");
	try_again(&world, "s/1#0/0/do", 2);
	try_again(&world, "s/1#0/0/do", 3);
	put(&world, "s/1#0/0/undo");
	put(&world, "s/1#1/0/do"); /* another element is another step */
	check_count(&world, 0, 0, 2);
	join(&world, 'a', 9);
	check_log(&world, "a:s/1#0/0/undo a:s/1#1/0/do");
	world_close(&world);
}
END_TEST

START_TEST(test_a_newer_attempt_takes_no_further_place)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 1);
	put(&world, "s/1#0/0/do");
	heard(&world, 'a');
	try_again(&world, "s/1#0/0/do", 2);
	check_log(&world, "a:s/1#0/0/do a:s/1#0/0/do#2");
	check_count(&world, 1, 1, 0);
	answered(&world, 'a', "s/1#0/0/do", 1);
	check_count(&world, 1, 1, 0); /* the second attempt is still to be answered */
	answered(&world, 'a', "s/1#0/0/do", 2);
	check_count(&world, 1, 0, 0);
	world_close(&world);
}
END_TEST

START_TEST(test_a_newer_attempt_does_not_overtake)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 2);
	put(&world, "s/1#0/0/do");
	put(&world, "s/2#0/0/do");
	put(&world, "s/3#0/0/do");
	heard(&world, 'a');
	try_again(&world, "s/1#0/0/do", 2);
	check_log(&world, "a:s/1#0/0/do a:s/2#0/0/do a:s/3#0/0/do");
	answered(&world, 'a', "s/2#0/0/do", 1);
	check_log(&world, "a:s/1#0/0/do#2");
	world_close(&world);
}
END_TEST

START_TEST(test_an_answer_to_a_later_attempt_settles)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 1);
	put(&world, "1");
	answered(&world, 'a', "1", 7);
	check_count(&world, 1, 0, 0);
	world_close(&world);
}
END_TEST

/* Also where do and undo are for different participants. */
START_TEST(test_an_undo_elsewhere_frees_the_place_of_its_do)
{
	struct world world;

	world_open(&world);
	join_crew(&world, 'a', "stock", 1);
	join_crew(&world, 'b', "depot", 1);
	put(&world, "s/1#0/0/do");
	put(&world, "t/1#0/0/do");
	check_log(&world, "a:s/1#0/0/do");
	ck_assert_int_eq(add_for(&world, "depot", "s/1#0/0/undo", 1), OK);
	check_log(&world, "a:t/1#0/0/do b:s/1#0/0/undo");
	answered(&world, 'a', "s/1#0/0/do", 1); /* late, and of no account */
	check_count(&world, 2, 2, 0);
	world_close(&world);
	/* What waits for that one process alone gets the place, too. */
	world_open(&world);
	join_crew(&world, 'a', "stock", 2);
	join_crew(&world, 'b', "depot", 1);
	put(&world, "s/1#0/0/do");
	put(&world, "t/1#0/0/do");
	put(&world, "t/2#0/0/do");
	check_log(&world, "a:s/1#0/0/do a:t/1#0/0/do");
	ck_assert_int_eq(add_for(&world, "depot", "s/1#0/0/undo", 1), OK);
	check_log(&world, "b:s/1#0/0/undo a:t/2#0/0/do");
	world_close(&world);
}
END_TEST

/* --- who says nothing -------------------------------------------------------------- */

START_TEST(test_who_says_nothing_loses_his_work_to_his_colleagues)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 2);
	put(&world, "s/1#0/0/do");
	put(&world, "t/1#0/0/do");
	join(&world, 'b', 9);
	put(&world, "u/1#0/0/do");
	check_log(&world, "a:s/1#0/0/do a:t/1#0/0/do b:u/1#0/0/do");
	try_again(&world, "s/1#0/0/do", 2);
	check_log(&world, "b:t/1#0/0/do b:s/1#0/0/do#2");
	put(&world, "v/1#0/0/do");
	check_log(&world, "b:v/1#0/0/do");
	heard(&world, 'a');
	put(&world, "w/1#0/0/do");
	check_log(&world, "a:w/1#0/0/do");
	world_close(&world);
}
END_TEST

START_TEST(test_who_said_something_since_keeps_his_work)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 2);
	put(&world, "s/1#0/0/do");
	join(&world, 'b', 9);
	heard(&world, 'a');
	try_again(&world, "s/1#0/0/do", 2);
	check_log(&world, "a:s/1#0/0/do a:s/1#0/0/do#2");
	world_close(&world);
}
END_TEST

START_TEST(test_the_only_one_keeps_his_work)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 1);
	put(&world, "s/1#0/0/do");
	try_again(&world, "s/1#0/0/do", 2);
	check_log(&world, "a:s/1#0/0/do a:s/1#0/0/do#2");
	check_count(&world, 1, 1, 0);
	world_close(&world);
}
END_TEST

/* Rather somebody who says nothing than nobody. */
START_TEST(test_where_nobody_says_anything_all_are_asked)
{
	struct world world;

	world_open(&world);
	join(&world, 'a', 1);
	join(&world, 'b', 1);
	put(&world, "s/1#0/0/do");
	put(&world, "t/1#0/0/do");
	world.log[0] = '\0';
	try_again(&world, "s/1#0/0/do", 2);
	check_log(&world, "");
	check_count(&world, 2, 1, 1);
	leave(&world, world.workers[0].absent ? 'b' : 'a');
	ck_assert_uint_eq(strlen(world.log), strlen("a:t/1#0/0/do"));
	check_count(&world, 1, 1, 1);
	/* The saga is with somebody absent; who comes gets it with the next attempt. */
	world.log[0] = '\0';
	join(&world, 'c', 9);
	check_log(&world, "c:s/1#0/0/do#2");
	try_again(&world, "t/1#0/0/do", 2);
	check_log(&world, "c:t/1#0/0/do#2");
	world_close(&world);
}
END_TEST

/* --- limits ------------------------------------------------------------------------ */

START_TEST(test_too_much_is_busy)
{
	struct world world;
	char id[8];

	world_open(&world);
	for (int n = 0; n < 5; n++) {
		snprintf(id, sizeof id, "%d", n);
		put(&world, id);
	}
	ck_assert_int_eq(add_for(&world, "stock", "5", 1), ERR_BUSY);
	try_again(&world, "4", 2); /* takes no further place */
	ck_assert_int_eq(add_for(&world, "payment", "6", 1), OK);
	ck_assert_int_eq(add_for(&world, "notification", "7", 1), OK);
	ck_assert_int_eq(add_for(&world, "fourth", "8", 1), ERR_BUSY);
	ck_assert_int_eq(share_join(world.share, &world.workers[2], SLICE_LITERAL("fourth"), 1),
			 ERR_BUSY);
	join(&world, 'a', 1);
	ck_assert_int_eq(add_for(&world, "stock", "5", 1), OK);
	ck_assert_int_eq(add_for(&world, "stock", "9", 1), ERR_BUSY);
	world_close(&world);
}
END_TEST

START_TEST(test_too_many_bytes_are_busy)
{
	struct command_message command = {.participant = SLICE_LITERAL("stock"),
					  .id = SLICE_LITERAL("1"),
					  .saga_id = SLICE_LITERAL("1"),
					  .attempt = 1};
	char *frame = calloc(1, 100000);
	struct world world;

	world_open(&world);
	join(&world, 'a', 9);
	ck_assert_int_eq(share_add(world.share, &command, (struct slice){frame, 100000}), OK);
	ck_assert_int_eq(add_for(&world, "stock", "2", 1), ERR_BUSY);
	answered(&world, 'a', "1", 1);
	ck_assert_int_eq(add_for(&world, "stock", "2", 1), OK);
	world_close(&world);
	free(frame);
}
END_TEST

/* A participant that nobody addresses and that has left is forgotten. */
START_TEST(test_participants_that_only_came_make_room_again)
{
	struct world world;
	char name[16];

	world_open(&world);
	for (int n = 0; n < 100; n++) {
		snprintf(name, sizeof name, "p%d", n);
		join_crew(&world, 'a', name, 1);
		leave(&world, 'a');
	}
	check_count(&world, 0, 0, 0);
	world_close(&world);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		enum err added = OK, joined = OK, again = OK;
		struct world world;

		world_open(&world);
		fail_malloc_at(n);
		added = add_for(&world, "stock", "s/1#0/0/do", 1);
		joined =
			share_join(world.share, &world.workers[0], SLICE_LITERAL("payment"), 1);
		again = add_for(&world, "stock", "s/1#0/0/do", 2);
		fired = fail_malloc_off();
		ck_assert_int_eq((added == ERR_NOMEM) + (joined == ERR_NOMEM) +
					 (again == ERR_NOMEM),
				 fired);
		join(&world, 'b', 1);
		if (!again)
			check_log(&world, "b:s/1#0/0/do#2");
		try_again(&world, "s/1#0/0/do", 3);
		world_close(&world);
	}
	for (size_t n = 0; n < 4; n++) {
		const struct share_setup setup = {.crews_max = 1};
		struct share *share;

		fail_malloc_at(n);
		share = share_new(&setup);
		fail_malloc_off();
		ck_assert(!share);
	}
	share_free(NULL);
}
END_TEST

/* --- anything may happen ----------------------------------------------------------- */

enum { SAGAS = 4, STEPS = 3, MOVES = 4000, SEEDS = 20 };

/* What a step waits for, as far as the orchestrator knows. */
struct asked {
	uint32_t attempt; /* 0: nothing */
};

struct play {
	struct world world;
	struct random random;
	struct asked asked[SAGAS][STEPS];
	bool in[WORKERS];
	size_t done;
};

static void step_id(int saga, int step, char id[32])
{
	snprintf(id, 32, "s%d/%d#0/0/do", saga, step);
}

static uint32_t n_kept(struct play *play)
{
	struct bus_participant sum = {0};

	share_visit(play->world.share, count, &sum);
	return sum.inflight + sum.held;
}

/* What is waited for is kept, once; what is given is with somebody. */
static void check_rules(struct play *play)
{
	struct bus_participant sum = {0};
	uint32_t given = 0, asked = 0;

	share_visit(play->world.share, count, &sum);
	for (int i = 0; i < WORKERS; i++)
		given += play->world.workers[i].n_given;
	for (int saga = 0; saga < SAGAS; saga++)
		for (int step = 0; step < STEPS; step++)
			asked += play->asked[saga][step].attempt != 0;
	ck_assert_uint_eq(sum.inflight, given);
	ck_assert_uint_eq(sum.inflight + sum.held, asked);
}

/* Only he who has it, or anybody where nobody has, settles it. */
static void answer_one(struct play *play, int worker)
{
	int saga = (int)random_below(&play->random, SAGAS);
	int step = (int)random_below(&play->random, STEPS);
	struct asked *asked = &play->asked[saga][step];
	uint32_t before = n_kept(play);
	char id[32];

	if (!asked->attempt)
		return;
	step_id(saga, step, id);
	heard(&play->world, (char)('a' + worker));
	answered(&play->world, (char)('a' + worker), id, asked->attempt);
	if (n_kept(play) == before)
		return;
	asked->attempt = 0;
	play->done++;
}

static void ask_one(struct play *play)
{
	int saga = (int)random_below(&play->random, SAGAS);
	int step = (int)random_below(&play->random, STEPS);
	struct asked *asked = &play->asked[saga][step];
	char id[32];

	step_id(saga, step, id);
	if (add_for(&play->world, "stock", id, asked->attempt + 1) == OK)
		asked->attempt++;
	else
		ck_assert_uint_eq(asked->attempt, 0);
}

static void move(struct play *play)
{
	int worker = (int)random_below(&play->random, WORKERS);
	char name = (char)('a' + worker);

	play->world.log[0] = '\0';
	switch (random_below(&play->random, 8)) {
	case 0:
		if (play->in[worker])
			leave(&play->world, name);
		else
			join(&play->world, name, random_below(&play->random, 3) + 1);
		play->in[worker] = !play->in[worker];
		break;
	case 1:
	case 2:
	case 3: ask_one(play); break;
	case 4:
		if (play->in[worker])
			share_ready(play->world.share, &play->world.workers[worker]);
		play->world.tight[worker] = random_percent(&play->random, 30);
		break;
	default:
		if (play->in[worker])
			answer_one(play, worker);
	}
	check_rules(play);
}

START_TEST(test_anything_may_happen)
{
	struct play play = {.random.state = (uint64_t)_i};

	world_open(&play.world);
	for (int n = 0; n < MOVES; n++)
		move(&play);
	ck_assert_uint_gt(play.done, 100);
	/* And in the end everything is given to somebody who stays. */
	memset(play.world.tight, 0, sizeof play.world.tight);
	for (int i = 0; i < WORKERS; i++)
		leave(&play.world, (char)('a' + i));
	play.world.log[0] = '\0';
	join(&play.world, 'a', 99);
	check_rules(&play);
	check_count(&play.world, 1, play.world.workers[0].n_given, 0);
	world_close(&play.world);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_window_is_not_exceeded);
	tcase_add_test(tcase, test_the_least_busy_gets_the_next);
	tcase_add_test(tcase, test_what_waited_goes_to_who_comes);
	tcase_add_test(tcase, test_a_full_connection_gets_no_more_until_it_is_ready);
	tcase_add_test(tcase, test_a_saga_stays_with_one_process_while_it_is_unanswered);
	tcase_add_test(tcase, test_what_is_held_is_free_when_the_saga_is);
	tcase_add_test(tcase, test_sagas_of_one_name_at_two_participants);
	tcase_add_test(tcase, test_what_was_not_answered_goes_to_the_others_in_order);
	tcase_add_test(tcase, test_a_saga_goes_on_in_order_after_its_process_has_left);
	tcase_add_test(tcase, test_an_answer_to_what_is_held_settles_it);
	tcase_add_test(tcase, test_a_newer_attempt_takes_the_place_of_one_that_waits);
	tcase_add_test(tcase, test_a_newer_attempt_takes_no_further_place);
	tcase_add_test(tcase, test_a_newer_attempt_does_not_overtake);
	tcase_add_test(tcase, test_an_answer_to_a_later_attempt_settles);
	tcase_add_test(tcase, test_an_undo_elsewhere_frees_the_place_of_its_do);
	tcase_add_test(tcase, test_who_says_nothing_loses_his_work_to_his_colleagues);
	tcase_add_test(tcase, test_who_said_something_since_keeps_his_work);
	tcase_add_test(tcase, test_the_only_one_keeps_his_work);
	tcase_add_test(tcase, test_where_nobody_says_anything_all_are_asked);
	tcase_add_test(tcase, test_too_much_is_busy);
	tcase_add_test(tcase, test_too_many_bytes_are_busy);
	tcase_add_test(tcase, test_participants_that_only_came_make_room_again);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_loop_test(tcase, test_anything_may_happen, 0, SEEDS);
}

int main(void)
{
	return suite_run("share", add);
}
