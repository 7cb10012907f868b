#include "cli/members.h"

#include "base/rfc3339.h"

struct json member_json(struct json object, const char *name)
{
	struct json value;

	if (json_type(object) == JSON_OBJECT && json_get(object, slice_of(name), &value))
		return value;
	return JSON_OF("null");
}

struct slice member_text(struct json object, const char *name, struct arena *arena)
{
	struct json value = member_json(object, name);
	struct slice text;

	if (json_type(value) == JSON_TEXT && json_text(value, arena, &text))
		return text;
	return (struct slice){0};
}

int64_t member_number(struct json object, const char *name)
{
	struct json value = member_json(object, name);
	struct decimal number;

	if (json_type(value) != JSON_NUMBER || json_number(value, &number) != DECIMAL_OK ||
	    number.scale != 0)
		return 0;
	return number.coefficient;
}

int64_t member_time(struct json object, const char *name)
{
	struct json value = member_json(object, name);
	int64_t ms = 0;

	/* A time has nothing to escape: its characters are the text in its quotes. */
	if (json_type(value) != JSON_TEXT || value.text.len < 2 ||
	    rfc3339_parse((struct slice){value.text.at + 1, value.text.len - 2}, &ms, NULL))
		return 0;
	return ms;
}

bool member_bool(struct json object, const char *name)
{
	struct json value = member_json(object, name);

	return json_type(value) == JSON_BOOL && json_bool(value);
}
