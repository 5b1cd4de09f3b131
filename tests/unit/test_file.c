/* SPDX-License-Identifier: BSD-2-Clause
 * test_file.c - replay of pcap files: what is read, and when it is due
 *
 * Length: capture/file.c and capture/feed.c are tested together, on the same made-up files.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "capture/file.h"
#include "port/error.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define START (100 * TC_SEC)
#define RECORDED 1700000000u
#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du

enum { DLT_ETHERNET = 1, DLT_WIFI = 105, DLT_RAW_IP = 101 };

/* A temporary file, removed by close_file() */
struct file {
	char path[32];
	FILE *f;
};

static void put32(FILE *f, uint32_t v)
{
	assert_int_equal(fwrite(&v, sizeof v, 1, f), 1);
}

static void put16(FILE *f, uint16_t v)
{
	assert_int_equal(fwrite(&v, sizeof v, 1, f), 1);
}

static void put_head(FILE *f, uint32_t magic, uint32_t dlt)
{
	put32(f, magic);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, 262144);
	put32(f, dlt);
}

static struct file open_file(uint32_t magic, uint32_t dlt)
{
	struct file t = { .path = "/tmp/tc-file-XXXXXX" };
	int fd = mkstemp(t.path);
	assert_true(fd >= 0);
	t.f = fdopen(fd, "w+");
	assert_non_null(t.f);
	if (magic != 0) {
		put_head(t.f, magic, dlt);
	}
	return t;
}

static void close_file(struct file *t)
{
	fclose(t->f);
	unlink(t->path);
}

/* An IPv4 packet of sequence number @seq with @len bytes of payload; returns its length */
static size_t build(uint32_t seq, size_t len, uint16_t port, uint8_t *buf)
{
	static uint8_t payload[65000];
	struct tc_segment seg = {
		.src = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 1 }),
		.dst = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 2 }),
		.tcp = { .src_port = 1234,
			 .dst_port = port,
			 .seq = tc_seq_of(seq),
			 .flags = TC_TCP_ACK },
		.payload_len = (uint32_t)len,
		.n_views = 1,
		.payload = { { payload, len } },
	};
	memset(payload, (int)(seq & 0xff), len);
	size_t tcp_at;
	size_t n = tc_headers_encode(&seg, 0, (uint32_t)len, 1, false, buf, &tcp_at);
	memcpy(buf + n, payload, len);
	return n + len;
}

/* Record @seq at @at us (or ns, by the file's magic) after the second RECORDED */
static void put_packet(FILE *f, uint32_t seq, uint32_t second, uint32_t fraction, size_t len,
		       uint16_t port)
{
	uint8_t buf[65536];
	size_t n = build(seq, len, port, buf);
	put32(f, RECORDED + second);
	put32(f, fraction);
	put32(f, (uint32_t)n);
	put32(f, (uint32_t)n);
	assert_int_equal(fwrite(buf, n, 1, f), 1);
}

static struct tc_capture_file_config config(const char *const *paths, unsigned n)
{
	return (struct tc_capture_file_config){
		.paths = paths,
		.n_paths = n,
		.speed_permille = 1000,
		.gap_limit = TC_TIME_NEVER,
		.passes = 1,
	};
}

static struct tc_capture *open_capture(const struct tc_capture_file_config *cfg)
{
	struct tc_capture *c = NULL;
	char error[TC_DRIVER_ERROR_MAX] = "";
	if (tc_capture_file_new(cfg, &c, error) != 0) {
		fail_msg("%s", error);
	}
	return c;
}

/* next() at @now, waiting for the thread that reads, but not for a time to come */
static bool next_at(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt)
{
	while (!c->ops->next(c, now, ret_pkt)) {
		struct tc_wait w;
		c->ops->wait(c, &w);
		if (w.fd < 0) {
			return false;
		}
		struct pollfd p = { .fd = w.fd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, 5000), 1);
	}
	return true;
}

