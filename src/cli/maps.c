/* SPDX-License-Identifier: BSD-2-Clause
 * cli/maps.c - the value of -x
 */
#include "cli/maps.h"

#include "cli/option.h"
#include "cli/resolve.h"

#include <errno.h>
#include <stdarg.h>

#define EXAMPLE "80-10.0.0.3:8080"
#define MAC_LEN 17 /* 00:13:21:b2:5e:42 */

/* One map: @text of @n characters, and how far it was read. */
struct part {
	const char *text;
	size_t n;
	const char *at;
	const char *end;
	char *error;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct part *p, const char *fmt, ...)
{
	int n = snprintf(p->error, TC_OPTION_ERROR_MAX, "-x: '%.*s': ", p->n > 80 ? 80 : (int)p->n,
			 p->text);
	va_list args;
	va_start(args, fmt);
	vsnprintf(p->error + n, (size_t)(TC_OPTION_ERROR_MAX - n), fmt, args);
	va_end(args);
	return -EINVAL;
}

static size_t left(const struct part *p)
{
	return (size_t)(p->end - p->at);
}

static bool next_is(const struct part *p, char c)
{
	return p->at < p->end && *p->at == c;
}

static size_t count_digits(const struct part *p, const char *at)
{
	size_t n = 0;
	while (at + n < p->end && at[n] >= '0' && at[n] <= '9') {
		n++;
	}
	return n;
}

static int parse_port(struct part *p, const char *whose, uint16_t *ret)
{
	size_t n = count_digits(p, p->at);
	if (tc_port_parse(p->at, n, ret) < 0) {
		return fail(p, "%s port '%.*s' is not a number from 1 to 65535", whose,
			    n > 16 ? 16 : (int)n, p->at);
	}
	p->at += n;
	return 0;
}

