/* SPDX-License-Identifier: BSD-2-Clause
 * packaging/static-dbus.c - what Debian's libpcap.a misses, for the static build only
 *
 * That library was built to capture from D-Bus, but the static libdbus is of no use to a static program. These two take its place:
 * there are no D-Bus devices, and opening one fails. Signatures: pcap-dbus.h of libpcap 1.10.
 */
#include <pcap/pcap.h>
#include <stdio.h>

struct pcap_if_list;

pcap_t *dbus_create(const char *device, char *errbuf, int *is_ours);
int dbus_findalldevs(struct pcap_if_list *devices, char *errbuf);

pcap_t *dbus_create(const char *device, char *errbuf, int *is_ours)
{
	(void)device;
	(void)errbuf;
	*is_ours = 0;
	return NULL;
}

int dbus_findalldevs(struct pcap_if_list *devices, char *errbuf)
{
	(void)devices;
	(void)errbuf;
	return 0;
}
