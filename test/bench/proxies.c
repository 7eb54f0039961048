/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long exchanges with proxies_server.c take along several paths, which take turns: what the
 * machine does besides concerns all of them alike. Client and server share a processor, so the
 * time of an exchange is the processor time it costs, soft interrupts and waking up included.
 *
 * proxies ROUNDS CPU BULK_BYTES TCP_BACKEND UDP_BACKEND TARGET...
 * TARGET is LABEL,NETNS,CGROUP,TCP,UDP,PORT,COUNT,MEMBERS: COUNT addresses from TCP (from UDP) on,
 * each of which stands for MEMBERS backends, one after the other from TCP_BACKEND (UDP_BACKEND)
 * on. The server says where it was reached: an answer from any other backend ends the program.
 * "time LABEL KIND NANOSECONDS" is the median of one turn; a round is a turn of each kind for each
 * target. At last, "seen LABEL MEMBERS CLIENT": how many members answered, and whom they saw.
 */
#include "proxies_session.h"
#include <time.h>

#define MAX_TARGETS 16
#define MAX_COUNT 1000

/* Of one exchange only `timed` counts; `begin` and `end` stand around a whole turn. */
struct kind {
	const char *name;
	bool udp;
	int count;
	void (*begin)(struct session *);
	void (*before)(struct session *);
	void (*timed)(struct session *);
	void (*after)(struct session *);
	void (*end)(struct session *);
};

static const struct kind kinds[] = {
	{ .name = "connect",
	  .count = 300,
	  .before = open_session,
	  .timed = dial,
	  .after = ask_and_close },
	{ .name = "connection", .count = 300, .timed = whole_connection },
	{ .name = "request",
	  .count = MAX_COUNT,
	  .begin = open_and_dial,
	  .timed = ask,
	  .end = close_session },
	{ .name = "bulk",
	  .count = 6,
	  .before = open_and_dial,
	  .timed = send_bulk,
	  .after = close_session },
	{ .name = "query", .udp = true, .count = 500, .timed = whole_query },
	{ .name = "datagram",
	  .udp = true,
	  .count = MAX_COUNT,
	  .begin = open_and_dial,
	  .timed = ask,
	  .end = close_session },
	{ .name = "unconnected",
	  .udp = true,
	  .count = MAX_COUNT,
	  .begin = open_session,
	  .timed = ask_unconnected,
	  .end = close_session },
};
#define N_KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

static int by_size(const void *a, const void *b)
{
	long left = *(const long *)a, right = *(const long *)b;

	return (left > right) - (left < right);
}

static void take(void (*step)(struct session *), struct session *session)
{
	if (step)
		step(session);
}

static long turn(struct target *target, const struct kind *kind)
{
	struct session session = { .target = target, .udp = kind->udp };
	struct timespec from, to;
	long times[MAX_COUNT];
	int i;

	take(kind->begin, &session);
	for (i = 0; i < kind->count; i++) {
		take(kind->before, &session);
		clock_gettime(CLOCK_MONOTONIC, &from);
		kind->timed(&session);
		clock_gettime(CLOCK_MONOTONIC, &to);
		take(kind->after, &session);
		times[i] = (to.tv_sec - from.tv_sec) * 1000000000L +
			   to.tv_nsec - from.tv_nsec;
	}
	take(kind->end, &session);
	qsort(times, kind->count, sizeof(long), by_size);
	return times[kind->count / 2];
}

static void all_turns(struct target *target, bool told)
{
	long time;
	int i;

	enter(target->netns, target->cgroup);
	for (i = 0; i < N_KINDS; i++) {
		time = turn(target, &kinds[i]);
		if (told)
			printf("time %s %s %ld\n", target->label, kinds[i].name,
			       time);
	}
}

static unsigned read_address(const char *text)
{
	struct in_addr address;

	errno = EINVAL;
	if (!text || inet_pton(AF_INET, text, &address) != 1)
		fail("read address", text ? text : "(none)");
	return ntohl(address.s_addr);
}

static void read_target(struct target *target, char *text)
{
	char *rest;

	target->label = strtok_r(text, ",", &rest);
	target->netns = strtok_r(NULL, ",", &rest);
	target->cgroup = strtok_r(NULL, ",", &rest);
	target->tcp = read_address(strtok_r(NULL, ",", &rest));
	target->udp = read_address(strtok_r(NULL, ",", &rest));
	errno = EINVAL;
	if (sscanf(rest, "%u,%u,%u", &target->port, &target->count,
		   &target->members) != 3 ||
	    target->count < 1 || target->members < 1 || target->members > 32)
		fail("read target", target->label);
}

int main(int argc, char **argv)
{
	int rounds, round, n = argc - 6, i;
	struct target targets[MAX_TARGETS] = {};
	char text[INET_ADDRSTRLEN];

	if (n < 1 || n > MAX_TARGETS) {
		fprintf(stderr, "Usage: proxies ROUNDS CPU BULK_BYTES "
				"TCP_BACKEND UDP_BACKEND TARGET...\n");
		return 2;
	}
	rounds = atoi(argv[1]);
	stay_on(atoi(argv[2]));
	bulk_bytes = strtoul(argv[3], NULL, 10);
	tcp_backend = read_address(argv[4]);
	udp_backend = read_address(argv[5]);
	for (i = 0; i < n; i++)
		read_target(&targets[i], argv[6 + i]);
	/* Round 0 warms up. */
	for (round = 0; round <= rounds; round++)
		for (i = 0; i < n; i++)
			all_turns(&targets[(round + i) % n], round > 0);
	for (i = 0; i < n; i++)
		printf("seen %s %d %s\n", targets[i].label,
		       __builtin_popcount(targets[i].seen),
		       inet_ntop(AF_INET, &targets[i].client, text,
				 sizeof(text)));
	return 0;
}
