// Which proxy a request goes through: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go programs, kubectl too, read them.

import { BlockList, isIP, isIPv6 } from "node:net";

/** The environment's words; the lower-case variable wins where both are set. */
export interface ProxyEnvironment {
	readonly https?: string | undefined;
	readonly http?: string | undefined;
	readonly no?: string | undefined;
}

/** The proxy's URL, or undefined for a direct connection. Loopback addresses and localhost are always direct. */
export function proxyFor(url: string, environment: ProxyEnvironment): string | undefined {
	const { protocol, hostname, port } = new URL(url);
	const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
	const proxy = protocol === "https:" ? environment.https : environment.http;
	if (proxy === undefined || proxy === "" || isLoopback(host)) return undefined;
	const exceptions = (environment.no ?? "").split(",").map((entry) => entry.trim().toLowerCase());
	const target = { host, port: port === "" ? (protocol === "https:" ? "443" : "80") : port };
	if (exceptions.some((entry) => entry !== "" && isExcepted(target, entry))) return undefined;
	return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

interface Target {
	readonly host: string;
	readonly port: string;
}

/** An entry is `*`, an address, a network, a name (with all below it) or `.name` (only what is below it), with or without a port. */
function isExcepted({ host, port }: Target, entry: string): boolean {
	if (entry === "*") return true;
	if (entry.includes("/")) return isInNetwork(host, entry);
	const bare = isIP(entry) ? undefined : /^(.*):(\d+)$/.exec(entry);
	const name = (bare?.[1] ?? entry).replace(/^\[|\]$/g, "");
	if (bare?.[2] !== undefined && bare[2] !== port) return false;
	if (name.startsWith("*.")) return host.endsWith(name.slice(1));
	return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isInNetwork(host: string, network: string): boolean {
	const family = isIP(host);
	const [address = "", length = ""] = network.split("/");
	if (family === 0 || family !== isIP(address) || !/^\d{1,3}$/.test(length)) return false;
	const type = isIPv6(host) ? "ipv6" : "ipv4";
	const bits = Number(length);
	if (bits > (type === "ipv6" ? 128 : 32)) return false;
	const list = new BlockList();
	list.addSubnet(address, bits, type);
	return list.check(host, type);
}
