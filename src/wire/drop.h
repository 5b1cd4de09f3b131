/* SPDX-License-Identifier: BSD-2-Clause
 * wire/drop.h - why a packet was not acted on, why a session ended, where its bytes went
 *
 * Layer:   wire. Values and their names; they cross every seam and stand in every report.
 *
 * Each captured packet is used, or dropped for exactly one enum tc_drop. Each session ends for exactly one enum tc_end, and what
 * its client said and the target has not acknowledged is lost to that same reason, so the books need no third table.
 */
#ifndef TC_WIRE_DROP_H
#define TC_WIRE_DROP_H

enum tc_drop {
	TC_DROP_NONE,	     /* not dropped: used */
	TC_DROP_SHORT,	     /* ends before its headers do */
	TC_DROP_BAD_IP,	     /* IP header that contradicts itself */
	TC_DROP_BAD_TCP,     /* TCP header that contradicts itself */
	TC_DROP_BAD_OPTION,  /* malformed TCP option list */
	TC_DROP_NOT_IP,	     /* neither IPv4 nor IPv6 */
	TC_DROP_NOT_TCP,     /* another transport protocol */
	TC_DROP_FRAGMENT,    /* an IP fragment that could not be reassembled */
	TC_DROP_LINK,	     /* unknown link type or encapsulation */
	TC_DROP_NO_MAP,	     /* goes to an address that no -x names */
	TC_DROP_FROM_TARGET, /* its client address is a target's own: would copy itself */
	TC_DROP_FROM_COPY,   /* a tcpcopy made it: copies of copies would go in a circle */
	TC_DROP_SAMPLED_OUT, /* -r left this client out */
	TC_DROP_MPTCP, /* a further MPTCP subflow: its bytes are not a stream of their own (RFC 8684) */
	TC_DROP_NO_SESSION, /* belongs to a connection that is not copied (opened before us, or ended) */
	TC_DROP_SYN_NO_ACCEPT, /* a lone SYN whose handshake never completed */
	TC_DROP_SYNS_FULL,     /* a lone SYN that had to make room for a later one */
	TC_DROP_FLOWS_FULL,    /* the flow table was full */
	TC_DROP_MEMORY,	       /* no chunk was left for its bytes */
	TC_DROP_DUPLICATE,     /* bytes that were there already, or a repeated SYN */
	TC_DROP_OUT_OF_WINDOW, /* sequence number that cannot belong to the stream */
	TC_DROP_AFTER_END,     /* after the session had ended */
	TC_DROP_SHED,	       /* belongs to a session that was shed */
	TC_DROP_ANSWER_STRAY,  /* an answer that fits no replica */
	TC_DROP_ANSWER_STALE, /* an answer that its replica must not believe (RFC 9293 3.10.7, RFC 5961) */
	TC_DROP__N
};

enum tc_end {
	TC_END_NONE,	     /* lives */
	TC_END_CLOSED,	     /* closed by both sides in order */
	TC_END_CLIENT_RST,   /* the client reset it, so did we */
	TC_END_TARGET_RST,   /* the target reset it */
	TC_END_REFUSED,	     /* the target refused the connection */
	TC_END_NO_SYN_ACK,   /* the target never answered the SYN */
	TC_END_NO_ACK,	     /* the target stopped acknowledging */
	TC_END_TARGET_QUIET, /* the client closed, the target never did */
	TC_END_HOLE,	     /* the capture lost bytes of the client */
	TC_END_LAG,	     /* too far behind (--max-lag) */
	TC_END_MEMORY,	     /* no memory for its bytes */
	TC_END_SHED,	     /* shed to protect production */
	TC_END_NO_ROOM,	     /* no place for another copy in the table of sessions */
	TC_END_NO_TUPLE,     /* no free address and port for a copy (-c, -n) */
	TC_END_IDLE,	     /* silent for longer than -t */
	TC_END_REUSED,	     /* its client opened a new connection on the same port */
	TC_END_NO_ANSWERS,   /* no intercept reports its answers */
	TC_END_CAPTURE_END,  /* the file ends before its client does */
	TC_END_STOPPED,	     /* we were told to stop */
	TC_END_BUG,	     /* a bug of ours; counted with its place in the code */
	TC_END__N
};

/** tc_drop_name() - stable machine name ("bad-option"); never NULL */
const char *tc_drop_name(enum tc_drop d);

/** tc_drop_text() - one line for people */
const char *tc_drop_text(enum tc_drop d);

/** tc_end_name() - stable machine name ("client-rst"); never NULL */
const char *tc_end_name(enum tc_end e);

/** tc_end_text() - one line for people */
const char *tc_end_text(enum tc_end e);

#endif
