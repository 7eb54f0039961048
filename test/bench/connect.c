/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long connect() and close() of a fresh socket take: the targets take turns, so that whatever
 * the machine does besides concerns all of them alike.
 *
 * connect NETNS COUNT ROUNDS CPU TARGET...
 * TARGET is LABEL,udp|tcp|wait,CGROUP,ADDRESS,PORT: CGROUP is the folder in which the socket is made
 * (it decides which programs run), NETNS a name or "-". A TCP socket does not block, or else waits.
 * One line each: LABEL, then the medians of the rounds' medians in nanoseconds: of connect(), and
 * of connect() + close(); then the errno of the last connect().
 */
#include "../support/endpoint.h"
#include <time.h>

#define BATCH 32
#define MAX_TARGETS 32

struct target {
	const char *label;
	const char *cgroup;
	int type;
	union endpoint to;
	int fd[BATCH];
	long *connect_time;
	long *total_time;
	long connect_median[64];
	long total_median[64];
	int error;
};

static struct target targets[MAX_TARGETS];
static int n_targets;

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		fail("stay on", "the processor");
}

static int type_of(const char *word)
{
	if (!strcmp(word, "udp"))
		return SOCK_DGRAM;
	return strcmp(word, "tcp") ? SOCK_STREAM : SOCK_STREAM | SOCK_NONBLOCK;
}

static void read_target(struct target *target, char *text, int count)
{
	char *label = strtok(text, ","), *type = strtok(NULL, ",");
	char *cgroup = strtok(NULL, ","), *address = strtok(NULL, ","),
	     *port = strtok(NULL, ",");

	errno = EINVAL;
	if (!port)
		fail("read", text);
	target->label = label;
	target->cgroup = cgroup;
	target->type = type_of(type);
	if (!read_endpoint(&target->to, address, port))
		fail("read", address);
	target->connect_time = calloc(count, sizeof(long));
	target->total_time = calloc(count, sizeof(long));
	if (!target->connect_time || !target->total_time)
		fail("keep times of", label);
}

static void join(const char *cgroup)
{
	static const char *current = "";
	char path[512];

	if (!strcmp(current, cgroup))
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	write_text(path, "0");
	current = cgroup;
}

static void open_batch(void)
{
	struct linger at_once = { .l_onoff = 1 };
	int i, j;

	for (i = 0; i < n_targets; i++) {
		join(targets[i].cgroup);
		for (j = 0; j < BATCH; j++) {
			targets[i].fd[j] = socket(targets[i].to.any.sa_family,
						  targets[i].type, 0);
			if (targets[i].fd[j] < 0)
				fail("open a socket for", targets[i].label);
			/* Otherwise ports run out: a closed connection keeps its own for a minute. */
			setsockopt(targets[i].fd[j], SOL_SOCKET, SO_LINGER,
				   &at_once, sizeof(at_once));
		}
	}
}

static long nanoseconds(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * 1000000000L + to->tv_nsec -
	       from->tv_nsec;
}

static void measure(struct target *target, int batch, int nth)
{
	struct timespec before, between, after;
	int result;

	clock_gettime(CLOCK_MONOTONIC, &before);
	result = connect(target->fd[batch], &target->to.any,
			 endpoint_size(&target->to));
	clock_gettime(CLOCK_MONOTONIC, &between);
	target->error = result < 0 ? errno : 0;
	close(target->fd[batch]);
	clock_gettime(CLOCK_MONOTONIC, &after);
	target->connect_time[nth] = nanoseconds(&before, &between);
	target->total_time[nth] = nanoseconds(&before, &after);
}

static int by_size(const void *a, const void *b)
{
	long left = *(const long *)a, right = *(const long *)b;

	return (left > right) - (left < right);
}

static long median(long *times, int count)
{
	qsort(times, count, sizeof(long), by_size);
	return times[count / 2];
}

static void round_of(int count, int round)
{
	int i, j, nth;

	for (nth = 0; nth < count; nth += BATCH) {
		open_batch();
		for (j = 0; j < BATCH; j++)
			for (i = 0; i < n_targets; i++)
				measure(&targets[(i + j) % n_targets], j,
					nth + j);
	}
	for (i = 0; i < n_targets; i++) {
		targets[i].connect_median[round] =
			median(targets[i].connect_time, count);
		targets[i].total_median[round] =
			median(targets[i].total_time, count);
	}
}

int main(int argc, char **argv)
{
	int count, rounds, round, i;

	if (argc < 6 || argc - 5 > MAX_TARGETS) {
		fprintf(stderr,
			"Usage: connect NETNS COUNT ROUNDS CPU TARGET...\n");
		return 2;
	}
	count = (atoi(argv[2]) + BATCH - 1) / BATCH * BATCH;
	rounds = atoi(argv[3]);
	if (count < 1 || rounds < 1 || rounds > 64) {
		fprintf(stderr, "COUNT must be at least 1, ROUNDS 1 to 64\n");
		return 2;
	}
	enter(argv[1], "-");
	stay_on(atoi(argv[4]));
	n_targets = argc - 5;
	for (i = 0; i < n_targets; i++)
		read_target(&targets[i], argv[5 + i], count);
	for (round = 0; round < rounds; round++)
		round_of(count, round);
	for (i = 0; i < n_targets; i++)
		printf("%s %ld %ld %d\n", targets[i].label,
		       median(targets[i].connect_median, rounds),
		       median(targets[i].total_median, rounds),
		       targets[i].error);
	return 0;
}
