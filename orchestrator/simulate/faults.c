#include "orchestrator/simulate/faults.h"

#include "base/duration.h"
#include "base/problems.h"
#include "orchestrator/simulate/dice.h"

enum { PLACES = 4 };

/* In the order of enum fault. */
static const struct fault_kind {
	const char *name;
	int64_t most_ms; /* unless it is said; 0: it does not last */
} kinds[FAULTS] = {
	[FAULT_DROP] = {"drop", 0},       [FAULT_DUP] = {"dup", 0},
	[FAULT_DELAY] = {"delay", 60000}, [FAULT_DECLINE] = {"decline", 0},
	[FAULT_FAIL] = {"fail", 0},       [FAULT_TIMEOUT] = {"timeout", 0},
	[FAULT_CRASH] = {"crash", 10000}, [FAULT_RESTART] = {"restart", 10000},
	[FAULT_STALL] = {"stall", 10000}, [FAULT_CLOCK] = {"clock", 300000},
	[FAULT_CANCEL] = {"cancel", 0},
};

const struct faults faults_default = {
	.chance =
		{
			[FAULT_DROP] = 10000,
			[FAULT_DUP] = 20000,
			[FAULT_DELAY] = 10000,
			[FAULT_DECLINE] = 20000,
			[FAULT_FAIL] = 10000,
			[FAULT_TIMEOUT] = 5000,
			[FAULT_CRASH] = 1000,
			[FAULT_RESTART] = 5000,
			[FAULT_STALL] = 1000,
			[FAULT_CLOCK] = 1000,
			[FAULT_CANCEL] = 10000,
		},
	.most_ms =
		{
			[FAULT_DELAY] = 60000,
			[FAULT_CRASH] = 10000,
			[FAULT_RESTART] = 10000,
			[FAULT_STALL] = 10000,
			[FAULT_CLOCK] = 300000,
		},
};

bool chance_parse(struct slice text, uint32_t *out)
{
	uint64_t number = 0;
	int places = -1;
	size_t i = 0;

	for (; i < text.len && text.at[i] != '%'; i++) {
		char c = text.at[i];

		if (c == '.' && places < 0 && i > 0) {
			places = 0;
			continue;
		}
		if (c < '0' || c > '9' || places == PLACES || number > CHANCE_ALWAYS)
			return false;
		number = number * 10 + (uint64_t)(c - '0');
		places += places >= 0;
	}
	if (i == 0 || i + 1 != text.len || places == 0)
		return false;
	for (places = places < 0 ? 0 : places; places < PLACES; places++)
		number *= 10;
	if (number > CHANCE_ALWAYS)
		return false;
	*out = (uint32_t)number;
	return true;
}

static struct slice cut_at(struct slice text, char c, struct slice *rest)
{
	size_t len = 0;

	while (len < text.len && text.at[len] != c)
		len++;
	*rest = len == text.len ? (struct slice){0}
				: (struct slice){text.at + len + 1, text.len - len - 1};
	return (struct slice){text.at, len};
}

static enum err refuse(struct diag *diag, struct slice part, const char *likely)
{
	return diag_set(diag, ERR_INVALID,
			"\"%.*s\" is no fault%s%s%s drop, dup, delay, decline, fail, timeout, "
			"crash, restart, stall, clock and cancel, each with a chance as in "
			"drop=1%%; behind delay, crash, restart, stall and clock may stand how "
			"long at most, as in delay=1%%:30s; slow=50ms; or write none",
			part.len < 60 ? (int)part.len : 60, part.at ? part.at : "",
			likely ? "; did you mean " : "", likely ? likely : "",
			likely ? "? There are" : "; there are");
}

static const char slow[] = "slow";

static enum err parse_one(struct slice part, struct faults *faults, struct diag *diag)
{
	const char *names[FAULTS + 1];
	struct slice value, most, name = cut_at(part, '=', &value);
	struct slice chance = cut_at(value, ':', &most);
	size_t i = 0;

	for (size_t k = 0; k < FAULTS; k++)
		names[k] = kinds[k].name;
	names[FAULTS] = slow;
	while (i < FAULTS && !slice_is(name, names[i]))
		i++;
	if (i == FAULTS && slice_is(name, slow))
		return duration_parse(value, &faults->slow_ms, NULL) ? refuse(diag, part, NULL)
								     : OK;
	if (i == FAULTS)
		return refuse(diag, part, suggest(name, names, FAULTS + 1));
	faults->most_ms[i] = kinds[i].most_ms;
	if (!chance_parse(chance, &faults->chance[i]) || (most.at && !kinds[i].most_ms) ||
	    (most.at &&
	     (duration_parse(most, &faults->most_ms[i], NULL) || !faults->most_ms[i])))
		return refuse(diag, part, NULL);
	return OK;
}

enum err faults_parse(struct slice text, struct faults *out, struct diag *diag)
{
	struct faults faults = {.chance = {0}};
	struct slice rest = text;

	while (rest.at && !slice_is(text, "none")) {
		struct slice part = cut_at(rest, ',', &rest);
		enum err err = parse_one(part, &faults, diag);

		if (err)
			return err;
	}
	*out = faults;
	return OK;
}

static void write_chance(struct bytes *out, uint32_t chance)
{
	uint32_t unit = CHANCE_ALWAYS / 100, rest = chance % unit;

	bytes_format(out, "%u", (unsigned)(chance / unit));
	if (rest)
		bytes_add(out, '.');
	for (unit /= 10; rest; unit /= 10) {
		bytes_format(out, "%u", (unsigned)(rest / unit));
		rest %= unit;
	}
	bytes_add(out, '%');
}

void faults_write(struct bytes *out, const struct faults *faults)
{
	char most[DURATION_TEXT_MAX];
	bool first = true;

	for (size_t i = 0; i < FAULTS; i++) {
		if (!faults->chance[i])
			continue;
		bytes_format(out, "%s%s=", first ? "" : ",", kinds[i].name);
		write_chance(out, faults->chance[i]);
		if (kinds[i].most_ms && duration_format(faults->most_ms[i], most))
			bytes_format(out, ":%s", most);
		first = false;
	}
	if (faults->slow_ms && duration_format(faults->slow_ms, most)) {
		bytes_format(out, "%s%s=%s", first ? "" : ",", slow, most);
		first = false;
	}
	if (first)
		bytes_text(out, "none");
}
