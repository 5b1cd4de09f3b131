/* SPDX-License-Identifier: BSD-2-Clause
 * test_engine_limits.c - what a worker may send, and whom it leaves out
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/fake_engine.h"
#include "wire/share.h"

static void no_more_is_sent_than_may_be(void **state)
{
	struct fake *f = *state;
	f->cfg.max_out = 80 * 1000 * 1000; /* 10 bytes a microsecond */
	f->core.outs = 100000;
	f->core.payload_len = 10000; /* and ten packets' headers of 110 bytes */
	tc_time begin = now_scaled(NULL);
	after(f, 100, break_off);
	assert_int_equal(run(f), 0);
	tc_time end = now_scaled(NULL);
	/* with a burst of 5 ms, and the last segment may leave a debt; less when the machine had other work */
	assert_in_range(f->sent, 50, 1 + 10 * ((end - begin) / TC_US + 5000) / 11100);
	struct tc_engine_stats stats = stats_of(f);
	assert_int_equal(stats.out_bits, f->cfg.max_out);
	assert_in_range(stats.out_waits, 10, 100);
	assert_in_range(stats.out_delayed, f->sent - 10, f->sent);
	assert_true(stats.out_waited >= 50 * TC_MS);
	assert_true(stats.turns <= 250);
}

static void what_is_below_the_limit_does_not_wait(void **state)
{
	struct fake *f = *state;
	f->cfg.max_out = 8 * 1000 * 1000;
	f->core.outs = 1;
	f->core.payload_len = 50000; /* leaves a debt, but nothing comes after it */
	after(f, 100, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->sent, 1);
	struct tc_engine_stats stats = stats_of(f);
	assert_int_equal(stats.out_waits, 0);
	assert_int_equal(stats.out_waited, 0);
}

static void without_an_order_a_fifth_of_the_link_may_be_used(void **state)
{
	struct fake *f = *state;
	f->cfg.max_out = 0;
	f->link_speed = UINT64_C(10000000000);
	after(f, 1, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(stats_of(f).out_bits, UINT64_C(2000000000));
	tc_engine_free(f->engine);
	f->link_speed = 0;
	after(f, 1, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(stats_of(f).out_bits, 200 * 1000 * 1000);
}

static void a_ring_that_stays_full_leaves_clients_out(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	f->used = 600;
	after(f, 60, break_off);
	assert_int_equal(run(f), 0);
	struct tc_engine_stats stats = stats_of(f);
	assert_true(stats.share < TC_SHARE_ALL);
	assert_int_equal(f->kept, stats.share);
	assert_int_equal(f->core.events[TC_EVENT_KEEP_SHARE], stats.share_reductions);
	assert_int_equal(f->core.counts[TC_EVENT_KEEP_SHARE], stats.share);
	assert_int_equal(stats.share_errors, 0);
	assert_true(f->used_asked <= 70);
}

static void the_core_leaves_them_out_also_where_the_capture_cannot(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	f->used = 600;
	f->keep_error = -EOPNOTSUPP;
	after(f, 60, break_off);
	assert_int_equal(run(f), 0);
	struct tc_engine_stats stats = stats_of(f);
	assert_int_equal(f->core.counts[TC_EVENT_KEEP_SHARE], stats.share);
	assert_true(stats.share_errors > 0);
}

static void a_capture_that_is_read_to_its_end_is_not_asked_how_full_it_is(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->to_capture = 200;
	f->used = 1000;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->used_asked, 0);
}

static void when_it_is_calm_all_clients_come_back(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	f->used = 600;
	f->speed = 1000;
	f->empty_when_kept = f->read_when_kept = TC_SHARE_ALL / 2;
	after(f, 300, break_off); /* 300 s of the fake clock; 32 are needed */
	assert_int_equal(run(f), 0);
	assert_true(stats_of(f).share_lowest < TC_SHARE_ALL);
	assert_int_equal(stats_of(f).share, TC_SHARE_ALL);
	assert_int_equal(f->kept, TC_SHARE_ALL);
	assert_int_equal(f->core.counts[TC_EVENT_KEEP_SHARE], TC_SHARE_ALL);
}

static void those_who_come_back_have_to_wait_until_the_ring_is_read(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	f->used = 600;
	f->speed = 1000;
	f->empty_when_kept = TC_SHARE_ALL / 2;
	f->read_when_kept = TC_SHARE_ALL;
	after(f, 300, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->kept, TC_SHARE_ALL);
	/* once less, once more: all steps in between the kernel took alone */
	assert_int_equal(f->core.events[TC_EVENT_KEEP_SHARE], 2);
	assert_int_equal(f->core.counts[TC_EVENT_KEEP_SHARE], TC_SHARE_ALL);
}

static void a_ramp_begins_with_the_channel_and_ends_with_the_whole_share(void **state)
{
	struct fake *f = *state;
	f->core_config.share_permyriad = 5000;
	f->cfg.ramp = 50 * TC_MS;
	after(f, 30, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.first_share, 50);
	assert_int_equal(f->core.events[TC_EVENT_SAMPLE], 0);
	tc_engine_free(f->engine);
	f->channel_up = 1;
	after(f, 25, break_off);
	assert_int_equal(run(f), 0);
	assert_in_range(f->core.counts[TC_EVENT_SAMPLE], 100, 5000);
	tc_engine_free(f->engine);
	f->channel_up = 1;
	after(f, 100, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.counts[TC_EVENT_SAMPLE], 5000);
}

static void a_client_on_this_host_gets_the_address_that_it_shall_have(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->to_capture = 1;
	assert_int_equal(tc_ip_parse("192.0.2.77", &f->cfg.localhost), 0);
	assert_int_equal(tc_ip_parse("127.0.0.1", &f->pkt.src), 0);
	assert_int_equal(run(f), 0);
	assert_true(tc_ip_eq(&f->core.last_client, &f->cfg.localhost));
	tc_engine_free(f->engine);

	f->to_capture = 1;
	f->core.client = 0;
	assert_int_equal(tc_ip_parse("127.0.0.2", &f->pkt.src), 0);
	assert_int_equal(run(f), 0);
	assert_true(tc_ip_eq(&f->core.last_client, &f->pkt.src));
	tc_engine_free(f->engine);

	/* what the online server says to it, too */
	f->to_capture = 1;
	f->cfg.online = true;
	f->pkt.src = f->pkt.dst;
	f->pkt.tcp.src_port = 80;
	f->pkt.tcp.dst_port = 5555;
	assert_int_equal(tc_ip_parse("127.0.0.1", &f->pkt.dst), 0);
	assert_int_equal(run(f), 0);
	assert_int_equal(stats_of(f).online, 1);
	assert_true(tc_ip_eq(&f->core.last_client, &f->cfg.localhost));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_more_is_sent_than_may_be),
		TEST(what_is_below_the_limit_does_not_wait),
		TEST(without_an_order_a_fifth_of_the_link_may_be_used),
		TEST(a_ring_that_stays_full_leaves_clients_out),
		TEST(the_core_leaves_them_out_also_where_the_capture_cannot),
		TEST(a_capture_that_is_read_to_its_end_is_not_asked_how_full_it_is),
		TEST(when_it_is_calm_all_clients_come_back),
		TEST(those_who_come_back_have_to_wait_until_the_ring_is_read),
		TEST(a_ramp_begins_with_the_channel_and_ends_with_the_whole_share),
		TEST(a_client_on_this_host_gets_the_address_that_it_shall_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
