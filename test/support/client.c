/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket calls on command: one line in, one line out, either "ok ..." or the name of an errno. So
 * that one process can hold sockets while the test changes the world around it.
 *
 * client NETNS CGROUP ("-": stay)
 * Names of sockets are the letters a to z; texts have no blanks. For the commands see `commands`.
 */
#include "crowd.h"
#include "endpoint.h"
#include "exchange.h"
#include "storm.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define TIMEOUT_SECONDS 5
#define MAX_MESSAGES 64

static int sockets[26];

static void run(char *line);

static void *run_in_thread(void *line)
{
	run(line);
	return NULL;
}

static const char *word(void)
{
	return strtok(NULL, " \n");
}

static void wrong(const char *what)
{
	fprintf(stderr, "Cannot understand %s\n", what);
	exit(2);
}

static int *place(void)
{
	const char *name = word();

	if (!name || name[0] < 'a' || name[0] > 'z' || name[1])
		wrong("the name of a socket");
	return &sockets[name[0] - 'a'];
}

static int held(void)
{
	return *place();
}

static void read_to(union endpoint *to)
{
	const char *address = word(), *port = word();

	if (!read_endpoint(to, address, port))
		wrong("an address and port");
}

static void report(int result)
{
	puts(result < 0 ? strerrorname_np(errno) : "ok");
}

static void report_endpoint(int result, const union endpoint *endpoint)
{
	char text[ENDPOINT_TEXT];

	if (result < 0)
		report(result);
	else
		printf("ok %s\n", endpoint_text(endpoint, text));
}

/* NAME inet|inet6|packet tcp|udp|udplite|mptcp|sctp|ping|raw [v6only] */
static void do_socket(void)
{
	static const struct {
		const char *name;
		int type, protocol, protocol6;
	} kinds[] = {
		{ "tcp", SOCK_STREAM, IPPROTO_TCP, IPPROTO_TCP },
		{ "udp", SOCK_DGRAM, IPPROTO_UDP, IPPROTO_UDP },
		{ "udplite", SOCK_DGRAM, IPPROTO_UDPLITE, IPPROTO_UDPLITE },
		{ "mptcp", SOCK_STREAM, IPPROTO_MPTCP, IPPROTO_MPTCP },
		{ "sctp", SOCK_STREAM, IPPROTO_SCTP, IPPROTO_SCTP },
		{ "ping", SOCK_DGRAM, IPPROTO_ICMP, IPPROTO_ICMPV6 },
		{ "raw", SOCK_RAW, IPPROTO_ICMP, IPPROTO_ICMPV6 },
	};
	struct timeval limit = { .tv_sec = TIMEOUT_SECONDS };
	const char *family, *kind, *option;
	int *fd = place(), one = 1;
	bool v6;
	size_t i;

	family = word();
	kind = word();
	option = word();
	if (!kind)
		wrong("socket");
	v6 = !strcmp(family, "inet6");
	for (i = 0;
	     i < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[i].name, kind);)
		i++;
	if (i == sizeof(kinds) / sizeof(*kinds))
		wrong(kind);
	*fd = socket(v6 ? AF_INET6 : AF_INET, kinds[i].type,
		     v6 ? kinds[i].protocol6 : kinds[i].protocol);
	if (*fd >= 0) {
		setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (option && !strcmp(option, "v6only"))
			setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
				   sizeof(one));
	}
	report(*fd);
}

/* NAME ADDRESS PORT */
static void do_bind(void)
{
	int fd = held();
	union endpoint to;

	read_to(&to);
	report(bind(fd, &to.any, endpoint_size(&to)));
}

/* NAME ADDRESS PORT */
static void do_connect(void)
{
	int fd = held();
	union endpoint to;

	read_to(&to);
	report(connect(fd, &to.any, endpoint_size(&to)));
}

/* NAME ADDRESS PORT: connect() of a socket that does not block */
static void do_start(void)
{
	int fd = held();
	union endpoint to;

	read_to(&to);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	report(connect(fd, &to.any, endpoint_size(&to)));
}

/* NAME: what became of it */
static void do_finish(void)
{
	int fd = held(), error = 0;
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(error);

	if (poll(&wait, 1, TIMEOUT_SECONDS * 1000) != 1)
		error = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	errno = error;
	report(error ? -1 : 0);
}

/* NAME: connect() to AF_UNSPEC */
static void do_disconnect(void)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	report(connect(held(), &nobody, sizeof(nobody)));
}

/* NAME TEXT */
static void do_send(void)
{
	int fd = held();
	const char *text = word();

	report(send(fd, text, strlen(text), MSG_NOSIGNAL));
}

/* NAME ADDRESS PORT TEXT */
static void do_sendto(void)
{
	int fd = held();
	union endpoint to;
	const char *text;

	read_to(&to);
	text = word();
	report(sendto(fd, text, strlen(text), MSG_NOSIGNAL, &to.any,
		      endpoint_size(&to)));
}

