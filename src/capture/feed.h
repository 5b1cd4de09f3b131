/* SPDX-License-Identifier: BSD-2-Clause
 * capture/feed.h - frames of pcap and pcapng files, read ahead by a thread
 *
 * Layer:   capture. Used by capture/file.c.
 * Source:  pcap-savefile(5), pcapng through libpcap.
 *
 * Reading a file, or a pipe in which somebody else writes at his own speed, may block; the engine may not. So a thread reads, and a
 * bounded queue of bytes lies between it and the engine, with one writer and one reader. Neither side makes a system call as long
 * as the queue is neither empty nor full.
 *
 * Files are read one after another, all of them as often as there are passes. A record that ends before its bytes do ends its file:
 * what was before it is good, and tc_feed_damage() says where it was. Where that is the first one nothing is good: tc_feed_new() fails.
 */
#ifndef TC_CAPTURE_FEED_H
#define TC_CAPTURE_FEED_H

#include "wire/frame.h"

/**
 * struct tc_feed_config
 * @paths:  files, "-" for standard input; borrowed for the life of the feed
 * @filter: pcap text; NULL: all frames
 * @passes: how often all of it is read, at least 1; what is no regular file can be read once, and alone
 */
struct tc_feed_config {
	const char *const *paths;
	unsigned n_paths;
	const char *filter;
	unsigned passes;
};

struct tc_feed;

/** tc_feed_new() - look at every file; reading starts with the first peek. Return: 0, or -errno and what is wrong with which file */
int tc_feed_new(const struct tc_feed_config *cfg, struct tc_feed **ret, char *ret_error);
void tc_feed_free(struct tc_feed *f);

enum tc_feed_state {
	TC_FEED_FRAME, /* here is one */
	TC_FEED_EMPTY, /* none yet: tc_feed_fd() becomes readable */
	TC_FEED_END,   /* and there will be none */
};

/** enum tc_feed_begin - of what a frame is the first one */
enum tc_feed_begin {
	TC_FEED_BEGINS_NOTHING,
	TC_FEED_BEGINS_FILE, /* of a further file of the same pass */
	TC_FEED_BEGINS_PASS, /* of a further pass */
};

/**
 * tc_feed_peek() - the next frame, which stays where it is
 * @ret_frame: .at is the recorded time, wall clock, not negative; .data is valid until tc_feed_pop()
 */
enum tc_feed_state tc_feed_peek(struct tc_feed *f, struct tc_frame *ret_frame,
				enum tc_feed_begin *ret_begins);
/** tc_feed_pop() - done with the frame that tc_feed_peek() gave */
void tc_feed_pop(struct tc_feed *f);

int tc_feed_fd(const struct tc_feed *f);

/** tc_feed_read_permille() - how much of all passes was taken, roughly; 0 where the length is not known */
uint32_t tc_feed_read_permille(const struct tc_feed *f);

/** tc_feed_damage() - files that ended in the middle of a record; @ret_text: the first of them, static in @f. After the end */
unsigned tc_feed_damage(const struct tc_feed *f, const char **ret_text);

#endif
