/* SPDX-License-Identifier: BSD-2-Clause
 * capture/feed.c - frames of pcap and pcapng files, read ahead by a thread
 *
 * The queue is a ring of bytes with two counters that only grow: `written` is the thread's, `taken` the reader's. A record never
 * wraps: where the end of the ring is too near, a record of size 0 says that the next one is at its beginning. Whoever finds nothing to
 * do sets its flag, looks once more, and then waits for the other's eventfd.
 */
#include "capture/feed.h"

#include "port/error.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE_BYTES (8u << 20)
#define FILE_BUFFER (256 * 1024)
#define DAMAGE_MAX 256
/* Of recorded times; the 32 bits of pcap end before it, and no difference of two of them overflows */
#define TIME_MAX (TC_TIME_NEVER / 2)

/* A record's head; @size: of all of it, a multiple of 8; 0: go on at the beginning of the ring */
struct record {
	uint32_t size;
	uint32_t link;
	uint32_t len;
	uint32_t wire_len;
	tc_time at;
	uint32_t begins; /* enum tc_feed_begin */
	uint32_t read;	 /* permille of all passes, as far as the thread had read then */
};

_Static_assert(sizeof(struct record) % 8 == 0, "records are aligned by their sizes");

/* A file as libpcap reads it; the cookie of its FILE */
struct source {
	int fd; /* borrowed from the feed, as the other one is */
	int stop_fd;
	pcap_t *pcap;
	enum tc_link link;
	uint64_t read; /* bytes */
};

struct tc_feed {
	struct tc_feed_config cfg;
	char *filter; /* owned */
	pthread_t thread;
	bool running;
	uint64_t length; /* of all passes; 0: not known */
	uint64_t read;	 /* of that, by the thread, before the present file */
	uint32_t taken_permille;
	int stop_fd;
	int data_fd;  /* for the reader: there is something */
	int space_fd; /* for the thread: there is room */
	int *fds; /* of the paths, owned; open all the time: later there may be no right to open them, or another directory */
	struct source
		first; /* what passes by is begun by tc_feed_new(), and taken over by the thread */

	unsigned damaged;
	char damage[DAMAGE_MAX];

	_Alignas(64) atomic_uint_fast64_t written;
	atomic_bool ended;
	atomic_bool writer_waits;
	_Alignas(64) atomic_uint_fast64_t taken;
	atomic_bool reader_waits;

	_Alignas(64) uint8_t queue[QUEUE_BYTES];
};

static void ring_bell(int fd)
{
	uint64_t one = 1;
	(void)!write(fd, &one, sizeof one);
}

static void silence_bell(int fd)
{
	uint64_t n;
	(void)!read(fd, &n, sizeof n);
}

/* ---- the thread's side ---- */

static bool must_stop(const struct tc_feed *f)
{
	struct pollfd p = { .fd = f->stop_fd, .events = POLLIN };
	return poll(&p, 1, 0) > 0;
}

/* read() that ends when the feed is stopped */
static ssize_t source_read(void *cookie, char *buf, size_t n)
{
	struct source *s = cookie;
	for (;;) {
		struct pollfd p[] = { { .fd = s->stop_fd, .events = POLLIN },
				      { .fd = s->fd, .events = POLLIN } };
		if (poll(p, 2, -1) < 0 && errno != EINTR) {
			return -1;
		}
		if (p[0].revents != 0) {
			return 0;
		}
		if (p[1].revents != 0) {
			ssize_t got = read(s->fd, buf, n);
			s->read += got > 0 ? (uint64_t)got : 0;
			if (got >= 0 || (errno != EINTR && errno != EAGAIN)) {
				return got;
			}
		}
	}
}

static void source_close(struct source *s)
{
	if (s->pcap != NULL) {
		pcap_close(s->pcap); /* closes the FILE, but not the fd */
		s->pcap = NULL;
	}
}

