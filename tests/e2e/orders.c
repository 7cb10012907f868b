#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "tests/e2e/orders.h"

#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/lib/random.h"

#include <check.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BATCH_MAX = 60,
	BODY_MAX = 1024 * 1024,
	PAGE = 1000,
	PAUSE_MS = 20, /* after what did not work */
	REST_MS = 100, /* between two requests, at most */
	STEP_MS = 5,
};

/* --- one order -------------------------------------------------------------------- */

enum fate { GOOD, DECLINED, SOLD_OUT };

struct order {
	enum fate fate;
	int qty;
	int cents;
};

static struct order order_of(const struct orders *orders, int number)
{
	struct random random = {((uint64_t)orders->seed << 32) + (uint32_t)number};
	uint32_t draw = random_below(&random, 100);

	return (struct order){
		.fate = draw < 10   ? DECLINED
			: draw < 15 ? SOLD_OUT
				    : GOOD,
		.qty = 1 + (int)random_below(&random, 3),
		.cents = 1 + (int)random_below(&random, 100000),
	};
}

static void write_order(const struct orders *orders, int number, struct bytes *out)
{
	struct order order = order_of(orders, number);

	bytes_format(out,
		     "{\"saga\":\"order\",\"id\":\"order-%d\",\"input\":{\"order_id\":"
		     "\"order-%d\",\"sku\":\"%s\",\"qty\":%d,\"total\":%d.%02d,\"email\":"
		     "\"customer-%d@example.org\",\"card\":\"4111\"%s}}\n",
		     number, number, order.fate == SOLD_OUT ? "sold-out" : "book", order.qty,
		     order.cents / 100, order.cents % 100, number,
		     order.fate == DECLINED ? ",\"decline\":true" : "");
}

/* "order-17" or "order-17/..." is 17. */
static int number_of(const struct orders *orders, struct slice id)
{
	char text[32];
	long number;
	char *end;

	snprintf(text, sizeof text, "%.*s", SLICE_ARG(id));
	ck_assert_msg(!strncmp(text, "order-", 6), "there is a saga %s that nobody started",
		      text);
	number = strtol(text + 6, &end, 10);
	ck_assert_msg(end > text + 6 && number >= 0 && number < orders->n,
		      "there is a saga %s that nobody started", text);
	return (int)number;
}

/* --- clients ---------------------------------------------------------------------- */

/* One of several processes; a failure of its own shows in its exit code. */
struct client {
	const struct orders *orders;
	const char *urls[ORDER_URLS_MAX];
	int n_urls, turn;
	struct random random;
	struct arena arena;
};

static const char *url_of(const struct client *client)
{
	return client->urls[client->turn % client->n_urls];
}

static void must(bool right, const char *what, struct slice text)
{
	if (right)
		return;
	fprintf(stderr, "%s: %.*s\n", what, SLICE_ARG(text));
	_exit(EXIT_FAILURE);
}

static bool is_busy(struct json answer, struct arena *arena)
{
	struct slice code = member_text(answer, "code", arena);

	return slice_is(code, "busy") || slice_is(code, "store-unavailable") ||
	       slice_is(code, "not-ready") || slice_is(code, "stopping") ||
	       slice_is(code, "no-owner") || slice_is(code, "moved");
}

/* An answer to the start of order `number`; false: it has to be sent again. */
static bool take_answer(struct client *client, struct slice text, int number)
{
	struct json answer;
	char id[32];

	must(!json_parse(text, BODY_MAX, &client->arena, &answer, NULL), "no JSON", text);
	if (is_busy(answer, &client->arena)) {
		__atomic_add_fetch(&client->orders->board->n_busy, 1, __ATOMIC_RELAXED);
		return false;
	}
	snprintf(id, sizeof id, "order-%d", number);
	must(slice_is(member_text(answer, "id", &client->arena), id), "not accepted", text);
	__atomic_add_fetch(&client->orders->board->n_accepted, 1, __ATOMIC_RELAXED);
	return true;
}

static bool heard(struct client *client, struct http_answer answer)
{
	if (answer.status)
		return true;
	__atomic_add_fetch(&client->orders->board->n_unanswered, 1, __ATOMIC_RELAXED);
	return false;
}

/* What was not accepted stays in `numbers`; how many these are. */
static int send_one(struct client *client, int *numbers)
{
	struct bytes body = BYTES(BODY_MAX, &client->arena);
	struct http_answer answer;

	write_order(client->orders, numbers[0], &body);
	answer = http_ask(url_of(client), "/v1/sagas", bytes_slice(&body), &client->arena);
	return !heard(client, answer) || !take_answer(client, answer.text, numbers[0]);
}

static int send_batch(struct client *client, int *numbers, int n)
{
	struct bytes body = BYTES(BODY_MAX, &client->arena);
	struct http_answer answer;
	const char *line;
	int left = 0;

	for (int i = 0; i < n; i++)
		write_order(client->orders, numbers[i], &body);
	answer =
		http_ask(url_of(client), "/v1/sagas:batch", bytes_slice(&body), &client->arena);
	if (!heard(client, answer))
		return n;
	line = answer.text.at;
	for (int i = 0; i < n; i++) {
		size_t len = strcspn(line, "\n");

		must(line[len] == '\n', "an answer is missing", answer.text);
		if (!take_answer(client, (struct slice){line, len}, numbers[i]))
			numbers[left++] = numbers[i];
		line += len + 1;
	}
	return left;
}

