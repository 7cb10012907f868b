#include "bus/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, SEND_BUFFER = 1024 * 1024 };

_Static_assert(sizeof((struct sockaddr_un){0}.sun_path) >= SOCKET_PATH_MAX, "path");

static enum err address_of(const char *path, struct sockaddr_un *address, struct diag *diag)
{
	size_t len = strlen(path);

	if (len == 0 || len >= SOCKET_PATH_MAX)
		return diag_set(diag, ERR_INVALID,
				"%s: the path of a socket has 1 to %d bytes, this has %zu: "
				"choose a shorter one",
				path, SOCKET_PATH_MAX - 1, len);
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, len);
	return OK;
}

/* A larger buffer saves turns; it is as well without. */
static void enlarge(int fd)
{
	int size = SEND_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = open_socket();
	bool nobody;

	if (fd < 0)
		return true; /* who knows */
	nobody = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
		 errno == ECONNREFUSED;
	close(fd);
	return !nobody;
}

/* Something is at the path already. */
static enum err remove_stale(const char *path, const struct sockaddr_un *address,
			     struct diag *diag)
{
	struct stat status;

	if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return diag_set(diag, ERR_INVALID,
				"%s is there and no socket: remove it, or choose another path",
				path);
	if (somebody_listens(address))
		return diag_set(diag, ERR_CONFLICT,
				"another process listens at %s: stop it, or choose another "
				"path",
				path);
	if (unlink(path) < 0 && errno != ENOENT)
		return diag_set(diag, ERR_IO,
				"nobody listens at %s any more, but it cannot be removed: %s",
				path, strerror(errno));
	return OK;
}

enum err socket_listen(const char *path, int *out, struct diag *diag)
{
	struct sockaddr_un address;
	enum err err = address_of(path, &address, diag);
	int fd, result;

	if (err)
		return err;
	fd = open_socket();
	if (fd < 0)
		return diag_set(diag, ERR_IO, "%s: %s", path, strerror(errno));
	result = bind(fd, (struct sockaddr *)&address, sizeof address);
	if (result < 0 && errno == EADDRINUSE) {
		err = remove_stale(path, &address, diag);
		if (err) {
			close(fd);
			return err;
		}
		result = bind(fd, (struct sockaddr *)&address, sizeof address);
	}
	/* Nobody can connect before listen. */
	if (result < 0 || chmod(path, S_IRUSR | S_IWUSR) < 0 || listen(fd, BACKLOG) < 0) {
		err = diag_set(diag, ERR_IO, "cannot listen at %s: %s", path, strerror(errno));
		close(fd);
		return err;
	}
	*out = fd;
	return OK;
}

enum err socket_accept(int listener, int *out)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0 &&
	    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		return ERR_BUSY;
	if (fd < 0)
		return ERR_NOT_FOUND;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		close(fd);
		return ERR_NOT_FOUND;
	}
	enlarge(fd);
	*out = fd;
	return OK;
}

enum err socket_connect(const char *path, int *out, struct diag *diag)
{
	struct sockaddr_un address;
	enum err err = address_of(path, &address, diag);
	int fd;

	if (err)
		return err;
	fd = open_socket();
	if (fd < 0)
		return diag_set(diag, ERR_IO, "%s: %s", path, strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		err = diag_set(diag, ERR_UNAVAILABLE, "no orchestrator answers at %s: %s", path,
			       strerror(errno));
		close(fd);
		return err;
	}
	enlarge(fd);
	*out = fd;
	return OK;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

enum err socket_read(int fd, char *bytes, size_t max, size_t *n)
{
	ssize_t got = recv(fd, bytes, max, MSG_DONTWAIT);

	*n = got > 0 ? (size_t)got : 0;
	return got > 0 || (got < 0 && would_block()) ? OK : ERR_UNAVAILABLE;
}

enum err socket_write(int fd, struct slice bytes, size_t *n)
{
	ssize_t sent = send(fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	*n = sent > 0 ? (size_t)sent : 0;
	return sent >= 0 || would_block() ? OK : ERR_UNAVAILABLE;
}
