/* test_breaker.c - a service is held (SIGSTOP), and its breaker opens: the log, stats,
 * show and the metrics say so, others go on, and what waits uses up no attempts. */
#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/e2e/works.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FAILURES = 3, NOTES = 30, PATIENCE_MS = 60000, STEP_MS = 50 };

static const char settings[] =
	"participants: { notification: { breaker: { failures: 3, pause: 2s } } }\n";
static const char note[] =
	"saga: note\nversion: 1.0.0\n"
	"use: { retry: { soon: { first: 1s, max: 1s, jitter: none, attempts: 5 } } }\n"
	"steps:\n"
	"  - tell: { kind: pivot, call: notification.send, with: { to: =saga.id }, timeout: "
	"500ms, retry: soon }\n";
static const char take[] =
	"saga: take\nversion: 1.0.0\nsteps:\n"
	"  - take: { kind: pivot, call: inventory.reserve, with: { sku: book, qty: 1 } }\n";

static struct works works;
static struct arena arena;

static struct slice read_path(const char *path)
{
	return http_ask(works.server.url, path, (struct slice){0}, &arena).text;
}

/* Until the answer has the part; all of it. */
static struct slice until_says(const char *path, const char *part)
{
	struct slice text = {0};

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		text = read_path(path);
		if (strstr(text.at, part))
			return text;
		works_sleep_ms(STEP_MS);
	}
	ck_abort_msg("no `%s` in %s: %s", part, path, text.at);
}

static struct process_result ask(const char *command, const char *arg, const char *more)
{
	struct process_setup setup = {.argv = {works_program(SERVER), command, arg, more},
				      .env = {"LANG=C.UTF-8", works.server.env}};

	return process_run(&setup, &arena);
}

static void start_notes(int first, int n)
{
	struct bytes body = BYTES(1024 * 1024, &arena);
	struct http_answer answer;

	for (int i = first; i < first + n; i++)
		bytes_format(&body, "{\"saga\":\"note\",\"id\":\"note-%02d\",\"input\":{}}\n",
			     i);
	answer = http_ask(works.server.url, "/v1/sagas:batch", bytes_slice(&body), &arena);
	ck_assert_int_eq(answer.status, 200);
}

static void logged(const char *text)
{
	background_until(&works.server.process, text, &arena);
}

static struct json step_of(int number)
{
	char path[64];
	struct json step;

	snprintf(path, sizeof path, "/v1/sagas/note-%02d", number);
	ck_assert(json_at(member_json(http_get(works.server.url, path, &arena), "steps"), 0,
			  &step));
	return step;
}

static void begin(void)
{
	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	folder_write("sagas/note.yaml", note);
	folder_write("sagas/take.yaml", take);
	folder_write("skald.yaml", settings);
	works_start(&works);
}

/* As many attempts without an answer as open it, and then many more sagas. */
static void open_breaker(void)
{
	kill(works_pid(&works, NOTIFICATION), SIGSTOP);
	start_notes(0, FAILURES);
	logged("level=warn event=breaker-open participant=notification pause_ms=2000 why=\"as "
	       "many failures in a row as its settings say\"");
	start_notes(FAILURES, NOTES - FAILURES);
}

static void check_what_is_said(void)
{
	until_says("/v1/stats", "\"breaker\":\"open\"");
	until_says("/metrics", "\nskald_participant_breaker{participant=\"notification\"} 2\n");
	until_says("/v1/sagas/note-29", "\"held\":{\"by\":\"breaker\"");
	until_says("/v1/stats", "\"breaker\":\"half-open\"");
	logged("level=info event=breaker-half-open participant=notification");
	logged("why=\"the probe failed\"");
	until_says("/v1/stats", "\"breaker\":\"open\"");
	ck_assert_ptr_nonnull(strstr(ask("show", "note-29", NULL).out.at, "running, held: "));
	ck_assert_ptr_nonnull(strstr(ask("stats", NULL, NULL).out.at, "open"));
}

START_TEST(test_a_service_that_is_held)
{
	begin();
	open_breaker();
	check_what_is_said();
	ck_assert_int_eq(ask("start", "take", "--wait").exit_code, 0);
	kill(works_pid(&works, NOTIFICATION), SIGCONT);
	logged("level=info event=breaker-closed participant=notification");
	works_wait_idle(&works);
	until_says("/v1/stats", "\"held\":0,\"limited\":0,\"breaker\":\"closed\"");
	for (int i = 0; i < NOTES; i++) {
		struct json step = step_of(i);

		ck_assert_msg(slice_is(member_text(step, "state", &arena), "done") &&
				      member_number(step, "attempt") <= 2,
			      "note-%02d: %.*s", i, SLICE_ARG(step.text));
	}
	ck_assert_int_eq(member_number(step_of(NOTES - 1), "attempt"), 1);
	ck_assert_ptr_nonnull(strstr(works_audit(&works, NOTIFICATION, &arena).at,
				     "\"commands\":30,\"done\":30,"));
	works_stop(&works);
	arena_release(&arena);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_service_that_is_held);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	return suite_run("breaker", add);
}
