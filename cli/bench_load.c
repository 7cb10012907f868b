#include "cli/bench_load.h"

#include "base/clock.h"
#include "cli/members.h"
#include "cli/remote_parts.h"

#include <stdlib.h>
#include <time.h>

enum {
	BATCH_MAX = 1000, /* starts in a request: the server takes no more at once */
	EVENT_MAX = 64 * 1024,
	ANSWER_MAX = 4 * 1024 * 1024,
	BODY_MAX = 4 * 1024 * 1024,
	READ_BYTES = 256 * 1024,
	WAIT_MS = 100,
	PROGRESS_MS = 100,
};

static const char events_path[] =
	"/v1/events?saga=order-bench&status=completed,compensated,parked,killed";

struct runner {
	struct bench_load *load;
	struct remote *remote;
	CURLM *multi;
	struct arena arena; /* of one line */

	CURL *events;
	bool streaming;    /* the stream has begun */
	bool cut_off;      /* it ended */
	bool missed;       /* and what it would have told since is to be asked for */
	struct bytes line; /* the beginning of the next one */

	CURL *starts;
	bool starting; /* a request is under way */
	struct bytes body;
	struct bytes answer;
	uint32_t n_asked; /* in that request */

	uint32_t n_started, n_ended;
	int64_t began_us;
	int64_t last_us; /* when a saga ended */
	int64_t told_us; /* progress */
	enum exit_code code;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void fail(struct runner *runner, enum exit_code code)
{
	runner->code = runner->code ? runner->code : code;
}

/* --- what ends -------------------------------------------------------------------- */

/* A saga's row: of an event, or as it was asked for. */
static void take_row(struct runner *runner, struct json row)
{
	struct bench_load *load = runner->load;
	enum bench_end end = bench_end_of(member_text(row, "status", &runner->arena));
	struct bench_fate *fate;
	uint32_t number;

	if (!bench_number(load->run, member_text(row, "id", &runner->arena), &number) ||
	    number - load->first >= runner->n_started || end == BENCH_NONE)
		return; /* one in front of the first is as far behind the last */
	fate = &load->fates[number];
	if (fate->end == BENCH_NONE) {
		runner->last_us = now_us();
		fate->took_us = (uint32_t)(runner->last_us - fate->began_us);
		runner->n_ended++;
	}
	fate->end = end;
}

static void take_line(struct runner *runner, struct slice line)
{
	static const char data[] = "data: ";
	struct json row;

	if (line.len < sizeof data || memcmp(line.at, data, sizeof data - 1) != 0)
		return;
	line.at += sizeof data - 1;
	line.len -= sizeof data - 1;
	if (!json_parse(line, EVENT_MAX, &runner->arena, &row, NULL) &&
	    json_type(row) == JSON_OBJECT)
		take_row(runner, row);
	arena_reset(&runner->arena);
}

static size_t on_events(char *at, size_t size, size_t n, void *context)
{
	struct runner *runner = context;
	struct slice rest = {at, size * n};

	runner->streaming = true;
	while (rest.len) {
		const char *end = memchr(rest.at, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.at) : rest.len;
		struct slice line = {rest.at, len};

		if (!end || runner->line.len) {
			bytes_append(&runner->line, line);
			line = bytes_slice(&runner->line);
		}
		if (end) {
			take_line(runner, line);
			bytes_clear(&runner->line);
		}
		rest.at += len + (end != NULL);
		rest.len -= len + (end != NULL);
	}
	return runner->line.err ? 0 : size * n;
}

/* --- connections ------------------------------------------------------------------ */

static bool set_up(const struct runner *runner, CURL *curl, const char *path)
{
	char url[OPTION_TEXT_BYTES + REMOTE_PATH_MAX];
	int len = snprintf(url, sizeof url, "%s%s", runner->remote->url, path);

	return len > 0 && (size_t)len < sizeof url &&
	       curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, runner->remote->headers) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)READ_BYTES) == CURLE_OK;
}