static void send_all(struct client *client, int *numbers, int n)
{
	while (n) {
		n = n == 1 ? send_one(client, numbers) : send_batch(client, numbers, n);
		arena_reset(&client->arena);
		if (!n)
			return;
		client->turn++;
		works_sleep_ms(PAUSE_MS);
	}
}

static int goal(const struct orders *orders)
{
	return __atomic_load_n(&orders->board->goal, __ATOMIC_RELAXED);
}

/* The orders first, first + ORDER_CLIENTS, ... */
static void run_client(const struct orders *orders, const char *const *urls, int n_urls,
		       int first)
{
	struct client client = {.orders = orders,
				.n_urls = n_urls,
				.turn = first,
				.random = {((uint64_t)orders->seed << 8) + (uint32_t)first}};
	int next = first;

	memcpy(client.urls, urls, (size_t)n_urls * sizeof *urls);
	while (next < orders->n) {
		int numbers[BATCH_MAX], n = 0, most = 1;

		if (random_percent(&client.random, 50))
			most = 2 + (int)random_below(&client.random, BATCH_MAX - 1);
		for (; n < most && next < goal(orders); next += ORDER_CLIENTS)
			numbers[n++] = next;
		send_all(&client, numbers, n);
		works_sleep_ms((int)random_below(&client.random, REST_MS));
	}
}

