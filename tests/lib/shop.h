/* shop.h - the services of the order saga, in memory, with books to compare.
 *
 * Real handlers on the participant library: inventory, payment, notification.
 * They count what took effect for every saga, so that a test can say exactly
 * what must have happened.
 */
#ifndef SKALD_TESTS_LIB_SHOP_H
#define SKALD_TESTS_LIB_SHOP_H

#include "base/clock.h"
#include "bus/bus.h"

enum { SHOP_SERVICES = 3, SHOP_ORDERS_MAX = 64 };

/* The services' names, in the order of the ports that shop_open takes. */
extern const char *const shop_services[SHOP_SERVICES];

/* What took effect for one saga. */
struct shop_order {
	char saga_id[65];
	int reserved;
	int released;
	int confirmed;
	int charged;
	int sent;
};

struct shop;

struct shop *shop_new(void);
void shop_free(struct shop *shop);

/* Fail every nth run of a handler; 0: never. What a handler did before it
 * failed is rolled back. */
void shop_fail_every(struct shop *shop, int n);

/* Start the services' processes (the books stay), and stop them as if they had
 * crashed. */
void shop_open(struct shop *shop, struct port *const ports[SHOP_SERVICES],
	       const struct clock *clock);
void shop_close(struct shop *shop);

/* Let every service answer what is there; returns how many were answered. */
size_t shop_poll(struct shop *shop);

/* The saga's books; all zero where nothing happened. */
struct shop_order shop_order(const struct shop *shop, const char *saga_id);

#endif
