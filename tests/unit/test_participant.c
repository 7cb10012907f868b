/* test_participant.c - what include/skald/participant.h promises to a service */
#include "bus/bus_memory.h"
#include "participants/lib/barrier_memory.h"
#include "participants/lib/participant.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW_MS = 100000, HORIZON_MS = 1000, REPLY_MAX = 256 };

struct service {
	struct post *post;
	struct bus *bus;
	struct port *port;
	struct barrier *barrier;
	struct clock_sim clock;
	skald_participant *participant;
	char seen[200]; /* by the handler */
	int runs;
};

static void service_open(struct service *service)
{
	*service = (struct service){.post = post_new(), .barrier = barrier_memory_new()};
	service->bus = bus_memory_open(service->post);
	service->port = port_memory_open(service->post, "stock");
	clock_sim_init(&service->clock, NOW_MS);
	service->participant = participant_open(service->port, service->barrier,
						&service->clock.base, HORIZON_MS);
	ck_assert(service->participant);
}

static void service_close(struct service *service)
{
	skald_participant_free(service->participant);
	barrier_close(service->barrier);
	port_close(service->port);
	bus_close(service->bus);
	post_free(service->post);
}

static void on(struct service *service, const char *command, skald_handler *handler)
{
	ck_assert(skald_participant_on(service->participant, command, handler, service));
}

static struct command_message command_of(const char *command, const char *id)
{
	return (struct command_message){.id = slice_of(id),
					.participant = SLICE_LITERAL("stock"),
					.command = slice_of(command),
					.saga_id = SLICE_LITERAL("order-17"),
					.saga = SLICE_LITERAL("order"),
					.attempt = 2,
					.first_ms = NOW_MS,
					.args = SLICE_LITERAL("{\"n\":1}")};
}

/* "ok [1]", "refused code text", "" where there is none; valid until the next. */
static const char *next_reply(struct service *service)
{
	static const char *const outcomes[] = {"ok", "refused", "failed", "expired"};
	static char text[REPLY_MAX];
	struct inbox_message message;
	struct reply_message reply;

	if (!bus_poll(service->bus, &message))
		return "";
	ck_assert_int_eq(message.type, INBOX_REPLY);
	reply = message.reply;
	snprintf(text, sizeof text, "%s%s%.*s%s%.*s%s%.*s", outcomes[reply.outcome],
		 reply.output.len ? " " : "", SLICE_ARG(reply.output),
		 reply.code.len ? " " : "", SLICE_ARG(reply.code), reply.text.len ? " " : "",
		 SLICE_ARG(reply.text));
	bus_acknowledge(service->bus);
	return text;
}

/* Send it, let the participant work, and see what comes back. */
static const char *ask(struct service *service, struct command_message command)
{
	ck_assert_int_eq(bus_send(service->bus, &command), OK);
	ck_assert_uint_eq(skald_participant_poll(service->participant), 1);
	return next_reply(service);
}

/* --- what a handler sees ----------------------------------------------------------- */

static skald_outcome look(const skald_command *command, skald_reply *reply, void *context)
{
	struct service *service = context;
	const char *output = skald_command_output(command);

	service->runs++;
	snprintf(service->seen, sizeof service->seen, "%s %s %u %s %s",
		 skald_command_id(command), skald_command_saga_id(command),
		 (unsigned int)skald_command_attempt(command), skald_command_args(command),
		 output ? output : "-");
	return skald_reply_ok(reply, output ? NULL : "[1]");
}

START_TEST(test_a_handler_sees_its_command)
{
	struct command_message undo = command_of("put-back", "c/undo");
	struct service service;

	service_open(&service);
	on(&service, "take", look);
	on(&service, "put-back", look);
	ck_assert_str_eq(ask(&service, command_of("take", "c/do")), "ok [1]");
	ck_assert_str_eq(service.seen, "c/do order-17 2 {\"n\":1} -");
	undo.verb = MESSAGE_UNDO;
	undo.do_id = SLICE_LITERAL("c/do");
	undo.args = SLICE_LITERAL("{}");
	ck_assert_str_eq(ask(&service, undo), "ok");
	ck_assert_str_eq(service.seen, "c/undo order-17 2 {} [1]");
	service_close(&service);
}
END_TEST

