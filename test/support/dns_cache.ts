// A node-local DNS cache (dnsmasq), and a client that asks it as pods do.

import { lines } from "./lines.ts";
import { until } from "./wait.ts";

/** The words before a program's own that start it in a cgroup, in a network namespace. */
function inPlace({ netns, cgroup }: DnsPlace): readonly string[] {
	// `ip netns exec` hides the cgroups: first there, then away.
	const enter = cgroup === undefined ? "" : `echo $$ > '${cgroup}/cgroup.procs' && `;
	return ["sh", "-c", `${enter}exec ip netns exec '${netns}' "$@"`, "sh"];
}

export interface DnsPlace {
	/** The name of a network namespace. */
	readonly netns: string;
	/** The folder of a cgroup. */
	readonly cgroup?: string;
}

export interface DnsServerOptions extends DnsPlace {
	readonly addresses: readonly string[];
	readonly port: number;
	/** What it says itself: the address of a domain. */
	readonly knows: Readonly<Record<string, string>>;
	/** Where it asks for all else; nowhere if left out. */
	readonly upstream?: string;
}

export interface DnsServer extends AsyncDisposable {
	kill(): Promise<void>;
}

/** dnsmasq, without a cache of its own: each question is asked upstream. */
export async function dnsServer(options: DnsServerOptions): Promise<DnsServer> {
	const { addresses, port, knows, upstream } = options;
	const command = [
		"dnsmasq",
		"--keep-in-foreground",
		"--conf-file=/dev/null",
		"--no-resolv",
		"--no-hosts",
		"--pid-file=",
		"--user=root",
		"--bind-interfaces",
		"--cache-size=0",
		"--except-interface=lo",
		...addresses.map((address) => `--listen-address=${address}`),
		`--port=${port}`,
		...Object.entries(knows).map(([domain, answer]) => `--address=/${domain}/${answer}`),
		...(upstream === undefined ? [] : [`--server=${upstream}`]),
	];
	const child = Bun.spawn([...inPlace(options), ...command], { stdio: ["ignore", "ignore", "pipe"] });
	const kill = async () => {
		child.kill("SIGKILL");
		await child.exited;
	};
	const where = { netns: options.netns };
	const listens = (address: string) => {
		const at = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
		return Bun.spawnSync([...inPlace(where), "ss", "-Hlun", "src", at]).stdout.length > 0;
	};
	await until(`served by dnsmasq at ${addresses.join(" and ")}`, () => {
		if (child.exitCode !== null) throw new Error(`Cannot start dnsmasq at ${addresses}: exit code ${child.exitCode}`);
		return addresses.every(listens);
	});
	return { kill, [Symbol.asyncDispose]: kill };
}

/** Each question has a socket of its own; one that gets no answer is asked no second time. TCP is RFC 1035, 4.2.2. */
const SCRIPT = `
import { once } from "node:events";
import { createConnection } from "node:net";
import { Resolver } from "node:dns/promises";

const PATIENCE = 3000;

async function byUdp(server, name) {
	const resolver = new Resolver({ timeout: PATIENCE, tries: 1 });
	resolver.setServers([server]);
	const [ip] = await resolver.resolve4(name);
	return ip;
}

async function byTcp(server, name) {
	const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
	const query = Buffer.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
	const socket = createConnection({ host: server, port: 53, signal: AbortSignal.timeout(PATIENCE) });
	await once(socket, "connect");
	socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
	let answer = Buffer.alloc(0);
	for await (const part of socket) {
		answer = Buffer.concat([answer, part]);
		if (answer.length >= 2 && answer.length >= 2 + answer.readUInt16BE()) break;
	}
	// Its one record comes last, and ends in the address.
	const answers = answer.length > 8 ? answer.readUInt16BE(8) : 0;
	return answers === 1 ? [...answer.subarray(-4)].join(".") : "RCODE " + (answer[5] & 15);
}

for await (const line of console) {
	const [protocol, server, name] = line.split(" ");
	const ask = protocol === "tcp" ? byTcp : byUdp;
	console.log(await ask(server, name).catch((error) => error.code ?? error.name));
}
`;

export interface DnsClient extends AsyncDisposable {
	/** The address of a name, or what went wrong: ETIMEOUT, ECONNREFUSED, ENOTFOUND ... */
	ask(server: string, name: string, protocol?: "udp" | "tcp"): Promise<string>;
}

export function dnsClient(place: DnsPlace): DnsClient {
	const child = lines([...inPlace(place), process.execPath, "-e", SCRIPT]);
	return {
		ask(server, name, protocol = "udp") {
			child.write(`${protocol} ${server} ${name}`);
			return child.read();
		},
		[Symbol.asyncDispose]: child.kill,
	};
}
