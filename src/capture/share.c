/* SPDX-License-Identifier: BSD-2-Clause
 * capture/share.c - a program of the kernel's that lets a share of the clients pass
 */
#include "capture/share.h"

#include "wire/packet.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

/* Where the fields are, from the beginning of their header */
#define IPV4_FRAGMENT 6
#define IPV4_PROTOCOL 9
#define IPV4_SOURCE 12
#define IPV6_NEXT 6
#define IPV6_SOURCE 8
#define IPV6_BYTES 40
#define TCP_SOURCE 0
#define TCP_FLAGS 13
#define ETHERNET_TYPE 12
#define TAG_BYTES 4
/* More fragments, or an offset: the first one is kept as well as the others */
#define FRAGMENT 0x3fff
/* Of the words of an IPv4 address, as tc_ip has it, those that are the same in all */
#define IPV4_PREFIX 0xffff
#define BEGINS_OR_ENDS (TC_TCP_SYN | TC_TCP_FIN | TC_TCP_RST)

/* Jumps that are written when the length of the program is known; no other is as long */
enum { KEEP = 254, DROP = 255 };

struct program {
	struct sock_filter *steps;
	unsigned n;
	uint32_t share;
};

static void step(struct program *p, unsigned code, uint32_t k)
{
	p->steps[p->n++] = (struct sock_filter)BPF_STMT((uint16_t)code, k);
}

static void jump(struct program *p, unsigned test, uint32_t k, unsigned yes, unsigned no)
{
	p->steps[p->n++] = (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test | BPF_K), k,
							(uint8_t)yes, (uint8_t)no);
}

/* A word, XORed with X, back into X */
static void mix_word(struct program *p, uint32_t at)
{
	step(p, BPF_LD | BPF_W | BPF_ABS, at);
	step(p, BPF_ALU | BPF_XOR | BPF_X, 0);
	step(p, BPF_MISC | BPF_TAX, 0);
}

/* X is the XOR of port and address */
static void decide(struct program *p)
{
	step(p, BPF_MISC | BPF_TXA, 0);
	step(p, BPF_ALU | BPF_MUL | BPF_K, TC_SHARE_FACTOR);
	step(p, BPF_ALU | BPF_RSH | BPF_K, 16);
	jump(p, BPF_JGE, p->share, DROP, KEEP);
}

static void read_ipv4(struct program *p, uint32_t at)
{
	step(p, BPF_LD | BPF_B | BPF_ABS, at + IPV4_PROTOCOL);
	jump(p, BPF_JEQ, IPPROTO_TCP, 0, KEEP);
	step(p, BPF_LD | BPF_H | BPF_ABS, at + IPV4_FRAGMENT);
	jump(p, BPF_JSET, FRAGMENT, KEEP, 0);
	step(p, BPF_LDX | BPF_B | BPF_MSH, at);
	step(p, BPF_LD | BPF_B | BPF_IND, at + TCP_FLAGS);
	jump(p, BPF_JSET, BEGINS_OR_ENDS, KEEP, 0);
	step(p, BPF_LD | BPF_H | BPF_IND, at + TCP_SOURCE);
	step(p, BPF_ALU | BPF_XOR | BPF_K, IPV4_PREFIX);
	step(p, BPF_MISC | BPF_TAX, 0);
	mix_word(p, at + IPV4_SOURCE);
	decide(p);
}

static void read_ipv6(struct program *p, uint32_t at)
{
	step(p, BPF_LD | BPF_B | BPF_ABS, at + IPV6_NEXT);
	jump(p, BPF_JEQ, IPPROTO_TCP, 0, KEEP);
	step(p, BPF_LD | BPF_B | BPF_ABS, at + IPV6_BYTES + TCP_FLAGS);
	jump(p, BPF_JSET, BEGINS_OR_ENDS, KEEP, 0);
	step(p, BPF_LD | BPF_H | BPF_ABS, at + IPV6_BYTES + TCP_SOURCE);
	step(p, BPF_MISC | BPF_TAX, 0);
	for (uint32_t word = 0; word < 16; word += 4) {
		mix_word(p, at + IPV6_SOURCE + word);
	}
	decide(p);
}

/* When what was loaded is @type, a header that @read reads is at @at; else go on behind it, and it is still loaded */
static void when(struct program *p, uint32_t type, void (*read)(struct program *p, uint32_t at),
		 uint32_t at)
{
	unsigned test = p->n;
	jump(p, BPF_JEQ, type, 0, 0);
	read(p, at);
	p->steps[test].jf = (uint8_t)(p->n - test - 1);
}

static void read_type(struct program *p, uint32_t at)
{
	step(p, BPF_LD | BPF_H | BPF_ABS, at);
	when(p, ETH_P_IP, read_ipv4, at + 2);
	when(p, ETH_P_IPV6, read_ipv6, at + 2);
}

static void read_version(struct program *p)
{
	step(p, BPF_LD | BPF_B | BPF_ABS, 0);
	step(p, BPF_ALU | BPF_AND | BPF_K, 0xf0);
	when(p, 0x40, read_ipv4, 0);
	when(p, 0x60, read_ipv6, 0);
}

static void read_frame(struct program *p)
{
	read_type(p, ETHERNET_TYPE);
	jump(p, BPF_JEQ, ETH_P_8021Q, 2, 0);
	jump(p, BPF_JEQ, ETH_P_8021AD, 1, 0);
	jump(p, BPF_JEQ, ETH_P_QINQ1, 0, KEEP);
	read_type(p, ETHERNET_TYPE + TAG_BYTES);
}

/* Where the jumps lead: the last step says no, the one behind it is the filter's first */
static void link_up(struct program *p)
{
	jump(p, BPF_JA, 1, 0, 0); /* neither protocol */
	step(p, BPF_RET | BPF_K, 0);
	for (unsigned i = 0; i < p->n; i++) {
		uint8_t *to[] = { &p->steps[i].jt, &p->steps[i].jf };
		for (unsigned k = 0; k < 2; k++) {
			if (*to[k] == KEEP) {
				*to[k] = (uint8_t)(p->n - i - 1);
			} else if (*to[k] == DROP) {
				*to[k] = (uint8_t)(p->n - i - 2);
			}
		}
	}
}

unsigned tc_share_program(enum tc_link link, uint32_t share, struct sock_filter *ret)
{
	if (share >= TC_SHARE_ALL) {
		return 0;
	}
	struct program p = { .steps = ret, .share = share };
	if (link == TC_LINK_ETHERNET) {
		read_frame(&p);
	} else {
		read_version(&p);
	}
	link_up(&p);
	return p.n;
}
