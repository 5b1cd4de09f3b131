/* SPDX-License-Identifier: BSD-2-Clause
 * capture/filter.c - pcap text from the maps, classic BPF from the text
 *
 * In pcap's language `and` and `or` bind alike and from the left, so every group has its parentheses.
 */
#include "capture/filter.h"

#include "port/error.h"

#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

/* Of a handle that never reads: as small as libpcap takes it with any snap length */
#define LIVE_BUFFER (1 << 20)

static void print_ports(FILE *f, const char *dir, uint16_t first, uint16_t last)
{
	if (first == last) {
		fprintf(f, "%s port %u", dir, first);
	} else {
		fprintf(f, "%s portrange %u-%u", dir, first, last);
	}
}

static void print_host(FILE *f, const char *dir, const struct tc_ip *ip)
{
	char text[TC_IP_TEXT_MAX];
	fprintf(f, "%s host %s", dir, tc_ip_format(ip, text, sizeof text));
}

static bool same_online(const struct tc_map *a, const struct tc_map *b)
{
	if (tc_ip_is_any(&a->online) && tc_ip_is_any(&b->online)) {
		return tc_ip_is_v4(&a->target) == tc_ip_is_v4(&b->target);
	}
	return tc_ip_eq(&a->online, &b->online);
}

static bool same_ports(const struct tc_map *a, const struct tc_map *b)
{
	return a->online_port == b->online_port && a->online_port_last == b->online_port_last;
}

/* Is map @i the first with its address; with @ports, with its address and ports */
static bool is_first(const struct tc_filter_config *cfg, unsigned i, bool ports)
{
	for (unsigned k = 0; k < i; k++) {
		if (same_online(&cfg->maps[k], &cfg->maps[i]) &&
		    (!ports || same_ports(&cfg->maps[k], &cfg->maps[i]))) {
			return false;
		}
	}
	return true;
}

/* " and (dst host A or dst host B)" for the address of map @m; " and ip" when it means any of a family */
static void print_hosts(FILE *f, const struct tc_filter_config *cfg, const struct tc_map *m,
			const char *dir)
{
	if (!tc_ip_is_any(&m->online)) {
		fputs(" and ", f);
		print_host(f, dir, &m->online);
		return;
	}
	bool v4 = tc_ip_is_v4(&m->target);
	unsigned n = 0;
	for (unsigned k = 0; k < cfg->n_locals; k++) {
		if (tc_ip_is_v4(&cfg->locals[k]) == v4) {
			fputs(n++ == 0 ? " and (" : " or ", f);
			print_host(f, dir, &cfg->locals[k]);
		}
	}
	fputs(n > 0 ? ")" : v4 ? " and ip" : " and ip6", f);
}

/* One group for each online address: its ports, then the address */
static void print_side(FILE *f, const struct tc_filter_config *cfg, const char *dir)
{
	for (unsigned i = 0; i < cfg->n_maps; i++) {
		if (!is_first(cfg, i, false)) {
			continue;
		}
		fputs(i == 0 ? "((" : " or ((", f);
		for (unsigned k = i; k < cfg->n_maps; k++) {
			const struct tc_map *m = &cfg->maps[k];
			if (!same_online(m, &cfg->maps[i]) || !is_first(cfg, k, true)) {
				continue;
			}
			fputs(k == i ? "" : " or ", f);
			print_ports(f, dir, m->online_port, m->online_port_last);
		}
		fputc(')', f);
		print_hosts(f, cfg, &cfg->maps[i], dir);
		fputc(')', f);
	}
}

/* Fragments but the first have no ports, and pcap looks for none in IPv6: all of TCP to these addresses */
static void print_fragments(FILE *f, const struct tc_filter_config *cfg)
{
	fputs(" or (((ip[9] = 6 and ip[6:2] & 0x1fff != 0) or ip6[6] = 44) and (", f);
	for (unsigned i = 0; i < cfg->n_maps; i++) {
		if (is_first(cfg, i, false)) {
			/* "(true and hosts)": each packet has a length */
			fputs(i == 0 ? "(len > 0" : " or (len > 0", f);
			print_hosts(f, cfg, &cfg->maps[i], "dst");
			fputc(')', f);
		}
	}
	fputs("))", f);
}

