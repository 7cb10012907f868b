/* json_write.c - values as text, for programs and for people. */
#include "base/json.h"
#include "base/json_escape.h"

void json_write_text(struct bytes *out, struct slice characters)
{
	char escape[JSON_ESCAPE_MAX];
	size_t done = 0;

	bytes_add(out, '"');
	for (size_t i = 0; i < characters.len; i++) {
		if (!json_must_escape(characters.at[i]))
			continue;
		bytes_append(out, (struct slice){characters.at + done, i - done});
		bytes_append(out,
			     (struct slice){escape, json_escape(characters.at[i], escape)});
		done = i + 1;
	}
	if (done < characters.len)
		bytes_append(out, (struct slice){characters.at + done, characters.len - done});
	bytes_add(out, '"');
}

static void begin_line(struct bytes *out, int indent)
{
	bytes_add(out, '\n');
	for (int i = 0; i < indent; i++)
		bytes_text(out, "  ");
}

void json_write_pretty(struct bytes *out, struct json value, int indent)
{
	struct json_each each = json_each(value);
	bool first = true;

	if (each.rest.len == 0) {
		bytes_append(out, value.text);
		return;
	}
	bytes_add(out, value.text.at[0]);
	while (json_next(&each)) {
		if (!first)
			bytes_add(out, ',');
		first = false;
		begin_line(out, indent + 1);
		if (each.name.text.len > 0) {
			bytes_append(out, each.name.text);
			bytes_text(out, ": ");
		}
		json_write_pretty(out, each.value, indent + 1);
	}
	begin_line(out, indent);
	bytes_add(out, value.text.at[value.text.len - 1]);
}