/* Packet @seq is due @due after the start, and not a nanosecond before */
static void expect(struct tc_capture *c, uint32_t seq, tc_time due)
{
	struct tc_packet pkt;
	struct tc_wait w;
	if (due > 0) {
		assert_false(next_at(c, START + due - 1, &pkt));
		assert_false(c->ops->is_done(c));
		c->ops->wait(c, &w);
		assert_int_equal(w.deadline, START + due);
	}
	assert_true(next_at(c, START + due, &pkt));
	assert_int_equal(pkt.tcp.seq.v, seq);
	assert_int_equal(pkt.at, START + due);
}

static void expect_end(struct tc_capture *c)
{
	struct tc_packet pkt;
	struct tc_wait w;
	assert_false(next_at(c, START + 1000000 * TC_SEC, &pkt));
	assert_true(c->ops->is_done(c));
	c->ops->wait(c, &w);
	assert_int_equal(w.deadline, TC_TIME_NEVER);
	assert_int_equal(w.fd, -1);
}

/* Four packets at 0, 10 ms, 5.01 s, 5.02 s */
static struct file four_packets(void)
{
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	put_packet(t.f, 1, 0, 0, 10, 80);
	put_packet(t.f, 2, 0, 10000, 10, 80);
	put_packet(t.f, 3, 5, 10000, 10, 80);
	put_packet(t.f, 4, 5, 20000, 10, 80);
	fflush(t.f);
	return t;
}

static void packets_come_as_far_apart_as_they_were_recorded(void **state)
{
	(void)state;
	struct file t = four_packets();
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_wait w;
	c->ops->wait(c, &w);
	assert_int_equal(w.deadline,
			 0); /* wants to be asked at once: time begins with the first next() */
	expect(c, 1, 0);
	expect(c, 2, 10 * TC_MS);
	expect(c, 3, 5010 * TC_MS); /* the first one after a gap is not one gap early */
	expect(c, 4, 5020 * TC_MS);
	expect_end(c);
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.pkts, 4);
	assert_int_equal(s.time_steps, 0);
	c->ops->free(c);
	close_file(&t);
}

static void a_speed_shrinks_or_stretches_all_of_it(void **state)
{
	(void)state;
	struct file t = four_packets();
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	cfg.speed_permille = 2000;
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	expect(c, 2, 5 * TC_MS);
	expect(c, 3, 2505 * TC_MS);
	c->ops->free(c);
	cfg.speed_permille = 500;
	c = open_capture(&cfg);
	expect(c, 1, 0);
	expect(c, 2, 20 * TC_MS);
	expect(c, 3, 10020 * TC_MS);
	c->ops->free(c);
	close_file(&t);
}

static void a_gap_is_cut_to_its_limit(void **state)
{
	(void)state;
	struct file t = four_packets();
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	cfg.gap_limit = TC_SEC;
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	expect(c, 2, 10 * TC_MS);
	expect(c, 3, 1010 * TC_MS);
	expect(c, 4, 1020 * TC_MS);
	c->ops->free(c);
	close_file(&t);
}

static void a_further_pass_begins_when_it_is_asked_for(void **state)
{
	(void)state;
	struct file t = four_packets();
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	cfg.passes = 3;
	struct tc_capture *c = open_capture(&cfg);
	unlink(t.path); /* it is open: its name is not needed any more */
	uint32_t base[3];
	for (tc_time pass = 0; pass < 3; pass++) {
		tc_time begin = pass * 60 * TC_SEC;
		struct tc_packet pkt;
		struct tc_event ev;
		assert_true(next_at(c, START + begin, &pkt));
		base[pass] = pkt.tcp.seq.v - 1;
		assert_int_equal(pkt.tcp.ack.v, base[pass]);
		expect(c, base[pass] + 2, begin + 10 * TC_MS);
		expect(c, base[pass] + 3, begin + 5010 * TC_MS);
		expect(c, base[pass] + 4, begin + 5020 * TC_MS);
		assert_false(c->ops->again(c)); /* it is not known to be the last one */
		expect_end(c);
		assert_true(c->ops->next_event(c, START + begin, &ev));
		assert_int_equal(ev.kind, TC_EVENT_CAPTURE_END);
		assert_false(c->ops->next_event(c, START + begin, &ev));
		expect_end(c);
		assert_int_equal(c->ops->again(c), pass < 2);
	}
	/* other connections, and not the same packets again */
	assert_int_equal(base[0], 0);
	assert_int_not_equal(base[1], base[0]);
	assert_int_not_equal(base[2], base[0]);
	assert_int_not_equal(base[2], base[1]);
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.time_steps, 0);
	c->ops->free(c);
	close_file(&t);
}

