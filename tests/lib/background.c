#include "tests/lib/background.h"

#include "base/json.h"
#include "bus/port_local.h"
#include "participants/lib/barrier_memory.h"
#include "participants/lib/inquiry.h"
#include "tests/lib/folder.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, STEP_MS = 5 };

static void sleep_a_little(void)
{
	const struct timespec step = {0, STEP_MS * 1000 * 1000};

	nanosleep(&step, NULL);
}

/* --- programs --------------------------------------------------------------------- */

/* Between fork and exec; a failure shows in the log. */
static void become(const struct process_setup *setup, int log)
{
	static const char *const kept[] = {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS"};
	char *environment[PROCESS_ARGS_MAX + 4];
	static char texts[4][4096];
	int in = open("/dev/null", O_RDWR);
	size_t n = 0;

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		const char *value = getenv(kept[i]);

		if (!value)
			continue;
		snprintf(texts[n], sizeof texts[n], "%s=%s", kept[i], value);
		environment[n] = texts[n];
		n++;
	}
	for (size_t i = 0; i < PROCESS_ARGS_MAX && setup->env[i]; i++)
		environment[n++] = (char *)setup->env[i];
	environment[n] = NULL;
	dup2(in, STDIN_FILENO);
	dup2(in, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execve(setup->argv[0], (char *const *)setup->argv, environment);
	perror(setup->argv[0]);
	_exit(127);
}

void background_start(struct background *background, const struct process_setup *setup,
		      const char *log)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s: %s", log, strerror(errno));
	*background = (struct background){fork(), log};
	ck_assert(background->pid >= 0);
	if (background->pid == 0)
		become(setup, fd);
	close(fd);
}

struct slice background_until(const struct background *background, const char *text,
			      struct arena *arena)
{
	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		struct slice log = folder_read(background->log, arena);

		if (strstr(log.at, text))
			return log;
		ck_assert_msg(waitpid(background->pid, NULL, WNOHANG) == 0,
			      "it ended without `%s`: %s", text, log.at);
		sleep_a_little();
	}
	ck_abort_msg("no `%s` in time: %s", text, folder_read(background->log, arena).at);
	return (struct slice){0};
}

