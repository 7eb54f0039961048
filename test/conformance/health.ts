// What a load balancer sees that asks a node's health check port, from node-1.

import { expect } from "bun:test";
import { until } from "../support/wait.ts";
import type { Case, TestService } from "./case.ts";
import { type HostName, hostNamed } from "./network.ts";

/** Status and weight; undefined if nobody listens. */
async function ask(c: Case, node: HostName, port: number) {
	const ip = c.family.pick(hostNamed(node));
	const url = `http://${ip.includes(":") ? `[${ip}]` : ip}:${port}/`;
	const answer = await fetch(url, { keepalive: false }).catch(() => undefined);
	if (answer === undefined) return undefined;
	return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

/** Waits until the node says so: that many endpoints of its own. */
export async function healthIs(c: Case, web: TestService, port: number, local: Readonly<Record<string, number>>) {
	for (const [node, count] of Object.entries(local)) {
		const status = count > 0 ? 200 : 503;
		const name = node === "node-1" ? "node-1" : "node-2";
		await until(`${status} of ${node} with ${count}`, async () => {
			const answer = await ask(c, name, port);
			return answer?.status === status && answer.headers.get("x-load-balancing-endpoint-weight") === String(count);
		});
		const answer = await ask(c, name, port);
		expect(answer?.headers.get("content-type")).toBe("application/json");
		expect(answer?.headers.get("x-content-type-options")).toBe("nosniff");
		expect(answer?.body).toEqual({
			service: { namespace: web.namespace, name: web.name },
			localEndpoints: count,
			serviceProxyHealthy: true,
		});
	}
}

export async function healthIsClosed(c: Case, port: number): Promise<void> {
	for (const node of ["node-1", "node-2"] as const)
		await until(`no health check port on ${node}`, async () => (await ask(c, node, port)) === undefined);
}