static int resolve(const struct part *p, const char *whose, const struct tc_host_text *t,
		   const struct tc_ip *like, struct tc_ip *ret)
{
	const char *why;
	if (tc_resolve(t->host, t->host_len, like, ret, &why) < 0) {
		return fail(p, "no address of %s host '%.*s': %s", whose,
			    t->host_len > 64 ? 64 : (int)t->host_len, t->host, why);
	}
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = (char)(c | ' ');
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* [@MAC] */
static int parse_mac(struct part *p, bool *ret_has, uint8_t mac[6])
{
	if (!next_is(p, '@')) {
		return 0;
	}
	p->at++;
	bool good = left(p) >= MAC_LEN;
	for (size_t i = 0; good && i < 6; i++) {
		int high = hex(p->at[3 * i]);
		int low = hex(p->at[3 * i + 1]);
		good = high >= 0 && low >= 0 && (i == 5 || p->at[3 * i + 2] == ':');
		int byte = good ? high << 4 | low : 0;
		mac[i] = (uint8_t)byte;
	}
	if (!good) {
		return fail(p, "six bytes in hex must follow the '@', as in 00:13:21:b2:5e:42");
	}
	p->at += MAC_LEN;
	*ret_has = true;
	return 0;
}

/* Length of the address at the front of the online side, without its ':'; 0 when that begins with the port. */
static size_t online_host(const struct part *p)
{
	if (next_is(p, '-')) {
		return 0;
	}
	if (next_is(p, '[')) {
		const char *close = memchr(p->at, ']', p->n);
		return close != NULL ? (size_t)(close - p->at) + 1 : 0;
	}
	size_t n = count_digits(p, p->at);
	if (n > 0 && (n == p->n || p->at[n] != '.')) {
		return 0;
	}
	const char *stop = memchr(p->at, ':', p->n);
	return stop != NULL ? (size_t)(stop - p->at) : 0;
}

/* [HOST:]PORT[-PORT][@MAC] */
static int parse_online(struct part *p, struct tc_map *m)
{
	size_t n = online_host(p);
	int rc;
	if (n > 0) {
		struct tc_host_text t;
		const char *why;
		if (tc_host_split(p->at, n, &t, &why) < 0) {
			return fail(p, "%s", why);
		}
		rc = resolve(p, "the online", &t, NULL, &m->online);
		if (rc < 0) {
			return rc;
		}
		p->at += n;
		if (!next_is(p, ':')) {
			return fail(p, "the online address needs a port, as in [2001:db8::1]:80");
		}
		p->at++;
	} else if (count_digits(p, p->at) == 0) {
		return fail(p, "the online side begins with a port, or with an address and a port, "
			       "as in " EXAMPLE);
	}
	rc = parse_port(p, "the online", &m->online_port);
	if (rc < 0) {
		return rc;
	}
	m->online_port_last = m->online_port;
	if (next_is(p, '-')) {
		size_t digits = count_digits(p, p->at + 1);
		const char *behind = p->at + 1 + digits;
		if (digits > 0 && behind < p->end && (*behind == '-' || *behind == '@')) {
			p->at++;
			rc = parse_port(p, "the last online", &m->online_port_last);
			if (rc < 0) {
				return rc;
			}
		}
	}
	if (m->online_port_last < m->online_port) {
		return fail(p, "the range of ports ends before it begins");
	}
	return parse_mac(p, &m->has_online_mac, m->online_mac);
}

/* HOST:PORT[@MAC] */
static int parse_target(struct part *p, struct tc_map *m)
{
	const char *mac = memchr(p->at, '@', left(p));
	struct tc_host_text t;
	const char *why;
	size_t n = mac != NULL ? (size_t)(mac - p->at) : left(p);
	if (n == 0) {
		return fail(p, "the target is missing, as in " EXAMPLE);
	}
	if (tc_host_split(p->at, n, &t, &why) < 0) {
		return fail(p, "%s", why);
	}
	if (t.port == NULL) {
		return fail(p, "the target needs a port, as in %.*s:8080",
			    (int)(p->n > 80 ? 80 : p->n), p->text);
	}
	if (tc_port_parse(t.port, t.port_len, &m->target_port) < 0) {
		return fail(p, "the target's port '%.*s' is not a number from 1 to 65535",
			    t.port_len > 16 ? 16 : (int)t.port_len, t.port);
	}
	const struct tc_ip *like = tc_ip_is_any(&m->online) ? NULL : &m->online;
	int rc = resolve(p, "the target", &t, like, &m->target);
	if (rc < 0) {
		return rc;
	}
	p->at += n;
	return parse_mac(p, &m->has_target_mac, m->target_mac);
}

static bool is_multicast(const struct tc_ip *ip)
{
	return tc_ip_is_v4(ip) ? ip->b[12] >= 224 : ip->b[0] == 0xff;
}

static int parse_map(struct part *p, struct tc_map *ret)
{
	struct tc_map m = { 0 };
	if (p->n == 0) {
		return fail(p, "a map is missing, as in " EXAMPLE);
	}
	int rc = parse_online(p, &m);
	if (rc < 0) {
		return rc;
	}
	if (!next_is(p, '-')) {
		return fail(p, "'-' and the target must follow the online side, as in " EXAMPLE);
	}
	p->at++;
	rc = parse_target(p, &m);
	if (rc < 0) {
		return rc;
	}
	if (p->at != p->end) {
		return fail(p, "'%.*s' is too much", left(p) > 32 ? 32 : (int)left(p), p->at);
	}
	if (tc_ip_is_any(&m.target) || is_multicast(&m.target)) {
		return fail(p, "the target must be the address of one host");
	}
	if (!tc_ip_is_any(&m.online) && tc_ip_is_v4(&m.online) != tc_ip_is_v4(&m.target)) {
		return fail(p, "the online address and the target's are of different families");
	}
	if (m.target_port + (m.online_port_last - m.online_port) > UINT16_MAX) {
		return fail(p, "the target's ports would go beyond 65535");
	}
	*ret = m;
	return 0;
}

/* does @a, which is looked at first, take packets away from @b */
static bool hides(const struct tc_map *a, const struct tc_map *b)
{
	if (a->online_port > b->online_port_last || b->online_port > a->online_port_last) {
		return false;
	}
	return tc_ip_is_any(&b->online) ?
		       tc_ip_is_any(&a->online) &&
			       tc_ip_is_v4(&a->target) == tc_ip_is_v4(&b->target) :
		       tc_map_covers_ip(a, &b->online);
}

int tc_maps_parse(const char *text, struct tc_map *ret_maps, uint32_t *ret_n, char *ret_error)
{
	uint32_t count = 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		struct part p = {
			.text = text, .n = n, .at = text, .end = text + n, .error = ret_error
		};
		if (count == TC_MAPS_MAX) {
			return fail(&p, "more than %d maps", TC_MAPS_MAX);
		}
		int rc = parse_map(&p, &ret_maps[count]);
		if (rc < 0) {
			return rc;
		}
		for (uint32_t i = 0; i < count; i++) {
			if (hides(&ret_maps[i], &ret_maps[count])) {
				char buf[TC_MAP_TEXT_MAX];
				return fail(&p, "%s before it copies the same port already",
					    tc_map_format(&ret_maps[i], buf));
			}
		}
		count++;
		if (text[n] == '\0') {
			break;
		}
		text += n + 1;
	}
	*ret_n = count;
	return 0;
}

static int format_mac(char *buf, size_t n, const uint8_t mac[6])
{
	return snprintf(buf, n, "@%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			mac[4], mac[5]);
}

static int format_host(char *buf, size_t n, const struct tc_ip *ip)
{
	char text[TC_IP_TEXT_MAX];
	tc_ip_format(ip, text, sizeof text);
	return snprintf(buf, n, tc_ip_is_v4(ip) ? "%s:" : "[%s]:", text);
}

const char *tc_map_format(const struct tc_map *map, char buf[TC_MAP_TEXT_MAX])
{
	size_t size = TC_MAP_TEXT_MAX;
	int n = 0;
	if (!tc_ip_is_any(&map->online)) {
		n += format_host(buf, size, &map->online);
	}
	n += snprintf(buf + n, size - (size_t)n, "%u", map->online_port);
	if (map->online_port_last != map->online_port) {
		n += snprintf(buf + n, size - (size_t)n, "-%u", map->online_port_last);
	}
	if (map->has_online_mac) {
		n += format_mac(buf + n, size - (size_t)n, map->online_mac);
	}
	buf[n++] = '-';
	n += format_host(buf + n, size - (size_t)n, &map->target);
	n += snprintf(buf + n, size - (size_t)n, "%u", map->target_port);
	if (map->has_target_mac) {
		format_mac(buf + n, size - (size_t)n, map->target_mac);
	}
	return buf;
}
