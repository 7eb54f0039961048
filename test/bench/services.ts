// Services for benchmarks, as many as are wanted: each has one address, one port and the same number of endpoints.

/** Port of every Service, and of every endpoint. */
export const SERVICE_PORT = 80;
export const ENDPOINT_PORT = 8080;
/** Endpoints of each Service. */
export const MEMBERS = 10;

export interface BenchService {
	readonly name: string;
	readonly protocol: "TCP" | "UDP";
	readonly ip: string;
	readonly endpoints: readonly string[];
}

/** What lies between the addresses for TCP and those for UDP. */
const UDP_OFFSET = 1 << 16;

/** The first address of the Services and of the endpoints; the others follow one by one. */
const FIRST = { service: ipNumber(10, 96), endpoint: ipNumber(10, 128) } as const;

function ipNumber(first: number, second: number): number {
	return first * 2 ** 24 + second * 2 ** 16 + 1;
}

function ipText(number: number): string {
	return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join(".");
}

/** The first address for a protocol. */
export function firstIp(of: keyof typeof FIRST, protocol: BenchService["protocol"]): string {
	return ipText(FIRST[of] + (protocol === "UDP" ? UDP_OFFSET : 0));
}

function service(protocol: BenchService["protocol"], index: number): BenchService {
	const offset = protocol === "UDP" ? UDP_OFFSET : 0;
	const endpoint = FIRST.endpoint + offset + index * MEMBERS;
	return {
		name: `${protocol.toLowerCase()}-${index}`,
		protocol,
		ip: ipText(FIRST.service + offset + index),
		endpoints: Array.from({ length: MEMBERS }, (_, member) => ipText(endpoint + member)),
	};
}

/** Half of them over TCP, half over UDP; at the most 13,106, so that endpoints do not meet. */
export function services(count: number): readonly BenchService[] {
	const half = Array.from({ length: count / 2 }, (_, index) => index);
	return [...half.map((index) => service("TCP", index)), ...half.map((index) => service("UDP", index))];
}
