// A process that opens connections and says where their first packets went (packets.c): nobody needs to answer them.

import type { Ip } from "../../src/model/address.ts";
import { compiled } from "./compile.ts";
import { lines } from "./lines.ts";
import { type Netns, netns, wire } from "./netns.ts";

/** How a connection is made: by a new socket, or by the unconnected UDP socket of this name, which stays. */
export type Call = "tcp" | "udp" | "sendto" | "a" | "b" | "c";

export interface Packet {
	readonly call: Call;
	/** The socket's; an IPv4 address is v4-mapped for inet6. */
	readonly family: "inet" | "inet6";
	readonly ip: Ip;
	readonly port: number;
}

/** What became of one. */
export interface Answer {
	/** `ADDRESS|PORT` where the packet went, or the name of the errno. */
	readonly went: string;
	/** `ADDRESS|PORT` as getpeername(2) shows it; "" where there is no connection of UDP. */
	readonly peer: string;
}

export interface Packets extends AsyncDisposable {
	/** In the packets' order. */
	send(packets: readonly Packet[]): Promise<readonly Answer[]>;
	/** Closes the sockets that were kept. */
	reset(): Promise<void>;
}

/** A network namespace where every address is beyond a wire at whose other end nobody listens; loopback is as usual. */
export function openNet(): Netns {
	using stack = new DisposableStack();
	const net = stack.use(netns());
	const nobody = stack.use(netns());
	wire("wire", { net, addresses: ["10.201.0.1/32", "fd00:201::1/128"] }, { net: nobody, addresses: [] });
	// Packets leave without a question for their receiver's place, which nobody would answer.
	net.ip("link", "set", "wire", "arp", "off");
	net.ip("route", "add", "default", "dev", "wire", "src", "10.201.0.1");
	net.ip("-6", "route", "add", "default", "dev", "wire", "src", "fd00:201::1");
	const all = stack.move();
	return { ...net, [Symbol.dispose]: () => all.dispose() };
}

export function openPackets(net: Netns, cgroup: string): Packets {
	const child = lines([compiled("test/support/packets.c"), net.name, cgroup]);
	return {
		async send(packets) {
			if (packets.length === 0) return [];
			child.write(packets.map(wordsOf).join(" "));
			return (await child.read()).split(" ").map((answer) => {
				const [went = "", peer = ""] = answer.split(">");
				return { went, peer };
			});
		},
		async reset() {
			child.write("reset");
			await child.read();
		},
		[Symbol.asyncDispose]: child.kill,
	};
}

function wordsOf(packet: Packet): string {
	return `${packet.call} ${packet.family} ${asDialled(packet)} ${packet.port}`;
}

/** The address as the socket has it. */
export function asDialled({ family, ip }: Pick<Packet, "family" | "ip">): string {
	return family === "inet6" && !ip.includes(":") ? `::ffff:${ip}` : ip;
}
