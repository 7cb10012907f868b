#include "participants/service/faults.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MILLION = 1000000 };

/* --- reading --------------------------------------------------------------------- */

/* Digits with up to four behind a point, in ten-thousandths. */
static bool read_number(const char **at, uint64_t *out)
{
	const char *text = *at;
	uint64_t number = 0;
	int places = -1;

	for (; isdigit((unsigned char)*text) || (*text == '.' && places < 0); text++) {
		if (*text == '.') {
			places = 0;
			continue;
		}
		number = number * 10 + (uint64_t)(*text - '0');
		places += places >= 0;
		if (places > 4 || number > 1000000000000)
			return false;
	}
	if (text == *at || places == 0)
		return false;
	for (places = places < 0 ? 0 : places; places < 4; places++)
		number *= 10;
	*at = text;
	*out = number;
	return true;
}

static bool read_chance(const char *text, uint32_t *out)
{
	uint64_t number;

	if (!read_number(&text, &number) || strcmp(text, "%") != 0 || number > MILLION)
		return false;
	*out = (uint32_t)number;
	return true;
}

static bool read_duration(const char *text, int64_t *out_ms)
{
	uint64_t number;
	bool seconds;

	if (!read_number(&text, &number))
		return false;
	seconds = strcmp(text, "s") == 0;
	if (!seconds && strcmp(text, "ms") != 0)
		return false;
	*out_ms = (int64_t)(seconds ? number / 10 : number / 10000);
	return *out_ms <= 60000;
}

static bool read_saga(const char *text, char out[FAULTS_SAGA_SIZE])
{
	int len = snprintf(out, FAULTS_SAGA_SIZE, "%s", text);

	return len > 0 && len < FAULTS_SAGA_SIZE && !strchr(text, '/');
}

static bool read_fault(const char *text, struct faults *out)
{
	if (strncmp(text, "decline=", 8) == 0)
		return read_chance(text + 8, &out->decline);
	if (strncmp(text, "fail=", 5) == 0)
		return read_chance(text + 5, &out->fail);
	if (strncmp(text, "crash=", 6) == 0)
		return read_chance(text + 6, &out->crash);
	if (strncmp(text, "slow=", 5) == 0)
		return read_duration(text + 5, &out->slow_ms);
	if (strncmp(text, "deadly=", 7) == 0)
		return read_saga(text + 7, out->deadly);
	return false;
}

bool faults_parse(const char *text, struct faults *out, skald_error *error)
{
	struct faults faults = {.seed = (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid()};
	char part[FAULTS_SAGA_SIZE + 16];

	while (*text) {
		size_t len = strcspn(text, ",");

		snprintf(part, sizeof part, "%.*s", len < sizeof part ? (int)len : 0, text);
		if (!read_fault(part, &faults)) {
			snprintf(error->text, sizeof error->text,
				 "\"%.*s\" is no fault; write decline=10%%, fail=1%%, "
				 "crash=0.1%%, deadly=SAGA-ID or slow=50ms (60s at most), with "
				 "commas between them",
				 len < 100 ? (int)len : 100, text);
			return false;
		}
		text += len + (text[len] == ',');
	}
	*out = faults;
	return true;
}

/* --- deciding -------------------------------------------------------------------------- */

/* A number below a million that depends on nothing else. */
static uint32_t draw(const char *id, uint64_t salt)
{
	uint64_t hash = 14695981039346656037u ^ salt;

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 1099511628211u;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
	return (uint32_t)((hash ^ hash >> 33) % MILLION);
}

bool faults_decline(const struct faults *faults, const char *command_id)
{
	return faults->decline && draw(command_id, 1) < faults->decline;
}

bool faults_fail(const struct faults *faults, const char *command_id, uint32_t attempt)
{
	return faults->fail && draw(command_id, ((uint64_t)attempt << 8) + 2) < faults->fail;
}

/* The id of a command begins with that of its saga. */
static bool is_deadly(const struct faults *faults, const char *command_id)
{
	size_t len = strlen(faults->deadly);

	return len && strncmp(command_id, faults->deadly, len) == 0 && command_id[len] == '/';
}

/* With the seed, so that the next process may survive the same attempt. */
bool faults_crash(const struct faults *faults, const char *command_id, uint32_t attempt)
{
	return is_deadly(faults, command_id) ||
	       (faults->crash &&
		draw(command_id, faults->seed + ((uint64_t)attempt << 8) + 3) < faults->crash);
}
