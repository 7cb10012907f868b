#include "tests/lib/mongo_wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <mongoc/mongoc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 << 20 };

uint32_t mongo_wire_number(const uint8_t *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof number);
	return BSON_UINT32_FROM_LE(number);
}

uint8_t *mongo_wire_put(uint8_t *at, uint32_t number)
{
	uint32_t little = BSON_UINT32_TO_LE(number);

	memcpy(at, &little, sizeof little);
	return at + sizeof little;
}

static bool read_all(int from, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(from, to, n);

		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

uint8_t *mongo_wire_take(int from, uint32_t *len)
{
	uint8_t head[MONGO_WIRE_HEAD], *message;

	if (!read_all(from, head, sizeof head))
		return NULL;
	*len = mongo_wire_number(head);
	if (*len < sizeof head || *len > MESSAGE_MAX)
		return NULL;
	message = malloc(*len);
	if (!message)
		return NULL;
	memcpy(message, head, sizeof head);
	if (read_all(from, message + sizeof head, *len - sizeof head))
		return message;
	free(message);
	return NULL;
}

/* It is behind flags and a 0; or behind flags, the name of a collection, and two numbers. */
static bool find_document(const uint8_t *message, uint32_t len, bson_t *out)
{
	size_t at = MONGO_WIRE_HEAD + 4;

	if (mongo_wire_number(message + MONGO_WIRE_KIND_AT) == MONGO_WIRE_QUERY) {
		const uint8_t *end = at < len ? memchr(message + at, 0, len - at) : NULL;

		at = end ? (size_t)(end - message) + 9 : len;
	} else {
		at++;
	}
	return at + 4 <= len && mongo_wire_number(message + at) <= len - at &&
	       bson_init_static(out, message + at, mongo_wire_number(message + at));
}

const char *mongo_wire_command(const uint8_t *message, uint32_t len)
{
	static bson_t document;
	bson_iter_t iter;

	if (!find_document(message, len, &document) || !bson_iter_init(&iter, &document) ||
	    !bson_iter_next(&iter))
		return "";
	return bson_iter_key(&iter);
}

const char *mongo_wire_text(const uint8_t *message, uint32_t len, const char *path)
{
	static bson_t document;
	bson_iter_t iter, found;

	if (!find_document(message, len, &document) || !bson_iter_init(&iter, &document) ||
	    !bson_iter_find_descendant(&iter, path, &found) || !BSON_ITER_HOLDS_UTF8(&found))
		return "";
	return bson_iter_utf8(&found, NULL);
}

uint8_t *mongo_wire_add(uint8_t *answer, uint32_t *len, const bson_t *more)
{
	size_t at = MONGO_WIRE_HEAD + 4 + 1;
	bson_t document, whole;
	uint8_t *added;
	bool good = find_document(answer, *len, &document);

	assert(good);
	bson_copy_to(&document, &whole);
	bson_concat(&whole, more);
	*len = (uint32_t)at + whole.len;
	added = malloc(*len);
	assert(added);
	memcpy(added, answer, at);
	mongo_wire_put(added, *len);
	memcpy(added + at, bson_get_data(&whole), whole.len);
	bson_destroy(&whole);
	free(answer);
	return added;
}

int mongo_wire_listen(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	bool good;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	good = listening >= 0 &&
	       bind(listening, (struct sockaddr *)&address, sizeof address) == 0 &&
	       listen(listening, 8) == 0 &&
	       getsockname(listening, (struct sockaddr *)&address, &size) == 0;
	assert(good);
	*port = ntohs(address.sin_port);
	return listening;
}
