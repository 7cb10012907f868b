#include "tests/fuzz/budget.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

static bool counting;
static int64_t used; /* may fall below 0: others' memory is freed here, too */

void budget_begin(void)
{
	used = 0;
	counting = true;
}

void budget_end(void)
{
	counting = false;
}

static void spend(size_t size)
{
	if (!counting)
		return;
	if (size <= BUDGET_BYTES)
		used += (int64_t)size;
	if (size <= BUDGET_BYTES && used <= BUDGET_BYTES)
		return;
	fprintf(stderr, "the input makes the target take over %d MiB of memory\n",
		BUDGET_BYTES / 1024 / 1024);
	abort();
}

static void give_back(void *memory)
{
	if (counting && memory)
		used -= (int64_t)malloc_usable_size(memory);
}

void *__wrap_malloc(size_t size)
{
	void *memory = __real_malloc(size);

	spend(memory ? malloc_usable_size(memory) : size);
	return memory;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *memory = __real_calloc(n, size);

	spend(memory ? malloc_usable_size(memory) : SIZE_MAX);
	return memory;
}

void *__wrap_realloc(void *old, size_t size)
{
	void *memory;

	give_back(old);
	memory = __real_realloc(old, size);
	spend(memory ? malloc_usable_size(memory) : size);
	return memory;
}

char *__wrap_strdup(const char *text)
{
	char *copy = __real_strdup(text);

	spend(copy ? malloc_usable_size(copy) : strlen(text));
	return copy;
}

void __wrap_free(void *memory)
{
	give_back(memory);
	__real_free(memory);
}
