// A client of an API server in a process of its own, so that its memory can be looked at: `bun follow_process.ts KUBECONFIG`.

import { watchKubernetes } from "../../src/hub/kubernetes/kubernetes.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";

/** Time goes by faster: what waits for half a minute shall not make a test wait as long. */
const SPEED = 15;

const clock: Clock = {
	now: () => systemClock.now() * SPEED,
	sleep: (milliseconds, signal) => systemClock.sleep(milliseconds / SPEED, signal),
};

function tell(line: object): void {
	console.log(JSON.stringify(line));
}

function logLine(fields: object, message: string): void {
	const error: unknown = Reflect.get(fields, "err");
	tell({ log: `${message}${error instanceof Error ? ` ${error.message}` : ""}` });
}

async function main(kubeconfig: string): Promise<void> {
	const hub = watchKubernetes({
		source: { kind: "kubeconfig", files: [kubeconfig] },
		audience: { kind: "node", nodeName: "n1" },
		proxies: {},
		userAgent: "balancing/test",
		log: { debug: logLine, info: logLine, warn: logLine, error: logLine },
		signal: new AbortController().signal,
		clock,
		random: () => 0,
	});
	for await (const { services } of hub) tell({ services: services.size });
}

await main(process.argv[2] ?? "");
