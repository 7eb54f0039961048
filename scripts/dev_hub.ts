// Runs the test hub on a folder of manifests until it is interrupted, and says how to reach it.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startHub, type TestHub } from "../test/support/hub/hub.ts";
import { startMetaServer } from "../test/support/hub/metaserver.ts";

const USAGE = `Usage: scripts/dev_hub [DIR] [options]

Serves the Kubernetes API over TLS on loopback, with the manifests (*.yaml, *.yml, *.json) of DIR, until it is interrupted.

  --port N            listen there (default: a free port)
  --minor N           be a server 1.N (default 36)
  --kubeconfig FILE   write the kubeconfig there (default: a temporary file, removed at the end)
  --metaserver PORT   also serve it there, without TLS, as the MetaServer of a KubeEdge node does (0: a free port);
                      SIGUSR1 cuts its link to the cloud, and mends it
  --webhooks PORT     check policies by the controller whose webhooks listen there:
                      balancing controller --webhook-listen 127.0.0.1:PORT`;

interface Settings {
	readonly folder: string | undefined;
	readonly port: number;
	readonly minor: number;
	readonly kubeconfig: string | undefined;
	/** Port; undefined: none. */
	readonly metaserver: number | undefined;
	/** Port; undefined: none. */
	readonly webhooks: number | undefined;
}

function readSettings(args: readonly string[]): Settings | "help" {
	const { values, positionals } = parseArgs({
		args: [...args],
		allowPositionals: true,
		options: {
			port: { type: "string", default: "0" },
			minor: { type: "string", default: "36" },
			kubeconfig: { type: "string" },
			metaserver: { type: "string" },
			webhooks: { type: "string" },
			help: { type: "boolean", short: "h", default: false },
		},
	});
	if (values.help) return "help";
	if (positionals.length > 1) throw new Error(`Cannot serve ${positionals.length} folders: give one`);
	return {
		folder: positionals[0],
		port: wholeNumber("--port", values.port, 65_535),
		minor: wholeNumber("--minor", values.minor, 99),
		kubeconfig: values.kubeconfig,
		metaserver: values.metaserver === undefined ? undefined : wholeNumber("--metaserver", values.metaserver, 65_535),
		webhooks: values.webhooks === undefined ? undefined : wholeNumber("--webhooks", values.webhooks, 65_535),
	};
}

function wholeNumber(option: string, text: string, most: number): number {
	if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
	throw new Error(`Cannot use ${option} ${text}: give a whole number up to ${most}`);
}

/** In the order of their paths, so that a definition can come before what it defines. */
function manifestsIn(folder: string): readonly string[] {
	const place = statSync(folder, { throwIfNoEntry: false });
	if (place === undefined) throw new Error(`Cannot serve ${folder}: it does not exist`);
	if (!place.isDirectory()) return [folder];
	return readdirSync(folder, { recursive: true, encoding: "utf8" })
		.filter((name) => /\.(?:ya?ml|json)$/.test(name))
		.sort()
		.map((name) => join(folder, name));
}

function load(hub: TestHub, folder: string): number {
	return manifestsIn(folder).reduce((count, path) => {
		try {
			return count + hub.apply(readFileSync(path, "utf8")).length;
		} catch (cause) {
			throw new Error(`Cannot load ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
		}
	}, 0);
}

/** Serves the hub a second time as an edge node would see it. */
async function serveAtEdge(hub: TestHub, port: number): Promise<AsyncDisposable> {
	const server = await startMetaServer(hub, { port });
	let isUp = true;
	process.on("SIGUSR1", () => {
		isUp = !isUp;
		server.set({ link: isUp ? "up" : "down" });
		console.log(`The MetaServer's link to the cloud is ${isUp ? "up" : "down"}`);
	});
	console.log(`  balancing agent --metaserver ${server.url}   (kill -USR1 ${process.pid} cuts and mends its link)`);
	return server;
}

const WEBHOOKS = join(import.meta.dir, "../edge/kubernetes/controller/webhooks.yaml");

/** As a cluster with edge/kubernetes/controller does. */
function callWebhooks(hub: TestHub, port: number): void {
	hub.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "balancing" } });
	hub.apply(readFileSync(WEBHOOKS, "utf8"));
	hub.routeService("balancing/balancing-controller", [port]);
	console.log(`  balancing controller --webhook-listen 127.0.0.1:${port}   (policies are checked while it runs)`);
}

async function main(): Promise<void> {
	const settings = readSettings(process.argv.slice(2));
	if (settings === "help") {
		console.log(USAGE);
		return;
	}
	const { folder, port, minor } = settings;
	await using hub = await startHub({ port, minor });
	const count = folder === undefined ? 0 : load(hub, folder);
	const own = settings.kubeconfig === undefined ? mkdtempSync(join(tmpdir(), "balancing-dev-hub-")) : undefined;
	const kubeconfig = settings.kubeconfig ?? join(own ?? "", "kubeconfig");
	writeFileSync(kubeconfig, hub.kubeconfig({ name: "dev-hub" }), { mode: 0o600 });
	chmodSync(kubeconfig, 0o600);
	console.log(
		`Serving ${hub.url} as Kubernetes 1.${minor}${folder === undefined ? "" : ` with ${count} objects of ${folder}`}`,
	);
	console.log(`  export KUBECONFIG=${kubeconfig}\n  kubectl get services,endpointslices -A`);
	await using _ = settings.metaserver === undefined ? undefined : await serveAtEdge(hub, settings.metaserver);
	if (settings.webhooks !== undefined) callWebhooks(hub, settings.webhooks);
	console.log("Stop it with Ctrl-C");
	await new Promise((resolve) => {
		process.once("SIGINT", resolve);
		process.once("SIGTERM", resolve);
	});
	if (own !== undefined) rmSync(own, { recursive: true });
}

try {
	await main();
} catch (error) {
	console.error(error instanceof Error ? error.message : error);
	process.exitCode = 1;
}
