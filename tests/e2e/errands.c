#include "tests/e2e/errands.h"

#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/lib/folder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { QTY = 2, CENTS = 1250, TEXT_SIZE = 768, ID_SIZE = 65, DEEDS_MAX = 16 };

const char *const errand_names[ERRAND_FORMS] = {"good",    "declined", "sides",     "many",
						"child",   "wait",     "cancelled", "doubt",
						"revoked", "newest"};

/* --- the definitions -------------------------------------------------------------- */

/* Short pauses, so that a crash costs little; enough attempts to outlive it. */
#define HEAD(name, rest)                                                                   \
	"saga: " name "\nversion: 1.0.0\n" rest "use:\n  retry:\n"                         \
	"    often: { first: 20ms, factor: 2, max: 200ms, jitter: none, attempts: 100 }\n" \
	"    twice: { first: 20ms, factor: 1, max: 20ms, jitter: none, attempts: 2 }\n"    \
	"    undo: { first: 20ms, factor: 2, max: 200ms, jitter: none, budget: 1h }\n"     \
	"steps:\n"
#define TAKE(name, qty)                                                 \
	name ": { call: inventory.reserve, with: { sku: tea, qty: " qty \
	     " }, timeout: 5s, retry: often,\n"                         \
	     "      undo: { call: inventory.release, timeout: 5s, retry: undo } }\n"
#define TELL                                                                                  \
	"  - tell: { undo: { call: notification.send, with: { to: a@example.org }, timeout: " \
	"5s, retry: undo } }\n"
#define CHARGE(decline)                                                            \
	"  - charge: { kind: pivot, call: payment.charge, with: { amount: 12.50, " \
	"decline: " decline " }, timeout: 5s, retry: often }\n"
#define CONFIRM                                                     \
	"  - confirm: { kind: retriable, call: inventory.confirm, " \
	"with: { reservation: =reserve.out.id }, timeout: 5s, retry: often }\n"
#define NOTIFY                                                     \
	"  - notify: { kind: retriable, call: notification.send, " \
	"with: { to: a@example.org }, timeout: 5s, retry: often }\n"

static const struct {
	const char *name, *text;
} definitions[] = {
	{"whole", HEAD("whole", "key: =input.key\n") TELL "  - " TAKE("reserve", "2")
			  CHARGE("=input.decline") CONFIRM NOTIFY},
	{"sides",
	 HEAD("sides", "") "  - both:\n      parallel:\n        one:\n          - " TAKE(
		 "left",
		 "2") "        two:\n"
		      "          - right: { call: payment.charge, with: { amount: 12.50 }, "
		      "timeout: 5s, retry: often,\n"
		      "              undo: { call: payment.refund, timeout: 5s, retry: undo } "
		      "}\n" CHARGE("true")},
	{"many",
	 HEAD("many", "") "  - lines:\n      each:\n        in: =input.lines\n"
			  "        as: line\n        max: 5\n        steps:\n          - " TAKE(
				  "reserve", "=line")
				  CHARGE("false") "  - all:\n      each:\n        in: "
						  "=reserve.out\n        as: taken\n"
						  "        max: 5\n        steps:\n"
						  "          - confirm: { kind: retriable, "
						  "call: inventory.confirm, "
						  "with: { reservation: =taken.id }, timeout: "
						  "5s, retry: often }\n"},
	{"parent",
	 HEAD("parent", "") TELL "  - first: { saga: whole, kind: pivot, key: =input.key, "
				 "with: { key: =input.key, decline: false } }\n" NOTIFY},
	{"wait", HEAD("wait", "") "  - " TAKE(
			 "reserve", "2") "  - rest: { sleep: 30ms }\n"
					 "  - go: { await: { event: go, timeout: 10m, then: "
					 "compensate } }\n" CHARGE("false") CONFIRM},
	{"doubt", HEAD("doubt", "") TELL
	 "  - nothing: { call: inventory.nothing, with: { sku: tea, qty: 2 }, "
	 "timeout: 5s, retry: twice,\n"
	 "      undo: { call: inventory.release, timeout: 5s, retry: undo } }\n"},
	{"revoked",
	 HEAD("revoked", "") "  - " TAKE(
		 "reserve",
		 "2") "  - nothing: { kind: pivot, call: payment.nothing, timeout: 5s, "
		      "retry: twice }\n" CONFIRM},
};

