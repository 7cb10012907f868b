/* test_crash_loop.c - a command that its service dies of, every time: three processes
 * later it is answered as failed and its saga turns back, while all others go on. */
#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/e2e/orders.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

enum { ORDERS = 120, DOOMED = 1, DEATHS = 3, STEP_MS = 5, PATIENCE_MS = 50000 };

static struct works works;
static struct orders orders;
static struct arena arena;

/* order-1 it is, and not order-10, order-11, ..., order-119. */
static void begin(void)
{
	struct slice definition = works_definition("order.yaml", &arena);

	folder_enter();
	works_copy_definition("schemas/order.json");
	definition = works_replace(definition, "first: 200ms, factor: 2, max: 10s",
				   "first: 20ms, factor: 2, max: 100ms", &arena);
	folder_write("sagas/order.yaml", definition.at);
	works = (struct works){.args = {
				       [INVENTORY] = {"--stock", ORDER_SOLD_OUT},
				       [PAYMENT] = {"--faults", "deadly=order-1,slow=10ms"},
			       }};
	works_start(&works);
	orders_init(&orders, 2, ORDERS);
	orders.doomed = DOOMED;
}

static struct json doomed(void)
{
	char path[32];

	snprintf(path, sizeof path, "/v1/sagas/order-%d", DOOMED);
	return http_get(works.server.url, path, &arena);
}

/* As whoever looks after the service would. How often it was needed until the saga
 * that kills it has ended. */
static int look_after_payment(void)
{
	int deaths = 0;

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		struct background *payment = &works.services[PAYMENT];
		struct slice status = member_text(doomed(), "status", &arena);

		if (slice_is(status, "compensated") || slice_is(status, "completed"))
			return deaths;
		if (waitpid(payment->pid, NULL, WNOHANG) == payment->pid) {
			deaths++;
			works_start_one(&works, PAYMENT);
		}
		works_sleep_ms(STEP_MS);
	}
	ck_abort_msg("after %d deaths: %.*s", deaths, SLICE_ARG(doomed().text));
	return deaths;
}

START_TEST(test_a_command_that_kills_its_service_does_so_three_times)
{
	char last[128];

	begin();
	orders_begin(&orders, works.server.url);
	ck_assert_int_eq(look_after_payment(), DEATHS);
	ck_assert_ptr_nonnull(strstr(doomed().text.at, "\"crash-loop\""));
	snprintf(last, sizeof last,
		 "event=died-of-a-command command=order-%d/charge#0/0/do deaths=%d", DOOMED,
		 DEATHS);
	background_until(&works.services[PAYMENT], last, &arena);
	orders_await(&orders);
	works_wait_idle(&works);
	orders_check(&orders, &works, ORDER_AS_IT_IS);
	works_stop(&works);
	arena_release(&arena);
	folder_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_command_that_kills_its_service_does_so_three_times);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	return suite_run("crash_loop", add);
}
