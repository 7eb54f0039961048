// Health check ports as a load balancer sees them.

import { expect, test } from "bun:test";
import { createServer } from "node:http";
import { type Port, parsePort } from "../model/address.ts";
import type { HealthChecks } from "../plan/health_checks.ts";
import { createHealthPorts } from "./health_ports.ts";

interface Line {
	readonly level: string;
	readonly fields: object;
	readonly message: string;
}

function remembered() {
	const lines: Line[] = [];
	const line = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
	return { lines, log: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") } };
}

/** Ports that nobody has at this moment. */
async function freePorts(count: number): Promise<readonly Port[]> {
	const servers = await Promise.all(
		Array.from({ length: count }, async () => {
			const server = createServer();
			await new Promise<void>((resolve) => server.listen({ host: "::", port: 0 }, resolve));
			return server;
		}),
	);
	const ports = servers.map((server) => {
		const address = server.address();
		const port = typeof address === "object" ? parsePort(address?.port) : undefined;
		if (port === undefined) throw new Error("Cannot find a free port");
		return port;
	});
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

const check = (service: string, local: number, others: readonly string[] = []) => ({ service, local, others });
const checks = (...pairs: readonly (readonly [Port, ReturnType<typeof check>])[]): HealthChecks => new Map(pairs);

async function ask(port: Port, host = "127.0.0.1") {
	const answer = await fetch(`http://${host}:${port}/healthz`, { keepalive: false });
	const { headers, status } = answer;
	return { status, weight: headers.get("x-load-balancing-endpoint-weight"), body: await answer.text(), headers };
}

async function isRefused(port: Port): Promise<boolean> {
	return await fetch(`http://127.0.0.1:${port}/`, { keepalive: false }).then(
		() => false,
		() => true,
	);
}

test("update() opens ports of both families that answer as kube-proxy's do", async () => {
	const [port] = await freePorts(1);
	if (port === undefined) throw new Error("Cannot find a port");
	await using ports = createHealthPorts(remembered());
	await ports.update(checks([port, check("demo/web", 2)]), true);
	for (const host of ["127.0.0.1", "[::1]"]) {
		const { status, weight, body, headers } = await ask(port, host);
		expect([status, weight]).toEqual([200, "2"]);
		expect(headers.get("content-type")).toBe("application/json");
		expect(headers.get("x-content-type-options")).toBe("nosniff");
		expect(body).toBe(
			'{\n\t"service": {\n\t\t"namespace": "demo",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
		);
	}
});

test.each([
	["no endpoint here", 0, true, 503],
	["programs that are not in place", 3, false, 503],
	["an endpoint", 1, true, 200],
] as const)("update() of an open port: %s", async (_, local, isHealthy, status) => {
	const [port] = await freePorts(1);
	if (port === undefined) throw new Error("Cannot find a port");
	await using ports = createHealthPorts(remembered());
	await ports.update(checks([port, check("demo/web", 7)]), true);
	await ports.update(checks([port, check("demo/web", local)]), isHealthy);
	const answer = await ask(port);
	expect([answer.status, answer.weight]).toEqual([status, String(local)]);
	expect(JSON.parse(answer.body)).toMatchObject({ localEndpoints: local, serviceProxyHealthy: isHealthy });
});

test("update() closes what is not wanted any more, and leaves the rest open", async () => {
	const [one, two] = await freePorts(2);
	if (one === undefined || two === undefined) throw new Error("Cannot find two ports");
	const { lines, log } = remembered();
	await using ports = createHealthPorts({ log });
	await ports.update(checks([one, check("demo/one", 1)], [two, check("demo/two", 1)]), true);
	await ports.update(checks([two, check("demo/two", 1)]), true);
	expect(await isRefused(one)).toBe(true);
	expect((await ask(two)).status).toBe(200);
	expect(lines.map(({ message, fields }) => [message, fields])).toEqual([
		["Health check port opened", { port: one, service: "demo/one" }],
		["Health check port opened", { port: two, service: "demo/two" }],
		["Health check port closed", { port: one }],
	]);
	await ports[Symbol.asyncDispose]();
	expect(await isRefused(two)).toBe(true);
	await ports.update(checks([one, check("demo/one", 1)]), true);
	expect(await isRefused(one)).toBe(true);
});

test("update() tells once of a port that is taken, opens the others, and tries it again", async () => {
	const [taken, free] = await freePorts(2);
	if (taken === undefined || free === undefined) throw new Error("Cannot find two ports");
	const other = createServer();
	await new Promise<void>((resolve) => other.listen({ host: "::", port: taken }, resolve));
	const { lines, log } = remembered();
	await using ports = createHealthPorts({ log });
	const wanted = checks([taken, check("demo/web", 1)], [free, check("demo/free", 1, ["demo/late"])]);
	for (let round = 0; round < 3; round += 1) await ports.update(wanted, true);
	const warnings = () => lines.filter(({ level }) => level === "warn");
	expect(warnings().map(({ fields, message }) => [message, fields])).toEqual([
		[
			"Cannot open the health check port: EADDRINUSE (something else listens there: if it is kube-proxy, it answers in our place)",
			{ port: taken, service: "demo/web" },
		],
		[
			"Other Services have the same health check port and do not get it",
			{ port: free, service: "demo/free", others: ["demo/late"] },
		],
	]);
	expect((await ask(free)).status).toBe(200);
	await new Promise((resolve) => other.close(resolve));
	await ports.update(wanted, true);
	expect((await ask(taken)).status).toBe(200);
	expect(warnings().length).toBe(2);
});
