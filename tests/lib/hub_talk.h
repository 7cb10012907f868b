/* hub_talk.h - what tests say to a hub, and what it says to them, as text. */
#ifndef SKALD_TESTS_LIB_HUB_TALK_H
#define SKALD_TESTS_LIB_HUB_TALK_H

#include "bus/hub.h"
#include "proto/wire.h"

enum { HELLO_MS = 1000 };

/* So little of everything that a test reaches it. */
extern const struct hub_limits hub_small;

struct hub *open_hub(void);

/* Somebody who has said nothing yet; and a participant that has said hello. */
struct hub_connection *connect_to(struct hub *hub);
struct hub_connection *come(struct hub *hub, const char *participant, uint32_t window);

/* What a connection says; nothing is allocated for it. */
void say_frame(struct hub *hub, struct hub_connection *connection, const struct frame *frame);
void say_hello(struct hub *hub, struct hub_connection *connection, const char *participant,
	       uint32_t window);
void say_reply(struct hub *hub, struct hub_connection *connection, const char *id);
void say_start(struct hub *hub, struct hub_connection *connection, uint64_t request);

/* Commands to the participant "stock". */
enum err command_stock_with(struct hub *hub, const char *id, struct slice args);
void command_stock(struct hub *hub, const char *id);

/* All that the hub has to say to a connection: "welcome, command a, settled 1".
 * It is taken as sent, and valid until the next call. */
const char *talk(struct hub *hub, struct hub_connection *connection);

/* Poll and acknowledge all that came; how many messages that was. */
size_t take_all(struct hub *hub);

#endif