/* Of whatever length: some just fill what an arena gives. */
START_TEST(test_arguments_are_terminated)
{
	struct command_message undo = command_of("put-back", "c/undo");
	struct service service;
	char args[64], id[16], undo_id[16], seen[128];

	service_open(&service);
	on(&service, "take", look);
	on(&service, "put-back", look);
	undo.verb = MESSAGE_UNDO;
	for (int n = 1; n <= 32; n++) {
		snprintf(id, sizeof id, "c%d/do", n);
		ck_assert_str_eq(ask(&service, command_of("take", id)), "ok [1]");
		undo.do_id = slice_of(id);
		snprintf(args, sizeof args, "[%.*s]", n, "77777777777777777777777777777777");
		snprintf(undo_id, sizeof undo_id, "c%d/undo", n);
		undo.id = slice_of(undo_id);
		undo.args = slice_of(args);
		ck_assert_str_eq(ask(&service, undo), "ok");
		snprintf(seen, sizeof seen, "%s order-17 2 %s [1]", undo_id, args);
		ck_assert_str_eq(service.seen, seen);
	}
	service_close(&service);
}
END_TEST

/* --- what it may answer ------------------------------------------------------------ */

static skald_outcome ok_without(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_ok(reply, NULL);
}

static skald_outcome ok_spaced(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_ok(reply, " { \"a\" : 19.990 } ");
}

static skald_outcome ok_no_json(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_ok(reply, "{a:1}");
}

static skald_outcome ok_too_large(const skald_command *command, skald_reply *reply,
				  void *context)
{
	enum { SIZE = 256 * 1024 + 1 };
	char *text = malloc(SIZE + 1);
	skald_outcome outcome;

	ck_assert(text);
	memset(text, 'a', SIZE);
	text[0] = text[SIZE - 1] = '"';
	text[SIZE] = '\0';
	outcome = skald_reply_ok(reply, text);
	free(text);
	return outcome;
}

static skald_outcome refuse(const skald_command *command, skald_reply *reply, void *context)
{
	char code[] = "sold-out", text[] = "none left";
	skald_outcome outcome = skald_reply_refuse(reply, code, text);

	memset(code, '?', sizeof code - 1); /* the texts were copied */
	memset(text, '?', sizeof text - 1);
	return outcome;
}

static skald_outcome refuse_without(const skald_command *command, skald_reply *reply,
				    void *context)
{
	return skald_reply_refuse(reply, NULL, NULL);
}

static skald_outcome give_up(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_fail(reply, "down", "no database");
}

static skald_outcome bare_failed(const skald_command *command, skald_reply *reply,
				 void *context)
{
	return SKALD_FAILED;
}

static skald_outcome changes_its_mind(const skald_command *command, skald_reply *reply,
				      void *context)
{
	skald_reply_ok(reply, "[1]");
	return skald_reply_refuse(reply, "no", "after all");
}

static skald_outcome changes_it_back(const skald_command *command, skald_reply *reply,
				     void *context)
{
	skald_reply_fail(reply, "no", "not yet");
	return skald_reply_ok(reply, "[2]");
}

static skald_outcome fails_after_all(const skald_command *command, skald_reply *reply,
				     void *context)
{
	skald_reply_ok(reply, "[1]");
	return skald_reply_fail(reply, "no", "after all");
}

static skald_outcome nonsense(const skald_command *command, skald_reply *reply, void *context)
{
	skald_reply_ok(reply, "[1]");
	return (skald_outcome)7;
}

static skald_outcome bad_text(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_refuse(reply,
				  "co\xff"
				  "de",
				  "te\xc3");
}

