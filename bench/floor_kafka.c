/* floor_kafka.c - what a broker of Apache Kafka and this machine can do: the program that
 * Skald over Kafka is measured against.
 *
 * The messages of sagas/order-bench.yaml over topics like Skald's, with no work and no
 * store: one orchestrator and two services as processes, three commands and three replies
 * of 224 bytes for each saga, and two events for each time that it changes. Each process takes
 * what is there, sends what follows from it, waits until the broker has that, and commits its
 * offsets. bench/README.md has figures.
 */
#include "base/clock.h"
#include "bench/floor_kafka_link.h"
#include "bench/floor_program.h"
#include "bench/floor_service.h"
#include "bus/kafka/topics.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAGAS_MAX = 10 * 1000 * 1000, INFLIGHT_MAX = FLOOR_KAFKA_BATCH };
enum { EVENTS_EACH = 2 }; /* what came, and what is done about it */
enum {
	PATIENCE_MS = 60000,
	STEP_MS = 100,
	CONNECT_MS = 5000,
	ADMIN_MS = 15000,
	WARM_SAGAS = 200
};

static const struct option own_options[] = {
	{.name = "kafka",
	 .type = OPTION_TEXT,
	 .min = 1,
	 .flag_only = true,
	 .argument = "HOST:PORT",
	 .help = "the broker; `tools/engines kafka up` starts one and prints it"},
	{.name = "sagas",
	 .letter = 'n',
	 .type = OPTION_INTEGER,
	 .initial = "20000",
	 .min = 1,
	 .max = SAGAS_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "how many sagas to run"},
	{.name = "inflight",
	 .type = OPTION_INTEGER,
	 .initial = "1000",
	 .min = 1,
	 .max = INFLIGHT_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "how many of them at a time; 1 measures the latency of one"},
	{.name = "partitions",
	 .type = OPTION_INTEGER,
	 .initial = "12",
	 .min = 1,
	 .max = KAFKA_PARTITIONS_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "of each topic"},
	{.name = "no-events",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "only commands and replies"},
	{.name = "json",
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "print one JSON object"},
	{.name = "help",
	 .letter = 'h',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "show this help"},
};

static const struct usage usage = {
	.program = "floor_kafka",
	.summary = "Send the messages of order sagas over Kafka, and nothing else, and say how "
		   "fast.",
	.own = {own_options, sizeof own_options / sizeof *own_options},
};

static const char *const names[N_FLOOR_SERVICES] = {
	[FLOOR_INVENTORY] = "inventory", [FLOOR_PAYMENT] = "payment"};

struct floor_kafka {
	const char *brokers;
	char prefix[64];
	char inbox[FLOOR_KAFKA_NAME_SIZE];
	char commands[N_FLOOR_SERVICES][FLOOR_KAFKA_NAME_SIZE];
	char events[FLOOR_KAFKA_NAME_SIZE]; /* empty: there are none */
	int32_t partitions;
	uint32_t inflight_max;
	pid_t pids[N_FLOOR_SERVICES]; /* 0: it does not run */
	int pipes[N_FLOOR_SERVICES];  /* to them; -1: none */
};

/* So many sagas of the orchestrator, the warm ones or those that are measured. */
struct round {
	uint64_t first; /* the id of the first one */
	uint32_t n_sagas, n_started, n_ended;
	uint64_t n_batches;
	double seconds, cpu_s;  /* of the orchestrator */
	uint32_t *latencies_us; /* of n_sagas; NULL: nobody wants them */
};

struct orchestrator {
	const struct floor_kafka *floor;
	struct floor_kafka_link link;
	struct floor_frame *frames; /* of a batch */
	struct floor_frame *sagas;  /* what each of those in flight waits for */
	int64_t *started_us;        /* and when it began */
	uint32_t *free_slots, n_free;
};

/* --- a service ------------------------------------------------------------------------ */

/* The other end of the pipe has gone. */
static bool is_over(int pipe_fd)
{
	struct pollfd end = {.fd = pipe_fd, .events = POLLIN};

	return poll(&end, 1, 0) != 0;
}

static enum err serve(const struct floor_kafka *floor, enum floor_service service, int pipe_fd,
		      struct diag *diag)
{
	const struct floor_kafka_setup setup = {
		floor->brokers, floor->commands[service], {floor->inbox}, NULL};
	struct floor_frame *frames = calloc(FLOOR_KAFKA_BATCH, sizeof *frames);
	struct floor_kafka_link link = {0};
	enum err err = frames ? floor_kafka_link_open(&link, &setup, diag) : ERR_NOMEM;
	size_t n = 0;

