// The socket the test hub listens on: it can refuse, stall, come back on its port, and change its certificate.

import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import type { PemPair } from "./certificates.ts";

export interface Listener {
	/** The same from the first start on, so that a hub comes back where it was. */
	readonly port: () => number;
	/** Accepts connections with this certificate; clients may show one of these authorities'. */
	start(pair: PemPair, authorities: readonly string[]): Promise<void>;
	/** New connections are refused; those that are open stay. */
	stop(): Promise<void>;
	/** New connections are accepted and then never hear a byte. */
	stall(): Promise<void>;
}

export interface ListenerOptions {
	readonly host: string;
	readonly port: number;
	readonly accept: (socket: TLSSocket) => void;
	/** A handshake that failed: how often clients mistrust the certificate. */
	readonly failed: () => void;
}

/** How long a port that was ours may be another's before that is an error. */
const DEADLINE_MS = 10_000;

export function createListener({ host, port: wanted, accept, failed }: ListenerOptions): Listener {
	let port = wanted;
	let bound = false;
	let server: Server | undefined;
	const stalled = new Set<Socket>();
	const listenOnce = (next: Server) =>
		new Promise<void>((resolve, reject) => {
			next.removeAllListeners("error");
			next.once("error", (cause) => reject(new Error(`Cannot listen on ${host}:${port}: ${cause.message}`, { cause })));
			next.listen(port, host, () => {
				const address = next.address();
				if (typeof address === "object" && address !== null) port = address.port;
				server = next;
				resolve();
			});
		});
	/** The socket before it may still be closing; the port is the hub's for good. */
	const listen = async (next: Server): Promise<void> => {
		const end = performance.now() + DEADLINE_MS;
		for (;;) {
			try {
				await listenOnce(next);
				bound = true;
				return;
			} catch (error) {
				if (!bound || performance.now() > end || !String(error).includes("EADDRINUSE")) throw error;
				await Bun.sleep(5);
			}
		}
	};
	const stop = async () => {
		// Not awaited: it would wait for the connections that shall stay.
		server?.close();
		server = undefined;
		for (const socket of stalled) socket.destroy();
		stalled.clear();
	};
	return {
		port: () => port,
		async start({ certificate, key }, authorities) {
			await stop();
			// rejectUnauthorized off: a stranger's certificate is answered with 401, as the API server does.
			const options = { cert: certificate, key, ca: [...authorities], requestCert: true, rejectUnauthorized: false };
			const next = createServer(options, accept);
			next.on("tlsClientError", failed);
			await listen(next);
		},
		stop,
		async stall() {
			await stop();
			await listen(
				createTcpServer((socket) => {
					stalled.add(socket);
					socket.on("error", () => socket.destroy());
				}),
			);
		},
	};
}