static bool link_of(int dlt, enum tc_link *ret)
{
	static const struct {
		int dlt;
		enum tc_link link;
	} known[] = {
		{ DLT_EN10MB, TC_LINK_ETHERNET }, { DLT_RAW, TC_LINK_RAW },
		{ DLT_IPV4, TC_LINK_RAW },	  { DLT_IPV6, TC_LINK_RAW },
		{ DLT_NULL, TC_LINK_NULL },	  { DLT_LOOP, TC_LINK_LOOP },
		{ DLT_LINUX_SLL, TC_LINK_SLL },	  { DLT_LINUX_SLL2, TC_LINK_SLL2 },
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].dlt == dlt) {
			*ret = known[i].link;
			return true;
		}
	}
	return false;
}

static int set_filter(pcap_t *pcap, const char *filter, char *ret_error)
{
	struct bpf_program program;
	if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		return tc_driver_say(ret_error, -EINVAL, "cannot compile filter '%.200s': %s",
				     filter, pcap_geterr(pcap));
	}
	int r = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	return r == 0 ? 0 : tc_driver_say(ret_error, -EINVAL, "cannot use filter '%.200s'", filter);
}

/* What to do about a file that libpcap does not understand */
static const char *hint_for(int fd)
{
	uint8_t magic[4] = { 0 };
	if (fd > STDIN_FILENO && pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic) {
		if (magic[0] == 0x1f && magic[1] == 0x8b) {
			return " (it is compressed: unpack it, or pipe zcat into '-')";
		}
		if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd) {
			return " (it is compressed: unpack it, or pipe zstdcat into '-')";
		}
	}
	return "";
}

/* All frames of path @i, whatever the filter. @s must not move while it is open: it is the FILE's cookie */
static int source_open_all(struct tc_feed *f, unsigned i, struct source *s, char *ret_error)
{
	const char *path = f->cfg.paths[i];
	char why[PCAP_ERRBUF_SIZE] = "";
	cookie_io_functions_t io = { .read = source_read };
	*s = (struct source){ .fd = f->fds[i], .stop_fd = f->stop_fd };
	FILE *file = fopencookie(s, "r", io);
	if (file == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot open '%s'", path);
	}
	(void)setvbuf(file, NULL, _IOFBF, FILE_BUFFER);
	s->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (s->pcap == NULL) {
		const char *hint = hint_for(s->fd);
		fclose(file);
		return tc_driver_say(ret_error, -EINVAL, "cannot read '%s': %s%s", path, why, hint);
	}
	int dlt = pcap_datalink(s->pcap);
	if (!link_of(dlt, &s->link)) {
		const char *name = pcap_datalink_val_to_name(dlt);
		source_close(s);
		return tc_driver_say(ret_error, -EPROTONOSUPPORT,
				     "cannot read '%s': its link type %s (%d) is not supported",
				     path, name != NULL ? name : "unknown", dlt);
	}
	return 0;
}

static int source_open(struct tc_feed *f, unsigned i, struct source *s, char *ret_error)
{
	int r = source_open_all(f, i, s, ret_error);
	if (r == 0 && f->filter != NULL) {
		r = set_filter(s->pcap, f->filter, ret_error);
		if (r < 0) {
			source_close(s);
		}
	}
	return r;
}

/* Wait until @n bytes are free; false: stop */
static bool await_space(struct tc_feed *f, uint64_t n)
{
	for (;;) {
		uint64_t written = atomic_load_explicit(&f->written, memory_order_relaxed);
		if (QUEUE_BYTES - (written - atomic_load(&f->taken)) >= n) {
			return true;
		}
		atomic_store(&f->writer_waits, true);
		if (QUEUE_BYTES - (written - atomic_load(&f->taken)) >= n) {
			return true;
		}
		struct pollfd p[] = { { .fd = f->stop_fd, .events = POLLIN },
				      { .fd = f->space_fd, .events = POLLIN } };
		(void)poll(p, 2, -1);
		if (p[0].revents != 0) {
			return false;
		}
		silence_bell(f->space_fd);
	}
}

static void publish(struct tc_feed *f, uint64_t written)
{
	atomic_store(&f->written, written);
	if (atomic_exchange(&f->reader_waits, false)) {
		ring_bell(f->data_fd);
	}
}

