/* SPDX-License-Identifier: BSD-2-Clause
 * port/port.h - what the engine asks of its drivers
 *
 * Layer:   port. Interfaces only.
 *
 * A worker of the engine has one capture, one deliver, one answers and one clock. Live, offline, tunnel and dry run differ only in
 * which drivers are plugged in. Drivers never call the engine: what happened is a value that is pulled.
 *
 * Every driver is a struct that begins with its ops; the program that made it hands it to the engine and frees it after the
 * engine. No call blocks. No call ends the process: what went wrong is a returned -errno or an event.
 */
#ifndef TC_PORT_PORT_H
#define TC_PORT_PORT_H

#include "wire/drop.h"
#include "wire/packet.h"

/**
 * struct tc_wait - what a driver waits for; asked again after each call into it
 * @fd:       -1 for none; may change between calls (a reconnect)
 * @deadline: it wants on_ready() at this time even when nothing is readable; TC_TIME_NEVER for none
 */
struct tc_wait {
	int fd;
	bool read;
	bool write;
	tc_time deadline;
};

/** struct tc_capture_stats - counters since the start; they only grow */
struct tc_capture_stats {
	uint64_t pkts;		    /* frames read */
	uint64_t bytes;		    /* their length on the wire */
	uint64_t kernel_drops;	    /* frames that matched and that the kernel could not keep */
	uint64_t wakeups;	    /* how often the reader had to be woken */
	uint64_t drops[TC_DROP__N]; /* frames that were no usable TCP packet, by reason */
	uint64_t time_steps; /* the clock of the stamps was set, or a file's times went back */
	uint32_t ring_used_permille; /* fill of the ring now */
	uint32_t read_permille; /* of all passes of the files; 0 where their length is not known */
	uint32_t devices_down;	/* devices that are down now and waited for */
};

struct tc_capture;
struct tc_capture_ops {
	/** wait() - what to wait for before next() has something */
	void (*wait)(struct tc_capture *c, struct tc_wait *ret_wait);
	/**
	 * next() - the next captured TCP packet
	 * @ret_pkt: payload valid until the next call of next(); .at is on the engine's clock
	 * Return: false when there is none now.
	 */
	bool (*next)(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt);
	/** next_event() - losses of the capture (TC_EVENT_CAPTURE_LOSS), the end of a file (_END); false when there is none */
	bool (*next_event)(struct tc_capture *c, tc_time now, struct tc_event *ret_ev);
	/** is_done() - a file is at its end; never true for a live capture */
	bool (*is_done)(const struct tc_capture *c);
	/** again() - when it is: begin the next pass; false when there is none. NULL where it never is */
	bool (*again)(struct tc_capture *c);
	/** used() - permille of its buffer that wait to be read; no system call. NULL: it has none that packets could be lost from */
	uint32_t (*used)(const struct tc_capture *c);
	/**
	 * keep_share() - have the kernel keep what does not come from @share of TC_SHARE_ALL clients (wire/share.h) from us, but for what
	 *                begins or ends a connection; with .used only
	 * Return: 0, or -errno: all is captured as before.
	 */
	int (*keep_share)(struct tc_capture *c, uint32_t share);
	void (*stats)(struct tc_capture *c, struct tc_capture_stats *ret_stats);
	void (*free)(struct tc_capture *c);
};
struct tc_capture {
	const struct tc_capture_ops *ops;
};

struct tc_deliver_stats {
	uint64_t segments;    /* segments taken from the core */
	uint64_t pkts;	      /* packets on the wire, after cutting */
	uint64_t bytes;	      /* IP bytes of them */
	uint64_t calls;	      /* system calls for sending */
	uint64_t errors;      /* segments that were not sent */
	uint64_t no_neighbor; /* of these: the next hop's address was not known yet */
};

struct tc_deliver;
struct tc_deliver_ops {
	void (*wait)(struct tc_deliver *d, struct tc_wait *ret_wait);
	/** on_ready() - fd readable or deadline reached: neighbours, routes, MTU */
	void (*on_ready)(struct tc_deliver *d, tc_time now);
	/** send() - queue one segment; its views stay valid until flush(); sends by itself when the batch is full */
	void (*send)(struct tc_deliver *d, const struct tc_segment *seg, tc_time now);
	/** flush() - hand the batch to the kernel; after it no view is held */
	void (*flush)(struct tc_deliver *d, tc_time now);
	/** next_event() - send errors (TC_EVENT_SEND_ERROR) and path MTUs; bounded: further errors are only counted */
	bool (*next_event)(struct tc_deliver *d, struct tc_event *ret_ev);
	/** speed() - bits per second of the slowest link towards a target as far as known, 0 when none reports one; no system call */
	uint64_t (*speed)(const struct tc_deliver *d);
	void (*stats)(struct tc_deliver *d, struct tc_deliver_stats *ret_stats);
	void (*free)(struct tc_deliver *d);
};
struct tc_deliver {
	const struct tc_deliver_ops *ops;
};

/** struct tc_answers_stats - the channel, and what intercept says of itself */
struct tc_answers_stats {
	uint64_t answers; /* reports received */
	uint64_t merged;  /* packets they stand for beyond one each */
	uint64_t batches;
	uint64_t connects;    /* how often a channel came up */
	uint64_t disconnects; /* how often one was lost */
	uint64_t refused;     /* hellos that were refused */
	uint64_t malformed;   /* batches that were not understood: the channel is closed then */
	uint64_t peer_pkts;   /* frames that intercept read, as it last said */
	uint64_t peer_drops;  /* frames that its kernel dropped */
	uint64_t peer_stray;  /* frames that belonged to no copied connection */
	uint32_t up;	      /* channels that are up now */
	uint32_t configured;  /* channels that there should be */
};

struct tc_answers;
struct tc_answers_ops {
	/** wait() - what channel @i waits for, i < configured */
	void (*wait)(struct tc_answers *a, unsigned i, struct tc_wait *ret_wait);
	/** on_ready() - do the I/O of channel @i that is possible now; bounded work */
	void (*on_ready)(struct tc_answers *a, unsigned i, tc_time now);
	/** next() - the next report; false when there is none */
	bool (*next)(struct tc_answers *a, struct tc_answer *ret_ans);
	/** next_event() - channels up and down, tuples announced */
	bool (*next_event)(struct tc_answers *a, struct tc_event *ret_ev);
	/** announce() - tell every intercept of a tuple before its first packet; 0, or -ENOBUFS when the queue is full */
	int (*announce)(struct tc_answers *a, const struct tc_tuple *tuple);
	/** disown() - this tuple is not ours: let it pass; 0, or -ENOBUFS */
	int (*disown)(struct tc_answers *a, const struct tc_tuple *tuple);
	/** text() - the last words of channel @i for people ("connected", "refused: other key"); valid until its next call */
	const char *(*text)(struct tc_answers *a, unsigned i);
	void (*stats)(struct tc_answers *a, struct tc_answers_stats *ret_stats);
	void (*free)(struct tc_answers *a);
};
struct tc_answers {
	const struct tc_answers_ops *ops;
};

/** struct tc_clock - where time comes from; only the engine and the programs ask it */
struct tc_clock {
	tc_time (*now)(void *ctx);  /* monotonic */
	tc_time (*wall)(void *ctx); /* since 1970 */
	void *ctx;
};

#endif