static void open_events(struct runner *runner)
{
	CURL *curl = runner->events;

	runner->streaming = runner->cut_off = false;
	bytes_clear(&runner->line);
	if (!set_up(runner, curl, events_path) ||
	    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_events) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_WRITEDATA, runner) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L) != CURLE_OK ||
	    curl_multi_add_handle(runner->multi, curl) != CURLM_OK)
		fail(runner, complain_err(runner->remote->cli, ERR_NOMEM));
}

static size_t on_answer(char *at, size_t size, size_t n, void *context)
{
	struct runner *runner = context;

	bytes_append(&runner->answer, (struct slice){at, size * n});
	return runner->answer.err ? 0 : size * n;
}

/* --- starts ----------------------------------------------------------------------- */

static uint32_t missing(const struct runner *runner)
{
	const struct bench_load *load = runner->load;
	uint32_t n = load->inflight_max - (runner->n_started - runner->n_ended);
	uint32_t left = load->n_sagas - runner->n_started;

	n = n < left ? n : left;
	return n < BATCH_MAX ? n : BATCH_MAX;
}

static void post_starts(struct runner *runner)
{
	struct bench_load *load = runner->load;
	CURL *curl = runner->starts;
	int64_t at_us = now_us();

	bytes_clear(&runner->body);
	bytes_clear(&runner->answer);
	runner->n_asked = missing(runner);
	for (uint32_t i = 0; i < runner->n_asked; i++) {
		uint32_t number = load->first + runner->n_started++;

		load->fates[number].began_us = at_us;
		bench_start_line(&runner->body, load->run, number, load->decline_percent);
	}
	if (runner->body.err || !set_up(runner, curl, "/v1/sagas:batch") ||
	    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_WRITEDATA, runner) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, runner->body.at) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)runner->body.len) != CURLE_OK ||
	    curl_multi_add_handle(runner->multi, curl) != CURLM_OK)
		fail(runner, complain_err(runner->remote->cli, ERR_NOMEM));
	runner->starting = true;
}

/* Each line has to say that a saga was made. */
static void check_starts(struct runner *runner)
{
	const struct cli *cli = runner->remote->cli;
	struct slice rest = bytes_slice(&runner->answer), line, why = {0};
	uint32_t n = 0;

	while (slice_line(&rest, &line)) {
		struct json result;

		if (!json_parse(line, ANSWER_MAX, &runner->arena, &result, NULL) &&
		    member_bool(result, "created"))
			n++;
		else if (!why.len)
			why = line;
		arena_reset(&runner->arena);
	}
	if (n == runner->n_asked)
		return;
	complain(cli, "the server started %u of %u sagas: %.*s", n, runner->n_asked,
		 (int)(why.len < 300 ? why.len : 300), why.len ? why.at : "");
	fail(runner, EXIT_FAILED);
}

static void starts_done(struct runner *runner, CURLcode result)
{
	struct remote_answer answer = {0};
	long status = 0;

	runner->starting = false;
	curl_easy_getinfo(runner->starts, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK && status == 200) {
		check_starts(runner);
		return;
	}
	if (result == CURLE_OK)
		remote_read_answer(runner->remote, status, &runner->answer, &runner->arena,
				   &answer);
	else
		remote_read_failure(runner->remote, result, "", &runner->arena, &answer);
	remote_complain(runner->remote, &answer, NULL);
	fail(runner, answer.code ? answer.code : EXIT_FAILED);
}

/* --- the loop --------------------------------------------------------------------- */

/* What ended while nobody listened: each saga is asked for. */
static void look_again(struct runner *runner)
{
	struct bench_load *load = runner->load;
	char id[BENCH_ID_SIZE];

	for (uint32_t i = 0; i < runner->n_started && !runner->code && !*load->stop; i++) {
		struct remote_request request = {"GET", NULL, {0}, &runner->arena};
		struct remote_answer answer;

		if (load->fates[load->first + i].end != BENCH_NONE)
			continue;
		bench_id(load->run, load->first + i, id);
		request.path = remote_saga_path(&runner->arena, id, "");
		if (!request.path) {
			fail(runner, complain_err(runner->remote->cli, ERR_NOMEM));
			return;
		}
		remote_ask(runner->remote, &request, &answer);
		if (!answer.code) {
			take_row(runner, answer.json);
		} else if (answer.code != EXIT_NOT_FOUND) {
			remote_complain(runner->remote, &answer, NULL);
			fail(runner, answer.code);
		}
		arena_reset(&runner->arena);
	}
}