int background_wait(struct background *background)
{
	int status;

	while (waitpid(background->pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	background->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int background_stop(struct background *background, int signal)
{
	ck_assert_int_eq(kill(background->pid, signal), 0);
	return background_wait(background);
}

/* --- a server --------------------------------------------------------------------- */

static void start_at(struct serving *serving, const char *skald, const char *listen)
{
	struct process_setup setup = {
		.argv = {skald, "serve", "--data", "data", "--listen", listen}};
	struct arena arena = {0};
	struct slice log;
	const char *url;
	size_t n = 6, len;

	for (int i = 0; serving->args[i]; i++)
		setup.argv[n++] = serving->args[i];
	background_start(&serving->process, &setup, "server.log");
	log = background_until(&serving->process, " sagas=", &arena);
	url = strstr(log.at, "event=ready url=");
	ck_assert_ptr_nonnull(url);
	url += strlen("event=ready url=");
	len = strcspn(url, " ");
	ck_assert_uint_lt(len, SERVER_URL_SIZE);
	snprintf(serving->url, sizeof serving->url, "%.*s", (int)len, url);
	snprintf(serving->env, sizeof serving->env, "SKALD_SERVER=%s", serving->url);
	arena_release(&arena);
}

void serving_start(struct serving *serving, const char *skald, const char *const *args)
{
	int n = 0;

	for (; args && args[n] && n < SERVER_ARGS_MAX; n++)
		serving->args[n] = args[n];
	serving->args[n] = NULL;
	start_at(serving, skald, "127.0.0.1:0");
}

void serving_again(struct serving *serving, const char *skald)
{
	char listen[SERVER_URL_SIZE];

	snprintf(listen, sizeof listen, "%s", serving->url + strlen("http://"));
	start_at(serving, skald, listen);
}

/* --- services --------------------------------------------------------------------- */

static bool has(struct slice text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++) {
		if (memcmp(text.at + i, part, len) == 0)
			return true;
	}
	return false;
}

static struct reply_message refused(struct reply_message reply, const char *code)
{
	reply.outcome = MESSAGE_REFUSED;
	reply.code = slice_of(code);
	reply.text = SLICE_LITERAL("the service said no");
	return reply;
}

static long number_of(struct slice args, const char *name)
{
	struct arena arena = {0};
	struct json json, value;
	long number = 0;

	if (!json_parse(args, 1 << 20, &arena, &json, NULL) &&
	    json_get(json, slice_of(name), &value))
		number = strtol(value.text.at, NULL, 10);
	arena_release(&arena);
	return number;
}

/* False: no answer at all. */
static bool serve(void *context, const struct command_message *command, struct arena *arena,
		  struct reply_message *out)
{
	struct reply_message reply = {
		.id = command->id, .attempt = command->attempt, .outcome = MESSAGE_OK};

	if (slice_is(command->command, "reserve")) {
		reply.output = has(command->args, "\"lost\"")
				       ? SLICE_LITERAL("{\"id\":\"lost\"}")
				       : SLICE_LITERAL("{\"id\":\"r-1\"}");
		if (has(command->args, "\"slow\""))
			return false;
		if (number_of(command->args, "qty") > 100)
			reply = refused(reply, "out_of_stock");
	} else if (slice_is(command->command, "charge")) {
		reply.output = SLICE_LITERAL("{\"receipt\":\"p-1\"}");
		if (has(command->args, "\"decline\":true"))
			reply = refused(reply, "card_declined");
	} else if (slice_is(command->command, "confirm") && has(command->args, "\"lost\"") &&
		   has(command->id, "/0/do")) {
		reply = refused(reply, "unknown_reservation");
	}
	*out = reply;
	return true;
}

/* What one of them is. It remembers what it answered, while it is there. */
struct service {
	struct port *port;
	struct barrier *barrier;
	struct arena arena;
};

static void answer_command(struct service *service, const struct command_message *command)
{
	struct barrier *barrier = service->barrier;
	const struct barrier_desk desk = {
		.barrier = barrier, .run = serve, .arena = &service->arena};
	struct reply_message reply;
	enum barrier_answer answer;

	if (barrier->ops->begin(barrier) || barrier_answer(&desk, command, &reply, &answer) ||
	    barrier->ops->commit(barrier) ||
	    (answer == BARRIER_ANSWERED && port_reply(service->port, &reply)))
		_exit(1);
}

static void turn_service(struct service *service)
{
	struct command_message command;
	struct inquiry_message inquiry;
	struct records_message records;

	port_pump(service->port, 2);
	arena_reset(&service->arena);
	while (port_poll(service->port, &command))
		answer_command(service, &command);
	while (port_inquiry(service->port, &inquiry)) {
		inquiry_answer(service->barrier, &inquiry, 0, &service->arena, &records);
		port_records(service->port, &records);
	}
}

static void run_services(const char *socket)
{
	static const char *const names[] = {"inventory", "payment", "notification"};
	struct service services[3] = {0};

	for (int i = 0; i < 3; i++) {
		const struct port_local_setup setup = {
			.link = {.path = socket, .clock = clock_system(), .wake_fd = -1},
			.session = {.participant = names[i], .name = "test", .window = 100},
		};

		services[i].barrier = barrier_memory_new();
		if (!services[i].barrier || port_local_open(&setup, &services[i].port, NULL))
			_exit(1);
	}
	for (;;)
		for (int i = 0; i < 3; i++)
			turn_service(&services[i]);
}

void services_start(struct background *services, const char *socket)
{
	*services = (struct background){fork(), NULL};
	ck_assert(services->pid >= 0);
	if (services->pid == 0)
		run_services(socket);
}