static void several_files_are_one_recording(void **state)
{
	(void)state;
	struct file a = four_packets();
	struct file b = open_file(MAGIC_NS, DLT_RAW_IP);
	put_packet(b.f, 5, 6, 7, 10, 80); /* 980 ms and 7 ns after the last one */
	fflush(b.f);
	const char *paths[] = { a.path, b.path };
	struct tc_capture_file_config cfg = config(paths, 2);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_packet pkt;
	for (int i = 0; i < 4; i++) {
		assert_true(next_at(c, START + (i == 0 ? 0 : 10 * TC_SEC), &pkt));
	}
	expect(c, 5, 6 * TC_SEC + 7);
	expect_end(c);
	c->ops->free(c);
	close_file(&a);
	close_file(&b);
}

static void a_further_file_that_begins_earlier_keeps_its_own_times(void **state)
{
	(void)state;
	struct file a = open_file(MAGIC_US, DLT_RAW_IP), b = open_file(MAGIC_US, DLT_RAW_IP);
	put_packet(a.f, 1, 0, 0, 10, 80);
	put_packet(a.f, 2, 0, 500000, 10, 80);
	put_packet(b.f, 3, 0, 200000, 10, 80);
	put_packet(b.f, 4, 0, 300000, 10, 80);
	fflush(a.f);
	fflush(b.f);
	const char *paths[] = { a.path, b.path };
	struct tc_capture_file_config cfg = config(paths, 2);
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	expect(c, 2, 500 * TC_MS);
	struct tc_packet pkt;
	assert_true(next_at(c, START + 500 * TC_MS, &pkt));
	assert_int_equal(pkt.tcp.seq.v, 3);
	expect(c, 4, 600 * TC_MS);
	expect_end(c);
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.time_steps, 1);
	c->ops->free(c);
	close_file(&a);
	close_file(&b);
}

static void times_that_go_back_stand_still(void **state)
{
	(void)state;
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	put_packet(t.f, 1, 0, 0, 0, 80);
	put_packet(t.f, 2, 0, 300, 0, 80);
	put_packet(t.f, 3, 0, 200, 0, 80); /* of another CPU */
	put_packet(t.f, 4, 0, 400, 0, 80);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	expect(c, 2, 300 * TC_US);
	struct tc_packet pkt;
	assert_true(next_at(c, START + 300 * TC_US, &pkt));
	assert_int_equal(pkt.tcp.seq.v, 3);
	expect(c, 4, 400 * TC_US); /* not shifted */
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.time_steps, 1);
	c->ops->free(c);
	close_file(&t);
}

static void a_clock_that_was_set_back_is_followed(void **state)
{
	(void)state;
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	put_packet(t.f, 1, 3600, 0, 0, 80);
	put_packet(t.f, 2, 0, 0, 0, 80);
	put_packet(t.f, 3, 1, 0, 0, 80);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	struct tc_packet pkt;
	assert_true(next_at(c, START, &pkt));
	expect(c, 3, TC_SEC);
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.time_steps, 1);
	c->ops->free(c);
	close_file(&t);
}