/* Our own copies, where the map itself does not keep them out by its address */
static void print_targets(FILE *f, const struct tc_filter_config *cfg, const char *dir)
{
	for (unsigned i = 0; i < cfg->n_maps; i++) {
		const struct tc_map *m = &cfg->maps[i];
		bool caught = false;
		for (unsigned k = 0; k < cfg->n_maps; k++) {
			caught = caught || tc_ip_is_any(&cfg->maps[k].online);
		}
		if (!caught) {
			return;
		}
		fputs(" and not (", f);
		print_host(f, dir, &m->target);
		fputs(" and ", f);
		print_ports(f, dir, m->target_port, tc_map_target_port(m, m->online_port_last));
		fputc(')', f);
	}
}

/* What was written to memory, or why not */
static int finish(FILE *f, char **text, char **ret_text)
{
	bool failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(*text);
		return -ENOMEM;
	}
	*ret_text = *text;
	return 0;
}

int tc_filter_text(const struct tc_filter_config *cfg, char **ret_text)
{
	if (cfg->n_maps == 0) {
		return -EINVAL;
	}
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	if (f == NULL) {
		return -ENOMEM;
	}
	fputs(cfg->fragments ? "(tcp and (" : "tcp and (", f);
	print_side(f, cfg, "dst");
	if (cfg->online_too) {
		fputs(" or ", f);
		print_side(f, cfg, "src");
	}
	fputc(')', f);
	print_targets(f, cfg, "dst");
	if (cfg->online_too) {
		print_targets(f, cfg, "src");
	}
	if (cfg->fragments) {
		fputc(')', f);
		print_fragments(f, cfg);
	}
	return finish(f, &text, ret_text);
}

int tc_filter_answers_text(const struct tc_filter_target *targets, unsigned n, char **ret_text)
{
	if (n == 0) {
		return -EINVAL;
	}
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	if (f == NULL) {
		return -ENOMEM;
	}
	fputs("tcp and (", f);
	for (unsigned i = 0; i < n; i++) {
		fputs(i == 0 ? "(" : " or (", f);
		print_ports(f, "src", targets[i].port, targets[i].port_last);
		if (!tc_ip_is_any(&targets[i].ip)) {
			fputs(" and ", f);
			print_host(f, "src", &targets[i].ip);
		}
		fputc(')', f);
	}
	fputc(')', f);
	return finish(f, &text, ret_text);
}

static int too_big(const char *text, const char *what, size_t n, size_t max, char *ret_error)
{
	return tc_driver_say(ret_error, -E2BIG,
			     "filter '%.200s%s' has %zu %s, %zu are the most: name fewer addresses "
			     "and ports",
			     text, strlen(text) > 200 ? "..." : "", n, what, max);
}

/* pcap's program to the kernel's: the same fields under other names */
static int convert(const struct bpf_program *from, const char *text, struct tc_filter *ret,
		   char *ret_error)
{
	if (from->bf_len > TC_FILTER_INSNS_MAX) {
		return too_big(text, "instructions", from->bf_len, TC_FILTER_INSNS_MAX, ret_error);
	}
	struct sock_filter *insns = calloc(from->bf_len, sizeof *insns);
	if (insns == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot keep the filter");
	}
	for (unsigned i = 0; i < from->bf_len; i++) {
		const struct bpf_insn *in = &from->bf_insns[i];
		insns[i] = (struct sock_filter){ in->code, in->jt, in->jf, in->k };
	}
	ret->insns = insns;
	ret->n = (uint16_t)from->bf_len;
	return 0;
}

static int try_compile(pcap_t *p, const char *text, bool optimize, struct bpf_program *ret,
		       char *ret_error)
{
	if (pcap_compile(p, ret, text, optimize, PCAP_NETMASK_UNKNOWN) == 0) {
		return 0;
	}
	return tc_driver_say(ret_error, -EINVAL, "cannot compile filter '%.200s%s': %s", text,
			     strlen(text) > 200 ? "..." : "", pcap_geterr(p));
}

/* Does @text use the word `vlan`, and not as a part of another one */
static bool says_vlan(const char *text)
{
	for (const char *at = text; (at = strstr(at, "vlan")) != NULL; at += 4) {
		bool begins = at == text || !isalnum((unsigned char)at[-1]);
		if (begins && !isalnum((unsigned char)at[4])) {
			return true;
		}
	}
	return false;
}

