// When the agent looks for sockets to close, and what it says of them.

import { expect, test } from "bun:test";
import { recordingLog } from "../../test/support/log.ts";
import { until } from "../../test/support/wait.ts";
import type { Closed } from "../datapath/socket_search.ts";
import type { SocketCloser } from "../datapath/sockets.ts";
import { createClosing } from "./closing.ts";

const NONE = { closed: 0, failed: 0 };
const NOTHING: Closed = { UDP: NONE, TCP: NONE };

function start(answers: readonly (Closed | Error)[], limit?: string) {
	const log = recordingLog();
	const ended = new AbortController();
	let calls = 0;
	const closer: SocketCloser = {
		limit,
		closeStale() {
			const answer = answers[calls++] ?? NOTHING;
			return Promise.resolve(
				answer instanceof Error ? { closed: NOTHING, failure: answer } : { closed: answer, failure: undefined },
			);
		},
		[Symbol.dispose]() {},
	};
	const closing = createClosing({ closer, log, signal: ended.signal });
	return { closing, log, calls: () => calls, end: () => ended.abort() };
}

test("createClosing() does nothing before it is called, then counts and tells what was closed", async () => {
	const { closing, log, calls, end } = start([
		{ UDP: { closed: 2, failed: 0 }, TCP: { closed: 1, failed: 0 } },
		{ UDP: NONE, TCP: NONE },
		{ UDP: { closed: 1, failed: 3 }, TCP: NONE },
	]);
	expect([calls(), log.messages()]).toEqual([0, []]);
	for (const n of [1, 2, 3]) {
		closing.call();
		await until(`run ${n}`, () => calls() === n);
	}
	expect(closing.status()).toEqual({
		closed: { UDP: { closed: 3, failed: 3 }, TCP: { closed: 1, failed: 0 } },
		limit: null,
	});
	expect(log.said).toEqual([
		{ level: "info", message: "Closed sockets whose backend is gone", fields: { udp: 2, tcp: 1 } },
		{ level: "info", message: "Closed sockets whose backend is gone", fields: { udp: 1, tcp: 0 } },
		{ level: "warn", message: "Cannot close sockets whose backend is gone", fields: { udp: 3, tcp: 0 } },
	]);
	end();
	await closing.stopped;
});

test("createClosing() says once what cannot be done, and that again in its status", async () => {
	const { closing, log, end } = start([], "no means");
	expect(log.said).toEqual([
		{ level: "warn", message: "Not all sockets whose backend is gone will be closed", fields: { reason: "no means" } },
	]);
	expect(closing.status().limit).toBe("no means");
	end();
	await closing.stopped;
});

test("createClosing() tries again what failed, and tells it once", async () => {
	const failure = new Error("Cannot run an iterator: ENOMEM");
	const { closing, log, calls, end } = start([failure, failure]);
	closing.call();
	await until("a third run", () => calls() === 3);
	expect(log.said).toEqual([
		{ level: "error", message: "Cannot look for sockets whose backend is gone", fields: { err: failure } },
	]);
	end();
	await closing.stopped;
});
