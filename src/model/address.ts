// Canonical addresses: equal means same, they print as they are read, they key a Map.

declare const brand: unique symbol;

/** An IP address in canonical text: dotted IPv4, or IPv6 as RFC 5952 writes it. A v4-mapped address is the IPv4 one. */
export type Ip = string & { readonly [brand]: "Ip" };
/** A TCP or UDP port, 1 to 65535. */
export type Port = number & { readonly [brand]: "Port" };
/** A layer-4 protocol that Balancing translates. */
export type Protocol = "TCP" | "UDP";
/** `10.96.0.1:80/TCP` or `[fd00::1]:53/UDP`. */
export type L4Address = string & { readonly [brand]: "L4Address" };

/** The parts of an L4Address. */
export interface L4Parts {
	readonly ip: Ip;
	readonly port: Port;
	readonly protocol: Protocol;
}

/** The longest text of an IPv6 address: INET6_ADDRSTRLEN without its zero byte. */
const MAX_IP_LENGTH = 45;
/** Dotted, without leading zeros. */
export const IPV4 = /^(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
const GROUP = /^[0-9a-fA-F]{1,4}$/;
const PORT = /^[1-9]\d{0,4}$/;
const L4 = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d+)(?:\/([A-Za-z]+))?$/;

/**
 * Reads an IP address strictly: no leading zeros in dotted IPv4 (some read them as octal), no zone (`%eth0` means nothing
 * on another host), nothing around it. The result is canonical, so `::ffff:10.0.0.1` gives `10.0.0.1`.
 */
export function parseIp(text: string): Ip | undefined {
	if (text.length > MAX_IP_LENGTH) return undefined;
	if (!text.includes(":")) return IPV4.test(text) ? (text as Ip) : undefined;
	const groups = parseGroups(text);
	return groups === undefined ? undefined : formatGroups(groups);
}

/** The family of an address, in the words of EndpointSlice.addressType and Service.spec.ipFamilies. */
export function ipFamily(ip: Ip): "IPv4" | "IPv6" {
	return ip.includes(":") ? "IPv6" : "IPv4";
}

/** Reads a port from a number or from decimal text without sign or leading zeros. */
export function parsePort(value: unknown): Port | undefined {
	const port = typeof value === "string" && PORT.test(value) ? Number(value) : value;
	if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
	return port as Port;
}

/** Joins the parts to an L4Address; `l4Parts` takes them apart. */
export function l4Address(ip: Ip, port: Port, protocol: Protocol): L4Address {
	return (ip.includes(":") ? `[${ip}]:${port}/${protocol}` : `${ip}:${port}/${protocol}`) as L4Address;
}

/** Takes an L4Address apart without checking it again: only `l4Address` and `parseL4Address` make one. */
export function l4Parts(address: L4Address): L4Parts {
	const slash = address.length - 4;
	const colon = address.lastIndexOf(":");
	const bracketed = address.charCodeAt(0) === 0x5b;
	return {
		ip: (bracketed ? address.slice(1, colon - 1) : address.slice(0, colon)) as Ip,
		port: Number(address.slice(colon + 1, slash)) as Port,
		protocol: address.slice(slash + 1) as Protocol,
	};
}

/** Reads what a user types: `10.96.0.1:80`, `10.96.0.1:80/udp`, `[fd00::1]:53/UDP`. The default protocol is TCP. */
export function parseL4Address(text: string): L4Address | undefined {
	const match = text.length > MAX_IP_LENGTH + 12 ? null : L4.exec(text);
	if (match === null) return undefined;
	const bracketed = match[1];
	const ip = parseIp(bracketed ?? match[2] ?? "");
	const port = parsePort(match[3]);
	const protocol = (match[4] ?? "TCP").toUpperCase();
	if (ip === undefined || port === undefined || (protocol !== "TCP" && protocol !== "UDP")) return undefined;
	// Brackets are for what has colons: "[10.0.0.1]:80" is a typing error, not an address.
	if (bracketed !== undefined && !bracketed.includes(":")) return undefined;
	return l4Address(ip, port, protocol);
}

/** The 16 bytes of an address in network order; IPv4 is v4-mapped (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2). */
export function ipBytes(ip: Ip): Uint8Array {
	const bytes = new Uint8Array(16);
	if (!ip.includes(":")) {
		bytes[10] = 0xff;
		bytes[11] = 0xff;
		writeIpv4(ip, bytes);
		return bytes;
	}
	const groups = parseGroups(ip) ?? [];
	for (const [index, group] of groups.entries()) {
		bytes[index * 2] = group >> 8;
		bytes[index * 2 + 1] = group & 0xff;
	}
	return bytes;
}

/** The address of 16 bytes in network order, the inverse of `ipBytes`. Throws RangeError for another length: a bug. */
export function ipFromBytes(bytes: Uint8Array): Ip {
	if (bytes.length !== 16) throw new RangeError(`Cannot read an IP address: ${bytes.length} bytes instead of 16`);
	const groups: number[] = [];
	for (let index = 0; index < 16; index += 2) groups.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
	return formatGroups(groups);
}

function writeIpv4(ip: string, bytes: Uint8Array): void {
	let at = 12;
	let value = 0;
	for (let index = 0; index < ip.length; index++) {
		const code = ip.charCodeAt(index);
		if (code === 0x2e) {
			bytes[at++] = value;
			value = 0;
		} else value = value * 10 + code - 0x30;
	}
	bytes[at] = value;
}

/** The eight 16-bit groups of an IPv6 text (RFC 4291 section 2.2), or undefined if it is none. */
function parseGroups(text: string): readonly number[] | undefined {
	const halves = text.split("::");
	if (halves.length > 2) return undefined;
	const [head = "", tail] = halves;
	const left = parseRun(head, tail === undefined);
	if (tail === undefined) return left?.length === 8 ? left : undefined;
	const right = parseRun(tail, true);
	// "::" stands for at least one group of zeros.
	if (left === undefined || right === undefined || left.length + right.length > 7) return undefined;
	return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** Groups joined by single colons; the last may be a dotted IPv4, which is two groups, if the run ends the address. */
function parseRun(text: string, last: boolean): readonly number[] | undefined {
	if (text === "") return [];
	const groups: number[] = [];
	const pieces = text.split(":");
	for (const [index, piece] of pieces.entries()) {
		if (GROUP.test(piece)) groups.push(Number.parseInt(piece, 16));
		else if (last && index === pieces.length - 1 && IPV4.test(piece)) {
			const [a = 0, b = 0, c = 0, d = 0] = piece.split(".").map(Number);
			groups.push((a << 8) | b, (c << 8) | d);
		} else return undefined;
	}
	return groups;
}

/** RFC 5952 section 4: lower case, no leading zeros, "::" for the first longest run of two or more groups of zeros. */
function formatGroups(groups: readonly number[]): Ip {
	const [, , , , , mark = 0, high = 0, low = 0] = groups;
	if (mark === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
		return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}` as Ip;
	}
	const run = longestZeroRun(groups);
	const text = groups.map((group) => group.toString(16));
	if (run.length < 2) return text.join(":") as Ip;
	return `${text.slice(0, run.start).join(":")}::${text.slice(run.start + run.length).join(":")}` as Ip;
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
	let best = { start: 0, length: 0 };
	let start = 0;
	for (const [index, group] of groups.entries()) {
		if (group !== 0) start = index + 1;
		else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
	}
	return best;
}
