/* test_barrier.c - the contract of participants/lib/barrier.h, over every implementation */
#include "tests/lib/barriers.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

/* --- what a command is answered ---------------------------------------------------- */

/* A line is what comes and what is answered: "do ok => runs, ok [1]".
 *
 *	[old] do|undo|revoke [#N] HANDLER    `old` is past the horizon, N another do;
 *	                                     HANDLER is what it answers if it runs
 *
 * The do's handler answers ok with the number of its runs, the undo's handler with
 * nothing; `told` is the output that the undo is told. */
static const struct row {
	const char *name;
	const char *lines[8];
} rows[] = {
	{"a do runs", {"do ok => runs, ok [1]"}},
	{"a do that comes again gets the same answer, and does not run again",
	 {"do ok => runs, ok [1]", "do ok => ok [1]", "do refused => ok [1]"}},
	{"a refused do that comes again is refused for the same reason",
	 {"do refused => runs, refused no", "do ok => refused no"}},
	{"a failed do leaves no record, and runs again",
	 {"do failed => runs, failed busy", "do failed => runs, failed busy",
	  "do ok => runs, ok [3]"}},
	{"an undo runs once, and is told the do's output",
	 {"do ok => runs, ok [1]", "undo ok => runs, told [1], ok", "undo ok => ok"}},
	{"a do that comes after it was undone is refused",
	 {"do ok => runs, ok [1]", "undo ok => runs, told [1], ok", "do ok => refused barred",
	  "undo ok => ok"}},
	{"an undo that comes before its do bars it, without running",
	 {"undo ok => ok", "do ok => refused barred", "undo ok => ok",
	  "do ok => refused barred"}},
	{"an undo of a refused do has nothing to run",
	 {"do refused => runs, refused no", "undo ok => ok", "undo ok => ok",
	  "do ok => refused no"}},
	{"an undo after a do that failed bars the do",
	 {"do failed => runs, failed busy", "undo ok => ok", "do ok => refused barred"}},
	{"a failed undo leaves no record, and runs again",
	 {"do ok => runs, ok [1]", "undo failed => runs, told [1], failed busy",
	  "undo ok => runs, told [1], ok"}},
	{"a refused undo leaves no record: its next round runs",
	 {"do ok => runs, ok [1]", "undo refused => runs, told [1], refused no",
	  "undo refused => runs, told [1], refused no", "do ok => ok [1]",
	  "undo ok => runs, told [1], ok"}},
	{"a revoke bars a do that has not come, without running",
	 {"revoke ok => ok", "do ok => refused barred", "revoke ok => ok"}},
	{"a revoke of what was done is refused, and tells its output, however often",
	 {"do ok => runs, ok [1]", "revoke ok => refused already-done [1]",
	  "revoke ok => refused already-done [1]", "do ok => ok [1]"}},
	{"a revoke of a refused do is ok, and the refusal stays",
	 {"do refused => runs, refused no", "revoke ok => ok", "do ok => refused no"}},
	{"a revoke after a do that failed bars the do",
	 {"do failed => runs, failed busy", "revoke ok => ok", "do ok => refused barred"}},
	{"a revoke of what was undone is ok",
	 {"do ok => runs, ok [1]", "undo ok => runs, told [1], ok", "revoke ok => ok"}},
	{"another do is another matter",
	 {"do ok => runs, ok [1]", "do #2 ok => runs, ok [2]",
	  "undo #2 ok => runs, told [2], ok", "undo ok => runs, told [1], ok",
	  "revoke #3 ok => ok", "do #3 ok => refused barred"}},
	{"an old do without a record is expired, and does not run",
	 {"old do ok => expired expired", "old do ok => expired expired"}},
	{"an old do with a record is answered from it",
	 {"do ok => runs, ok [1]", "old do ok => ok [1]"}},
	{"an old undo without a record is expired, and bars nothing",
	 {"old undo ok => expired expired", "do ok => runs, ok [1]"}},
	{"an old undo of what was done runs",
	 {"do ok => runs, ok [1]", "old undo ok => runs, told [1], ok", "old undo ok => ok"}},
	{"an old revoke without a record is expired, and bars nothing",
	 {"old revoke ok => expired expired", "do ok => runs, ok [1]"}},
	{"an old revoke of what was done is refused",
	 {"do ok => runs, ok [1]", "old revoke ok => refused already-done [1]"}},
	{"an old revoke of what was barred is ok",
	 {"undo ok => ok", "old revoke ok => ok", "old undo ok => ok"}},
	{"an undo that knows the output better keeps its own",
	 {"do ok => runs, ok [1]", "undo knows ok => runs, told [9], ok"}},
};

