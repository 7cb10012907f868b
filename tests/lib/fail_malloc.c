#include "tests/lib/fail_malloc.h"

#include <errno.h>
#include <string.h>

/* The names are the linker's (--wrap): what calls malloc gets __wrap_malloc,
 * and __real_malloc is the one of the C library. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static bool armed;
static bool fired;
static size_t fail_at;
static size_t asked;

void fail_malloc_at(size_t n)
{
	armed = true;
	fired = false;
	fail_at = n;
	asked = 0;
}

bool fail_malloc_fired(void)
{
	return fired;
}

size_t fail_malloc_count(void)
{
	return asked;
}

bool fail_malloc_off(void)
{
	armed = false;
	return fired;
}

static bool fails(void)
{
	if (!armed || asked++ != fail_at)
		return false;
	fired = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}
