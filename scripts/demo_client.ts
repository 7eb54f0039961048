// A client of the demo: opens an address as often as asked, each time anew, and prints who answered.

import { createSocket } from "node:dgram";
import { connect } from "node:net";

const TIMEOUT = 5000;

/** The pod's name, from where the answer came, or what went wrong. */
interface Answer {
	readonly pod?: string;
	readonly error?: string;
}

function codeOf(error: Error): string {
	return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

function askTcp(ip: string, port: number): Promise<Answer> {
	return new Promise((resolve) => {
		let text = "";
		const socket = connect(port, ip);
		socket.setTimeout(TIMEOUT, () => socket.destroy(new Error("timeout")));
		socket.on("data", (data) => {
			text += data.toString();
		});
		socket.on("error", (error) => resolve({ error: codeOf(error) }));
		socket.on("close", () => resolve(text === "" ? { error: "closed" } : { pod: text }));
	});
}

/** The answer must come from the address that was asked, or a client that checks would drop it. */
function askUdp(ip: string, port: number): Promise<Answer> {
	return new Promise((resolve) => {
		const socket = createSocket(ip.includes(":") ? "udp6" : "udp4");
		const timer = setTimeout(() => finish({ error: "timeout" }), TIMEOUT);
		function finish(answer: Answer): void {
			clearTimeout(timer);
			socket.close();
			resolve(answer);
		}
		socket.on("error", (error) => finish({ error: codeOf(error) }));
		socket.on("message", (data, from) => {
			const right = from.address === ip && from.port === port;
			finish(right ? { pod: data.toString() } : { error: `answer from ${from.address}:${from.port}` });
		});
		socket.send("who?", port, ip, (error) => {
			if (error) finish({ error: codeOf(error) });
		});
	});
}

const [protocol, ip = "", port = "0", count = "1"] = process.argv.slice(2);
const ask = protocol === "udp" ? askUdp : askTcp;
const seen: Record<string, number> = {};
for (let done = 0; done < Number(count); done++) {
	const { pod, error } = await ask(ip, Number(port));
	const key = pod ?? `error ${error}`;
	seen[key] = (seen[key] ?? 0) + 1;
}
console.log(JSON.stringify(seen));
process.exit(0);