	while (!err && (n || !is_over(pipe_fd))) {
		err = floor_kafka_link_take(&link, STEP_MS, frames, &n, diag);
		for (size_t i = 0; i < n && !err; i++) {
			frames[i].outcome = FLOOR_OK;
			err = floor_kafka_link_send(&link, 0, &frames[i], diag);
		}
		if (!err && n)
			err = floor_kafka_link_settle(&link, diag);
	}
	floor_kafka_link_release(&link);
	free(frames);
	return err;
}

/* It begins with the first byte of its pipe, when the topics are there, and ends with the
 * pipe. */
static _Noreturn void be_service(const struct floor_kafka *floor, enum floor_service service,
				 int pipe_fd)
{
	struct diag diag = {"out of memory"};
	char begin;

	floor_ignore_signals();
	if (read(pipe_fd, &begin, 1) < 1 || serve(floor, service, pipe_fd, &diag) == OK)
		_exit(EXIT_SUCCESS);
	fprintf(stderr, "floor_kafka: %s: %s\n", names[service], diag.text);
	_exit(EXIT_FAILURE);
}

/* In front of anything that starts threads. */
static enum err start_services(struct floor_kafka *floor, struct diag *diag)
{
	for (int i = 0; i < N_FLOOR_SERVICES; i++) {
		int ends[2];

		if (pipe(ends) != 0)
			return diag_set(diag, ERR_UNAVAILABLE, "cannot make a pipe: %s",
					strerror(errno));
		floor->pipes[i] = ends[1];
		floor->pids[i] = fork();
		if (floor->pids[i] == 0) {
			/* Or it would never see that the orchestrator has gone. */
			for (int j = 0; j <= i; j++)
				close(floor->pipes[j]);
			be_service(floor, (enum floor_service)i, ends[0]);
		}
		close(ends[0]);
		if (floor->pids[i] < 0)
			return diag_set(diag, ERR_UNAVAILABLE, "cannot start %s: %s", names[i],
					strerror(errno));
	}
	return OK;
}

static enum err begin_services(const struct floor_kafka *floor, struct diag *diag)
{
	for (int i = 0; i < N_FLOOR_SERVICES; i++)
		if (write(floor->pipes[i], "", 1) != 1)
			return diag_set(diag, ERR_UNAVAILABLE, "%s ended before it began",
					names[i]);
	return OK;
}

/* OK: none has ended. */
static enum err check_services(struct floor_kafka *floor, struct diag *diag)
{
	for (int i = 0; i < N_FLOOR_SERVICES; i++) {
		if (waitpid(floor->pids[i], NULL, WNOHANG) == 0)
			continue;
		floor->pids[i] = 0;
		return diag_set(diag, ERR_UNAVAILABLE, "%s ended before the sagas did",
				names[i]);
	}
	return OK;
}

static void end_services(struct floor_kafka *floor)
{
	for (int i = 0; i < N_FLOOR_SERVICES; i++)
		if (floor->pipes[i] >= 0)
			close(floor->pipes[i]);
	for (int i = 0; i < N_FLOOR_SERVICES; i++)
		while (floor->pids[i] > 0 && waitpid(floor->pids[i], NULL, 0) < 0 &&
		       errno == EINTR)
			;
}

/* --- the orchestrator ------------------------------------------------------------------ */

static enum err send_command(struct orchestrator *o, const struct floor_frame *saga,
			     struct diag *diag)
{
	enum floor_service service =
		saga->step == FLOOR_CHARGE ? FLOOR_PAYMENT : FLOOR_INVENTORY;

	return floor_kafka_link_send(&o->link, (int)service, saga, diag);
}

static enum err tell(struct orchestrator *o, const struct floor_frame *saga, struct diag *diag)
{
	return o->link.events ? floor_kafka_link_tell(&o->link, saga->saga, EVENTS_EACH, diag)
			      : OK;
}

static enum err take_reply(struct orchestrator *o, struct round *round,
			   const struct floor_frame *reply, struct diag *diag)
{
	bool known = reply->slot < o->floor->inflight_max;
	struct floor_frame *saga = known ? &o->sagas[reply->slot] : NULL;
	enum err err;

	if (!saga || saga->saga != reply->saga || saga->step != reply->step ||
	    reply->outcome != FLOOR_OK)
		return diag_set(diag, ERR_CORRUPT, "saga %llu got a reply it does not wait for",
				(unsigned long long)reply->saga);
	err = tell(o, saga, diag);
	if (err)
		return err;
	if (saga->step != FLOOR_CONFIRM) {
		saga->step++;
		return send_command(o, saga, diag);
	}
	saga->saga = 0;
	if (round->latencies_us)
		round->latencies_us[round->n_ended] =
			(uint32_t)(floor_now_us() - o->started_us[reply->slot]);
	round->n_ended++;
	o->free_slots[o->n_free++] = reply->slot;
	return OK;
}