enum { NOW_MS = 100000, HORIZON_MS = 1000 };

static const char *const outcome_names[] = {"ok", "refused", "failed", "expired"};

/* What the handler is to do, and what it saw. */
struct handler {
	enum message_outcome outcome;
	int runs; /* of dos */
	bool ran;
	char told[16];
};

static bool handle(void *context, const struct command_message *command, struct arena *arena,
		   struct reply_message *reply)
{
	struct handler *handler = context;
	char number[16];

	handler->ran = true;
	handler->runs += command->verb == MESSAGE_DO;
	snprintf(handler->told, sizeof handler->told, "%.*s", SLICE_ARG(command->output));
	reply->outcome = handler->outcome;
	if (handler->outcome != MESSAGE_OK)
		reply->text = SLICE_LITERAL("because");
	if (handler->outcome == MESSAGE_REFUSED)
		reply->code = SLICE_LITERAL("no");
	else if (handler->outcome == MESSAGE_FAILED)
		reply->code = SLICE_LITERAL("busy");
	else if (command->verb == MESSAGE_DO) {
		snprintf(number, sizeof number, "[%d]", handler->runs);
		if (!arena_copy(arena, slice_of(number), &reply->output))
			reply->outcome = MESSAGE_FAILED;
	}
	return true;
}

/* One command, and the texts that its ids are in. */
struct incoming {
	char id[32];
	char do_id[32];
	struct command_message message;
};

static bool next_is(const char **line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*line, word, len) != 0)
		return false;
	*line += len;
	*line += **line == ' ';
	return true;
}

/* Returns the expected answer. */
static const char *read_line(const char *line, struct incoming *in, struct handler *handler)
{
	int n = 1, round = 0, outcome = 0;
	struct command_message *message = &in->message;

	*message = (struct command_message){.attempt = 3, .first_ms = NOW_MS - HORIZON_MS};
	if (next_is(&line, "old"))
		message->first_ms--;
	message->verb = MESSAGE_DO;
	if (next_is(&line, "undo"))
		message->verb = MESSAGE_UNDO;
	else if (next_is(&line, "revoke"))
		message->verb = MESSAGE_REVOKE;
	else
		ck_assert(next_is(&line, "do"));
	if (next_is(&line, "#"))
		n = (int)strtol(line, (char **)&line, 10), line++;
	if (next_is(&line, "knows"))
		message->output = SLICE_LITERAL("[9]");
	while (!next_is(&line, outcome_names[outcome]))
		ck_assert_int_lt(++outcome, 3);
	handler->outcome = (enum message_outcome)outcome;
	handler->ran = false;
	snprintf(in->do_id, sizeof in->do_id, "s/a#%d/%d/do", n, round);
	snprintf(in->id, sizeof in->id, "s/a#%d/%d/%s", n, round,
		 message->verb == MESSAGE_DO     ? "do"
		 : message->verb == MESSAGE_UNDO ? "undo"
						 : "revoke");
	message->id = slice_of(in->id);
	if (message->verb != MESSAGE_DO)
		message->do_id = slice_of(in->do_id);
	ck_assert(next_is(&line, "=>"));
	return line;
}