/* Deployed anew for every set. */
static const char newest[] = "saga: newest\nversion: 1.0.%d\nsteps:\n"
			     "  - notify: { kind: pivot, call: notification.send, "
			     "with: { to: a@example.org }, timeout: 5s }\n";

void errands_write_definitions(void)
{
	char path[64];

	mkdir("sagas", 0700);
	for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
		snprintf(path, sizeof path, "sagas/%s.yaml", definitions[i].name);
		folder_write(path, definitions[i].text);
	}
}

/* --- what each form leaves -------------------------------------------------------- */

/* Pieces, cents and messages. */
struct lines {
	int64_t held, confirmed, released, charged, refunded, messages;
};

static const struct {
	const char *saga, *input, *status;
	struct lines own, child;
} forms[ERRAND_FORMS] = {
	[ERRAND_GOOD] = {"whole",
			 "{\"key\":\"good-%d\",\"decline\":false}",
			 "completed",
			 {.confirmed = QTY, .charged = CENTS, .messages = 1},
			 {0}},
	[ERRAND_DECLINED] = {"whole",
			     "{\"key\":\"declined-%d\",\"decline\":true}",
			     "compensated",
			     {.released = QTY, .messages = 1},
			     {0}},
	[ERRAND_SIDES] = {"sides",
			  "{}",
			  "compensated",
			  {.released = QTY, .charged = CENTS, .refunded = CENTS},
			  {0}},
	[ERRAND_MANY] = {"many",
			 "{\"lines\":[1,2,3]}",
			 "completed",
			 {.confirmed = 6, .charged = CENTS},
			 {0}},
	[ERRAND_CHILD] = {"parent",
			  "{\"key\":\"child-%d\"}",
			  "completed",
			  {.messages = 1},
			  {.confirmed = QTY, .charged = CENTS, .messages = 1}},
	[ERRAND_WAIT] = {"wait", "{}", "completed", {.confirmed = QTY, .charged = CENTS}, {0}},
	[ERRAND_CANCELLED] = {"wait", "{}", "compensated", {.released = QTY}, {0}},
	[ERRAND_DOUBT] = {"doubt", "{}", "compensated", {.messages = 1}, {0}},
	[ERRAND_REVOKED] = {"revoked", "{}", "compensated", {.released = QTY}, {0}},
	[ERRAND_NEWEST] = {"newest", "{}", "completed", {.messages = 1}, {0}},
};

/* One saga of which the books must say this. */
struct noted {
	char id[ID_SIZE];
	enum errand_form form;
	struct lines expected, found;
};

static struct noted *noted;
static size_t n_noted;

static void note(const char *id, enum errand_form form, struct lines expected)
{
	noted = realloc(noted, (n_noted + 1) * sizeof *noted);
	ck_assert_ptr_nonnull(noted);
	noted[n_noted] = (struct noted){.form = form, .expected = expected};
	snprintf(noted[n_noted++].id, ID_SIZE, "%s", id);
}

/* --- asking ----------------------------------------------------------------------- */

/* A request that is sent until it is answered as it should be. */
struct deed {
	char path[128];
	char body[TEXT_SIZE];
	bool twice_is_conflict; /* 409 says that it was done by an earlier request */
	bool done;
};

static void add(struct errands *errands, bool twice_is_conflict, const char *path,
		const char *body)
{
	struct deed *deed = &errands->deeds[errands->n_deeds++];

	ck_assert_int_le(errands->n_deeds, DEEDS_MAX);
	snprintf(deed->path, sizeof deed->path, "%s", path);
	snprintf(deed->body, sizeof deed->body, "%s", body);
	deed->twice_is_conflict = twice_is_conflict;
}

static void name_saga(const struct errands *errands, enum errand_form form, char id[ID_SIZE])
{
	snprintf(id, ID_SIZE, "%s-%d", errand_names[form], errands->set);
}