static enum err start_sagas(struct orchestrator *o, struct round *round, struct diag *diag)
{
	enum err err = OK;

	while (!err && o->n_free && round->n_started < round->n_sagas) {
		uint32_t slot = o->free_slots[--o->n_free];
		struct floor_frame *saga = &o->sagas[slot];

		*saga = (struct floor_frame){.saga = round->first + round->n_started++,
					     .slot = slot};
		saga->order = floor_order_of(saga->saga, 0);
		memset(saga->payload, 'i', sizeof saga->payload);
		o->started_us[slot] = floor_now_us();
		err = tell(o, saga, diag);
		err = err ? err : send_command(o, saga, diag);
	}
	return err;
}

static enum err run(struct orchestrator *o, struct floor_kafka *floor, struct round *round,
		    struct diag *diag)
{
	int64_t began_us = floor_now_us(), last_us = began_us;
	double cpu_began_s = floor_cpu_s();
	enum err err = start_sagas(o, round, diag);

	err = err ? err : floor_kafka_link_settle(&o->link, diag);
	while (!err && round->n_ended < round->n_sagas) {
		size_t n;

		err = floor_kafka_link_take(&o->link, STEP_MS, o->frames, &n, diag);
		for (size_t i = 0; i < n && !err; i++)
			err = take_reply(o, round, &o->frames[i], diag);
		err = err ? err : start_sagas(o, round, diag);
		if (!err && n)
			err = floor_kafka_link_settle(&o->link, diag);
		round->n_batches += n > 0;
		if (!err && !n)
			err = check_services(floor, diag);
		if (n)
			last_us = floor_now_us();
		if (!err && floor_stop)
			err = diag_set(diag, ERR_UNAVAILABLE, "a signal asked to end");
		if (!err && floor_now_us() - last_us > PATIENCE_MS * INT64_C(1000))
			err = diag_set(diag, ERR_UNAVAILABLE, "%u of %u sagas were lost",
				       round->n_sagas - round->n_ended, round->n_sagas);
	}
	round->seconds = (double)(floor_now_us() - began_us) / 1e6;
	round->cpu_s = floor_cpu_s() - cpu_began_s;
	return err;
}

static enum err orchestrate(struct floor_kafka *floor, struct round *round, struct diag *diag)
{
	const struct floor_kafka_setup setup = {
		floor->brokers,
		floor->inbox,
		{floor->commands[FLOOR_INVENTORY], floor->commands[FLOOR_PAYMENT]},
		floor->events[0] ? floor->events : NULL};
	struct round warm = {.first = 1, .n_sagas = WARM_SAGAS};
	struct orchestrator o = {
		.floor = floor,
		.frames = calloc(FLOOR_KAFKA_BATCH, sizeof(struct floor_frame)),
		.sagas = calloc(floor->inflight_max, sizeof(struct floor_frame)),
		.started_us = calloc(floor->inflight_max, sizeof(int64_t)),
		.free_slots = calloc(floor->inflight_max, sizeof(uint32_t)),
	};
	enum err err = ERR_NOMEM;

	if (o.frames && o.sagas && o.started_us && o.free_slots)
		err = floor_kafka_link_open(&o.link, &setup, diag);
	while (!err && o.n_free < floor->inflight_max) {
		o.free_slots[o.n_free] = o.n_free;
		o.n_free++;
	}
	err = err ? err : run(&o, floor, &warm, diag);
	err = err ? err : run(&o, floor, round, diag);
	if (!err)
		floor_sort_latencies(round->latencies_us, round->n_sagas);
	floor_kafka_link_release(&o.link);
	free(o.frames);
	free(o.sagas);
	free(o.started_us);
	free(o.free_slots);
	return err;
}

/* --- the topics -------------------------------------------------------------------------- */

static void name_topics(struct floor_kafka *floor, bool with_events)
{
	snprintf(floor->prefix, sizeof floor->prefix, "floor-%ld-%lld", (long)getpid(),
		 (long long)clock_now_ms(clock_system()));
	snprintf(floor->inbox, sizeof floor->inbox, "%s.inbox", floor->prefix);
	if (with_events)
		snprintf(floor->events, sizeof floor->events, "%s.events", floor->prefix);
	for (int i = 0; i < N_FLOOR_SERVICES; i++)
		snprintf(floor->commands[i], sizeof floor->commands[i], "%s.cmd.%s",
			 floor->prefix, names[i]);
}

static enum err need(const struct kafka_client *client, const struct kafka_setup *setup,
		     const char *topic, rd_kafka_queue_t *queue, struct diag *diag)
{
	return kafka_topic_need(client, setup, topic, setup->partitions, ADMIN_MS, queue, diag);
}