/* A handle on the device itself; nothing is read from it */
static pcap_t *open_live(const char *device, uint32_t snap, char *why)
{
	pcap_t *p = pcap_create(device, why);
	if (p == NULL) {
		return NULL;
	}
	(void)pcap_set_snaplen(p, (int)snap);
	(void)pcap_set_buffer_size(p, LIVE_BUFFER);
	if (pcap_activate(p) < 0) {
		(void)snprintf(why, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(p));
		pcap_close(p);
		return NULL;
	}
	return p;
}

static int open_handle(const char *text, const char *device, enum tc_link link, uint32_t snap,
		       pcap_t **ret, char *ret_error)
{
	char why[PCAP_ERRBUF_SIZE] = "out of memory";
	if (device != NULL && link == TC_LINK_ETHERNET && says_vlan(text)) {
		*ret = open_live(device, snap, why);
	} else {
		*ret = pcap_open_dead(link == TC_LINK_ETHERNET ? DLT_EN10MB : DLT_RAW, (int)snap);
	}
	return *ret != NULL ?
		       0 :
		       tc_driver_say(ret_error, -EINVAL, "cannot compile filter '%.200s%s': %s",
				     text, strlen(text) > 200 ? "..." : "", why);
}

static int compile(const char *text, pcap_t *p, struct tc_filter *ret, char *ret_error)
{
	struct bpf_program program;
	int r = try_compile(p, text, false, &program, ret_error);
	if (r < 0) {
		return r;
	}
	unsigned n = program.bf_len;
	pcap_freecode(&program);
	if (n > TC_FILTER_PLAIN_MAX) {
		return too_big(text, "instructions before they are optimized", n,
			       TC_FILTER_PLAIN_MAX, ret_error);
	}
	r = try_compile(p, text, true, &program, ret_error);
	if (r == 0) {
		r = convert(&program, text, ret, ret_error);
		pcap_freecode(&program);
	}
	return r;
}

/* @a, and where it says no, @b */
static int append(struct tc_filter *a, const struct tc_filter *b, const char *text, char *ret_error)
{
	unsigned n = (unsigned)a->n + b->n;
	if (n > TC_FILTER_INSNS_MAX) {
		return too_big(text, "instructions", n, TC_FILTER_INSNS_MAX, ret_error);
	}
	struct sock_filter *insns = calloc(n, sizeof *insns);
	if (insns == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot keep the filter");
	}
	for (unsigned i = 0; i < a->n; i++) {
		bool no = a->insns[i].code == (BPF_RET | BPF_K) && a->insns[i].k == 0;
		insns[i] =
			no ? (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, a->n - 1u - i, 0, 0) :
			     a->insns[i];
	}
	memcpy(insns + a->n, b->insns, b->n * sizeof *insns);
	free(a->insns);
	a->insns = insns;
	a->n = (uint16_t)n;
	return 0;
}

/* The same behind a tag: `vlan` moves all that follows it by the tag */
static int append_tagged(struct tc_filter *plain, const char *text, pcap_t *p, char *ret_error)
{
	struct tc_filter behind = { 0 };
	char *vlan = NULL;
	if (asprintf(&vlan, "vlan and (%s)", text) < 0) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot compile the filter");
	}
	int r = compile(vlan, p, &behind, ret_error);
	free(vlan);
	r = r == 0 ? append(plain, &behind, text, ret_error) : r;
	tc_filter_fini(&behind);
	return r;
}

int tc_filter_compile(const char *text, const char *device, enum tc_link link, uint32_t snap,
		      bool tagged, struct tc_filter *ret, char *ret_error)
{
	if (strlen(text) > TC_FILTER_TEXT_MAX) {
		return too_big(text, "bytes", strlen(text), TC_FILTER_TEXT_MAX, ret_error);
	}
	pcap_t *p = NULL;
	int r = open_handle(text, device, link, snap, &p, ret_error);
	if (r < 0) {
		return r;
	}
	struct tc_filter f = { 0 };
	r = compile(text, p, &f, ret_error);
	if (r == 0 && tagged && link == TC_LINK_ETHERNET) {
		r = append_tagged(&f, text, p, ret_error);
	}
	pcap_close(p);
	if (r < 0) {
		tc_filter_fini(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void tc_filter_fini(struct tc_filter *f)
{
	free(f->insns);
	f->insns = NULL;
	f->n = 0;
}