static void a_file_that_ends_in_a_record_is_read_up_to_there_and_says_so(void **state)
{
	(void)state;
	struct file t = four_packets();
	assert_int_equal(ftruncate(fileno(t.f), ftell(t.f) - 7), 0);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_packet pkt;
	struct tc_event ev;
	for (int i = 0; i < 3; i++) {
		assert_true(next_at(c, START + i * 10 * TC_SEC, &pkt));
		assert_false(c->ops->next_event(c, START, &ev));
	}
	expect_end(c);
	assert_true(c->ops->next_event(c, START + 1, &ev));
	assert_int_equal(ev.kind, TC_EVENT_CAPTURE_END);
	assert_false(c->ops->next_event(c, START + 1, &ev));
	assert_non_null(strstr(tc_capture_file_damage(c), t.path));
	assert_non_null(strstr(tc_capture_file_damage(c), "truncated"));
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.kernel_drops, 0);
	assert_int_equal(s.drops[TC_DROP_SHORT], 1);
	c->ops->free(c);
	close_file(&t);
}

static void the_end_is_told_once(void **state)
{
	(void)state;
	struct file t = four_packets();
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_packet pkt;
	struct tc_event ev;
	assert_true(next_at(c, START, &pkt));
	assert_false(c->ops->next_event(c, START, &ev));
	for (int i = 0; i < 3; i++) {
		assert_true(next_at(c, START + 10 * TC_SEC, &pkt));
	}
	expect_end(c);
	assert_true(c->ops->next_event(c, START + 10 * TC_SEC, &ev));
	assert_int_equal(ev.kind, TC_EVENT_CAPTURE_END);
	assert_int_equal(ev.at, START + 10 * TC_SEC);
	assert_false(c->ops->next_event(c, START + 10 * TC_SEC, &ev));
	assert_null(tc_capture_file_damage(c));
	c->ops->free(c);
	close_file(&t);
}

static void what_is_no_tcp_is_counted_and_passed_over(void **state)
{
	(void)state;
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	put_packet(t.f, 1, 0, 0, 0, 80);
	put32(t.f, RECORDED + 1);
	put32(t.f, 0);
	put32(t.f, 3);
	put32(t.f, 3);
	fputs("abc", t.f);
	put_packet(t.f, 2, 2, 0, 0, 80);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	struct tc_packet pkt;
	assert_true(next_at(c, START + 2 * TC_SEC, &pkt));
	assert_int_equal(pkt.tcp.seq.v, 2);
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	assert_int_equal(s.pkts, 3);
	uint64_t drops = 0;
	for (int i = 0; i < TC_DROP__N; i++) {
		drops += s.drops[i];
	}
	assert_int_equal(drops, 1);
	c->ops->free(c);
	close_file(&t);
}

static void a_file_of_other_things_does_not_hold_the_loop(void **state)
{
	(void)state;
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	for (int i = 0; i < 5000; i++) {
		put32(t.f, RECORDED);
		put32(t.f, 0);
		put32(t.f, 3);
		put32(t.f, 3);
		fputs("abc", t.f);
	}
	put_packet(t.f, 1, 0, 0, 0, 80);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_packet pkt;
	struct tc_capture_stats s;
	uint64_t read = 0;
	bool found = false;
	poll(NULL, 0, c->ops->next(c, START, &pkt) ? 0 : 100); /* all of it is there then */
	while (!found) {
		found = c->ops->next(c, START, &pkt);
		c->ops->stats(c, &s);
		assert_in_range(s.pkts - read, found ? 1 : 0, 1024);
		read = s.pkts;
		struct tc_wait w;
		c->ops->wait(c, &w);
		assert_true(found || w.fd >= 0 || w.deadline == 0); /* the next call may be now */
		poll(NULL, 0, w.fd >= 0);
	}
	assert_int_equal(read, 5001);
	assert_int_equal(pkt.tcp.seq.v, 1);
	expect_end(c);
	c->ops->free(c);
	close_file(&t);
}

static void a_filter_chooses_packets(void **state)
{
	(void)state;
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	put_packet(t.f, 1, 0, 0, 0, 81);
	put_packet(t.f, 2, 0, 0, 0, 80);
	put_packet(t.f, 3, 1, 0, 0, 81);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	cfg.filter = "dst port 80";
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 2, 0);
	expect_end(c);
	c->ops->free(c);
	close_file(&t);
}

