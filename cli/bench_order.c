#include "cli/bench_order.h"

#include "base/json_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SKUS = 100, QTY_MAX = 5, RUN_DIGITS = 11, NUMBER_DIGITS = 8 };

#define ID_PREFIX "bench-"

enum bench_end bench_end_of(struct slice status)
{
	static const char *const texts[N_BENCH_ENDS] = {
		[BENCH_COMPLETED] = "completed",
		[BENCH_COMPENSATED] = "compensated",
		[BENCH_PARKED] = "parked",
		[BENCH_KILLED] = "killed",
	};

	for (int i = BENCH_COMPLETED; i < N_BENCH_ENDS; i++) {
		if (slice_is(status, texts[i]))
			return (enum bench_end)i;
	}
	return BENCH_NONE;
}

/* --- one order -------------------------------------------------------------------- */

/* splitmix64: neighbours get orders that have nothing in common. */
static uint64_t scatter(uint64_t number)
{
	uint64_t z = (number + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct bench_order bench_order_of(uint32_t number, uint32_t decline_percent)
{
	uint64_t dice = scatter(number);

	return (struct bench_order){
		.sku = (uint32_t)(dice % SKUS),
		.qty = 1 + (uint32_t)(dice >> 8) % QTY_MAX,
		.cents = 100 + (uint32_t)(dice >> 16) % 100000,
		.decline = (dice >> 40) % 100 < decline_percent,
	};
}

enum bench_end bench_expected(uint32_t number, uint32_t decline_percent)
{
	return bench_order_of(number, decline_percent).decline ? BENCH_COMPENSATED
							       : BENCH_COMPLETED;
}

void bench_id(uint64_t run, uint32_t number, char id[BENCH_ID_SIZE])
{
	run &= (UINT64_C(1) << 4 * RUN_DIGITS) - 1;
	snprintf(id, BENCH_ID_SIZE, ID_PREFIX "%0*" PRIx64 "-%0*" PRIu32, RUN_DIGITS, run,
		 NUMBER_DIGITS, number);
}

bool bench_number(uint64_t run, struct slice id, uint32_t *number)
{
	enum { BEFORE = sizeof ID_PREFIX - 1 + RUN_DIGITS + 1 };
	char wanted[BENCH_ID_SIZE];
	uint32_t found = 0;

	if (id.len != BEFORE + NUMBER_DIGITS)
		return false;
	for (size_t i = BEFORE; i < id.len; i++) {
		if (id.at[i] < '0' || id.at[i] > '9')
			return false;
		found = found * 10 + (uint32_t)(id.at[i] - '0');
	}
	bench_id(run, found, wanted);
	if (!slice_is(id, wanted))
		return false;
	*number = found;
	return true;
}

void bench_start_line(struct bytes *out, uint64_t run, uint32_t number,
		      uint32_t decline_percent)
{
	struct bench_order order = bench_order_of(number, decline_percent);
	char id[BENCH_ID_SIZE];

	bench_id(run, number, id);
	bytes_format(out,
		     "{\"saga\":\"order-bench\",\"id\":\"%s\",\"input\":{\"order_id\":%" PRIu32
		     ",\"sku\":\"sku-%02" PRIu32 "\",\"qty\":%" PRIu32 ",\"total\":%" PRIu32
		     ".%02" PRIu32 "%s}}\n",
		     id, number, order.sku, order.qty, order.cents / 100, order.cents % 100,
		     order.decline ? ",\"decline\":true" : "");
}

/* --- what is counted -------------------------------------------------------------- */

static int compare_times(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* The smallest time that so many percent of all do not exceed. */
static double percentile_ms(const uint32_t *sorted_us, uint32_t n, uint32_t percent)
{
	uint64_t rank = ((uint64_t)n * percent + 99) / 100;

	return n ? sorted_us[rank ? rank - 1 : 0] / 1e3 : 0;
}

enum err bench_tally(const struct bench_fate *fates, uint32_t n, uint32_t decline_percent,
		     struct bench_tally *out)
{
	uint32_t *times_us = malloc((n ? n : 1) * sizeof *times_us);
	uint32_t n_times = 0;

	if (!times_us)
		return ERR_NOMEM;
	*out = (struct bench_tally){.first_wrong = n};
	for (uint32_t i = 0; i < n; i++) {
		bool is_right = fates[i].end == bench_expected(i, decline_percent);

		out->ended[fates[i].end]++;
		if (fates[i].end != BENCH_NONE)
			times_us[n_times++] = fates[i].took_us;
		if (fates[i].end != BENCH_NONE && !is_right)
			out->n_wrong++;
		if (!is_right && out->first_wrong == n)
			out->first_wrong = i;
	}
	qsort(times_us, n_times, sizeof *times_us, compare_times);
	out->p50_ms = percentile_ms(times_us, n_times, 50);
	out->p99_ms = percentile_ms(times_us, n_times, 99);
	free(times_us);
	return OK;
}

enum err bench_percent(const char *text, uint32_t *percent, struct diag *diag)
{
	size_t len = strspn(text, "0123456789");
	unsigned long number = len && len <= 3 ? strtoul(text, NULL, 10) : 101;

	if (number > 100 || (text[len] && strcmp(text + len, "%") != 0))
		return diag_set(
			diag, ERR_INVALID,
			"--decline: \"%.32s\" is no share; give a whole number from 0%% "
			"to 100%%",
			text);
	*percent = (uint32_t)number;
	return OK;
}
