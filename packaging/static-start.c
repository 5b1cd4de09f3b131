/* SPDX-License-Identifier: BSD-2-Clause
 * packaging/static-start.c - what a static program must not take from its host, for the static build only
 *
 * The C library would load modules for names as /etc/nsswitch.conf asks for (mymachines, resolve, sss, ...): those of another release of
 * it, at best. It has DNS and the files below /etc built in, and is told to use these alone; so the linker's warnings, that functions need
 * the shared libraries at run time, do not apply. OpenSSL would read the configuration of the host's
 * OpenSSL, which may name modules and settings that this one does not know; it has all that we use built in.
 */
#include <netdb.h>
#include <nss.h>
#include <openssl/crypto.h>

__attribute__((constructor)) static void use_what_is_built_in(void)
{
	(void)__nss_configure_lookup("hosts", "files dns");
	(void)__nss_configure_lookup("networks", "files");
	(void)__nss_configure_lookup("protocols", "files");
	(void)__nss_configure_lookup("services", "files");
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}