/* Each is asked twice; what is kept is answered alike. */
static const struct row {
	const char *name;
	skald_handler *handler;
	const char *reply;
} rows[] = {
	{"ok needs no output", ok_without, "ok"},
	{"output is sent in its normal form, numbers as they are", ok_spaced,
	 "ok {\"a\":19.990}"},
	{"output that is no JSON fails", ok_no_json, "failed bad-output 1:2: "},
	{"output over 256 KiB fails", ok_too_large, "failed bad-output "},
	{"a refusal has a code and a text", refuse, "refused sold-out none left"},
	{"a refusal needs neither", refuse_without, "refused"},
	{"a failure has a code and a text", give_up, "failed down no database"},
	{"a failure needs neither", bare_failed, "failed"},
	{"a refusal has no output, whatever was said before", changes_its_mind,
	 "refused no after all"},
	{"an ok has no code, whatever was said before", changes_it_back, "ok [2]"},
	{"a failure has no output, whatever was said before", fails_after_all,
	 "failed no after all"},
	{"an outcome that there is not is a failure", nonsense, "failed bad-outcome "},
	{"a text ends where it is no UTF-8 any more", bad_text, "refused co te"},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct service service;

	service_open(&service);
	on(&service, "take", row->handler);
	for (int n = 0; n < 2; n++) {
		const char *got = ask(&service, command_of("take", "c/do"));
		bool whole = row->reply[strlen(row->reply) - 1] != ' ';

		ck_assert_msg(whole ? !strcmp(got, row->reply)
				    : !strncmp(got, row->reply, strlen(row->reply)),
			      "%s: it answered \"%s\"", row->name, got);
	}
	service_close(&service);
}
END_TEST

static skald_outcome refuse_at_length(const skald_command *command, skald_reply *reply,
				      void *context)
{
	char text[4000];

	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	return skald_reply_refuse(reply, text, text);
}

START_TEST(test_long_texts_are_cut)
{
	struct command_message command = command_of("take", "c/do");
	struct inbox_message message;
	struct service service;

	service_open(&service);
	on(&service, "take", refuse_at_length);
	ck_assert_int_eq(bus_send(service.bus, &command), OK);
	ck_assert_uint_eq(skald_participant_poll(service.participant), 1);
	ck_assert(bus_poll(service.bus, &message));
	ck_assert_uint_eq(message.reply.code.len, 64);
	ck_assert_uint_eq(message.reply.text.len, 1024);
	service_close(&service);
}
END_TEST

/* --- registering and polling ------------------------------------------------------- */

START_TEST(test_a_command_has_one_handler)
{
	struct service service;

	service_open(&service);
	on(&service, "take", look);
	ck_assert(!skald_participant_on(service.participant, "take", refuse, &service));
	on(&service, "take-2", refuse);
	ck_assert_str_eq(ask(&service, command_of("take", "a")), "ok [1]");
	ck_assert_str_eq(ask(&service, command_of("take-2", "b")),
			 "refused sold-out none left");
	service_close(&service);
	skald_participant_free(NULL);
}
END_TEST

/* It may be deployed tomorrow: that is a failure, not a refusal. */
START_TEST(test_an_unknown_command_fails_until_it_is_known)
{
	struct service service;

	service_open(&service);
	ck_assert_str_eq(ask(&service, command_of("take", "a")),
			 "failed unknown-command this participant has no handler for the "
			 "command");
	on(&service, "take", look);
	ck_assert_str_eq(ask(&service, command_of("take", "a")), "ok [1]");
	service_close(&service);
}
END_TEST

/* A revoke is answered by the barrier alone. */
START_TEST(test_a_revoke_needs_no_handler)
{
	struct command_message revoke = command_of("", "c/revoke");
	struct service service;

	service_open(&service);
	revoke.verb = MESSAGE_REVOKE;
	revoke.do_id = SLICE_LITERAL("c/do");
	ck_assert_str_eq(ask(&service, revoke), "ok");
	on(&service, "take", look);
	ck_assert_str_eq(ask(&service, command_of("take", "c/do")),
			 "refused barred it was undone or revoked before it came");
	ck_assert_int_eq(service.runs, 0);
	service_close(&service);
}
END_TEST

START_TEST(test_poll_answers_all_that_is_there)
{
	static const char *const ids[] = {"a", "b", "a", "c"};
	struct service service;

	service_open(&service);
	on(&service, "take", look);
	ck_assert_uint_eq(skald_participant_poll(service.participant), 0);
	for (int n = 0; n < ROWS(ids); n++) {
		struct command_message command = command_of("take", ids[n]);

		ck_assert_int_eq(bus_send(service.bus, &command), OK);
	}
	ck_assert_uint_eq(skald_participant_poll(service.participant), 4);
	ck_assert_int_eq(service.runs, 3);
	for (int n = 0; n < ROWS(ids); n++)
		ck_assert_str_eq(next_reply(&service), "ok [1]");
	ck_assert_uint_eq(skald_participant_poll(service.participant), 0);
	service_close(&service);
}
END_TEST