static bool push(struct tc_feed *f, const struct record *head, const uint8_t *data)
{
	uint64_t written = atomic_load_explicit(&f->written, memory_order_relaxed);
	uint64_t at = written % QUEUE_BYTES;
	uint64_t skip = QUEUE_BYTES - at < head->size ? QUEUE_BYTES - at : 0;
	if (!await_space(f, skip + head->size)) {
		return false;
	}
	if (skip > 0) {
		memset(f->queue + at, 0, sizeof head->size);
		written += skip;
		at = 0;
	}
	memcpy(f->queue + at, head, sizeof *head);
	memcpy(f->queue + at + sizeof *head, data, head->len);
	publish(f, written + head->size);
	return true;
}

/* Wall clock, clamped: a pcapng stamp may be any 64 bits */
static tc_time stamp(const struct pcap_pkthdr *h)
{
	tc_time s = tc_time_clamp((tc_time)h->ts.tv_sec, 0, TIME_MAX / TC_SEC - 1);
	/* nanoseconds, as asked for */
	return s * TC_SEC + tc_time_clamp((tc_time)h->ts.tv_usec, 0, TC_SEC - 1);
}

static void note_damage(struct tc_feed *f, const char *text)
{
	if (f->damaged++ == 0) {
		(void)snprintf(f->damage, sizeof f->damage, "%.*s", DAMAGE_MAX - 1, text);
	}
}

static uint32_t permille(const struct tc_feed *f, const struct source *s)
{
	uint64_t read = f->read + s->read;
	return read < f->length ? (uint32_t)(read * 1000 / f->length) : f->length > 0 ? 1000 : 0;
}

/* All of one file; false: stop */
static bool read_source(struct tc_feed *f, const char *path, struct source *s,
			enum tc_feed_begin *begins)
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int r;
	while ((r = pcap_next_ex(s->pcap, &h, &data)) == 1) {
		struct record head = {
			.size = (uint32_t)(sizeof head + h->caplen + 7) & ~7u,
			.link = s->link,
			.len = h->caplen,
			.wire_len = tc_u32_max(h->len, h->caplen),
			.at = stamp(h),
			.begins = *begins,
			.read = permille(f, s),
		};
		*begins = TC_FEED_BEGINS_NOTHING;
		if (!push(f, &head, data)) {
			return false;
		}
	}
	if (must_stop(f)) {
		return false;
	}
	if (r == PCAP_ERROR) {
		char text[DAMAGE_MAX];
		(void)snprintf(text, sizeof text, "%s: %s", path, pcap_geterr(s->pcap));
		note_damage(f, text);
	}
	return true;
}

/* From its beginning, where it is not already begun */
static bool read_path(struct tc_feed *f, unsigned i, enum tc_feed_begin *begins)
{
	char error[TC_DRIVER_ERROR_MAX];
	struct source own, *s = f->first.pcap != NULL ? &f->first : &own;
	if (s == &own) {
		(void)lseek(f->fds[i], 0, SEEK_SET); /* a regular file: it cannot fail */
		if (source_open(f, i, s, error) < 0) {
			note_damage(f, error);
			return true;
		}
	}
	bool go_on = read_source(f, f->cfg.paths[i], s, begins);
	f->read += s->read;
	source_close(s);
	return go_on;
}

static void *read_all(void *arg)
{
	struct tc_feed *f = arg;
	bool go_on = true;
	for (unsigned pass = 0; pass < f->cfg.passes && go_on; pass++) {
		enum tc_feed_begin begins = pass > 0 ? TC_FEED_BEGINS_PASS : TC_FEED_BEGINS_NOTHING;
		for (unsigned i = 0; i < f->cfg.n_paths && go_on; i++) {
			if (i > 0 && begins == TC_FEED_BEGINS_NOTHING) {
				begins = TC_FEED_BEGINS_FILE;
			}
			go_on = read_path(f, i, &begins);
		}
	}
	atomic_store(&f->ended, true);
	ring_bell(f->data_fd);
	return NULL;
}

/* ---- the engine's side ---- */

