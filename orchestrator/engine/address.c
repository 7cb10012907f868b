#include "orchestrator/engine/address.h"

/* What stands before the separator is cut off; false: there is none. */
static bool cut(struct slice *rest, char separator, struct slice *part)
{
	const char *at = rest->len ? memchr(rest->at, separator, rest->len) : NULL;

	if (!at)
		return false;
	*part = (struct slice){rest->at, (size_t)(at - rest->at)};
	rest->len -= part->len + 1;
	rest->at = at + 1;
	return true;
}

static bool parse_round(struct slice text, uint16_t *out)
{
	uint32_t round = 0;

	if (text.len == 0 || text.len > 5 || (text.at[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		round = round * 10 + (uint32_t)(text.at[i] - '0');
	}
	*out = (uint16_t)round;
	return round <= ROUNDS_MAX;
}

bool address_parse(struct slice id, struct address *out)
{
	struct slice element, round;

	if (!cut(&id, '/', &out->saga_id) || !cut(&id, '#', &out->step) ||
	    !cut(&id, '/', &element) || !cut(&id, '/', &round) || !slice_is(element, "0") ||
	    !parse_round(round, &out->round))
		return false;
	for (int verb = VERB_DO; verb <= VERB_REVOKE; verb++)
		if (slice_is(id, verb_text((enum verb)verb))) {
			out->verb = (enum verb)verb;
			return saga_id_valid(out->saga_id) && name_valid(out->step);
		}
	return false;
}
