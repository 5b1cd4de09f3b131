/* SPDX-License-Identifier: BSD-2-Clause
 * answer/socket.h - TCP sockets for the channel
 *
 * Layer:   answer. Nothing blocks. Returns descriptors, or -errno.
 */
#ifndef TC_ANSWER_SOCKET_H
#define TC_ANSWER_SOCKET_H

#include "base/ip.h"

#define TC_SOCKET_TEXT_MAX (TC_IP_TEXT_MAX + 9)

/** tc_socket_text() - "10.0.0.4:36524", "[2001:db8::4]:36524"; returns @buf */
const char *tc_socket_text(const struct tc_ip *ip, uint16_t port, char buf[TC_SOCKET_TEXT_MAX]);

#define TC_SOCKET_ERROR_MAX 64

/** tc_socket_error() - what errno @err means, in the middle of a sentence; returns @buf */
const char *tc_socket_error(int err, char buf[TC_SOCKET_ERROR_MAX]);

/** tc_socket_listen() - on @ip, NULL for all addresses of both families; with @port 0 the kernel chooses one */
int tc_socket_listen(const struct tc_ip *ip, uint16_t port);
/** tc_socket_port() - the port that a socket is bound to */
uint16_t tc_socket_port(int fd);
/** tc_socket_accept() - the next connection and where it comes from; -EAGAIN when there is none */
int tc_socket_accept(int listener, struct tc_ip *ret_ip, uint16_t *ret_port);

/** tc_socket_connect() - begin to connect; a descriptor whose connection is on its way or there */
int tc_socket_connect(const struct tc_ip *ip, uint16_t port);
/** tc_socket_is_connected() - 0 when it is, -EINPROGRESS when it is not decided, or why it failed */
int tc_socket_is_connected(int fd, const struct tc_ip *ip, uint16_t port);

#endif
