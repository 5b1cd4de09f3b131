/* SPDX-License-Identifier: BSD-2-Clause
 * test_guard.c - what a process can do after tc_guard(): tried in a child, for there is no way back
 */
#include "guard/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { AS_EXPECTED = 0, FAILED = 1, ABSENT = 77 };

/* Run @try with these needs; it says whether all was as expected */
static void in_child(unsigned needs, bool (*try)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char text[TC_GUARD_TEXT_MAX];
		int r = tc_guard(needs, text);
		/* no filter in this build, or in this kernel (an emulator's, say) */
		if (strstr(text, "built without") != NULL ||
		    ((r == -ENOSYS || r == -EINVAL) && strstr(text, "system calls") != NULL)) {
			_exit(ABSENT);
		}
		if (r != 0) {
			_exit(FAILED);
		}
		_exit(try() ? AS_EXPECTED : FAILED);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == ABSENT) {
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), AS_EXPECTED);
}

static bool is_refused(long result)
{
	return result == -1 && errno == ENOSYS;
}

static bool can_open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, 0);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

static void *thread(void *arg)
{
	return arg;
}

static bool can_start_thread(void)
{
	pthread_t t;
	int mark;
	void *ret = NULL;
	return pthread_create(&t, NULL, thread, &mark) == 0 && pthread_join(t, &ret) == 0 &&
	       ret == &mark;
}

/* The value of a line of /proc/self/status */
static bool status_is(const char *key, const char *value)
{
	char line[256];
	bool is = false;
	FILE *f = fopen("/proc/self/status", "re");
	if (f == NULL) {
		return false;
	}
	while (fgets(line, sizeof line, f) != NULL) {
		size_t n = strlen(key);
		if (strncmp(line, key, n) == 0 && line[n] == ':') {
			line[strcspn(line, "\n")] = '\0';
			is = strcmp(line + n + 2, value) == 0;
		}
	}
	(void)fclose(f);
	return is;
}

static bool try_others(void)
{
	char *const argv[] = { "true", NULL };
	return is_refused(execv("/bin/true", argv)) && is_refused(fork()) &&
	       is_refused(getpgid(0)) && is_refused(listen(0, 1)) && is_refused(setuid(0)) &&
	       is_refused(open_by_handle_at(0, NULL, 0));
}

static void a_call_that_is_not_listed_fails_as_on_a_kernel_without_it(void **state)
{
	(void)state;
	in_child(TC_GUARD_ACCEPT | TC_GUARD_CONNECT | TC_GUARD_SEND | TC_GUARD_NEIGHBORS |
			 TC_GUARD_THREAD,
		 try_others);
}

static bool try_memory(void)
{
	void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return data != MAP_FAILED && code == MAP_FAILED &&
	       is_refused(mprotect(data, 4096, PROT_READ | PROT_EXEC)) &&
	       mprotect(data, 4096, PROT_READ) == 0;
}

static void memory_cannot_be_made_to_run(void **state)
{
	(void)state;
	in_child(0, try_memory);
}

static bool try_connect(void)
{
	return can_open_socket(AF_INET) && !can_open_socket(AF_PACKET) &&
	       !can_open_socket(AF_NETLINK) && errno == ENOSYS;
}

static bool try_no_connect(void)
{
	return !can_open_socket(AF_INET) && errno == ENOSYS;
}

static void only_who_connects_can_open_sockets_and_only_for_that(void **state)
{
	(void)state;
	in_child(TC_GUARD_CONNECT, try_connect);
	in_child(TC_GUARD_ACCEPT, try_no_connect);
}

static bool try_no_thread(void)
{
	return !can_start_thread();
}

static void only_who_needs_threads_can_start_one(void **state)
{
	(void)state;
	in_child(TC_GUARD_THREAD, can_start_thread);
	in_child(TC_GUARD_CONNECT, try_no_thread);
}

static bool try_files(void)
{
	char path[] = "/tmp/tcpcopy-test-guard-XXXXXX";
	int fd = mkstemp(path);
	bool ok = fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0;
	int again = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	ok = ok && again >= 0 && dup2(again, STDERR_FILENO) == STDERR_FILENO;
	return unlink(path) == 0 && ok;
}

static void files_can_be_opened_again(void **state)
{
	(void)state;
	in_child(0, try_files);
}

static bool try_no_privileges(void)
{
	return status_is("NoNewPrivs", "1") && status_is("CapPrm", "0000000000000000") &&
	       status_is("CapEff", "0000000000000000") && status_is("CapInh", "0000000000000000");
}

static bool try_net_admin(void)
{
	return status_is("CapPrm", "0000000000001000") && status_is("CapEff", "0000000000001000") &&
	       status_is("CapBnd", "0000000000001000");
}

static void capabilities_that_are_not_needed_are_gone(void **state)
{
	(void)state;
	in_child(TC_GUARD_ACCEPT | TC_GUARD_CONNECT | TC_GUARD_SEND, try_no_privileges);
	if (geteuid() == 0) {
		in_child(TC_GUARD_NEIGHBORS, try_net_admin);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_is_not_listed_fails_as_on_a_kernel_without_it),
		cmocka_unit_test(memory_cannot_be_made_to_run),
		cmocka_unit_test(only_who_connects_can_open_sockets_and_only_for_that),
		cmocka_unit_test(only_who_needs_threads_can_start_one),
		cmocka_unit_test(files_can_be_opened_again),
		cmocka_unit_test(capabilities_that_are_not_needed_are_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
