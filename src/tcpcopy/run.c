/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/run.c - `tcpcopy run`
 *
 * Order matters: what can be said of the command line is said first; then what needs a privilege; then the pid file, so that a second
 * instance touches nothing; then the drivers; and the foreground ends when all of them are there.
 */
#include "tcpcopy/run.h"

#include "cli/daemon.h"
#include "engine/clock.h"
#include "guard/guard.h"
#include "tcpcopy/drivers.h"
#include "cli/exit.h"
#include "tcpcopy/plan.h"
#include "tcpcopy/show.h"
#include "tcpcopy/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NICE 10

static int complain(int status, const char *text)
{
	fprintf(stderr, "tcpcopy: %s\n", text);
	return status;
}

static void print_help(void)
{
	printf("usage: tcpcopy [run] -x MAP,... -s HOST,... [OPTIONS]\n"
	       "       tcpcopy genkey FILE\n"
	       "\n"
	       "Copies the live traffic of this server to a test server, as TCP connections of "
	       "its\n"
	       "own; intercept, on the test server's side, keeps the answers from the clients.\n"
	       "\n");
	tc_option_help(tc_run_options, stdout);
}

static int missing_privilege(const char *what)
{
	fprintf(stderr,
		"tcpcopy: %s: run as root, or grant it once with setcap "
		"cap_net_raw,cap_net_admin+ep "
		"on this program, or in a unit with AmbientCapabilities=CAP_NET_RAW "
		"CAP_NET_ADMIN\n",
		what);
	return TC_EXIT_PRIVILEGE;
}

static bool has_net_raw(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0) {
		return errno != EPERM;
	}
	close(fd);
	return true;
}

/* Production comes first: with the processor, and when memory runs out. Neither needs a privilege, and neither is worth failing for. */
static void step_back(void)
{
	if (getpriority(PRIO_PROCESS, 0) < NICE) {
		setpriority(PRIO_PROCESS, 0, NICE);
	}
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "1000", 4);
		close(fd);
	}
}

/* What lives as long as the run. */
struct run {
	struct tc_plan plan;
	struct tc_drivers drivers;
	struct tc_log log;
	struct tc_worker *worker;
	int pid_fd;
	int ready_fd;
	char *pid_path;
	char *log_path;
};

static int open_paths(struct run *r, const struct tc_run_options *opt)
{
	char error[TC_DAEMON_ERROR_MAX];
	if (opt->log_file != NULL) {
		r->log_path = tc_daemon_path(opt->log_file);
		if (r->log_path == NULL) {
			return complain(TC_EXIT_FAILED, "out of memory");
		}
	}
	if (opt->pid_file != NULL) {
		r->pid_path = tc_daemon_path(opt->pid_file);
		if (r->pid_path == NULL) {
			return complain(TC_EXIT_FAILED, "out of memory");
		}
		r->pid_fd = tc_pid_file_open(r->pid_path, error);
		if (r->pid_fd < 0) {
			return complain(TC_EXIT_FAILED, error);
		}
	}
	return TC_EXIT_DONE;
}

static int start(struct run *r, const struct tc_clock *clock)
{
	char error[TC_DRIVER_ERROR_MAX];
	int rc = tc_drivers_new(&r->plan, clock, &r->drivers, error);
	if (rc == 0) {
		rc = tc_worker_new(&r->plan, &r->drivers, clock, &r->log, r->log_path, &r->worker,
				   error);
	}
	if (rc < 0) {
		return rc == -EPERM ? missing_privilege(error) : complain(TC_EXIT_FAILED, error);
	}
	return TC_EXIT_DONE;
}

static void tell_unconnected(struct run *r)
{
	struct tc_answers *a = r->drivers.answers;
	struct tc_answers_stats stats;
	a->ops->stats(a, &stats);
	if (stats.up < stats.configured) {
		tc_log(&r->log, TC_LOG_WARNING,
		       "%u of %u intercepts not connected yet; trying until they are",
		       stats.configured - stats.up, stats.configured);
	}
}

/* What this run goes on doing: of a packet socket nothing but opening it needs a right; -x may name all next hops by their MAC. */
static unsigned needs_of(const struct tc_plan *plan)
{
	unsigned needs = TC_GUARD_CONNECT | TC_GUARD_SEND;
	for (uint32_t i = 0; i < plan->n_maps && plan->opt->deliver == TC_DELIVER_PACKET; i++) {
		needs |= plan->maps[i].has_target_mac ? 0 : TC_GUARD_NEIGHBORS;
	}
	if (plan->offline) {
		needs |= TC_GUARD_THREAD;
	}
	return needs;
}