static struct record head_at(const struct tc_feed *f, uint64_t at)
{
	struct record head;
	memcpy(&head, f->queue + at, sizeof head);
	return head;
}

static bool is_empty(const struct tc_feed *f)
{
	return atomic_load(&f->written) == atomic_load_explicit(&f->taken, memory_order_relaxed);
}

/* Is there nothing to read? Makes sure that the bell rings when there is */
static bool find_empty(struct tc_feed *f, bool *ret_ended)
{
	if (!is_empty(f)) {
		return false;
	}
	silence_bell(f->data_fd);
	atomic_store(&f->reader_waits, true);
	*ret_ended = atomic_load(
		&f->ended); /* before the last look: the thread writes first, then ends */
	return is_empty(f);
}

/* Where the next record is, past a mark that says to go on at the beginning */
static uint64_t next_at(const struct tc_feed *f, uint64_t *ret_skip)
{
	uint64_t at = atomic_load_explicit(&f->taken, memory_order_relaxed) % QUEUE_BYTES;
	uint32_t size;
	memcpy(&size, f->queue + at, sizeof size);
	*ret_skip = size == 0 ? QUEUE_BYTES - at : 0;
	return size == 0 ? 0 : at;
}

/* The thread begins when something is asked for, not before: by then the program has given up its rights, and a thread has those of the
 * one that starts it. Without a thread the files are at their end, and damaged. */
static void start(struct tc_feed *f)
{
	/* signals are the program's */
	sigset_t all, old;
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&f->thread, NULL, read_all, f);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	f->running = r == 0;
	if (r != 0) {
		f->damaged++;
		(void)snprintf(f->damage, sizeof f->damage, "cannot start to read files: %s",
			       strerror(r));
		atomic_store(&f->ended, true);
	}
}

enum tc_feed_state tc_feed_peek(struct tc_feed *f, struct tc_frame *ret_frame,
				enum tc_feed_begin *ret_begins)
{
	bool ended = false;
	if (find_empty(f, &ended)) {
		if (!f->running && !ended) {
			start(f);
		}
		return ended ? TC_FEED_END : TC_FEED_EMPTY;
	}
	uint64_t skip;
	uint64_t at = next_at(f, &skip);
	struct record head = head_at(f, at);
	*ret_frame = (struct tc_frame){
		.link = (enum tc_link)head.link,
		.data = { f->queue + at + sizeof head, head.len },
		.wire_len = head.wire_len,
		.at = head.at,
	};
	*ret_begins = (enum tc_feed_begin)head.begins;
	return TC_FEED_FRAME;
}

void tc_feed_pop(struct tc_feed *f)
{
	uint64_t skip;
	uint64_t at = next_at(f, &skip);
	struct record head = head_at(f, at);
	uint64_t taken = atomic_load_explicit(&f->taken, memory_order_relaxed) + skip + head.size;
	f->taken_permille = head.read;
	atomic_store(&f->taken, taken);
	/* when half of it is free: not a system call for each record */
	if (atomic_load(&f->writer_waits) && atomic_load(&f->written) - taken <= QUEUE_BYTES / 2 &&
	    atomic_exchange(&f->writer_waits, false)) {
		ring_bell(f->space_fd);
	}
}

int tc_feed_fd(const struct tc_feed *f)
{
	return f->data_fd;
}

uint32_t tc_feed_read_permille(const struct tc_feed *f)
{
	return f->taken_permille;
}

unsigned tc_feed_damage(const struct tc_feed *f, const char **ret_text)
{
	if (!atomic_load(&f->ended)) {
		return 0;
	}
	*ret_text = f->damage;
	return f->damaged;
}

/* What is no regular file passes by once: standard input, a FIFO */
static bool passes_by(const char *path)
{
	struct stat st;
	return strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
}

