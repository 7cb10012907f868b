#include "tests/sim/plan.h"

enum {
	SECOND = 1000,
	MINUTE = 60 * SECOND,
	HOUR = 60 * MINUTE,
	PATIENT_MS = 20 * MINUTE, /* services that forget reckon with clocks that are an hour
				   * wrong, and no more */
};

static uint32_t pick(struct random *random, const uint32_t *from, uint32_t n)
{
	return from[random_below(random, n)];
}
#define PICK(random, ...)                               \
	pick((random), (const uint32_t[]){__VA_ARGS__}, \
	     sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static uint32_t sometimes(struct random *random, uint32_t percent, uint32_t value)
{
	return random_percent(random, percent) ? value : 0;
}

static void make_weather(struct plan *plan, struct random *random)
{
	struct weather *weather = &plan->weather;

	weather->latency_ms = PICK(random, 0, 2, 20, 200);
	weather->late_percent = sometimes(random, 50, PICK(random, 1, 10, 40));
	weather->late_ms = PICK(random, SECOND, 30 * SECOND, 10 * MINUTE, 3 * HOUR);
	weather->lost_percent = sometimes(random, 50, PICK(random, 1, 10, 30));
	weather->repeated_percent = sometimes(random, 50, PICK(random, 2, 30));
	plan->line_bytes = PICK(random, 600, 4096, 65536);
	plan->window = PICK(random, 1, 2, 10, 1000);
	plan->queue = PICK(random, 1, 3, 100000);
	plan->sluggish_ms = sometimes(random, 20, PICK(random, SECOND, 20 * SECOND));
	plan->limits = hub_default_limits;
	plan->limits.held = PICK(random, 2, 5, 100000);
	plan->limits.output_bytes = PICK(random, 200, 2000, 1000000);
}

static struct fuse make_fuse(struct random *random)
{
	return (struct fuse){.calls = sometimes(random, 60, PICK(random, 30, 100, 400, 2000)),
			     .dies_percent = PICK(random, 0, 50, 50, 100),
			     .unanswered_percent = PICK(random, 0, 20, 50)};
}

static void make_services(struct plan *plan, struct random *random)
{
	plan->service = make_fuse(random);
	plan->processes = PICK(random, 1, 1, 2, 3);
	plan->batch = PICK(random, 1, 3, 1000);
	plan->think_ms = PICK(random, 0, 5, 500, 20 * SECOND);
	plan->later_percent = sometimes(random, 40, PICK(random, 5, 30, 100));
	plan->horizon_ms = (int64_t)HOUR * sometimes(random, 20, PICK(random, 1, 24, 240));
	plan->busy_percent = sometimes(random, 20, PICK(random, 5, 30));
	plan->echo_percent = sometimes(random, 25, PICK(random, 5, 50));
	plan->nonsense_percent = sometimes(random, 25, PICK(random, 5, 50));
	plan->mute = random_percent(random, 15);
	plan->fates_percent = sometimes(random, 80, PICK(random, 5, 20, 50));
}

/* Narrow ones: twelve sagas are not many. */
static void make_limits(struct plan *plan, struct random *random)
{
	struct limit_settings *settings = &plan->participants.others;

	if (!random_percent(random, 33))
		return;
	settings->window = sometimes(random, 50, PICK(random, 1, 2, 4));
	settings->rate = sometimes(random, 50, PICK(random, 1, 20));
	settings->rate_ms = PICK(random, SECOND, MINUTE);
	settings->burst = PICK(random, 1, 3);
	settings->failures = sometimes(random, 50, PICK(random, 1, 2, 5));
	settings->pause_ms = PICK(random, SECOND, 30 * SECOND, 10 * MINUTE);
}

/* Messages that come one by one come by shard, too. */
static void make_members(struct plan *plan, struct random *random)
{
	uint32_t members = sometimes(random, 35, PICK(random, 2, 2, 3));
	uint32_t n_shards = PICK(random, 1, 2, 4, 7), moves = PICK(random, 1, 5, 20);
	uint32_t net = sometimes(random, 70, PICK(random, 3, 20, 100));
	uint32_t slow = sometimes(random, 70, PICK(random, 3, 20, 60));

	if (plan->hub || !members)
		return;
	plan->members = members;
	plan->n_shards = n_shards;
	plan->moves = moves;
	plan->net_permille = net;
	plan->slow_permille = slow;
	plan->rivals = plan->live_max = 0;
	/* Each of them asks every minute whose the shards are, which takes long for weeks. */
	if (plan->trouble_ms > 3 * HOUR)
		plan->trouble_ms = 3 * HOUR;
}

void plan_make(struct plan *plan, uint64_t seed)
{
	/* Neighbouring seeds are nothing like each other. */
	struct random random = {seed * 0x9e3779b97f4a7c15u};

	*plan = (struct plan){.seed = seed};
	plan->n_cases = 1 + random_below(&random, PICK(&random, 3, 6, PLAN_CASES_MAX));
	plan->hub = random_percent(&random, 55);
	plan->trouble_ms =
		PICK(&random, 20 * SECOND, 10 * MINUTE, 3 * HOUR, 48 * HOUR, 480 * HOUR);
	make_weather(plan, &random);
	plan->orchestrator = make_fuse(&random);
	plan->away_ms = PICK(&random, 50, 5 * SECOND, 5 * MINUTE, 2 * HOUR);
	plan->cuts = sometimes(&random, 50, PICK(&random, 1, 5, 20));
	plan->hangs = sometimes(&random, 30, PICK(&random, 1, 4));
	plan->outages = sometimes(&random, 30, PICK(&random, 1, 3));
	plan->rivals = sometimes(&random, 15, PICK(&random, 1, 2));
	plan->jumps = sometimes(&random, 15, PICK(&random, 1, 3));
	plan->jump_ms = PICK(&random, 2 * SECOND, 20 * MINUTE, 10 * HOUR, 72 * HOUR);
	plan->bulks = sometimes(&random, 15, PICK(&random, 1, 3));
	plan->deploys = sometimes(&random, 20, 1);
	plan->vandals = sometimes(&random, 25, PICK(&random, 1, 5));
	plan->operations_percent = sometimes(&random, 50, PICK(&random, 20, 60));
	make_services(plan, &random);
	plan->damaged = random_percent(&random, 20);
	if (!plan->mute) /* there is room for few: it must not be taken for good */
		plan->live_max = sometimes(&random, 15, 2);
	make_limits(plan, &random);
	make_members(plan, &random);
	/* A bus that is full is asked again every few seconds, which takes long for weeks. */
	if (plan->mute && plan->trouble_ms > 48 * HOUR)
		plan->queue = (uint32_t)(plan->limits.held = 100000);
	if (plan->horizon_ms && plan->jump_ms > PATIENT_MS)
		plan->jump_ms = PATIENT_MS;
}