static enum err need_topics(const struct floor_kafka *floor, const struct kafka_client *client,
			    const struct kafka_setup *setup, struct diag *diag)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
	enum err err = need(client, setup, floor->inbox, queue, diag);

	for (int i = 0; i < N_FLOOR_SERVICES && !err; i++)
		err = need(client, setup, floor->commands[i], queue, diag);
	if (!err && floor->events[0])
		err = need(client, setup, floor->events, queue, diag);
	rd_kafka_queue_destroy(queue);
	return err;
}

static enum err measure(struct floor_kafka *floor, struct round *round, struct diag *diag)
{
	static const struct kafka_user user = {0};
	struct kafka_setup setup = {.brokers = floor->brokers,
				    .prefix = floor->prefix,
				    .partitions = floor->partitions,
				    .clock = clock_system()};
	struct kafka_client client = {0};
	struct diag later = {""};
	bool there = false; /* the broker */
	enum err err = kafka_setup_check(&setup, diag);

	err = err ? err : start_services(floor, diag);
	err = err ? err : kafka_producer_open(&client, &setup, &user, NULL, diag);
	if (!err)
		err = kafka_client_connect(&client, &setup, CONNECT_MS, diag);
	if (!err) {
		there = true;
		err = need_topics(floor, &client, &setup, diag);
		err = err ? err : begin_services(floor, diag);
		err = err ? err : orchestrate(floor, round, diag);
	}
	end_services(floor);
	if (there && kafka_topics_remove(&client, &setup, ADMIN_MS, &later) && !err)
		err = diag_set(diag, ERR_UNAVAILABLE, "the topics %s.* stay: %s", floor->prefix,
			       later.text);
	kafka_client_close(&client, 0);
	return err;
}

/* --- what comes out ---------------------------------------------------------------------- */

static double percentile_ms(const struct round *round, uint32_t percent)
{
	return floor_percentile_ms(round->latencies_us, round->n_sagas, percent);
}

static double per_saga_us(const struct round *round, double cpu_s)
{
	return cpu_s / (round->n_sagas + WARM_SAGAS) * 1e6;
}

static void print_json(const struct floor_kafka *floor, const struct round *round)
{
	printf("{\"sagas\":%u,\"inflight\":%u,\"seconds\":%.6f,\"sagas_per_s\":%.1f,"
	       "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"batches\":%llu,"
	       "\"server_cpu_s\":%.6f,\"service_cpu_s\":%.6f}\n",
	       round->n_sagas, floor->inflight_max, round->seconds,
	       round->n_sagas / round->seconds, percentile_ms(round, 50),
	       percentile_ms(round, 99), (unsigned long long)round->n_batches, round->cpu_s,
	       floor_cpu_s_ended());
}

static void print_text(const struct floor_kafka *floor, const struct round *round)
{
	printf("floor over Kafka: %u sagas, %u in flight\n", round->n_sagas,
	       floor->inflight_max);
	printf("  sagas/s       %.0f in %.2f s\n", round->n_sagas / round->seconds,
	       round->seconds);
	printf("  p50, p99      %.2f ms, %.2f ms\n", percentile_ms(round, 50),
	       percentile_ms(round, 99));
	printf("  CPU per saga  orchestrator %.1f us, both services %.1f us\n",
	       per_saga_us(round, round->cpu_s), per_saga_us(round, floor_cpu_s_ended()));
	printf("  orchestrator  %llu batches of %.0f replies\n",
	       (unsigned long long)round->n_batches,
	       3.0 * round->n_sagas / (double)round->n_batches);
}

/* --- main -------------------------------------------------------------------------------- */

static int measure_and_print(const struct options *options)
{
	struct floor_kafka floor = {
		.brokers = options_text(options, "kafka"),
		.partitions = (int32_t)options_number(options, "partitions"),
		.inflight_max = (uint32_t)options_number(options, "inflight"),
		.pipes = {-1, -1},
	};
	struct round round = {.first = 1 + WARM_SAGAS,
			      .n_sagas = (uint32_t)options_number(options, "sagas")};
	struct diag diag = {"out of memory"};
	enum err err = ERR_NOMEM;

	if (!floor.brokers)
		return floor_complain(&usage,
				      "which broker? give --kafka HOST:PORT; `tools/engines "
				      "kafka up` starts one and prints it",
				      FLOOR_EXIT_USAGE);
	name_topics(&floor, !options_bool(options, "no-events"));
	round.latencies_us = calloc(round.n_sagas, sizeof *round.latencies_us);
	floor_catch_signals();
	if (round.latencies_us)
		err = measure(&floor, &round, &diag);
	if (!err)
		(options_bool(options, "json") ? print_json : print_text)(&floor, &round);
	free(round.latencies_us);
	return floor_end(&usage, err, &diag);
}

int main(int argc, char **argv)
{
	return floor_main(argc, argv, &usage, measure_and_print);
}