static void give_up_rights(struct run *r)
{
	char text[TC_GUARD_TEXT_MAX];
	int rc = tc_guard(needs_of(&r->plan), text);
	if (rc < 0) {
		tc_log(&r->log, TC_LOG_WARNING, "%s: going on with them", text);
	} else {
		tc_log(&r->log, TC_LOG_DEBUG, "guarded %s", text);
	}
	if (r->log_path != NULL && !tc_log_file_lasts(r->log_path)) {
		tc_log(&r->log, TC_LOG_WARNING,
		       "SIGHUP will not open '%s' again: its folder is another user's, and root's "
		       "right over it is given up",
		       r->log_path);
	}
}

/* All has started: from now on messages go where they shall go. */
static int settle(struct run *r)
{
	char error[TC_DAEMON_ERROR_MAX];
	tell_unconnected(r);
	if (r->pid_fd >= 0) {
		int rc = tc_pid_file_write(r->pid_fd);
		if (rc < 0) {
			fprintf(stderr, "tcpcopy: cannot write the pid file '%s': %s\n",
				r->pid_path, strerror(-rc));
			return TC_EXIT_FAILED;
		}
	}
	if (r->log_path != NULL && tc_log_file_open(r->log_path, error) < 0) {
		return complain(TC_EXIT_FAILED, error);
	}
	give_up_rights(r);
	if (r->ready_fd >= 0) {
		int rc = tc_daemon_ready(r->ready_fd);
		if (rc < 0) {
			fprintf(stderr, "tcpcopy: cannot go to the background: %s\n",
				strerror(-rc));
			return TC_EXIT_FAILED;
		}
	}
	return TC_EXIT_DONE;
}

static void finish(struct run *r)
{
	tc_worker_free(r->worker);
	tc_drivers_fini(&r->drivers);
	if (r->pid_fd >= 0) {
		tc_pid_file_close(r->pid_fd, r->pid_path);
	}
	free(r->pid_path);
	free(r->log_path);
}

static int carry_out(struct run *r, const struct tc_run_options *opt)
{
	if (!has_net_raw()) {
		return missing_privilege("CAP_NET_RAW is missing");
	}
	if (opt->daemon) {
		r->ready_fd = tc_daemon_fork();
		if (r->ready_fd < 0) {
			return complain(TC_EXIT_FAILED, "cannot go to the background");
		}
	}
	step_back();
	int status = open_paths(r, opt);
	if (status == TC_EXIT_DONE) {
		status = start(r, tc_clock_system());
	}
	if (status == TC_EXIT_DONE) {
		status = settle(r);
	}
	if (status == TC_EXIT_DONE) {
		status = tc_worker_run(r->worker);
	}
	finish(r);
	return status;
}

static int plan_and_run(const struct tc_run_options *opt)
{
	char error[TC_PLAN_ERROR_MAX];
	/* not on the stack: the plan has room for all maps, hosts and addresses */
	struct run *r = calloc(1, sizeof *r);
	if (r == NULL) {
		return complain(TC_EXIT_FAILED, "out of memory");
	}
	r->pid_fd = -1;
	r->ready_fd = -1;
	r->log = (struct tc_log){ .fd = STDERR_FILENO,
				  .level = opt->verbose > 0 ? TC_LOG_DEBUG : TC_LOG_INFO,
				  .stamps = opt->log_file != NULL };
	int status;
	int rc = tc_plan_make(opt, &r->plan, error);
	if (rc < 0) {
		status = complain(rc == -EINVAL ? TC_EXIT_USAGE : TC_EXIT_FAILED, error);
	} else if (opt->dry_run) {
		status = tc_show(&r->plan, stdout) < 0 ? TC_EXIT_FAILED : TC_EXIT_DONE;
	} else {
		status = carry_out(r, opt);
	}
	tc_plan_fini(&r->plan);
	free(r);
	return status;
}

int tc_run_main(int argc, char **argv)
{
	struct tc_run_options opt;
	char error[TC_OPTION_ERROR_MAX];
	int status = TC_EXIT_DONE;
	tc_option_defaults(tc_run_options, &opt);
	if (tc_option_parse(tc_run_options, &opt, argc, argv, NULL, error) < 0) {
		status = complain(TC_EXIT_USAGE, error);
	} else if (opt.help) {
		print_help();
	} else if (opt.version) {
		printf("tcpcopy %s\n", TC_VERSION);
	} else {
		tc_option_notes(tc_run_options, argc, argv, "tcpcopy: ", stderr);
		status = plan_and_run(&opt);
	}
	tc_option_fini(tc_run_options, &opt);
	return status;
}
