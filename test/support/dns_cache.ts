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

/** Each question has a socket of its own; one that gets no answer is asked no second time. */
const SCRIPT = `
import { Resolver } from "node:dns/promises";
for await (const line of console) {
	const [server, name] = line.split(" ");
	const resolver = new Resolver({ timeout: 3000, tries: 1 });
	resolver.setServers([server]);
	console.log(await resolver.resolve4(name).then(([ip]) => ip, (error) => error.code));
}
`;

export interface DnsClient extends AsyncDisposable {
	/** The address of a name, or what went wrong: ETIMEOUT, ECONNREFUSED, ENOTFOUND ... */
	ask(server: string, name: string): Promise<string>;
}

export function dnsClient(place: DnsPlace): DnsClient {
	const child = lines([...inPlace(place), process.execPath, "-e", SCRIPT]);
	return {
		ask(server, name) {
			child.write(`${server} ${name}`);
			return child.read();
		},
		[Symbol.asyncDispose]: child.kill,
	};
}
