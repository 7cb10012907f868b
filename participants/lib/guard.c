#include "participants/lib/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_MAX = 500, PATH_SIZE = 4096 };

/* An id that is longer is known by its beginning and its length. */
struct name {
	uint32_t len; /* 0: nobody */
	char text[ID_MAX];
};

struct suspect {
	uint32_t deaths; /* 0: this place is free */
	struct name name;
};

/* The file, byte for byte. */
struct page {
	char magic[8];
	struct name running;
	struct suspect suspects[GUARD_SUSPECTS_MAX];
};

static const char magic[8] = "skald\0g1";

struct guard {
	int fd;
	struct page *page;
	uint32_t n_suspects; /* so that the usual case looks at nothing else */
	struct name fatal;
};

/* --- names ----------------------------------------------------------------------- */

static size_t kept_len(struct slice id)
{
	return id.len < ID_MAX ? id.len : ID_MAX;
}

static bool is_named(const struct name *name, struct slice id)
{
	return name->len == id.len && memcmp(name->text, id.at, kept_len(id)) == 0;
}

static void set_name(struct name *name, struct slice id)
{
	/* A process may die between any two of these: no length, no name. */
	__atomic_store_n(&name->len, 0, __ATOMIC_RELEASE);
	memcpy(name->text, id.at, kept_len(id));
	__atomic_store_n(&name->len, (uint32_t)id.len, __ATOMIC_RELEASE);
}

/* --- suspects ------------------------------------------------------------------------ */

static struct suspect *find(const struct guard *guard, struct slice id)
{
	struct suspect *suspects = guard->page->suspects;

	for (int i = 0; guard->n_suspects && i < GUARD_SUSPECTS_MAX; i++)
		if (suspects[i].deaths && is_named(&suspects[i].name, id))
			return &suspects[i];
	return NULL;
}

static uint32_t count(const struct guard *guard)
{
	uint32_t n = 0;

	for (int i = 0; i < GUARD_SUSPECTS_MAX; i++)
		n += guard->page->suspects[i].deaths > 0;
	return n;
}

/* Which one of them makes room: a free place, or the one with the fewest deaths. */
static struct suspect *least(struct guard *guard)
{
	struct suspect *suspects = guard->page->suspects, *least = suspects;

	for (int i = 1; i < GUARD_SUSPECTS_MAX; i++)
		if (suspects[i].deaths < least->deaths)
			least = &suspects[i];
	return least;
}

/* The last process died while a command ran: that is one more of its deaths. */
static void accuse(struct guard *guard)
{
	struct page *page = guard->page;
	struct slice id = {page->running.text, page->running.len};
	struct suspect *suspect;

	if (!id.len)
		return;
	guard->fatal = page->running;
	suspect = find(guard, id);
	if (!suspect) {
		suspect = least(guard);
		suspect->deaths = 0;
		set_name(&suspect->name, id);
	}
	suspect->deaths++;
	guard->n_suspects = count(guard);
	guard_leave(guard);
}

void guard_enter(struct guard *guard, struct slice id)
{
	set_name(&guard->page->running, id);
}

void guard_leave(struct guard *guard)
{
	__atomic_store_n(&guard->page->running.len, 0, __ATOMIC_RELEASE);
}

uint32_t guard_deaths(const struct guard *guard, struct slice id)
{
	const struct suspect *suspect = find(guard, id);

	return suspect ? suspect->deaths : 0;
}

void guard_clear(struct guard *guard, struct slice id)
{
	struct suspect *suspect = find(guard, id);

	if (!suspect)
		return;
	suspect->deaths = 0;
	guard->n_suspects = count(guard);
}

/* --- the file -------------------------------------------------------------------------- */

/* Locks end with the process, however it ends. */
static bool lock(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_SETLK, &whole) == 0;
}

/* Every byte is written, so that the disk has room for it: a write to a mapped page
 * that it has no room for would end the process. */
static bool fill(int fd)
{
	static const struct page empty;
	size_t done = 0;

	while (done < sizeof empty) {
		ssize_t n = pwrite(fd, (const char *)&empty + done, sizeof empty - done,
				   (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Ours is begun where nothing was, or what was left half-made: zeros. */
static enum err make(int fd, const char *path, struct diag *diag)
{
	char begin[sizeof magic] = {0};
	struct stat status;

	if (fstat(fd, &status) != 0 || pread(fd, begin, sizeof begin, 0) < 0)
		return diag_set(diag, ERR_IO, "%s: %s", path, strerror(errno));
	if ((size_t)status.st_size == sizeof(struct page) &&
	    !memcmp(begin, magic, sizeof magic))
		return OK;
	if ((size_t)status.st_size > sizeof(struct page) || begin[0] != '\0')
		return diag_set(diag, ERR_CORRUPT,
				"%s: is no file of a crash guard; name another one", path);
	if (!fill(fd) || pwrite(fd, magic, sizeof magic, 0) != sizeof magic)
		return diag_set(diag, ERR_IO, "%s: cannot write it: %s", path, strerror(errno));
	return OK;
}

static enum err map(struct guard *guard, const char *path, struct diag *diag)
{
	void *page = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED,
			  guard->fd, 0);

	if (page == MAP_FAILED)
		return diag_set(diag, ERR_IO, "%s: cannot map it: %s", path, strerror(errno));
	guard->page = page;
	return OK;
}

/* ERR_BUSY: another process has it. */
static enum err take(struct guard *guard, const char *path, struct diag *diag)
{
	enum err err;

	guard->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (guard->fd < 0)
		return diag_set(diag, ERR_IO, "%s: %s", path, strerror(errno));
	if (!lock(guard->fd)) {
		close(guard->fd);
		guard->fd = -1;
		return ERR_BUSY;
	}
	err = make(guard->fd, path, diag);
	return err ? err : map(guard, path, diag);
}

enum err guard_open(const char *path, struct guard **out, struct slice *fatal,
		    struct diag *diag)
{
	struct guard *guard = calloc(1, sizeof *guard);
	char numbered[PATH_SIZE];
	enum err err = ERR_BUSY;

	if (!guard)
		return diag_set(diag, ERR_NOMEM, "out of memory for the crash guard");
	guard->fd = -1;
	for (int n = 1; err == ERR_BUSY && n <= GUARD_PROCESSES_MAX; n++) {
		int len = snprintf(numbered, sizeof numbered, n > 1 ? "%s.%d" : "%s", path, n);

		if (len < 0 || (size_t)len >= sizeof numbered)
			err = diag_set(diag, ERR_TOO_LARGE, "%.100s...: the path is too long",
				       path);
		else
			err = take(guard, numbered, diag);
	}
	if (err) {
		guard_close(guard);
		return err == ERR_BUSY ? diag_set(diag, err,
						  "%s: %d processes have it; give each "
						  "participant a file of its own",
						  path, GUARD_PROCESSES_MAX)
				       : err;
	}
	guard->n_suspects = count(guard);
	accuse(guard);
	*fatal = (struct slice){guard->fatal.text,
				kept_len((struct slice){NULL, guard->fatal.len})};
	*out = guard;
	return OK;
}

void guard_close(struct guard *guard)
{
	if (!guard)
		return;
	if (guard->page) {
		guard_leave(guard);
		munmap(guard->page, sizeof *guard->page);
	}
	if (guard->fd >= 0)
		close(guard->fd);
	free(guard);
}
