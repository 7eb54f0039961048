// An HTTP proxy that knows CONNECT, and leads to one port whatever it is asked for.

import { connect, createServer, type Socket } from "node:net";

/** `asked` are the first lines of its requests. */
export async function startProxy(
	target: number,
): Promise<AsyncDisposable & { readonly url: string; readonly asked: string[] }> {
	const asked: string[] = [];
	const sockets = new Set<Socket>();
	const proxy = createServer((client) => {
		sockets.add(client);
		client.on("error", () => client.destroy());
		client.once("data", (head) => {
			asked.push(head.toString().split("\r\n")[0] ?? "");
			const upstream = connect(target, "127.0.0.1", () => {
				client.write("HTTP/1.1 200 Connection established\r\n\r\n");
				client.pipe(upstream).pipe(client);
			});
			upstream.on("error", () => client.destroy());
			client.on("close", () => upstream.destroy());
		});
	});
	await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
	const address = proxy.address();
	const port = typeof address === "object" && address !== null ? address.port : 0;
	return {
		url: `http://127.0.0.1:${port}`,
		asked,
		async [Symbol.asyncDispose]() {
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => proxy.close(resolve));
		},
	};
}