static void events_done(struct runner *runner, CURLcode result)
{
	struct remote_answer answer;

	runner->cut_off = true;
	if (runner->streaming)
		return;
	remote_read_failure(runner->remote, result, "", &runner->arena, &answer);
	remote_complain(runner->remote, &answer, "the stream of events");
	fail(runner, answer.code);
}

static void take_messages(struct runner *runner)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(runner->multi, &left))) {
		CURL *curl = message->easy_handle;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(runner->multi, curl);
		if (curl == runner->starts)
			starts_done(runner, result);
		else
			events_done(runner, result);
	}
}

static void tell_progress(struct runner *runner, int64_t at_us)
{
	struct bench_load *load = runner->load;

	if (!load->progress ||
	    (at_us < runner->told_us + PROGRESS_MS * 1000 && runner->n_ended < load->n_sagas))
		return;
	runner->told_us = at_us;
	load->progress(load->context, runner->n_ended, (at_us - runner->began_us) / 1000);
}

/* False: what has not ended is lost. */
static bool has_hope(struct runner *runner)
{
	const struct bench_load *load = runner->load;
	uint32_t n = runner->n_ended;

	if (now_us() - runner->last_us < load->patience_ms * 1000)
		return true;
	look_again(runner);
	return runner->n_ended > n;
}

static void go(struct runner *runner)
{
	struct bench_load *load = runner->load;
	int running;

	open_events(runner);
	while (!runner->code && !*load->stop && runner->n_ended < load->n_sagas) {
		if (runner->streaming && !runner->began_us)
			runner->began_us = runner->last_us = now_us();
		if (runner->began_us && !runner->starting && missing(runner))
			post_starts(runner);
		if (curl_multi_perform(runner->multi, &running) != CURLM_OK)
			fail(runner, complain_err(runner->remote->cli, ERR_NOMEM));
		take_messages(runner);
		if (runner->cut_off && !runner->code) {
			runner->missed = true;
			open_events(runner);
		}
		if (runner->missed && runner->streaming) {
			runner->missed = false;
			look_again(runner);
		}
		if (runner->began_us && !has_hope(runner))
			break;
		tell_progress(runner, now_us());
		if (!runner->code && !(missing(runner) && !runner->starting))
			(void)curl_multi_poll(runner->multi, NULL, 0, WAIT_MS, NULL);
	}
}

enum exit_code bench_load_run(struct remote *remote, struct bench_load *load)
{
	struct runner runner = {
		.load = load,
		.remote = remote,
		.multi = curl_multi_init(),
		.events = curl_easy_init(),
		.starts = curl_easy_init(),
		.line = BYTES(EVENT_MAX, NULL),
		.body = BYTES(BODY_MAX, NULL),
		.answer = BYTES(ANSWER_MAX, NULL),
	};

	if (runner.multi && runner.events && runner.starts)
		go(&runner);
	else
		runner.code = complain_err(remote->cli, ERR_NOMEM);
	load->seconds = (double)(runner.last_us - runner.began_us) / 1e6;
	if (runner.multi && runner.events)
		curl_multi_remove_handle(runner.multi, runner.events);
	if (runner.multi && runner.starts)
		curl_multi_remove_handle(runner.multi, runner.starts);
	curl_easy_cleanup(runner.events);
	curl_easy_cleanup(runner.starts);
	curl_multi_cleanup(runner.multi);
	bytes_release(&runner.line);
	bytes_release(&runner.body);
	bytes_release(&runner.answer);
	arena_release(&runner.arena);
	return runner.code;
}