/* A transaction for one command. */
static enum err transact(const struct barrier_desk *desk, const struct command_message *message,
			 struct reply_message *reply, enum barrier_answer *answer)
{
	const struct barrier_ops *ops = desk->barrier->ops;
	enum err err = ops->begin(desk->barrier);

	if (err)
		return err;
	err = barrier_answer(desk, message, reply, answer);
	if (!err)
		return ops->commit(desk->barrier);
	ops->rollback(desk->barrier);
	return err;
}

static enum err answer(struct barrier *barrier, const struct incoming *in,
		       struct handler *handler, struct arena *arena,
		       struct reply_message *reply)
{
	struct barrier_desk desk = {barrier, NOW_MS, HORIZON_MS, handle, handler, arena};
	enum barrier_answer answer;
	enum err err = transact(&desk, &in->message, reply, &answer);

	if (!err && answer != BARRIER_ANSWERED)
		abort();
	return err;
}

static void write_answer(const struct handler *handler, const struct incoming *in,
			 const struct reply_message *reply, char *out, size_t size)
{
	bool undo = in->message.verb == MESSAGE_UNDO;

	snprintf(out, size, "%s%s%s%s%s%s%.*s%s%.*s", handler->ran ? "runs, " : "",
		 handler->ran && undo ? "told " : "", handler->ran && undo ? handler->told : "",
		 handler->ran && undo ? ", " : "", outcome_names[reply->outcome],
		 reply->code.len ? " " : "", SLICE_ARG(reply->code),
		 reply->output.len ? " " : "", SLICE_ARG(reply->output));
}

