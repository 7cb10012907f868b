/* orders.h - many orders: started by several clients at once, whatever happens to the
 * server, and looked at in the end, one by one, in everybody's books.
 *
 * Order 17 is the saga order-17 of the customer customer-17@example.org, for 1 to 3
 * pieces. Every tenth or so has a card that is declined, every twentieth wants what
 * is sold out; which ones follows from the seed.
 */
#ifndef SKALD_TESTS_E2E_ORDERS_H
#define SKALD_TESTS_E2E_ORDERS_H

#include "tests/e2e/works.h"

#include <stdint.h>

enum { ORDER_CLIENTS = 3 };

/* What inventory has to be told: --stock and this. */
#define ORDER_SOLD_OUT "sold-out=0"

/* What the clients and the test share. */
struct order_board {
	int n_accepted;   /* starts that were answered */
	int n_unanswered; /* requests that were not, and were sent again */
	int n_busy;       /* answers that said to come again */
	int goal;         /* no order beyond this is sent yet */
};

struct orders {
	uint32_t seed;
	int n;
	int doomed; /* an order that has to be compensated, whatever its input; or -1 */
	struct order_board *board;
	pid_t clients[ORDER_CLIENTS];
};

/* A number that the environment may say otherwise. */
long orders_setting(const char *name, long otherwise);

void orders_init(struct orders *orders, uint32_t seed, int n);

/* Clients that send every order until it was accepted, in batches and one by one. */
void orders_begin(struct orders *orders, const char *url);

/* The same of several servers: whoever is not heard by one asks the next one. The URLs
 * stay as they are. */
enum { ORDER_URLS_MAX = 4 };
void orders_begin_at(struct orders *orders, const char *const *urls, int n);
void orders_allow(struct orders *orders, int goal);
int orders_accepted(const struct orders *orders);

/* Allow the next 1 of `parts` of all orders, and wait until half of them are accepted. */
void orders_send_part(struct orders *orders, int part, int parts);

/* Wait until so many are accepted; allow all, and wait for them. */
void orders_await_accepted(struct orders *orders, int n);
void orders_await(struct orders *orders);

/* How an order must end. Where it may have been given up because nobody answered in
 * time, a good one may be compensated as well. */
enum order_rule { ORDER_AS_IT_IS, ORDER_MAY_BE_GIVEN_UP };

struct order_ends {
	int completed, compensated, given_up;
};

/* Every order that was allowed has ended, as it must; stock, ledger and outbox say the same of
 * each, and nothing of anybody else. */
struct order_ends orders_check(const struct orders *orders, const struct works *works,
			       enum order_rule rule);

#endif
