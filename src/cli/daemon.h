/* SPDX-License-Identifier: BSD-2-Clause
 * cli/daemon.h - life in the background: log file, pid file, detaching
 *
 * Layer:   cli. For both programs. Order: tc_daemon_fork() first of all (threads do not survive it), tc_pid_file_open() before anything
 *          that a second instance would disturb, tc_daemon_ready() once all has started.
 */
#ifndef TC_CLI_DAEMON_H
#define TC_CLI_DAEMON_H

#include <stdbool.h>
#include <stdio.h>

#define TC_DAEMON_ERROR_MAX 512

/**
 * tc_pid_file_open() - make and lock it; the lock lasts as long as the process
 * @ret_error: TC_DAEMON_ERROR_MAX bytes
 * Return: a descriptor; -EBUSY when another process holds the lock; another -errno.
 */
int tc_pid_file_open(const char *path, char *ret_error);

/** tc_pid_file_write() - our process id; 0 or -errno */
int tc_pid_file_write(int fd);

/** tc_pid_file_close() - remove the file and give the lock back */
void tc_pid_file_close(int fd, const char *path);

/**
 * tc_log_file_open() - let stderr append to @path from now on; call again to follow a file that was moved away
 * @ret_error: TC_DAEMON_ERROR_MAX bytes
 * Return: 0 or -errno; stderr is as it was then.
 */
int tc_log_file_open(const char *path, char *ret_error);

/** tc_log_file_lasts() - could it make @path (absolute) anew, with the rights that there are now, after it was moved away */
bool tc_log_file_lasts(const char *path);

/**
 * tc_daemon_path() - @path as it must be written when the working directory is no longer the same
 * Return: owned by the caller, free(); NULL when memory is short.
 */
char *tc_daemon_path(const char *path);

/**
 * tc_daemon_fork() - go on in a background process that still has the terminal
 * The process in the foreground waits for tc_daemon_ready() and ends with 0; or, when the other one ends before that, as that one did.
 * Return: in the background alone: a descriptor for tc_daemon_ready(); -errno in the foreground when there is no such process.
 */
int tc_daemon_fork(void);

/**
 * tc_daemon_ready() - all has started: let the foreground process end, and leave the terminal
 * The working directory becomes /. Of the standard descriptors those that are a terminal become /dev/null; a file or a pipe that the
 * user gave stays. Return: 0 or -errno.
 */
int tc_daemon_ready(int fd);

#endif
