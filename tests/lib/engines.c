#define _XOPEN_SOURCE 700 /* realpath */

#include "tests/lib/engines.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char engines[4096]; /* the program */
static char mongo[MONGO_URI_SIZE];

bool engines_here(void)
{
	return realpath("tools/engines", engines) != NULL;
}

const char *engine_ask(const char *kind, const char *verb, const char *dir)
{
	static char out[4096];
	char program[sizeof engines], words[3][4096];
	char *const argv[] = {program, words[0], words[1], dir ? words[2] : NULL, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], status = 1;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(ends) != 0)
		return NULL;
	memcpy(program, engines, sizeof program);
	snprintf(words[0], sizeof words[0], "%s", kind);
	snprintf(words[1], sizeof words[1], "%s", verb);
	snprintf(words[2], sizeof words[2], "%s", dir ? dir : "");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	status = posix_spawn(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (!status && len + 1 < sizeof out &&
	       (n = read(ends[0], out + len, sizeof out - len - 1)) > 0)
		len += (size_t)n;
	close(ends[0]);
	out[len] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return !status && waitpid(pid, &status, 0) == pid && status == 0 ? out : NULL;
}

bool engines_signal(const char *dir, int signal)
{
	char path[4200], text[32] = "";
	FILE *file;
	long pid;

	snprintf(path, sizeof path, "%s/pid", dir);
	file = fopen(path, "r");
	if (!file)
		return false;
	pid = fgets(text, sizeof text, file) ? strtol(text, NULL, 10) : 0;
	fclose(file);
	return pid > 1 && kill((pid_t)pid, signal) == 0;
}

/* --- MongoDB ------------------------------------------------------------------------ */

/* False: it was said that its tests are skipped. */
static bool use(const char *uri)
{
	if (uri) {
		snprintf(mongo, sizeof mongo, "%s", uri);
		return true;
	}
	printf("0 passed, 0 failed, 1 skipped: MongoDB could not be started; see above, or "
	       "set SKALD_TEST_MONGO=URI\n");
	fflush(stdout);
	return false;
}

bool mongo_find(const char *kind)
{
	const char *given = getenv("SKALD_TEST_MONGO");
	char dir[64];

	snprintf(dir, sizeof dir, "build/engines/%s", kind);
	if (!given || !*given)
		given = engines_here() ? engine_ask(kind, "up", dir) : NULL;
	return use(given);
}

bool mongo_find_own(char *dir, size_t size)
{
	char root[4096];

	if (!engines_here() || !getcwd(root, sizeof root))
		return use(NULL);
	snprintf(dir, size, "%s/build/engines/mongo-own", root);
	return use(engine_ask("mongo", "up", dir));
}

/* What the URI says of a database makes way. */
void mongo_database(char out[MONGO_URI_SIZE])
{
	const char *hosts = strstr(mongo, "://"), *options = strchr(mongo, '?');
	const char *slash = hosts ? strchr(hosts + 3, '/') : NULL;
	size_t len = slash ? (size_t)(slash - mongo) : strcspn(mongo, "?");
	struct timespec now;
	static int n;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(out, MONGO_URI_SIZE, "%.*s/test-%ld-%lld%03ld-%d%s", (int)len, mongo,
		 (long)getpid(), (long long)now.tv_sec, now.tv_nsec / 1000000, n++,
		 options ? options : "");
}

void mongo_drop(const char *text)
{
	mongoc_uri_t *uri = mongoc_uri_new(text);
	mongoc_client_t *client = mongoc_client_new_from_uri(uri);
	mongoc_database_t *database =
		mongoc_client_get_database(client, mongoc_uri_get_database(uri));
	bson_error_t error;

	if (!mongoc_database_drop(database, &error))
		printf("a database of a test stays: %s\n", error.message);
	mongoc_database_destroy(database);
	mongoc_client_destroy(client);
	mongoc_uri_destroy(uri);
}