/* The beginning of a pcapng file: a section, and an interface of each link type; nanoseconds (if_tsresol 9) */
static struct file open_pcapng(const uint32_t *dlts, unsigned n_dlts)
{
	struct file t = open_file(0, 0);
	const uint32_t section[] = { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28 };
	assert_int_equal(fwrite(section, sizeof section, 1, t.f), 1);
	for (unsigned i = 0; i < n_dlts; i++) {
		const uint32_t interface[] = { 1, 32, dlts[i], 262144, 9 | 1u << 16, 9, 0, 32 };
		assert_int_equal(fwrite(interface, sizeof interface, 1, t.f), 1);
	}
	return t;
}

static void put_block(FILE *f, uint32_t seq, uint64_t ns)
{
	uint8_t buf[256] = { 0 };
	uint32_t n = (uint32_t)build(seq, 4, 80, buf);
	uint32_t padded = (n + 3) & ~3u;
	const uint32_t packet[] = { 6, 32 + padded, 0, (uint32_t)(ns >> 32), (uint32_t)ns, n, n };
	assert_int_equal(fwrite(packet, sizeof packet, 1, f), 1);
	assert_int_equal(fwrite(buf, padded, 1, f), 1);
	put32(f, 32 + padded);
}

static void pcapng_is_read_too(void **state)
{
	(void)state;
	const uint32_t dlt = DLT_RAW_IP;
	struct file t = open_pcapng(&dlt, 1);
	put_block(t.f, 9, RECORDED * UINT64_C(1000000000));
	put_block(t.f, 10, RECORDED * UINT64_C(1000000000) + 7);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 9, 0);
	expect(c, 10, 7);
	expect_end(c);
	c->ops->free(c);
	close_file(&t);
}

static void a_stamp_beyond_all_clocks_is_far_away_and_no_more(void **state)
{
	(void)state;
	const uint32_t dlt = DLT_RAW_IP;
	struct file t = open_pcapng(&dlt, 1);
	put_block(t.f, 1, RECORDED * UINT64_C(1000000000));
	put_block(t.f, 2, UINT64_MAX);
	put_block(t.f, 3, RECORDED * UINT64_C(1000000000));
	put_block(t.f, 4, UINT64_MAX);
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	cfg.speed_permille = 1;
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	struct tc_packet pkt;
	assert_false(next_at(c, START + 1000000 * TC_SEC, &pkt));
	for (uint32_t seq = 2; seq <= 4; seq++) {
		assert_true(next_at(c, TC_TIME_NEVER - 1, &pkt));
		assert_int_equal(pkt.tcp.seq.v, seq);
		assert_true(pkt.at > START && pkt.at < TC_TIME_NEVER - 1);
	}
	c->ops->free(c);

	/* with a limit on gaps it costs no more than that */
	cfg.speed_permille = 1000;
	cfg.gap_limit = TC_SEC;
	c = open_capture(&cfg);
	expect(c, 1, 0);
	expect(c, 2, TC_SEC);
	assert_true(next_at(c, START + TC_SEC, &pkt));
	expect(c, 4, 2 * TC_SEC);
	expect_end(c);
	c->ops->free(c);
	close_file(&t);
}

static void expect_refused(const struct tc_capture_file_config *cfg, int err, const char *words)
{
	struct tc_capture *c = NULL;
	char error[TC_DRIVER_ERROR_MAX] = "";
	assert_int_equal(tc_capture_file_new(cfg, &c, error), err);
	if (strstr(error, words) == NULL) {
		fail_msg("'%s' is not in '%s'", words, error);
	}
	assert_null(c);
}

