#include "tests/lib/impostor.h"

#include "tests/lib/mongo_wire.h"

#include <assert.h>
#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WIRE_5_0 = 13, NOT_PRIMARY = 10107, ANSWER_MAX = 4096 };

/* --- what it says ----------------------------------------------------------------------- */

static void say_hello(const struct impostor_setup *setup, bson_t *out)
{
	BSON_APPEND_BOOL(out, "ismaster", !setup->secondary);
	if (setup->secondary) {
		BSON_APPEND_BOOL(out, "secondary", true);
		BSON_APPEND_UTF8(out, "setName", "rs0");
		BCON_APPEND(out, "hosts", "[", "10.255.255.1:27017", "]");
	}
	BCON_APPEND(out, "saslSupportedMechs", "[", "SCRAM-SHA-256", "]");
	BSON_APPEND_INT32(out, "maxBsonObjectSize", 16 << 20);
	BSON_APPEND_INT32(out, "maxMessageSizeBytes", 48000000);
	BSON_APPEND_INT32(out, "maxWriteBatchSize", 100000);
	BSON_APPEND_INT32(out, "minWireVersion", 0);
	BSON_APPEND_INT32(out, "maxWireVersion",
			  setup->wire_version ? setup->wire_version : WIRE_5_0);
}

static void refuse(int code, const char *text, bson_t *out)
{
	BSON_APPEND_DOUBLE(out, "ok", 0);
	BSON_APPEND_INT32(out, "code", code);
	BSON_APPEND_UTF8(out, "errmsg", text);
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names) != 0)
		names++;
	return *names;
}

static void answer(const struct impostor_setup *setup, const char *command, bson_t *out)
{
	static const char *const hellos[] = {"isMaster", "ismaster", "hello", NULL};
	static const char *const writes[] = {"insert",        "update",        "delete",
					     "findAndModify", "createIndexes", NULL};
	int version = setup->version ? setup->version : 5;

	if (setup->refused && strcmp(command, setup->refused) == 0) {
		refuse(setup->code, setup->text, out);
		return;
	}
	if (setup->secondary && is_one_of(command, writes)) {
		refuse(NOT_PRIMARY, "not primary", out);
		return;
	}
	BSON_APPEND_DOUBLE(out, "ok", 1);
	if (is_one_of(command, hellos))
		say_hello(setup, out);
	if (strcmp(command, "buildInfo") == 0) {
		BCON_APPEND(out, "versionArray", "[", BCON_INT32(version), "]");
		BCON_APPEND(out, "version", BCON_UTF8(version < 5 ? "4.4.29" : "5.0.0"));
	}
	if (strcmp(command, "find") == 0)
		BCON_APPEND(out, "cursor", "{", "id", BCON_INT64(0), "ns", "x.y", "firstBatch",
			    "[", "]", "}");
}

/* In the way in which it was asked. */
static bool send_answer(int to, const uint8_t *question, const bson_t *document)
{
	bool query = mongo_wire_number(question + MONGO_WIRE_KIND_AT) == MONGO_WIRE_QUERY;
	uint32_t between = query ? 20 : 5, len = MONGO_WIRE_HEAD + between + document->len;
	uint8_t message[ANSWER_MAX] = {0}, *at = message;

	assert(len <= sizeof message);
	at = mongo_wire_put(mongo_wire_put(at, len), 1);
	at = mongo_wire_put(at, mongo_wire_number(question + MONGO_WIRE_ID_AT));
	at = mongo_wire_put(at, query ? MONGO_WIRE_REPLY : MONGO_WIRE_MESSAGE);
	if (query) /* how many documents */
		mongo_wire_put(at + between - 4, 1);
	memcpy(at + between, bson_get_data(document), document->len);
	return write(to, message, len) == (ssize_t)len;
}

static void serve(const struct impostor_setup *setup, int client)
{
	bool good = true;
	uint8_t *message;
	uint32_t len;

	while (good && (message = mongo_wire_take(client, &len)) != NULL) {
		bson_t document = BSON_INITIALIZER;

		answer(setup, mongo_wire_command(message, len), &document);
		good = send_answer(client, message, &document);
		bson_destroy(&document);
		free(message);
	}
}

/* --- the process ------------------------------------------------------------------------ */

static void run(const struct impostor_setup *setup, int listening)
{
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept(listening, NULL, NULL);

		serve(setup, client);
		close(client);
	}
}

void impostor_start(struct impostor *impostor, const struct impostor_setup *setup)
{
	int listening = mongo_wire_listen(&impostor->port);

	impostor->pid = fork();
	assert(impostor->pid >= 0);
	if (impostor->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(setup, listening);
	}
	close(listening);
}

void impostor_stop(struct impostor *impostor)
{
	kill(impostor->pid, SIGKILL);
	waitpid(impostor->pid, NULL, 0);
}
