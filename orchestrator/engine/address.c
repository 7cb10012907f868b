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

static bool parse_number(struct slice text, uint32_t max, uint32_t *out)
{
	uint32_t number = 0;

	if (text.len == 0 || text.len > 5 || (text.at[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(text.at[i] - '0');
	}
	*out = number;
	return number <= max;
}

bool address_parse(struct slice id, struct address *out)
{
	struct slice element, round;
	uint32_t number = 0;

	if (!cut(&id, '/', &out->saga_id) || !cut(&id, '#', &out->step) ||
	    !cut(&id, '/', &element) || !cut(&id, '/', &round) ||
	    !parse_number(element, EACH_MAX - 1, &out->element) ||
	    !parse_number(round, ROUNDS_MAX, &number))
		return false;
	out->round = (uint16_t)number;
	for (int verb = VERB_DO; verb <= VERB_REVOKE; verb++)
		if (slice_is(id, verb_text((enum verb)verb))) {
			out->verb = (enum verb)verb;
			return saga_id_valid(out->saga_id) && name_valid(out->step);
		}
	return false;
}
