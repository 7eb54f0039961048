// Real programs that ask a name server for as long as they live, and name servers for them.

import { writeFileSync } from "node:fs";
import { compiled } from "./compile.ts";
import { lines } from "./lines.ts";
import { until } from "./wait.ts";

/** The servers know all names below it. */
const DOMAIN = "answer.test";
const PORT = 53;

let serial = 0;

/** A name that nobody has asked for yet, so that no cache knows it. */
function freshName(): string {
	serial += 1;
	return `n${serial}.${DOMAIN}`;
}

export interface Place {
	/** The name of a network namespace. */
	readonly netns: string;
	/** The folder of a cgroup. */
	readonly cgroup: string;
}

/** A program; ends when it is disposed. */
export interface NameProgram extends AsyncDisposable {
	readonly name: string;
	/** What it is told of a name that it never asked for before: an address, or what went wrong. */
	ask(): Promise<string>;
}

export interface NameServer extends AsyncDisposable {
	/** It takes queries and answers none, until it goes on. */
	hang(): void;
	goOn(): void;
}

/** The words before a program's own that start it in a network namespace, and in a cgroup. */
function inPlace({ netns, cgroup }: { readonly netns: string; readonly cgroup?: string }): readonly string[] {
	// `ip netns exec` hides the cgroups: first there, then away.
	const enter = cgroup === undefined ? "" : `echo $$ > '${cgroup}/cgroup.procs' && `;
	return ["sh", "-c", `${enter}exec ip netns exec '${netns}' "$@"`, "sh"];
}

/** dnsmasq on one address, which says `answer` of all names below DOMAIN. */
export async function nameServer(netns: string, address: string, answer: string): Promise<NameServer> {
	const options = [
		"--keep-in-foreground",
		"--conf-file=/dev/null",
		"--no-resolv",
		"--no-hosts",
		"--pid-file=",
		"--user=root",
		"--bind-interfaces",
		`--listen-address=${address}`,
		// It would listen on the loopback of the namespace as well.
		"--except-interface=lo",
		`--port=${PORT}`,
		`--address=/${DOMAIN}/${answer}`,
	];
	const child = Bun.spawn([...inPlace({ netns }), "dnsmasq", ...options], { stdio: ["ignore", "ignore", "pipe"] });
	const listens = () =>
		Bun.spawnSync([...inPlace({ netns }), "ss", "-Hlun", "src", `${address}:${PORT}`]).stdout.length > 0;
	await until(`served by dnsmasq at ${address}`, () => {
		if (child.exitCode !== null) throw new Error(`Cannot start dnsmasq at ${address}: exit code ${child.exitCode}`);
		return listens();
	});
	return {
		hang: () => child.kill("SIGSTOP"),
		goOn: () => child.kill("SIGCONT"),
		async [Symbol.asyncDispose]() {
			child.kill("SIGKILL");
			await child.exited;
		},
	};
}

export type ResolverKind = "plain" | "library" | "stayopen";

/** resolver.c, which says what the kinds are. */
export function resolver(place: Place, server: string, kind: ResolverKind): NameProgram {
	const child = lines([compiled("test/support/resolver.c"), place.netns, place.cgroup, server, kind]);
	return {
		name: kind === "plain" ? "C program" : `glibc (${kind})`,
		ask() {
			child.write(freshName());
			return child.read();
		},
		[Symbol.asyncDispose]: child.kill,
	};
}

/** node:dns in this runtime (c-ares), whose own patience is longer than any test's. */
const SCRIPT = `
import { Resolver } from "node:dns/promises";
const resolver = new Resolver({ timeout: 60_000, tries: 3 });
resolver.setServers([process.argv[1]]);
for await (const line of console) console.log(await resolver.resolve4(line).then(([ip]) => ip, (error) => error.code));
`;

export function bunResolver(place: Place, server: string): NameProgram {
	const child = lines([...inPlace(place), process.execPath, "-e", SCRIPT, server]);
	return {
		name: "Bun",
		ask() {
			child.write(freshName());
			return child.read();
		},
		[Symbol.asyncDispose]: child.kill,
	};
}

const FRONT = "127.0.0.1:8088";
const UPSTREAM_PORT = 8090;
/** Seconds; longer than any test waits. */
const PATIENCE = 60;

function nginxConfig(folder: string, server: string, upstreams: readonly string[]): string {
	const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
		.map((name) => `${name}_temp_path ${folder}/${name};`)
		.join("\n");
	const servers = upstreams.map((ip) => `server { listen ${ip}:${UPSTREAM_PORT}; return 200 ${ip}; }`).join("\n");
	return `daemon off;
worker_processes 1;
user root;
error_log ${folder}/error.log info;
pid ${folder}/nginx.pid;
events {}
http {
access_log off;
${temporary}
resolver ${server} ipv6=off;
resolver_timeout ${PATIENCE}s;
server { listen ${FRONT}; location / { proxy_pass http://$arg_name:${UPSTREAM_PORT}; } }
${servers}
}
`;
}

/** Fetches each URL that comes in. */
const FETCH = `
for await (const url of console)
	console.log(await fetch(url).then((answer) => answer.text(), String).then((text) => text.trim().replace(/\\s+/g, " ")));
`;

/** nginx, which looks up the name in each request's URL and goes there; the upstreams are its own. */
export async function nginx(
	place: Place & { readonly folder: string },
	server: string,
	upstreams: readonly string[],
): Promise<NameProgram> {
	const { folder, netns } = place;
	const config = `${folder}/nginx.conf`;
	writeFileSync(config, nginxConfig(folder, server, upstreams));
	const errors = Bun.file(`${folder}/nginx.err`);
	const child = Bun.spawn([...inPlace(place), "nginx", "-c", config], { stdio: ["ignore", "ignore", errors] });
	// From outside of the cgroup; nginx itself is in it.
	const user = lines([...inPlace({ netns }), process.execPath, "-e", FETCH]);
	const get = (path: string) => {
		user.write(`http://${FRONT}${path}`);
		return user.read();
	};
	// No name, no upstream: it says so itself.
	await until("served by nginx", async () => {
		if (child.exitCode !== null) throw new Error(`Cannot start nginx: ${await errors.text()}`);
		return (await get("/")).startsWith("<html>");
	});
	return {
		name: "nginx",
		ask: () => get(`/?name=${freshName()}`),
		async [Symbol.asyncDispose]() {
			await user.kill();
			child.kill("SIGTERM");
			await child.exited;
		},
	};
}
