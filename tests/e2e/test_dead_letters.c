/* test_dead_letters.c - what nobody can use, over the local bus: it is kept with its
 * reason, and in nobody's way */
#include "proto/wire.h"
#include "tests/lib/background.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include "bus/socket.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 20000, TURN_MS = 20 };

static char skald[4096];
static struct serving server;
static struct arena arena;

static struct process_result ask(const char *const *args)
{
	struct process_setup setup = {.argv = {skald}, .env = {server.env}};

	for (size_t i = 0; args[i]; i++)
		setup.argv[i + 1] = args[i];
	return process_run(&setup, &arena);
}

#define ASK(...) ask((const char *const[]){__VA_ARGS__, NULL})

/* The list of dead letters, once it has the text. */
static struct slice dead_with(const char *text)
{
	const struct timespec turn = {0, TURN_MS * 1000000};
	struct process_result result = {.out = {"", 0}};

	for (int ms = 0; ms < WAIT_MS; ms += TURN_MS) {
		result = ASK("dead", "ls", "--json");
		ck_assert_int_eq(result.exit_code, 0);
		if (strstr(result.out.at, text))
			return result.out;
		nanosleep(&turn, NULL);
	}
	ck_abort_msg("no %s in %s", text, result.out.at);
	return result.out;
}

/* The id of the first letter of the list with that reason. */
static const char *id_of(struct slice list, const char *reason)
{
	const char *at = strstr(list.at, reason), *end;
	static char id[400];

	while (at && at > list.at && at[-1] != '\n')
		at--;
	at = at ? strstr(at, "\"id\":\"") : NULL;
	ck_assert_ptr_nonnull(at);
	at += strlen("\"id\":\"");
	end = strchr(at, '"');
	snprintf(id, sizeof id, "%.*s", (int)(end - at), at);
	return id;
}

/* --- a service that says what it likes ---------------------------------------------- */

static int fd;

static void say(struct slice bytes)
{
	size_t n = 0;

	while (bytes.len) {
		ck_assert_int_eq(socket_write(fd, bytes, &n), OK);
		bytes.at += n;
		bytes.len -= n;
	}
}

static void say_frame(const struct frame *frame)
{
	struct bytes bytes = BYTES(1 << 20, NULL);

	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	say(bytes_slice(&bytes));
	bytes_release(&bytes);
}

static void come(void)
{
	static const struct frame hello = {
		.type = FRAME_HELLO,
		.hello = {.version = 1, .participant = SLICE_LITERAL("desk"), .window = 1}};
	struct diag diag = {""};

	ck_assert_msg(socket_connect("data/bus.sock", &fd, &diag) == OK, "%s", diag.text);
	say_frame(&hello);
}

static void say_reply(const char *id)
{
	const struct frame reply = {.type = FRAME_REPLY,
				    .reply = {.id = slice_of(id), .attempt = 1}};

	say_frame(&reply);
}

static void enter(void)
{
	static const char *const none[] = {NULL};

	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/visit.yaml",
		     "saga: visit\nversion: 1.0.0\nsteps:\n"
		     "  - talk: { kind: readonly, call: desk.talk, timeout: 1h }\n");
	serving_start(&server, skald, none);
}

static void leave(void)
{
	ck_assert_int_eq(background_stop(&server.process, SIGTERM), 0);
	folder_leave();
	arena_release(&arena);
}

/* --- tests -------------------------------------------------------------------------- */

START_TEST(test_what_nobody_can_use_is_kept)
{
	struct slice list, shown;

	enter();
	come();
	say_reply("visit-9/talk#0/0/do");
	dead_with("\"unknown-saga\"");
	say((struct slice){"\0\0\0\3xyz", 7});
	dead_with("\"unreadable\"");
	close(fd);
	come();
	say((struct slice){"\xff\xff\xff\xff", 4});
	list = dead_with("\"too-large\"");
	close(fd);
	/* It is all there after a crash. */
	background_stop(&server.process, SIGKILL);
	serving_again(&server, skald);
	list = dead_with("\"too-large\"");
	ck_assert(strstr(list.at, "\"unreadable\"") && strstr(list.at, "\"unknown-saga\""));
	shown = ASK("dead", "show", id_of(list, "unknown-saga"), "--json").out;
	ck_assert_ptr_nonnull(strstr(shown.at, "\"command\":\"visit-9/talk#0/0/do\""));
	shown = ASK("dead", "show", id_of(list, "unreadable")).out;
	ck_assert_ptr_nonnull(strstr(shown.at, "the bytes are no frame of the protocol"));
	shown = ASK("dead", "ls").out;
	ck_assert_ptr_nonnull(strstr(shown.at, "REASON"));
	leave();
}
END_TEST

/* A reply that came before its saga, as after a backup was put back. */
START_TEST(test_a_letter_is_replayed)
{
	const char *id;

	enter();
	come();
	say_reply("visit-1/talk#0/0/do");
	id = id_of(dead_with("\"unknown-saga\""), "unknown-saga");
	ck_assert_int_eq(ASK("start", "visit", "--id", "visit-1").exit_code, 0);
	close(fd);
	ck_assert_int_eq(ASK("dead", "replay", id).exit_code, 0);
	for (int ms = 0; ms < WAIT_MS; ms += TURN_MS)
		if (strstr(ASK("show", "visit-1", "--json").out.at, "\"completed\""))
			break;
	ck_assert_ptr_nonnull(strstr(ASK("show", "visit-1", "--json").out.at, "\"completed\""));
	ck_assert_str_eq(ASK("dead", "ls", "--json").out.at, "");
	ck_assert_int_eq(ASK("dead", "replay", id).exit_code, 4);
	leave();
}
END_TEST

START_TEST(test_a_letter_is_dropped)
{
	struct process_result result;
	const char *id;

	enter();
	come();
	say((struct slice){"\0\0\0\3xyz", 7});
	id = id_of(dead_with("\"unreadable\""), "unreadable");
	close(fd);
	result = ASK("dead", "replay", id);
	ck_assert_int_eq(result.exit_code, 7);
	ck_assert_ptr_nonnull(strstr(result.errs.at, "cannot be sent again"));
	ck_assert_int_eq(ASK("dead", "drop", id, "none").exit_code, 4);
	ck_assert_str_eq(ASK("dead", "ls", "--json").out.at, "");
	ck_assert_int_eq(ASK("dead", "show", id).exit_code, 4);
	ck_assert_int_eq(ASK("dead").exit_code, 2);
	ck_assert_int_eq(ASK("dead", "drop").exit_code, 2);
	ck_assert_int_eq(ASK("dead", "show", "a", "b").exit_code, 2);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_what_nobody_can_use_is_kept);
	tcase_add_test(tcase, test_a_letter_is_replayed);
	tcase_add_test(tcase, test_a_letter_is_dropped);
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	return suite_run("dead_letters", add);
}
