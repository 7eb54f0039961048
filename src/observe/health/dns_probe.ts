// Whether a DNS server answers a question over UDP.

import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { encodeQuestion, readAnswer } from "./dns_message.ts";
import { examine, type Target } from "./examination.ts";
import { duration, failed, failedWith, type Outcome, PASSED } from "./outcome.ts";

/** The socket is connected: it hears that nobody listens (ICMP), and nobody but the server. */
export function probeDns(target: Target, name: string): Promise<Outcome> {
	const { ip, port, timeout } = target;
	return examine(target, (end) => {
		const question = encodeQuestion(randomInt(0x10000), name);
		const socket = createSocket(ip.includes(":") ? "udp6" : "udp4");
		let strange = 0;
		socket.on("error", (error) => end(failedWith(error)));
		socket.on("message", (message) => {
			const answer = readAnswer(message, question);
			if (answer === undefined) strange += 1;
			else end(answer === "well" ? PASSED : failed(`answered ${answer}`));
		});
		socket.once("connect", () => socket.send(question));
		socket.connect(port, ip);
		return {
			close: () => void socket.close(),
			late: () =>
				failed(`no answer within ${duration(timeout)}${strange === 0 ? "" : `, but ${strange} to what was not asked`}`),
		};
	});
}
