#include "cli/json_line.h"

#include "base/json.h"
#include "base/utf8.h"

#include <inttypes.h>

void json_begin(struct bytes *out)
{
	bytes_add(out, '{');
}

void json_end(struct bytes *out)
{
	bytes_text(out, "}\n");
}

void json_add_name(struct bytes *out, const char *name)
{
	if (out->len && out->at[out->len - 1] != '{')
		bytes_add(out, ',');
	json_write_text(out, slice_of(name));
	bytes_add(out, ':');
}

void json_add_value(struct bytes *out, struct slice text)
{
	struct bytes valid = BYTES(SIZE_MAX / 4, NULL);

	if (utf8_valid(text)) {
		json_write_text(out, text);
		return;
	}
	while (text.len) {
		uint32_t character;
		size_t len = utf8_decode(text, &character);

		if (len)
			bytes_append(&valid, (struct slice){text.at, len});
		else
			bytes_text(&valid, "\xef\xbf\xbd");
		text.at += len ? len : 1;
		text.len -= len ? len : 1;
	}
	json_write_text(out, bytes_slice(&valid));
	if (valid.err && !out->err)
		out->err = valid.err;
	bytes_release(&valid);
}

void json_add_text(struct bytes *out, const char *name, struct slice text)
{
	json_add_name(out, name);
	json_add_value(out, text);
}

void json_add_number(struct bytes *out, const char *name, int64_t number)
{
	json_add_name(out, name);
	bytes_format(out, "%" PRId64, number);
}

void json_add_bool(struct bytes *out, const char *name, bool value)
{
	json_add_name(out, name);
	bytes_text(out, value ? "true" : "false");
}
