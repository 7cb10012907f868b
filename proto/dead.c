#include "proto/dead.h"

#include "base/pack.h"

#include <string.h>

void dead_headers_add(struct bytes *headers, struct slice name, struct slice value)
{
	struct pack pack;

	pack_begin(&pack, headers);
	pack_slice(&pack, name);
	pack_slice(&pack, value);
	pack_end(&pack);
}

bool dead_headers_next(struct slice headers, size_t *at, struct slice *name,
		       struct slice *value)
{
	struct unpack unpack = unpack_begin(headers);

	unpack.at = *at;
	if (unpack_done(&unpack))
		return false;
	*name = unpack_slice(&unpack, headers.len, "the name of a header");
	*value = unpack_slice(&unpack, headers.len, "the value of a header");
	*at = unpack.at;
	return !unpack.what;
}

bool dead_id_valid(struct slice id)
{
	if (!id.len || id.len > DEAD_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!id.at[i] || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789._-",
					 id.at[i]))
			return false;
	return true;
}
