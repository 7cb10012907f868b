#include "tests/lib/shop.h"

#include "base/json.h"
#include "participants/lib/barrier_memory.h"
#include "participants/lib/participant.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const char *const shop_services[SHOP_SERVICES] = {"inventory", "payment", "notification"};

struct shop {
	struct shop_order orders[SHOP_ORDERS_MAX];
	size_t n_orders;
	struct barrier *barriers[SHOP_SERVICES]; /* they survive a crash, as the books do */
	skald_participant *participants[SHOP_SERVICES];
	int fail_every;
	int runs;
};

static struct shop_order *find(struct shop *shop, const char *saga_id)
{
	for (size_t i = 0; i < shop->n_orders; i++)
		if (!strcmp(shop->orders[i].saga_id, saga_id))
			return &shop->orders[i];
	assert(shop->n_orders < SHOP_ORDERS_MAX);
	snprintf(shop->orders[shop->n_orders].saga_id, sizeof shop->orders->saga_id, "%s",
		 saga_id);
	return &shop->orders[shop->n_orders++];
}

static bool fails(struct shop *shop)
{
	return shop->fail_every && ++shop->runs % shop->fail_every == 0;
}

static bool argument_is_true(const skald_command *command, const char *name)
{
	struct json args = {slice_of(skald_command_args(command))}, value;

	return json_get(args, slice_of(name), &value) && json_type(value) == JSON_BOOL &&
	       json_bool(value);
}

static int64_t integer_argument(const skald_command *command, const char *name)
{
	struct json args = {slice_of(skald_command_args(command))}, value;
	struct decimal number;

	if (!json_get(args, slice_of(name), &value) || json_type(value) != JSON_NUMBER ||
	    json_number(value, &number))
		return 0;
	return decimal_truncate(number);
}

/* Take effect: one more in the book, unless the run fails. */
static skald_outcome count(struct shop *shop, int *book, skald_reply *reply, const char *output)
{
	if (fails(shop))
		return skald_reply_fail(reply, "unlucky", "try again");
	++*book;
	return skald_reply_ok(reply, output);
}

static skald_outcome reserve(const skald_command *command, skald_reply *reply, void *context)
{
	struct shop_order *order = find(context, skald_command_saga_id(command));

	if (integer_argument(command, "qty") > 1000)
		return skald_reply_refuse(reply, "out_of_stock", "there are not so many");
	return count(context, &order->reserved, reply, "{\"id\":\"r-1\"}");
}

static skald_outcome release(const skald_command *command, skald_reply *reply, void *context)
{
	return count(context, &find(context, skald_command_saga_id(command))->released, reply,
		     NULL);
}

static skald_outcome confirm(const skald_command *command, skald_reply *reply, void *context)
{
	return count(context, &find(context, skald_command_saga_id(command))->confirmed, reply,
		     NULL);
}

static skald_outcome charge(const skald_command *command, skald_reply *reply, void *context)
{
	struct shop_order *order = find(context, skald_command_saga_id(command));

	if (argument_is_true(command, "decline"))
		return skald_reply_refuse(reply, "card_declined", "the bank said no");
	return count(context, &order->charged, reply, "{\"receipt\":\"p-1\"}");
}

static skald_outcome send(const skald_command *command, skald_reply *reply, void *context)
{
	return count(context, &find(context, skald_command_saga_id(command))->sent, reply,
		     NULL);
}

static const struct {
	int service;
	const char *command;
	skald_handler *handler;
} handlers[] = {
	{0, "reserve", reserve}, {0, "release", release}, {0, "confirm", confirm},
	{1, "charge", charge},   {2, "send", send},
};

struct shop *shop_new(void)
{
	struct shop *shop = calloc(1, sizeof *shop);

	assert(shop);
	for (int i = 0; i < SHOP_SERVICES; i++) {
		shop->barriers[i] = barrier_memory_new();
		assert(shop->barriers[i]);
	}
	return shop;
}

void shop_free(struct shop *shop)
{
	shop_close(shop);
	for (int i = 0; i < SHOP_SERVICES; i++)
		barrier_close(shop->barriers[i]);
	free(shop);
}

void shop_fail_every(struct shop *shop, int n)
{
	shop->fail_every = n;
}

void shop_open(struct shop *shop, struct port *const ports[SHOP_SERVICES],
	       const struct clock *clock)
{
	bool ok;

	for (int i = 0; i < SHOP_SERVICES; i++) {
		shop->participants[i] = participant_open(ports[i], shop->barriers[i], clock, 0);
		assert(shop->participants[i]);
	}
	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
		ok = skald_participant_on(shop->participants[handlers[i].service],
					  handlers[i].command, handlers[i].handler, shop);
		assert(ok);
	}
}

void shop_close(struct shop *shop)
{
	for (int i = 0; i < SHOP_SERVICES; i++) {
		skald_participant_free(shop->participants[i]);
		shop->participants[i] = NULL;
	}
}

size_t shop_poll(struct shop *shop)
{
	size_t n = 0;

	for (int i = 0; i < SHOP_SERVICES; i++)
		n += skald_participant_poll(shop->participants[i]);
	return n;
}

struct shop_order shop_order(const struct shop *shop, const char *saga_id)
{
	for (size_t i = 0; i < shop->n_orders; i++)
		if (!strcmp(shop->orders[i].saga_id, saga_id))
			return shop->orders[i];
	return (struct shop_order){0};
}
