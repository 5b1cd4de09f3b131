/* SPDX-License-Identifier: BSD-2-Clause
 * cli/maps.h - the value of -x: which online addresses are copied to which targets
 *
 * Layer:   cli. Asks the system's resolver, so it may block: at start only.
 *
 *     MAP = [HOST:]PORT[-PORT][@MAC] "-" HOST:PORT[@MAC]          HOST: IPv4, [IPv6] or a name
 *
 * Digits between two dashes are the end of a range of ports, not the begin of a target's name. A target's ports keep the distance
 * of a range: 8000-8009-10.0.0.3:9000 copies 8004 to 9004.
 */
#ifndef TC_CLI_MAPS_H
#define TC_CLI_MAPS_H

#include "base/map.h"

/**
 * tc_maps_parse() - MAP,...
 * @ret_maps:  TC_MAPS_MAX of them, in the order in which they were written: the first one that covers a packet counts, so a map
 *             that an earlier one hides, in whole or in part, is an error
 * @ret_error: on failure a sentence that begins with "-x: ", TC_OPTION_ERROR_MAX bytes
 * Return: 0, or -EINVAL.
 */
int tc_maps_parse(const char *text, struct tc_map *ret_maps, uint32_t *ret_n, char *ret_error);

#define TC_MAP_TEXT_MAX 160

/** tc_map_format() - as tc_maps_parse() reads it, with numbers instead of names; returns @buf */
const char *tc_map_format(const struct tc_map *map, char buf[TC_MAP_TEXT_MAX]);

#endif
