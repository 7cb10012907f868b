#include "tests/lib/trio.h"

#include <check.h>
#include <stdio.h>

const char trio_errand[] = "saga: errand\n"
			   "version: 1.0.0\n"
			   "steps:\n"
			   "  - fetch: { call: shop.fetch, timeout: 1s, undo: { call: "
			   "shop.bring, timeout: 1s } }\n"
			   "  - pay: { kind: pivot, call: shop.pay, timeout: 1s }\n";

void trio_id(int i, char id[TRIO_ID_SIZE])
{
	snprintf(id, TRIO_ID_SIZE, "o-%d", i);
}

void trio_serve(struct port *shop)
{
	struct command_message command;

	while (port_poll(shop, &command)) {
		bool refused =
			slice_is(command.command, "pay") && slice_is(command.saga_id, "o-0");
		struct reply_message reply = {.id = command.id,
					      .attempt = command.attempt,
					      .outcome = refused ? MESSAGE_REFUSED : MESSAGE_OK,
					      .output = refused ? (struct slice){0}
								: SLICE_LITERAL("1")};

		ck_assert_int_eq(port_reply(shop, &reply), OK);
	}
}