START_TEST(test_row)
{
	const struct barrier_kind *kind = &barriers[_i / ROWS(rows)];
	const struct row *row = &rows[_i % ROWS(rows)];
	struct barrier *barrier = kind->open();
	struct handler handler = {0};
	struct arena arena = {0};

	for (size_t n = 0; n < 8 && row->lines[n]; n++) {
		struct reply_message reply;
		struct incoming in;
		const char *expected = read_line(row->lines[n], &in, &handler);
		char got[100];

		ck_assert_int_eq(answer(barrier, &in, &handler, &arena, &reply), OK);
		ck_assert(slice_equal(reply.id, in.message.id));
		ck_assert_uint_eq(reply.attempt, 3);
		ck_assert((reply.outcome == MESSAGE_OK) == !reply.text.len);
		write_answer(&handler, &in, &reply, got, sizeof got);
		ck_assert_msg(!strcmp(got, expected), "%s: %s: \"%s\" was answered \"%s\"",
			      kind->name, row->name, row->lines[n], got);
		arena_reset(&arena);
	}
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

START_TEST(test_without_a_horizon_nothing_expires)
{
	struct barrier *barrier = barriers[_i].open();
	struct command_message command = {
		.id = SLICE_LITERAL("s/a#0/0/do"), .attempt = 1, .first_ms = 1};
	struct handler handler = {0};
	struct arena arena = {0};
	struct barrier_desk desk = {barrier, INT64_MAX, 0, handle, &handler, &arena};
	struct reply_message reply;
	enum barrier_answer answer;

	ck_assert_int_eq(transact(&desk, &command, &reply, &answer), OK);
	ck_assert_int_eq(reply.outcome, MESSAGE_OK);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

/* --- every call of the seam fails in turn --------------------------------------------- */

/* A barrier whose nth call fails, with the host's book in its transaction. */
struct faulty {
	struct barrier base; /* first, so that the two pointers are one */
	struct barrier *real;
	int calls_left;
	bool fired;
	bool open;
	int book, pending, marked;
};

static bool fails(struct faulty *faulty)
{
	if (faulty->calls_left-- != 0)
		return false;
	faulty->fired = true;
	return true;
}

static enum err faulty_begin(struct barrier *base)
{
	struct faulty *faulty = (struct faulty *)base;

	ck_assert(!faulty->open);
	if (fails(faulty))
		return ERR_UNAVAILABLE;
	faulty->open = true;
	faulty->pending = 0;
	return faulty->real->ops->begin(faulty->real);
}

static void faulty_rollback(struct barrier *base)
{
	struct faulty *faulty = (struct faulty *)base;

	faulty->open = false;
	faulty->pending = 0;
	faulty->real->ops->rollback(faulty->real);
}

static enum err faulty_commit(struct barrier *base)
{
	struct faulty *faulty = (struct faulty *)base;

	ck_assert(faulty->open);
	if (fails(faulty)) {
		faulty_rollback(base);
		return ERR_UNAVAILABLE;
	}
	faulty->open = false;
	faulty->book += faulty->pending;
	return faulty->real->ops->commit(faulty->real);
}

static enum err faulty_find(struct barrier *base, struct slice id, struct arena *arena,
			    struct barrier_record *out)
{
	struct faulty *faulty = (struct faulty *)base;

	ck_assert(faulty->open);
	return fails(faulty) ? ERR_UNAVAILABLE
			     : faulty->real->ops->find(faulty->real, id, arena, out);
}

static enum err faulty_keep(struct barrier *base, struct slice id,
			    const struct barrier_record *record)
{
	struct faulty *faulty = (struct faulty *)base;

	ck_assert(faulty->open);
	return fails(faulty) ? ERR_UNAVAILABLE
			     : faulty->real->ops->keep(faulty->real, id, record);
}

static enum err faulty_mark(struct barrier *base)
{
	struct faulty *faulty = (struct faulty *)base;

	ck_assert(faulty->open);
	faulty->marked = faulty->pending;
	return fails(faulty) ? ERR_UNAVAILABLE : faulty->real->ops->mark(faulty->real);
}

static enum err faulty_back(struct barrier *base)
{
	struct faulty *faulty = (struct faulty *)base;

	ck_assert(faulty->open);
	if (fails(faulty))
		return ERR_UNAVAILABLE;
	faulty->pending = faulty->marked;
	return faulty->real->ops->back(faulty->real);
}

static void faulty_close(struct barrier *base)
{
	struct faulty *faulty = (struct faulty *)base;

	barrier_close(faulty->real);
	faulty->real = NULL;
}

static const struct barrier_ops faulty_ops = {
	.begin = faulty_begin,
	.commit = faulty_commit,
	.rollback = faulty_rollback,
	.mark = faulty_mark,
	.back = faulty_back,
	.find = faulty_find,
	.keep = faulty_keep,
	.close = faulty_close,
};

static const struct barrier_ops faulty_ops_without_marks = {
	.begin = faulty_begin,
	.commit = faulty_commit,
	.rollback = faulty_rollback,
	.find = faulty_find,
	.keep = faulty_keep,
	.close = faulty_close,
};

static void faulty_open(struct faulty *faulty, const struct barrier_kind *kind, int calls_left)
{
	*faulty = (struct faulty){.real = kind->open(), .calls_left = calls_left};
	faulty->base.ops =
		barrier_has_marks(faulty->real) ? &faulty_ops : &faulty_ops_without_marks;
}

static void faulty_end(struct faulty *faulty)
{
	barrier_close(&faulty->base);
	ck_assert_ptr_null(faulty->real);
}

/* Writes into the host's book, within the transaction. */
static bool handle_book(void *context, const struct command_message *command,
			struct arena *arena, struct reply_message *reply)
{
	struct faulty *faulty = context;

	faulty->pending += command->verb == MESSAGE_DO ? 1 : -1;
	reply->outcome = MESSAGE_OK;
	return true;
}

/* The command comes again until it is answered; returns the outcome. */
static enum message_outcome deliver(struct faulty *faulty, const char *line)
{
	struct handler handler = {0};
	struct arena arena = {0};
	struct barrier_desk desk = {&faulty->base, NOW_MS, HORIZON_MS,
				    handle_book,   faulty, &arena};
	struct reply_message reply;
	enum barrier_answer answer;
	struct incoming in;
	bool fired;
	enum err err;

	read_line(line, &in, &handler);
	do {
		faulty->fired = false;
		err = transact(&desk, &in.message, &reply, &answer);
		fired = faulty->fired;
		ck_assert_int_eq(err, fired ? ERR_UNAVAILABLE : OK);
		ck_assert(!faulty->open);
	} while (err);
	arena_release(&arena);
	return reply.outcome;
}

START_TEST(test_every_call_fails_in_turn)
{
	for (int n = 0; n < 30; n++) {
		struct faulty faulty;

		faulty_open(&faulty, &barriers[_i], n);
		ck_assert_int_eq(deliver(&faulty, "do ok =>"), MESSAGE_OK);
		ck_assert_int_eq(faulty.book, 1);
		ck_assert_int_eq(deliver(&faulty, "do ok =>"), MESSAGE_OK);
		ck_assert_int_eq(deliver(&faulty, "revoke ok =>"), MESSAGE_REFUSED);
		ck_assert_int_eq(faulty.book, 1);
		ck_assert_int_eq(deliver(&faulty, "undo ok =>"), MESSAGE_OK);
		ck_assert_int_eq(faulty.book, 0);
		ck_assert_int_eq(deliver(&faulty, "revoke #2 ok =>"), MESSAGE_OK);
		ck_assert_int_eq(deliver(&faulty, "do #2 ok =>"), MESSAGE_REFUSED);
		ck_assert_int_eq(faulty.book, 0);
		faulty_end(&faulty);
	}
}
END_TEST

/* Writes, and then thinks better of it. */
static bool write_and_fail(void *context, const struct command_message *command,
			   struct arena *arena, struct reply_message *reply)
{
	handle_book(context, command, arena, reply);
	reply->outcome = MESSAGE_FAILED;
	return true;
}

static bool write_and_refuse(void *context, const struct command_message *command,
			     struct arena *arena, struct reply_message *reply)
{
	handle_book(context, command, arena, reply);
	reply->outcome = MESSAGE_REFUSED;
	return true;
}

static bool write_and_wait(void *context, const struct command_message *command,
			   struct arena *arena, struct reply_message *reply)
{
	handle_book(context, command, arena, reply);
	return false;
}

static void try_in_vain(struct faulty *faulty, const char *line, barrier_run *run)
{
	struct handler handler = {0};
	struct arena arena = {0};
	struct barrier_desk desk = {&faulty->base, NOW_MS, 0, run, faulty, &arena};
	struct reply_message reply;
	enum barrier_answer answer;
	struct incoming in;
	int book = faulty->book;

	read_line(line, &in, &handler);
	ck_assert_int_eq(transact(&desk, &in.message, &reply, &answer), OK);
	ck_assert(!faulty->open);
	ck_assert(answer == BARRIER_LATER || reply.outcome != MESSAGE_OK);
	ck_assert(answer == (run == write_and_wait ? BARRIER_LATER : BARRIER_ANSWERED));
	ck_assert_int_eq(faulty->book, book);
	arena_release(&arena);
}

/* What keeps no record keeps nothing of what the handler wrote. */
START_TEST(test_failures_and_refused_undos_roll_back)
{
	struct faulty faulty;

	faulty_open(&faulty, &barriers[_i], -1);
	try_in_vain(&faulty, "do failed =>", write_and_fail);
	try_in_vain(&faulty, "do ok =>", write_and_wait);
	ck_assert_int_eq(deliver(&faulty, "do ok =>"), MESSAGE_OK);
	try_in_vain(&faulty, "undo failed =>", write_and_fail);
	try_in_vain(&faulty, "undo ok =>", write_and_wait);
	try_in_vain(&faulty, "undo refused =>", write_and_refuse);
	ck_assert_int_eq(faulty.book, 1);
	ck_assert_int_eq(deliver(&faulty, "undo ok =>"), MESSAGE_OK);
	ck_assert_int_eq(faulty.book, 0);
	faulty_end(&faulty);
}
END_TEST

/* --- every allocation fails in turn ------------------------------------------------------ */

START_TEST(test_every_allocation_fails_in_turn)
{
	static const char *const lines[] = {"do ok =>", "undo ok =>", "undo ok =>",
					    "revoke #2 ok =>", "do #2 ok =>"};
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct barrier *barrier = barriers[_i].open();
		struct handler handler = {0};
		int runs = 0;

		fired = false;
		for (size_t line = 0; line < ROWS(lines); line++) {
			struct reply_message reply;
			struct arena arena = {0};
			struct incoming in;
			enum err err;

			read_line(lines[line], &in, &handler);
			if (!fired)
				fail_malloc_at(n);
			err = answer(barrier, &in, &handler, &arena, &reply);
			if (!fired && fail_malloc_off()) {
				fired = true;
				ck_assert(err == ERR_NOMEM || err == ERR_UNAVAILABLE ||
					  reply.outcome == MESSAGE_FAILED);
				err = answer(barrier, &in, &handler, &arena, &reply);
			}
			ck_assert_int_eq(err, OK);
			ck_assert_int_eq(reply.outcome,
					 line == 4 ? MESSAGE_REFUSED : MESSAGE_OK);
			runs += handler.ran;
			arena_release(&arena);
		}
		ck_assert_int_eq(runs, 2);
		barrier_close(barrier);
	}
}
END_TEST

START_TEST(test_no_memory_for_a_barrier)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct barrier *barrier;

		fail_malloc_at(n);
		barrier = barriers[_i].open();
		fired = fail_malloc_off();
		ck_assert(fired == !barrier);
		barrier_close(barrier);
	}
}
END_TEST

