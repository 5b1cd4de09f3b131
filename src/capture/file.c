/* SPDX-License-Identifier: BSD-2-Clause
 * capture/file.c - replay of pcap and pcapng files: each packet when its time has come
 */
#include "capture/file.h"

#include "capture/feed.h"
#include "capture/frames.h"
#include "port/error.h"

#include <errno.h>
#include <stdlib.h>

#define SPEED_ONE 1000
/* Recorded times that go back by more than this were set back; by less, they are of different CPUs */
#define DISORDER_MAX TC_SEC
/* A further pass is further connections, not the same packets again: its sequence numbers are others. Odd, so that no pass has those of
 * another one before 2^32 of them. */
#define PASS_SEQ 0x9e3779b1U
/* Frames without a TCP packet that one next() passes over: a file may hold nothing else, and the caller has signals to look at */
#define PASSED_OVER_MAX 1024
/* A replay longer than 146 years has a broken stamp in its file */
#define REPLAY_MAX (TC_TIME_NEVER / 2)

/**
 * struct file
 * @start:    when the first packet of this pass was due; INT64_MIN: no packet yet
 * @position: sum of the gaps until the frame at hand
 * @recorded: latest recorded time
 * @due:      of the frame at hand
 * @seq_base: of this pass
 * @go_on:    the next pass may begin
 * @has_due:  there is a frame at hand
 * @given:    it was given away and can go
 * @empty:    the feed has nothing yet
 */
struct file {
	struct tc_capture base;
	struct tc_feed *feed; /* owned */
	uint32_t speed_permille;
	tc_time gap_limit;
	tc_time start;
	tc_time position;
	tc_time recorded;
	tc_time due;
	uint32_t seq_base;
	bool has_due;
	bool given;
	bool empty;
	bool go_on;
	bool done;
	bool ended; /* and there is no further pass */
	bool end_told;
	struct tc_frames frames;
};

static struct file *of(struct tc_capture *c)
{
	return (struct file *)(void *)c;
}

static void file_wait(struct tc_capture *c, struct tc_wait *ret_wait)
{
	const struct file *f = of(c);
	*ret_wait = (struct tc_wait){ .fd = -1, .deadline = TC_TIME_NEVER };
	if (f->done) {
		return;
	}
	if (f->empty) {
		ret_wait->fd = tc_feed_fd(f->feed);
		ret_wait->read = true;
	} else {
		ret_wait->deadline = f->has_due ? f->due : 0;
	}
}

/* How long after the frame before it a frame of time @at was recorded */
static tc_time gap_to(struct file *f, tc_time at, enum tc_feed_begin begins)
{
	tc_time gap = at - f->recorded;
	if (gap < 0) {
		f->frames.stats.time_steps++;
		if (gap < -DISORDER_MAX || begins == TC_FEED_BEGINS_FILE) {
			f->recorded = at;
		}
		return 0;
	}
	f->recorded = at;
	return tc_time_min(gap, f->gap_limit);
}

/* When the frame is due; called once for each */
static void schedule(struct file *f, tc_time at, enum tc_feed_begin begins, tc_time now)
{
	if (f->start == INT64_MIN) {
		f->start = now;
		f->recorded = at;
	}
	tc_time room = REPLAY_MAX / SPEED_ONE * tc_time_min(f->speed_permille, SPEED_ONE);
	f->position += tc_time_min(gap_to(f, at, begins), room - f->position);
	tc_time whole = f->position / f->speed_permille * SPEED_ONE;
	tc_time rest = f->position % f->speed_permille * SPEED_ONE / f->speed_permille;
	f->due = f->start + whole + rest;
	f->has_due = true;
}

static void drop_frame(struct file *f)
{
	tc_feed_pop(f->feed);
	f->has_due = false;
	f->given = false;
}

