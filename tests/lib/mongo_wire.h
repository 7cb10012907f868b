/* mongo_wire.h - MongoDB's protocol, for what stands in a server's place: messages with a
 * head of four numbers, namely their length, their id, the id that they answer, and their
 * kind. */
#ifndef SKALD_TESTS_LIB_MONGO_WIRE_H
#define SKALD_TESTS_LIB_MONGO_WIRE_H

#include <stdint.h>

enum { MONGO_WIRE_HEAD = 16, MONGO_WIRE_ID_AT = 4, MONGO_WIRE_KIND_AT = 12 };

/* An answer of old, a question of old, and what is said today. */
enum { MONGO_WIRE_REPLY = 1, MONGO_WIRE_QUERY = 2004, MONGO_WIRE_MESSAGE = 2013 };

uint32_t mongo_wire_number(const uint8_t *at);
uint8_t *mongo_wire_put(uint8_t *at, uint32_t number); /* the place behind it */

/* A message, which is to be freed; NULL: there are no more. */
uint8_t *mongo_wire_take(int from, uint32_t *len);

/* The name of its command; a text of it, "writeConcern.w". "" where there is none. */
const char *mongo_wire_command(const uint8_t *message, uint32_t len);
const char *mongo_wire_text(const uint8_t *message, uint32_t len, const char *path);

/* An answer of today with more in its document, in the place of the one, which is freed. */
struct _bson_t;
uint8_t *mongo_wire_add(uint8_t *answer, uint32_t *len, const struct _bson_t *more);

/* A socket that listens at a free port of 127.0.0.1. */
int mongo_wire_listen(int *port);

#endif