static void add_start(struct errands *errands, enum errand_form form)
{
	char id[ID_SIZE], input[128], body[TEXT_SIZE];

	name_saga(errands, form, id);
	/* Those of them that have a %d. */
	snprintf(input, sizeof input, "%s", forms[form].input);
	if (strstr(input, "%d")) {
		const char *place = strstr(forms[form].input, "%d");

		snprintf(input, sizeof input, "%.*s%d%s", (int)(place - forms[form].input),
			 forms[form].input, errands->set, place + 2);
	}
	snprintf(body, sizeof body, "{\"saga\":\"%s\",\"id\":\"%s\",\"input\":%s}",
		 forms[form].saga, id, input);
	add(errands, false, "/v1/sagas", body);
}

static void add_form(struct errands *errands, enum errand_form form)
{
	char body[TEXT_SIZE];

	if (form == ERRAND_NEWEST) {
		snprintf(body, sizeof body, newest, errands->set);
		add(errands, false, "/v1/definitions", body);
	}
	add_start(errands, form);
}

/* Once all have been started. */
static void add_rest(struct errands *errands, enum errand_form form)
{
	char id[ID_SIZE], path[128];

	name_saga(errands, form, id);
	if (form == ERRAND_WAIT) {
		snprintf(path, sizeof path, "/v1/sagas/%s/signals/go", id);
		add(errands, false, path, "{\"id\":\"go-1\"}");
	}
	if (form == ERRAND_CANCELLED) {
		snprintf(path, sizeof path, "/v1/sagas/%s/cancel", id);
		add(errands, true, path, "{\"reason\":\"they changed their mind\"}");
	}
}

void errands_begin(struct errands *errands, int set, int form)
{
	*errands = (struct errands){.set = set, .form = form};
	errands->deeds = calloc(DEEDS_MAX, sizeof *errands->deeds);
	ck_assert_ptr_nonnull(errands->deeds);
	for (int i = 0; i < ERRAND_FORMS; i++)
		if (form == ERRAND_ALL || form == i)
			add_form(errands, (enum errand_form)i);
	errands->n_starts = errands->n_deeds;
	for (int i = 0; i < ERRAND_FORMS; i++)
		if (form == ERRAND_ALL || form == i)
			add_rest(errands, (enum errand_form)i);
}

void errands_end(struct errands *errands)
{
	free(errands->deeds);
	*errands = (struct errands){0};
}

/* A server that dies gives no answer, and one that comes up says 503. */
static bool ask(struct deed *deed, const char *url)
{
	struct arena arena = {0};
	struct http_answer answer = http_ask(url, deed->path, slice_of(deed->body), &arena);
	bool done =
		answer.status / 100 == 2 || (answer.status == 409 && deed->twice_is_conflict);

	ck_assert_msg(done || answer.status == 0 || answer.status == 503, "%s %s: %ld %.500s",
		      deed->path, deed->body, answer.status, answer.text.at);
	arena_release(&arena);
	return done;
}

static bool all_have_ended(const char *url)
{
	struct arena arena = {0};
	struct json sagas = member_json(http_get(url, "/v1/stats", &arena), "sagas");
	bool ended = json_type(sagas) == JSON_OBJECT && !member_number(sagas, "running") &&
		     !member_number(sagas, "compensating");

	arena_release(&arena);
	return ended;
}

static bool ask_until(struct errands *errands, const char *url, int n)
{
	for (; errands->n_done < n; errands->n_done++)
		if (!ask(&errands->deeds[errands->n_done], url))
			return false;
	return true;
}

bool errands_start(struct errands *errands, const char *url)
{
	return ask_until(errands, url, errands->n_starts);
}

bool errands_go_on(struct errands *errands, const char *url)
{
	return ask_until(errands, url, errands->n_deeds) && all_have_ended(url);
}

struct slice errands_under_way(const char *url, struct arena *arena)
{
	return http_get(url, "/v1/sagas?status=running,compensating&limit=5", arena).text;
}

/* --- how they ended --------------------------------------------------------------- */

