/* SPDX-License-Identifier: BSD-2-Clause
 * cli/clients.c - the value of -c
 */
#include "cli/clients.h"

#include "cli/option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define PART_MAX (TC_IP_TEXT_MAX + 4)

struct list {
	struct tc_ip *ips; /* TC_CLIENTS_MAX of them */
	uint32_t n;
	const char *part; /* what is being read */
	char *error;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct list *l, const char *fmt, ...)
{
	int n = snprintf(l->error, TC_OPTION_ERROR_MAX, "-c: '%.80s': ", l->part);
	va_list args;
	va_start(args, fmt);
	vsnprintf(l->error + n, (size_t)(TC_OPTION_ERROR_MAX - n), fmt, args);
	va_end(args);
	return -EINVAL;
}

/* @base with @n added to its last four bytes, which do not overflow */
static struct tc_ip plus(const struct tc_ip *base, uint32_t n)
{
	struct tc_ip ip = *base;
	for (int i = 15; i >= 12 && n > 0; i--) {
		n += ip.b[i];
		ip.b[i] = (uint8_t)n;
		n >>= 8;
	}
	return ip;
}

static int add_range(struct list *l, const struct tc_ip *base, uint32_t first, uint32_t last)
{
	if (last - first >= TC_CLIENTS_MAX - l->n) {
		return fail(l, "more than %d addresses in all", TC_CLIENTS_MAX);
	}
	for (uint32_t i = first; i <= last; i++) {
		l->ips[l->n++] = plus(base, i);
	}
	return 0;
}

/* Is nothing set behind the first @bits? */
static bool is_network(const struct tc_ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++) {
		if ((ip->b[i / 8] >> (7 - i % 8) & 1) != 0) {
			return false;
		}
	}
	return true;
}

static int add_network(struct list *l, const struct tc_ip *ip, int64_t bits)
{
	bool v4 = tc_ip_is_v4(ip);
	unsigned width = v4 ? 32 : 128;
	unsigned host_bits = width - (unsigned)bits;
	if (host_bits > 16) {
		return fail(l, "a network of more than %d addresses: at least /%u is needed",
			    TC_CLIENTS_MAX, width - 16);
	}
	if (!is_network(ip, 128 - host_bits)) {
		return fail(l, "bits are set behind the first %u: no network", (unsigned)bits);
	}
	uint32_t last = (1U << host_bits) - 1;
	if (host_bits <= 1) {
		return add_range(l, ip, 0, last);
	}
	return add_range(l, ip, 1, v4 ? last - 1 : last);
}

static int add_part(struct list *l)
{
	char text[PART_MAX];
	size_t n = strlen(l->part);
	struct tc_ip ip;
	int64_t bits;
	if (n == 0 || n >= sizeof text) {
		return fail(l, "an address is missing, as in 10.1.0.5, 10.1.0.x or 10.1.0.0/16");
	}
	memcpy(text, l->part, n + 1);
	char *slash = strchr(text, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	bool classic = slash == NULL && n > 2 && strcmp(text + n - 2, ".x") == 0;
	if (classic) {
		strcpy(text + n - 1, "0");
	}
	if (tc_ip_parse(text, &ip) < 0) {
		return fail(l, "no address: allowed are 10.1.0.5, 10.1.0.x, 10.1.0.0/16, and IPv6");
	}
	if (classic) {
		return add_range(l, &ip, 1, 254);
	}
	if (slash == NULL) {
		if (tc_ip_is_any(&ip)) {
			return fail(l, "not an address of one host");
		}
		return add_range(l, &ip, 0, 0);
	}
	if (tc_number_parse(slash + 1, 1, tc_ip_is_v4(&ip) ? 32 : 128, &bits) < 0) {
		return fail(l, "from 1 to %d bits must follow the '/'",
			    tc_ip_is_v4(&ip) ? 32 : 128);
	}
	return add_network(l, &ip, bits);
}

/* IPv4 first, then by the bytes */
static int compare(const void *a, const void *b)
{
	const struct tc_ip *x = a;
	const struct tc_ip *y = b;
	if (tc_ip_is_v4(x) != tc_ip_is_v4(y)) {
		return tc_ip_is_v4(x) ? -1 : 1;
	}
	return memcmp(x->b, y->b, sizeof x->b);
}

static void finish(struct list *l, struct tc_clients *ret)
{
	qsort(l->ips, l->n, sizeof l->ips[0], compare);
	struct tc_clients c = { .ips = l->ips };
	uint32_t n = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		if (i > 0 && tc_ip_eq(&l->ips[i], &l->ips[i - 1])) {
			continue;
		}
		l->ips[n++] = l->ips[i];
		if (tc_ip_is_v4(&l->ips[i])) {
			c.n_v4++;
		} else {
			c.n_v6++;
		}
	}
	struct tc_ip *fit = realloc(c.ips, n * sizeof c.ips[0]);
	if (fit != NULL) {
		c.ips = fit;
	}
	*ret = c;
}

int tc_clients_parse(const char *text, struct tc_clients *ret, char *ret_error)
{
	char *copy = strdup(text);
	struct list l = { .ips = calloc(TC_CLIENTS_MAX, sizeof *l.ips), .error = ret_error };
	int rc = 0;
	if (copy == NULL || l.ips == NULL) {
		snprintf(ret_error, TC_OPTION_ERROR_MAX, "-c: out of memory");
		rc = -ENOMEM;
	}
	char *rest = copy;
	while (rc == 0 && rest != NULL) {
		l.part = strsep(&rest, ",");
		rc = add_part(&l);
	}
	free(copy);
	if (rc < 0) {
		free(l.ips);
		return rc;
	}
	finish(&l, ret);
	return 0;
}

void tc_clients_fini(struct tc_clients *clients)
{
	free(clients->ips);
	*clients = (struct tc_clients){ 0 };
}
