#include "tests/lib/typed.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A failure shows the end of what was printed. */
enum { SCRIPT_MAX = 1024 * 1024, SHOWN_MAX = 6000 };

/* Below those that the system gives away, and another one in every process. */
static int free_port(void)
{
	for (int i = 0; i < 1000; i++) {
		int port = 10000 + (getpid() + i) % 20000;
		struct sockaddr_in address = {.sin_family = AF_INET,
					      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					      .sin_port = htons((uint16_t)port)};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

		close(fd);
		if (is_free)
			return port;
	}
	ck_abort_msg("no port is free");
	return 0;
}

static const char *find(struct slice line, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= line.len; i++) {
		if (memcmp(line.at + i, part, len) == 0)
			return line.at + i;
	}
	return NULL;
}

/* One command, with the lines that it goes over. */
static struct slice next_command(struct slice *rest)
{
	struct slice command = {rest->at, 0}, line;
	bool quoted = false;

	while (slice_line(rest, &line)) {
		command.len = (size_t)(rest->at - command.at);
		for (size_t i = 0; i < line.len; i++)
			quoted ^= line.at[i] == '\'';
		if (!quoted && (!line.len || line.at[line.len - 1] != '\\'))
			break;
	}
	return command;
}

static void add_command(struct bytes *script, struct slice command)
{
	static const char mark[] = "# exits ";
	const char *exits = find(command, mark);
	char check[96];

	snprintf(check, sizeof check, "is $? %c <<'COMMAND'\n",
		 exits ? exits[sizeof mark - 1] : '0');
	bytes_append(script, command);
	bytes_text(script, check);
	bytes_append(script, command);
	bytes_text(script, "COMMAND\n");
	if (find(command, "skald serve ") && find(command, "&\n"))
		bytes_text(script,
			   "until build/skald stats >/dev/null 2>&1; do sleep 0.05; done\n");
}

struct slice typed_run(const char *build, const char *tree, struct slice commands,
		       struct arena *arena)
{
	struct bytes script = BYTES(SCRIPT_MAX, arena);
	struct process_setup setup = {.argv = {"/bin/bash", "-c"}};
	char sagas[4200], listen[64], server[64];
	int port = free_port();
	struct process_result result;

	snprintf(sagas, sizeof sagas, "%s/sagas", tree);
	ck_assert_int_eq(symlink(build, "build"), 0);
	ck_assert_int_eq(symlink(sagas, "sagas"), 0);
	bytes_text(&script, "is() { [ $1 = $2 ] || { echo \"exit $1: $(cat)\"; exit 99; }; }\n"
			    "trap 'kill -9 $(jobs -p); wait' EXIT\n"
			    "exec 2>&1\n");
	while (commands.len)
		add_command(&script, next_command(&commands));
	bytes_text(&script, "wait\n");
	bytes_add(&script, '\0');
	ck_assert_int_eq(script.err, OK);

	snprintf(listen, sizeof listen, "SKALD_LISTEN=127.0.0.1:%d", port);
	snprintf(server, sizeof server, "SKALD_SERVER=http://127.0.0.1:%d", port);
	setup.argv[2] = script.at;
	setup.env[0] = listen;
	setup.env[1] = server;
	setup.env[2] = "LANG=C.UTF-8";
	result = process_run(&setup, arena);
	ck_assert_msg(result.exit_code == 0, "%s",
		      result.out.at +
			      (result.out.len > SHOWN_MAX ? result.out.len - SHOWN_MAX : 0));
	return result.out;
}