/* NAME ADDRESS PORT TEXT: TCP Fast Open's sendto(), which connects */
static void do_fastopen(void)
{
	int fd = held();
	union endpoint to;
	const char *text;

	read_to(&to);
	text = word();
	report(sendto(fd, text, strlen(text), MSG_FASTOPEN, &to.any,
		      endpoint_size(&to)));
}

/* NAME TEXT (ADDRESS PORT)...: one call; says how many it sent */
static void do_sendmmsg(void)
{
	struct mmsghdr messages[MAX_MESSAGES] = {};
	union endpoint to[MAX_MESSAGES];
	const char *text, *address;
	int fd = held(), n, sent;
	struct iovec part;

	text = word();
	part = (struct iovec){ (void *)text, strlen(text) };
	for (n = 0; n < MAX_MESSAGES && (address = word()); n++) {
		if (!read_endpoint(&to[n], address, word()))
			wrong(address);
		messages[n].msg_hdr =
			(struct msghdr){ .msg_name = &to[n],
					 .msg_namelen = endpoint_size(&to[n]),
					 .msg_iov = &part,
					 .msg_iovlen = 1 };
	}
	sent = sendmmsg(fd, messages, n, MSG_NOSIGNAL);
	if (sent < 0)
		report(sent);
	else
		printf("ok %d\n", sent);
}

/* NAME: the text, up to a line's end */
static void do_recv(void)
{
	char text[2048];
	ssize_t length = recv(held(), text, sizeof(text) - 1, 0);

	if (length < 0) {
		report(-1);
		return;
	}
	text[length] = 0;
	text[strcspn(text, "\n")] = 0;
	printf("ok %s\n", text);
}

static void receive(int fd, int flags)
{
	char text[2048], from_text[ENDPOINT_TEXT];
	struct iovec part = { text, sizeof(text) - 1 };
	union endpoint from;
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = &part,
				  .msg_iovlen = 1 };
	ssize_t length = recvmsg(fd, &message, flags);

	if (length < 0) {
		report(-1);
		return;
	}
	text[length] = 0;
	printf("ok %s %s\n", endpoint_text(&from, from_text), text);
}

/* NAME: source and text, by recvmsg() */
static void do_recvmsg(void)
{
	receive(held(), 0);
}

/* NAME: the same, and leaves it there */
static void do_peek(void)
{
	receive(held(), MSG_PEEK);
}

/* NAME: source and text */
static void do_recvfrom(void)
{
	char text[2048], from_text[ENDPOINT_TEXT];
	union endpoint from;
	socklen_t size = sizeof(from);
	ssize_t length =
		recvfrom(held(), text, sizeof(text) - 1, 0, &from.any, &size);

	if (length < 0) {
		report(-1);
		return;
	}
	text[length] = 0;
	printf("ok %s %s\n", endpoint_text(&from, from_text), text);
}

/* NAME COUNT: one call; sources and texts, parted by commas */
static void do_recvmmsg(void)
{
	static char texts[MAX_MESSAGES][256];
	struct mmsghdr messages[MAX_MESSAGES] = {};
	struct iovec parts[MAX_MESSAGES];
	union endpoint from[MAX_MESSAGES];
	char text[ENDPOINT_TEXT];
	int fd = held(), count, n, i;

	count = atoi(word());
	if (count > MAX_MESSAGES)
		wrong("that many messages");
	for (i = 0; i < count; i++) {
		parts[i] = (struct iovec){ texts[i], sizeof(texts[i]) - 1 };
		messages[i].msg_hdr =
			(struct msghdr){ .msg_name = &from[i],
					 .msg_namelen = sizeof(from[i]),
					 .msg_iov = &parts[i],
					 .msg_iovlen = 1 };
	}
	n = recvmmsg(fd, messages, count, 0, NULL);
	if (n < 0) {
		report(n);
		return;
	}
	printf("ok");
	for (i = 0; i < n; i++) {
		texts[i][messages[i].msg_len] = 0;
		printf("%s%s %s", i ? "," : " ", endpoint_text(&from[i], text),
		       texts[i]);
	}
	puts("");
}

/* NAME ADDRESS PORT: bind() and listen() */
static void do_listen(void)
{
	int fd = held(), one = 1;
	union endpoint to;

	read_to(&to);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	report(bind(fd, &to.any, endpoint_size(&to)) < 0 ? -1 : listen(fd, 16));
}

/* NAME NEW: accept(), which makes the socket NEW */
static void do_accept(void)
{
	int listener = held(), *fd = place();

	*fd = accept(listener, NULL, NULL);
	report(*fd);
}

/* NAME: getpeername() */
static void do_peer(void)
{
	union endpoint endpoint;
	socklen_t size = sizeof(endpoint);
	int result = getpeername(held(), &endpoint.any, &size);

	report_endpoint(result, &endpoint);
}