/* --- several commands in a transaction --------------------------- */

static bool handle_waiting(void *context, const struct command_message *command,
			   struct arena *arena, struct reply_message *reply)
{
	return false;
}

/* Each command's fate is its own, though they share a transaction. */
START_TEST(test_one_of_a_batch_fails_alone)
{
	struct barrier *barrier = barriers[_i].open();
	static const char *const lines[] = {"do #1 ok =>", "do #2 failed =>", "do #3 ok =>",
					    "undo #1 failed =>", "undo #3 ok =>"};
	static const enum message_outcome outcomes[] = {MESSAGE_OK, MESSAGE_FAILED, MESSAGE_OK,
							MESSAGE_FAILED, MESSAGE_OK};
	struct handler handler = {0};
	struct arena arena = {0};
	struct barrier_desk desk = {barrier, NOW_MS, HORIZON_MS, handle, &handler, &arena};
	enum barrier_answer answer;
	struct reply_message reply;
	struct incoming in;

	if (barrier_has_marks(barrier)) {
		ck_assert_int_eq(barrier->ops->begin(barrier), OK);
		for (int n = 0; n < ROWS(lines); n++) {
			read_line(lines[n], &in, &handler);
			ck_assert_int_eq(barrier_answer(&desk, &in.message, &reply, &answer),
					 OK);
			ck_assert_int_eq(reply.outcome, outcomes[n]);
		}
		read_line("do #4 ok =>", &in, &handler);
		desk.run = handle_waiting;
		ck_assert_int_eq(barrier_answer(&desk, &in.message, &reply, &answer), OK);
		ck_assert_int_eq(answer, BARRIER_LATER);
		ck_assert_int_eq(barrier->ops->commit(barrier), OK);

		ck_assert_int_eq(barrier->ops->begin(barrier), OK);
		check_record(barrier, "s/a#1/0/do", BARRIER_OK, "[1]", "", "");
		check_record(barrier, "s/a#2/0/do", BARRIER_NONE, "", "", "");
		check_record(barrier, "s/a#3/0/do", BARRIER_UNDONE, "[3]", "", "");
		check_record(barrier, "s/a#1/0/undo", BARRIER_NONE, "", "", "");
		check_record(barrier, "s/a#3/0/undo", BARRIER_OK, "", "", "");
		check_record(barrier, "s/a#4/0/do", BARRIER_NONE, "", "", "");
		barrier->ops->rollback(barrier);
	}
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

/* A do that never ran is told from one that was undone; what bars it writes one record. */
START_TEST(test_what_bars_a_do_is_kept_with_the_do)
{
	struct barrier *barrier = barriers[_i].open();
	static const char *const lines[] = {"undo #1 ok =>", "revoke #2 ok =>",
					    "do #3 ok =>",   "undo #3 ok =>",
					    "undo #1 ok =>", "revoke #3 ok =>"};
	struct handler handler = {0};
	struct reply_message reply;
	struct arena arena = {0};
	struct incoming in;

	for (int n = 0; n < ROWS(lines); n++) {
		read_line(lines[n], &in, &handler);
		ck_assert_int_eq(answer(barrier, &in, &handler, &arena, &reply), OK);
		ck_assert_int_eq(reply.outcome, MESSAGE_OK);
	}
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	check_record(barrier, "s/a#1/0/do", BARRIER_BARRED, "", "", "");
	check_record(barrier, "s/a#1/0/undo", BARRIER_NONE, "", "", "");
	check_record(barrier, "s/a#2/0/do", BARRIER_BARRED, "", "", "");
	check_record(barrier, "s/a#2/0/revoke", BARRIER_NONE, "", "", "");
	check_record(barrier, "s/a#3/0/do", BARRIER_UNDONE, "[1]", "", "");
	check_record(barrier, "s/a#3/0/undo", BARRIER_OK, "", "", "");
	check_record(barrier, "s/a#3/0/revoke", BARRIER_NONE, "", "", "");
	barrier->ops->rollback(barrier);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

/* Its age is that of its do, whenever it is written. */
START_TEST(test_a_record_is_as_old_as_its_do)
{
	struct barrier *barrier = barriers[_i].open();
	static const char *const lines[] = {"do ok =>", "undo ok =>", "revoke #2 ok =>"};
	static const char *const ids[] = {"s/a#1/0/do", "s/a#1/0/undo", "s/a#2/0/do"};
	struct handler handler = {0};
	struct reply_message reply;
	struct arena arena = {0};
	struct incoming in;

	for (int n = 0; n < ROWS(lines); n++) {
		read_line(lines[n], &in, &handler);
		ck_assert_int_eq(answer(barrier, &in, &handler, &arena, &reply), OK);
	}
	ck_assert_int_eq(barrier->ops->begin(barrier), OK);
	for (int n = 0; n < ROWS(ids); n++) {
		struct barrier_record record;

		ck_assert_int_eq(barrier->ops->find(barrier, slice_of(ids[n]), &arena, &record),
				 OK);
		ck_assert_int_eq(record.first_ms, NOW_MS - HORIZON_MS);
	}
	barrier->ops->rollback(barrier);
	arena_release(&arena);
	barrier_close(barrier);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, n_barriers * ROWS(rows));
	tcase_add_loop_test(tcase, test_without_a_horizon_nothing_expires, 0, n_barriers);
	tcase_add_loop_test(tcase, test_every_call_fails_in_turn, 0, n_barriers);
	tcase_add_loop_test(tcase, test_failures_and_refused_undos_roll_back, 0, n_barriers);
	tcase_add_loop_test(tcase, test_every_allocation_fails_in_turn, 0, n_barriers);
	tcase_add_loop_test(tcase, test_no_memory_for_a_barrier, 0, n_barriers);
	tcase_add_loop_test(tcase, test_one_of_a_batch_fails_alone, 0, n_barriers);
	tcase_add_loop_test(tcase, test_what_bars_a_do_is_kept_with_the_do, 0, n_barriers);
	tcase_add_loop_test(tcase, test_a_record_is_as_old_as_its_do, 0, n_barriers);
}

int main(void)
{
	barriers_find();
	return suite_run("barrier", add);
}
