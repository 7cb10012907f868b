#include "tests/e2e/works.h"

#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/lib/folder.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, STEP_MS = 20, IDLE_PATIENCE_MS = 120000 };

const char *const work_names[N_WORKS] = {"server", "inventory", "payment", "notification"};

static char programs[N_WORKS][PATH_SIZE];
static int shipped = -1; /* the folder of definitions */

/* --- what there is ---------------------------------------------------------------- */

void works_find(const char *argv0)
{
	char name[32];

	process_find(argv0, "skald", programs[SERVER], PATH_SIZE);
	for (int i = INVENTORY; i < N_WORKS; i++) {
		snprintf(name, sizeof name, "skald-%s", work_names[i]);
		process_find(argv0, name, programs[i], PATH_SIZE);
	}
	shipped = open("sagas", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (shipped < 0) {
		fprintf(stderr, "%s: run this test where the folder sagas is\n", argv0);
		exit(EXIT_FAILURE);
	}
}

const char *works_program(enum work work)
{
	return programs[work];
}

struct slice works_definition(const char *name, struct arena *arena)
{
	enum { DEFINITION_MAX = 1024 * 1024 };
	struct bytes text = BYTES(DEFINITION_MAX, arena);
	int fd = openat(shipped, name, O_RDONLY | O_CLOEXEC);
	char part[4096];
	ssize_t n;

	ck_assert_msg(fd >= 0, "there is no sagas/%s", name);
	while ((n = read(fd, part, sizeof part)) > 0)
		bytes_append(&text, (struct slice){part, (size_t)n});
	close(fd);
	bytes_add(&text, '\0');
	ck_assert(n == 0 && !text.err);
	return (struct slice){text.at, text.len - 1};
}

void works_copy_definition(const char *name)
{
	struct arena arena = {0};
	char path[PATH_SIZE];

	mkdir("sagas", 0700);
	mkdir("sagas/schemas", 0700);
	snprintf(path, sizeof path, "sagas/%s", name);
	folder_write(path, works_definition(name, &arena).at);
	arena_release(&arena);
}

void works_enter(void)
{
	folder_enter();
	works_copy_definition("schemas/order.json");
	works_copy_definition("order.yaml");
}

struct slice works_replace(struct slice definition, const char *text, const char *instead,
			   struct arena *arena)
{
	struct bytes out = BYTES(1024 * 1024, arena);
	const char *rest = definition.at, *place;

	while ((place = strstr(rest, text)) != NULL) {
		bytes_append(&out, (struct slice){rest, (size_t)(place - rest)});
		bytes_text(&out, instead);
		rest = place + strlen(text);
	}
	ck_assert_msg(rest != definition.at, "the definition does not say `%s`", text);
	bytes_text(&out, rest);
	bytes_add(&out, '\0');
	ck_assert_int_eq(out.err, OK);
	return (struct slice){out.at, out.len - 1};
}

/* --- beginning and ending --------------------------------------------------------- */

static void start_service(struct works *works, enum work work)
{
	struct process_setup setup = {
		.argv = {programs[work], "--bus", "local:data/bus.sock", "--data", "."}};
	struct arena arena = {0};

	for (int i = 0; works->args[work][i]; i++)
		setup.argv[5 + i] = works->args[work][i];
	background_start(&works->services[work], &setup, work_names[work]);
	background_until(&works->services[work], ": ready: data in ", &arena);
	arena_release(&arena);
}

void works_start_one(struct works *works, enum work work)
{
	if (work != SERVER)
		start_service(works, work);
	else if (works->server.url[0])
		serving_again(&works->server, programs[SERVER]);
	else
		serving_start(&works->server, programs[SERVER], works->args[SERVER]);
}

void works_start(struct works *works)
{
	for (enum work work = SERVER; work < N_WORKS; work++)
		works_start_one(works, work);
}

static struct background *process_of(struct works *works, enum work work)
{
	return work == SERVER ? &works->server.process : &works->services[work];
}

pid_t works_pid(const struct works *works, enum work work)
{
	return work == SERVER ? works->server.process.pid : works->services[work].pid;
}

void works_kill(struct works *works, enum work work)
{
	ck_assert_msg(background_stop(process_of(works, work), SIGKILL) == 128 + SIGKILL,
		      "%s had ended before it was killed", work_names[work]);
}

void works_stop(struct works *works)
{
	struct arena arena = {0};

	for (enum work work = SERVER; work < N_WORKS; work++) {
		struct background *process = process_of(works, work);

		ck_assert_msg(background_stop(process, SIGTERM) == 0, "%s did not end well: %s",
			      work_names[work], folder_read(process->log, &arena).at);
	}
	arena_release(&arena);
}

/* --- looking ---------------------------------------------------------------------- */

/* What the service was started with; NULL: not with that. */
static const char *given(const struct works *works, enum work work, const char *name)
{
	const char *value = NULL;

	for (int i = 0; works->args[work][i]; i++)
		if (strcmp(works->args[work][i], name) == 0)
			value = works->args[work][i + 1];
	return value;
}

struct slice works_audit(const struct works *works, enum work work, struct arena *arena)
{
	const char *data = given(works, work, "--data"), *store = given(works, work, "--store");
	struct process_setup setup = {.argv = {programs[work], "audit", "--json", "--sagas",
					       "--data", data ? data : ".",
					       store ? "--store" : NULL, store}};
	struct process_result result = process_run(&setup, arena);

	ck_assert_msg(result.exit_code == 0, "the books of %s: %s%.2000s", work_names[work],
		      result.errs.at, result.out.at);
	return result.out;
}

struct process_result works_reconcile(const struct works *works, struct arena *arena)
{
	struct process_setup setup = {.argv = {programs[SERVER], "reconcile", "--json",
					       "--server", works->server.url}};

	return process_run(&setup, arena);
}

void works_check_reconciled(const struct works *works)
{
	struct arena arena = {0};
	struct process_result result = works_reconcile(works, &arena);

	ck_assert_msg(result.exit_code == 0, "the record and the services' barriers: %s%.2000s",
		      result.errs.at, result.out.at);
	arena_release(&arena);
}

int64_t works_under_way(const struct works *works)
{
	struct arena arena = {0};
	struct json stats = http_get(works->server.url, "/v1/stats", &arena);
	struct json sagas = member_json(stats, "sagas");
	int64_t n = -1;

	if (json_type(sagas) == JSON_OBJECT)
		n = member_number(sagas, "running") + member_number(sagas, "compensating");
	arena_release(&arena);
	return n;
}

void works_wait_idle(const struct works *works)
{
	static const char some[] = "/v1/sagas?status=running,compensating&limit=3";
	struct arena arena = {0};

	for (int waited = 0; waited < IDLE_PATIENCE_MS; waited += STEP_MS) {
		if (works_under_way(works) == 0)
			return;
		works_sleep_ms(STEP_MS);
	}
	ck_abort_msg("%lld sagas are under way and do not end: %.*s",
		     (long long)works_under_way(works),
		     SLICE_ARG(http_get(works->server.url, some, &arena).text));
}

void works_sleep_ms(int ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}
