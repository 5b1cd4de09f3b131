/* SPDX-License-Identifier: BSD-2-Clause
 * golden/packets.c - what wire makes of the frames of a capture file, one line each
 *
 * Usage: packets FILE
 *     NUMBER used SRC:PORT > DST:PORT [link ID] FLAGS seq N ack N win N [urg N] len N got N sum HEX [<OPTIONS>]
 *     NUMBER held                          a fragment that waits for the rest of its datagram
 *     NUMBER drop REASON
 *     fragments: seen N dropped N joined N lost N held N
 * len is the payload on the wire, got what was captured of it, sum the Internet checksum (not complemented) of that. Flags are
 * letters as in the header's drawing: C E U A P R S F.
 */
#include "wire/checksum.h"
#include "wire/frame.h"
#include "wire/reassembly.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

static int link_of(int dlt)
{
	switch (dlt) {
	case DLT_EN10MB:
		return TC_LINK_ETHERNET;
	case DLT_RAW:
		return TC_LINK_RAW;
	case DLT_NULL:
		return TC_LINK_NULL;
	case DLT_LOOP:
		return TC_LINK_LOOP;
	case DLT_LINUX_SLL:
		return TC_LINK_SLL;
	case DLT_LINUX_SLL2:
		return TC_LINK_SLL2;
	default:
		return -1;
	}
}

static void print_address(const struct tc_ip *ip, unsigned port)
{
	char text[TC_IP_TEXT_MAX];
	tc_ip_format(ip, text, sizeof text);
	printf(tc_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, port);
}

/* @before: "<" for the first option, "," for others */
static void print_options(const struct tc_tcpopt *opt)
{
	const char *before = " <";
	if (opt->has_mss) {
		printf("%smss %u", before, opt->mss);
		before = ",";
	}
	if (opt->sack_ok) {
		printf("%ssackOK", before);
		before = ",";
	}
	if (opt->has_ts) {
		printf("%sts %u %u", before, opt->tsval, opt->tsecr);
		before = ",";
	}
	if (opt->has_ws) {
		printf("%sws %u", before, opt->ws_shift);
		before = ",";
	}
	for (unsigned i = 0; i < opt->n_sack; i++) {
		printf("%ssack %u:%u", before, opt->sack[i].left.v, opt->sack[i].right.v);
		before = ",";
	}
	if (opt->mptcp) {
		printf("%s%s", before, opt->mp_join ? "mpjoin" : "mptcp");
		before = ",";
	}
	printf(before[0] == ',' ? ">\n" : "\n");
}

static void print_packet(const struct tc_packet *pkt)
{
	printf(" used ");
	print_address(&pkt->src, pkt->tcp.src_port);
	printf(" > ");
	print_address(&pkt->dst, pkt->tcp.dst_port);
	if (pkt->link_id != 0) {
		printf(" link %u", pkt->link_id);
	}
	printf(" ");
	for (unsigned bit = 0; bit < 8; bit++) {
		if (pkt->tcp.flags & 0x80 >> bit) {
			putchar("CEUAPRSF"[bit]);
		}
	}
	printf(" seq %u ack %u win %u", pkt->tcp.seq.v, pkt->tcp.ack.v, pkt->tcp.win);
	if (pkt->tcp.urg != 0) {
		printf(" urg %u", pkt->tcp.urg);
	}
	printf(" len %u got %zu sum %04x", pkt->payload_len, pkt->payload.n,
	       tc_csum_fold(tc_csum_add(0, pkt->payload)));
	print_options(&pkt->tcp.opt);
}

static struct tc_reassembly *make_reassembly(void)
{
	struct tc_reassembly_config cfg = {
		.datagrams = 64,
		.bytes = 1 << 20,
		.timeout = TC_REASSEMBLY_TIMEOUT,
		.key = { 1, 2 },
	};
	size_t n = tc_reassembly_bytes(&cfg);
	void *mem = aligned_alloc(64, n);
	if (mem == NULL) {
		perror("packets");
		exit(1);
	}
	memset(mem, 0, n);
	return tc_reassembly_init(mem, &cfg);
}

static void print_frame(struct tc_reassembly *r, unsigned number, const struct tc_frame *frame)
{
	struct tc_packet pkt;
	enum tc_drop drop;
	printf("%u", number);
	if (tc_frame_input(r, frame, &pkt, &drop)) {
		print_packet(&pkt);
	} else if (drop == TC_DROP_NONE) {
		printf(" held\n");
	} else {
		printf(" drop %s\n", tc_drop_name(drop));
	}
}

int main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = argc == 2 ? pcap_open_offline_with_tstamp_precision(
					   argv[1], PCAP_TSTAMP_PRECISION_NANO, error) :
				   NULL;
	int link = pcap != NULL ? link_of(pcap_datalink(pcap)) : -1;
	if (link < 0) {
		fprintf(stderr, "usage: packets FILE (a capture of a known link type)\n");
		return 2;
	}
	struct tc_reassembly *r = make_reassembly();
	struct pcap_pkthdr *head;
	const uint8_t *data;
	int more;
	for (unsigned number = 1; (more = pcap_next_ex(pcap, &head, &data)) == 1; number++) {
		struct tc_frame frame = {
			.link = (enum tc_link)link,
			.data = { data, head->caplen },
			.wire_len = head->len,
			.at = head->ts.tv_sec * TC_SEC + head->ts.tv_usec,
		};
		print_frame(r, number, &frame);
	}
	struct tc_reassembly_stats s;
	tc_reassembly_stats(r, &s);
	printf("fragments: seen %lu dropped %lu joined %lu lost %lu held %lu\n", s.seen, s.dropped,
	       s.joined, s.lost, s.held);
	free(r);
	pcap_close(pcap);
	return more == PCAP_ERROR_BREAK ? 0 : 1;
}