static void check_status(const char *url, const char *id, const char *expected)
{
	struct arena arena = {0};
	char path[128];
	struct http_answer answer;
	struct json json;

	snprintf(path, sizeof path, "/v1/sagas/%s", id);
	answer = http_ask(url, path, (struct slice){0}, &arena);
	ck_assert_msg(answer.status == 200, "%s: %ld %.500s", path, answer.status,
		      answer.text.at);
	ck_assert_int_eq(json_parse(answer.text, 1 << 20, &arena, &json, NULL), OK);
	ck_assert_msg(slice_is(member_text(json, "status", &arena), expected),
		      "%s should be %s: %.3000s", id, expected, answer.text.at);
	arena_release(&arena);
}

/* The child is found by its key. */
static void note_child(const struct errands *errands, const char *url, enum errand_form form)
{
	struct arena arena = {0};
	char path[128], id[ID_SIZE];
	struct json sagas, child;

	snprintf(path, sizeof path, "/v1/sagas?saga=whole&key=child-%d", errands->set);
	sagas = member_json(http_get(url, path, &arena), "sagas");
	ck_assert_msg(json_size(sagas) == 1 && json_at(sagas, 0, &child),
		      "%s: %zu sagas instead of one", path, json_size(sagas));
	snprintf(id, sizeof id, "%.*s", SLICE_ARG(member_text(child, "id", &arena)));
	check_status(url, id, "completed");
	note(id, form, forms[form].child);
	arena_release(&arena);
}

void errands_check_ends(struct errands *errands, const char *url)
{
	char id[ID_SIZE];

	for (int i = 0; i < ERRAND_FORMS; i++) {
		if (errands->form != ERRAND_ALL && errands->form != i)
			continue;
		name_saga(errands, (enum errand_form)i, id);
		check_status(url, id, forms[i].status);
		note(id, (enum errand_form)i, forms[i].own);
		if (i == ERRAND_CHILD)
			note_child(errands, url, ERRAND_CHILD);
	}
}

/* --- the books -------------------------------------------------------------------- */

static struct noted *find(struct slice id)
{
	for (size_t i = 0; i < n_noted; i++)
		if (slice_is(id, noted[i].id))
			return &noted[i];
	ck_abort_msg("the books have the saga %.*s, which nobody started", SLICE_ARG(id));
	return NULL;
}

/* The lines after the first one. */
static void read_books(const struct works *works, enum work work)
{
	struct arena arena = {0};
	struct slice audit = works_audit(works, work, &arena);
	const char *line = audit.at + strcspn(audit.at, "\n") + 1;

	for (; *line; line += strcspn(line, "\n") + 1) {
		struct slice text = {line, strcspn(line, "\n")};
		struct lines *found;
		struct json json;

		ck_assert_int_eq(json_parse(text, 1 << 20, &arena, &json, NULL), OK);
		found = &find(member_text(json, "saga", &arena))->found;
		found->held += member_number(json, "held");
		found->confirmed += member_number(json, "confirmed");
		found->released += member_number(json, "released");
		found->charged += member_number(json, "charged_cents");
		found->refunded += member_number(json, "refunded_cents");
		found->messages += work == NOTIFICATION ? member_number(json, "done") : 0;
	}
	arena_release(&arena);
}

/* What is cancelled may not have begun. */
static bool is_right(const struct noted *saga)
{
	struct lines expected = saga->expected;

	if (saga->form == ERRAND_CANCELLED && !saga->found.released)
		expected.released = 0;
	return memcmp(&expected, &saga->found, sizeof expected) == 0;
}

void errands_check_books(const struct works *works)
{
	for (size_t i = 0; i < n_noted; i++)
		noted[i].found = (struct lines){0};
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		read_books(works, work);
	for (size_t i = 0; i < n_noted; i++) {
		const struct lines *found = &noted[i].found;

		ck_assert_msg(is_right(&noted[i]),
			      "%s (%s): held %lld, confirmed %lld, released %lld pieces; "
			      "charged %lld, refunded %lld cents; %lld messages",
			      noted[i].id, errand_names[noted[i].form], (long long)found->held,
			      (long long)found->confirmed, (long long)found->released,
			      (long long)found->charged, (long long)found->refunded,
			      (long long)found->messages);
	}
	free(noted);
	noted = NULL;
	n_noted = 0;
}
