/* SPDX-License-Identifier: BSD-2-Clause
 * test_daemon.c - life in the background
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	char dir[32];
	char file[48];
	char error[TC_DAEMON_ERROR_MAX];
};

static int setup(void **state)
{
	static struct fixture f;
	f = (struct fixture){ .dir = "/tmp/tc-daemon-XXXXXX" };
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.file, sizeof f.file, "%s/file", f.dir);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	unlink(f->file);
	assert_int_equal(rmdir(f->dir), 0);
	return 0;
}

/* Runs @fn in a child; returns its exit status. */
static int in_child(int (*fn)(struct fixture *), struct fixture *f)
{
	pid_t pid = fork();
	if (pid == 0) {
		_exit(fn(f));
	}
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	return WEXITSTATUS(how);
}

static void read_file(const char *path, char *buf, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t got = read(fd, buf, n - 1);
	assert_true(got >= 0);
	buf[got] = '\0';
	close(fd);
}

static int try_lock(struct fixture *f)
{
	int fd = tc_pid_file_open(f->file, f->error);
	if (fd != -EBUSY) {
		return 1;
	}
	char want[128];
	snprintf(want, sizeof want, "the pid file '%s' is held by process %ld, which still runs",
		 f->file, (long)getppid());
	return strcmp(f->error, want) == 0 ? 0 : 2;
}

static void a_pid_file_is_held_by_one_process_at_a_time(void **state)
{
	struct fixture *f = *state;
	int fd = tc_pid_file_open(f->file, f->error);
	assert_true(fd >= 0);
	assert_int_equal(tc_pid_file_write(fd), 0);
	char text[32];
	char want[32];
	read_file(f->file, text, sizeof text);
	snprintf(want, sizeof want, "%ld\n", (long)getpid());
	assert_string_equal(text, want);
	assert_int_equal(in_child(try_lock, f), 0);
	tc_pid_file_close(fd, f->file);
	assert_int_equal(access(f->file, F_OK), -1);
}

static int lock_and_die(struct fixture *f)
{
	return tc_pid_file_open(f->file, f->error) >= 0 ? 0 : 1;
}

static void a_pid_file_of_a_dead_process_is_taken_over(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(in_child(lock_and_die, f), 0);
	assert_int_equal(access(f->file, F_OK), 0);
	int fd = tc_pid_file_open(f->file, f->error);
	assert_true(fd >= 0);
	tc_pid_file_close(fd, f->file);
}

static void a_pid_file_that_cannot_be_made_is_named(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(tc_pid_file_open("/nowhere/pid", f->error), -ENOENT);
	assert_string_equal(f->error,
			    "cannot write the pid file '/nowhere/pid': No such file or directory");
}

static int log_a_line(struct fixture *f)
{
	if (tc_log_file_open(f->file, f->error) < 0) {
		return 1;
	}
	fprintf(stderr, "a line\n");
	return tc_log_file_open("/nowhere/log", f->error) == -ENOENT && fprintf(stderr, "b\n") > 0 ?
		       0 :
		       2;
}

static void messages_are_appended_to_the_log_file(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(in_child(log_a_line, f), 0);
	assert_int_equal(in_child(log_a_line, f), 0);
	char text[64];
	read_file(f->file, text, sizeof text);
	assert_string_equal(text, "a line\nb\na line\nb\n");
}

static void a_path_is_kept_whole_for_another_directory(void **state)
{
	(void)state;
	char *here = getcwd(NULL, 0);
	char want[4096];
	snprintf(want, sizeof want, "%s/x.log", here);
	char *path = tc_daemon_path("x.log");
	assert_string_equal(path, want);
	free(path);
	free(here);
	path = tc_daemon_path("/var/x.log");
	assert_string_equal(path, "/var/x.log");
	free(path);
}

static int look_as_another_user(struct fixture *f)
{
	return chmod(f->dir, 0755) == 0 && setuid(65534) == 0 ? tc_log_file_lasts(f->file) : 2;
}

static void a_log_file_lasts_in_a_folder_that_can_be_written(void **state)
{
	struct fixture *f = *state;
	assert_true(tc_log_file_lasts(f->file));
	assert_false(tc_log_file_lasts("/nowhere/log"));
	if (geteuid() == 0) {
		assert_int_equal(in_child(look_as_another_user, f), 0);
	}
}

static int become_ready(struct fixture *f)
{
	int fd = tc_daemon_fork();
	/* here is the background alone */
	usleep(20000);
	int rc = tc_daemon_ready(fd);
	usleep(50000);
	/* the file shows that we live on, and where */
	char *here = getcwd(NULL, 0);
	int out = open(f->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dprintf(out, "%d %s", rc, here);
	_exit(0);
}

static void the_foreground_ends_when_the_background_is_ready(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(in_child(become_ready, f), 0);
	char text[32] = "";
	for (int i = 0; i < 100 && text[0] == '\0'; i++) {
		usleep(10000);
		if (access(f->file, F_OK) == 0) {
			read_file(f->file, text, sizeof text);
		}
	}
	assert_string_equal(text, "0 /");
}

static int fail_to_start(struct fixture *f)
{
	(void)f;
	(void)tc_daemon_fork();
	_exit(4);
}

static void the_foreground_ends_as_a_background_that_could_not_start(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(in_child(fail_to_start, f), 4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pid_file_is_held_by_one_process_at_a_time),
		TEST(a_pid_file_of_a_dead_process_is_taken_over),
		TEST(a_pid_file_that_cannot_be_made_is_named),
		TEST(messages_are_appended_to_the_log_file),
		TEST(a_log_file_lasts_in_a_folder_that_can_be_written),
		TEST(a_path_is_kept_whole_for_another_directory),
		TEST(the_foreground_ends_when_the_background_is_ready),
		TEST(the_foreground_ends_as_a_background_that_could_not_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
