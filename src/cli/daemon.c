/* SPDX-License-Identifier: BSD-2-Clause
 * cli/daemon.c - life in the background
 */
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(char *ret_error, const char *what, const char *path, int rc)
{
	snprintf(ret_error, TC_DAEMON_ERROR_MAX, "cannot %s '%s': %s", what, path, strerror(-rc));
	return rc;
}

/* Who holds the lock, as the file says; 0 when it does not say. */
static long holder(int fd)
{
	char buf[24];
	ssize_t n = pread(fd, buf, sizeof buf - 1, 0);
	if (n <= 0) {
		return 0;
	}
	buf[n] = '\0';
	return strtol(buf, NULL, 10);
}

int tc_pid_file_open(const char *path, char *ret_error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		return fail(ret_error, "write the pid file", path, -errno);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		return fd;
	}
	int rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (rc == -EBUSY) {
		snprintf(ret_error, TC_DAEMON_ERROR_MAX,
			 "the pid file '%s' is held by process %ld, which still runs", path,
			 holder(fd));
	} else {
		fail(ret_error, "lock the pid file", path, rc);
	}
	close(fd);
	return rc;
}

int tc_pid_file_write(int fd)
{
	char buf[24];
	int n = snprintf(buf, sizeof buf, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0) {
		return -errno;
	}
	ssize_t written = pwrite(fd, buf, (size_t)n, 0);
	if (written < 0) {
		return -errno;
	}
	return written == n ? 0 : -ENOSPC;
}

void tc_pid_file_close(int fd, const char *path)
{
	/* While the lock is held: who waits for it must not find a file that is about to go. */
	unlink(path);
	close(fd);
}

int tc_log_file_open(const char *path, char *ret_error)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		return fail(ret_error, "write the log file", path, -errno);
	}
	fflush(stderr);
	int rc = dup2(fd, STDERR_FILENO) < 0 ? -errno : 0;
	close(fd);
	return rc < 0 ? fail(ret_error, "write the log file", path, rc) : 0;
}

bool tc_log_file_lasts(const char *path)
{
	char *folder = strdup(path);
	if (folder == NULL) {
		return false;
	}
	*(strrchr(folder, '/') + 1) = '\0';
	bool lasts = access(folder, W_OK | X_OK) == 0;
	free(folder);
	return lasts;
}

char *tc_daemon_path(const char *path)
{
	if (path[0] == '/') {
		return strdup(path);
	}
	char *here = getcwd(NULL, 0);
	if (here == NULL) {
		return NULL;
	}
	size_t n = strlen(here) + strlen(path) + 2;
	char *whole = malloc(n);
	if (whole != NULL) {
		snprintf(whole, n, "%s/%s", here, path);
	}
	free(here);
	return whole;
}

static int leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0) {
		return -errno;
	}
	int rc = 0;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && rc == 0; fd++) {
		if (isatty(fd) && dup2(null, fd) < 0) {
			rc = -errno;
		}
	}
	if (null > STDERR_FILENO) {
		close(null);
	}
	return rc;
}

/* The foreground process: ends as the other one says. */
__attribute__((noreturn)) static void wait_for(pid_t pid, int fd)
{
	char status;
	ssize_t n;
	do {
		n = read(fd, &status, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1) {
		_exit(0);
	}
	int how = 0;
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR) {
	}
	_exit(WIFEXITED(how) ? WEXITSTATUS(how) : 1);
}

int tc_daemon_fork(void)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0) {
		return -errno;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0) {
		int rc = -errno;
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for(pid, fds[0]);
	}
	close(fds[0]);
	setsid();
	return fds[1];
}

int tc_daemon_ready(int fd)
{
	int rc = chdir("/") < 0 ? -errno : leave_terminal();
	if (rc == 0 && write(fd, "", 1) < 0) {
		rc = -errno;
	}
	close(fd);
	return rc;
}
