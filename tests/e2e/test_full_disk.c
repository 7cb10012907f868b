/* test_full_disk.c - the disk of the server, or of a service, is full in the middle of
 * everything, and then it is not. A full disk is a small file system, or the limit
 * that the system sets to the size of a process's files. */
#define _GNU_SOURCE /* unshare, prlimit */

#include "cli/members.h"
#include "tests/e2e/http.h"
#include "tests/e2e/orders.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ORDERS = 400,
	PORTION = 100,
	SECONDS = 120,
	STEP_MS = 5,
	PATIENCE_MS = 20000,
	FILE_LIMIT = 128 * 1024,
	REFUSALS = 20,
};

enum disk { SMALL_DISK, LIMITED_FILES };

static struct works works;
static struct orders orders;
static struct arena arena;

/* --- a disk that can be filled ------------------------------------------------------ */

/* In a namespace of this process and those that it starts: whatever becomes of the
 * test, the mount is gone with them. */
static bool mount_small_disk(const char *folder)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", folder, "tmpfs", 0, "size=16m") == 0;
}

/* Whether that is allowed here, tried by a process that ends. */
static bool can_mount(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(!mount_small_disk("/tmp"));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0;
}

static void limit_files(enum work victim, rlim_t bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(prlimit(works_pid(&works, victim), RLIMIT_FSIZE, NULL, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(prlimit(works_pid(&works, victim), RLIMIT_FSIZE, &limit, NULL), 0);
}

/* The server's folder is data, inventory's is stock. */
static void use_up(enum disk disk, enum work victim)
{
	static const char block[4096];
	int fd;

	if (disk == LIMITED_FILES) {
		limit_files(victim, FILE_LIMIT);
		return;
	}
	fd = open(victim == SERVER ? "data/ballast" : "stock/ballast", O_WRONLY | O_CREAT,
		  0600);
	ck_assert_int_ge(fd, 0);
	while (write(fd, block, sizeof block) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

/* And then there is more to do. */
static void fill(enum disk disk, enum work victim)
{
	use_up(disk, victim);
	orders_allow(&orders, orders_accepted(&orders) + PORTION);
}

static void make_room(enum disk disk, enum work victim)
{
	if (disk == LIMITED_FILES)
		limit_files(victim, RLIM_INFINITY);
	else
		ck_assert_int_eq(unlink(victim == SERVER ? "data/ballast" : "stock/ballast"),
				 0);
}

/* --- the world ---------------------------------------------------------------------- */

static void begin(enum disk disk, enum work victim)
{
	works_enter();
	ck_assert_int_eq(mkdir("data", 0700), 0);
	ck_assert_int_eq(mkdir("stock", 0700), 0);
	ck_assert(disk == LIMITED_FILES ||
		  mount_small_disk(victim == SERVER ? "data" : "stock"));
	works = (struct works){
		.args = {[INVENTORY] = {"--data", "stock", "--stock", ORDER_SOLD_OUT}}};
	works_start(&works);
	orders_init(&orders, 1, ORDERS);
	orders_allow(&orders, PORTION);
	orders_begin(&orders, works.server.url);
	while (orders_accepted(&orders) < PORTION / 5)
		works_sleep_ms(STEP_MS);
}

/* Every order is accepted, has ended as it should, and is in all books. */
static void end(enum disk disk, enum work victim)
{
	orders_await(&orders);
	works_wait_idle(&works);
	orders_check(&orders, &works, ORDER_AS_IT_IS);
	works_stop(&works);
	if (disk == SMALL_DISK)
		ck_assert_int_eq(umount(victim == SERVER ? "data" : "stock"), 0);
	arena_release(&arena);
	folder_leave();
}

static struct http_answer until_ready_is(long status)
{
	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		struct http_answer answer =
			http_ask(works.server.url, "/readyz", (struct slice){0}, &arena);

		if (answer.status == status)
			return answer;
		works_sleep_ms(STEP_MS);
	}
	ck_abort_msg("/readyz is not %ld in time", status);
	return (struct http_answer){0};
}

static void check_has(struct slice text, const char *part)
{
	ck_assert_msg(strstr(text.at, part) != NULL, "no `%s` in: %s", part, text.at);
}

static struct process_result start_one(void)
{
	struct process_setup setup = {
		.argv = {works_program(SERVER), "start", "order", "--id", "order-9999", "-i",
			 "{\"order_id\":\"order-9999\",\"sku\":\"book\",\"qty\":1,\"total\":1,"
			 "\"email\":\"a@b\",\"card\":\"1\"}"},
		.env = {works.server.env},
	};

	return process_run(&setup, &arena);
}

/* --- the server's ------------------------------------------------------------------- */

static int64_t count_stored(void)
{
	struct json stats = http_get(works.server.url, "/v1/stats", &arena);
	struct json_each each = json_each(member_json(stats, "sagas"));
	int64_t n = 0;

	while (json_next(&each))
		n += strtol(each.value.text.at, NULL, 10);
	return n;
}

/* While nothing can be stored, nothing is accepted, and everybody hears why. */
static void check_that_nothing_is_accepted(void)
{
	struct http_answer ready = until_ready_is(503);
	int64_t stored = count_stored();

	check_has(ready.text, "the disk is full");
	for (int i = 0; i < REFUSALS; i++) {
		struct process_result result = start_one();

		ck_assert_int_eq(result.exit_code, 1);
		check_has(result.errs, "the disk is full");
		ck_assert_int_le(orders_accepted(&orders), stored);
		ck_assert_int_eq(count_stored(), stored);
	}
	check_has(folder_read("server.log", &arena), "event=store-fails");
}

START_TEST(test_the_server_goes_on_when_there_is_room_again)
{
	enum disk disk = (enum disk)_i;

	begin(disk, SERVER);
	for (int i = 0; i < 2; i++) {
		fill(disk, SERVER);
		check_that_nothing_is_accepted();
		make_room(disk, SERVER);
		until_ready_is(200);
	}
	end(disk, SERVER);
}
END_TEST

START_TEST(test_a_server_killed_on_a_full_disk_has_all_it_accepted)
{
	begin(SMALL_DISK, SERVER);
	fill(SMALL_DISK, SERVER);
	check_that_nothing_is_accepted();
	works_kill(&works, SERVER);
	works_start_one(&works, SERVER);
	check_that_nothing_is_accepted();
	make_room(SMALL_DISK, SERVER);
	end(SMALL_DISK, SERVER);
}
END_TEST

/* --- a service's -------------------------------------------------------------------- */

START_TEST(test_a_service_goes_on_when_there_is_room_again)
{
	enum disk disk = (enum disk)_i;

	begin(disk, INVENTORY);
	fill(disk, INVENTORY);
	check_has(background_until(&works.services[INVENTORY], "commit-failed", &arena),
		  "the disk is full; make room, and it goes on");
	make_room(disk, INVENTORY);
	end(disk, INVENTORY);
}
END_TEST

/* --- a disk that is full from the beginning ------------------------------------------- */

static void check_cannot_begin(const char *const *args, const char *errs)
{
	struct process_setup setup = {0};
	struct process_result result;

	for (size_t i = 0; args[i]; i++)
		setup.argv[i] = args[i];
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	check_has(result.errs, errs);
}

START_TEST(test_what_begins_on_a_full_disk)
{
	folder_enter();
	ck_assert_int_eq(mkdir("data", 0700), 0);
	ck_assert(mount_small_disk("data"));
	use_up(SMALL_DISK, SERVER);
	check_cannot_begin((const char *const[]){works_program(SERVER), "serve", "--listen",
						 "127.0.0.1:0", "--data", "data", NULL},
			   "data/skald.db: the disk is full; make room, and it goes on");
	check_cannot_begin((const char *const[]){works_program(INVENTORY), "--bus",
						 "local:bus.sock", "--data", "data", NULL},
			   "data/inventory.db: database or disk is full; look whether the disk "
			   "is full or broken, then start again");
	ck_assert_int_eq(umount("data"), 0);
	arena_release(&arena);
	folder_leave();
}
END_TEST

static int first_disk = SMALL_DISK;

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_loop_test(tcase, test_the_server_goes_on_when_there_is_room_again, first_disk,
			    LIMITED_FILES + 1);
	tcase_add_loop_test(tcase, test_a_service_goes_on_when_there_is_room_again, first_disk,
			    LIMITED_FILES + 1);
	if (first_disk != SMALL_DISK)
		return;
	tcase_add_test(tcase, test_a_server_killed_on_a_full_disk_has_all_it_accepted);
	tcase_add_test(tcase, test_what_begins_on_a_full_disk);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	if (!can_mount()) {
		first_disk = LIMITED_FILES;
		printf("0 passed, 0 failed, 4 skipped: no small file system can be mounted "
		       "here; run this as root\n");
	}
	return suite_run("full_disk", add);
}