static void what_cannot_be_read_is_refused_at_the_start_in_words(void **state)
{
	(void)state;
	struct file good = four_packets();
	struct file wifi = open_file(MAGIC_US, DLT_WIFI);
	struct file gz = open_file(0, 0), text = open_file(0, 0), empty = open_file(0, 0);
	struct file cut = open_file(MAGIC_US, DLT_RAW_IP);
	struct file mixed = open_pcapng((const uint32_t[]){ DLT_ETHERNET, DLT_RAW_IP }, 2);
	put_packet(cut.f, 1, 0, 0, 10, 80);
	assert_int_equal(fflush(cut.f), 0);
	assert_int_equal(ftruncate(fileno(cut.f), ftell(cut.f) - 1), 0);
	put_block(mixed.f, 1, 0);
	fflush(mixed.f);
	fputs("\x1f\x8b\x08 compressed", gz.f);
	fputs("these are words and no packets", text.f);
	fflush(wifi.f);
	fflush(gz.f);
	fflush(text.f);
	const struct {
		const char *path;
		int err;
		const char *words;
	} cases[] = {
		{ "/nowhere", -ENOENT, "cannot open '/nowhere': no such file or directory" },
		{ wifi.path, -EPROTONOSUPPORT, "its link type IEEE802_11 (105) is not supported" },
		{ gz.path, -EINVAL, "it is compressed: unpack it, or pipe zcat into '-'" },
		{ text.path, -EINVAL, "cannot read '" },
		{ empty.path, -EINVAL, "cannot read '" },
		{ cut.path, -EINVAL, "truncated" }, /* before its first packet is whole */
		{ mixed.path, -EINVAL, "a file for each link type is needed" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *paths[] = { good.path, cases[i].path };
		struct tc_capture_file_config cfg = config(paths + 1, 1);
		expect_refused(&cfg, cases[i].err, cases[i].words);
		cfg = config(paths, 2);
		expect_refused(&cfg, cases[i].err, cases[i].words);
	}
	const char *path = good.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	cfg.filter = "no such words";
	expect_refused(&cfg, -EINVAL, "cannot compile filter 'no such words'");
	close_file(&good);
	close_file(&wifi);
	close_file(&gz);
	close_file(&text);
	close_file(&empty);
	close_file(&cut);
	close_file(&mixed);
}

/* Standard input from a pipe; returns the end to write to */
static FILE *pipe_to_stdin(int *ret_saved)
{
	int p[2];
	assert_int_equal(pipe(p), 0);
	*ret_saved = dup(STDIN_FILENO);
	assert_true(dup2(p[0], STDIN_FILENO) >= 0);
	close(p[0]);
	FILE *f = fdopen(p[1], "w");
	assert_non_null(f);
	return f;
}

static void restore_stdin(int saved)
{
	assert_true(dup2(saved, STDIN_FILENO) >= 0);
	close(saved);
}

static void a_slow_pipe_never_blocks_the_reader(void **state)
{
	(void)state;
	int saved;
	FILE *f = pipe_to_stdin(&saved);
	put_head(f, MAGIC_US, DLT_RAW_IP);
	fflush(f);
	const char *path = "-";
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_packet pkt;
	struct tc_wait w;
	assert_false(c->ops->next(c, START, &pkt));
	c->ops->wait(c, &w);
	assert_true(w.fd >= 0 && w.read);
	struct pollfd p = { .fd = w.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	put_packet(f, 1, 0, 0, 5, 80);
	fflush(f);
	expect(c, 1, 0);
	/* half of a record */
	put32(f, RECORDED + 1);
	fflush(f);
	assert_false(c->ops->next(c, START + TC_SEC, &pkt));
	assert_false(c->ops->is_done(c));
	c->ops->free(c); /* the pipe is open, and nothing comes */
	fclose(f);
	restore_stdin(saved);
}

static void the_end_of_a_pipe_is_the_end(void **state)
{
	(void)state;
	int saved;
	FILE *f = pipe_to_stdin(&saved);
	put_head(f, MAGIC_US, DLT_RAW_IP);
	put_packet(f, 1, 0, 0, 5, 80);
	fclose(f);
	const char *path = "-";
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	expect_end(c);
	assert_null(tc_capture_file_damage(c));
	c->ops->free(c);
	restore_stdin(saved);
	cfg.passes = 2;
	expect_refused(&cfg, -EINVAL, "standard input ('-') can be read only once");
}

static void what_is_no_regular_file_is_read_once_and_alone(void **state)
{
	(void)state;
	char path[] = "/tmp/tc-fifo-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	struct file good = four_packets();
	const char *paths[] = { path, good.path };
	struct tc_capture_file_config cfg = config(paths, 2);
	expect_refused(&cfg, -EINVAL, "is no regular file: it can be read only once, and alone");
	cfg = config(paths, 1);
	cfg.passes = 2;
	expect_refused(&cfg, -EINVAL, "is no regular file: it can be read only once, and alone");

	int both = open(path, O_RDWR | O_CLOEXEC); /* so that neither side waits for the other */
	assert_true(both >= 0);
	FILE *f = fdopen(both, "w");
	assert_non_null(f);
	put_head(f, MAGIC_US, DLT_RAW_IP);
	put_packet(f, 1, 0, 0, 10, 80);
	fflush(f);
	cfg.passes = 1;
	struct tc_capture *c = open_capture(&cfg);
	expect(c, 1, 0);
	fclose(f);
	expect_end(c);
	c->ops->free(c);
	unlink(path);
	close_file(&good);
}

/* More than the queue holds: the thread waits for room, and the ring wraps several times */
static void a_large_file_comes_through_whole(void **state)
{
	(void)state;
	struct file t = open_file(MAGIC_US, DLT_RAW_IP);
	uint32_t n = 0;
	for (long bytes = 0; bytes < 30 << 20; n++) {
		size_t len = n % 3 == 0 ? 60000 : n % 1999;
		put_packet(t.f, n, 0, n, len, 80);
		bytes = ftell(t.f);
	}
	fflush(t.f);
	const char *path = t.path;
	struct tc_capture_file_config cfg = config(&path, 1);
	struct tc_capture *c = open_capture(&cfg);
	struct tc_packet pkt;
	struct tc_capture_stats s;
	for (uint32_t i = 0; i < n; i++) {
		assert_true(next_at(c, START + (i == 0 ? 0 : TC_SEC), &pkt));
		size_t len = i % 3 == 0 ? 60000 : i % 1999;
		assert_int_equal(pkt.tcp.seq.v, i);
		assert_int_equal(pkt.payload.n, len);
		for (size_t k = 0; k < len; k += 997) {
			assert_int_equal(pkt.payload.p[k], i & 0xff);
		}
		if (i == n / 2) {
			c->ops->stats(c, &s);
			assert_in_range(s.read_permille, 460, 520);
		}
	}
	expect_end(c);
	c->ops->stats(c, &s);
	assert_int_equal(s.read_permille, 1000);
	c->ops->free(c);

	/* freed while the thread waits for room */
	c = open_capture(&cfg);
	assert_true(next_at(c, START, &pkt));
	poll(NULL, 0, 50);
	c->ops->free(c);
	close_file(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_as_far_apart_as_they_were_recorded),
		cmocka_unit_test(a_speed_shrinks_or_stretches_all_of_it),
		cmocka_unit_test(a_gap_is_cut_to_its_limit),
		cmocka_unit_test(a_further_pass_begins_when_it_is_asked_for),
		cmocka_unit_test(several_files_are_one_recording),
		cmocka_unit_test(a_further_file_that_begins_earlier_keeps_its_own_times),
		cmocka_unit_test(times_that_go_back_stand_still),
		cmocka_unit_test(a_clock_that_was_set_back_is_followed),
		cmocka_unit_test(a_file_that_ends_in_a_record_is_read_up_to_there_and_says_so),
		cmocka_unit_test(the_end_is_told_once),
		cmocka_unit_test(what_is_no_tcp_is_counted_and_passed_over),
		cmocka_unit_test(a_file_of_other_things_does_not_hold_the_loop),
		cmocka_unit_test(a_filter_chooses_packets),
		cmocka_unit_test(pcapng_is_read_too),
		cmocka_unit_test(a_stamp_beyond_all_clocks_is_far_away_and_no_more),
		cmocka_unit_test(what_cannot_be_read_is_refused_at_the_start_in_words),
		cmocka_unit_test(a_slow_pipe_never_blocks_the_reader),
		cmocka_unit_test(the_end_of_a_pipe_is_the_end),
		cmocka_unit_test(what_is_no_regular_file_is_read_once_and_alone),
		cmocka_unit_test(a_large_file_comes_through_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