START_TEST(test_what_is_older_than_the_records_is_expired)
{
	struct service service;

	service_open(&service);
	on(&service, "take", look);
	clock_sim_advance(&service.clock, HORIZON_MS);
	ck_assert_str_eq(ask(&service, command_of("take", "a")), "ok [1]");
	clock_sim_advance(&service.clock, 1);
	ck_assert_str_eq(ask(&service, command_of("take", "a")), "ok [1]");
	ck_assert_str_eq(ask(&service, command_of("take", "b")),
			 "expired expired it is older than this participant's records");
	ck_assert_int_eq(service.runs, 1);
	service_close(&service);
}
END_TEST

/* --- when something fails ---------------------------------------------------------- */

/* A barrier whose store is away, as often as `left` says. */
struct absent {
	struct barrier base; /* first, so that the two pointers are one */
	struct barrier *real;
	int left;
};

static enum err absent_begin(struct barrier *base)
{
	struct absent *absent = (struct absent *)base;

	return absent->left-- > 0 ? ERR_UNAVAILABLE : absent->real->ops->begin(absent->real);
}

static enum err absent_commit(struct barrier *base)
{
	struct absent *absent = (struct absent *)base;

	return absent->real->ops->commit(absent->real);
}

static void absent_rollback(struct barrier *base)
{
	struct absent *absent = (struct absent *)base;

	absent->real->ops->rollback(absent->real);
}

static enum err absent_find(struct barrier *base, struct slice id, struct arena *arena,
			    struct barrier_record *out)
{
	struct absent *absent = (struct absent *)base;

	return absent->real->ops->find(absent->real, id, arena, out);
}

static enum err absent_keep(struct barrier *base, struct slice id,
			    const struct barrier_record *record)
{
	struct absent *absent = (struct absent *)base;

	return absent->real->ops->keep(absent->real, id, record);
}

/* Neither answers nor forgets: the command comes again. */
START_TEST(test_without_its_barrier_it_is_silent)
{
	static const struct barrier_ops ops = {
		.begin = absent_begin,
		.commit = absent_commit,
		.rollback = absent_rollback,
		.find = absent_find,
		.keep = absent_keep,
	};
	struct command_message command = command_of("take", "a");
	struct absent absent = {.base = {&ops}, .left = 2};
	skald_participant *participant;
	struct service service;

	service_open(&service);
	absent.real = service.barrier;
	participant = participant_open(service.port, &absent.base, &service.clock.base, 0);
	ck_assert(participant);
	ck_assert(skald_participant_on(participant, "take", look, &service));
	ck_assert_int_eq(bus_send(service.bus, &command), OK);
	ck_assert_uint_eq(skald_participant_poll(participant), 0);
	ck_assert_uint_eq(skald_participant_poll(participant), 0);
	ck_assert_str_eq(next_reply(&service), "");
	ck_assert_int_eq(service.runs, 0);
	ck_assert_uint_eq(skald_participant_poll(participant), 1);
	ck_assert_str_eq(next_reply(&service), "ok [1]");
	ck_assert_int_eq(service.runs, 1);
	skald_participant_free(participant);
	service_close(&service);
}
END_TEST

/* An answer that cannot be sent is sent later, and the handler runs no more. */
START_TEST(test_an_answer_that_cannot_be_sent_is_sent_later)
{
	struct reply_message filler = {.id = SLICE_LITERAL("x"), .attempt = 1};
	struct command_message command = command_of("take", "a");
	struct service service;
	const char *reply;
	int n = 0;

	service_open(&service);
	on(&service, "take", look);
	while (!port_reply(service.port, &filler))
		n++;
	ck_assert_int_eq(n, BUS_MEMORY_QUEUE_MAX);
	ck_assert_int_eq(bus_send(service.bus, &command), OK);
	ck_assert_uint_eq(skald_participant_poll(service.participant), 0);
	while (n--)
		ck_assert_str_eq(next_reply(&service), "ok");
	ck_assert_str_eq(next_reply(&service), "");
	ck_assert_uint_eq(skald_participant_poll(service.participant), 1);
	reply = next_reply(&service);
	ck_assert_str_eq(reply, "ok [1]");
	ck_assert_int_eq(service.runs, 1);
	service_close(&service);
}
END_TEST