static int check_config(const struct tc_feed_config *cfg, char *ret_error)
{
	if (cfg->n_paths == 0 || cfg->passes == 0) {
		return tc_driver_say(ret_error, -EINVAL, "no file to read");
	}
	for (unsigned i = 0; i < cfg->n_paths; i++) {
		const char *path = cfg->paths[i];
		if (!passes_by(path) || (cfg->passes == 1 && cfg->n_paths == 1)) {
			continue;
		}
		if (strcmp(path, "-") == 0) {
			return tc_driver_say(
				ret_error, -EINVAL,
				"standard input ('-') can be read only once, and alone");
		}
		return tc_driver_say(ret_error, -EINVAL,
				     "'%s' is no regular file: it can be read only once, and alone",
				     path);
	}
	return 0;
}

/* What a file would fail with at its first frame, it fails with at the start. A filter is tried, but not used: it might read on and on */
static int look_at(struct tc_feed *f, unsigned i, char *ret_error)
{
	struct source s;
	struct pcap_pkthdr *h;
	const u_char *data;
	int r = source_open_all(f, i, &s, ret_error);
	if (r < 0) {
		return r;
	}
	if (pcap_next_ex(s.pcap, &h, &data) == PCAP_ERROR) {
		const char *why = pcap_geterr(s.pcap);
		bool mixed = strstr(why, "type of the first interface") != NULL;
		r = tc_driver_say(
			ret_error, -EINVAL, "cannot read '%s': %s%s", f->cfg.paths[i], why,
			mixed ? " (a file for each link type is needed: capture, or split, it so)" :
				"");
	} else if (f->filter != NULL) {
		r = set_filter(s.pcap, f->filter, ret_error);
	}
	source_close(&s);
	return r;
}

static int open_path(struct tc_feed *f, unsigned i, char *ret_error)
{
	const char *path = f->cfg.paths[i];
	bool by = passes_by(path);
	struct stat st;
	f->fds[i] = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (f->fds[i] < 0) {
		return tc_driver_error(ret_error, -errno, "cannot open '%s'", path);
	}
	if (!by && fstat(f->fds[i], &st) == 0) {
		f->length += (uint64_t)st.st_size * f->cfg.passes;
	}
	return by ? source_open(f, i, &f->first, ret_error) : look_at(f, i, ret_error);
}

static int set_up(struct tc_feed *f, const struct tc_feed_config *cfg, char *ret_error)
{
	f->cfg = *cfg;
	f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->data_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->space_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->filter = cfg->filter != NULL ? strdup(cfg->filter) : NULL;
	f->fds = malloc(cfg->n_paths * sizeof *f->fds);
	if (f->fds == NULL || f->stop_fd < 0 || f->data_fd < 0 || f->space_fd < 0 ||
	    (cfg->filter != NULL && f->filter == NULL)) {
		return tc_driver_error(ret_error, errno != 0 ? -errno : -ENOMEM,
				       "cannot prepare to read files");
	}
	for (unsigned i = 0; i < cfg->n_paths; i++) {
		f->fds[i] = -1;
	}
	int r = 0;
	for (unsigned i = 0; i < cfg->n_paths && r == 0; i++) {
		r = open_path(f, i, ret_error);
	}
	return r;
}

int tc_feed_new(const struct tc_feed_config *cfg, struct tc_feed **ret, char *ret_error)
{
	int r = check_config(cfg, ret_error);
	if (r < 0) {
		return r;
	}
	size_t bytes = (sizeof(struct tc_feed) + 63) & ~(size_t)63;
	struct tc_feed *f = aligned_alloc(64, bytes);
	if (f == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot prepare to read files");
	}
	memset(f, 0, offsetof(struct tc_feed, queue));
	f->stop_fd = f->data_fd = f->space_fd = -1;
	r = set_up(f, cfg, ret_error);
	if (r < 0) {
		tc_feed_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void tc_feed_free(struct tc_feed *f)
{
	if (f->running) {
		ring_bell(f->stop_fd);
		(void)pthread_join(f->thread, NULL);
	} else {
		source_close(&f->first);
	}
	int fds[] = { f->stop_fd, f->data_fd, f->space_fd };
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
	for (unsigned i = 0; f->fds != NULL && i < f->cfg.n_paths; i++) {
		if (f->fds[i] > STDIN_FILENO) {
			close(f->fds[i]);
		}
	}
	free(f->fds);
	free(f->filter);
	free(f);
}
