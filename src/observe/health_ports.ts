// Health check node ports over HTTP, as kube-proxy serves them: a load balancer learns which nodes have endpoints of a Service.

import { Buffer } from "node:buffer";
import { createServer, type Server, type ServerResponse } from "node:http";
import { errorCode } from "../lib/error_code.ts";
import type { Log } from "../lib/log.ts";
import type { Port } from "../model/address.ts";
import type { HealthCheck, HealthChecks } from "../plan/health_checks.ts";

export interface HealthPorts extends AsyncDisposable {
	/**
	 * Opens and closes ports so that these are open; what they answer is as of now. `isHealthy` is false while this node's programs are
	 * not in place: all answer 503. A port that cannot be opened is told once, and tried again by the next call. Not twice at once.
	 */
	update(checks: HealthChecks, isHealthy: boolean): Promise<void>;
}

const HINTS: Readonly<Record<string, string>> = {
	EADDRINUSE: "something else listens there: if it is kube-proxy, it answers in our place",
	EACCES: "ports below 1024 need root",
};

/** All addresses of both families; where the kernel has no IPv6, those of IPv4. */
const EVERYWHERE = ["::", "0.0.0.0"] as const;
const NO_IPV6: readonly string[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL"];

export function createHealthPorts({ log }: { readonly log: Log }): HealthPorts {
	const open = new Map<Port, Server>();
	/** What was said of ports that are wanted. */
	const told = new Map<Port, Set<string>>();
	let checks: HealthChecks = new Map();
	let isHealthy = false;
	let isOver = false;

	function answer(port: Port, response: ServerResponse): void {
		const check = checks.get(port);
		// It is being closed.
		if (check === undefined) response.destroy();
		else write(response, check, isHealthy);
	}

	function tell(port: Port, text: string, { service, others }: HealthCheck): void {
		const said = told.get(port) ?? new Set();
		if (said.has(text)) return;
		told.set(port, said.add(text));
		log.warn({ port, service, ...(others.length > 0 ? { others } : {}) }, text);
	}

	async function openOne(port: Port, check: HealthCheck): Promise<void> {
		try {
			open.set(port, await listenEverywhere(port, (response) => answer(port, response)));
			told.delete(port);
			log.info({ port, service: check.service }, "Health check port opened");
		} catch (error) {
			const code = errorCode(error);
			const hint = HINTS[code];
			tell(port, `Cannot open the health check port: ${code}${hint === undefined ? "" : ` (${hint})`}`, check);
		}
	}

	async function closeOne(port: Port, server: Server): Promise<void> {
		open.delete(port);
		await close(server);
		log.info({ port }, "Health check port closed");
	}

	async function closeUnwanted(): Promise<void> {
		for (const port of told.keys()) if (!checks.has(port)) told.delete(port);
		for (const [port, server] of [...open]) if (!checks.has(port)) await closeOne(port, server);
	}

	async function openWanted(): Promise<void> {
		for (const [port, check] of checks) {
			if (!open.has(port)) await openOne(port, check);
			if (check.others.length > 0)
				tell(port, "Other Services have the same health check port and do not get it", check);
		}
	}

	return {
		async update(nextChecks, nextHealthy) {
			if (isOver) return;
			checks = nextChecks;
			isHealthy = nextHealthy;
			await closeUnwanted();
			await openWanted();
		},
		async [Symbol.asyncDispose]() {
			isOver = true;
			await Promise.all([...open.values()].map(close));
			open.clear();
		},
	};
}

/** Header names and body are those of kube-proxy (pkg/proxy/healthcheck/service_health.go). */
function write(response: ServerResponse, { service, local }: HealthCheck, isHealthy: boolean): void {
	const [namespace, name] = service.split("/");
	const fields = { service: { namespace, name }, localEndpoints: local, serviceProxyHealthy: isHealthy };
	const body = JSON.stringify(fields, null, "\t");
	response.writeHead(local > 0 && isHealthy ? 200 : 503, {
		"Content-Type": "application/json",
		"Content-Length": Buffer.byteLength(body),
		"X-Content-Type-Options": "nosniff",
		"X-Load-Balancing-Endpoint-Weight": String(local),
	});
	response.end(body);
}

async function listenEverywhere(port: Port, answer: (response: ServerResponse) => void): Promise<Server> {
	const [both, v4] = EVERYWHERE;
	try {
		return await listen({ host: both, port }, answer);
	} catch (error) {
		if (!NO_IPV6.includes(errorCode(error))) throw error;
		return await listen({ host: v4, port }, answer);
	}
}

function listen(place: { readonly host: string; readonly port: number }, answer: (response: ServerResponse) => void) {
	const server = createServer((_, response) => answer(response));
	return new Promise<Server>((resolve, reject) => {
		// Once it listens, what goes wrong concerns one connection, and nobody is left to hear of it.
		server.on("error", reject);
		server.listen(place, () => resolve(server));
	});
}

function close(server: Server): Promise<void> {
	return new Promise((resolve) => {
		server.close(() => resolve());
		server.closeAllConnections();
	});
}