/* A port that carries no answer with an output. */
struct narrow {
	struct port base;
	struct port *real;
};

static bool narrow_poll(struct port *base, struct command_message *out)
{
	return port_poll(((struct narrow *)base)->real, out);
}

static enum err narrow_reply(struct port *base, const struct reply_message *reply)
{
	return reply->output.len ? ERR_TOO_LARGE
				 : port_reply(((struct narrow *)base)->real, reply);
}

static void narrow_pump(struct port *base, int timeout_ms)
{
	port_pump(((struct narrow *)base)->real, timeout_ms);
}

/* Or the saga would wait for it until the attempt runs out, again and again. */
START_TEST(test_an_answer_that_no_bus_carries_is_a_failure)
{
	static const struct port_ops ops = {
		.poll = narrow_poll, .reply = narrow_reply, .pump = narrow_pump};
	struct command_message command = command_of("take", "a");
	struct narrow narrow = {.base = {&ops}};
	skald_participant *participant;
	struct service service;

	service_open(&service);
	narrow.real = service.port;
	participant = participant_open(&narrow.base, service.barrier, &service.clock.base, 0);
	ck_assert(participant);
	ck_assert(skald_participant_on(participant, "take", look, &service));
	ck_assert_int_eq(bus_send(service.bus, &command), OK);
	ck_assert_uint_eq(skald_participant_poll(participant), 1);
	ck_assert_str_eq(next_reply(&service),
			 "failed bad-reply its answer is none that can be sent");
	ck_assert_int_eq(service.runs, 1);
	skald_participant_free(participant);
	service_close(&service);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct command_message command = command_of("take", "a");
		struct service service;
		size_t answered;
		const char *reply;

		service_open(&service);
		on(&service, "take", look);
		ck_assert_int_eq(bus_send(service.bus, &command), OK);
		fail_malloc_at(n);
		answered = skald_participant_poll(service.participant);
		fired = fail_malloc_off();
		/* Silent or failed, and the next attempt is answered. */
		reply = next_reply(&service);
		ck_assert_int_eq(answered, *reply ? 1 : 0);
		ck_assert_msg(!*reply || !strncmp(reply, fired ? "failed" : "ok [1]", 6), "%s",
			      reply);
		if (fired && *reply)
			ck_assert_str_eq(ask(&service, command), "ok [1]");
		else if (fired) {
			ck_assert_uint_eq(skald_participant_poll(service.participant), 1);
			ck_assert_str_eq(next_reply(&service), "ok [1]");
		}
		service_close(&service);
	}
}
END_TEST

START_TEST(test_no_memory_to_open_and_register)
{
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		skald_participant *participant;
		struct service service;
		bool registered = false;

		service_open(&service);
		fail_malloc_at(n);
		participant =
			participant_open(service.port, service.barrier, &service.clock.base, 0);
		if (participant)
			registered = skald_participant_on(participant, "take", look, &service);
		fired = fail_malloc_off();
		ck_assert(registered == !fired);
		skald_participant_free(participant);
		service_close(&service);
	}
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_handler_sees_its_command);
	tcase_add_test(tcase, test_arguments_are_terminated);
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_long_texts_are_cut);
	tcase_add_test(tcase, test_a_command_has_one_handler);
	tcase_add_test(tcase, test_an_unknown_command_fails_until_it_is_known);
	tcase_add_test(tcase, test_a_revoke_needs_no_handler);
	tcase_add_test(tcase, test_poll_answers_all_that_is_there);
	tcase_add_test(tcase, test_what_is_older_than_the_records_is_expired);
	tcase_add_test(tcase, test_without_its_barrier_it_is_silent);
	tcase_add_test(tcase, test_an_answer_that_cannot_be_sent_is_sent_later);
	tcase_add_test(tcase, test_an_answer_that_no_bus_carries_is_a_failure);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_test(tcase, test_no_memory_to_open_and_register);
}

int main(void)
{
	return suite_run("participant", add);
}
