/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/main.c - the program
 *
 * What can be said of the command line is said first; then the background process begins, which still has the terminal; then the pid
 * file is locked, so that a second instance touches nothing; then capture and channel are opened; and the foreground ends when all
 * that is there.
 */
#include "cli/daemon.h"
#include "engine/clock.h"
#include "guard/guard.h"
#include "intercept/intercept.h"
#include "intercept/options.h"
#include "port/error.h"
#include "cli/exit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int complain(int status, const char *text)
{
	fprintf(stderr, "intercept: %s\n", text);
	return status;
}

static void print_help(void)
{
	printf("usage: intercept [OPTIONS]\n"
	       "\n"
	       "Runs where a test server's answers to copied connections arrive, and tells "
	       "tcpcopy\n"
	       "what their headers say. This host must not forward packets.\n"
	       "\n");
	tc_option_help(tc_intercept_option_table, stdout);
}

/* What lives as long as the program. */
struct program {
	struct tc_intercept_settings set;
	struct tc_log log;
	struct tc_intercept *intercept;
	int pid_fd;
	int ready_fd;
	char *pid_path;
	char *log_path;
};

static int open_paths(struct program *p)
{
	const struct tc_intercept_options *opt = p->set.opt;
	char error[TC_DAEMON_ERROR_MAX];
	if (opt->log_file != NULL && (p->log_path = tc_daemon_path(opt->log_file)) == NULL) {
		return complain(TC_EXIT_FAILED, "out of memory");
	}
	if (opt->pid_file == NULL) {
		return TC_EXIT_DONE;
	}
	if ((p->pid_path = tc_daemon_path(opt->pid_file)) == NULL) {
		return complain(TC_EXIT_FAILED, "out of memory");
	}
	p->pid_fd = tc_pid_file_open(p->pid_path, error);
	return p->pid_fd < 0 ? complain(TC_EXIT_FAILED, error) : TC_EXIT_DONE;
}

/* What a failed start means, and which right would have helped. */
static int start_failed(const struct program *p, int r, const char *error)
{
	if (r == -EPERM || r == -EACCES) {
		fprintf(stderr,
			"intercept: %s: run as root, or grant it once with setcap %s+ep on this "
			"program\n",
			error, r == -EPERM ? "cap_net_raw" : "cap_net_raw,cap_net_bind_service");
		return TC_EXIT_PRIVILEGE;
	}
	bool filter_is_wrong = r == -EINVAL && p->set.opt->filter != NULL;
	return complain(filter_is_wrong ? TC_EXIT_USAGE : TC_EXIT_FAILED, error);
}

static int start(struct program *p)
{
	char error[TC_DRIVER_ERROR_MAX];
	int r = tc_intercept_new(&p->set, &p->log, p->log_path, tc_clock_system(), &p->intercept,
				 error);
	return r < 0 ? start_failed(p, r, error) : TC_EXIT_DONE;
}

/* Its sockets are open, and none of what it does with them needs a right. */
static void give_up_rights(struct program *p)
{
	char text[TC_GUARD_TEXT_MAX];
	int r = tc_guard(TC_GUARD_ACCEPT, text);
	if (r < 0) {
		tc_log(&p->log, TC_LOG_WARNING, "%s: going on with them", text);
	} else {
		tc_log(&p->log, TC_LOG_DEBUG, "guarded %s", text);
	}
	if (p->log_path != NULL && !tc_log_file_lasts(p->log_path)) {
		tc_log(&p->log, TC_LOG_WARNING,
		       "SIGHUP will not open '%s' again: its folder is another user's, and root's "
		       "right over it is given up",
		       p->log_path);
	}
}

/* All has started: from now on messages go where they shall go. */
static int settle(struct program *p)
{
	char error[TC_DAEMON_ERROR_MAX];
	int r = p->pid_fd >= 0 ? tc_pid_file_write(p->pid_fd) : 0;
	if (r < 0) {
		fprintf(stderr, "intercept: cannot write the pid file '%s': %s\n", p->pid_path,
			strerror(-r));
		return TC_EXIT_FAILED;
	}
	if (p->log_path != NULL && tc_log_file_open(p->log_path, error) < 0) {
		return complain(TC_EXIT_FAILED, error);
	}
	give_up_rights(p);
	tc_intercept_hello(p->intercept);
	r = p->ready_fd >= 0 ? tc_daemon_ready(p->ready_fd) : 0;
	p->ready_fd = -1;
	if (r < 0) {
		fprintf(stderr, "intercept: cannot go to the background: %s\n", strerror(-r));
		return TC_EXIT_FAILED;
	}
	return TC_EXIT_DONE;
}

static int run(struct program *p)
{
	struct tc_summary s;
	int r = tc_intercept_run(p->intercept);
	tc_intercept_summary(p->intercept, &s);
	tc_summary_text(&s, stderr);
	if (r < 0) {
		return complain(TC_EXIT_FAILED, "the event loop failed");
	}
	if (p->set.opt->json && tc_summary_json(&s, stdout) < 0) {
		return complain(TC_EXIT_FAILED, "cannot write the summary to stdout");
	}
	return TC_EXIT_DONE;
}

static int carry_out(struct program *p)
{
	const struct tc_intercept_options *opt = p->set.opt;
	if (opt->daemon && (p->ready_fd = tc_daemon_fork()) < 0) {
		return complain(TC_EXIT_FAILED, "cannot go to the background");
	}
	signal(SIGPIPE, SIG_IGN); /* who reads our messages may go */
	int status = open_paths(p);
	if (status == TC_EXIT_DONE) {
		status = start(p);
	}
	if (status == TC_EXIT_DONE) {
		status = settle(p);
	}
	if (status == TC_EXIT_DONE) {
		status = run(p);
	}
	tc_intercept_free(p->intercept);
	if (p->pid_fd >= 0) {
		tc_pid_file_close(p->pid_fd, p->pid_path);
	}
	free(p->pid_path);
	free(p->log_path);
	return status;
}

static int settle_and_run(const struct tc_intercept_options *opt)
{
	struct program p = { .pid_fd = -1, .ready_fd = -1 };
	char error[TC_SETTINGS_ERROR_MAX];
	p.log = (struct tc_log){ .fd = STDERR_FILENO,
				 .level = opt->verbose > 0 ? TC_LOG_DEBUG : TC_LOG_INFO,
				 .stamps = opt->log_file != NULL };
	int r = tc_intercept_settings_make(opt, &p.set, error);
	int status = r < 0 ? complain(r == -EINVAL ? TC_EXIT_USAGE : TC_EXIT_FAILED, error) :
			     carry_out(&p);
	tc_intercept_settings_fini(&p.set);
	return status;
}

int main(int argc, char **argv)
{
	struct tc_intercept_options opt;
	char error[TC_OPTION_ERROR_MAX];
	int status = TC_EXIT_DONE;
	tc_option_defaults(tc_intercept_option_table, &opt);
	if (tc_option_parse(tc_intercept_option_table, &opt, argc, argv, NULL, error) < 0) {
		status = complain(TC_EXIT_USAGE, error);
	} else if (opt.help) {
		print_help();
	} else if (opt.version) {
		printf("intercept %s\n", TC_VERSION);
	} else {
		tc_option_notes(tc_intercept_option_table, argc, argv, "intercept: ", stderr);
		status = settle_and_run(&opt);
	}
	tc_option_fini(tc_intercept_option_table, &opt);
	return status;
}