static bool file_next(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt)
{
	struct file *f = of(c);
	if (f->given) {
		drop_frame(f);
	}
	for (unsigned i = 0; i < PASSED_OVER_MAX; i++) {
		struct tc_frame frame;
		enum tc_feed_begin begins;
		enum tc_feed_state state = tc_feed_peek(f->feed, &frame, &begins);
		f->frames.stats.wakeups += f->empty && state == TC_FEED_FRAME;
		f->empty = state == TC_FEED_EMPTY;
		f->ended = state == TC_FEED_END;
		f->done = f->ended || (state == TC_FEED_FRAME && !f->has_due && !f->go_on &&
				       begins == TC_FEED_BEGINS_PASS);
		if (state != TC_FEED_FRAME || f->done) {
			return false;
		}
		if (!f->has_due) {
			f->go_on = false;
			schedule(f, frame.at, begins, now);
		}
		if (f->due > now) {
			return false;
		}
		frame.at = f->due;
		if (tc_frames_next(&f->frames, &frame, ret_pkt)) {
			ret_pkt->tcp.seq = tc_seq_add(ret_pkt->tcp.seq, f->seq_base);
			ret_pkt->tcp.ack = tc_seq_add(ret_pkt->tcp.ack, f->seq_base);
			f->given = true;
			return true;
		}
		drop_frame(f);
	}
	return false; /* wait() asks for the next call at once */
}

/* The end of a pass is one of the file: no packet will come any more that could fill a gap */
static bool file_next_event(struct tc_capture *c, tc_time now, struct tc_event *ret_ev)
{
	struct file *f = of(c);
	const char *text;
	if (!f->done || f->end_told) {
		return false;
	}
	f->end_told = true;
	f->frames.stats.drops[TC_DROP_SHORT] += tc_feed_damage(f->feed, &text);
	*ret_ev = (struct tc_event){ .kind = TC_EVENT_CAPTURE_END, .at = now };
	return true;
}

static bool file_is_done(const struct tc_capture *c)
{
	return ((const struct file *)(const void *)c)->done;
}

/* Its connections are further ones, and its time begins when it does. */
static bool file_again(struct tc_capture *c)
{
	struct file *f = of(c);
	if (!f->done || f->ended) {
		return false;
	}
	f->done = false;
	f->end_told = false;
	f->go_on = true;
	f->start = INT64_MIN;
	f->position = 0;
	f->seq_base += PASS_SEQ;
	return true;
}

static void file_stats(struct tc_capture *c, struct tc_capture_stats *ret_stats)
{
	tc_frames_stats(&of(c)->frames, ret_stats);
	ret_stats->read_permille = tc_feed_read_permille(of(c)->feed);
}

static void file_free(struct tc_capture *c)
{
	struct file *f = of(c);
	if (f->feed != NULL) {
		tc_feed_free(f->feed);
	}
	tc_frames_fini(&f->frames);
	free(f);
}

static const struct tc_capture_ops file_ops = {
	.wait = file_wait,
	.next = file_next,
	.next_event = file_next_event,
	.is_done = file_is_done,
	.again = file_again,
	.stats = file_stats,
	.free = file_free,
};

int tc_capture_file_new(const struct tc_capture_file_config *cfg, struct tc_capture **ret,
			char *ret_error)
{
	if (cfg->speed_permille == 0) {
		return tc_driver_say(ret_error, -EINVAL, "a replay needs a speed above 0");
	}
	struct file *f = calloc(1, sizeof *f);
	if (f == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make a capture");
	}
	f->base.ops = &file_ops;
	f->speed_permille = cfg->speed_permille;
	f->gap_limit = cfg->gap_limit;
	f->start = INT64_MIN;
	int err = tc_frames_init(&f->frames, true);
	if (err < 0) {
		err = tc_driver_error(ret_error, err, "cannot prepare for fragments");
	} else {
		struct tc_feed_config feed = {
			.paths = cfg->paths,
			.n_paths = cfg->n_paths,
			.filter = cfg->filter,
			.passes = cfg->passes,
		};
		err = tc_feed_new(&feed, &f->feed, ret_error);
	}
	if (err < 0) {
		file_free(&f->base);
		return err;
	}
	*ret = &f->base;
	return 0;
}

const char *tc_capture_file_damage(const struct tc_capture *c)
{
	const char *text = NULL;
	unsigned n = tc_feed_damage(((const struct file *)(const void *)c)->feed, &text);
	return n > 0 ? text : NULL;
}
