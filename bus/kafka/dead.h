/* dead.h - messages that nobody can use, on their way to PREFIX.dead.
 *
 * They keep their key, value and headers; more headers say why they are there and
 * from which place they came. docs/protocol.md names them.
 */
#ifndef SKALD_BUS_KAFKA_DEAD_H
#define SKALD_BUS_KAFKA_DEAD_H

#include "bus/kafka/kafka.h"
#include "proto/dead.h"

/* The headers, for whoever produces the letter. `code` is for programs, `text` for
 * people. */
rd_kafka_headers_t *dead_headers(const rd_kafka_message_t *message, struct slice code,
				 struct slice text);

/* What of the value goes along: all that a frame may have. */
struct slice dead_value(const rd_kafka_message_t *message);

/* A message of PREFIX.dead as a letter, whoever put it there; its id is the place where
 * it was found first. The message is borrowed, the rest in the arena. ERR_NOMEM. */
CHECKED enum err dead_read(const rd_kafka_message_t *message, struct arena *arena,
			   struct dead_letter *out);

/* The headers that it had; NULL: none. */
rd_kafka_headers_t *dead_original_headers(const struct dead_letter *letter);

#endif
