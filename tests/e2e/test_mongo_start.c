/* test_mongo_start.c - programs that are started on a MongoDB that they cannot use end at
 * once, with a line that says which one, what is wrong with it, and what to do. */
#include "tests/lib/folder.h"
#include "tests/lib/impostor.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

enum { PORT_SIZE = 16, TEXT_SIZE = 600 };

static char skald[4096], payment[4096];

/* In texts PORT is the port of the impostor. */
static const struct row {
	const char *name;
	struct impostor_setup server;
	const char *store;
	int exit_code;
	const char *server_says; /* `skald serve`; NULL, both: it is not tried */
	const char *payment_says;
} rows[] = {
	{"the password is wrong",
	 {.refused = "saslStart", .code = 18, .text = "Authentication failed."},
	 "mongo:mongodb://ann:s3cret@127.0.0.1:PORT/shop",
	 1,
	 "MongoDB at 127.0.0.1:PORT does not accept the user ann with this password: "
	 "Authentication failed.; correct the URI of the store\n",
	 "--store: MongoDB at 127.0.0.1:PORT does not accept the user ann with this "
	 "password: Authentication failed.; correct the URI\n"},
	{"nobody is there",
	 {.refused = NULL},
	 "mongo:mongodb://ann:s3cret@127.0.0.1:1/shop",
	 1,
	 "MongoDB at 127.0.0.1:1 does not answer: No suitable servers found",
	 "--store: MongoDB at 127.0.0.1:1 cannot be asked: No suitable servers found"},
	{"nobody is there, and what to do",
	 {.refused = NULL},
	 "mongo:mongodb://127.0.0.1:1/shop",
	 1,
	 "; see whether it runs there, and whether the URI of the store is right\n",
	 "; see whether it runs there, and whether the URI is right\n"},
	{"the server wants a password",
	 {.refused = "createIndexes",
	  .code = 13,
	  .text = "command createIndexes requires authentication"},
	 "mongo:mongodb://127.0.0.1:PORT/shop",
	 1,
	 "MongoDB at 127.0.0.1:PORT wants to know who asks: command createIndexes requires "
	 "authentication; write mongodb://USER:PASSWORD@HOST:PORT/DATABASE",
	 "the collection payment of MongoDB cannot be used: command createIndexes requires "
	 "authentication; --store: is 127.0.0.1:PORT the primary, and may the user of the "
	 "URI write?"},
	{"the server is too old",
	 {.version = 4},
	 "mongo:mongodb://127.0.0.1:PORT/shop",
	 1,
	 "MongoDB at 127.0.0.1:PORT is version 4.4.29; 5.0 or later is needed\n",
	 NULL},
	{"the server is so old that its protocol is another one",
	 {.wire_version = 5},
	 "mongo:mongodb://127.0.0.1:PORT/shop",
	 1,
	 "MongoDB at 127.0.0.1:PORT cannot be used: Server at 127.0.0.1:PORT reports wire "
	 "version 5",
	 "--store: MongoDB at 127.0.0.1:PORT cannot be asked: Server at 127.0.0.1:PORT "
	 "reports wire version 5"},
	{"the server is a secondary",
	 {.secondary = true},
	 "mongo:mongodb://127.0.0.1:PORT/shop",
	 1,
	 "MongoDB at 127.0.0.1:PORT is not the primary of its replicas and takes no writes; "
	 "name all of them in the URI of the store, with ?replicaSet=NAME\n",
	 "the collection payment of MongoDB cannot be used: not primary; --store: is "
	 "127.0.0.1:PORT the primary, and may the user of the URI write?\n"},
	{"no URI",
	 {.refused = NULL},
	 "mongo:nonsense",
	 2,
	 "the URI of the store is no good: ",
	 NULL},
	{"no URI of the service",
	 {.refused = NULL},
	 "mongo:nonsense",
	 1,
	 NULL,
	 "--store: the URI is no good: "},
	{"another scheme",
	 {.refused = NULL},
	 "postgres:x",
	 2,
	 "there is no such store; write sqlite, memory or mongo:URI\n",
	 "--store: it begins with mongo:"},
};

static void put_port(const char *text, int port, char out[TEXT_SIZE])
{
	const char *place;
	size_t len = 0;

	for (; (place = strstr(text, "PORT")) != NULL; text = place + strlen("PORT")) {
		bool named = place[-1] == ':' && strncmp(place - 5, "HOST:", 5) == 0;
		char number[PORT_SIZE];

		snprintf(number, sizeof number, "%d", port);
		len += (size_t)snprintf(out + len, TEXT_SIZE - len, "%.*s%s",
					(int)(place - text), text, named ? "PORT" : number);
	}
	snprintf(out + len, TEXT_SIZE - len, "%s", text);
}

static void check(const struct row *row, const char *const *args, int port, const char *says)
{
	char store[TEXT_SIZE], text[TEXT_SIZE];
	struct process_setup setup = {.argv = {NULL}};
	struct process_result result;
	struct arena arena = {0};
	size_t n = 0;

	put_port(row->store, port, store);
	put_port(says, port, text);
	for (; args[n]; n++)
		setup.argv[n] = args[n];
	setup.argv[n++] = "--data";
	setup.argv[n++] = ".";
	setup.argv[n++] = "--store";
	setup.argv[n++] = store;
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == row->exit_code && strstr(result.errs.at, text) &&
			      !strstr(result.errs.at, "s3cret"),
		      "%s: exit %d: %s", row->name, result.exit_code, result.errs.at);
	arena_release(&arena);
}

START_TEST(test_what_a_start_says)
{
	static const char *const serve[] = {skald, "serve", "--listen", "127.0.0.1:0", NULL};
	static const char *const pay[] = {payment, NULL};
	const struct row *row = &rows[_i];
	struct impostor impostor;

	folder_enter();
	impostor_start(&impostor, &row->server);
	if (row->server_says)
		check(row, serve, impostor.port, row->server_says);
	if (row->payment_says)
		check(row, pay, impostor.port, row->payment_says);
	impostor_stop(&impostor);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_what_a_start_says, 0, ROWS(rows));
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	process_find(argv[0], "skald-payment", payment, sizeof payment);
	return suite_run("mongo_start", add);
}