/* NAME: getsockname() */
static void do_name(void)
{
	union endpoint endpoint;
	socklen_t size = sizeof(endpoint);
	int result = getsockname(held(), &endpoint.any, &size);

	report_endpoint(result, &endpoint);
}

/* NAME */
static void do_shutdown(void)
{
	report(shutdown(held(), SHUT_RDWR));
}

/* NAME */
static void do_close(void)
{
	report(close(held()));
}

/* A child that has the same sockets, and does nothing; says its process id. */
static void do_fork(void)
{
	pid_t child = fork();

	if (child)
		printf("ok %d\n", child);
	while (!child)
		pause();
}

/* PID: kills such a child, and waits until it has ended */
static void do_end(void)
{
	pid_t child = atoi(word());

	report(kill(child, SIGKILL) < 0 ? -1 : waitpid(child, NULL, 0));
}

/* NAME: SO_NETNS_COOKIE, Linux 5.14 */
static void do_cookie(void)
{
	unsigned long long cookie = 0;
	socklen_t size = sizeof(cookie);

	if (getsockopt(held(), SOL_SOCKET, 71, &cookie, &size) < 0)
		report(-1);
	else
		printf("ok %llu\n", cookie);
}

/* COMMAND: in a thread of its own */
static void do_thread(void)
{
	char *line = strtok(NULL, "\n");
	pthread_t thread;

	pthread_create(&thread, NULL, run_in_thread, line);
	pthread_join(thread, NULL);
}

/* unix|netlink|packet: a round trip over a socket of that family */
static void do_exchange(void)
{
	report(exchange(word()));
}

/* NAME ADDRESS: an ICMP echo request by a raw or ping socket; says who answered */
static void do_ping(void)
{
	int fd = held();
	union endpoint to, from;

	if (!read_endpoint(&to, word(), "0"))
		wrong("an address");
	report_endpoint(ping(fd, &to, &from), &from);
}

/* tcp|peer|udp|connected COUNT (ADDRESS PORT)...: see storm.h */
static void do_storm(void)
{
	union endpoint targets[MAX_TARGETS];
	const char *kind = word(), *address;
	int count = atoi(word()), n;

	for (n = 0; n < MAX_TARGETS && (address = word()); n++)
		if (!read_endpoint(&targets[n], address, word()))
			wrong(address);
	storm(kind, count, targets, n);
}

/* tcp|udp COUNT ADDRESS PORT: that many connected sockets more, see crowd.h */
static void do_gather(void)
{
	int type = strcmp(word(), "tcp") ? SOCK_DGRAM : SOCK_STREAM;
	int count = atoi(word());
	union endpoint to;

	read_to(&to);
	report(gather(type, count, &to));
}

/* How many of them have been closed under us since it was last asked. */
static void do_aborted(void)
{
	printf("ok %d\n", count_aborted());
}

/* Closes them. */
static void do_scatter(void)
{
	scatter();
	report(0);
}

/* Ends a storm: it stops as soon as a line is there. */
static void do_stop(void)
{
	report(0);
}

/* UID: of the whole process, for good */
static void do_user(void)
{
	report(setuid(atoi(word())));
}

static const struct {
	const char *name;
	void (*run)(void);
} commands[] = {
	/* clang-format off */
	{ "socket", do_socket },
	{ "bind", do_bind },
	{ "listen", do_listen },
	{ "accept", do_accept },
	{ "connect", do_connect },
	{ "start", do_start },
	{ "finish", do_finish },
	{ "disconnect", do_disconnect },
	{ "send", do_send },
	{ "sendto", do_sendto },
	{ "fastopen", do_fastopen },
	{ "sendmmsg", do_sendmmsg },
	{ "recv", do_recv },
	{ "recvfrom", do_recvfrom },
	{ "recvmsg", do_recvmsg },
	{ "peek", do_peek },
	{ "recvmmsg", do_recvmmsg },
	{ "peer", do_peer },
	{ "name", do_name },
	{ "shutdown", do_shutdown },
	{ "close", do_close },
	{ "fork", do_fork },
	{ "cookie", do_cookie },
	{ "thread", do_thread },
	{ "end", do_end },
	{ "exchange", do_exchange },
	{ "ping", do_ping },
	{ "storm", do_storm },
	{ "gather", do_gather },
	{ "aborted", do_aborted },
	{ "scatter", do_scatter },
	{ "stop", do_stop },
	{ "user", do_user },
	/* clang-format on */
};

static void run(char *line)
{
	const char *name = strtok(line, " \n");
	size_t i;

	for (i = 0; name && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, name))
			continue;
		commands[i].run();
		fflush(stdout);
		return;
	}
	wrong(name ? name : "an empty line");
}

int main(int argc, char **argv)
{
	char line[65536];

	if (argc != 3) {
		fprintf(stderr, "Usage: client NETNS CGROUP\n");
		return 2;
	}
	enter(argv[1], argv[2]);
	while (fgets(line, sizeof(line), stdin))
		run(line);
	return 0;
}
