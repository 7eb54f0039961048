// Closing sockets whose backend is gone: what a look costs where nothing is to be closed, and what closing all costs.

import { openSocketCloser } from "../../src/datapath/sockets.ts";
import { client } from "../support/client.ts";
import { datapath } from "../support/datapath.ts";
import { lab } from "../support/lab.ts";
import { netns } from "../support/netns.ts";
import type { BenchRow } from "./row.ts";

const SOCKETS = 10_000;
/** Further network namespaces, each with a process in it, all of which are looked into last. */
const PODS = 100;
const LOOKS = 50;
const AT = "10.96.0.1:53/UDP";
const [ONE, TWO] = ["10.202.0.1:5353/UDP", "10.202.0.2:5353/UDP"];

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
	const started = performance.now();
	await run();
	return performance.now() - started;
}

/** The rows, in a place with `pods` network namespaces more. */
async function rows(pods: number): Promise<readonly BenchRow[]> {
	await using stack = new AsyncDisposableStack();
	const place = stack.use(await lab());
	const bpf = stack.use(datapath(place.cgroup.path));
	for (let n = 0; n < pods; n++) stack.use(client({ netns: stack.use(netns()).name }));
	const user = stack.use(place.client());
	const closer = stack.use(openSocketCloser({ pinPath: bpf.pinPath, epoch: 1 }));
	const { signal } = new AbortController();
	bpf.program({ at: AT, to: [ONE] });
	await user.ask(`gather udp ${SOCKETS} 10.96.0.1 53`);
	const looks: number[] = [];
	for (let n = 0; n < LOOKS; n++) looks.push(await milliseconds(() => closer.closeStale(signal)));
	// Another set that still has the backend: each flow is looked up in it.
	bpf.program({ at: AT, to: [ONE, TWO] });
	const changed = await milliseconds(() => closer.closeStale(signal));
	bpf.program({ at: AT, to: [TWO] });
	let closed = 0;
	const closing = await milliseconds(async () => {
		closed = (await closer.closeStale(signal)).closed.UDP.closed;
	});
	if (closed !== SOCKETS) throw new Error(`Cannot measure: ${closed} of ${SOCKETS} sockets were closed`);
	const where = `${SOCKETS} sockets with state, ${pods} more namespaces`;
	looks.sort((a, b) => a - b);
	return [
		{ name: `a look at ${where}`, value: looks[LOOKS >> 1] ?? Number.NaN, unit: "ms" },
		{ name: "the first look after a change of their set", value: changed, unit: "ms" },
		{ name: "closing all of them", value: closing, unit: "ms" },
	];
}

export async function bench(): Promise<readonly BenchRow[]> {
	return [...(await rows(0)), ...(await rows(PODS))];
}
