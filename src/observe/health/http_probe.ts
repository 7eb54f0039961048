// Whether GET is answered with 200 to 399, over HTTP or HTTPS.

import { get as getPlain, type IncomingMessage, type RequestOptions } from "node:http";
import { get as getSecure } from "node:https";
import { examine, type Target } from "./examination.ts";
import { CLOSED, duration, failed, failedWith, type Outcome, PASSED } from "./outcome.ts";

/** Bytes of a body that are read for politeness: a server that is cut off in its answer may log it as an error. */
const LONGEST_BODY = 16 * 1024;

/** The status that the probe is decided by; the body is not looked at, redirections are not followed. */
function judge({ statusCode = 0 }: IncomingMessage): Outcome {
	return statusCode >= 200 && statusCode < 400 ? PASSED : failed(`answered ${statusCode}`);
}

/** Reads what is left of an answer, not all of it if it is long. */
function drain(response: IncomingMessage, done: () => void): void {
	let bytes = 0;
	response.on("data", (chunk: Uint8Array) => {
		bytes += chunk.length;
		if (bytes > LONGEST_BODY) done();
	});
	response.on("end", done);
	response.on("error", done);
	response.on("close", done);
}

/** Certificates are not checked: backends are asked by their addresses, which no certificate names. */
export function probeHttp(target: Target, scheme: "http" | "https", path: string): Promise<Outcome> {
	const { ip, port, timeout } = target;
	const headers = { host: `${ip.includes(":") ? `[${ip}]` : ip}:${port}`, "user-agent": "balancing", accept: "*/*" };
	const options: RequestOptions = { host: ip, port, path, headers: { ...headers, connection: "close" }, agent: false };
	return examine(target, (end) => {
		let verdict: Outcome | undefined;

		function receive(response: IncomingMessage): void {
			const judged = judge(response);
			verdict = judged;
			drain(response, () => end(judged));
		}

		const request =
			scheme === "http" ? getPlain(options, receive) : getSecure({ ...options, rejectUnauthorized: false }, receive);
		request.on("error", (error) => end(verdict ?? failedWith(error)));
		// An answer that ends before its status: not every runtime says it as an error.
		request.on("close", () => end(verdict ?? failed(CLOSED)));
		return {
			close: () => void request.destroy(),
			late: () => verdict ?? failed(`no answer within ${duration(timeout)}`),
		};
	});
}