long orders_setting(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

void orders_init(struct orders *orders, uint32_t seed, int n)
{
	*orders = (struct orders){.seed = seed, .n = n, .doomed = -1};
	orders->board = mmap(NULL, sizeof *orders->board, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(orders->board != MAP_FAILED);
	orders->board->goal = n;
}

void orders_begin(struct orders *orders, const char *url)
{
	orders_begin_at(orders, &url, 1);
}

void orders_begin_at(struct orders *orders, const char *const *urls, int n)
{
	for (int i = 0; i < ORDER_CLIENTS; i++) {
		orders->clients[i] = fork();
		ck_assert_int_ge(orders->clients[i], 0);
		if (orders->clients[i] == 0) {
			run_client(orders, urls, n, i);
			_exit(EXIT_SUCCESS);
		}
	}
}

void orders_allow(struct orders *orders, int goal)
{
	__atomic_store_n(&orders->board->goal, goal < orders->n ? goal : orders->n,
			 __ATOMIC_RELAXED);
}

int orders_accepted(const struct orders *orders)
{
	return __atomic_load_n(&orders->board->n_accepted, __ATOMIC_RELAXED);
}

void orders_send_part(struct orders *orders, int part, int parts)
{
	int before = orders_accepted(orders);
	int goal = (int)((int64_t)orders->n * (part + 1) / parts);

	orders_allow(orders, goal);
	orders_await_accepted(orders, before + (goal - before) / 2);
}

/* A client that has ended; with WNOHANG perhaps not. */
static void reap(struct orders *orders, int client, int flags)
{
	pid_t pid = 0;
	int status;

	if (!orders->clients[client])
		return;
	while ((pid = waitpid(orders->clients[client], &status, flags)) < 0)
		ck_assert_int_eq(errno, EINTR);
	if (!pid)
		return;
	ck_assert_msg(status == 0, "client %d failed", client);
	orders->clients[client] = 0;
}

void orders_await_accepted(struct orders *orders, int n)
{
	while (orders_accepted(orders) < n) {
		for (int i = 0; i < ORDER_CLIENTS; i++)
			reap(orders, i, WNOHANG);
		works_sleep_ms(STEP_MS);
	}
}

void orders_await(struct orders *orders)
{
	orders_allow(orders, orders->n);
	for (int i = 0; i < ORDER_CLIENTS; i++)
		reap(orders, i, 0);
	ck_assert_int_eq(orders_accepted(orders), orders->n);
}

/* --- what is in the books --------------------------------------------------------- */

/* Of one order, everywhere. */
struct found {
	int sagas;
	bool completed, compensated;
	struct slice status;
	int64_t held, confirmed, released; /* pieces */
	int64_t charged, refunded;         /* cents */
	int confirmations, cancellations;  /* messages */
};

static void read_page(const struct orders *orders, struct json page, struct found *found,
		      struct arena *arena)
{
	struct json_each each = json_each(member_json(page, "sagas"));

	while (json_next(&each)) {
		int number = number_of(orders, member_text(each.value, "id", arena));

		found[number].sagas++;
		found[number].status = member_text(each.value, "status", arena);
		found[number].completed = slice_is(found[number].status, "completed");
		found[number].compensated = slice_is(found[number].status, "compensated");
	}
}

static void read_sagas(const struct orders *orders, const char *url, struct found *found,
		       struct arena *arena)
{
	struct slice next = {0};
	char path[128];

	do {
		struct json page;

		snprintf(path, sizeof path, "/v1/sagas?limit=%d%s%.*s", PAGE,
			 next.len ? "&cursor=" : "", SLICE_ARG(next));
		page = http_get(url, path, arena);
		read_page(orders, page, found, arena);
		next = member_text(page, "next", arena);
	} while (next.len);
}

/* The lines after the first one. */
static void read_audit(const struct orders *orders, struct slice audit, struct found *found,
		       struct arena *arena)
{
	const char *line = audit.at + strcspn(audit.at, "\n") + 1;

	for (; *line; line += strcspn(line, "\n") + 1) {
		struct slice text = {line, strcspn(line, "\n")};
		struct found *of;
		struct json json;

		ck_assert_int_eq(json_parse(text, BODY_MAX, arena, &json, NULL), OK);
		of = &found[number_of(orders, member_text(json, "saga", arena))];
		of->held += member_number(json, "held");
		of->confirmed += member_number(json, "confirmed");
		of->released += member_number(json, "released");
		of->charged += member_number(json, "charged_cents");
		of->refunded += member_number(json, "refunded_cents");
	}
}

static void read_message(const struct orders *orders, sqlite3_stmt *row, struct found *found)
{
	const char *command = (const char *)sqlite3_column_text(row, 0);
	const char *template = (const char *)sqlite3_column_text(row, 2);
	int number = number_of(orders, slice_of(command));
	char recipient[64];

	snprintf(recipient, sizeof recipient, "customer-%d@example.org", number);
	ck_assert_str_eq((const char *)sqlite3_column_text(row, 1), recipient);
	found[number].confirmations += !strcmp(template, "order-confirmed");
	found[number].cancellations += !strcmp(template, "order-cancelled");
}

static void read_outbox(const struct orders *orders, struct found *found)
{
	static const char sql[] = "SELECT command, recipient, template FROM message";
	sqlite3_stmt *row = NULL;
	sqlite3 *db = NULL;
	int result;

	ck_assert_int_eq(sqlite3_open("notification.db", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	while ((result = sqlite3_step(row)) == SQLITE_ROW)
		read_message(orders, row, found);
	ck_assert_int_eq(result, SQLITE_DONE);
	sqlite3_finalize(row);
	sqlite3_close(db);
}

/* --- whether that is right -------------------------------------------------------- */

/* A completed order: paid, gone from the stock, confirmed. Any other: as if nothing
 * had been, and the customer knows. `lax` is for messages alone: a mail that nobody
 * could send in time is given up by the definition. */
static bool is_right(const struct order *order, const struct found *found, bool lax)
{
	bool completed = found->completed;
	int told = completed ? found->confirmations : found->cancellations;
	int told_else = completed ? found->cancellations : found->confirmations;

	return found->sagas == 1 && (completed || found->compensated) && found->held == 0 &&
	       found->confirmed == (completed ? order->qty : 0) &&
	       (found->released == 0 || (!completed && found->released == order->qty)) &&
	       found->charged == (completed ? order->cents : 0) && found->refunded == 0 &&
	       told_else == 0 && (told == 1 || (lax && told == 0));
}

static void check_order(const struct orders *orders, int number, const struct found *found,
			enum order_rule rule, struct order_ends *ends)
{
	struct order order = order_of(orders, number);
	bool good = order.fate == GOOD && number != orders->doomed;
	bool given_up = good && found->compensated;

	ck_assert_msg(
		is_right(&order, found, rule == ORDER_MAY_BE_GIVEN_UP) &&
			(good || found->compensated) &&
			(!given_up || rule == ORDER_MAY_BE_GIVEN_UP),
		"seed %u, order-%d (%s, %d pieces, %d cents): %d sagas, %.*s; held %lld, "
		"confirmed %lld, released %lld pieces; charged %lld, refunded %lld cents; %d "
		"confirmations, %d cancellations",
		orders->seed, number,
		order.fate == GOOD       ? "good"
		: order.fate == DECLINED ? "declined"
					 : "sold out",
		order.qty, order.cents, found->sagas, SLICE_ARG(found->status),
		(long long)found->held, (long long)found->confirmed, (long long)found->released,
		(long long)found->charged, (long long)found->refunded, found->confirmations,
		found->cancellations);
	ends->completed += found->completed;
	ends->compensated += found->compensated;
	ends->given_up += given_up;
}

struct order_ends orders_check(const struct orders *orders, const struct works *works,
			       enum order_rule rule)
{
	struct found *found = calloc((size_t)orders->n, sizeof *found);
	struct order_ends ends = {0};
	struct arena arena = {0};

	ck_assert_ptr_nonnull(found);
	read_sagas(orders, works->server.url, found, &arena);
	read_audit(orders, works_audit(works, INVENTORY, &arena), found, &arena);
	read_audit(orders, works_audit(works, PAYMENT, &arena), found, &arena);
	works_audit(works, NOTIFICATION, &arena); /* its books agree, too */
	read_outbox(orders, found);
	for (int i = 0; i < goal(orders); i++)
		check_order(orders, i, &found[i], rule, &ends);
	free(found);
	arena_release(&arena);
	return ends;
}
